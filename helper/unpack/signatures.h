/* Finds which documents of a registry may hold signatures, by a manifest or by an index of
 * manifests. Whether they are signatures, ces-verify decides. */
#ifndef CES_UNPACK_SIGNATURES_H
#define CES_UNPACK_SIGNATURES_H

#include "common/worker.h"
#include "helper/unpack/json.h"

/* `answer` points into json and into the arrays here. */
struct ces_signatures {
	struct ces_unpack_signatures answer;
	struct json_object *json;
	char *digests[CES_BAG_DOCUMENTS];
	uint64_t sizes[CES_BAG_DOCUMENTS];
};

/* Lists the layers of a manifest whose type cosign uses for signatures, or the manifests of an
 * index with such an artifact type: the first CES_BAG_DOCUMENTS, and none larger than
 * CES_BAG_DOCUMENT. It skips others: beside signatures a registry keeps scans, lists of packages
 * and more. ces_signatures_free releases *ret. CES_E_IMAGE. */
int ces_signatures_parse(const char *bytes, size_t length, struct ces_signatures *ret,
			 struct ces_error *err);
void ces_signatures_free(struct ces_signatures *signatures);

#endif
