/* The sentences of a diff, gathered. */
#include "policy/tool/diff_lines.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ces_diff_say(struct ces_diff *diff, enum ces_diff_kind kind, const char *format, ...)
{
	char text[1024];
	struct ces_diff_line *line;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (diff->n == diff->cap) {
		size_t cap = diff->cap * 2 + 64;
		struct ces_diff_line *v = reallocarray(diff->v, cap, sizeof(*v));

		if (v == NULL) {
			diff->no_memory = true;
			return;
		}
		diff->v = v;
		diff->cap = cap;
	}
	line = &diff->v[diff->n];
	line->kind = kind;
	line->text = strdup(text);
	diff->no_memory = diff->no_memory || line->text == NULL;
	diff->n += line->text != NULL;
}
