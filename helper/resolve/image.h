/* One image: its reference, its configuration, its layers, its record. */
#ifndef CES_HELPER_RESOLVE_IMAGE_H
#define CES_HELPER_RESOLVE_IMAGE_H

#include "helper/resolve/talk.h"

/* Takes the pull to its end. On success it has sent CES_WISH_DONE. */
int ces_resolve_image(const struct ces_resolve_order *order, struct ces_error *err);

/* Hands over what may hold signatures of the manifest, or of the index that led to it, and asks
 * whether they are enough. */
int ces_resolve_signatures(const char *digest, const char *top_digest, struct ces_error *err);

/* Fetches, verifies and unpacks every layer that the store lacks, or that the registry does not
 * have for this caller. *ret_shared: another pull fetched some. */
int ces_resolve_layers(const struct ces_unpack_manifest *manifest,
		       const struct ces_strings *diff_ids, bool *ret_shared, struct ces_error *err);

#endif
