/* Manifests and configurations on their way through the helper, which never reads one. */
#ifndef CES_HELPER_STORE_DOCUMENTS_H
#define CES_HELPER_STORE_DOCUMENTS_H

#include "helper/store/store.h"
#include "helper/store/workers.h"

#define CES_DOCUMENT_MS 120000 /* for one, fetched, or parsed */

/* Fetches a body of at most size bytes (of a blob: exactly so many) into memory, ret->bytes, which
 * is the caller's to free, and checks its digest when one is known. */
int ces_document_fetch(struct ces_fetcher *fetcher, enum ces_fetch_kind kind, const char *reference,
		       uint64_t size, const char *digest, struct ces_bytes *ret,
		       struct ces_error *err);

/* Gives bytes to a ces-unpack as a sealed file and takes its answer. */
int ces_document_parse(int userns, const struct ces_unpack_job *job, const struct ces_bytes *bytes,
		       const struct ces_wire_schema *schema, void *ret, struct ces_error *err);

/* One status of ces-fetch; and a failed one as err (0 for any other): CES_E_INTERNAL only where
 * nobody read the body any more, so that the cause is the reader's. */
int ces_pull_status(struct ces_fetcher *fetcher, struct ces_fetch_status *ret,
		    struct ces_error *err);
int ces_pull_failed(const struct ces_fetch_status *status, struct ces_error *err);

/* -1 when the client has gone or asked to stop. */
int ces_pull_cancelled(struct ces_error *err);

#endif
