/* ces-policy audit export: records as a table for a spreadsheet (CSV, RFC 4180). A cell must never
 * be taken for a formula by the program that opens it. */
#include <string.h>

#include "common/cleanup.h"
#include "policy/tool/audit.h"
#include "policy/tool/tool.h"

static const enum ces_record_key columns[] = {
    CES_RECORD_SEQ,    CES_RECORD_TIME,   CES_RECORD_EVENT,       CES_RECORD_VERB,
    CES_RECORD_UID,    CES_RECORD_USER,   CES_RECORD_PROJECT,     CES_RECORD_OUTCOME,
    CES_RECORD_STATUS, CES_RECORD_REASON, CES_RECORD_CODE,        CES_RECORD_RULE,
    CES_RECORD_RUN,    CES_RECORD_IMAGE,  CES_RECORD_DIGEST,      CES_RECORD_APPROVAL,
    CES_RECORD_POLICY, CES_RECORD_GPUS,   CES_RECORD_PORTS,       CES_RECORD_ARGS,
    CES_RECORD_ENV,    CES_RECORD_CPU_US, CES_RECORD_PEAK_MEMORY,
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

static int each(void *context, const struct ces_audit_row *row)
{
	FILE *out = context;

	ces_export_row(out, row);
	return ferror(out) ? -1 : 0;
}

int ces_audit_export(const struct ces_audit *audit)
{
	struct ces_error err = {0};

	ces_export_head(audit->out);
	if (ces_audit_select(audit->reader, &audit->filter, each, audit->out, &err) != 0)
		return ces_tool_fail(&err);
	return CES_TOOL_GOOD;
}
