/* Looks through a bag for signatures. It must not take a blob for what a manifest does not call it,
 * nor follow anything but a digest.
 *
 * Who controls what: the registry controls every byte of the bag, and which documents are in it.
 * A signature in it is checked over exactly the bytes whose digest the manifest names. */
#include "helper/verify/find.h"

#include <string.h>

#include "common/digest.h"
#include "helper/unpack/json.h"
#include "policy/receipt/dsse.h"

#define LAYERS_MAX 64 /* (of one manifest, mostly signatures) */

struct document {
	const char *bytes;
	size_t length;
	bool done; /* read as what it is; a signature beside it is another document */
	char digest[CES_DIGEST_LENGTH + 1];
};

struct bag {
	struct document v[CES_BAG_DOCUMENTS];
	size_t n;
};

/* A torn or overlong document ends the bag. What came before it counts. */
static void open_bag(const uint8_t *bytes, size_t length, struct bag *ret)
{
	ret->n = 0;
	while (length > 4 && ret->n < CES_BAG_DOCUMENTS) {
		size_t size = (size_t)bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16 |
			      (size_t)bytes[3] << 24;
		struct document *document = &ret->v[ret->n];

		bytes += 4;
		length -= 4;
		if (size > length || size > CES_BAG_DOCUMENT)
			return;
		*document = (struct document){.bytes = (const char *)bytes, .length = size};
		ces_digest_of(bytes, size, document->digest);
		ret->n++;
		bytes += size;
		length -= size;
	}
}

static struct document *find(struct bag *bag, const char *digest)
{
	for (size_t i = 0; i < bag->n; i++)
		if (strcmp(bag->v[i].digest, digest) == 0)
			return &bag->v[i];
	return NULL;
}

static const struct {
	const char *media_type;
	void (*check)(struct ces_verify *verify, const char *bytes, size_t length);
} forms[] = {
    {"application/vnd.dsse.envelope.v1+json", ces_verify_envelope},
    {"application/vnd.dev.sigstore.bundle.v0.3+json", ces_verify_bundle},
};

/* cosign, specs/SIGNATURE_SPEC.md: the manifest has the signature beside the payload. */
static void check_simple(struct ces_verify *verify, struct json_object *layer,
			 const struct document *payload)
{
	struct json_object *annotations = NULL;
	struct ces_error ignored;
	const char *signature;

	if (ces_json_member(layer, "annotations", json_type_object, &annotations, &ignored) < 0 ||
	    annotations == NULL)
		return;
	signature = ces_dsse_text(annotations, "dev.cosignproject.cosign/signature");
	if (signature != NULL)
		ces_verify_simple(verify, payload->bytes, payload->length, signature);
}

static void check_layer(struct ces_verify *verify, struct bag *bag, struct json_object *layer)
{
	const char *media_type, *digest;
	struct document *document;

	if (!json_object_is_type(layer, json_type_object))
		return;
	media_type = ces_dsse_text(layer, "mediaType");
	digest = ces_dsse_text(layer, "digest");
	document = digest != NULL ? find(bag, digest) : NULL;
	if (media_type == NULL || document == NULL)
		return;
	if (strcmp(media_type, "application/vnd.dev.cosign.simplesigning.v1+json") == 0)
		check_simple(verify, layer, document);
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (strcmp(media_type, forms[i].media_type) == 0 && !document->done) {
			document->done = true;
			forms[i].check(verify, document->bytes, document->length);
		}
}

static void check_manifest(struct ces_verify *verify, struct bag *bag, struct json_object *manifest)
{
	struct json_object *layers = NULL;
	struct ces_error ignored;
	size_t n;

	if (ces_json_member(manifest, "layers", json_type_array, &layers, &ignored) < 0 ||
	    layers == NULL)
		return;
	n = json_object_array_length(layers);
	for (size_t i = 0; i < n && i < LAYERS_MAX; i++)
		check_layer(verify, bag, json_object_array_get_idx(layers, i));
}

void ces_verify_find(struct ces_verify *verify, const uint8_t *bytes, size_t length)
{
	struct bag bag;

	open_bag(bytes, length, &bag);
	for (size_t i = 0; i < bag.n; i++) {
		struct json_object *manifest;
		struct ces_error ignored;

		if (ces_json_parse(bag.v[i].bytes, bag.v[i].length, &manifest, &ignored) < 0)
			continue;
		check_manifest(verify, &bag, manifest);
		json_object_put(manifest);
	}
}
