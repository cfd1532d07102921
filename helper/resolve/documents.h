/* The small documents of a pull, manifests and the configuration. ces-resolve fetches them into
 * memory, hashes them and hands them to ces-store; a ces-unpack reads them. */
#ifndef CES_HELPER_RESOLVE_DOCUMENTS_H
#define CES_HELPER_RESOLVE_DOCUMENTS_H

#include "helper/resolve/talk.h"

#define CES_DOCUMENT_MS 120000 /* for the fetch of a document, or for its reading */

/* Gets one document. reference: a tag, or a digest, which is then checked; blob: of a blob. max:
 * the most bytes, or the exact number for a blob. layers: of the job, see common/worker.h. The
 * caller frees the answer of ces-unpack. */
struct ces_document {
	enum ces_wish_document which;
	enum ces_unpack_kind job;
	const char *reference;
	uint64_t max, layers;
};
int ces_document_get(const struct ces_document *document, const struct ces_wire_schema *schema,
		     void *ret, struct ces_error *err);

/* The two halves of it, for a document that may be missing. deadline_ms: as in common/io.h. Free
 * small->bytes, also after a failure. For the list of referrers, reference is not the digest of the
 * answer, and is not checked. */
struct ces_small {
	char *bytes;
	size_t length, max;
	uint64_t type; /* of a manifest: enum ces_manifest_type */
	bool ended, done;
};
int ces_document_fetch(const struct ces_document *document, enum ces_fetch_kind kind,
		       int64_t deadline_ms, struct ces_small *small, struct ces_error *err);
int ces_document_read(const struct ces_document *document, const struct ces_small *small,
		      const struct ces_wire_schema *schema, void *ret, struct ces_error *err);

/* Hands bytes to ces-store, as one document. */
int ces_document_hand_over(enum ces_wish_document which, const void *bytes, size_t length,
			   struct ces_error *err);

#endif
