/* Turns a block of bytes into a struct. It must not follow anything that it has not placed itself:
 * each text and each list begins where the one before it ended, or the block is refused. */
#include "policy/flat.h"

#include <stdbool.h>
#include <string.h>

#include "common/cleanup.h"

struct block {
	uint8_t *bytes;
	size_t length, next; /* the bytes from next on are not placed yet */
};

static bool load(struct block *block, const struct ces_flat_type *type, uint8_t *object);

static bool load_text(struct block *block, void **pointer)
{
	size_t left = block->length - block->next;
	size_t length = strnlen((const char *)block->bytes + block->next, left);

	if (length == left)
		return false;
	*pointer = block->bytes + block->next;
	block->next += length + 1;
	return true;
}

static bool load_list(struct block *block, const struct ces_flat_type *type, void **pointer,
		      size_t n)
{
	size_t start = (block->next + 7) & ~(size_t)7;
	uint8_t *list;

	if (start > block->length || n > (block->length - start) / type->size)
		return false;
	*pointer = list = block->bytes + start;
	block->next = start + n * type->size;
	for (size_t i = 0; i < n; i++)
		if (!load(block, type, list + i * type->size))
			return false;
	return true;
}

static bool load_field(struct block *block, const struct ces_flat_field *field, uint8_t *object)
{
	void **pointer = (void **)(void *)(object + field->offset);
	uintptr_t there;
	size_t n = 0;

	if (field->of != NULL && !field->list)
		return load(block, field->of, object + field->offset);
	there = (uintptr_t)*pointer;
	if (field->of != NULL)
		memcpy(&n, object + field->count, sizeof(n));
	if (there == 0)
		return n == 0;
	if (there != 1)
		return false;
	return field->of != NULL ? load_list(block, field->of, pointer, n)
				 : load_text(block, pointer);
}

static bool load(struct block *block, const struct ces_flat_type *type, uint8_t *object)
{
	for (size_t i = 0; i < type->n_fields; i++)
		if (!load_field(block, &type->fields[i], object))
			return false;
	return true;
}

int ces_flat_load(const struct ces_flat_type *type, uint8_t *bytes, size_t length,
		  struct ces_error *err)
{
	struct block block = {bytes, length, type->size};

	return length >= type->size && load(&block, type, bytes) && block.next == length
		   ? 0
		   : ces_error_set(err, CES_E_INTERNAL, "what was read of a file is not whole");
}

static const struct ces_flat_field text_fields[] = {{.offset = 0}};
const struct ces_flat_type ces_flat_text = {sizeof(char *), text_fields, CES_COUNT(text_fields)};
