/* Checks each file by the policy's rules. It fails closed: a file that could not be read, that
 * changed meanwhile, or that is no file has not passed. The whole has not passed if any file was
 * left out. */
#include "helper/list/check.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/cleanup.h"

#define TYPE_MARKS 2

/* By a file's name, and then by its first bytes. Text has no such bytes. */
static const struct {
	const char *endings; /* each with a blank after it */
	const char *marks[TYPE_MARKS];
} types[CES_TYPES] = {
    [CES_TYPE_CSV] = {"csv ", {NULL}},
    [CES_TYPE_TSV] = {"tsv tab ", {NULL}},
    [CES_TYPE_TEXT] = {"txt log md ", {NULL}},
    [CES_TYPE_JSON] = {"json ", {NULL}},
    [CES_TYPE_HTML] = {"html htm ", {NULL}},
    [CES_TYPE_SVG] = {"svg ", {NULL}},
    [CES_TYPE_PNG] = {"png ", {"\x89PNG\r\n\x1a\n"}},
    [CES_TYPE_JPEG] = {"jpg jpeg ", {"\xff\xd8\xff"}},
    [CES_TYPE_GIF] = {"gif ", {"GIF8"}},
    /* (the byte after it, a NUL, ends the mark) */
    [CES_TYPE_TIFF] = {"tif tiff ", {"II*", "MM"}},
    [CES_TYPE_PDF] = {"pdf ", {"%PDF-"}},
};

/* A file named just ".csv" is one: programs that open tables take it for one. */
static int type_of(const char *path)
{
	const char *name = strrchr(path, '/'), *dot = strrchr(name == NULL ? path : name, '.');
	size_t length;

	if (dot == NULL)
		return -1;
	length = strlen(dot + 1);
	for (int i = 0; length > 0 && i < CES_TYPES; i++)
		for (const char *at = types[i].endings; *at != '\0'; at += strcspn(at, " ") + 1)
			if (strcspn(at, " ") == length && strncasecmp(at, dot + 1, length) == 0)
				return i;
	return -1;
}

static bool begins_as(int type, const unsigned char *bytes, size_t length)
{
	for (size_t i = 0; i < TYPE_MARKS && types[type].marks[i] != NULL; i++) {
		size_t n = strlen(types[type].marks[i]);

		if (length >= n && memcmp(bytes, types[type].marks[i], n) == 0)
			return true;
	}
	return types[type].marks[0] == NULL;
}

static void find(struct ces_list_check *check, const char *rule, const char *word, uint64_t line,
		 uint64_t column)
{
	struct ces_finding *f = check->findings;
	size_t i = 0;

	while (i < check->n && (strcmp(f[i].rule, rule) != 0 || f[i].word != word))
		i++;
	if (i < check->n)
		f[i].times++;
	else if (i == CES_FINDINGS)
		check->beyond++;
	else
		f[check->n++] = (struct ces_finding){rule, word, line, column, 1};
}

void ces_list_check_note(struct ces_list_check *check, const char *rule)
{
	if (check->wanted)
		find(check, rule, NULL, 0, 0);
}

static void found_fault(void *context, enum ces_table_fault fault, size_t which)
{
	static const struct {
		const char *rule, *word;
	} says[CES_TABLE_FAULTS] = {
	    [CES_TABLE_QUOTE] = {"csv", "quotes that do not pair"},
	    [CES_TABLE_FIELDS] = {"csv", "more fields than names of columns"},
	    [CES_TABLE_UNCLEAR] = {"csv", "columns that cannot be separated"},
	    [CES_TABLE_LONG] = {"csv", "a field or a row that is too long"},
	    [CES_TABLE_NAMELESS] = {"csv", "a column without a name"},
	    [CES_TABLE_ROWS] = {"csv.max_rows", NULL},
	    [CES_TABLE_COLUMNS] = {"csv.max_columns", NULL},
	    [CES_TABLE_COLUMN] = {"csv.forbidden_columns", NULL},
	    [CES_TABLE_COUNT] = {"csv.min_count", NULL},
	};
	struct ces_list_check *check = context;
	const char *word = says[fault].word;

	if (fault == CES_TABLE_COLUMN)
		word = check->rules.columns.v[which];
	if (fault == CES_TABLE_COUNT)
		word = check->rules.counts.v[which];
	find(check, says[fault].rule, word, check->table.line, check->table.column);
}

static void found_value(void *context, enum ces_check_value value, int pattern)
{
	struct ces_list_check *check = context;
	bool table = check->tabular && !check->table.broken;

	find(check, pattern < 0 ? "forbidden_values" : "forbidden_patterns",
	     pattern < 0 ? ces_check_values[value] : check->rules.patterns.v[pattern],
	     table ? check->table.line : check->line, table ? check->table.column : 0);
}

static void add_value(void *context, char c, bool end)
{
	struct ces_list_check *check = context;

	if (check->rules.values.n + check->rules.patterns.n == 0)
		return;
	if (end)
		ces_values_end(&check->values);
	else
		ces_values_add(&check->values, c);
}

int ces_list_check_begin(struct ces_list_check *check, const char *text,
			 struct ces_list_answer *answer)
{
	struct ces_error ignored;

	*check = (struct ces_list_check){.answer = answer, .wanted = text[0] != '\0'};
	return check->wanted ? ces_check_read(text, &check->rules, &ignored) : 0;
}

void ces_list_check_file(struct ces_list_check *check, const char *path)
{
	check->n = check->beyond = 0;
	check->text = check->tabular = false;
	check->plain = true;
	check->more = 0;
	check->line = 1;
	check->type = type_of(path);
	if (!check->wanted)
		return;
	/* (a name can hold an identifier too; it has no line) */
	check->line = 0;
	ces_values_begin(&check->values, &check->rules, found_value, check);
	for (const char *at = path; *at != '\0'; at++)
		add_value(check, *at, false);
	add_value(check, '\0', true);
	check->line = 1;
}

static bool is_allowed(const struct ces_list_check *check)
{
	const struct ces_strings *allowed = &check->rules.types;

	for (size_t i = 0; check->type >= 0 && i < allowed->n; i++)
		if (strcmp(allowed->v[i], ces_check_types[check->type]) == 0)
			return true;
	return allowed->n == 0;
}

static bool has_table_rules(const struct ces_check *rules)
{
	return rules->max_rows + rules->max_columns + rules->columns.n + rules->counts.n > 0;
}

void ces_list_check_first(struct ces_list_check *check, const unsigned char *bytes, size_t length,
			  const char *content)
{
	bool text = strcmp(content, "text") == 0 || strcmp(content, "script") == 0;
	bool named = check->type >= 0 && types[check->type].marks[0] == NULL; /* as text */
	bool table = check->type == CES_TYPE_CSV || check->type == CES_TYPE_TSV;

	if (!check->wanted)
		return;
	if (length == 0) {
		if (!is_allowed(check))
			find(check, "types", NULL, 0, 0);
		return;
	}
	if (!is_allowed(check) || (named && !text) ||
	    (check->type >= 0 && check->rules.types.n > 0 &&
	     !begins_as(check->type, bytes, length)))
		find(check, "types", NULL, 0, 0);
	check->text = text;
	check->tabular = text && table && has_table_rules(&check->rules);
	ces_values_begin(&check->values, &check->rules, found_value, check);
	if (check->tabular)
		ces_table_begin(&check->table, &check->rules, check->type == CES_TYPE_TSV,
				(const char *)bytes, length, found_fault, add_value, check);
}

/* The first byte of a character in UTF-8. It says how many more there are, and what the second may
 * be (RFC 3629, section 4). */
static bool begins_character(struct ces_list_check *check, unsigned char c)
{
	if (c < 0x80)
		return c >= ' ' ? c != 0x7f : c != 0 && strchr("\t\n\r\f", c) != NULL;
	check->more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
	check->low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	check->high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	return c >= 0xc2 && c <= 0xf4;
}

/* A file that begins as text must go on as text: what follows could be anything. */
static void see_text(struct ces_list_check *check, const unsigned char *bytes, size_t length)
{
	for (size_t i = 0; check->plain && i < length; i++) {
		if (check->more == 0) {
			check->plain = begins_character(check, bytes[i]);
			continue;
		}
		check->plain = bytes[i] >= check->low && bytes[i] <= check->high;
		check->low = 0x80;
		check->high = 0xbf;
		check->more--;
	}
}

static void see_lines(struct ces_list_check *check, const unsigned char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		add_value(check, (char)bytes[i], bytes[i] == '\n');
		check->line += bytes[i] == '\n';
	}
}

void ces_list_check_bytes(struct ces_list_check *check, const unsigned char *bytes, size_t length)
{
	size_t taken = 0; /* (what comes after a broken table is checked by lines) */

	if (!check->wanted || !check->text)
		return;
	see_text(check, bytes, length);
	if (check->tabular && !check->table.broken) {
		taken = ces_table_add(&check->table, (const char *)bytes, length);
		check->line = check->table.lines;
	}
	see_lines(check, bytes + taken, length - taken);
}

void ces_list_check_size(struct ces_list_check *check, uint64_t size)
{
	check->size += size;
	if (check->wanted && check->rules.max_file_size > 0 && size > check->rules.max_file_size)
		find(check, "max_file_size", NULL, 0, 0);
}

static void write_findings(const struct ces_list_check *check, struct ces_list_text *text)
{
	for (size_t i = 0; i < check->n; i++) {
		const struct ces_finding *f = &check->findings[i];

		ces_list_print(text, "%s{\"rule\":\"%s\"", i > 0 ? "," : "", f->rule);
		if (f->word != NULL) {
			ces_list_add(text, ",", 1);
			ces_list_name(text, "what", f->word, strlen(f->word));
		}
		if (f->line > 0)
			ces_list_print(text, ",\"line\":%llu", (unsigned long long)f->line);
		if (f->column > 0)
			ces_list_print(text, ",\"column\":%llu", (unsigned long long)f->column);
		if (f->times > 1)
			ces_list_print(text, ",\"times\":%llu", (unsigned long long)f->times);
		ces_list_add(text, "}", 1);
	}
	if (check->beyond > 0)
		ces_list_print(text, ",{\"rule\":\"and others\",\"times\":%llu}",
			       (unsigned long long)check->beyond);
}

void ces_list_check_end(struct ces_list_check *check, struct ces_list_text *text)
{
	if (!check->wanted)
		return;
	if (check->tabular)
		ces_table_end(&check->table);
	if (check->text)
		add_value(check, '\0', true);
	/* (last: its place among the findings must not depend on the pieces that were read) */
	if (check->text && (!check->plain || check->more > 0))
		find(check, "types", "text", 0, 0);
	check->tabular = check->text = false;
	if (check->n == 0) {
		ces_list_print(text, ",\"check\":\"passed\"");
		return;
	}
	check->answer->findings++;
	ces_list_print(text, ",\"check\":[");
	write_findings(check, text);
	ces_list_add(text, "]", 1);
}

void ces_list_check_all(struct ces_list_check *check, struct ces_list_text *text, const char *cut)
{
	const struct ces_check *rules = &check->rules;
	struct ces_list_answer *answer = check->answer;

	if (!check->wanted)
		return;
	check->n = check->beyond = 0;
	if (cut != NULL)
		find(check, "manifest", cut, 0, 0);
	if (rules->max_files > 0 && answer->files > rules->max_files)
		find(check, "max_files", NULL, 0, 0);
	if (rules->max_size > 0 && check->size > rules->max_size)
		find(check, "max_size", NULL, 0, 0);
	answer->check = answer->findings + check->n == 0 ? CES_LIST_PASSED : CES_LIST_FAILED;
	ces_list_print(text, ",\"check\":{\"result\":\"%s\",\"not_passed\":%llu,\"findings\":[",
		       answer->check == CES_LIST_PASSED ? "passed" : "failed",
		       (unsigned long long)answer->findings);
	write_findings(check, text);
	ces_list_print(text, "]}");
}
