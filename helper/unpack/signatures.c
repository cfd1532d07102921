/* Lists the documents that may hold signatures. It must not check one: nothing here is believed,
 * and a document that is left out can only make an image count as not signed. */
#include "helper/unpack/signatures.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/name.h"

/* cosign's media types of layers (pkg/types/media.go; sigstore's protobuf-specs for the bundle),
 * and the artifact types of the manifests with them. */
static const char *const layers[] = {
    "application/vnd.dev.cosign.simplesigning.v1+json",
    "application/vnd.dsse.envelope.v1+json",
    "application/vnd.dev.sigstore.bundle.v0.3+json",
    NULL,
};
static const char *const artifacts[] = {
    "application/vnd.dev.sigstore.bundle.v0.3+json",
    "application/vnd.dev.cosign.artifact.sig.v1+json",
    "application/vnd.dev.cosign.artifact.att.v1+json",
    NULL,
};

static bool is_one_of(const char *const *types, const char *type)
{
	for (; *types != NULL; types++)
		if (strcmp(*types, type) == 0)
			return true;
	return false;
}

/* Adds the document of a descriptor if key gives it one of these types. */
static int take(struct ces_signatures *to, struct json_object *descriptor, const char *key,
		const char *const *types, struct ces_error *err)
{
	size_t n = to->answer.digests.n;
	const char *type = NULL, *digest = NULL;
	uint64_t size = 0;

	if (!json_object_is_type(descriptor, json_type_object))
		return ces_error_set(err, CES_E_IMAGE, "a descriptor is not an object");
	if (ces_json_text(descriptor, key, &type, err) < 0 ||
	    ces_json_text(descriptor, "digest", &digest, err) < 0 ||
	    ces_json_number(descriptor, "size", INT64_MAX - 1, &size, err) < 0)
		return -1;
	if (type == NULL || !is_one_of(types, type) || digest == NULL ||
	    !ces_digest_valid(digest) || size == 0 || size > CES_BAG_DOCUMENT ||
	    n == CES_BAG_DOCUMENTS)
		return 0;
	/* several signatures of one payload */
	for (size_t i = 0; i < n; i++)
		if (strcmp(to->digests[i], digest) == 0)
			return 0;
	to->digests[n] = (char *)(uintptr_t)digest;
	to->sizes[n] = size;
	to->answer.digests.n = to->answer.sizes.n = n + 1;
	return 0;
}

static int parse(struct ces_signatures *to, struct ces_error *err)
{
	struct json_object *found = NULL, *manifests = NULL;

	if (ces_json_member(to->json, "layers", json_type_array, &found, err) < 0 ||
	    ces_json_member(to->json, "manifests", json_type_array, &manifests, err) < 0)
		return -1;
	if ((found != NULL) == (manifests != NULL))
		return ces_error_set(err, CES_E_IMAGE, "it is neither an index nor a manifest");
	to->answer.index = manifests != NULL;
	if (manifests != NULL)
		found = manifests;
	for (size_t i = 0; i < json_object_array_length(found); i++)
		if (take(to, json_object_array_get_idx(found, i),
			 manifests != NULL ? "artifactType" : "mediaType",
			 manifests != NULL ? artifacts : layers, err) < 0)
			return -1;
	return 0;
}

int ces_signatures_parse(const char *bytes, size_t length, struct ces_signatures *ret,
			 struct ces_error *err)
{
	memset(ret, 0, sizeof(*ret));
	ret->answer.digests.v = ret->digests;
	ret->answer.sizes.v = ret->sizes;
	if (ces_json_parse(bytes, length, &ret->json, err) == 0 && parse(ret, err) == 0)
		return 0;
	ces_signatures_free(ret);
	return -1;
}

void ces_signatures_free(struct ces_signatures *signatures)
{
	json_object_put(signatures->json);
	memset(signatures, 0, sizeof(*signatures));
}
