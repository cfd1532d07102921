/* Writes a table to the page and to its file. Cells must never become markup on the page, nor
 * formulas in a spreadsheet: each goes through one writer of each kind. */
#include "policy/tool/report_table.h"

#include <string.h>

#include "common/cleanup.h"
#include "policy/tool/report.h"
#include "policy/tool/tool.h"
#include "common/name.h"

#define COLUMNS   12
#define ROWS_MAX  200 /* on the page; a file has all rows */
#define NAME_SIZE 32

static const struct form {
	const char *name, *caption, *none; /* none: what the page says instead of an empty table */
	const char *columns[COLUMNS + 1];
} forms[CES_TABLES] = {
    [CES_TABLE_MAY_RUN] = {"may-run",
			   "Images that may run",
			   "No image may run.",
			   {"Project", "Image", "Only this digest", "Approval", "Until",
			    "Policy approved by", "Policy approved on", "Newest scan"}},
    [CES_TABLE_RAN] = {"ran",
		       "Runs by project, user and image",
		       "No run has ended.",
		       {"Project", "User", "Image", "Runs", "Failed", "Hours", "CPU hours",
			"GPU hours", "First day", "Last day"}},
    [CES_TABLE_DENIED] = {"denied",
			  "Denials by project, user and reason",
			  "Nothing was denied.",
			  {"Project", "User", "Image", "Reason", "Times", "First day", "Last day"}},
    [CES_TABLE_SOON] = {"soon",
			"What ends within 90 days, or has ended",
			"Nothing ends within 90 days.",
			{"What", "Approval", "Last day", "Days left"}},
    [CES_TABLE_UNUSED] = {"unused",
			  "Images that nobody pulled or ran",
			  "Each image rule was used.",
			  {"Project", "Image", "Approval", "Until"}},
    [CES_TABLE_GAPS] = {"gaps-by-severity",
			"Gaps by severity",
			"None was found in the policy.",
			{"Severity", "Where", "Line", "Gap", "What to do"}},
    [CES_TABLE_SATRE] = {"satre",
			 "Controls of SATRE 2.0.1",
			 "None.",
			 {"Control", "Capability", "Importance", "Five Safes", "How CES meets it",
			  "Command", "Result now"}},
    [CES_TABLE_RIGHTS] = {"rights",
			  "Projects by rights",
			  "The policy has no project.",
			  {"Project", "Title", "Members", "Images", "Data", "Ports in", "Way out",
			   "Binds", "GPUs", "Display", "Limits of a run", "Until"}},
    [CES_TABLE_PROFILES] = {"profiles",
			    "Run profiles",
			    "This site has none.",
			    {"Profile", "Description", "Image", "Asks for",
			     "Projects that may run it"}},
    [CES_TABLE_DATES] = {"dates",
			 "Approvals and their ends",
			 "The policy has no dates.",
			 {"What", "Approval", "Approved on", "Last day"}},
    [CES_TABLE_DAYS] = {"days",
			"Runs and denials by day",
			"Nothing ran.",
			{"Day", "Ended well", "Failed", "Denied"}},
    [CES_TABLE_HOURS] = {"hours",
			 "Hours by project",
			 "Nothing ran.",
			 {"Project", "Runs", "Hours", "CPU hours", "GPU hours"}},
    [CES_TABLE_MONTHS] = {"runs-by-month",
			  "Runs by month, in numbers",
			  "Nothing ran.",
			  {"Month", "Ended well", "Failed", "Denied"}},
    [CES_TABLE_PROJECTS] = {"runs-by-project",
			    "Runs by project, in numbers",
			    "Nothing ran.",
			    {"Project", "Ended well", "Failed", "Denied"}},
    [CES_TABLE_OUTCOMES] = {"runs-by-outcome",
			    "Runs by outcome, in numbers",
			    "Nothing ran.",
			    {"Outcome", "Ended well", "Failed", "Denied"}},
};

int ces_tables_make(const char *path, struct ces_tables *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int dir = -1;

	if (ces_tool_make_dir(path, &dir, err) != 0)
		return -1;
	for (size_t i = 0; i < CES_TABLES; i++) {
		char name[NAME_SIZE];

		snprintf(name, sizeof(name), "%s.csv", forms[i].name);
		ret->csv[i] = ces_tool_make_file(dir, name);
		if (ret->csv[i] == NULL)
			return ces_error_errno(err, CES_E_HOST, "%s/%s", path, name);
	}
	return 0;
}

int ces_tables_close(struct ces_tables *tables)
{
	int result = 0;

	for (size_t i = 0; i < CES_TABLES; i++)
		if (tables->csv[i] != NULL && fclose(tables->csv[i]) != 0)
			result = -1;
	return result;
}

void ces_report_text(FILE *out, const char *text)
{
	bool utf8 = ces_line_valid(text, strlen(text));

	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '&')
			fputs("&amp;", out);
		else if (c == '<')
			fputs("&lt;", out);
		else if (c == '>')
			fputs("&gt;", out);
		else if (c == '"')
			fputs("&quot;", out);
		else if (c == '\'')
			fputs("&#39;", out);
		else
			fputc(c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8) ? '?' : c, out);
	}
}

static void csv_row(FILE *out, const struct form *form, const char *const cells[])
{
	for (size_t i = 0; out != NULL && form->columns[i] != NULL; i++) {
		if (i > 0)
			fputc(',', out);
		ces_tool_csv(out, cells[i]);
	}
	if (out != NULL)
		fputs("\r\n", out);
}

/* The region takes the focus, so that a keyboard can scroll a table wider than the screen. */
static void page_head(FILE *out, const struct form *form)
{
	fprintf(out,
		"<div class=\"wide %s\" role=\"region\" aria-label=\"%s, a table\" "
		"tabindex=\"0\">\n<table id=\"table-%s\">\n<caption>%s</caption>\n<thead><tr>",
		form->name, form->caption, form->name, form->caption);
	for (size_t i = 0; form->columns[i] != NULL; i++)
		fprintf(out, "<th scope=\"col\">%s</th>", form->columns[i]);
	fputs("</tr></thead>\n<tbody>\n", out);
}

static void page_row(FILE *out, const struct form *form, const char *const cells[])
{
	for (size_t i = 0; form->columns[i] != NULL; i++) {
		fputs(i == 0 ? "<tr><th scope=\"row\">" : "<td>", out);
		ces_report_text(out, cells[i]);
		fputs(i == 0 ? "</th>" : "</td>", out);
	}
	fputs("</tr>\n", out);
}

void ces_table_begin(const struct ces_report *report, enum ces_table_name name,
		     struct ces_table *ret)
{
	*ret = (struct ces_table){.report = report, .name = name};
	csv_row(report->tables.csv[name], &forms[name], forms[name].columns);
}

void ces_table_row(struct ces_table *table, const char *const cells[])
{
	const struct form *form = &forms[table->name];
	FILE *out = table->report->out;

	csv_row(table->report->tables.csv[table->name], form, cells);
	if (table->rows == 0)
		page_head(out, form);
	if (table->rows++ < ROWS_MAX)
		page_row(out, form, cells);
}

void ces_table_end(struct ces_table *table)
{
	const struct form *form = &forms[table->name];
	FILE *out = table->report->out;

	if (table->rows == 0) {
		fprintf(out, "<p>%s</p>\n", form->none);
		return;
	}
	fputs("</tbody>\n</table>\n</div>\n", out);
	if (table->rows > ROWS_MAX)
		fprintf(out,
			"<p>This table has %zu more rows. Use <code>--csv</code> to get all "
			"rows.</p>\n",
			table->rows - ROWS_MAX);
}

const char *ces_table_hours(uint64_t seconds, char buffer[CES_TABLE_CELL])
{
	snprintf(buffer, CES_TABLE_CELL, "%.2f", (double)seconds / 3600);
	return buffer;
}

const char *ces_table_number(uint64_t number, char buffer[CES_TABLE_CELL])
{
	snprintf(buffer, CES_TABLE_CELL, "%llu", (unsigned long long)number);
	return buffer;
}
