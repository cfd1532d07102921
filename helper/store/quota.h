/* Limits one user's share of the image store: policy, host.user_limits. */
#ifndef CES_HELPER_STORE_QUOTA_H
#define CES_HELPER_STORE_QUOTA_H

#include "helper/store/store.h"

/* Checks that the caller may have the image of the order, with this digest and these diff_ids (none
 * before they are known), beside the images that they have. Its documents and layers count if they
 * are in the store. CES_E_LIMIT if there would be too many, or too much. *ret_left: bytes that they
 * may have more. */
int ces_quota_check(const struct ces_store_order *order, const struct ces_store *store,
		    const struct ces_image_record *image, uint64_t *ret_left,
		    struct ces_error *err);

/* Checks that there is room beside the reserve for so many bytes. what: whose, in the plural, for
 * the user. For layers they are the compressed ones: the least that these can need unpacked, and
 * the only figure that is known before anything is fetched. Unpacking finds out how much more they
 * take. CES_E_HOST, in figures, if there is no room. */
int ces_quota_room(const struct ces_store *store, uint64_t reserve, uint64_t needed,
		   const char *what, struct ces_error *err);

#endif
