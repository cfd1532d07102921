/* What the audit commands share: their options, and the choice of records. */
#ifndef CES_POLICY_TOOL_AUDIT_H
#define CES_POLICY_TOOL_AUDIT_H

#include <stdio.h>

#include "common/name.h"
#include "policy/receipt/signer.h"
#include "policy/tool/journal.h"
#include "policy/tool/record.h"

struct ces_policy;

/* The filter of the command line; NULL: not given. */
struct ces_audit_filter {
	const char *user, *project, *image, *digest, *outcome, *since, *until, *run;
};

/* The files of a directory about one run; and a receipt of it, with the key that signed it, and the
 * ces-run.json of its outputs, which come from elsewhere (NULL and -1: none). */
struct ces_crate {
	FILE *metadata, *records, *table, *receipt, *manifest;
	const char *from, *key, *outputs;
	int from_fd, key_fd, outputs_fd;
};

/* The options of a review; NULL: not given. */
struct ces_review_asked {
	const char *from, *to; /* days */
	const char *note, *by;
	const char *record, *list, *policy; /* files */
	bool no_host;
	int fd;                    /* of record or list */
	struct ces_policy *parsed; /* or NULL */
};

/* What signs a head, or checks signed ones; NULL: not given. */
struct ces_anchor {
	const char *key, *policy, *against;
	bool sign, syslog;
	int fd, key_fd; /* of policy or against, and of its key; or -1 */
	int log_fd;
	struct ces_signer signer;
};

struct ces_audit {
	const char *journal;
	struct ces_audit_filter filter;
	const char *expect; /* verify: "SEQ:sha256:..." */
	const char *output; /* export */
	const char *crate;  /* export */
	const char *format; /* export: "csv", "ocsf", "cef" or NULL */
	struct ces_crate crate_files;
	bool json, strict;
	struct ces_journal_reader *reader;
	struct ces_journal_reader *chain; /* review: a second one */
	struct ces_review_asked review;
	struct ces_anchor anchor;
	FILE *out;
};

#define CES_TIME_TEXT 32 /* a time of the journal */

/* A record that passed the filter. An end names neither user, project nor GPUs by itself; they are
 * those of the decision it belongs to, where that was seen. */
struct ces_audit_row {
	const struct ces_line *line;
	const struct ces_record *record;
	const char *user, *project; /* "" when unknown */
	const char *started;        /* of an end: the time of its decision, or "" */
	uint64_t gpus;
};

/* Calls `each` for every record that passes the filter, oldest first. It counts lines that are no
 * records, and reports them on stderr. -1 with err if a file cannot be read, or `each` failed. */
int ces_audit_select(struct ces_journal_reader *reader, const struct ces_audit_filter *filter,
		     int (*each)(void *, const struct ces_audit_row *), void *context,
		     struct ces_error *err);

/* The user of a row: the name, or the uid. The journal has "?" for each byte outside ASCII, so two
 * users may have such a name, and the uid comes with it. */
#define CES_AUDIT_USER 96
void ces_audit_user(const struct ces_audit_row *row, char ret[CES_AUDIT_USER]);

/* Checks the words of the filter. */
int ces_audit_filter_check(const struct ces_audit_filter *filter, struct ces_error *err);

struct ces_heads;

/* A journal under examination. Set reader, zero the rest but what is wanted of expect
 * ("SEQ:sha256:..." or NULL), heads and each. */
struct ces_verify {
	struct ces_journal_reader *reader;
	const char *expect;      /* or NULL */
	struct ces_heads *heads; /* signed before, to be found in the journal; or NULL */
	/* Called for each record that follows from the previous one; -1 ends it. Or NULL. */
	int (*each)(void *context, const struct ces_verify *v, const struct ces_line *line);
	void *context;
	char digest[CES_DIGEST_LENGTH + 1]; /* of the line before; "" at the start */
	uint64_t seq, first_seq;            /* of the line before; of the first */
	uint64_t chain_first;               /* of the first of the chain that it is in */
	/* The same of the line before a torn one, while no record has confirmed that. */
	char sure_digest[CES_DIGEST_LENGTH + 1];
	uint64_t sure_seq;
	uint64_t records, torn, restarts, expected_seq;
	char first_time[40], time[40], backwards[40];
	bool expected_seen, open_torn;
	const char *bad; /* NULL: intact so far */
	struct ces_line at;
};

/* Reads to the end, or to the first bad line. -1 if expect makes no sense; v->bad may point into
 * *err, which must outlive it. */
int ces_audit_judge(struct ces_verify *v, struct ces_error *err);

/* What an intact journal does not prove. A report must not leave this out where it calls a journal
 * intact. */
#define CES_VERIFY_NOTES 4
#define CES_VERIFY_NOTE  128
size_t ces_audit_notes(const struct ces_verify *v, char ret[CES_VERIFY_NOTES][CES_VERIFY_NOTE]);

/* The same after an answer: "; note: records before number 6 are not here" and so on; "" for none.
 */
#define CES_VERIFY_SAID (CES_VERIFY_NOTES * (CES_VERIFY_NOTE + 8))
void ces_audit_say_notes(const struct ces_verify *v, char *ret, size_t size);

int ces_audit_verify(const struct ces_audit *audit);
int ces_audit_list(const struct ces_audit *audit);
int ces_audit_show(const struct ces_audit *audit);
int ces_audit_export(const struct ces_audit *audit);
int ces_audit_crate(const struct ces_audit *audit);
int ces_audit_review(const struct ces_audit *audit);

/* Prints a run's proof for people. tree is a record of that event, which anybody may have made. */
struct json_object;
void ces_show_proof(FILE *out, struct json_object *tree);

/* The first line of a table, and the line of a record. */
void ces_export_head(FILE *out);
void ces_export_row(FILE *out, const struct ces_audit_row *row);

/* Checks the form of the export. -1 if it is none, after listing the forms. */
int ces_export_format(const char *word);

int ces_crate_make(const char *path, struct ces_crate *ret, struct ces_error *err);
int ces_crate_close(struct ces_crate *crate);

/* How a request came out, in a word or two: "allowed", "denied", "exit 0", "time limit". */
const char *ces_audit_outcome(const struct ces_record *record, char *buffer, size_t size);

#endif
