/* Lists of packages are paragraphs of "Key: value" lines. It must only show them, and believe
 * nothing in them. */
#include "policy/conform/packages.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

#define PACKAGES_MAX 50000
#define VALUE_MAX    256

static const struct form {
	const char *path, *kind, *name, *version, *status;
} forms[] = {
    {"var/lib/dpkg/status", "debian", "Package: ", "Version: ", "Status: "},
    {"lib/apk/db/installed", "alpine", "P:", "V:", NULL},
    {"usr/lib/apk/db/installed", "alpine", "P:", "V:", NULL},
};

const char *ces_packages_kind(const char *path)
{
	for (size_t i = 0; i < CES_COUNT(forms); i++)
		if (strcmp(path, forms[i].path) == 0)
			return forms[i].kind;
	return NULL;
}

const char *ces_packages_path(const char *path)
{
	for (size_t i = 0; i < CES_COUNT(forms); i++)
		if (strcmp(path, forms[i].path) == 0)
			return forms[i].path;
	return NULL;
}

bool ces_packages_below(const char *list, const char *path)
{
	size_t length = strlen(path);

	return length == 0 ||
	       (strncmp(list, path, length) == 0 && (list[length] == '/' || list[length] == '\0'));
}

struct paragraph {
	const char *name, *version;
	size_t name_length, version_length;
	bool gone; /* removed, so that only its settings are there */
};

static bool take(const char *line, size_t length, const char *key, const char **ret,
		 size_t *ret_length)
{
	size_t n = key != NULL ? strlen(key) : 0;

	if (key == NULL || length < n || strncmp(line, key, n) != 0)
		return false;
	*ret = line + n;
	*ret_length = length - n < VALUE_MAX ? length - n : VALUE_MAX;
	return true;
}

static void end_paragraph(struct ces_conform_packages *list, size_t *cap,
			  const struct paragraph *one)
{
	struct ces_conform_package *v;
	char *text;

	if (one->name == NULL || one->gone || list->n == PACKAGES_MAX)
		return;
	if (list->n == *cap) {
		v = reallocarray(list->v, *cap * 2 + 128, sizeof(*v));
		if (v == NULL)
			return;
		list->v = v;
		*cap = *cap * 2 + 128;
	}
	text = calloc(1, one->name_length + one->version_length + 2);
	if (text == NULL)
		return;
	memcpy(text, one->name, one->name_length);
	if (one->version != NULL)
		memcpy(text + one->name_length + 1, one->version, one->version_length);
	list->v[list->n].name = text;
	list->v[list->n++].version = text + one->name_length + 1;
}

void ces_packages_read(const char *kind, const char *bytes, size_t length,
		       struct ces_conform_packages *ret)
{
	const char *end = bytes + length, *status;
	const struct form *form = &forms[0];
	struct paragraph one = {0};
	size_t cap = 0, status_length;

	while (strcmp(form->kind, kind) != 0)
		form++;
	ret->kind = form->kind;
	for (const char *line = bytes; line < end;) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t n = (size_t)((newline != NULL ? newline : end) - line);

		if (n == 0) {
			end_paragraph(ret, &cap, &one);
			one = (struct paragraph){0};
		} else if (!take(line, n, form->name, &one.name, &one.name_length) &&
			   !take(line, n, form->version, &one.version, &one.version_length) &&
			   take(line, n, form->status, &status, &status_length)) {
			one.gone = memmem(status, status_length, " installed", 10) == NULL;
		}
		line += n + 1;
	}
	end_paragraph(ret, &cap, &one);
}
