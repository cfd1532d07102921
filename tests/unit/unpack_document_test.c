/* Tests which manifests and configurations are understood, and which are refused and why. */
/* links: helper/unpack/json.c helper/unpack/json_scan.c */
/* links: helper/unpack/manifest.c helper/unpack/config.c */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "helper/unpack/config.h"
#include "helper/unpack/manifest.h"

#define HEX     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define A       "sha256:" HEX
#define ANOTHER "sha256:eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
#define OCI     "application/vnd.oci.image."
#define DOC     "application/vnd.docker."

#define DESC(type, size) "{\"mediaType\":\"" type "\",\"digest\":\"" A "\",\"size\":" size "}"
#define CONFIG           DESC(OCI "config.v1+json", "100")
#define LAYER            DESC(OCI "layer.v1.tar+gzip", "200")
#define MANIFEST(config, layers)                                                                   \
	"{\"schemaVersion\":2,\"config\":" config ",\"layers\":[" layers "]}"
#define ENTRY(type, platform)                                                                      \
	"{\"mediaType\":\"" type "\",\"digest\":\"" A "\",\"size\":300,\"platform\":" platform "}"
#define HERE        "{\"os\":\"linux\",\"architecture\":\"@\"}" /* @: this machine's */
#define THERE       "{\"os\":\"linux\",\"architecture\":\"pdp11\",\"variant\":\"v7\"}"
#define INDEX(list) "{\"schemaVersion\":2,\"manifests\":[" list "]}"

static struct ces_error err;

/* Returns the text with every '@' replaced by this machine's architecture. The caller frees it. */
static char *here(const char *text)
{
	const char *word = ces_manifest_architecture();
	char *result = malloc(strlen(text) * 8 + 1), *at = result;

	for (; *text != '\0'; text++) {
		if (*text == '@')
			at = stpcpy(at, word);
		else
			*at++ = *text;
	}
	*at = '\0';
	return result;
}

static int parse_served(const char *text, enum ces_manifest_type served, struct ces_manifest *ret)
{
	char *bytes = here(text);
	int result = ces_manifest_parse(bytes, strlen(bytes), served, ret, &err);

	free(bytes);
	return result;
}

static int parse_manifest(const char *text, struct ces_manifest *ret)
{
	return parse_served(text, CES_MANIFEST_UNSAID, ret);
}

static int parse_config(const char *text, uint64_t layers, struct ces_config *ret)
{
	char *bytes = here(text);
	int result = ces_config_parse(bytes, strlen(bytes), layers, ret, &err);

	free(bytes);
	return result;
}

static void refused(int result, const char *because)
{
	ck_assert_int_eq(result, -1);
	ck_assert_int_eq(err.code, CES_E_IMAGE);
	ck_assert_msg(strstr(err.text, because) != NULL, "\"%s\" does not say \"%s\"", err.text,
		      because);
}

static const struct {
	const char *type;
	enum ces_compression compression;
} layer_kinds[] = {
    {OCI "layer.v1.tar", CES_COMPRESSION_NONE},
    {OCI "layer.v1.tar+gzip", CES_COMPRESSION_GZIP},
    {OCI "layer.v1.tar+zstd", CES_COMPRESSION_ZSTD},
    {DOC "image.rootfs.diff.tar.gzip", CES_COMPRESSION_GZIP},
    {DOC "image.rootfs.diff.tar.zstd", CES_COMPRESSION_ZSTD},
};

START_TEST(every_kind_of_layer_says_how_it_is_compressed)
{
	struct ces_manifest manifest;
	char text[2048];

	snprintf(text, sizeof(text),
		 "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[{\"mediaType\":\"%s\","
		 "\"digest\":\"" A "\",\"size\":7}]}",
		 layer_kinds[_i].type);
	ck_assert_msg(parse_manifest(text, &manifest) == 0, "%s", err.text);
	ck_assert_uint_eq(manifest.answer.layer_digests.n, 1);
	ck_assert_str_eq(manifest.answer.layer_digests.v[0], A);
	ck_assert_uint_eq(manifest.answer.layer_sizes.v[0], 7);
	ck_assert_uint_eq(manifest.answer.layer_compressions.v[0], layer_kinds[_i].compression);
	ck_assert_str_eq(manifest.answer.config_digest, A);
	ck_assert_uint_eq(manifest.answer.config_size, 100);
	ck_assert_ptr_null(manifest.answer.chosen);
	ces_manifest_free(&manifest);
}
END_TEST

static const char *const good_manifests[] = {
    MANIFEST(CONFIG, LAYER),
    MANIFEST(CONFIG, LAYER "," LAYER),
    "{\"schemaVersion\":2,\"mediaType\":\"" OCI "manifest.v1+json\",\"config\":" CONFIG
    ",\"layers\":[" LAYER "],\"annotations\":{\"a\":\"b\",\"A\":\"c\"},\"subject\":null}",
    "{\"schemaVersion\":2,\"mediaType\":\"" DOC "distribution.manifest.v2+json\",\"config\":" DESC(
	DOC "container.image.v1+json", "9") ",\"layers\":[" LAYER "]}",
};

START_TEST(a_manifest_of_today_is_understood)
{
	struct ces_manifest manifest;

	ck_assert_msg(parse_manifest(good_manifests[_i], &manifest) == 0, "%s", err.text);
	ces_manifest_free(&manifest);
}
END_TEST

#define OTHER(type)  "{\"mediaType\":\"" OCI type "\",\"digest\":\"" ANOTHER "\",\"size\":9}"
#define UNSAID(type) DESC(type, "300")

static const char *const good_indexes[] = {
    INDEX(UNSAID(OCI "manifest.v1+json")),
    INDEX(ENTRY(OCI "manifest.v1+json", THERE) "," UNSAID(DOC "distribution.manifest.v2+json")),
    INDEX(UNSAID(OCI "index.v1+json") "," UNSAID(OCI "manifest.v1+json") "," UNSAID("text/plain")),
    INDEX(OTHER("manifest.v1+json") "," ENTRY(OCI "manifest.v1+json", HERE)),
    INDEX(ENTRY(OCI "manifest.v1+json", HERE)),
    INDEX(
	ENTRY(OCI "manifest.v1+json", THERE) "," ENTRY(DOC "distribution.manifest.v2+json", HERE)),
    INDEX("{\"mediaType\":\"x\",\"digest\":\"odd\",\"size\":-1}," ENTRY(OCI "manifest.v1+json",
									HERE)),
    "{\"schemaVersion\":2,\"mediaType\":\"" DOC
    "distribution.manifest.list.v2+json\",\"manifests\":[" ENTRY(OCI "manifest.v1+json", HERE) "]}",
};

START_TEST(this_machines_entry_of_an_index_is_chosen)
{
	struct ces_manifest manifest;

	ck_assert_msg(parse_manifest(good_indexes[_i], &manifest) == 0, "%s", err.text);
	ck_assert_str_eq(manifest.answer.chosen, A);
	ck_assert_uint_eq(manifest.answer.chosen_size, 300);
	ck_assert_ptr_null(manifest.answer.config_digest);
	ces_manifest_free(&manifest);
}
END_TEST

static const struct {
	const char *text, *because;
} bad_manifests[] = {
    {"", "is empty"},
    {"[]", "not a JSON object"},
    {"\xef\xbb\xbf{}", "not a JSON object"},
    {"{}", "schemaVersion"},
    {"{\"schemaVersion\":1,\"fsLayers\":[]}", "schema 1"},
    {"{\"schemaVersion\":3}", "not 2"},
    {"{\"schemaVersion\":\"2\"}", "not of type int"},
    {"{\"schemaVersion\":2}", "no \"config\""},
    {"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" LAYER "],\"manifests\":[]}",
     "at once"},
    {"{\"schemaVersion\":2,\"layers\":null,\"manifests\":[]}", "at once"},
    {"{\"schemaVersion\":2,\"mediaType\":\"" OCI "index.v1+json\",\"config\":" CONFIG
     ",\"layers\":[" LAYER "]}",
     "does not match its content"},
    {"{\"schemaVersion\":2,\"mediaType\":\"" OCI "manifest.v1+json\",\"manifests\":[]}",
     "does not match its content"},
    {"{\"schemaVersion\":2,\"mediaType\":\"text/html\",\"manifests\":[]}", "not supported"},
    {"{\"schemaVersion\":2,\"schemaVersion\":2}", "twice"},
    {"{\"schemaVersion\":2,\"lay\\u0065rs\":[],\"layers\":[]}", "twice"},
    {"{\"a\":{\"b\":1,\"b\":1}}", "twice"},
    {"{\"schemaVersion\":2,\"SchemaVersion\":2}", "differ only in case"},
    {"{\"a\":{\"history\":1,\"b\":2,\"HISTORY\":1}}", "differ only in case"},
    {"{\"a\":{\"\\u212aey\":1,\"key\":1}}", "differ only in case"},
    {"{\"annotations\":{\"a\":1,\"a\":2}}", "twice"},
    {"{\"annotations\":{\"A\":{\"b\":1,\"B\":2}}}", "differ only in case"},
    {"{\"SchemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" LAYER "]}", "\"SchemaVersion\""},
    {"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" LAYER "],\"Manifests\":[]}",
     "\"Manifests\""},
    {"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" LAYER "],\"MediaType\":\"" OCI
     "index.v1+json\"}",
     "\"MediaType\""},
    {"{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[" LAYER "],\"fslayers\":[]}",
     "\"fslayers\""},
    {"{\"schemaVersion\":2,\"manifests\":[],\"Config\":" CONFIG "}", "\"Config\""},
    {"{\"schemaVersion\":2,\"manifests\":[],\"layer\\u017f\":[" LAYER "]}", "\"layer"},
    {"{\"schemaVersion\":2,\"manifests\":[],\"layer\xc5\xbf\":[" LAYER "]}", "\"layer"},
    {MANIFEST(CONFIG, "{\"mediatype\":\"" OCI "layer.v1.tar\",\"digest\":\"" A "\",\"size\":1}"),
     "\"mediatype\""},
    {MANIFEST(CONFIG, "{\"mediaType\":\"" OCI "layer.v1.tar\",\"DIGEST\":\"" A "\",\"size\":1}"),
     "\"DIGEST\""},
    {MANIFEST("{\"mediaType\":\"" OCI "config.v1+json\",\"digest\":\"" A "\",\"si\\u007Ae\":1,"
	      "\"\\u0053ize\":2}",
	      LAYER),
     "differ only in case"},
    {INDEX(ENTRY(OCI "manifest.v1+json", "{\"OS\":\"linux\",\"architecture\":\"@\"}")), "\"OS\""},
    {INDEX("{\"mediaType\":\"" OCI "manifest.v1+json\",\"digest\":\"" A
	   "\",\"size\":300,\"Platform\":" HERE "}"),
     "\"Platform\""},
    {"{\"schemaVersion\":2}x", "after its end"},
    {"{\"schemaVersion\":2}{}", "after its end"},
    {"{\"a\":\"\\u0000\"}", "NUL"},
    {"{\"a\":\"\\ud800\"}", "surrogate"},
    {"{\"a\":\"\xff\"}", "UTF-8"},
    {"{\"a\":\"\xc0\x80\"}", "UTF-8"},
    {"{\"a\":\"\xed\xa0\x80\"}", "UTF-8"},
    {"{\"a\":\"\n\"}", "control character"},
    {"{\"a\":01}", "number"},
    {"{\"a\":+1}", "number"},
    {"{\"a\":1.}", "number"},
    {"{\"a\":NaN}", "number"},
    {"{\"a\":1,}", "string"},
    {"{\"a\":[1,]}", "number"},
    {"{'a':1}", "string"},
    {"{\"a\":1 /* */}", "end of an object"},
    {"{\"a\":tru}", "not a JSON value"},
    {"{\"a\":[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}", "too deeply"},
    {"{\"a\":\"", "middle of a string"},
    {MANIFEST(CONFIG, ""), "no layers"},
    {MANIFEST("[]", LAYER), "\"config\""},
    {MANIFEST(CONFIG, "1"), "descriptor"},
    {MANIFEST(DESC("application/vnd.cncf.helm.config.v1+json", "1"), LAYER), "artifact"},
    {MANIFEST(DESC(OCI "config.v1+json", "5000000"), LAYER), "out of range"},
    {MANIFEST(CONFIG, DESC(OCI "layer.v1.tar+gzip", "-1")), "out of range"},
    {MANIFEST(CONFIG, DESC(OCI "layer.v1.tar+gzip", "1099511627777")), "out of range"},
    {MANIFEST(CONFIG, DESC(OCI "layer.v1.tar+gzip", "99999999999999999999999")), "out of range"},
    {MANIFEST(CONFIG, DESC(OCI "layer.v1.tar+gzip", "1e3")), "not of type int"},
    {MANIFEST(CONFIG, DESC(OCI "layer.nondistributable.v1.tar+gzip", "1")), "outside the registry"},
    {MANIFEST(CONFIG, DESC(DOC "image.rootfs.foreign.diff.tar.gzip", "1")), "outside the registry"},
    {MANIFEST(CONFIG, DESC(OCI "layer.v1.tar+gzip+encrypted", "1")), "not supported"},
    {MANIFEST(CONFIG, DESC("application/vnd.oci.image.layer.v1.erofs", "1")), "not supported"},
    {MANIFEST(CONFIG,
	      "{\"mediaType\":\"" OCI "layer.v1.tar\",\"digest\":\"sha512:ab\",\"size\":1}"),
     "not a sha256"},
    {MANIFEST(CONFIG, "{\"mediaType\":\"" OCI "layer.v1.tar\",\"size\":1}"), "not a sha256"},
    {MANIFEST(CONFIG, "{\"digest\":\"" A "\",\"size\":1}"), "mediaType"},
    {INDEX(""), "no image for linux/"},
    {INDEX(ENTRY(OCI "manifest.v1+json", THERE)), "it offers: linux/pdp11/v7"},
    {INDEX(ENTRY(OCI "index.v1+json", HERE)), "inside an index"},
    {INDEX(ENTRY("text/plain", HERE)), "not supported"},
    {INDEX(ENTRY(OCI "manifest.v1+json",
		 "{\"os\":\"linux\",\"architecture\":\"@\",\"variant\":\"v99\"}")),
     "/v99"},
    {INDEX(ENTRY(OCI "manifest.v1+json", "{\"os\":\"windows\",\"architecture\":\"@\"}")),
     "windows/"},
    {INDEX("3"), "descriptor"},
    {INDEX(UNSAID(OCI "index.v1+json")), "no image for linux/"},
    {INDEX(UNSAID("text/plain")), "no image for linux/"},
    {INDEX("{\"digest\":\"" A "\",\"size\":1}"), "no image for linux/"},
    {INDEX(DESC(OCI "manifest.v1+json", "-1")), "out of range"},
    {INDEX("{\"mediaType\":\"" OCI "manifest.v1+json\",\"digest\":\"x\",\"size\":1}"),
     "not a sha256"},
};

START_TEST(a_hostile_or_foreign_manifest_is_refused_with_its_reason)
{
	struct ces_manifest manifest;

	refused(parse_manifest(bad_manifests[_i].text, &manifest), bad_manifests[_i].because);
}
END_TEST

#define TYPED(type, rest) "{\"schemaVersion\":2,\"mediaType\":\"" type "\"," rest "}"
#define AS_MANIFEST       "\"config\":" CONFIG ",\"layers\":[" LAYER "]"
#define AS_INDEX          "\"manifests\":[" ENTRY(OCI "manifest.v1+json", HERE) "]"

/* The types under which each may be served; always also under an unknown type. */
static const struct {
	const char *text;
	unsigned types; /* bits of enum ces_manifest_type */
} served[] = {
    {TYPED(OCI "index.v1+json", AS_INDEX), 1 << CES_MANIFEST_OCI_INDEX},
    {TYPED(OCI "manifest.v1+json", AS_MANIFEST), 1 << CES_MANIFEST_OCI},
    {TYPED(DOC "distribution.manifest.list.v2+json", AS_INDEX), 1 << CES_MANIFEST_DOCKER_LIST},
    {TYPED(DOC "distribution.manifest.v2+json", AS_MANIFEST), 1 << CES_MANIFEST_DOCKER},
    {"{\"schemaVersion\":2," AS_INDEX "}",
     1 << CES_MANIFEST_OCI_INDEX | 1 << CES_MANIFEST_DOCKER_LIST},
    {"{\"schemaVersion\":2," AS_MANIFEST "}", 1 << CES_MANIFEST_OCI | 1 << CES_MANIFEST_DOCKER},
};

START_TEST(a_manifest_of_another_type_than_the_registry_says_is_refused)
{
	enum ces_manifest_type type = (enum ces_manifest_type)(_i % (CES_MANIFEST_DOCKER + 1));
	size_t i = (size_t)_i / (CES_MANIFEST_DOCKER + 1);
	struct ces_manifest manifest;
	int result = parse_served(served[i].text, type, &manifest);

	if (type != CES_MANIFEST_UNSAID && (served[i].types & 1u << type) == 0) {
		refused(result, "served as");
		return;
	}
	ck_assert_msg(result == 0, "%s", err.text);
	ces_manifest_free(&manifest);
}
END_TEST

START_TEST(more_layers_than_one_overlay_takes_are_refused)
{
	struct ces_manifest manifest;
	char *text = calloc(1, (CES_LAYERS_MAX + 2) * 256), *at;

	at = stpcpy(text, "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[");
	for (int i = 0; i <= CES_LAYERS_MAX; i++)
		at = stpcpy(stpcpy(at, i == 0 ? "" : ","), LAYER);
	strcpy(at, "]}");
	refused(parse_manifest(text, &manifest), "128 layers");
	free(text);
}
END_TEST

START_TEST(a_key_twice_among_a_hundred_thousand_is_found)
{
	size_t n = 100000;
	char *text = malloc(n * 16 + 64), *at = text + sprintf(text, "{\"k7\":0");
	struct ces_manifest manifest;

	for (size_t i = 8; i < n; i++)
		at += sprintf(at, ",\"k%zu\":{}", i);
	strcpy(at, ",\"k7\":0}");
	refused(parse_manifest(text, &manifest), "twice");
	free(text);
}
END_TEST

#define IMAGE(config)                                                                              \
	"{\"os\":\"linux\",\"architecture\":\"@\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":["  \
	"\"" A "\"]},\"config\":" config ",\"history\":[{}]}"

START_TEST(a_configuration_becomes_a_record)
{
	struct ces_config config;

	ck_assert_msg(
	    parse_config(
		IMAGE("{\"Entrypoint\":[\"/app\",\"line\\nbreak\"],\"Cmd\":[\"\"],\"Env\":[\"A=\","
		      "\"PATH=/bin=\"],\"WorkingDir\":\"srv//./x/\",\"User\":\"me:us\","
		      "\"StopSignal\":\"SIGINT\",\"Labels\":{\"run.oci.hooks.stdout\":\"/x\"},"
		      "\"Volumes\":{\"/etc\":{}},\"Hooks\":1}"),
		1, &config) == 0,
	    "%s", err.text);
	ck_assert_uint_eq(config.record.diff_ids.n, 1);
	ck_assert_str_eq(config.record.diff_ids.v[0], A);
	ck_assert_uint_eq(config.record.entrypoint.n, 2);
	ck_assert_str_eq(config.record.entrypoint.v[1], "line\nbreak");
	ck_assert_uint_eq(config.record.cmd.n, 1);
	ck_assert_str_eq(config.record.cmd.v[0], "");
	ck_assert_uint_eq(config.record.env.n, 2);
	ck_assert_str_eq(config.record.env.v[1], "PATH=/bin=");
	ck_assert_str_eq(config.record.workdir, "/srv/x");
	ck_assert_str_eq(config.record.user, "me:us");
	ck_assert_uint_eq(config.record.stop_signal, 2);
	ces_config_free(&config);
}
END_TEST

START_TEST(an_empty_configuration_is_accepted)
{
	static const char *const texts[] = {
	    IMAGE("{}"),
	    IMAGE("null"),
	    IMAGE("{\"Entrypoint\":null,\"Cmd\":null,\"Env\":null,\"WorkingDir\":\"\",\"User\":"
		  "\"\"}"),
	    /* (words of the image's own; a map keeps words apart that differ in case) */
	    IMAGE("{\"Labels\":{\"Name\":\"a\",\"name\":\"b\",\"user\":\"c\"},"
		  "\"Volumes\":{\"/A\":{},\"/a\":{}},"
		  "\"ExposedPorts\":{\"1/tcp\":{},\"1/TCP\":{}}}"),
	};
	struct ces_config config;

	ck_assert_msg(parse_config(texts[_i], 1, &config) == 0, "%s", err.text);
	ck_assert_uint_eq(config.record.entrypoint.n, 0);
	ck_assert_ptr_null(config.record.workdir);
	ck_assert_ptr_null(config.record.user);
	ces_config_free(&config);
}
END_TEST

static const struct {
	const char *text, *because;
} bad_configs[] = {
    {"{}", "missing"},
    {"{\"os\":\"windows\",\"architecture\":\"@\"}", "windows/"},
    {"{\"os\":\"linux\",\"architecture\":\"pdp11\"}", "linux/pdp11"},
    {"{\"os\":\"linux\",\"architecture\":\"@\"}", "rootfs"},
    {"{\"os\":\"linux\",\"architecture\":\"@\",\"rootfs\":{\"type\":\"x\",\"diff_ids\":[]}}",
     "layers"},
    {"{\"os\":\"linux\",\"architecture\":\"@\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}",
     "names 0 layers, the manifest 1"},
    {"{\"os\":\"linux\",\"architecture\":\"@\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"x\"]"
     "}}",
     "not a sha256"},
    {IMAGE("[]"), "not of type object"},
    {IMAGE("{\"Entrypoint\":\"sh\"}"), "not of type array"},
    {IMAGE("{\"Cmd\":[1]}"), "not a string"},
    {IMAGE("{\"Env\":[\"NOVALUE\"]}"), "NAME=value"},
    {IMAGE("{\"Env\":[\"=x\"]}"), "NAME=value"},
    {IMAGE("{\"Env\":[\"A B=x\"]}"), "NAME=value"},
    {IMAGE("{\"WorkingDir\":\"/a/../../b\"}"), ".."},
    {IMAGE("{\"WorkingDir\":\"/a\\u001b[2J\"}"), "printable"},
    {IMAGE("{\"User\":\"a\\nb\"}"), "printable"},
    {IMAGE("{\"StopSignal\":\"SIGNOT\"}"), "not a signal"},
    {IMAGE("{\"Env\":[],\"Env\":[]}"), "twice"},
    {IMAGE("{\"Env\":[],\"ENV\":[]}"), "differ only in case"},
    {IMAGE("{\"env\":[\"A=b\"]}"), "\"env\""},
    {IMAGE("{\"EntryPoint\":[\"sh\"]}"), "\"EntryPoint\""},
    {IMAGE("{\"cmd\":[\"sh\"]}"), "\"cmd\""},
    {IMAGE("{\"u\\u017fer\":\"0\"}"), "\"u"},
    {IMAGE("{\"Workingdir\":\"/\"}"), "\"Workingdir\""},
    {IMAGE("{\"stopSignal\":\"9\"}"), "\"stopSignal\""},
    {"{\"OS\":\"linux\",\"os\":\"linux\",\"architecture\":\"@\"}", "differ only in case"},
    {"{\"Os\":\"linux\",\"architecture\":\"@\"}", "\"Os\""},
    {"{\"os\":\"linux\",\"architecture\":\"@\",\"RootFS\":{}}", "\"RootFS\""},
    {"{\"os\":\"linux\",\"architecture\":\"@\",\"rootfs\":{\"type\":\"layers\",\"Diff_ids\":[\"" A
     "\"]}}",
     "\"Diff_ids\""},
    {"{\"os\":\"linux\",\"architecture\":\"@\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" A
     "\"]},\"Config\":{\"User\":\"0\"}}",
     "\"Config\""},
};

START_TEST(a_hostile_or_foreign_configuration_is_refused_with_its_reason)
{
	struct ces_config config;

	refused(parse_config(bad_configs[_i].text, 1, &config), bad_configs[_i].because);
}
END_TEST

/* (a grant has room for so much) */
START_TEST(all_words_of_a_configuration_together_have_192_kib)
{
	size_t all = 192 * 1024;
	char *text = malloc(all + 1000), *at;
	struct ces_config config;

	at = text + sprintf(text, "{\"os\":\"linux\",\"architecture\":\"@\",\"rootfs\":{\"type\":"
				  "\"layers\",\"diff_ids\":[\"" A "\"]},\"config\":{\"Env\":[");
	for (int i = 0; i < 4; i++) {
		size_t length = all / 4 + (i == 3 ? (size_t)_i : 0);

		at += sprintf(at, "%s\"A=", i > 0 ? "," : "");
		memset(at, 'x', length - 2);
		at = stpcpy(at + length - 2, "\"");
	}
	strcpy(at, "]}}");
	if (_i == 0) {
		ck_assert_msg(parse_config(text, 1, &config) == 0, "%s", err.text);
		ces_config_free(&config);
	} else {
		refused(parse_config(text, 1, &config), "\"Env\" is too long");
	}
	free(text);
}
END_TEST

static const struct {
	const char *text;
	int number; /* -1: refused */
} signals[] = {
    {"SIGTERM", 15},
    {"TERM", 15},
    {"15", 15},
    {"SIGRTMIN+3", 37},
    {"SIGRTMIN", 34},
    {"RTMAX", 64},
    {"SIGRTMAX-1", 63},
    {"0", -1},
    {"65", -1},
    {"-1", -1},
    {"sigterm", 15},
    {"Term", 15},
    {"sigrtmin+3", 37},
    {"SIGIO", 29},
    {"iot", 6},
    {"SIGCLD", 17},
    {"sigsigterm", -1},
    {"SIGRTMIN+0000003", -1},
    {"SIGTERMSIGTERMSIGTERM", -1},
    {"", -1},
    {"SIG", -1},
    {"SIGRTMIN+", -1},
    {"SIGRTMIN+99", -1},
    {"15 ", -1},
};

START_TEST(stop_signals_are_read_in_all_their_forms)
{
	uint64_t number = 0;
	int result = ces_config_signal(signals[_i].text, &number);

	ck_assert_int_eq(result, signals[_i].number < 0 ? -1 : 0);
	if (result == 0)
		ck_assert_int_eq((int)number, signals[_i].number);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("unpack_document");
	TCase *tests = tcase_create("documents");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tests, every_kind_of_layer_says_how_it_is_compressed, 0,
			    CES_COUNT(layer_kinds));
	tcase_add_loop_test(tests, a_manifest_of_today_is_understood, 0, CES_COUNT(good_manifests));
	tcase_add_loop_test(tests, this_machines_entry_of_an_index_is_chosen, 0,
			    CES_COUNT(good_indexes));
	tcase_add_loop_test(tests, a_hostile_or_foreign_manifest_is_refused_with_its_reason, 0,
			    CES_COUNT(bad_manifests));
	tcase_add_loop_test(tests, a_manifest_of_another_type_than_the_registry_says_is_refused, 0,
			    CES_COUNT(served) * (CES_MANIFEST_DOCKER + 1));
	tcase_add_test(tests, more_layers_than_one_overlay_takes_are_refused);
	tcase_add_test(tests, a_key_twice_among_a_hundred_thousand_is_found);
	tcase_add_test(tests, a_configuration_becomes_a_record);
	tcase_add_loop_test(tests, an_empty_configuration_is_accepted, 0, 4);
	tcase_add_loop_test(tests, a_hostile_or_foreign_configuration_is_refused_with_its_reason, 0,
			    CES_COUNT(bad_configs));
	tcase_add_loop_test(tests, all_words_of_a_configuration_together_have_192_kib, 0, 2);
	tcase_add_loop_test(tests, stop_signals_are_read_in_all_their_forms, 0, CES_COUNT(signals));
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
