/* Looks at headers as their bytes pass on the way to libarchive. It must not delay or change a
 * byte: it only says when a tar is refused. */
#include "helper/unpack/headers.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

#define SPECIAL_MAX (1 << 20) /* libarchive's own */
#define DATA_MAX    (UINT64_C(1) << 62)

/* Fields of every header, then of GNU's. */
struct field {
	size_t at, length;
};
static const struct field mode_field = {100, 8}, size_field = {124, 12};
static const struct field atime_field = {345, 12}, ctime_field = {357, 12};
#define TYPE              156
#define MAGIC             257
#define PREFIX            345
#define STAR_PREFIX_LAST  475
#define STAR_MAGIC        508
#define SPARSE            386 /* the map of holes, whether it goes on, the size with holes */
#define SPARSE_END        495
#define SPARSE_MORE       482
#define SPARSE_MORE_AGAIN 504 /* in a block that goes on with the map */

enum seen {
	SEEN_PAX = 1,
	SEEN_NAME = 2,
	SEEN_LINK = 4,
	SEEN_SPARSE = 8, /* any record GNU.sparse.* */
	SEEN_MAP = 16,   /* a map of holes in the records: versions 0.0 and 0.1 */
	SEEN_MAJOR = 32, /* version 1.0, whose map is in the data */
	SEEN_MINOR = 64,
	SEEN_TARGET = 128, /* of a link */
};

static bool fail(struct ces_headers *h, const char *fault)
{
	if (h->fault == NULL)
		h->fault = fault;
	h->want = CES_HEADERS_NOTHING;
	return false;
}

/* Octal digits with spaces and NULs; or, with the first bit set, 95 bits of a positive number. */
static int number(const struct ces_headers *h, const struct field *field, uint64_t *ret)
{
	const uint8_t *p = h->header + field->at, *end = p + field->length;
	uint64_t value = *p & 0x3f;

	if ((*p & 0xc0) == 0xc0)
		return -1;
	if (*p >= 0x80) {
		while (++p < end && value < DATA_MAX >> 8)
			value = value << 8 | *p;
	} else {
		for (value = 0; p < end && *p == ' '; p++)
			;
		for (; p < end && *p >= '0' && *p <= '7'; p++)
			value = value << 3 | (uint64_t)(*p - '0');
		for (; p < end && (*p == ' ' || *p == '\0'); p++)
			;
	}
	*ret = value;
	return p == end ? 0 : -1;
}

static uint64_t whole_blocks(uint64_t size)
{
	return (size + CES_HEADER_BLOCK - 1) / CES_HEADER_BLOCK * CES_HEADER_BLOCK;
}

static bool all_zero(const uint8_t *bytes, size_t length)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0;
}

/* The data begin at the present `next`. */
static bool finish_entry(struct ces_headers *h)
{
	h->found = true;
	h->end = h->next + whole_blocks(h->size);
	h->want = CES_HEADERS_NOTHING;
	return true;
}

/* In POSIX's format the end of a header holds the beginning of the name; in GNU's it holds times
 * and a map of holes; in star's a shorter beginning of the name. A reader that does not know a
 * format by its magic takes it for another one. */
static bool check_format(struct ces_headers *h)
{
	const uint8_t *magic = h->header + MAGIC;
	uint64_t ignored;

	if (memcmp(magic, "ustar  ", 8) == 0) {
		if (number(h, &atime_field, &ignored) < 0 || number(h, &ctime_field, &ignored) < 0)
			return fail(h, "a header has a time that is no number");
		return h->type == 'S' || all_zero(h->header + SPARSE, SPARSE_END - SPARSE) ||
		       fail(h, "an entry that is not sparse has a map of holes");
	}
	if (memcmp(magic, "ustar", 5) != 0 || h->header[PREFIX] == '\0')
		return true;
	if (memcmp(magic, "ustar\00000", 8) != 0 ||
	    (memcmp(h->header + STAR_MAGIC, "tar", 4) == 0 && h->header[STAR_PREFIX_LAST] != '\0'))
		return fail(h, "a header is of an unknown format");
	return true;
}

static bool take_entry(struct ces_headers *h, uint64_t size, uint64_t mode)
{
	uint8_t type = h->header[TYPE];

	h->type = type;
	h->mode = (mode_t)(mode & 07777);
	if (type != '\0' && strchr("01234567S", type) == NULL)
		return fail(h, "an entry is of an unknown type");
	if ((h->seen & (SEEN_LINK | SEEN_TARGET)) != 0 && type != '1' && type != '2')
		return fail(h, "an entry that is no link has a target");
	if (!check_format(h))
		return false;
	if (h->size == UINT64_MAX)
		h->size = size;
	if (type >= '1' && type <= '6')
		h->size = 0;
	if (type != 'S' || h->header[SPARSE_MORE] == 0)
		return finish_entry(h);
	h->want = CES_HEADERS_SPARSE;
	return true;
}

/* Refuses two of one kind: one reader takes the first, and another the last. The same is true of
 * names of two kinds. */
static bool see(struct ces_headers *h, enum seen which)
{
	unsigned before = h->seen;

	h->seen |= which;
	if (h->seen == before ||
	    ((h->seen & SEEN_PAX) != 0 && (h->seen & (SEEN_NAME | SEEN_LINK)) != 0))
		return fail(h, "an entry has two headers for one thing");
	return true;
}

/* Skips a body that does not matter here. */
static bool skip(struct ces_headers *h, uint64_t size)
{
	h->next += whole_blocks(size);
	return true;
}

static bool want_pax(struct ces_headers *h, uint64_t size)
{
	free(h->pax);
	h->pax = malloc((size_t)size + 1);
	h->pax_length = (size_t)size;
	h->want = CES_HEADERS_PAX;
	return h->pax != NULL || fail(h, "there is no memory for a header");
}

static bool take_header(struct ces_headers *h)
{
	uint8_t type = h->header[TYPE];
	uint64_t size = 0, mode = 0;

	if (all_zero(h->header, sizeof(h->header))) {
		h->want = CES_HEADERS_NOTHING;
		return true;
	}
	if (number(h, &size_field, &size) < 0 || number(h, &mode_field, &mode) < 0)
		return fail(h, "a header has a size or mode that is no number");
	if (type != '\0' && strchr("xgLK", type) != NULL && size > SPECIAL_MAX)
		return fail(h, "a special header is too large");
	switch (type) {
	case 'x':
		return see(h, SEEN_PAX) && want_pax(h, size);
	case 'g':
		return skip(h, size);
	case 'L':
		return see(h, SEEN_NAME) && skip(h, size);
	case 'K':
		return see(h, SEEN_LINK) && skip(h, size);
	default:
		return take_entry(h, size, mode);
	}
}

/* A decimal number up to the first other character, to which *at moves; false if there is none or
 * it is too big. */
static bool decimal(const char **at, const char *end, uint64_t *ret)
{
	const char *first = *at;

	for (*ret = 0; *at < end && **at >= '0' && **at <= '9'; ++*at) {
		if (*ret > DATA_MAX / 16)
			return false;
		*ret = *ret * 10 + (uint64_t)(**at - '0');
	}
	return *at > first;
}

static bool is(const char *text, size_t length, const char *what)
{
	return length == strlen(what) && memcmp(text, what, length) == 0;
}

/* The records GNU.sparse.* describe one map, in one of the known versions (GNU tar manual, "Storing
 * Sparse Files"). Without a map libarchive uses the name, and others do not. */
static bool take_sparse_record(struct ces_headers *h, const char *key, size_t key_length,
			       const char *value, size_t value_length)
{
	if (is(key, key_length, "SUN.holesdata"))
		return fail(h, "it has holes with data in them");
	if (key_length < 11 || memcmp(key, "GNU.sparse.", 11) != 0)
		return true;
	h->seen |= SEEN_SPARSE;
	if (is(key, key_length, "GNU.sparse.map") || is(key, key_length, "GNU.sparse.numblocks"))
		h->seen |= SEEN_MAP;
	else if (is(key, key_length, "GNU.sparse.major") && is(value, value_length, "1"))
		h->seen |= SEEN_MAJOR;
	else if (is(key, key_length, "GNU.sparse.minor") && is(value, value_length, "0"))
		h->seen |= SEEN_MINOR;
	else if (is(key, key_length, "GNU.sparse.major") || is(key, key_length, "GNU.sparse.minor"))
		return fail(h, "a sparse entry is of an unknown version");
	return true;
}

static bool check_sparse(struct ces_headers *h)
{
	switch (h->seen & (SEEN_SPARSE | SEEN_MAP | SEEN_MAJOR | SEEN_MINOR)) {
	case 0:
	case SEEN_SPARSE | SEEN_MAP:
	case SEEN_SPARSE | SEEN_MAJOR | SEEN_MINOR:
		return true;
	default:
		return fail(h, "a sparse entry has not one map of holes");
	}
}

static bool take_record(struct ces_headers *h, const char *key, size_t key_length,
			const char *value, const char *end)
{
	/* (one reader stops at a NUL) */
	if (memchr(key, '\0', key_length) != NULL ||
	    ((is(key, key_length, "path") || is(key, key_length, "linkpath") ||
	      is(key, key_length, "GNU.sparse.name")) &&
	     memchr(value, '\0', (size_t)(end - value)) != NULL))
		return fail(h, "a pax header has a NUL in a name");
	if (is(key, key_length, "size") && (!decimal(&value, end, &h->size) || value != end))
		return fail(h, "a pax header has a size that is no number");
	if (is(key, key_length, "linkpath"))
		h->seen |= SEEN_TARGET;
	return take_sparse_record(h, key, key_length, value, (size_t)(end - value));
}

/* "LENGTH KEY=VALUE\n", again and again. */
static bool take_pax(struct ces_headers *h)
{
	const char *at = (const char *)h->pax, *end = at + h->pax_length;
	uint64_t length = 0;

	while (at < end) {
		const char *first = at, *equals;

		if (!decimal(&at, end, &length) || length > (size_t)(end - first) ||
		    length < (size_t)(at - first) + 4 || *at++ != ' ' || first[length - 1] != '\n')
			return fail(h, "a pax header is malformed");
		equals = memchr(at, '=', (size_t)(first + length - 1 - at));
		if (equals == NULL || equals == at)
			return fail(h, "a pax header is malformed");
		if (!take_record(h, at, (size_t)(equals - at), equals + 1, first + length - 1))
			return false;
		at = first + length;
	}
	h->next += whole_blocks(h->pax_length) - h->pax_length;
	h->want = CES_HEADERS_HEADER;
	return check_sparse(h);
}

/* Collects `want` bytes from `next` on. False: not all have passed yet. */
static bool gather(struct ces_headers *h, uint8_t *into, size_t want)
{
	while (h->have < want) {
		uint64_t at = h->next + h->have;
		const uint8_t *from = h->block;
		size_t n = h->length;

		if (at < h->at) {
			n = (size_t)(h->at - at);
			if (n > h->tail_length)
				return fail(h, "its headers overlap");
			from = h->tail + h->tail_length - n;
		} else if (at - h->at >= n) {
			return false;
		} else {
			from += at - h->at;
			n -= (size_t)(at - h->at);
		}
		if (n > want - h->have)
			n = want - h->have;
		memcpy(into + h->have, from, n);
		h->have += n;
	}
	h->next += want;
	h->have = 0;
	return true;
}

static bool step(struct ces_headers *h)
{
	switch (h->want) {
	case CES_HEADERS_HEADER:
		return gather(h, h->header, sizeof(h->header)) && take_header(h);
	case CES_HEADERS_PAX:
		return gather(h, h->pax, h->pax_length) && take_pax(h);
	case CES_HEADERS_SPARSE:
		if (!gather(h, h->header, sizeof(h->header)))
			return false;
		return h->header[SPARSE_MORE_AGAIN] != 0 || finish_entry(h);
	case CES_HEADERS_NOTHING:
	default:
		return false;
	}
}

static void look(struct ces_headers *h)
{
	while (step(h))
		;
}

void ces_headers_feed(struct ces_headers *headers, const uint8_t *block, size_t length)
{
	size_t keep = headers->tail_length, room = sizeof(headers->tail);
	size_t n = headers->length < room ? headers->length : room;

	if (keep > room - n)
		keep = room - n;
	memmove(headers->tail, headers->tail + headers->tail_length - keep, keep);
	if (n > 0)
		memcpy(headers->tail + keep, headers->block + headers->length - n, n);
	headers->tail_length = keep + n;
	headers->at += headers->length;
	headers->block = block;
	headers->length = length;
	look(headers);
}

static int broken(const char *fault, struct ces_error *err)
{
	return ces_error_set(err, CES_E_IMAGE, "the tar is broken: %s", fault);
}

int ces_headers_begin(struct ces_headers *headers, uint64_t position, struct ces_error *err)
{
	if (position != headers->end)
		return broken("where an entry ends can be read in two ways", err);
	headers->want = CES_HEADERS_HEADER;
	headers->next = position;
	headers->have = 0;
	headers->seen = 0;
	headers->size = UINT64_MAX;
	headers->found = false;
	look(headers);
	return 0;
}

int ces_headers_end(const struct ces_headers *headers, bool entry, struct ces_error *err)
{
	if (headers->fault != NULL)
		return broken(headers->fault, err);
	return headers->found == entry ? 0 : broken("where it ends can be read in two ways", err);
}

void ces_headers_free(struct ces_headers *headers)
{
	free(headers->pax);
	headers->pax = NULL;
}
