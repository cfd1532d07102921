/* Names of tar entries, taken apart. */
#include "helper/unpack/path.h"

#include <stdbool.h>
#include <string.h>

static bool is(const char *name, size_t length, const char *what)
{
	return length == strlen(what) && memcmp(name, what, length) == 0;
}

int ces_path_push(struct ces_path *path, const char *name, size_t length, struct ces_error *err)
{
	size_t slash = path->length > 0 ? 1 : 0;

	if (length > NAME_MAX || path->length + slash + length >= sizeof(path->text))
		return ces_error_set(err, CES_E_IMAGE, "its name is too long");
	if (path->depth == CES_PATH_DEPTH)
		return ces_error_set(err, CES_E_IMAGE, "it is more than %d directories deep",
				     CES_PATH_DEPTH);
	if (slash == 1)
		path->text[path->length++] = '/';
	path->name = path->length;
	memcpy(path->text + path->length, name, length);
	path->length += length;
	path->text[path->length] = '\0';
	path->depth++;
	return 0;
}

void ces_path_pop(struct ces_path *path)
{
	if (path->depth == 0)
		return;
	path->length = path->name > 0 ? path->name - 1 : 0;
	path->text[path->length] = '\0';
	path->depth--;
	path->name = path->length;
	while (path->name > 0 && path->text[path->name - 1] != '/')
		path->name--;
}

int ces_path_parse(const char *raw, struct ces_path *ret, struct ces_error *err)
{
	const char *at = raw + strspn(raw, "/");

	ret->text[0] = '\0';
	ret->length = ret->name = ret->depth = 0;
	if (raw[0] == '\0')
		return ces_error_set(err, CES_E_IMAGE, "its name is empty");
	while (at[0] != '\0') {
		size_t length = strcspn(at, "/");

		if (is(at, length, ".."))
			return ces_error_set(err, CES_E_IMAGE, "it leaves the image");
		if (!is(at, length, ".") && ces_path_push(ret, at, length, err) < 0)
			return -1;
		at += length;
		at += strspn(at, "/");
	}
	return 0;
}

void ces_path_parent(const struct ces_path *path, struct ces_path *ret)
{
	memcpy(ret->text, path->text, path->length + 1);
	ret->length = path->length;
	ret->name = path->name;
	ret->depth = path->depth;
	ces_path_pop(ret);
}
