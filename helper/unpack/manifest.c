/* Reads an image index or manifest. It must not accept a document that another reader could take
 * for the other kind, nor a layer that needs anything but tar, gzip and zstd. */
#include "helper/unpack/manifest.h"

#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/name.h"

#define BLOB_MAX (UINT64_C(1) << 40)

#define OCI    "application/vnd.oci.image."
#define DOCKER "application/vnd.docker."

enum document { DOCUMENT_INDEX, DOCUMENT_MANIFEST };

static const struct {
	const char *type;
	enum document document;
} documents[] = {
    [CES_MANIFEST_OCI_INDEX] = {OCI "index.v1+json", DOCUMENT_INDEX},
    [CES_MANIFEST_OCI] = {OCI "manifest.v1+json", DOCUMENT_MANIFEST},
    [CES_MANIFEST_DOCKER_LIST] = {DOCKER "distribution.manifest.list.v2+json", DOCUMENT_INDEX},
    [CES_MANIFEST_DOCKER] = {DOCKER "distribution.manifest.v2+json", DOCUMENT_MANIFEST},
};

static enum ces_manifest_type type_of(const char *media_type)
{
	for (size_t i = CES_MANIFEST_OCI_INDEX; i < CES_COUNT(documents); i++)
		if (strcmp(media_type, documents[i].type) == 0)
			return (enum ces_manifest_type)i;
	return CES_MANIFEST_UNSAID;
}

static const char *const config_types[] = {
    OCI "config.v1+json",
    DOCKER "container.image.v1+json",
};

static const struct {
	const char *type;
	enum ces_compression compression;
} layer_types[] = {
    {OCI "layer.v1.tar", CES_COMPRESSION_NONE},
    {OCI "layer.v1.tar+gzip", CES_COMPRESSION_GZIP},
    {OCI "layer.v1.tar+zstd", CES_COMPRESSION_ZSTD},
    {DOCKER "image.rootfs.diff.tar", CES_COMPRESSION_NONE},
    {DOCKER "image.rootfs.diff.tar.gzip", CES_COMPRESSION_GZIP},
    {DOCKER "image.rootfs.diff.tar.zstd", CES_COMPRESSION_ZSTD},
};

const char *ces_manifest_architecture(void)
{
#if defined(__x86_64__)
	return "amd64";
#elif defined(__aarch64__)
	return "arm64";
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
	return "ppc64le";
#elif defined(__s390x__)
	return "s390x";
#elif defined(__riscv) && __riscv_xlen == 64
	return "riscv64";
#else
#error "which GOARCH is this?"
#endif
}

struct descriptor {
	const char *media_type, *digest;
	uint64_t size;
};

static int read_descriptor(struct json_object *json, uint64_t max, struct descriptor *ret,
			   struct ces_error *err)
{
	struct descriptor descriptor = {0};

	if (!json_object_is_type(json, json_type_object))
		return ces_error_set(err, CES_E_IMAGE, "a descriptor is not an object");
	if (ces_json_text(json, "mediaType", &descriptor.media_type, err) < 0 ||
	    ces_json_text(json, "digest", &descriptor.digest, err) < 0 ||
	    ces_json_number(json, "size", max, &descriptor.size, err) < 0)
		return -1;
	if (descriptor.media_type == NULL)
		return ces_error_set(err, CES_E_IMAGE, "\"mediaType\" is missing");
	if (descriptor.digest == NULL || !ces_digest_valid(descriptor.digest))
		return ces_error_set(err, CES_E_IMAGE, "\"digest\" is not a sha256 digest");
	*ret = descriptor;
	return 0;
}

static bool platform_matches(const char *os, const char *architecture, const char *variant)
{
	const char *baseline = "";

	if (os == NULL || architecture == NULL || strcmp(os, "linux") != 0 ||
	    strcmp(architecture, ces_manifest_architecture()) != 0)
		return false;
	/* A variant above the baseline may need instructions that this processor lacks. */
	if (strcmp(architecture, "amd64") == 0)
		baseline = "v1";
	else if (strcmp(architecture, "arm64") == 0)
		baseline = "v8";
	return variant == NULL || variant[0] == '\0' || strcmp(variant, baseline) == 0;
}

/* Adds "linux/arm64/v8" to a list for the user. It leaves out what does not fit. */
static void offer(char *list, size_t size, const char *os, const char *architecture,
		  const char *variant)
{
	size_t used = strlen(list);

	if (os == NULL || architecture == NULL || strcmp(os, "unknown") == 0)
		return;
	if (used + strlen(os) + strlen(architecture) + 16 < size)
		snprintf(list + used, size - used, "%s%s/%s%s%.8s", used > 0 ? ", " : "", os,
			 architecture, variant != NULL && variant[0] != '\0' ? "/" : "",
			 variant != NULL ? variant : "");
}

/* 1 if the entry is for this machine, 0 if it is for another. */
static int check_entry(struct json_object *entry, char *offers, size_t size, struct descriptor *ret,
		       struct ces_error *err)
{
	const char *os = NULL, *architecture = NULL, *variant = NULL;
	struct json_object *platform = NULL;

	if (!json_object_is_type(entry, json_type_object))
		return ces_error_set(err, CES_E_IMAGE, "a descriptor is not an object");
	if (ces_json_member(entry, "platform", json_type_object, &platform, err) < 0)
		return -1;
	if (platform == NULL)
		return 0;
	if (ces_json_text(platform, "os", &os, err) < 0 ||
	    ces_json_text(platform, "architecture", &architecture, err) < 0 ||
	    ces_json_text(platform, "variant", &variant, err) < 0)
		return -1;
	if (!platform_matches(os, architecture, variant)) {
		offer(offers, size, os, architecture, variant);
		return 0;
	}
	return read_descriptor(entry, CES_MANIFEST_MAX, ret, err) < 0 ? -1 : 1;
}

static int require_manifest(const struct descriptor *entry, struct ces_error *err)
{
	enum ces_manifest_type type = type_of(entry->media_type);

	if (type == CES_MANIFEST_UNSAID)
		return ces_error_set(err, CES_E_IMAGE,
				     "manifests of type \"%.100s\" are not supported",
				     entry->media_type);
	if (documents[type].document != DOCUMENT_MANIFEST)
		return ces_error_set(err, CES_E_IMAGE, "an index inside an index is not supported");
	return 0;
}

/* Is this entry a manifest that names no platform? Some tools make such an index of one image. */
static bool is_unsaid(struct json_object *entry)
{
	struct json_object *platform = NULL;
	const char *type = NULL;
	struct ces_error ignored;

	return ces_json_member(entry, "platform", json_type_object, &platform, &ignored) == 0 &&
	       platform == NULL && ces_json_text(entry, "mediaType", &type, &ignored) == 0 &&
	       type != NULL && documents[type_of(type)].document == DOCUMENT_MANIFEST;
}

static int take_entry(const struct descriptor *entry, struct ces_manifest *manifest,
		      struct ces_error *err)
{
	if (require_manifest(entry, err) < 0)
		return -1;
	manifest->answer.chosen = (char *)(uintptr_t)entry->digest;
	manifest->answer.chosen_size = entry->size;
	return 0;
}

/* The last choice is an entry that names no platform. The configuration of that image names one,
 * and is refused if it is another machine's. */
static int choose(struct json_object *entries, struct ces_manifest *manifest, struct ces_error *err)
{
	struct descriptor found = {"", "", 0};
	struct json_object *last = NULL;
	char offers[256] = "";
	size_t n = json_object_array_length(entries);

	for (size_t i = 0; i < n; i++) {
		struct json_object *entry = json_object_array_get_idx(entries, i);
		int matched = check_entry(entry, offers, sizeof(offers), &found, err);

		if (matched != 0)
			return matched < 0 ? -1 : take_entry(&found, manifest, err);
		if (last == NULL && is_unsaid(entry))
			last = entry;
	}
	if (last != NULL)
		return read_descriptor(last, CES_MANIFEST_MAX, &found, err) < 0
			   ? -1
			   : take_entry(&found, manifest, err);
	return ces_error_set(err, CES_E_IMAGE,
			     "no image for linux/%s; it offers: %s; build it with --platform "
			     "linux/%s",
			     ces_manifest_architecture(), offers[0] != '\0' ? offers : "nothing",
			     ces_manifest_architecture());
}

static int read_config_descriptor(struct json_object *json, struct ces_manifest *manifest,
				  struct ces_error *err)
{
	struct descriptor config = {"", "", 0};

	if (read_descriptor(json, BLOB_MAX, &config, err) < 0)
		return ces_error_context(err, "config");
	for (size_t i = 0; i < CES_COUNT(config_types); i++) {
		if (strcmp(config.media_type, config_types[i]) != 0)
			continue;
		if (config.size == 0 || config.size > CES_CONFIG_MAX)
			return ces_error_set(err, CES_E_IMAGE, "config: \"size\" is out of range");
		manifest->answer.config_digest = (char *)(uintptr_t)config.digest;
		manifest->answer.config_size = config.size;
		return 0;
	}
	return ces_error_set(err, CES_E_IMAGE,
			     "it is not a container image but an artifact of type \"%.100s\"",
			     config.media_type);
}

static int layer_compression(const char *media_type, uint64_t *ret, struct ces_error *err)
{
	for (size_t i = 0; i < CES_COUNT(layer_types); i++) {
		if (strcmp(media_type, layer_types[i].type) == 0) {
			*ret = layer_types[i].compression;
			return 0;
		}
	}
	if (strstr(media_type, "foreign") != NULL || strstr(media_type, "nondistributable") != NULL)
		return ces_error_set(
		    err, CES_E_IMAGE,
		    "its bytes are kept outside the registry (type \"%.100s\"), which is "
		    "not supported",
		    media_type);
	return ces_error_set(err, CES_E_IMAGE, "layers of type \"%.100s\" are not supported",
			     media_type);
}

static int read_layers(struct json_object *layers, struct ces_manifest *manifest,
		       struct ces_error *err)
{
	struct ces_unpack_manifest *answer = &manifest->answer;
	size_t n = json_object_array_length(layers);

	if (n == 0)
		return ces_error_set(err, CES_E_IMAGE, "it has no layers");
	if (n > CES_LAYERS_MAX)
		return ces_error_set(err, CES_E_IMAGE, "it has %zu layers, more than %d", n,
				     CES_LAYERS_MAX);
	for (size_t i = 0; i < n; i++) {
		struct descriptor layer = {"", "", 0};

		if (read_descriptor(json_object_array_get_idx(layers, i), BLOB_MAX, &layer, err) <
			0 ||
		    layer_compression(layer.media_type, &manifest->compressions[i], err) < 0)
			return ces_error_context(err, "layer %zu", i + 1);
		manifest->digests[i] = (char *)(uintptr_t)layer.digest;
		manifest->sizes[i] = layer.size;
	}
	answer->layer_digests = (struct ces_strings){manifest->digests, n};
	answer->layer_sizes = (struct ces_u64s){manifest->sizes, n};
	answer->layer_compressions = (struct ces_u64s){manifest->compressions, n};
	return 0;
}

static int require_schema_2(struct json_object *json, struct ces_error *err)
{
	uint64_t version = 0;

	if (ces_json_number(json, "schemaVersion", 1000, &version, err) < 0)
		return -1;
	if (version == 1)
		return ces_error_set(
		    err, CES_E_IMAGE,
		    "it is of the old Docker schema 1; push it again with a current tool");
	if (version != 2)
		return ces_error_set(err, CES_E_IMAGE, "\"schemaVersion\" is not 2");
	return 0;
}

/* Decides by its members which of the two it is. It refuses any other spelling of their names. */
static int shape_of(struct json_object *json, enum document *ret, struct ces_error *err)
{
	static const char *const names[] = {"manifests", "layers", "config", "fsLayers"};
	struct json_object *ignored;
	bool there[CES_COUNT(names)];

	for (size_t i = 0; i < CES_COUNT(names); i++)
		if (ces_json_find(json, names[i], &there[i], &ignored, err) < 0)
			return -1;
	if (there[0] && (there[1] || there[2] || there[3]))
		return ces_error_set(err, CES_E_IMAGE, "it is an index and a manifest at once");
	*ret = there[0] ? DOCUMENT_INDEX : DOCUMENT_MANIFEST;
	return 0;
}

/* Its members, its media type and the registry must all say the same kind: see the header. */
static int kind_of(struct json_object *json, enum ces_manifest_type served, enum document *ret,
		   struct ces_error *err)
{
	enum ces_manifest_type type = served;
	const char *media_type = NULL;

	if (shape_of(json, ret, err) < 0 || ces_json_text(json, "mediaType", &media_type, err) < 0)
		return -1;
	if (media_type != NULL)
		type = type_of(media_type);
	if (media_type != NULL && type == CES_MANIFEST_UNSAID)
		return ces_error_set(err, CES_E_IMAGE,
				     "manifests of type \"%.100s\" are not supported", media_type);
	if (media_type != NULL && documents[type].document != *ret)
		return ces_error_set(err, CES_E_IMAGE,
				     "its \"mediaType\" does not match its content");
	if (served != CES_MANIFEST_UNSAID && (served != type || documents[served].document != *ret))
		return ces_error_set(err, CES_E_IMAGE, "it was served as \"%s\", which it is not",
				     documents[served].type);
	return 0;
}

static int read_manifest(struct ces_manifest *manifest, struct ces_error *err)
{
	struct json_object *config = NULL, *layers = NULL;

	if (ces_json_member(manifest->json, "config", json_type_object, &config, err) < 0 ||
	    ces_json_member(manifest->json, "layers", json_type_array, &layers, err) < 0)
		return -1;
	if (config == NULL || layers == NULL)
		return ces_error_set(err, CES_E_IMAGE, "it has no \"%s\"",
				     config == NULL ? "config" : "layers");
	if (read_config_descriptor(config, manifest, err) < 0)
		return -1;
	return read_layers(layers, manifest, err);
}

static int read_document(struct ces_manifest *manifest, enum ces_manifest_type served,
			 struct ces_error *err)
{
	struct json_object *entries = NULL;
	enum document kind = DOCUMENT_MANIFEST;

	if (require_schema_2(manifest->json, err) < 0 ||
	    kind_of(manifest->json, served, &kind, err) < 0)
		return -1;
	if (kind == DOCUMENT_MANIFEST)
		return read_manifest(manifest, err);
	if (ces_json_member(manifest->json, "manifests", json_type_array, &entries, err) < 0)
		return -1;
	if (entries == NULL)
		return ces_error_set(err, CES_E_IMAGE, "it has no \"manifests\"");
	return choose(entries, manifest, err);
}

int ces_manifest_parse(const char *bytes, size_t length, enum ces_manifest_type served,
		       struct ces_manifest *ret, struct ces_error *err)
{
	memset(ret, 0, sizeof(*ret));
	if (ces_json_parse(bytes, length, &ret->json, err) < 0 ||
	    read_document(ret, served, err) < 0) {
		ces_manifest_free(ret);
		return ces_error_context(err, "manifest");
	}
	return 0;
}

void ces_manifest_free(struct ces_manifest *manifest)
{
	json_object_put(manifest->json);
	memset(manifest, 0, sizeof(*manifest));
}
