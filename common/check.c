/* Checks lengths, counts and character classes by the table of a message. It must not read past a
 * text's NUL or a list's count, which the maker of the struct has put there. */
#include "common/check.h"

#include <stdbool.h>
#include <string.h>

#include "common/schema.h"
#include "common/wire_field.h"

static bool text_fits(const struct ces_wire_field *field, const char *text)
{
	return ces_wire_value_valid(field, (const uint8_t *)text, (uint32_t)strlen(text));
}

static bool list_fits(const struct ces_wire_field *field, const struct ces_strings *list)
{
	if (list->n > field->count)
		return false;
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i] == NULL || !text_fits(field, list->v[i]))
			return false;
	return true;
}

static bool field_fits(const struct ces_wire_field *field, const char *at)
{
	const char *const *text = (const char *const *)(const void *)at;

	switch ((enum ces_wire_kind)field->kind) {
	case CES_WIRE_U64:
		return true;
	case CES_WIRE_NAME:
	case CES_WIRE_TEXT:
	case CES_WIRE_LINE:
		return *text == NULL ? field->required == 0 : text_fits(field, *text);
	case CES_WIRE_U64S:
		return ((const struct ces_u64s *)(const void *)at)->n <= field->count;
	case CES_WIRE_NAMES:
	case CES_WIRE_TEXTS:
	case CES_WIRE_LINES:
		return list_fits(field, (const struct ces_strings *)(const void *)at);
	}
	return false;
}

int ces_check(const struct ces_wire_schema *schema, const void *object, struct ces_error *err)
{
	for (size_t i = 0; i < schema->n_fields; i++)
		if (!field_fits(&schema->fields[i],
				(const char *)object + schema->fields[i].offset))
			return ces_error_set(err, CES_E_USAGE, "malformed %s: field %u",
					     schema->name, schema->fields[i].tag);
	return 0;
}

int ces_request_check(const struct ces_request *request, struct ces_error *err)
{
	return ces_check(&ces_request_schema, request, err);
}
