/* ces-policy audit list: prints a line for each record that passes the filter. */
#include <string.h>

#include "policy/tool/audit.h"
#include "policy/tool/tool.h"

struct list {
	FILE *out;
	bool json;
	unsigned long long n;
};

const char *ces_audit_outcome(const struct ces_record *record, char *buffer, size_t size)
{
	char reason[64];

	if (!ces_record_is(record, CES_RECORD_EVENT, "end"))
		return ces_record_text(record, CES_RECORD_OUTCOME, buffer, size);
	(void)ces_record_text(record, CES_RECORD_REASON, reason, sizeof(reason));
	if (strcmp(reason, "exit") == 0 || strcmp(reason, "signal") == 0)
		snprintf(buffer, size, "%s %llu", reason,
			 (unsigned long long)ces_record_number(record, CES_RECORD_STATUS));
	else
		snprintf(buffer, size, "%s", reason);
	return buffer;
}

static const char *colour_of(FILE *out, const struct ces_record *record)
{
	if (ces_record_is(record, CES_RECORD_OUTCOME, "denied"))
		return ces_colour(out, CES_RED);
	if (ces_record_number(record, CES_RECORD_STATUS) != 0)
		return ces_colour(out, CES_YELLOW);
	return "";
}

/* "-" keeps the number of columns for programs that cut them. */
static const char *or_dash(const char *text)
{
	return text[0] != '\0' ? text : "-";
}

static void print_row(FILE *out, const struct ces_audit_row *row)
{
	char when[24], verb[16], outcome[32], run[16], image[512], user[72];
	const char *colour = colour_of(out, row->record);

	/* To the second: 2026-10-01T09:30:00 */
	(void)ces_record_text(row->record, CES_RECORD_TIME, when, 20);
	(void)ces_record_text(row->record, CES_RECORD_VERB, verb, sizeof(verb));
	(void)ces_record_text(row->record, CES_RECORD_RUN, run, sizeof(run));
	(void)ces_record_text(row->record, CES_RECORD_IMAGE, image, sizeof(image));
	(void)ces_audit_outcome(row->record, outcome, sizeof(outcome));
	/* (the reason of a failed pull is a sentence: 'show' and JSON have it) */
	if (ces_record_is(row->record, CES_RECORD_EVENT, "end") &&
	    ces_record_is(row->record, CES_RECORD_VERB, "pull") &&
	    ces_record_number(row->record, CES_RECORD_STATUS) != 0)
		snprintf(outcome, sizeof(outcome), "failed");
	if (row->user[0] != '\0')
		snprintf(user, sizeof(user), "%s", row->user);
	else
		snprintf(user, sizeof(user), "uid:%llu",
			 (unsigned long long)ces_record_number(row->record, CES_RECORD_UID));
	fprintf(out, "%-19s  %-10s  %-14s  %-7s  %s%-12s%s  %-10s  %s\n", or_dash(when), user,
		or_dash(row->project), or_dash(verb), colour, or_dash(outcome),
		*colour != '\0' ? ces_colour(out, CES_PLAIN) : "", or_dash(run), or_dash(image));
}

static int each(void *context, const struct ces_audit_row *row)
{
	struct list *list = context;

	if (list->json) {
		fputs(list->n == 0 ? "[\n" : ",\n", list->out);
		fwrite(row->line->at, 1, row->line->length, list->out);
	} else {
		if (list->n == 0)
			fprintf(list->out, "%-19s  %-10s  %-14s  %-7s  %-12s  %-10s  %s\n",
				"TIME (UTC)", "USER", "PROJECT", "WHAT", "OUTCOME", "RUN", "IMAGE");
		print_row(list->out, row);
	}
	list->n++;
	return ferror(list->out) ? -1 : 0;
}

int ces_audit_list(const struct ces_audit *audit)
{
	struct list list = {.out = audit->out, .json = audit->json};
	struct ces_error err = {0};

	if (ces_audit_select(audit->reader, &audit->filter, each, &list, &err) != 0)
		return ces_tool_fail(&err);
	if (list.json)
		fputs(list.n == 0 ? "[]\n" : "\n]\n", list.out);
	else if (list.n == 0)
		fprintf(stderr, "ces-policy: no record matches\n");
	return CES_TOOL_GOOD;
}
