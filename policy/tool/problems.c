/* A growing list of problems. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/tool/check.h"
#include "policy/tool/where.h"

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

void ces_problems_add(struct ces_problems *problems, enum ces_severity severity, const char *path,
		      const char *hint, const char *format, ...)
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
	*one = (struct ces_problem){.severity = severity, .line = 1, .column = 1, .path = all};
	one->text = all + strlen(path) + 1;
	one->hint = one->text + strlen(text) + 1;
	problems->n++;
}

static int by_place(const void *left, const void *right)
{
	const struct ces_problem *a = left, *b = right;

	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	if (a->column != b->column)
		return a->column < b->column ? -1 : 1;
	return strcmp(a->text, b->text);
}

void ces_problems_locate(struct ces_problems *p, const char *bytes, size_t length)
{
	struct ces_where *where = p->n > 0 ? ces_where_new(bytes, length) : NULL;

	for (size_t i = 0; where != NULL && i < p->n; i++)
		ces_where_find(where, p->v[i].path, &p->v[i].line, &p->v[i].column);
	ces_where_free(where);
	if (p->n > 0)
		qsort(p->v, p->n, sizeof(*p->v), by_place);
}

void ces_problems_free(struct ces_problems *problems)
{
	for (size_t i = 0; i < problems->n; i++)
		free(problems->v[i].path);
	free(problems->v);
}
