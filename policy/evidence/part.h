/* Parts of a JSON text, by place: a report may have 256 MiB, and a tree of it would take many times
 * that. A text must have passed ces_json_scan first: then strings, brackets and escapes are whole,
 * and no key occurs twice. It copies only the requested texts. */
#ifndef CES_POLICY_EVIDENCE_PART_H
#define CES_POLICY_EVIDENCE_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One value: [at, end). at NULL: there is none, without members and elements. */
struct ces_part {
	const char *at, *end;
};

/* The value of a whole text. */
struct ces_part ces_part_of(const char *bytes, size_t length);

/* '{', '[', '"', or the first character of a number or word; 0 for none. */
char ces_part_kind(struct ces_part part);

/* The value of a key of an object. */
struct ces_part ces_part_member(struct ces_part object, const char *key);

/* The same through objects: "metadata.component.name". No key has a dot. */
struct ces_part ces_part_path(struct ces_part object, const char *path);

/* The next element of an array; a zeroed `at` begins. Anything but an array has none. */
bool ces_part_next(struct ces_part array, struct ces_part *at);

size_t ces_part_count(struct ces_part array);

/* A string as one line of printable ASCII: all other bytes become '?', and the rest is cut off.
 * False, and "", if it is no string. */
bool ces_part_text(struct ces_part part, char *buffer, size_t size);

/* The same, but line feeds stay. */
bool ces_part_lines(struct ces_part part, char *buffer, size_t size);

/* Returns whether it is the string `text`. */
bool ces_part_is(struct ces_part part, const char *text);

/* Returns whether the string begins with it. */
bool ces_part_begins(struct ces_part part, const char *text);

/* A whole number from 0 to UINT32_MAX; 0 for anything else. */
uint64_t ces_part_number(struct ces_part part);

#endif
