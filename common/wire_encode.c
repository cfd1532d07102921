/* Encodes a struct into a frame. It must apply the same caps as the decoder. */
#include "common/wire_field.h"

#include <endian.h>
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

/* Measures (out == NULL) or writes one field. Returns its size on the wire; 0 bytes and err if a
 * value breaks the field's rules. */
static int encode_field(const struct ces_wire_schema *schema, const struct ces_wire_field *field,
			const void *object, uint8_t *out, size_t *ret_size, struct ces_error *err)
{
	const struct ces_wire_values values = ces_wire_values_of(field, object);
	size_t size = 0;

	if (values.n == 0 && field->required)
		return ces_error_set(err, CES_E_USAGE, "%s: field %u is missing", schema->name,
				     field->tag);
	if (!ces_wire_count_valid(field, values.n))
		return ces_error_set(err, CES_E_USAGE, "%s: field %u: more than %u values",
				     schema->name, field->tag, field->count);
	for (size_t i = 0; i < values.n; i++) {
		uint64_t number = values.texts == NULL ? htole64(values.numbers[i]) : 0;
		const void *bytes = values.texts == NULL ? (void *)&number : values.texts[i];
		size_t most = (size_t)UINT32_MAX + 1, length = sizeof(number);

		if (values.texts != NULL)
			length = bytes == NULL ? most : strnlen(bytes, most);
		if (length > UINT32_MAX || !ces_wire_value_valid(field, bytes, (uint32_t)length))
			return ces_error_set(
			    err, CES_E_USAGE,
			    "%s: field %u is too long or holds a forbidden character", schema->name,
			    field->tag);
		if (out != NULL) {
			put_u16(out + size, field->tag);
			put_u32(out + size + 2, (uint32_t)length);
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
