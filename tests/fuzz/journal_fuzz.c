/* libFuzzer entry: takes any bytes for a line of a journal. A line that is accepted is JSON to
 * json-c too, with the same values, and its text can be shown on any terminal. */
/* links: policy/tool/record.c */
/* parses: policy/tool/record.c */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "policy/tool/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static struct json_object *parse(const char *text, size_t length)
{
	struct json_tokener *tokener = json_tokener_new_ex(32);
	struct json_object *tree;

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	tree = json_tokener_parse_ex(tokener, text, (int)length);
	json_tokener_free(tokener);
	return tree;
}

static void check_field(const struct ces_record *record, enum ces_record_key key,
			struct json_object *tree)
{
	const struct ces_slice *field = &record->field[key];
	struct json_object *value = NULL;
	char text[256];

	(void)ces_record_text(record, key, text, sizeof(text));
	for (const char *p = text; *p != '\0'; p++)
		if (*p < 0x20 || *p > 0x7e)
			abort();
	if (!json_object_object_get_ex(tree, ces_record_name(key), &value)) {
		if (field->at != NULL)
			abort();
		return;
	}
	/* A key may also be written with escapes; the writer never does that. */
	if (field->at == NULL || field->length >= sizeof(text) ||
	    memchr(field->at, '\\', field->length) != NULL)
		return;
	if (json_object_is_type(value, json_type_string) &&
	    strcmp(json_object_get_string(value), text) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	/* Uses a copy without a NUL behind it, so that a sanitizer sees a read past the end. */
	char *line = malloc(length > 0 ? length : 1);
	struct ces_record record;
	struct json_object *tree;

	if (line == NULL || length > 1 << 16) {
		free(line);
		return 0;
	}
	memcpy(line, bytes, length);
	(void)ces_record_seq(line, length);
	if (ces_record_read(line, length, &record) == 0) {
		tree = parse(line, length);

		if (tree == NULL)
			abort();
		for (unsigned key = 0; key < CES_RECORD_KEYS; key++)
			check_field(&record, key, tree);
		json_object_put(tree);
	}
	free(line);
	return 0;
}
