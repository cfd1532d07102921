/* Edits a policy as text. It knows where values begin and end, and nothing of their meaning: the
 * caller parses the result. */
#include "policy/approve/edit.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "policy/evidence/part.h"
#include "policy/tool/tool.h"

#define BLANKS_MAX 512

struct list {
	struct ces_part all, at, before; /* the array; the rule at the index; the one before it */
	size_t n;
};

static int find_list(const struct ces_edit_text *text, size_t index, struct list *ret,
		     struct ces_error *err)
{
	struct ces_part whole = ces_part_of(text->bytes, text->length), at = {NULL, NULL};

	*ret = (struct list){.n = 0};
	if (text->project == NULL)
		whole = ces_part_member(whole, "infer_projects");
	else
		whole = ces_part_member(ces_part_member(whole, "projects"), text->project);
	ret->all = ces_part_member(whole, "images");
	if (ces_part_kind(ret->all) != '[')
		return ces_error_set(err, CES_E_INTERNAL, "the list of images is not found");
	while (ces_part_next(ret->all, &at)) {
		if (ret->n < index)
			ret->before = at;
		if (ret->n == index)
			ret->at = at;
		ret->n++;
	}
	return 0;
}

/* The blanks from `at` on; with `lines`, only if there is a line feed in them. */
static void copy_blanks(const char *at, const char *end, bool lines, char ret[BLANKS_MAX])
{
	size_t n = 0;

	while (at + n < end && strchr(" \t\r\n", at[n]) != NULL && n + 1 < BLANKS_MAX)
		n++;
	memcpy(ret, at, n);
	ret[n] = '\0';
	if (lines && strchr(ret, '\n') == NULL)
		ret[0] = '\0';
}

/* How the lines of the file end; "" if it has only one. */
static const char *line_end(const struct ces_edit_text *text)
{
	const char *line = memchr(text->bytes, '\n', text->length);

	if (line == NULL || line + 1 == text->bytes + text->length)
		return "";
	return line > text->bytes && line[-1] == '\r' ? "\r\n" : "\n";
}

/* The blanks at the beginning of the line that holds `at`. *ret_line: where that line begins. */
static size_t indent_of(const struct ces_edit_text *text, const char *at, const char **ret_line)
{
	const char *line = at;
	size_t n = 0;

	while (line > text->bytes && line[-1] != '\n')
		line--;
	while (line + n < at && (line[n] == ' ' || line[n] == '\t'))
		n++;
	*ret_line = line;
	return n;
}

/* One step of indentation, as the first key of the file has it. */
static void step_of(const struct ces_edit_text *text, char ret[16])
{
	const char *line = memchr(text->bytes, '\n', text->length);
	size_t n = 0;

	if (line != NULL)
		for (line++; n < 15 && line + n < text->bytes + text->length &&
			     (line[n] == ' ' || line[n] == '\t');)
			n++;
	if (n == 0)
		snprintf(ret, 16, "\t");
	else
		snprintf(ret, 16, "%.*s", (int)n, line);
}

/* The text between two rules: as between the existing ones; otherwise one line for each, below the
 * first. */
static void gap_of(const struct ces_edit_text *text, const struct list *list, char ret[BLANKS_MAX])
{
	struct ces_part first = {NULL, NULL}, second;
	const char *line;
	size_t indent, n;

	(void)ces_part_next(list->all, &first);
	second = first;
	ret[0] = '\0';
	if (ces_part_next(list->all, &second)) {
		const char *comma = memchr(first.end, ',', (size_t)(second.at - first.end));

		if (comma != NULL)
			copy_blanks(comma + 1, second.at, false, ret);
		return;
	}
	copy_blanks(list->all.at + 1, first.at, true, ret);
	if (ret[0] != '\0')
		return;
	if (line_end(text)[0] == '\0') {
		snprintf(ret, BLANKS_MAX, " ");
		return;
	}
	indent = indent_of(text, first.at, &line);
	n = (size_t)snprintf(ret, BLANKS_MAX, "%s%.*s", line_end(text), (int)(indent % 256), line);
	for (const char *at = line + indent; at < first.at && n + 1 < BLANKS_MAX; at++)
		ret[n++] = ' ';
	ret[n] = '\0';
}

/* `between` comes before each key, `after` before the closing bracket. */
static void put_rule(FILE *out, const struct ces_edit_rule *rule, const char *between,
		     const char *after)
{
	const struct {
		const char *key, *value;
	} words[] = {
	    {"allow", rule->allow},       {"digest", rule->digest},   {"approval", rule->approval},
	    {"evidence", rule->evidence}, {"expires", rule->expires},
	};
	bool any = false;

	fputc('{', out);
	for (size_t i = 0; i < CES_COUNT(words); i++) {
		if (words[i].value == NULL)
			continue;
		fprintf(out, "%s%s\"%s\": ", any ? "," : "", between, words[i].key);
		ces_tool_json(out, words[i].value);
		any = true;
	}
	fprintf(out, "%s}", after);
}

/* A rule on one line, or with a line for each key, like the model. */
static void put_like(FILE *out, const struct ces_edit_rule *rule, struct ces_part model)
{
	char between[BLANKS_MAX] = " ", after[BLANKS_MAX] = " ";
	const char *last = model.end - 1;

	if (model.at != NULL && memchr(model.at, '\n', (size_t)(model.end - model.at)) != NULL) {
		copy_blanks(model.at + 1, model.end, true, between);
		while (last > model.at && strchr(" \t\r\n", last[-1]) != NULL)
			last--;
		copy_blanks(last, model.end, true, after);
	}
	if (between[0] == '\0' || after[0] == '\0')
		between[0] = after[0] = ' ', between[1] = after[1] = '\0';
	put_rule(out, rule, between, after);
}

/* The first rule of a list: a line of its own, one step further in than its key. */
static void put_first(FILE *out, const struct ces_edit_text *text, const struct list *list,
		      const struct ces_edit_rule *rule)
{
	const char *eol = line_end(text), *line;
	size_t indent = indent_of(text, list->all.at, &line);
	char step[16];

	step_of(text, step);
	if (eol[0] == '\0')
		fputc(' ', out);
	else
		fprintf(out, "%s%.*s%s", eol, (int)indent, line, step);
	put_rule(out, rule, " ", " ");
	if (eol[0] == '\0')
		fputc(' ', out);
	else
		fprintf(out, "%s%.*s", eol, (int)indent, line);
}

static int finish(FILE *out, char **bytes, char **ret, struct ces_error *err)
{
	bool good = !ferror(out);

	if (fclose(out) != 0 || !good)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	*ret = ces_steal_pointer(bytes);
	return 0;
}

static void put_bytes(FILE *out, const char *from, const char *to)
{
	(void)fwrite(from, 1, (size_t)(to - from), out);
}

int ces_edit_add(const struct ces_edit_text *text, size_t index, const struct ces_edit_rule *rule,
		 char **ret, size_t *ret_length, struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	const char *end = text->bytes + text->length;
	char gap[BLANKS_MAX];
	struct list list;
	FILE *out;

	if (find_list(text, index, &list, err) != 0)
		return -1;
	out = open_memstream(&bytes, ret_length);
	if (out == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	if (list.n == 0) {
		put_bytes(out, text->bytes, list.all.at + 1);
		put_first(out, text, &list, rule);
		put_bytes(out, list.all.end - 1, end);
	} else if (index < list.n) {
		gap_of(text, &list, gap);
		put_bytes(out, text->bytes, list.at.at);
		put_like(out, rule, list.at);
		fprintf(out, ",%s", gap);
		put_bytes(out, list.at.at, end);
	} else {
		gap_of(text, &list, gap);
		put_bytes(out, text->bytes, list.before.end);
		fprintf(out, ",%s", gap);
		put_like(out, rule, list.before);
		put_bytes(out, list.before.end, end);
	}
	return finish(out, &bytes, ret, err);
}

int ces_edit_remove(const struct ces_edit_text *text, size_t index, char **ret, size_t *ret_length,
		    struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	struct ces_part next;
	const char *from, *to;
	struct list list;
	FILE *out;

	if (find_list(text, index, &list, err) != 0)
		return -1;
	if (index >= list.n)
		return ces_error_set(err, CES_E_INTERNAL, "the rule is not found");
	next = list.at;
	from = list.before.at != NULL ? list.before.end : list.at.at;
	to = list.at.end;
	if (list.n == 1) {
		from = list.all.at + 1;
		to = list.all.end - 1;
	} else if (list.before.at == NULL && ces_part_next(list.all, &next)) {
		to = next.at;
	}
	out = open_memstream(&bytes, ret_length);
	if (out == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	put_bytes(out, text->bytes, from);
	put_bytes(out, to, text->bytes + text->length);
	return finish(out, &bytes, ret, err);
}
