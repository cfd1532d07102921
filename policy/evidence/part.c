/* Finds values in a JSON text that is known to be whole. It must never read past the end of a part,
 * even if the text is not. */
#include "policy/evidence/part.h"

#include <string.h>

#define KEY_MAX  128
#define TEXT_MAX 256 /* of a text that is only compared */

static const char *skip_blanks(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
		at++;
	return at;
}

static const char *skip_string(const char *at, const char *end)
{
	for (at++; at < end && *at != '"'; at++)
		if (*at == '\\')
			at++;
	return at < end ? at + 1 : end;
}

static const char *skip_nested(const char *at, const char *end)
{
	size_t depth = 0;

	while (at < end) {
		if (*at == '"') {
			at = skip_string(at, end);
			continue;
		}
		if (*at == '{' || *at == '[')
			depth++;
		else if ((*at == '}' || *at == ']') && --depth == 0)
			return at + 1;
		at++;
	}
	return end;
}

static const char *skip_value(const char *at, const char *end)
{
	if (at < end && *at == '"')
		return skip_string(at, end);
	if (at < end && (*at == '{' || *at == '['))
		return skip_nested(at, end);
	while (at < end && strchr(",]} \n\t\r", *at) == NULL)
		at++;
	return at;
}

struct ces_part ces_part_of(const char *bytes, size_t length)
{
	const char *end = bytes + length, *at = skip_blanks(bytes, end);

	return (struct ces_part){at, skip_value(at, end)};
}

char ces_part_kind(struct ces_part part)
{
	if (part.at == NULL || part.at == part.end)
		return '\0';
	return *part.at;
}

bool ces_part_next(struct ces_part array, struct ces_part *at)
{
	const char *next;

	if (ces_part_kind(array) != '[')
		return false;
	next = skip_blanks(at->at == NULL ? array.at + 1 : at->end, array.end);
	if (at->at != NULL && next < array.end && *next == ',')
		next = skip_blanks(next + 1, array.end);
	if (next >= array.end || *next == ']')
		return false;
	*at = (struct ces_part){next, skip_value(next, array.end)};
	return at->end > at->at;
}

size_t ces_part_count(struct ces_part array)
{
	struct ces_part at = {NULL, NULL};
	size_t n = 0;

	while (ces_part_next(array, &at))
		n++;
	return n;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The character after a backslash; moves *at past it. */
static unsigned escaped(const char **at, const char *end)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *found;
	unsigned sum = 0;

	if (**at != 'u') {
		found = memchr(from, **at, sizeof(from) - 1);
		(*at)++;
		return found != NULL ? (unsigned char)to[found - from] : '?';
	}
	if (end - *at < 5)
		return *at = end, '?';
	for (int i = 1; i < 5; i++)
		sum = sum << 4 | (unsigned)(hex((*at)[i]) & 15);
	*at += 5;
	return sum;
}

/* The next character of a string; one '?' for each that is not ASCII. */
static unsigned take(const char **at, const char *end)
{
	unsigned char c = (unsigned char)*(*at)++;

	if (c == '\\' && *at < end)
		return escaped(at, end);
	if (c < 0x80)
		return c;
	while (*at < end && ((unsigned char)**at & 0xc0) == 0x80)
		(*at)++;
	return '?';
}

static bool copy(struct ces_part part, char *buffer, size_t size, bool lines)
{
	const char *at, *end;
	size_t used = 0;

	buffer[0] = '\0';
	if (ces_part_kind(part) != '"' || part.end - part.at < 2)
		return false;
	at = part.at + 1;
	end = part.end - 1;
	while (at < end && used + 1 < size) {
		unsigned c = take(&at, end);

		if (!(lines && c == '\n') && (c < 0x20 || c > 0x7e))
			c = '?';
		buffer[used++] = (char)c;
	}
	buffer[used] = '\0';
	return true;
}

bool ces_part_text(struct ces_part part, char *buffer, size_t size)
{
	return copy(part, buffer, size, false);
}

bool ces_part_lines(struct ces_part part, char *buffer, size_t size)
{
	return copy(part, buffer, size, true);
}

bool ces_part_is(struct ces_part part, const char *text)
{
	char have[TEXT_MAX];

	return ces_part_text(part, have, sizeof(have)) && strcmp(have, text) == 0;
}

bool ces_part_begins(struct ces_part part, const char *text)
{
	char have[TEXT_MAX];

	return ces_part_text(part, have, sizeof(have)) && strncmp(have, text, strlen(text)) == 0;
}

uint64_t ces_part_number(struct ces_part part)
{
	uint64_t sum = 0;

	if (part.at == NULL || part.at == part.end)
		return 0;
	for (const char *at = part.at; at < part.end; at++) {
		if (*at < '0' || *at > '9')
			return 0;
		sum = sum * 10 + (uint64_t)(*at - '0');
		if (sum > UINT32_MAX)
			return 0;
	}
	return sum;
}

/* A key may be written with escapes: other readers take it for the same key. */
static bool key_is(struct ces_part key, const char *want)
{
	size_t length = strlen(want);
	char have[KEY_MAX];

	if ((size_t)(key.end - key.at) == length + 2 && memcmp(key.at + 1, want, length) == 0)
		return true;
	return memchr(key.at, '\\', (size_t)(key.end - key.at)) != NULL &&
	       ces_part_text(key, have, sizeof(have)) && strcmp(have, want) == 0;
}

struct ces_part ces_part_member(struct ces_part object, const char *key)
{
	const char *at = object.at, *end = object.end;

	if (ces_part_kind(object) != '{')
		return (struct ces_part){NULL, NULL};
	for (at = skip_blanks(at + 1, end); at < end && *at == '"';) {
		struct ces_part name = {at, skip_string(at, end)}, value;

		at = skip_blanks(name.end, end);
		if (at == end || *at != ':')
			break;
		at = skip_blanks(at + 1, end);
		value = (struct ces_part){at, skip_value(at, end)};
		if (key_is(name, key))
			return value;
		at = skip_blanks(value.end, end);
		if (at < end && *at == ',')
			at = skip_blanks(at + 1, end);
	}
	return (struct ces_part){NULL, NULL};
}

struct ces_part ces_part_path(struct ces_part object, const char *path)
{
	char key[KEY_MAX];

	for (;;) {
		size_t length = strcspn(path, ".");

		if (length >= sizeof(key))
			return (struct ces_part){NULL, NULL};
		memcpy(key, path, length);
		key[length] = '\0';
		object = ces_part_member(object, key);
		if (path[length] == '\0')
			return object;
		path += length + 1;
	}
}
