/* The header of a frame, and the checks of one value, for both sides of the codec and for the flat
 * values of common/check.c. */
#ifndef CES_COMMON_WIRE_FIELD_H
#define CES_COMMON_WIRE_FIELD_H

#include <stdbool.h>

#include "common/wire.h"

#define CES_WIRE_MAGIC "CES1" /* without its NUL */

/* Returns the type of a frame in memory, or 0 if it has no valid header. */
uint16_t ces_wire_type(const void *frame, size_t length);

/* Returns the length of the first frame of these bytes, header included: 0 if they have no valid
 * header, and never more than length. */
size_t ces_wire_length(const void *bytes, size_t length);

bool ces_wire_is_number(const struct ces_wire_field *field);
bool ces_wire_is_list(const struct ces_wire_field *field);

/* The values that an object has for a field: numbers, or texts. A number that is 0, and a text that
 * is NULL, count as none; a required number is always there. */
struct ces_wire_values {
	const uint64_t *numbers; /* NULL: they are texts */
	char *const *texts;
	size_t n;
};
struct ces_wire_values ces_wire_values_of(const struct ces_wire_field *field, const void *object);

/* Returns whether they are as many as the field may have. */
bool ces_wire_count_valid(const struct ces_wire_field *field, size_t n);

/* Returns whether one value fits its field. */
bool ces_wire_value_valid(const struct ces_wire_field *field, const uint8_t *bytes,
			  uint32_t length);

#endif
