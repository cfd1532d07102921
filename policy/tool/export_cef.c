/* ces-policy audit export --format cef: records as events in ArcSight's Common Event Format,
 * version 0 (Implementation Standard, revision 25). A value must never begin a new field, key or
 * line.
 */
#include <string.h>

#include "client/version.h"
#include "common/cleanup.h"
#include "policy/tool/export.h"

#define TEXT 2048

static const struct {
	const char *name;
	int good, bad; /* severity, 0 to 10 */
} kinds[CES_EXPORT_KINDS] = {
    [CES_EXPORT_START] = {"run requested", 1, 5},
    [CES_EXPORT_PULL] = {"pull requested", 1, 5},
    [CES_EXPORT_OTHER] = {"other request", 1, 5},
    [CES_EXPORT_STOP] = {"run ended", 1, 3},
    [CES_EXPORT_PULLED] = {"pull ended", 1, 3},
    [CES_EXPORT_PROOF] = {"container compared", 1, 9},
    [CES_EXPORT_STRANGER] = {"port refused", 6, 6},
    [CES_EXPORT_LEFT_OUT] = {"denials counted", 5, 5},
};

/* Keys of CEF for what a record has as text. A custom string has a label beside it. */
static const struct {
	enum ces_record_key key;
	const char *name, *label;
} texts[] = {
    {CES_RECORD_VERB, "act", NULL},          {CES_RECORD_OUTCOME, "outcome", NULL},
    {CES_RECORD_REASON, "reason", NULL},     {CES_RECORD_IMAGE, "cs2", "image"},
    {CES_RECORD_DIGEST, "cs3", "digest"},    {CES_RECORD_RULE, "cs4", "rule"},
    {CES_RECORD_RUN, "cs5", "run"},          {CES_RECORD_APPROVAL, "cs6", "approval"},
    {CES_RECORD_MANIFEST, "fileHash", NULL}, {CES_RECORD_CHECK, "flexString1", "check of outputs"},
    {CES_RECORD_WITHHELD, "filePath", NULL},
};

static const struct {
	enum ces_record_key key;
	const char *name, *label;
} numbers[] = {
    {CES_RECORD_SEQ, "externalId", NULL},           {CES_RECORD_COUNT, "cnt", NULL},
    {CES_RECORD_STATUS, "cn1", "status"},           {CES_RECORD_GPUS, "cn2", "gpus"},
    {CES_RECORD_CPU_US, "cn3", "cpu microseconds"},
};

/* A field before the extension: a backslash before \ and |. Lines cannot occur in one. */
static void put_field(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\\' || *text == '|')
			fputc('\\', out);
		fputc(*text == '\n' || *text == '\r' ? ' ' : *text, out);
	}
	fputc('|', out);
}

/* A value of the extension: a backslash before \ and =; \n and \r for lines. */
static void put_value(FILE *out, const char *key, const char *text)
{
	if (*text == '\0')
		return;
	fprintf(out, " %s=", key);
	for (; *text != '\0'; text++) {
		if (*text == '\n')
			fputs("\\n", out);
		else if (*text == '\r')
			fputs("\\r", out);
		else
			fprintf(out, "%s%c", *text == '\\' || *text == '=' ? "\\" : "", *text);
	}
}

static void put_labelled(FILE *out, const char *key, const char *label, const char *text)
{
	char name[32];

	put_value(out, key, text);
	if (label == NULL || *text == '\0')
		return;
	snprintf(name, sizeof(name), "%sLabel", key);
	put_value(out, name, label);
}

/* A stranger is the source, and the run's owner the destination. Else the user is the source. */
static void put_users(FILE *out, const struct ces_audit_row *row)
{
	int64_t stranger = ces_export_kind(row->record) == CES_EXPORT_STRANGER
			       ? ces_export_number(row->line, "stranger")
			       : -1;
	int64_t port = stranger >= 0 ? ces_export_number(row->line, "port") : -1;
	const char *uid = stranger >= 0 ? "duid" : "suid";

	if (row->record->field[CES_RECORD_UID].at != NULL)
		fprintf(out, " %s=%llu", uid,
			(unsigned long long)ces_record_number(row->record, CES_RECORD_UID));
	put_value(out, stranger >= 0 ? "duser" : "suser", row->user);
	if (stranger >= 0)
		fprintf(out, " suid=%lld", (long long)stranger);
	if (port >= 0)
		fprintf(out, " dpt=%lld", (long long)port);
}

void ces_export_cef(FILE *out, const struct ces_audit_row *row)
{
	enum ces_export_kind kind = ces_export_kind(row->record);
	char text[TEXT];

	fputs("CEF:0|CES|Container Execution Service|" CES_VERSION "|", out);
	put_field(out, ces_record_lines(row->record, CES_RECORD_EVENT, text, sizeof(text)));
	put_field(out, kinds[kind].name);
	fprintf(out, "%d|rt=%lld", ces_export_bad(row->record) ? kinds[kind].bad : kinds[kind].good,
		(long long)ces_export_ms(
		    ces_record_text(row->record, CES_RECORD_TIME, text, sizeof(text))));
	put_users(out, row);
	put_labelled(out, "cs1", "project", row->project);
	for (size_t i = 0; i < CES_COUNT(texts); i++)
		put_labelled(out, texts[i].name, texts[i].label,
			     ces_record_lines(row->record, texts[i].key, text, sizeof(text)));
	for (size_t i = 0; i < CES_COUNT(numbers); i++)
		put_labelled(out, numbers[i].name, numbers[i].label,
			     ces_record_text(row->record, numbers[i].key, text, sizeof(text)));
	fputc('\n', out);
}
