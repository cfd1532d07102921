/* Distinguishes whiteouts from ordinary entries, by name. */
#include "helper/unpack/whiteout.h"

#include <stdbool.h>
#include <string.h>

#define PREFIX      ".wh."
#define META_PREFIX ".wh..wh."
#define OPAQUE      ".wh..wh..opq"

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* A whiteout is a file, so nothing can be below it. */
static int look_above(const struct ces_path *path, enum ces_whiteout *ret, struct ces_error *err)
{
	for (const char *at = path->text; at < path->text + path->name; at = strchr(at, '/') + 1) {
		if (starts(at, META_PREFIX)) {
			*ret = CES_WHITEOUT_IGNORE;
			return 0;
		}
		if (starts(at, PREFIX))
			return ces_error_set(err, CES_E_IMAGE, "it is below a whiteout");
	}
	*ret = CES_WHITEOUT_NONE;
	return 0;
}

int ces_whiteout_classify(const struct ces_path *path, enum ces_whiteout *ret_kind,
			  struct ces_path *ret, struct ces_error *err)
{
	const char *name = path->text + path->name, *hidden;

	*ret_kind = CES_WHITEOUT_NONE;
	if (strstr(path->text, PREFIX) == NULL)
		return 0;
	if (look_above(path, ret_kind, err) < 0)
		return -1;
	if (*ret_kind != CES_WHITEOUT_NONE || !starts(name, PREFIX))
		return 0;
	ces_path_parent(path, ret);
	if (strcmp(name, OPAQUE) == 0) {
		*ret_kind = CES_WHITEOUT_OPAQUE;
		return 0;
	}
	if (starts(name, META_PREFIX)) {
		*ret_kind = CES_WHITEOUT_IGNORE;
		return 0;
	}
	hidden = name + strlen(PREFIX);
	if (hidden[0] == '\0' || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
		return ces_error_set(err, CES_E_IMAGE, "it is a malformed whiteout");
	*ret_kind = CES_WHITEOUT_HIDE;
	return ces_path_push(ret, hidden, strlen(hidden), err);
}
