/* The small documents of a pull, manifests and the configuration. ces-resolve fetches them into
 * memory, hashes them and hands them to ces-session; a ces-unpack reads them. */
#ifndef CES_HELPER_RESOLVE_DOCUMENTS_H
#define CES_HELPER_RESOLVE_DOCUMENTS_H

#include "helper/resolve/talk.h"

#define CES_DOCUMENT_MS 120000 /* for the fetch of one, or the reading */

/* Gets one document. reference: a tag, or a digest, which is checked then; blob: of a blob. max:
 * the most bytes, or the exact number for a blob. layers: of the job, see common/worker.h. The
 * calling function frees the answer of ces-unpack. */
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
