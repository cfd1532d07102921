/* The forms in which other programs get records: a table, and events for a SIEM. */
#ifndef CES_POLICY_TOOL_EXPORT_H
#define CES_POLICY_TOOL_EXPORT_H

#include "policy/tool/audit.h"

/* The kinds of record, whatever the form. */
enum ces_export_kind {
	CES_EXPORT_START,    /* a decision on a run */
	CES_EXPORT_PULL,     /* a decision on a pull */
	CES_EXPORT_OTHER,    /* a decision on anything else, and events of later versions */
	CES_EXPORT_STOP,     /* the end of a run */
	CES_EXPORT_PULLED,   /* the end of a pull */
	CES_EXPORT_PROOF,    /* a container compared with its plan */
	CES_EXPORT_STRANGER, /* another user at a port of a run */
	CES_EXPORT_LEFT_OUT, /* denials of which there is only a count */
	CES_EXPORT_KINDS
};

enum ces_export_kind ces_export_kind(const struct ces_record *record);

/* Denied, failed, not as planned, refused. */
bool ces_export_bad(const struct ces_record *record);

/* Milliseconds since 1970 of a time in the journal; 0 if it is none. */
int64_t ces_export_ms(const char *time);

/* A whole number of a record by a key that struct ces_record lacks; -1 if it is absent. */
int64_t ces_export_number(const struct ces_line *line, const char *key);

/* One event as one line: OCSF (JSON) and CEF. */
void ces_export_ocsf(FILE *out, const struct ces_audit_row *row);
void ces_export_cef(FILE *out, const struct ces_audit_row *row);

#endif
