/* Encodes a struct into a frame. It must apply the same caps as the decoder. */
#include "common/wire_field.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/io.h"

static void put_u16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
}

static void put_u32(uint8_t *at, uint32_t value)
{
	put_u16(at, value & 0xffff);
	put_u16(at + 2, value >> 16);
}

static void put_u64(uint8_t *at, uint64_t value)
{
	put_u32(at, (uint32_t)value);
	put_u32(at + 4, (uint32_t)(value >> 32));
}

/* Calls put for every value of one field in the object. */
static size_t field_values(const struct ces_wire_field *field, const void *object, size_t index,
			   const uint8_t **ret_bytes, uint32_t *ret_length, uint8_t number[8])
{
	const void *slot = (const char *)object + field->offset;
	const char *text = NULL;
	uint64_t value = 0;
	size_t n;

	switch ((enum ces_wire_kind)field->kind) {
	case CES_WIRE_U64:
		value = *(const uint64_t *)slot;
		n = value != 0 || field->required;
		break;
	case CES_WIRE_U64S:
		n = ((const struct ces_u64s *)slot)->n;
		if (index < n)
			value = ((const struct ces_u64s *)slot)->v[index];
		break;
	case CES_WIRE_NAMES:
	case CES_WIRE_TEXTS:
	case CES_WIRE_LINES:
		n = ((const struct ces_strings *)slot)->n;
		if (index < n)
			text = ((const struct ces_strings *)slot)->v[index];
		break;
	case CES_WIRE_NAME:
	case CES_WIRE_TEXT:
	case CES_WIRE_LINE:
	default:
		text = *(char *const *)slot;
		n = text != NULL;
		break;
	}
	if (text != NULL) {
		size_t length = strlen(text);

		*ret_bytes = (const uint8_t *)text;
		*ret_length = length > UINT32_MAX ? UINT32_MAX : (uint32_t)length;
	} else {
		put_u64(number, value);
		*ret_bytes = number;
		*ret_length = 8;
	}
	return n;
}

/* Measures (out == NULL) or writes one field. Returns its size on the wire; 0 bytes and err if a
 * value breaks the field's rules. */
static int encode_field(const struct ces_wire_schema *schema, const struct ces_wire_field *field,
			const void *object, uint8_t *out, size_t *ret_size, struct ces_error *err)
{
	uint8_t number[8];
	const uint8_t *bytes;
	uint32_t length;
	size_t size = 0, n = 1;

	for (size_t i = 0; i < n; i++) {
		n = field_values(field, object, i, &bytes, &length, number);
		if (n == 0 && field->required)
			return ces_error_set(err, CES_E_USAGE, "%s: field %u is missing",
					     schema->name, field->tag);
		if (i >= n)
			break;
		if (n > (ces_wire_is_list(field) ? field->count : 1))
			return ces_error_set(err, CES_E_USAGE, "%s: field %u: more than %u values",
					     schema->name, field->tag, field->count);
		if (!ces_wire_value_valid(field, bytes, length))
			return ces_error_set(
			    err, CES_E_USAGE,
			    "%s: field %u is too long or holds a forbidden character", schema->name,
			    field->tag);
		if (out != NULL) {
			put_u16(out + size, field->tag);
			put_u32(out + size + 2, length);
			memcpy(out + size + CES_WIRE_FIELD_HEADER, bytes, length);
		}
		size += CES_WIRE_FIELD_HEADER + length;
	}
	*ret_size = size;
	return 0;
}

int ces_wire_encode(const struct ces_wire_schema *schema, const void *object, uint8_t **ret,
		    size_t *ret_length, struct ces_error *err)
{
	size_t total = CES_WIRE_HEADER, size;
	uint8_t *frame;

	for (size_t i = 0; i < schema->n_fields; i++) {
		if (encode_field(schema, &schema->fields[i], object, NULL, &size, err) < 0)
			return -1;
		total += size;
	}
	if (total > CES_WIRE_RECORD_MAX)
		return ces_error_set(err, CES_E_USAGE, "%s: too long", schema->name);
	frame = malloc(total);
	if (frame == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	memcpy(frame, CES_WIRE_MAGIC, strlen(CES_WIRE_MAGIC));
	put_u16(frame + 4, schema->type);
	put_u32(frame + 6, (uint32_t)(total - CES_WIRE_HEADER));
	total = CES_WIRE_HEADER;
	for (size_t i = 0; i < schema->n_fields; i++) {
		(void)encode_field(schema, &schema->fields[i], object, frame + total, &size, err);
		total += size;
	}
	*ret = frame;
	*ret_length = total;
	return 0;
}

int ces_wire_send(int fd, const struct ces_wire_schema *schema, const void *object,
		  int64_t deadline_ms, struct ces_error *err)
{
	uint8_t *frame;
	size_t length;
	int result = 0;

	if (ces_wire_encode(schema, object, &frame, &length, err) < 0)
		return -1;
	if (ces_write_full(fd, frame, length, deadline_ms) < 0)
		result = ces_error_errno(err, CES_E_INTERNAL, "sending a %s", schema->name);
	explicit_bzero(frame, length);
	free(frame);
	return result;
}
