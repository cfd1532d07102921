/* The strict scanner in front of json-c: says whether a text is JSON that every reader understands
 * alike. It builds nothing; its recursion is bounded by CES_JSON_DEPTH. */
#include "helper/unpack/json_scan.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "helper/unpack/json.h"

/* Hashes of a key. An image whose keys collide on purpose is only refused. */
struct key {
	uint64_t exact;
	uint64_t folded; /* without the difference of upper and lower case */
};

struct scan {
	const uint8_t *at, *end;
	unsigned depth;
	struct key *keys; /* of all open objects, the innermost last */
	size_t n_keys, room;
	const char *fault;
};

static bool value(struct scan *scan, const struct key *name);

static bool fail(struct scan *scan, const char *fault)
{
	if (scan->fault == NULL)
		scan->fault = fault;
	return false;
}

static void blank(struct scan *scan)
{
	while (scan->at < scan->end && strchr(" \t\r\n", *scan->at) != NULL && *scan->at != '\0')
		scan->at++;
}

static bool take(struct scan *scan, uint8_t byte)
{
	if (scan->at == scan->end || *scan->at != byte)
		return false;
	scan->at++;
	return true;
}

static bool digits(struct scan *scan)
{
	const uint8_t *first = scan->at;

	while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
		scan->at++;
	return scan->at > first || fail(scan, "is not a number that JSON allows");
}

static bool number(struct scan *scan)
{
	take(scan, '-');
	if (take(scan, '0')) {
		if (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
			return fail(scan, "is not a number that JSON allows");
	} else if (!digits(scan)) {
		return false;
	}
	if (take(scan, '.') && !digits(scan))
		return false;
	if (take(scan, 'e') || take(scan, 'E')) {
		if (!take(scan, '+'))
			take(scan, '-');
		return digits(scan);
	}
	return true;
}

static bool word(struct scan *scan, const char *text)
{
	size_t length = strlen(text);

	if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, text, length) != 0)
		return fail(scan, "is not a JSON value");
	scan->at += length;
	return true;
}

static void mix(uint64_t *hash, uint32_t byte)
{
	*hash = (*hash ^ (byte & 0xff)) * UINT64_C(1099511628211);
}

static void mix_point(uint64_t *hash, uint32_t point)
{
	if (point < 0x80) {
		mix(hash, point);
		return;
	}
	if (point < 0x800) {
		mix(hash, 0xc0 | point >> 6);
	} else {
		if (point < 0x10000) {
			mix(hash, 0xe0 | point >> 12);
		} else {
			mix(hash, 0xf0 | point >> 18);
			mix(hash, 0x80 | (point >> 12 & 0x3f));
		}
		mix(hash, 0x80 | (point >> 6 & 0x3f));
	}
	mix(hash, 0x80 | (point & 0x3f));
}

uint32_t ces_json_fold(uint32_t point)
{
	if (point >= 'A' && point <= 'Z')
		return point | 0x20;
	return point == 0x17f ? 's' : point == 0x212a ? 'k' : point;
}

/* FNV-1a over the *decoded* text: "a" and "\u0061" are the same key to json-c. */
static void mix_key(struct key *key, uint32_t point)
{
	mix_point(&key->exact, point);
	mix_point(&key->folded, ces_json_fold(point));
}

static struct key no_letters(void)
{
	return (struct key){UINT64_C(14695981039346656037), UINT64_C(14695981039346656037)};
}

static bool hex4(struct scan *scan, uint32_t *ret)
{
	uint32_t sum = 0;

	for (int i = 0; i < 4; i++) {
		uint8_t c = scan->at < scan->end ? *scan->at++ : 0;

		if (c >= '0' && c <= '9')
			sum = sum << 4 | (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			sum = sum << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return fail(scan, "has a bad escape in a string");
	}
	*ret = sum;
	return true;
}

static bool escape_point(struct scan *scan, struct key *key)
{
	uint32_t high, low;

	if (!hex4(scan, &high))
		return false;
	if (high == 0)
		return fail(scan, "has a NUL in a string");
	if (high >= 0xdc00 && high <= 0xdfff)
		return fail(scan, "has half a surrogate pair in a string");
	if (high >= 0xd800 && high <= 0xdbff) {
		if (!take(scan, '\\') || !take(scan, 'u') || !hex4(scan, &low) || low < 0xdc00 ||
		    low > 0xdfff)
			return fail(scan, "has half a surrogate pair in a string");
		high = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
	}
	mix_key(key, high);
	return true;
}

static bool escape(struct scan *scan, struct key *key)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *found;

	if (take(scan, 'u'))
		return escape_point(scan, key);
	if (scan->at == scan->end || *scan->at == '\0')
		return fail(scan, "has a bad escape in a string");
	found = strchr(from, *scan->at++);
	if (found == NULL)
		return fail(scan, "has a bad escape in a string");
	mix_key(key, (uint32_t)to[found - from]);
	return true;
}

/* One character of more than one byte, without overlong forms, surrogates and values above U+10FFFF
 * (RFC 3629 section 4). */
static bool utf8(struct scan *scan, struct key *key)
{
	uint32_t first = *scan->at++, point, smallest;
	int more;

	if (first >= 0xc2 && first <= 0xdf) {
		more = 1, point = first & 0x1f, smallest = 0x80;
	} else if (first >= 0xe0 && first <= 0xef) {
		more = 2, point = first & 0x0f, smallest = 0x800;
	} else if (first >= 0xf0 && first <= 0xf4) {
		more = 3, point = first & 0x07, smallest = 0x10000;
	} else {
		return fail(scan, "is not UTF-8");
	}
	for (; more > 0; more--) {
		if (scan->at == scan->end || (*scan->at & 0xc0) != 0x80)
			return fail(scan, "is not UTF-8");
		point = point << 6 | (*scan->at++ & 0x3f);
	}
	if (point < smallest || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return fail(scan, "is not UTF-8");
	mix_key(key, point);
	return true;
}

static bool string(struct scan *scan, struct key *ret)
{
	struct key key = no_letters();

	if (!take(scan, '"'))
		return fail(scan, "lacks a string where one must be");
	while (scan->at < scan->end) {
		uint8_t c = *scan->at;

		if (c >= 0x80) {
			if (!utf8(scan, &key))
				return false;
			continue;
		}
		scan->at++;
		if (c == '"') {
			*ret = key;
			return true;
		}
		if (c < 0x20)
			return fail(scan, "has a control character in a string");
		if (c != '\\')
			mix_key(&key, c);
		else if (!escape(scan, &key))
			return false;
	}
	return fail(scan, "ends in the middle of a string");
}

static bool remember(struct scan *scan, const struct key *key)
{
	if (scan->n_keys == scan->room) {
		size_t room = scan->room == 0 ? 256 : scan->room * 2;
		struct key *bigger = reallocarray(scan->keys, room, sizeof(*bigger));

		if (bigger == NULL)
			return fail(scan, "is too large");
		scan->keys = bigger;
		scan->room = room;
	}
	scan->keys[scan->n_keys++] = *key;
	return true;
}

static int compare(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	if (x->folded != y->folded)
		return x->folded > y->folded ? 1 : -1;
	return (x->exact > y->exact) - (x->exact < y->exact);
}

/* Returns whether the object's keys are the image's own words: a map to every reader. In all other
 * objects a key may mean a member of that name in any case. */
static bool is_map(const struct key *name)
{
	static const char *const maps[] = {"annotations", "ExposedPorts", "Labels",
					   "labels" /* (in reports of Grype) */, "Volumes"};

	for (size_t i = 0; i < CES_COUNT(maps); i++) {
		struct key map = no_letters();

		for (const char *p = maps[i]; *p != '\0'; p++)
			mix_key(&map, (uint8_t)*p);
		if (map.exact == name->exact)
			return true;
	}
	return false;
}

/* Sorts the keys once, when their object closes: an object of a million keys costs only one
 * sort. */
static bool distinct(struct scan *scan, size_t first, bool map)
{
	size_t n = scan->n_keys - first;

	if (n > 1)
		qsort(scan->keys + first, n, sizeof(*scan->keys), compare);
	for (size_t i = first + 1; i < scan->n_keys; i++) {
		if (scan->keys[i].exact == scan->keys[i - 1].exact)
			return fail(scan, "has a key twice in one object");
		if (!map && scan->keys[i].folded == scan->keys[i - 1].folded)
			return fail(scan, "has two keys in one object that differ only in case");
	}
	scan->n_keys = first;
	return true;
}

static bool object(struct scan *scan, const struct key *name)
{
	size_t first = scan->n_keys;
	struct key key = no_letters();

	blank(scan);
	if (take(scan, '}'))
		return true;
	do {
		blank(scan);
		if (!string(scan, &key) || !remember(scan, &key))
			return false;
		blank(scan);
		if (!take(scan, ':'))
			return fail(scan, "lacks a colon after a key");
		if (!value(scan, &key))
			return false;
	} while (take(scan, ','));
	if (!take(scan, '}'))
		return fail(scan, "lacks the end of an object");
	return distinct(scan, first, is_map(name));
}

static bool array(struct scan *scan, const struct key *name)
{
	blank(scan);
	if (take(scan, ']'))
		return true;
	do {
		if (!value(scan, name))
			return false;
	} while (take(scan, ','));
	return take(scan, ']') || fail(scan, "lacks the end of an array");
}

static bool nested(struct scan *scan, bool (*inside)(struct scan *, const struct key *),
		   const struct key *name)
{
	bool good;

	if (scan->depth == CES_JSON_DEPTH)
		return fail(scan, "is nested too deeply");
	scan->depth++;
	scan->at++;
	good = inside(scan, name);
	scan->depth--;
	return good;
}

/* name: the key of the value, or of its array. */
static bool value(struct scan *scan, const struct key *name)
{
	struct key ignored;
	bool good;

	blank(scan);
	switch (scan->at < scan->end ? *scan->at : 0) {
	case '{':
		good = nested(scan, object, name);
		break;
	case '[':
		good = nested(scan, array, name);
		break;
	case '"':
		good = string(scan, &ignored);
		break;
	case 't':
		good = word(scan, "true");
		break;
	case 'f':
		good = word(scan, "false");
		break;
	case 'n':
		good = word(scan, "null");
		break;
	default:
		good = number(scan);
		break;
	}
	blank(scan);
	return good;
}

const char *ces_json_scan(const char *bytes, size_t length)
{
	struct scan scan = {.at = (const uint8_t *)bytes, .end = (const uint8_t *)bytes + length};
	const struct key nameless = no_letters();
	bool good;

	blank(&scan);
	if (scan.at == scan.end)
		return "is empty";
	if (*scan.at != '{')
		return "is not a JSON object";
	good = value(&scan, &nameless);
	free(scan.keys);
	if (good && scan.at != scan.end)
		return "has bytes after its end";
	return scan.fault;
}
