/* Collects the sentences of a diff. */
#include "policy/tool/diff_lines.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ces_diff_line *next_line(struct ces_diff *diff)
{
	size_t cap = diff->cap * 2 + 64;
	struct ces_diff_line *v;

	if (diff->n < diff->cap)
		return &diff->v[diff->n];
	v = reallocarray(diff->v, cap, sizeof(*v));
	if (v == NULL)
		return NULL;
	diff->v = v;
	diff->cap = cap;
	return &diff->v[diff->n];
}

void ces_diff_say(struct ces_diff *diff, enum ces_diff_kind kind, const char *format, ...)
{
	struct ces_diff_line *line = next_line(diff);
	va_list args;
	int length = -1;

	va_start(args, format);
	if (line != NULL)
		length = vasprintf(&line->text, format, args);
	va_end(args);
	if (length < 0) {
		diff->no_memory = true;
		return;
	}
	line->kind = kind;
	diff->n++;
}
