/* The strict walk over a policy's bytes. It builds nothing and interprets nothing. It says whether
 * the text is exactly one RFC 8259 value that no two readers could understand differently (of two
 * equal keys json-c takes the last one, a person the first one seen). It must never be more lenient
 * than json-c, whose own syntax check still follows. */
#include "policy/scan.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/name.h"

#define OFF_PATH SIZE_MAX

struct slice {
	const char *at;
	size_t length;
};

struct scan {
	const char *bytes;
	size_t length, at, depth;
	struct slice *keys; /* of all open objects, the outermost first */
	size_t n_keys, cap_keys;
	const struct ces_scan_place *path[CES_SCAN_DEPTH]; /* what ces_scan_locate looks for */
	size_t n_path, found;
	const char *fault;
	size_t fault_at;
	char duplicate[80]; /* room for the text that names a duplicate key */
};

static int value(struct scan *s, size_t level);

static int fault(struct scan *s, size_t at, const char *text)
{
	s->fault = text;
	s->fault_at = at;
	return -1;
}

static unsigned char peek(const struct scan *s)
{
	return s->at < s->length ? (unsigned char)s->bytes[s->at] : 0;
}

static bool take(struct scan *s, char c)
{
	if (s->at == s->length || s->bytes[s->at] != c)
		return false;
	s->at++;
	return true;
}

static bool take_word(struct scan *s, const char *word)
{
	size_t n = strlen(word);

	if (s->length - s->at < n || memcmp(s->bytes + s->at, word, n) != 0)
		return false;
	s->at += n;
	return true;
}

static void blanks(struct scan *s)
{
	while (take(s, ' ') || take(s, '\n') || take(s, '\t') || take(s, '\r'))
		;
}

static bool digits(struct scan *s)
{
	size_t start = s->at;

	while (peek(s) >= '0' && peek(s) <= '9')
		s->at++;
	return s->at > start;
}

static int number(struct scan *s)
{
	size_t start = s->at;
	bool good;

	(void)take(s, '-');
	good = take(s, '0') || digits(s);
	if (good && take(s, '.'))
		good = digits(s);
	if (good && (take(s, 'e') || take(s, 'E'))) {
		(void)(take(s, '+') || take(s, '-'));
		good = digits(s);
	}
	return good ? 0 : fault(s, start, "this is not a JSON value");
}

/* After the backslash; json-c knows the escapes. But \u0000 would end a C string early, and json-c
 * makes another character of half a surrogate pair. */
static int escape(struct scan *s)
{
	const char *hex = s->bytes + s->at + 1;

	if (peek(s) == 'u' && s->length - s->at >= 5 &&
	    (strncmp(hex, "00", 2) == 0 ? hex[2] < '2' : (hex[0] | 0x20) == 'd' && hex[1] > '7'))
		return fault(s, s->at - 1, "this character may not be written as an escape");
	s->at += s->at < s->length;
	return 0;
}

/* json-c's own check lets surrogates and overlong forms pass. */
static int character(struct scan *s)
{
	uint32_t ignored;
	size_t n = ces_utf8_next(s->bytes + s->at, s->length - s->at, &ignored);

	if (n == 0)
		return fault(s, s->at, "this is not UTF-8");
	s->at += n;
	return 0;
}

static int string(struct scan *s, bool key, struct slice *ret)
{
	size_t start = s->at + 1;

	if (!take(s, '"'))
		return fault(s, s->at,
			     key ? "expected a key in double quotes" : "expected a string");
	while (!take(s, '"')) {
		if (s->at == s->length)
			return fault(s, start - 1, "this string has no end");
		if (peek(s) < 0x20 || peek(s) == 0x7f)
			return fault(s, s->at, "a control character in a string");
		if (key && (peek(s) == '\\' || peek(s) > 0x7e))
			return fault(s, s->at, "a key is plain ASCII, without escapes");
		if (take(s, '\\') ? escape(s) != 0 : character(s) != 0)
			return -1;
	}
	*ret = (struct slice){s->bytes + start, s->at - 1 - start};
	return 0;
}

/* After a comma: the most common slip of people who write JSON. */
static bool ends_after_comma(struct scan *s, char end)
{
	size_t comma = s->at - 1;

	blanks(s);
	if (peek(s) != (unsigned char)end)
		return false;
	(void)fault(s, comma, "nothing follows this comma: leave it out");
	return true;
}

static int push(struct scan *s, struct slice key)
{
	if (s->n_keys == s->cap_keys) {
		size_t cap = s->cap_keys * 2 + 64;
		struct slice *keys = reallocarray(s->keys, cap, sizeof(*keys));

		if (keys == NULL)
			return fault(s, s->at, "out of memory");
		s->keys = keys;
		s->cap_keys = cap;
	}
	s->keys[s->n_keys++] = key;
	return 0;
}

static bool same(const struct slice *a, const struct slice *b)
{
	return a->length == b->length && memcmp(a->at, b->at, a->length) == 0;
}

/* Equal keys in the order of the file, so that the error names the second one. */
static int compare(const void *left, const void *right)
{
	const struct slice *a = left, *b = right;

	if (same(a, b))
		return a->at > b->at ? 1 : -1;
	if (a->length != b->length)
		return a->length < b->length ? -1 : 1;
	return memcmp(a->at, b->at, a->length);
}

static int fault_duplicate(struct scan *s, const struct slice *key)
{
	(void)snprintf(s->duplicate, sizeof(s->duplicate), "the key \"%.*s\" is written twice",
		       (int)(key->length < 40 ? key->length : 40), key->at);
	return fault(s, (size_t)(key->at - s->bytes) - 1, s->duplicate);
}

/* Sorted: comparing each with each would take minutes for 4 MiB of keys. */
static int close_object(struct scan *s, size_t first)
{
	struct slice *keys = s->keys + first;
	size_t n = s->n_keys - first;

	qsort(keys, n, sizeof(*keys), compare);
	for (size_t i = 1; i < n; i++)
		if (same(&keys[i - 1], &keys[i]))
			return fault_duplicate(s, &keys[i]);
	s->n_keys = first;
	return 0;
}

/* Follows the wanted path one step down. A hit on its last step is remembered at `at`. */
static size_t step(struct scan *s, size_t level, const struct slice *key, size_t index, size_t at)
{
	const struct ces_scan_place *want;

	if (level >= s->n_path)
		return OFF_PATH;
	want = s->path[level];
	if (key == NULL ? want->key != NULL || want->index != index
			: want->key == NULL || strlen(want->key) != key->length ||
			      memcmp(want->key, key->at, key->length) != 0)
		return OFF_PATH;
	if (level + 1 == s->n_path)
		s->found = at;
	return level + 1;
}

static int object(struct scan *s, size_t level)
{
	size_t first = s->n_keys;
	struct slice key;

	blanks(s);
	if (take(s, '}'))
		return 0;
	for (;;) {
		size_t at;

		blanks(s);
		at = s->at;
		if (string(s, true, &key) != 0 || push(s, key) != 0)
			return -1;
		blanks(s);
		if (!take(s, ':'))
			return fault(s, s->at, "expected ':' after the key");
		if (value(s, step(s, level, &key, 0, at)) != 0)
			return -1;
		if (!take(s, ','))
			break;
		if (ends_after_comma(s, '}'))
			return -1;
	}
	if (!take(s, '}'))
		return fault(s, s->at, "expected ',' or '}'");
	return close_object(s, first);
}

static int array(struct scan *s, size_t level)
{
	blanks(s);
	if (take(s, ']'))
		return 0;
	for (size_t i = 0;; i++) {
		blanks(s);
		if (value(s, step(s, level, NULL, i, s->at)) != 0)
			return -1;
		if (!take(s, ','))
			break;
		if (ends_after_comma(s, ']'))
			return -1;
	}
	return take(s, ']') ? 0 : fault(s, s->at, "expected ',' or ']'");
}

/* One value and the blanks around it. */
static int value(struct scan *s, size_t level)
{
	struct slice ignored;
	int result;

	blanks(s);
	if (++s->depth > CES_SCAN_DEPTH)
		return fault(s, s->at, "nested too deeply");
	if (take(s, '{'))
		result = object(s, level);
	else if (take(s, '['))
		result = array(s, level);
	else if (peek(s) == '"')
		result = string(s, false, &ignored);
	else if (take_word(s, "true") || take_word(s, "false") || take_word(s, "null"))
		result = 0;
	else
		result = number(s);
	s->depth--;
	blanks(s);
	return result;
}

static int document(struct scan *s)
{
	if (s->length >= 3 && memcmp(s->bytes, "\xef\xbb\xbf", 3) == 0)
		return fault(s, 0, "the file begins with a byte order mark");
	if (value(s, 0) != 0)
		return -1;
	return s->at == s->length ? 0
				  : fault(s, s->at, "something follows the end of the document");
}

int ces_scan_fault(const char *bytes, size_t at, const char *text, struct ces_error *err)
{
	size_t line = 1, start = 0;

	for (size_t i = 0; i < at; i++) {
		if (bytes[i] == '\n') {
			line++;
			start = i + 1;
		}
	}
	return ces_error_set(err, CES_E_POLICY, "line %zu, column %zu: %s", line, at - start + 1,
			     text);
}

int ces_scan_check(const char *bytes, size_t length, struct ces_error *err)
{
	struct scan s = {.bytes = bytes, .length = length};
	int result = document(&s);

	free(s.keys);
	return result == 0 ? 0 : ces_scan_fault(bytes, s.fault_at, s.fault, err);
}

size_t ces_scan_locate(const char *bytes, size_t length, const struct ces_scan_place *place)
{
	struct scan s = {.bytes = bytes, .length = length};
	const struct ces_scan_place *p;

	for (p = place; p->up != NULL && s.n_path < CES_SCAN_DEPTH; p = p->up)
		s.n_path++;
	p = place;
	for (size_t i = s.n_path; i > 0; i--, p = p->up)
		s.path[i - 1] = p;
	(void)document(&s);
	free(s.keys);
	return s.found;
}
