/* The small documents of a pull, manifests and the configuration: fetched into memory, hashed,
 * handed to ces-session, and read by a ces-unpack. */
#ifndef CES_HELPER_RESOLVE_DOCUMENTS_H
#define CES_HELPER_RESOLVE_DOCUMENTS_H

#include "helper/resolve/talk.h"

#define CES_DOCUMENT_MS 120000 /* for one, fetched, or read */

/* For one document. reference: a tag, or a digest, which is checked then; blob: of a blob. max: the
 * most bytes, or exactly so many of a blob. layers: of the job, see common/worker.h. The answer of
 * ces-unpack is the caller's to free. */
struct ces_document {
	enum ces_wish_document which;
	enum ces_unpack_kind job;
	const char *reference;
	uint64_t max, layers;
};
int ces_document_get(const struct ces_document *document, const struct ces_wire_schema *schema,
		     void *ret, struct ces_error *err);

/* Hands bytes to ces-session, as one document. */
int ces_document_hand_over(enum ces_wish_document which, const void *bytes, size_t length,
			   struct ces_error *err);

#endif
