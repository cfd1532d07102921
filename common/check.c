/* Checks lengths, counts and character classes by the table of a message. It must not read past a
 * text's NUL or a list's count, which the maker of the struct has put there. */
#include "common/check.h"

#include <stdbool.h>
#include <string.h>

#include "common/schema.h"
#include "common/wire_field.h"

static bool field_fits(const struct ces_wire_field *field, const void *object)
{
	const struct ces_wire_values values = ces_wire_values_of(field, object);

	if ((values.n == 0 && field->required) || !ces_wire_count_valid(field, values.n))
		return false;
	for (size_t i = 0; values.texts != NULL && i < values.n; i++) {
		const char *text = values.texts[i];

		if (text == NULL ||
		    !ces_wire_value_valid(field, (const uint8_t *)text, (uint32_t)strlen(text)))
			return false;
	}
	return true;
}

int ces_request_check(const struct ces_request *request, struct ces_error *err)
{
	const struct ces_wire_field *fields = ces_request_schema.fields;

	for (size_t i = 0; i < ces_request_schema.n_fields; i++)
		if (!field_fits(&fields[i], request))
			return ces_error_set(err, CES_E_USAGE, "malformed request: field %u",
					     fields[i].tag);
	return 0;
}
