/* A sorted array, in which everything below a directory is one run. It must stay small: a hostile
 * layer has millions of paths. */
#include "policy/conform/marks.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

/* The first mark whose path is not before `path`. */
static size_t lower_bound(const struct ces_marks *marks, const char *path)
{
	size_t first = 0, last = marks->n;

	while (first < last) {
		size_t middle = first + (last - first) / 2;

		if (strcmp(marks->v[middle].path, path) < 0)
			first = middle + 1;
		else
			last = middle;
	}
	return first;
}

void ces_marks_add(struct ces_marks *marks, const struct ces_mark *mark)
{
	struct ces_mark *one;

	if (marks->v == NULL)
		marks->v = calloc(CES_MARKS_MAX, sizeof(*marks->v));
	if (marks->v == NULL || marks->n == CES_MARKS_MAX) {
		marks->full = true;
		return;
	}
	one = &marks->v[marks->n];
	*one = *mark;
	one->path = strdup(mark->path);
	if (one->path == NULL) {
		marks->full = true;
		return;
	}
	marks->n++;
	for (; one > marks->v && strcmp(one->path, one[-1].path) < 0; one--) {
		struct ces_mark before = one[-1];

		one[-1] = one[0];
		one[0] = before;
	}
}

/* `at_most`: also marks of this same layer, which a second entry of it replaces. */
static void hide_one(struct ces_mark *mark, size_t layer, size_t at_most)
{
	if (mark->hidden == 0 && mark->layer <= at_most)
		mark->hidden = layer;
}

static void hide_below(struct ces_marks *marks, const char *path, size_t layer, size_t at_most)
{
	size_t length = strlen(path);
	CES_CLEANUP_FREE char *prefix = malloc(length + 2);

	if (prefix == NULL) {
		marks->full = true;
		return;
	}
	memcpy(prefix, path, length);
	memcpy(prefix + length, "/", 2);
	length = length == 0 ? 0 : length + 1; /* (below the root is everything) */
	for (size_t i = length == 0 ? 0 : lower_bound(marks, prefix); i < marks->n; i++) {
		if (strncmp(marks->v[i].path, prefix, length) != 0)
			break;
		hide_one(&marks->v[i], layer, at_most);
	}
}

void ces_marks_replace(struct ces_marks *marks, const char *path, size_t layer, bool directory)
{
	if (marks->n == 0)
		return;
	for (size_t i = lower_bound(marks, path);
	     i < marks->n && strcmp(marks->v[i].path, path) == 0; i++)
		hide_one(&marks->v[i], layer, layer);
	if (!directory)
		hide_below(marks, path, layer, layer);
}

void ces_marks_hide(struct ces_marks *marks, const char *path, size_t layer, bool inside)
{
	if (marks->n == 0)
		return;
	for (size_t i = lower_bound(marks, path);
	     !inside && i < marks->n && strcmp(marks->v[i].path, path) == 0; i++)
		hide_one(&marks->v[i], layer, layer - 1);
	hide_below(marks, path, layer, layer - 1);
}

const struct ces_mark *ces_marks_find(const struct ces_marks *marks, enum ces_mark_kind kind,
				      const char *path)
{
	for (size_t i = path != NULL ? lower_bound(marks, path) : 0; i < marks->n; i++) {
		if (path != NULL && strcmp(marks->v[i].path, path) != 0)
			return NULL;
		if (marks->v[i].kind == kind && marks->v[i].hidden == 0)
			return &marks->v[i];
	}
	return NULL;
}

void ces_marks_free(struct ces_marks *marks)
{
	for (size_t i = 0; i < marks->n; i++)
		free(marks->v[i].path);
	free(marks->v);
}
