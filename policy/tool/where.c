/* An index of a JSON text. Thousands of remarks about a large policy each need a line, and
 * searching the text again for each would take minutes. Only for text shown to people: two paths
 * with one 64-bit hash would swap their lines, and nothing else. */
#include "policy/tool/where.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	uint64_t hash;
	size_t at;
};

struct ces_where {
	struct entry *v;
	size_t n, cap;
	size_t *lines; /* where each begins */
	size_t n_lines;
};

struct walk {
	struct ces_where *where;
	const char *bytes;
	size_t at, length;
	bool failed;
};

static const uint64_t start_hash = 14695981039346656037u; /* FNV-1a */

static uint64_t extend(uint64_t hash, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
	return hash;
}

static void add(struct walk *w, uint64_t hash, size_t at)
{
	struct ces_where *where = w->where;

	if (where->n == where->cap) {
		size_t cap = where->cap * 2 + 256;
		struct entry *v = reallocarray(where->v, cap, sizeof(*v));

		if (v == NULL) {
			w->failed = true;
			return;
		}
		where->v = v;
		where->cap = cap;
	}
	where->v[where->n++] = (struct entry){hash, at};
}

static char peek(const struct walk *w)
{
	if (w->at == w->length)
		return '\0';
	return w->bytes[w->at];
}

static void blanks(struct walk *w)
{
	while (w->at < w->length && strchr(" \t\r\n", w->bytes[w->at]) != NULL)
		w->at++;
}

static void string(struct walk *w)
{
	for (w->at++; peek(w) != '"' && w->at < w->length; w->at++)
		w->at += peek(w) == '\\';
	w->at++;
}

static void value(struct walk *w, uint64_t hash, bool top);

static void object(struct walk *w, uint64_t hash, bool top)
{
	for (w->at++, blanks(w); peek(w) == '"'; blanks(w)) {
		size_t key = w->at;
		uint64_t inner = top ? hash : extend(hash, ".", 1);

		string(w);
		inner = extend(inner, w->bytes + key + 1, w->at - key - 2);
		add(w, inner, key);
		blanks(w);
		w->at++; /* ':' */
		value(w, inner, false);
		if (peek(w) == ',')
			w->at++;
		blanks(w);
	}
	w->at++;
}

static void array(struct walk *w, uint64_t hash)
{
	size_t i = 0;

	for (w->at++, blanks(w); peek(w) != '\0' && peek(w) != ']'; blanks(w)) {
		char text[24];
		int n = snprintf(text, sizeof(text), "[%zu]", i++);
		uint64_t inner = extend(hash, text, (size_t)n);

		add(w, inner, w->at);
		value(w, inner, false);
		if (peek(w) == ',')
			w->at++;
	}
	w->at++;
}

/* As deep as the text, which the check before has bounded. */
static void value(struct walk *w, uint64_t hash, bool top)
{
	blanks(w);
	if (peek(w) == '{')
		object(w, hash, top);
	else if (peek(w) == '[')
		array(w, hash);
	else if (peek(w) == '"')
		string(w);
	else
		while (w->at < w->length && strchr(",]} \t\r\n", w->bytes[w->at]) == NULL)
			w->at++;
	blanks(w);
}

static int by_hash(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	return a->hash < b->hash ? -1 : a->hash > b->hash;
}

static bool index_lines(struct ces_where *where, const char *bytes, size_t length)
{
	size_t n = 1;

	for (size_t i = 0; i < length; i++)
		n += bytes[i] == '\n';
	where->lines = calloc(n, sizeof(*where->lines));
	if (where->lines == NULL)
		return false;
	for (size_t i = 0; i < length; i++)
		if (bytes[i] == '\n')
			where->lines[++where->n_lines] = i + 1;
	where->n_lines++;
	return true;
}

struct ces_where *ces_where_new(const char *bytes, size_t length)
{
	struct ces_where *where = calloc(1, sizeof(*where));
	struct walk w = {.where = where, .bytes = bytes, .length = length};

	if (where == NULL)
		return NULL;
	if (!index_lines(where, bytes, length)) {
		ces_where_free(where);
		return NULL;
	}
	value(&w, start_hash, true);
	if (w.failed) {
		ces_where_free(where);
		return NULL;
	}
	if (where->n > 0)
		qsort(where->v, where->n, sizeof(*where->v), by_hash);
	return where;
}

static void to_line(const struct ces_where *where, size_t at, size_t *ret_line, size_t *ret_column)
{
	size_t low = 0, high = where->n_lines;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (where->lines[middle] <= at)
			low = middle;
		else
			high = middle;
	}
	*ret_line = low + 1;
	*ret_column = at - where->lines[low] + 1;
}

void ces_where_find(const struct ces_where *where, const char *path, size_t *ret_line,
		    size_t *ret_column)
{
	size_t length = strlen(path);

	while (length > 0 && where->n > 0) {
		struct entry key = {.hash = extend(start_hash, path, length)};
		const struct entry *found = bsearch(&key, where->v, where->n, sizeof(key), by_hash);

		if (found != NULL) {
			to_line(where, found->at, ret_line, ret_column);
			return;
		}
		while (--length > 0 && path[length] != '.' && path[length] != '[')
			;
	}
	*ret_line = *ret_column = 1;
}

void ces_where_free(struct ces_where *where)
{
	if (where == NULL)
		return;
	free(where->v);
	free(where->lines);
	free(where);
}
