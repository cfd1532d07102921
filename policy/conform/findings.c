/* The list of findings. It keeps texts as they came: only an output format knows what its reader
 * can take. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "policy/conform/conform.h"

static struct ces_conform_finding *grow(struct ces_conform *conform)
{
	if (conform->n == conform->cap) {
		size_t cap = conform->cap * 2 + 32;
		struct ces_conform_finding *v = reallocarray(conform->v, cap, sizeof(*v));

		if (v == NULL)
			return NULL;
		conform->v = v;
		conform->cap = cap;
	}
	return &conform->v[conform->n];
}

static size_t kept(const struct ces_conform *conform, enum ces_conform_rule_index rule)
{
	size_t n = 0;

	for (size_t i = 0; i < conform->n; i++)
		n += conform->v[i].rule == rule && !conform->v[i].dropped;
	return n;
}

size_t ces_conform_add(struct ces_conform *conform, enum ces_conform_rule_index rule,
		       const struct ces_conform_place *place, const char *format, ...)
{
	struct ces_conform_finding made = {.rule = rule,
					   .line = place->line,
					   .layer = place->layer},
				   *one;
	va_list args;

	if (kept(conform, rule) >= CES_CONFORM_KEPT) {
		conform->more[rule]++;
		return SIZE_MAX;
	}
	va_start(args, format);
	if (vasprintf(&made.text, format, args) < 0)
		made.text = NULL;
	va_end(args);
	if (place->path != NULL)
		made.path = strdup(place->path);
	one = grow(conform);
	if (one == NULL || made.text == NULL || (place->path != NULL && made.path == NULL)) {
		conform->no_memory = true;
		free(made.text);
		free(made.path);
		return SIZE_MAX;
	}
	*one = made;
	return conform->n++;
}

void ces_conform_write(struct ces_conform *conform, size_t finding, const char *format, ...)
{
	va_list args;

	if (finding >= conform->n)
		return;
	free(conform->v[finding].write);
	va_start(args, format);
	if (vasprintf(&conform->v[finding].write, format, args) < 0)
		conform->v[finding].write = NULL;
	va_end(args);
}

size_t ces_conform_count(const struct ces_conform *conform, enum ces_conform_severity severity)
{
	size_t n = 0;

	for (size_t i = 0; i < conform->n; i++)
		n += !conform->v[i].dropped &&
		     ces_conform_rules[conform->v[i].rule].severity == severity;
	for (size_t rule = 0; rule < CES_CONFORM_RULES; rule++)
		if (ces_conform_rules[rule].severity == severity)
			n += conform->more[rule];
	return n;
}

/* In the order of lines; then those without a line, as of an image: errors first. */
static int by_place(const void *left, const void *right)
{
	const struct ces_conform_finding *a = left, *b = right;
	enum ces_conform_severity of_a = ces_conform_rules[a->rule].severity;
	enum ces_conform_severity of_b = ces_conform_rules[b->rule].severity;

	if (a->line != b->line)
		return a->line - 1 < b->line - 1 ? -1 : 1;
	if (of_a != of_b)
		return of_a > of_b ? -1 : 1;
	if (a->rule != b->rule)
		return a->rule < b->rule ? -1 : 1;
	if (a->layer != b->layer)
		return a->layer < b->layer ? -1 : 1;
	return strcmp(a->text, b->text);
}

void ces_conform_sort(struct ces_conform *conform)
{
	size_t n = 0;

	for (size_t i = 0; i < conform->n; i++) {
		struct ces_conform_finding one = conform->v[i];

		if (!one.dropped) {
			conform->v[n++] = one;
			continue;
		}
		free(one.text);
		free(one.write);
		free(one.path);
	}
	conform->n = n;
	if (n > 0)
		qsort(conform->v, n, sizeof(*conform->v), by_place);
}

void ces_conform_free(struct ces_conform *conform)
{
	for (size_t i = 0; i < conform->n; i++) {
		free(conform->v[i].text);
		free(conform->v[i].write);
		free(conform->v[i].path);
	}
	free(conform->v);
	for (size_t i = 0; i < conform->packages.n; i++)
		free(conform->packages.v[i].name); /* one allocation with the version */
	free(conform->packages.v);
	free(conform->chains);
}

void ces_conform_where(const struct ces_conform *conform, const struct ces_conform_finding *finding,
		       char *buffer, size_t size)
{
	if (finding->line > 0)
		snprintf(buffer, size, "%s:%zu", conform->path, finding->line);
	else if (finding->layer > 0)
		snprintf(buffer, size, "%s: layer %zu%s%s", conform->path, finding->layer,
			 finding->path != NULL ? ": " : "",
			 finding->path != NULL ? finding->path : "");
	else
		snprintf(buffer, size, "%s%s%s", conform->path, finding->path != NULL ? ": " : "",
			 finding->path != NULL ? finding->path : "");
}
