/* The checks of one value, for both sides of the codec and for the flat values of
 * common/check.c. */
#ifndef CES_COMMON_WIRE_FIELD_H
#define CES_COMMON_WIRE_FIELD_H

#include <stdbool.h>

#include "common/wire.h"

#define CES_WIRE_MAGIC "CES1" /* without its NUL */

bool ces_wire_is_number(const struct ces_wire_field *field);
bool ces_wire_is_list(const struct ces_wire_field *field);

/* Returns whether one value fits its field. */
bool ces_wire_value_valid(const struct ces_wire_field *field, const uint8_t *bytes,
			  uint32_t length);

#endif
