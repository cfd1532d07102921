/* ces-policy audit export: records as a table for a spreadsheet (CSV, RFC 4180), or as events for a
 * SIEM. A record must never become more than one row or line.
 */
#include <json-c/json.h>
#include <string.h>

#include "common/cleanup.h"
#include "policy/tool/export.h"
#include "policy/tool/tool.h"

static const enum ces_record_key columns[] = {
    CES_RECORD_SEQ,      CES_RECORD_TIME,   CES_RECORD_EVENT,       CES_RECORD_VERB,
    CES_RECORD_UID,      CES_RECORD_USER,   CES_RECORD_PROJECT,     CES_RECORD_OUTCOME,
    CES_RECORD_STATUS,   CES_RECORD_REASON, CES_RECORD_CODE,        CES_RECORD_RULE,
    CES_RECORD_RUN,      CES_RECORD_IMAGE,  CES_RECORD_DIGEST,      CES_RECORD_APPROVAL,
    CES_RECORD_POLICY,   CES_RECORD_GPUS,   CES_RECORD_PORTS,       CES_RECORD_ARGS,
    CES_RECORD_ENV,      CES_RECORD_CPU_US, CES_RECORD_PEAK_MEMORY, CES_RECORD_OUTPUTS,
    CES_RECORD_MANIFEST, CES_RECORD_CHECK,  CES_RECORD_FINDINGS,    CES_RECORD_WITHHELD,
    CES_RECORD_COUNT,
};

void ces_export_head(FILE *out)
{
	for (size_t i = 0; i < CES_COUNT(columns); i++)
		fprintf(out, "%s%s", i > 0 ? "," : "", ces_record_name(columns[i]));
	fputs("\r\n", out);
}

void ces_export_row(FILE *out, const struct ces_audit_row *row)
{
	char text[2048];

	for (size_t i = 0; i < CES_COUNT(columns); i++) {
		const char *cell = ces_record_text(row->record, columns[i], text, sizeof(text));

		if (columns[i] == CES_RECORD_USER)
			cell = row->user;
		else if (columns[i] == CES_RECORD_PROJECT)
			cell = row->project;
		if (i > 0)
			fputc(',', out);
		ces_tool_csv(out, cell);
	}
	fputs("\r\n", out);
}

enum ces_export_kind ces_export_kind(const struct ces_record *record)
{
	static const struct {
		const char *event, *verb;
		enum ces_export_kind kind;
	} kinds[] = {{"decision", "run", CES_EXPORT_START}, {"decision", "pull", CES_EXPORT_PULL},
		     {"end", "run", CES_EXPORT_STOP},       {"end", "pull", CES_EXPORT_PULLED},
		     {"proof", NULL, CES_EXPORT_PROOF},     {"stranger", NULL, CES_EXPORT_STRANGER},
		     {"denials", NULL, CES_EXPORT_LEFT_OUT}};

	for (size_t i = 0; i < CES_COUNT(kinds); i++)
		if (ces_record_is(record, CES_RECORD_EVENT, kinds[i].event) &&
		    (kinds[i].verb == NULL ||
		     ces_record_is(record, CES_RECORD_VERB, kinds[i].verb)))
			return kinds[i].kind;
	return CES_EXPORT_OTHER;
}

bool ces_export_bad(const struct ces_record *record)
{
	static const char *const outcomes[] = {"denied", "deviates", "refused"};

	for (size_t i = 0; i < CES_COUNT(outcomes); i++)
		if (ces_record_is(record, CES_RECORD_OUTCOME, outcomes[i]))
			return true;
	return ces_record_number(record, CES_RECORD_STATUS) != 0;
}

/* "2026-11-20T11:42:12.650Z": to the second, then three digits. */
int64_t ces_export_ms(const char *time)
{
	time_t seconds = ces_record_seconds(time);
	int64_t ms = 0;

	if (seconds < 0)
		return 0;
	for (size_t i = 20; strlen(time) >= 23 && i < 23; i++)
		ms = ms * 10 + (time[i] >= '0' && time[i] <= '9' ? time[i] - '0' : 0);
	return (int64_t)seconds * 1000 + ms;
}

int64_t ces_export_number(const struct ces_line *line, const char *key)
{
	CES_CLEANUP_FREE char *copy = strndup(line->at, line->length);
	struct json_object *tree = copy == NULL ? NULL : json_tokener_parse(copy), *value;
	int64_t number = -1;

	if (json_object_is_type(tree, json_type_object) &&
	    json_object_object_get_ex(tree, key, &value) &&
	    json_object_is_type(value, json_type_int))
		number = json_object_get_int64(value);
	json_object_put(tree);
	return number;
}

static const struct form {
	const char *name;
	void (*head)(FILE *out); /* or NULL */
	void (*row)(FILE *out, const struct ces_audit_row *row);
} forms[] = {{"csv", ces_export_head, ces_export_row},
	     {"ocsf", NULL, ces_export_ocsf},
	     {"cef", NULL, ces_export_cef}};

static const struct form *find_form(const char *name)
{
	for (size_t i = 0; i < CES_COUNT(forms); i++)
		if (strcmp(forms[i].name, name) == 0)
			return &forms[i];
	return NULL;
}

int ces_export_format(const char *word)
{
	if (find_form(word) != NULL)
		return 0;
	fprintf(stderr, "ces-policy: --format: write csv, ocsf or cef\n");
	return -1;
}

struct sink {
	FILE *out;
	const struct form *form;
};

static int each(void *context, const struct ces_audit_row *row)
{
	const struct sink *sink = context;

	sink->form->row(sink->out, row);
	return ferror(sink->out) ? -1 : 0;
}

int ces_audit_export(const struct ces_audit *audit)
{
	struct sink sink = {audit->out, find_form(audit->format != NULL ? audit->format : "csv")};
	struct ces_error err = {0};

	if (sink.form == NULL)
		return ces_tool_usage("audit");
	if (sink.form->head != NULL)
		sink.form->head(audit->out);
	if (ces_audit_select(audit->reader, &audit->filter, each, &sink, &err) != 0)
		return ces_tool_fail(&err);
	return CES_TOOL_GOOD;
}
