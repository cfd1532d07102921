/* Makes tars for tests, header by header, also such as no tool writes. */
#ifndef CES_TESTS_UNPACK_TAR_H
#define CES_TESTS_UNPACK_TAR_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tar {
	uint8_t *bytes;
	size_t length;
};

static inline void tar_append(struct tar *tar, const void *bytes, size_t length)
{
	size_t size = 4096;

	/* always a power of two: it grows when the length passes one, not for each of many entries
	 */
	while (size < tar->length + length + 1)
		size *= 2;
	if (tar->bytes == NULL || tar->length + 1 <= size / 2)
		tar->bytes = realloc(tar->bytes, size);
	memcpy(tar->bytes + tar->length, bytes, length);
	tar->length += length;
}

/* A table leaves out what is 0. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
struct tar_entry {
	const char *name;
	char type; /* '0' file, '1' hard link, '2' symlink, '3' char, '4' block, '5' directory, '6'
		      FIFO */
	const char *text;        /* content, or target of a link */
	unsigned mode, uid, gid; /* mode 0: 0644 */
	long long mtime;
	unsigned long long size; /* in the header instead of the text's length */
	struct {
		unsigned at;
		const char *bytes; /* as they are in the header in the end */
		size_t length;     /* 0: up to the NUL */
	} patch[3];
};

static inline void tar_octal(char *field, size_t size, unsigned long long value)
{
	for (size_t i = size - 1; i > 0; i--, value >>= 3)
		field[i - 1] = (char)('0' + (value & 7));
}

/* Adds one ustar header and its data, padded. */
static inline void tar_add(struct tar *tar, const struct tar_entry *entry)
{
	static const char zeros[512];
	char header[512] = "";
	int is_link = entry->type == '1' || entry->type == '2';
	const char *text = entry->text != NULL ? entry->text : "";
	size_t length = is_link ? 0 : strlen(text);
	unsigned sum = 0;

	strncpy(header, entry->name, 100);
	tar_octal(header + 100, 8, entry->mode != 0 ? entry->mode : 0644);
	tar_octal(header + 108, 8, entry->uid);
	tar_octal(header + 116, 8, entry->gid);
	tar_octal(header + 124, 12, entry->size != 0 ? entry->size : length);
	tar_octal(header + 136, 12,
		  (unsigned long long)(entry->mtime != 0 ? entry->mtime : 1700000000));
	memset(header + 148, ' ', 8);
	header[156] = entry->type;
	if (is_link)
		strncpy(header + 157, text, 100);
	memcpy(header + 257, "ustar\00000", 8);
	for (size_t i = 0; i < 3 && entry->patch[i].bytes != NULL; i++)
		memcpy(header + entry->patch[i].at, entry->patch[i].bytes,
		       entry->patch[i].length != 0 ? entry->patch[i].length
						   : strlen(entry->patch[i].bytes));
	for (size_t i = 0; i < sizeof(header); i++)
		sum += (uint8_t)header[i];
	snprintf(header + 148, 8, "%06o", sum);
	tar_append(tar, header, sizeof(header));
	tar_append(tar, text, length);
	if (length % 512 != 0)
		tar_append(tar, zeros, 512 - length % 512);
}

/* Adds a pax header of one record, before the entry that it describes. */
static inline void tar_pax(struct tar *tar, const char *key, const char *value)
{
	size_t length = strlen(key) + strlen(value) + 3, whole = length + 1, digits;
	char *record = malloc(length + 32);
	char number[24];

	do {
		digits = (size_t)snprintf(number, sizeof(number), "%zu", whole);
		if (length + digits == whole)
			break;
		whole = length + digits;
	} while (1);
	snprintf(record, length + 32, "%zu %s=%s\n", whole, key, value);
	tar_add(tar, &(struct tar_entry){.name = "pax", .type = 'x', .text = record});
	free(record);
}

static inline void tar_end(struct tar *tar)
{
	static const char zeros[1024];

	tar_append(tar, zeros, sizeof(zeros));
}

#endif
