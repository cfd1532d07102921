/* Packs a struct into a block of bytes, see flat.h. It must not be linked into root's programs: a
 * program that acts on a block must not make it. */
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "policy/flat.h"

struct block {
	uint8_t *bytes;
	size_t length, size;
};

/* Makes room for n more bytes, zeroed, at a multiple of `align`. */
static int extend(struct block *block, size_t n, size_t align, size_t *ret_start)
{
	size_t start = (block->length + align - 1) / align * align;

	while (block->size < start + n) {
		size_t size = block->size == 0 ? 4096 : block->size * 2;
		uint8_t *bigger = realloc(block->bytes, size);

		if (bigger == NULL)
			return -1;
		memset(bigger + block->size, 0, size - block->size);
		block->bytes = bigger;
		block->size = size;
	}
	block->length = start + n;
	*ret_start = start;
	return 0;
}

/* Writes a 1 for the pointer at `at`. */
static void mark(struct block *block, size_t at)
{
	const uintptr_t one = 1;

	memcpy(block->bytes + at, &one, sizeof(one));
}

/* The struct itself is already in the block, at `at`; `object` is the original. */
static int pack(struct block *block, const struct ces_flat_type *type, const uint8_t *object,
		size_t at)
{
	for (size_t i = 0; i < type->n_fields; i++) {
		const struct ces_flat_field *field = &type->fields[i];
		const uint8_t *to;
		size_t n = 1, size, start;

		if (field->of != NULL && !field->list) {
			if (pack(block, field->of, object + field->offset, at + field->offset) < 0)
				return -1;
			continue;
		}
		memcpy(&to, object + field->offset, sizeof(to));
		if (field->of != NULL)
			memcpy(&n, object + field->count, sizeof(n));
		if (to == NULL)
			continue;
		size = field->of != NULL ? field->of->size : strlen((const char *)to) + 1;
		if (extend(block, n * size, field->of != NULL ? 8 : 1, &start) < 0)
			return -1;
		memcpy(block->bytes + start, to, n * size);
		mark(block, at + field->offset);
		for (size_t j = 0; field->of != NULL && j < n; j++)
			if (pack(block, field->of, to + j * size, start + j * size) < 0)
				return -1;
	}
	return 0;
}

int ces_flat_pack(const struct ces_flat_type *type, const void *object, uint8_t **ret,
		  size_t *ret_length, struct ces_error *err)
{
	struct block block = {NULL, 0, 0};
	size_t start;

	if (extend(&block, type->size, 8, &start) < 0 || block.bytes == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	memcpy(block.bytes, object, type->size);
	if (pack(&block, type, object, 0) < 0) {
		free(block.bytes);
		return ces_error_set(err, CES_E_HOST, "out of memory");
	}
	*ret = block.bytes;
	*ret_length = block.length;
	return 0;
}
