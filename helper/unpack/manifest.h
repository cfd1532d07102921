/* Image indexes and manifests. Source: OCI image-spec v1.0.2 image-index.md, manifest.md,
 * descriptor.md; Docker "image manifest version 2, schema 2". */
#ifndef CES_UNPACK_MANIFEST_H
#define CES_UNPACK_MANIFEST_H

#include "common/worker.h"
#include "helper/unpack/json.h"

/* The contents of a manifest. `answer` points into json and into the arrays here. */
struct ces_manifest {
	struct ces_unpack_manifest answer; /* without digest */
	struct json_object *json;
	char *digests[CES_LAYERS_MAX];
	uint64_t sizes[CES_LAYERS_MAX];
	uint64_t compressions[CES_LAYERS_MAX];
};

/* Parses an index (and chooses the entry of this machine) or a manifest. The bytes come from a
 * registry; the caller has already compared their digest. *ret is released with ces_manifest_free.
 * CES_E_IMAGE.
 *
 * Everything that says which of the two it is must agree, or clients and scanners could be shown
 * two things under one digest (CVE-2021-41190). These are its members, "mediaType", where it is
 * there, and `served`, the registry's Content-Type. By the OCI distribution-spec (1.0.1, "Pulling
 * manifests") a client should reject a mediaType that is not the Content-Type. Without mediaType,
 * which OCI leaves out at will, a Content-Type must fit the members. A Content-Type that is absent
 * or none of the four types (a registry behind a plain file server says application/json) says
 * nothing and is passed over: then the bytes that the digest covers decide alone. */
int ces_manifest_parse(const char *bytes, size_t length, enum ces_manifest_type served,
		       struct ces_manifest *ret, struct ces_error *err);
void ces_manifest_free(struct ces_manifest *manifest);

/* This machine's word by GOARCH ("amd64"). Compiled in, so a personality cannot change it. */
const char *ces_manifest_architecture(void);

#endif
