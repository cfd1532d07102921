/* Reads a table byte by byte. It must never keep more of a field than a name or a number needs. It
 * must not go on if two programs could read two different tables: such a file has not passed. */
#include "helper/list/table.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/cleanup.h"

static char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* It goes back only to the last star, so it takes at most the product of both lengths, which are
 * bounded. */
bool ces_table_named(const char *pattern, const char *name)
{
	const char *star = NULL, *back = NULL;

	while (*name != '\0') {
		if (*pattern == '*') {
			star = pattern++;
			back = name;
		} else if (*pattern != '\0' &&
			   (*pattern == '?' || lower(*pattern) == lower(*name))) {
			pattern++;
			name++;
		} else if (star != NULL) {
			pattern = star + 1;
			name = ++back;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

/* In thousands: 1,234. */
static bool is_comma(const char *text)
{
	return text[0] == ',' && strspn(text + 1, "0123456789") == 3;
}

bool ces_table_number(const char *text, double *ret)
{
	char plain[CES_TABLE_KEPT + 1], *end;
	size_t n = 0;

	text += strspn(text, " \t\"'=");
	if (strspn(text, "+-.0123456789") == 0)
		return false;
	for (; is_comma(text) || strspn(text, "+-.0123456789eE") > 0; text++)
		if (*text != ',')
			plain[n++] = *text;
	plain[n] = '\0';
	*ret = strtod(plain, &end);
	return end != plain;
}

static void fault(struct ces_table *table, enum ces_table_fault what, size_t which)
{
	table->found(table->context, what, which);
	table->broken |= what <= CES_TABLE_LONG;
}

#define MARK       "\xEF\xBB\xBF" /* the byte order mark, which many programs write first */
#define SEPARATORS ",;\t|"

/* In place of a rule: a column with an empty name, such as those that a spreadsheet writes beside a
 * title above the names. The first column may be of the numbers of rows. */
#define NAMELESS 255
_Static_assert(CES_CHECK_LIST < NAMELESS, "no rule has that place");

/* The separator is the one that occurs most often in the first line that is not empty, outside of
 * quotes. */
static char tell_separator(const char *bytes, size_t length)
{
	static const char separators[] = SEPARATORS;
	size_t n[sizeof(separators) - 1] = {0}, best = 0, i = 0;
	bool quoted = false;

	while (i < length && (bytes[i] == '\n' || bytes[i] == '\r'))
		i++;
	for (; i < length && (quoted || (bytes[i] != '\n' && bytes[i] != '\r')); i++) {
		quoted ^= bytes[i] == '"';
		for (size_t j = 0; !quoted && j < CES_COUNT(n); j++)
			n[j] += bytes[i] == separators[j];
	}
	for (size_t j = 1; j < CES_COUNT(n); j++)
		best = n[j] > n[best] ? j : best;
	return separators[best];
}

void ces_table_begin(struct ces_table *table, const struct ces_check *check, bool tabs,
		     const char *first, size_t length, ces_table_found *found,
		     ces_table_value *value, void *context)
{
	size_t skip =
	    length >= strlen(MARK) && memcmp(first, MARK, strlen(MARK)) == 0 ? strlen(MARK) : 0;

	*table = (struct ces_table){
	    .check = check,
	    .found = found,
	    .value = value,
	    .context = context,
	    .separator = (char)(tabs ? '\t' : tell_separator(first + skip, length - skip)),
	    .skip = skip,
	    .lines = 1};
}

/* The length of the blank at the beginning or end of a text; 0: there is none. */
static size_t blank_at(const char *text, size_t length, bool end)
{
	static const char *const blanks[] = {" ", "\t", "\xC2\xA0" /* (no-break space) */, MARK};

	for (size_t i = 0; i < CES_COUNT(blanks); i++) {
		size_t n = strlen(blanks[i]);

		if (n <= length && memcmp(end ? text + length - n : text, blanks[i], n) == 0)
			return n;
	}
	return 0;
}

/* Blanks around a name do not belong to it. Returns the length of what is left. */
static size_t trim(char *text, size_t length)
{
	size_t from = 0, n;

	while ((n = blank_at(text, length, true)) > 0)
		length -= n;
	while ((n = blank_at(text + from, length - from, false)) > 0)
		from += n;
	memmove(text, text + from, length - from);
	return length - from;
}

static bool is_named(const struct ces_strings *patterns, const char *name)
{
	size_t i = 0;

	while (i < patterns->n && !ces_table_named(patterns->v[i], name))
		i++;
	return i < patterns->n;
}

/* Returns whether another program could see a name that the check has, in a name without quotes
 * that has a separator of others in it: in "years;n" of the line "Age, years;n". */
static bool hides_name(const struct ces_table *table)
{
	char text[CES_TABLE_KEPT + 1], *at = text, *part;

	if (table->state == CES_TABLE_BEHIND || strpbrk(table->field, SEPARATORS) == NULL)
		return false;
	memcpy(text, table->field, sizeof(text));
	while ((part = strsep(&at, SEPARATORS)) != NULL) {
		part[trim(part, strlen(part))] = '\0';
		if (is_named(&table->check->columns, part) || is_named(&table->check->counts, part))
			return true;
	}
	return false;
}

static bool names_columns(const struct ces_check *check)
{
	return check->columns.n + check->counts.n > 0;
}

/* A name in the first row: checks whether it may be there, and whether its column states counts. */
static void see_name(struct ces_table *table)
{
	const struct ces_check *check = table->check;

	/* (with "sep=", the file says to some programs what separates its columns) */
	if ((table->column == 1 && strncasecmp(table->field, "sep=", 4) == 0) || hides_name(table))
		fault(table, CES_TABLE_UNCLEAR, 0);
	for (size_t i = 0; i < check->columns.n; i++) {
		if (!ces_table_named(check->columns.v[i], table->field))
			continue;
		fault(table, CES_TABLE_COLUMN, i);
		table->known = true;
	}
	if (table->column > table->marks) {
		size_t marks = table->marks * 2 + 64;
		unsigned char *counts = realloc(table->counts, marks);

		if (counts == NULL) {
			fault(table, CES_TABLE_LONG, 0);
			return;
		}
		memset(counts + table->marks, 0, marks - table->marks);
		table->counts = counts;
		table->marks = marks;
	}
	for (size_t i = check->counts.n; i > 0; i--)
		if (ces_table_named(check->counts.v[i - 1], table->field))
			table->counts[table->column - 1] = (unsigned char)i;
	table->known |= table->counts[table->column - 1] != 0;
	if (names_columns(check) && table->field[0] == '\0' && table->column > 1 &&
	    table->counts[table->column - 1] == 0)
		table->counts[table->column - 1] = NAMELESS;
}

/* What looks like one column may be several, between which is something else than this program
 * expects. Then nobody has compared their names. */
static void see_names(struct ces_table *table)
{
	if (!table->broken && table->column == 1 && !table->known && names_columns(table->check) &&
	    (table->field[0] == '\0' || strpbrk(table->field, SEPARATORS " ") != NULL))
		fault(table, CES_TABLE_UNCLEAR, 0);
	table->columns = table->column;
}

static void see_number(struct ces_table *table)
{
	const struct ces_check *check = table->check;
	unsigned count = table->counts[table->column - 1];
	double value;

	if (count == NAMELESS && table->kept > 0)
		fault(table, CES_TABLE_NAMELESS, 0);
	if (count == 0 || count == NAMELESS || !ces_table_number(table->field, &value) ||
	    value >= (double)check->least || (check->zero && value == 0.0))
		return;
	fault(table, CES_TABLE_COUNT, count - 1);
}

static void begin_field(struct ces_table *table)
{
	table->column++;
	table->length = table->kept = 0;
	table->line = table->lines;
}

static void end_field(struct ces_table *table)
{
	if (table->column == 0)
		begin_field(table);
	table->value(table->context, '\0', true);
	table->kept = trim(table->field, table->kept);
	table->field[table->kept] = '\0';
	if (table->column > CES_CHECK_COLUMNS)
		fault(table, CES_TABLE_LONG, 0);
	else if (table->columns == 0)
		see_name(table);
	else if (table->column > table->columns)
		fault(table, CES_TABLE_FIELDS, 0);
	else
		see_number(table);
	if (table->check->max_columns > 0 && table->column == table->check->max_columns + 1)
		fault(table, CES_TABLE_COLUMNS, 0);
	table->state = CES_TABLE_START;
}

/* An empty line is not a row. */
static void end_row(struct ces_table *table)
{
	bool empty = table->column == 0 && table->state == CES_TABLE_START;

	if (!empty) {
		end_field(table);
		if (table->columns == 0)
			see_names(table);
		else if (++table->rows == table->check->max_rows + 1 && table->check->max_rows > 0)
			fault(table, CES_TABLE_ROWS, 0);
	}
	table->column = 0;
}

static void keep(struct ces_table *table, char c)
{
	table->value(table->context, c, false);
	if (table->kept < CES_TABLE_KEPT)
		table->field[table->kept++] = c;
	if (++table->length > CES_TABLE_FIELD)
		fault(table, CES_TABLE_LONG, 0);
}

static void outside(struct ces_table *table, char c)
{
	if (c == table->separator) {
		end_field(table);
		begin_field(table);
		return;
	}
	if (c == '\n' || c == '\r') {
		end_row(table);
		table->carriage = c == '\r';
		return;
	}
	if (table->column == 0)
		begin_field(table);
	if (c == '"' && table->state == CES_TABLE_START) {
		table->state = CES_TABLE_QUOTED;
		return;
	}
	if (c == '"' || table->state == CES_TABLE_BEHIND) {
		fault(table, CES_TABLE_QUOTE, 0);
		return;
	}
	table->state = CES_TABLE_PLAIN;
	keep(table, c);
}

static void add(struct ces_table *table, char c)
{
	bool second = table->carriage && c == '\n'; /* (of the two bytes at the end of one line) */

	if (table->skip > 0) {
		table->skip--;
		return;
	}
	table->carriage = false;
	if (second)
		return;
	if (table->state == CES_TABLE_BEHIND && c == '"') {
		table->state = CES_TABLE_QUOTED;
		keep(table, c);
	} else if (table->state != CES_TABLE_QUOTED) {
		outside(table, c);
	} else if (c == '"') {
		table->state = CES_TABLE_BEHIND;
	} else {
		keep(table, c);
	}
	table->lines += c == '\n' || (c == '\r' && table->carriage);
}

size_t ces_table_add(struct ces_table *table, const char *bytes, size_t length)
{
	size_t i = 0;

	while (i < length && !table->broken)
		add(table, bytes[i++]);
	return i;
}

void ces_table_end(struct ces_table *table)
{
	if (!table->broken && table->state == CES_TABLE_QUOTED)
		fault(table, CES_TABLE_QUOTE, 0);
	else if (!table->broken)
		end_row(table);
	free(table->counts);
	table->counts = NULL;
}
