/* Goes from a directory to findings: manifest, configuration, layers. An unreadable part is a
 * finding, and the check goes on as long as there is an image. */
#include "policy/conform/image.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/num.h"
#include "helper/unpack/config.h"
#include "helper/unpack/json.h"
#include "helper/unpack/manifest.h"
#include "policy/base.h"
#include "policy/conform/layout.h"
#include "policy/conform/registry.h"

#define SIZE_NOTED (UINT64_C(10) << 30)

static const struct ces_conform_place in_manifest = {.path = "manifest"};
static const struct ces_conform_place in_config = {.path = "configuration"};

/* More layers than any reader takes: it reports their number. -1 if there are, or it is no JSON. */
static int count_layers(struct ces_conform *conform, const char *bytes, size_t length)
{
	struct json_object *json = NULL, *layers = NULL;
	struct ces_error err = {0};
	size_t n = 0;

	if (ces_json_parse(bytes, length, &json, &err) < 0 ||
	    ces_json_member(json, "layers", json_type_array, &layers, &err) < 0) {
		ces_conform_add(conform, CES_CONFORM_REFUSED, &in_manifest, "%s", err.text);
		json_object_put(json);
		return -1;
	}
	if (layers != NULL)
		n = json_object_array_length(layers);
	json_object_put(json);
	conform->layers = n;
	if (n <= CES_LAYERS_MAX)
		return 0;
	ces_conform_add(conform, CES_CONFORM_LAYERS, &in_manifest, "the image has %zu layers", n);
	return -1;
}

static int read_manifest(struct ces_conform *conform, const char *bytes, size_t length,
			 enum ces_manifest_type served, struct ces_manifest *ret)
{
	struct ces_error err = {0};

	if (count_layers(conform, bytes, length) < 0)
		return -1;
	if (ces_manifest_parse(bytes, length, served, ret, &err) < 0) {
		ces_conform_add(conform, CES_CONFORM_REFUSED, &in_manifest, "%s", err.text);
		return -1;
	}
	if (ret->answer.chosen == NULL)
		return 0;
	ces_conform_add(conform, CES_CONFORM_REFUSED, &in_manifest,
			"it is an index, and was named as a manifest");
	ces_manifest_free(ret);
	return -1;
}

/* Returns whether the layers may be read: the announced size of a registry also has a limit. */
static bool check_size(struct ces_conform *conform, const struct ces_manifest *manifest,
		       uint64_t max_size)
{
	uint64_t size = 0;
	char text[32];

	for (size_t i = 0; i < manifest->answer.layer_sizes.n; i++)
		size += manifest->answer.layer_sizes.v[i];
	conform->size = size;
	ces_num_format_size(size, text, sizeof(text));
	if (size > SIZE_NOTED)
		ces_conform_add(conform, CES_CONFORM_SIZE, &in_manifest, "the layers are %s", text);
	if (size <= max_size)
		return true;
	ces_conform_add(conform, CES_CONFORM_REFUSED, &in_manifest,
			"the layers are larger than --max-size allows");
	return false;
}

static void check_platform(struct ces_conform *conform, const struct ces_image_config *config,
			   const char *wanted)
{
	const char *os = config->os != NULL ? config->os : "?";
	const char *architecture = config->architecture != NULL ? config->architecture : "?";

	snprintf(conform->platform, sizeof(conform->platform), "%.30s/%.30s", os, architecture);
	if (strcmp(os, "linux") == 0 && strcmp(architecture, wanted) == 0)
		return;
	ces_conform_write(conform,
			  ces_conform_add(conform, CES_CONFORM_PLATFORM, &in_config,
					  "the image is for %s, and not for linux/%s",
					  conform->platform, wanted),
			  "Build it with --platform linux/%s.", wanted);
}

/* The number of diff_ids must be right, because each layer is compared with its own. */
static int check_diff_ids(struct ces_conform *conform, const struct ces_image_config *config,
			  size_t layers)
{
	size_t n = config->diff_ids.n;

	if (n != layers) {
		ces_conform_add(conform, CES_CONFORM_DIFF_IDS, &in_config,
				"it names %zu layers, the manifest %zu", n, layers);
		return -1;
	}
	for (size_t i = 0; i < n; i++)
		if (!ces_digest_valid(config->diff_ids.v[i])) {
			ces_conform_add(conform, CES_CONFORM_DIFF_IDS, &in_config,
					"diff_id %zu is not a sha256 digest", i + 1);
			return -1;
		}
	return 0;
}

/* The values that a rule's "base" can name. */
static void keep_chains(struct ces_conform *conform, const struct ces_strings *diff_ids)
{
	char chain[CES_DIGEST_LENGTH + 1] = "";

	conform->chains = calloc(diff_ids->n + 1, sizeof(*conform->chains));
	conform->no_memory = conform->no_memory || conform->chains == NULL;
	for (size_t i = 0; conform->chains != NULL && i < diff_ids->n; i++) {
		ces_chain_add(chain, diff_ids->v[i]);
		memcpy(conform->chains[conform->n_chains++], chain, sizeof(chain));
	}
}

/* The reader of ces-unpack itself, which only reads what is for its own machine. */
static void ask_ces(struct ces_conform *conform, const char *bytes, size_t length, size_t layers,
		    const char *architecture)
{
	struct ces_config config;
	struct ces_error err = {0};

	if (architecture == NULL || strcmp(architecture, ces_manifest_architecture()) != 0)
		return;
	if (ces_config_parse(bytes, length, layers, &config, &err) < 0)
		ces_conform_add(conform, CES_CONFORM_REFUSED, &in_config, "%s", err.text);
	else
		ces_config_free(&config);
}

static int look_at_layer(struct ces_look *look, const struct ces_layout *layout,
			 const struct ces_manifest *manifest, const char *diff_id)
{
	const struct ces_unpack_manifest *answer = &manifest->answer;
	size_t i = look->layer - 1;
	const struct ces_conform_place place = {.layer = look->layer};
	CES_CLEANUP_FD int fd = -1;
	struct ces_error err = {0};
	struct ces_stream_source source = {
	    .size = answer->layer_sizes.v[i],
	    .digest = answer->layer_digests.v[i],
	    .diff_id = diff_id,
	    .compression = (enum ces_compression)answer->layer_compressions.v[i],
	};
	bool broken = true;
	uint64_t size = 0;
	int result = -1;

	if (ces_layout_blob(layout, source.digest, source.size, &fd, &size, &err) == 0) {
		source.fd = fd;
		if (size != source.size)
			(void)ces_error_set(
			    &err, CES_E_IMAGE, "it has %llu bytes, the manifest says %llu",
			    (unsigned long long)size, (unsigned long long)source.size);
		else
			result = ces_look_layer(look, &source, &broken, &err);
	}
	ces_cleanup_close(&fd);
	/* (at a limit it reads no further layer, and not this one to its end) */
	if ((result == 0 || err.code != CES_E_LIMIT) && ces_layout_blob_end(layout, &err) < 0)
		return -1;
	if (result < 0)
		ces_conform_add(look->conform, broken ? CES_CONFORM_BROKEN : CES_CONFORM_REFUSED,
				&place, "%s", err.text);
	return result < 0 && err.code == CES_E_LIMIT ? -1 : result < 0;
}

/* A missing file can only be reported if every layer was read. */
static void look_at_layers(struct ces_conform *conform, const struct ces_layout *layout,
			   const struct ces_manifest *manifest,
			   const struct ces_image_config *config, uint64_t max_size)
{
	struct ces_look look;
	bool all = true;
	int result = 0;

	ces_look_begin(&look, conform, max_size);
	ces_image_config_tmp(config, &look);
	for (size_t i = 0; i < config->diff_ids.n && result >= 0; i++) {
		look.layer = i + 1;
		result = look_at_layer(&look, layout, manifest, config->diff_ids.v[i]);
		all = all && result == 0;
	}
	ces_look_end(&look);
	if (all)
		ces_image_check_end(conform, config, &look);
	ces_look_free(&look);
}

static void look_at_image(struct ces_conform *conform, const struct ces_layout *layout,
			  const struct ces_manifest *manifest,
			  const struct ces_conform_options *options)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	struct ces_image_config config;
	struct ces_error err = {0};
	size_t length = 0, layers = manifest->answer.layer_digests.n;
	bool fits = check_size(conform, manifest, options->max_size);

	if (ces_layout_read(layout, manifest->answer.config_digest, manifest->answer.config_size,
			    &bytes, &length, &err) < 0) {
		ces_conform_add(conform, CES_CONFORM_BROKEN, &in_config, "%s", err.text);
		return;
	}
	if (length != manifest->answer.config_size)
		ces_conform_add(conform, CES_CONFORM_BROKEN, &in_config,
				"it has %zu bytes, the manifest says %llu", length,
				(unsigned long long)manifest->answer.config_size);
	if (ces_image_config_read(bytes, length, &config, &err) < 0) {
		ces_conform_add(conform, CES_CONFORM_REFUSED, &in_config, "%s", err.text);
		return;
	}
	check_platform(conform, &config, options->architecture);
	ces_image_config_check(conform, &config);
	if (check_diff_ids(conform, &config, layers) == 0) {
		keep_chains(conform, &config.diff_ids);
		ask_ces(conform, bytes, length, layers, config.architecture);
		if (fits)
			look_at_layers(conform, layout, manifest, &config, options->max_size);
	}
	ces_image_config_free(&config);
}

static int look_at(struct ces_conform *conform, const struct ces_layout *layout,
		   const struct ces_conform_options *options, struct ces_error *err)
{
	const struct ces_layout_choice choice = {options->ref, options->architecture};
	CES_CLEANUP_FREE char *bytes = NULL;
	struct ces_manifest manifest;
	size_t length = 0;

	/* Names in pax headers are UTF-8, and libarchive converts them by the locale. */
	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
		setlocale(LC_CTYPE, "en_US.UTF-8");
	conform->image = true;
	if (ces_layout_manifest(layout, &choice, &bytes, &length, conform->digest, err) < 0) {
		if (err->code == CES_E_USAGE)
			return -1;
		ces_conform_add(conform, CES_CONFORM_BROKEN, &in_manifest, "%s", err->text);
		return 0;
	}
	if (read_manifest(conform, bytes, length, ces_layout_served(layout), &manifest) < 0)
		return 0;
	look_at_image(conform, layout, &manifest, options);
	ces_manifest_free(&manifest);
	return 0;
}

int ces_conform_image(struct ces_conform *conform, int dir,
		      const struct ces_conform_options *options, struct ces_error *err)
{
	struct ces_layout layout;

	if (ces_layout_open(dir, &layout, err) < 0)
		return -1;
	return look_at(conform, &layout, options, err);
}

int ces_conform_registry(struct ces_conform *conform, struct ces_registry *registry,
			 const char *reference, const struct ces_conform_options *options,
			 struct ces_error *err)
{
	const struct ces_layout layout = {.dir = -1, .registry = registry, .reference = reference};

	if (look_at(conform, &layout, options, err) < 0)
		return -1;
	return ces_registry_failed(registry, err);
}
