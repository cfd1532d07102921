/* Names of tar entries, taken apart. Pure text: it must not touch a file. */
#ifndef CES_UNPACK_PATH_H
#define CES_UNPACK_PATH_H

#include <limits.h>
#include <stddef.h>

#include "common/error.h"

#define CES_PATH_DEPTH 256

/* "a/b/c": no slash at either end, no empty, "." or ".." component, each at most NAME_MAX bytes, at
 * most CES_PATH_DEPTH. "" is the root of the layer. */
struct ces_path {
	char text[PATH_MAX];
	size_t length;
	size_t name; /* where the last component begins */
	size_t depth;
};

/* Drops leading slashes and "." components, as every tar does. It refuses ".." anywhere.
 * CES_E_IMAGE. */
int ces_path_parse(const char *raw, struct ces_path *ret, struct ces_error *err);

/* "a/b" of "a/b/c"; the root stays the root. */
void ces_path_parent(const struct ces_path *path, struct ces_path *ret);

/* Appends one component (which must be valid). CES_E_IMAGE if the path becomes too long or too
 * deep. */
int ces_path_push(struct ces_path *path, const char *name, size_t length, struct ces_error *err);

/* Removes the last component. */
void ces_path_pop(struct ces_path *path);

#endif
