/* Checks one value by its field. It must not know what a message means. */
#include "common/wire_field.h"

#include <string.h>

#include "common/name.h"

bool ces_wire_is_number(const struct ces_wire_field *field)
{
	return field->kind == CES_WIRE_U64 || field->kind == CES_WIRE_U64S;
}

bool ces_wire_is_list(const struct ces_wire_field *field)
{
	return field->kind == CES_WIRE_U64S || field->kind == CES_WIRE_NAMES ||
	       field->kind == CES_WIRE_TEXTS || field->kind == CES_WIRE_LINES;
}

struct ces_wire_values ces_wire_values_of(const struct ces_wire_field *field, const void *object)
{
	const void *slot = (const char *)object + field->offset;
	const struct ces_u64s *numbers = slot;
	const struct ces_strings *texts = slot;

	if (field->kind == CES_WIRE_U64S)
		return (struct ces_wire_values){numbers->v, NULL, numbers->n};
	if (ces_wire_is_list(field))
		return (struct ces_wire_values){NULL, texts->v, texts->n};
	if (ces_wire_is_number(field))
		return (struct ces_wire_values){slot, NULL,
						*(const uint64_t *)slot != 0 || field->required};
	return (struct ces_wire_values){NULL, slot, *(char *const *)slot != NULL};
}

bool ces_wire_count_valid(const struct ces_wire_field *field, size_t n)
{
	return n <= (ces_wire_is_list(field) ? field->count : 1);
}

bool ces_wire_value_valid(const struct ces_wire_field *field, const uint8_t *bytes, uint32_t length)
{
	if (ces_wire_is_number(field))
		return length == 8;
	if (length > field->cap || memchr(bytes, '\0', length) != NULL)
		return false;
	if (field->kind == CES_WIRE_LINE || field->kind == CES_WIRE_LINES)
		return ces_line_valid((const char *)bytes, length);
	if (field->kind == CES_WIRE_NAME || field->kind == CES_WIRE_NAMES)
		for (uint32_t i = 0; i < length; i++)
			if (bytes[i] < 0x20 || bytes[i] > 0x7e)
				return false;
	return true;
}
