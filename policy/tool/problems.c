/* A growing list of what was found. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/tool/check.h"

/* One allocation holds the three texts of a problem. */
static char *join(const char *path, const char *text, const char *hint)
{
	size_t p = strlen(path) + 1, t = strlen(text) + 1, h = strlen(hint) + 1;
	char *all = malloc(p + t + h);

	if (all == NULL)
		return NULL;
	memcpy(all, path, p);
	memcpy(all + p, text, t);
	memcpy(all + p + t, hint, h);
	return all;
}

static struct ces_problem *grow(struct ces_problems *problems)
{
	if (problems->n == problems->cap) {
		size_t cap = problems->cap * 2 + 64;
		struct ces_problem *v = reallocarray(problems->v, cap, sizeof(*v));

		if (v == NULL)
			return NULL;
		problems->v = v;
		problems->cap = cap;
	}
	return &problems->v[problems->n];
}

void ces_problems_add(struct ces_problems *problems, bool error, const char *path, const char *hint,
		      const char *format, ...)
{
	struct ces_problem *one = grow(problems);
	char text[1024], *all = NULL;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	ces_text_clean(text);
	if (one != NULL)
		all = join(path, text, hint);
	if (all == NULL) {
		problems->no_memory = true;
		return;
	}
	*one = (struct ces_problem){.error = error, .line = 1, .column = 1, .path = all};
	one->text = all + strlen(path) + 1;
	one->hint = one->text + strlen(text) + 1;
	problems->n++;
}

void ces_problems_free(struct ces_problems *problems)
{
	for (size_t i = 0; i < problems->n; i++)
		free(problems->v[i].path);
	free(problems->v);
}
