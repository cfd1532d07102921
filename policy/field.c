/* Reads values by tables. It must never skip a key or a value that it does not know. It knows
 * nothing of the keys' meaning, which is in the tables of policy/parse.c. */
#include "policy/field.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/num.h"
#include "common/quantity.h"

struct ces_field_block {
	struct ces_field_block *next;
	max_align_t bytes[];
};

void *ces_field_alloc(struct ces_fields *in, size_t n, size_t size)
{
	struct ces_field_block *block = NULL;
	size_t bytes;

	if (!__builtin_mul_overflow(n, size, &bytes) &&
	    !__builtin_add_overflow(bytes, sizeof(*block), &bytes))
		block = calloc(1, bytes);
	if (block == NULL) {
		ces_error_set(in->err, CES_E_HOST, "out of memory");
		return NULL;
	}
	block->next = in->blocks;
	in->blocks = block;
	return block->bytes;
}

char *ces_field_copy(struct ces_fields *in, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = ces_field_alloc(in, 1, size);

	return copy == NULL ? NULL : memcpy(copy, text, size);
}

void ces_field_free(struct ces_field_block *blocks)
{
	while (blocks != NULL) {
		struct ces_field_block *next = blocks->next;

		free(blocks);
		blocks = next;
	}
}

static void path_text(const struct ces_scan_place *place, char *buffer, size_t size)
{
	size_t used;

	if (place->up == NULL)
		return;
	path_text(place->up, buffer, size);
	used = strlen(buffer);
	if (place->key != NULL)
		snprintf(buffer + used, size - used, "%s%s", used > 0 ? "." : "", place->key);
	else
		snprintf(buffer + used, size - used, "[%zu]", place->index);
}

int ces_field_fault(struct ces_fields *in, const struct ces_field_at *at, const char *format, ...)
{
	char path[CES_ERROR_TEXT / 2] = "", what[CES_ERROR_TEXT / 2], text[CES_ERROR_TEXT];
	va_list args;

	path_text(&at->place, path, sizeof(path));
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	if (in->report != NULL)
		return in->report(in->context, path, what);
	snprintf(text, sizeof(text), "%s %s", *path != '\0' ? path : "the document", what);
	return ces_scan_fault(in->bytes, ces_scan_locate(in->bytes, in->length, &at->place), text,
			      in->err);
}

static int refuse_unknown(struct ces_fields *in, const struct ces_field_at *at)
{
	json_object_object_foreach(at->value, key, value)
	{
		struct ces_field_at member = {.place = {.up = &at->place, .key = key},
					      .value = value};
		const struct ces_field *row = at->row->param;

		while (row->key != NULL && strcmp(row->key, key) != 0)
			row++;
		if (row->key == NULL &&
		    ces_field_fault(in, &member, "is not a key that CES knows here") != 0)
			return -1;
	}
	return 0;
}

/* In the order of the table and not of the file, so that one key may build on another. */
int ces_field_object(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	if (!json_object_is_type(at->value, json_type_object))
		return ces_field_fault(in, at, "must be an object { }");
	if (refuse_unknown(in, at) != 0)
		return -1;
	for (const struct ces_field *row = at->row->param; row->key != NULL; row++) {
		struct ces_field_at next = {.place = {.up = &at->place, .key = row->key},
					    .row = row};

		if (json_object_object_get_ex(at->value, row->key, &next.value)) {
			in->own |= row->own;
			if (row->read(in, &next, (char *)ret + row->offset) != 0)
				return -1;
		} else if (row->required &&
			   ces_field_fault(in, at, "needs the key \"%s\"", row->key) != 0) {
			return -1;
		}
	}
	return 0;
}

static int read_named(struct ces_fields *in, const struct ces_field_at *at, char *entry)
{
	const struct ces_field_each *each = at->row->param;
	size_t i = 0;

	json_object_object_foreach(at->value, key, value)
	{
		struct ces_field_at next = {
		    .place = {.up = &at->place, .key = key}, .value = value, .row = &each->row};

		if (each->row.read(in, &next, entry + each->size * i++) != 0)
			return -1;
	}
	return 0;
}

static int read_numbered(struct ces_fields *in, const struct ces_field_at *at, char *entry,
			 size_t n)
{
	const struct ces_field_each *each = at->row->param;

	for (size_t i = 0; i < n; i++) {
		struct ces_field_at next = {.place = {.up = &at->place, .index = i},
					    .row = &each->row};

		next.value = json_object_array_get_idx(at->value, i);
		if (each->row.read(in, &next, entry + each->size * i) != 0)
			return -1;
	}
	return 0;
}

int ces_field_list(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	const struct ces_field_each *each = at->row->param;
	struct {
		void *v;
		size_t n;
	} list;

	if (!json_object_is_type(at->value, each->named ? json_type_object : json_type_array))
		return ces_field_fault(in, at, "must be %s",
				       each->named ? "an object { }" : "a list [ ]");
	list.n = each->named ? (size_t)json_object_object_length(at->value)
			     : json_object_array_length(at->value);
	list.v = ces_field_alloc(in, list.n, each->size);
	if (list.v == NULL ||
	    (each->named ? read_named(in, at, list.v) : read_numbered(in, at, list.v, list.n)) != 0)
		return -1;
	memcpy(ret, &list, sizeof(list));
	return 0;
}

int ces_field_string(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	const struct ces_field_text *param = at->row->param;
	const char *text = json_object_get_string(at->value);

	if (!json_object_is_type(at->value, json_type_string) || !param->valid(text))
		return ces_field_fault(in, at, "must be %s", param->say);
	text = ces_field_copy(in, text);
	if (text == NULL)
		return -1;
	*(const char **)ret = text;
	return 0;
}

int ces_field_strings(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	const struct ces_field_each each = {
	    .size = sizeof(char *), .row = {.read = ces_field_string, .param = at->row->param}};
	const struct ces_field row = {.param = &each};
	const struct ces_field_at list = {.place = at->place, .value = at->value, .row = &row};

	return ces_field_list(in, &list, ret);
}

int ces_field_number(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	const struct ces_field_range *range = at->row->param;

	if (json_object_is_type(at->value, json_type_int) &&
	    ces_num_parse(json_object_get_string(at->value), range->min, range->max, ret) == 0)
		return 0;
	if (range->min == range->max)
		return ces_field_fault(in, at, "must be the number %llu",
				       (unsigned long long)range->min);
	return ces_field_fault(in, at, "must be a whole number from %llu to %llu",
			       (unsigned long long)range->min, (unsigned long long)range->max);
}

int ces_field_version(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	static const struct ces_field_range one = {1, 1};
	static const struct ces_field row = {.param = &one};
	const struct ces_field_at number = {.place = at->place, .value = at->value, .row = &row};
	uint64_t ignored;

	(void)ret;
	return ces_field_number(in, &number, &ignored);
}

const struct ces_field_measure ces_as_cpus = {ces_num_parse_cpus, UINT64_MAX,
					      "a number of cpus like 4 or 0.5"};
const struct ces_field_measure ces_as_size = {ces_num_parse_size, (uint64_t)1 << 60,
					      "a size like \"16G\""};
const struct ces_field_measure ces_as_time = {ces_num_parse_time, UINT64_MAX, "a time like \"6h\""};

/* It reads a number by its text, so that 0.5 cpus never pass through a float. */
int ces_field_quantity(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	const struct ces_field_measure *measure = at->row->param;
	enum json_type type = json_object_get_type(at->value);
	uint64_t value;

	if ((type != json_type_string && type != json_type_int && type != json_type_double) ||
	    measure->parse(json_object_get_string(at->value), &value) != 0 || value == 0 ||
	    value > measure->max)
		return ces_field_fault(in, at, "must be %s", measure->say);
	*(uint64_t *)ret = value;
	return 0;
}

int ces_field_date(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	if (!json_object_is_type(at->value, json_type_string) ||
	    ces_num_parse_date(json_object_get_string(at->value), ret) != 0)
		return ces_field_fault(in, at, "must be a date like \"2027-06-30\"");
	return 0;
}

int ces_field_bool(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	if (!json_object_is_type(at->value, json_type_boolean))
		return ces_field_fault(in, at, "must be true or false");
	*(bool *)ret = json_object_get_boolean(at->value);
	return 0;
}

int ces_field_word(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	const char *const *words = at->row->param;
	char list[128] = "";

	for (unsigned i = 0; words[i] != NULL; i++) {
		size_t used = strlen(list);

		if (json_object_is_type(at->value, json_type_string) &&
		    strcmp(json_object_get_string(at->value), words[i]) == 0) {
			*(unsigned *)ret = i; /* what an enum is */
			return 0;
		}
		snprintf(list + used, sizeof(list) - used, "%s\"%s\"", i > 0 ? " or " : "",
			 words[i]);
	}
	return ces_field_fault(in, at, "must be %s", list);
}

static void cleanup_json(struct json_object **tree)
{
	json_object_put(*tree);
}

static void cleanup_tokener(struct json_tokener **tokener)
{
	if (*tokener != NULL)
		json_tokener_free(*tokener);
}

static int parse_json(struct ces_fields *in, struct json_object **ret)
{
	__attribute__((cleanup(cleanup_tokener))) struct json_tokener *tokener =
	    json_tokener_new_ex(CES_SCAN_DEPTH);
	enum json_tokener_error error;

	if (tokener == NULL)
		return ces_error_set(in->err, CES_E_HOST, "out of memory");
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	*ret = json_tokener_parse_ex(tokener, in->bytes, (int)in->length);
	error = json_tokener_get_error(tokener);
	if (error != json_tokener_success || json_tokener_get_parse_end(tokener) != in->length)
		return ces_scan_fault(in->bytes, json_tokener_get_parse_end(tokener),
				      json_tokener_error_desc(error), in->err);
	return 0;
}

int ces_field_document(struct ces_fields *in, const char *bytes, size_t length,
		       const struct ces_field *rows, void *ret)
{
	__attribute__((cleanup(cleanup_json))) struct json_object *tree = NULL;
	const struct ces_field row = {.param = rows};
	struct ces_field_at top = {.row = &row};

	in->bytes = bytes;
	in->length = length;
	if (ces_scan_check(bytes, length, in->err) != 0 || parse_json(in, &tree) != 0)
		return -1;
	top.value = tree;
	return ces_field_object(in, &top, ret);
}

int ces_field_read(const char *bytes, size_t length, const struct ces_field *rows, void *ret,
		   struct ces_field_block **ret_memory, struct ces_error *err)
{
	struct ces_fields in = {.err = err};

	if (ces_field_document(&in, bytes, length, rows, ret) != 0) {
		ces_field_free(in.blocks);
		return -1;
	}
	*ret_memory = in.blocks;
	return 0;
}
