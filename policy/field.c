/* Reads values by tables. It must never skip a key or a value it does not know, and knows nothing
 * of what the keys mean: that is in the tables of policy/parse.c. */
#include "policy/field.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/num.h"
#include "common/wire.h"

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
	char path[256] = "the policy", what[256];
	size_t line, column;
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	if (at->place.up != NULL) {
		path[0] = '\0';
		path_text(&at->place, path, sizeof(path));
	}
	ces_scan_locate(in->bytes, in->length, &at->place, &line, &column);
	return ces_error_set(in->err, CES_E_POLICY, "line %zu, column %zu: %s %s", line, column,
			     path, what);
}

static int refuse_unknown(struct ces_fields *in, const struct ces_field_at *at,
			  const struct ces_field_table *table)
{
	json_object_object_foreach(at->value, key, value)
	{
		struct ces_field_at member = {.place = {.up = &at->place, .key = key},
					      .value = value};
		size_t i = 0;

		while (i < table->n && strcmp(table->v[i].key, key) != 0)
			i++;
		if (i == table->n)
			return ces_field_fault(in, &member, "is not a key that CES knows here");
	}
	return 0;
}

/* In the order of the table, not of the file, so that one key may build on another. */
int ces_field_object(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	const struct ces_field_table *table = at->row->param;

	if (!json_object_is_type(at->value, json_type_object))
		return ces_field_fault(in, at, "must be an object { }");
	if (refuse_unknown(in, at, table) != 0)
		return -1;
	for (size_t i = 0; i < table->n; i++) {
		const struct ces_field *row = &table->v[i];
		struct ces_field_at next = {.place = {.up = &at->place, .key = row->key},
					    .row = row};

		if (!json_object_object_get_ex(at->value, row->key, &next.value)) {
			if (row->required)
				return ces_field_fault(in, at, "needs the key \"%s\"", row->key);
			continue;
		}
		in->own |= row->own;
		if (row->read(in, &next, (char *)ret + row->offset) != 0)
			return -1;
	}
	return 0;
}

int ces_field_entries(struct ces_fields *in, const struct ces_field_at *at,
		      const struct ces_field *row, size_t size, void **ret, size_t *ret_n)
{
	bool map = json_object_is_type(at->value, json_type_object);
	struct json_object_iterator it = {0};
	size_t n = map ? (size_t)json_object_object_length(at->value)
		       : json_object_array_length(at->value);
	char *entries = ces_field_alloc(in, n, size);

	if (entries == NULL)
		return -1;
	if (map)
		it = json_object_iter_begin(at->value);
	for (size_t i = 0; i < n; i++) {
		struct ces_field_at entry = {.place = {.up = &at->place, .index = i}, .row = row};

		if (map) {
			entry.place.key = json_object_iter_peek_name(&it);
			entry.value = json_object_iter_peek_value(&it);
			json_object_iter_next(&it);
		} else {
			entry.value = json_object_array_get_idx(at->value, i);
		}
		if (row->read(in, &entry, entries + i * size) != 0)
			return -1;
	}
	*ret = entries;
	*ret_n = n;
	return 0;
}

int ces_field_string(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	const struct ces_field_text *param = at->row->param;
	const char *text;

	if (!json_object_is_type(at->value, json_type_string))
		return ces_field_fault(in, at, "must be %s, in double quotes", param->say);
	text = json_object_get_string(at->value);
	if (!param->valid(text))
		return ces_field_fault(in, at, "must be %s", param->say);
	text = ces_field_copy(in, text);
	if (text == NULL)
		return -1;
	*(const char **)ret = text;
	return 0;
}

int ces_field_strings(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	const struct ces_field row = {.read = ces_field_string, .param = at->row->param};
	struct ces_strings *strings = ret;
	size_t n;
	void *v;

	if (!json_object_is_type(at->value, json_type_array))
		return ces_field_fault(in, at, "must be a list [ ]");
	if (ces_field_entries(in, at, &row, sizeof(*strings->v), &v, &n) != 0)
		return -1;
	*strings = (struct ces_strings){v, n};
	return 0;
}

int ces_field_number(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	const struct ces_field_range *range = at->row->param;

	if (!json_object_is_type(at->value, json_type_int) ||
	    ces_num_parse(json_object_get_string(at->value), range->min, range->max, ret) != 0)
		return ces_field_fault(in, at, "must be a whole number from %llu to %llu",
				       (unsigned long long)range->min,
				       (unsigned long long)range->max);
	return 0;
}

/* A number is read by its text, so that 0.5 cpus never pass through a float. */
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
			memcpy(ret, &i, sizeof(i));
			return 0;
		}
		snprintf(list + used, sizeof(list) - used, "%s\"%s\"", i > 0 ? " or " : "",
			 words[i]);
	}
	return ces_field_fault(in, at, "must be %s", list);
}
