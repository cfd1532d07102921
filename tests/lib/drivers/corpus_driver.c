/* Gives files to CES's readers of JSON, and says of each whether it was taken:
 *
 *   corpus_driver json FILE...
 *   corpus_driver oci FILE...
 *
 * json: a line "FILE IMAGE POLICY" for each. IMAGE is the reader of what a registry sends, POLICY
 * that of root's files: what it says of the JSON, not of what a policy may hold. Each is "taken",
 * or "refused" with a reason in brackets. Both take objects alone: a text of another kind is given
 * to them as a member of one.
 * oci: the file's name begins with what it is to be read as: index, manifest, config, other (JSON
 * alone).
 *
 * It must not judge for itself: a text is what the reader says. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "helper/unpack/config.h"
#include "helper/unpack/json.h"
#include "helper/unpack/manifest.h"
#include "policy/field.h"

struct text {
	char *bytes;
	size_t length;
};

static void die(const char *what)
{
	fprintf(stderr, "corpus_driver: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* Copies it into memory of exactly its size, so that the sanitizers see a read of one byte too
 * many. */
static struct text read_all(const char *path)
{
	FILE *file = fopen(path, "re");
	struct text text = {NULL, 0};
	long size;

	if (file == NULL || fseek(file, 0, SEEK_END) < 0 || (size = ftell(file)) < 0)
		die(path);
	rewind(file);
	text.length = (size_t)size;
	text.bytes = malloc(text.length + (text.length == 0));
	if (text.bytes == NULL || fread(text.bytes, 1, text.length, file) != text.length)
		die(path);
	fclose(file);
	return text;
}

static struct text as_member(const struct text *text)
{
	static const char before[] = "{\"x\":", after[] = "}";
	struct text member = {NULL, text->length + strlen(before) + strlen(after)};

	member.bytes = malloc(member.length);
	if (member.bytes == NULL)
		die("malloc");
	memcpy(member.bytes, before, strlen(before));
	if (text->length > 0)
		memcpy(member.bytes + strlen(before), text->bytes, text->length);
	memcpy(member.bytes + strlen(before) + text->length, after, strlen(after));
	return member;
}

static int image_reader(const struct text *text, struct ces_error *err)
{
	struct json_object *object = NULL;
	int result = ces_json_parse(text->bytes, text->length, &object, err);

	if (result == 0)
		json_object_put(object);
	return result;
}

static int ignore(void *context, const char *path, const char *text)
{
	(void)path;
	(void)text;
	*(bool *)context = true;
	return 0;
}

/* An error of the JSON ends the reading at once; one of the policy is reported. */
static int policy_reader(const struct text *text, struct ces_error *err)
{
	static const struct ces_field none[] = {CES_FIELD_END};
	bool policy = false;
	struct ces_fields in = {.err = err, .report = ignore, .context = &policy};
	char nothing[8];
	int result = ces_field_document(&in, text->bytes, text->length, none, nothing);

	ces_field_free(in.blocks);
	return policy ? 0 : result;
}

static void say(int result, const struct ces_error *err)
{
	if (result == 0)
		printf(" taken");
	else
		printf(" refused(%s)", err->text);
}

static void try_json(const char *path, const char *name)
{
	struct text text = read_all(path), member = as_member(&text);
	struct ces_error err = {0};
	const struct text *given = &member;
	size_t at = 0;

	while (at < text.length && memchr(" \t\r\n", text.bytes[at], 4) != NULL)
		at++;
	if (at < text.length && text.bytes[at] == '{')
		given = &text;
	printf("%s", name);
	say(image_reader(given, &err), &err);
	say(policy_reader(given, &err), &err);
	putchar('\n');
	free(text.bytes);
	free(member.bytes);
}

static uint64_t diff_ids(const struct text *text)
{
	struct json_object *object = NULL, *rootfs = NULL, *ids = NULL;
	uint64_t n = 0;

	if (ces_json_parse(text->bytes, text->length, &object, NULL) < 0)
		return 0;
	if (json_object_object_get_ex(object, "rootfs", &rootfs) &&
	    json_object_object_get_ex(rootfs, "diff_ids", &ids) &&
	    json_object_is_type(ids, json_type_array))
		n = json_object_array_length(ids);
	json_object_put(object);
	return n;
}

static int document_reader(const char *name, const struct text *text, struct ces_error *err)
{
	struct ces_manifest manifest;
	struct ces_config config;
	bool index = strncmp(name, "index", 5) == 0;
	int result;

	if (index || strncmp(name, "manifest", 8) == 0) {
		result = ces_manifest_parse(text->bytes, text->length, CES_MANIFEST_UNSAID,
					    &manifest, err);
		if (result == 0 && (manifest.answer.chosen != NULL) != index)
			result = ces_error_set(err, CES_E_IMAGE, "it was taken for another kind");
		else if (result == 0)
			ces_manifest_free(&manifest);
		return result;
	}
	if (strncmp(name, "config", 6) != 0)
		return image_reader(text, err);
	result = ces_config_parse(text->bytes, text->length, diff_ids(text), &config, err);
	if (result == 0)
		ces_config_free(&config);
	return result;
}

static void try_oci(const char *path, const char *name)
{
	struct text text = read_all(path);
	struct ces_error err = {0};

	printf("%s", name);
	say(document_reader(name, &text, &err), &err);
	putchar('\n');
	free(text.bytes);
}

int main(int argc, char **argv)
{
	bool json = argc > 1 && strcmp(argv[1], "json") == 0;

	if (argc < 3 || (!json && strcmp(argv[1], "oci") != 0)) {
		fprintf(stderr, "usage: corpus_driver json|oci FILE...\n");
		return 2;
	}
	for (int i = 2; i < argc; i++) {
		const char *slash = strrchr(argv[i], '/');

		(json ? try_json : try_oci)(argv[i], slash == NULL ? argv[i] : slash + 1);
	}
	return 0;
}
