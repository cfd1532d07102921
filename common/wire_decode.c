/* Decodes a frame into a struct. Must not know what a message means: the tables in common/form_*.c
 * do.
 *
 * Who controls the input: the caller for the request pipe, a process that has read hostile bytes
 * for worker replies, root for records. The same strict rules decode all: two passes over one
 * private copy. The first pass checks everything and counts, the second fills. No pointer is made
 * before the whole frame is valid. */
#include "common/wire_field.h"

#include <stdlib.h>
#include <string.h>

static uint32_t get_u16(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static uint32_t get_u32(const uint8_t *at)
{
	return get_u16(at) | get_u16(at + 2) << 16;
}

static uint64_t get_u64(const uint8_t *at)
{
	return (uint64_t)get_u32(at) | (uint64_t)get_u32(at + 4) << 32;
}

static const struct ces_wire_field *find(const struct ces_wire_schema *schema, uint32_t tag)
{
	for (size_t i = 0; i < schema->n_fields; i++)
		if (schema->fields[i].tag == tag)
			return &schema->fields[i];
	return NULL;
}

#define FIELDS_MAX 40 /* the longest table; checked at the start of check() */

struct census {
	uint32_t count[FIELDS_MAX]; /* values of each field */
	size_t memory;              /* bytes needed for strings and lists */
};

static int check(const struct ces_wire_schema *schema, const uint8_t *at, size_t left,
		 struct census *ret, struct ces_error *err)
{
	if (schema->n_fields > FIELDS_MAX)
		return ces_error_set(err, CES_E_INTERNAL, "%s: table too long", schema->name);
	while (left > 0) {
		const struct ces_wire_field *field;
		uint32_t length;
		size_t index;

		if (left < CES_WIRE_FIELD_HEADER)
			return ces_error_set(err, CES_E_USAGE, "malformed %s: trailing bytes",
					     schema->name);
		field = find(schema, get_u16(at));
		length = get_u32(at + 2);
		if (field == NULL)
			return ces_error_set(err, CES_E_USAGE, "malformed %s: unknown field %u",
					     schema->name, get_u16(at));
		index = (size_t)(field - schema->fields);
		if (length > left - CES_WIRE_FIELD_HEADER)
			return ces_error_set(err, CES_E_USAGE,
					     "malformed %s: field %u is cut short", schema->name,
					     field->tag);
		if (!ces_wire_count_valid(field, ++ret->count[index]))
			return ces_error_set(err, CES_E_USAGE,
					     "malformed %s: field %u is given too often",
					     schema->name, field->tag);
		if (!ces_wire_value_valid(field, at + CES_WIRE_FIELD_HEADER, length))
			return ces_error_set(
			    err, CES_E_USAGE,
			    "malformed %s: field %u is too long or holds a forbidden character",
			    schema->name, field->tag);
		ret->memory += ces_wire_is_number(field) ? 8 : (size_t)length + 1 + sizeof(char *);
		at += CES_WIRE_FIELD_HEADER + length;
		left -= CES_WIRE_FIELD_HEADER + length;
	}
	for (size_t i = 0; i < schema->n_fields; i++)
		if (schema->fields[i].required && ret->count[i] == 0)
			return ces_error_set(err, CES_E_USAGE, "malformed %s: field %u is missing",
					     schema->name, schema->fields[i].tag);
	return 0;
}

/* check() counts as many bytes for an entry of a list as lay_out() takes, and v comes first. */
_Static_assert(sizeof(char *) == sizeof(uint64_t) && offsetof(struct ces_u64s, v) == 0 &&
		   offsetof(struct ces_strings, v) == 0,
	       "lists of strings and of numbers are alike");

/* Lays out the lists at the start of memory, since they need alignment. Returns the first byte
 * after them. */
static char *lay_out(const struct ces_wire_schema *schema, const struct census *census,
		     char *object, char *memory)
{
	for (size_t i = 0; i < schema->n_fields; i++) {
		const struct ces_wire_field *field = &schema->fields[i];
		size_t bytes = census->count[i] * sizeof(uint64_t);

		if (!ces_wire_is_list(field) || bytes == 0)
			continue;
		memcpy(object + field->offset, &memory, sizeof(memory)); /* v, of both kinds */
		memory += bytes;
	}
	return memory;
}

/* Puts one checked value into the object; returns the first free byte of memory. */
static char *put_value(const struct ces_wire_field *field, const uint8_t *bytes, uint32_t length,
		       char *object, char *memory)
{
	void *slot = object + field->offset;

	if (field->kind == CES_WIRE_U64) {
		*(uint64_t *)slot = get_u64(bytes);
		return memory;
	}
	if (field->kind == CES_WIRE_U64S) {
		struct ces_u64s *list = slot;

		list->v[list->n++] = get_u64(bytes);
		return memory;
	}
	memcpy(memory, bytes, length);
	memory[length] = '\0';
	if (ces_wire_is_list(field)) {
		struct ces_strings *list = slot;

		list->v[list->n++] = memory;
	} else {
		*(char **)slot = memory;
	}
	return memory + length + 1;
}

uint16_t ces_wire_type(const void *frame, size_t length)
{
	const uint8_t *at = frame;

	if (length < CES_WIRE_HEADER || memcmp(at, CES_WIRE_MAGIC, strlen(CES_WIRE_MAGIC)) != 0)
		return 0;
	return (uint16_t)get_u16(at + 4);
}

size_t ces_wire_length(const void *bytes, size_t length)
{
	const uint8_t *at = bytes;
	size_t whole =
	    ces_wire_type(bytes, length) != 0 ? CES_WIRE_HEADER + (size_t)get_u32(at + 6) : 0;

	return whole < length ? whole : length;
}

/* The first bytes of a decoded object's memory hold its size, so that freeing can wipe it. */
struct block {
	size_t size;
	uint64_t bytes[];
};

int ces_wire_decode(const struct ces_wire_schema *schema, const void *frame, size_t length,
		    void *object, struct ces_error *err)
{
	const uint8_t *at = frame;
	struct census census = {0};
	struct block *block;
	char *memory;
	size_t left;

	if (ces_wire_type(frame, length) != schema->type)
		return ces_error_set(err, CES_E_USAGE, "malformed %s: wrong frame", schema->name);
	left = length - CES_WIRE_HEADER;
	if (get_u32(at + 6) != left)
		return ces_error_set(err, CES_E_USAGE, "malformed %s: wrong length", schema->name);
	at += CES_WIRE_HEADER;
	if (check(schema, at, left, &census, err) < 0)
		return -1;
	block = malloc(sizeof(*block) + census.memory);
	if (block == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	block->size = census.memory;
	memset(object, 0, schema->size);
	*(void **)object = block;
	memory = lay_out(schema, &census, object, (char *)block->bytes);
	while (left > 0) {
		uint32_t n = get_u32(at + 2);

		memory = put_value(find(schema, get_u16(at)), at + CES_WIRE_FIELD_HEADER, n, object,
				   memory);
		at += CES_WIRE_FIELD_HEADER + n;
		left -= CES_WIRE_FIELD_HEADER + n;
	}
	return 0;
}

void ces_wire_free(const struct ces_wire_schema *schema, void *object)
{
	struct block *block = *(struct block **)object;

	if (block != NULL) {
		explicit_bzero(block->bytes, block->size);
		free(block);
	}
	memset(object, 0, schema->size);
}
