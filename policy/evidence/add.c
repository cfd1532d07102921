/* ces-policy evidence add. A report is read by a child that has given up root and gives back the
 * record, which the parent writes with the caller's own rights. The other way round, parsing after
 * giving up root in one process, would leave nobody to write in /etc/ces; and a helper with rights
 * of its own would be one program more to trust. The parent looks at no byte of a report. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "policy/evidence/apart.h"
#include "policy/evidence/command.h"
#include "policy/evidence/judge.h"
#include "policy/evidence/store.h"
#include "policy/tool/input.h"
#include "policy/tool/tool.h"

#define DAY (24 * 60 * 60)

struct job {
	int fd;
	const char *digest;
};

/* What the parent learns beside the record's bytes: the text to show, and the image's digest. */
struct note {
	char digest[CES_DIGEST_LENGTH + 1];
	char text[CES_APART_NOTE - CES_DIGEST_LENGTH - 1];
};
_Static_assert(sizeof(struct note) <= CES_APART_NOTE, "a note fits");

/* The newest statement counts, and one of the future would stay the newest. A day is for time
 * zones, which some tools leave out. */
static int check_date(const struct ces_evidence *evidence, struct ces_error *err)
{
	if (ces_judge_time(evidence->made) > (int64_t)time(NULL) + DAY)
		return ces_error_set(
		    err, CES_E_IMAGE,
		    "its date, %.10s, is more than a day ahead of this machine's clock",
		    evidence->made);
	return 0;
}

static int read_report(void *context, struct ces_apart_result *ret, struct ces_error *err)
{
	const struct job *job = context;
	CES_CLEANUP_FREE char *bytes = NULL;
	struct ces_evidence evidence;
	struct note note = {.digest = ""};
	size_t length = 0;
	int result;

	if (ces_read_file(job->fd, CES_REPORT_MAX, &bytes, &length) != 0)
		return errno == EFBIG ? ces_error_set(err, CES_E_LIMIT, "larger than %u MiB",
						      CES_REPORT_MAX >> 20)
				      : ces_error_errno(err, CES_E_IMAGE, "cannot read it");
	if (ces_evidence_read(bytes, length, job->digest, &evidence, err) != 0)
		return -1;
	memcpy(note.digest, evidence.digest, sizeof(note.digest));
	ces_evidence_say(&evidence, note.text, sizeof(note.text));
	memcpy(ret->note, &note, sizeof(note));
	result = check_date(&evidence, err);
	if (result == 0)
		result = ces_evidence_write(&evidence, &ret->bytes, &ret->length, err);
	ces_evidence_free(&evidence);
	return result;
}

/* Who controls it: the child. Texts are ended and cleaned, and the digest is checked where it
 * becomes a name. */
static int keep(const struct ces_evidence_asked *asked, const struct ces_apart_result *result,
		struct ces_error *err)
{
	struct note note;
	bool is_new = false;

	memcpy(&note, result->note, sizeof(note));
	note.digest[sizeof(note.digest) - 1] = '\0';
	note.text[sizeof(note.text) - 1] = '\0';
	ces_text_clean(note.text);
	if (result->length == 0 ||
	    (asked->digest != NULL && strcmp(asked->digest, note.digest) != 0))
		return ces_error_set(err, CES_E_INTERNAL,
				     "the answer of the process that read it is not valid");
	if (ces_store_put(asked->directory, note.digest, "report", result->bytes, result->length,
			  &is_new, err) != 0)
		return -1;
	printf("%s %s\n    %s\n", note.digest, is_new ? "added" : "was there already", note.text);
	return 0;
}

int ces_evidence_add(const struct ces_evidence_asked *asked, const char *report)
{
	struct ces_apart_result result = {.bytes = NULL};
	struct ces_error err = {0};
	CES_CLEANUP_FD int fd = -1;
	struct job job = {.digest = asked->digest};
	int status;

	if (ces_input_open(report, &fd, &err) != 0)
		return ces_tool_fail(&err);
	job.fd = fd;
	status = ces_apart_run(read_report, &job, CES_EVIDENCE_BYTES, &result, &err);
	if (status != 0)
		(void)ces_error_context(&err, "%s", report);
	else
		status = keep(asked, &result, &err);
	free(result.bytes);
	return status == 0 ? CES_TOOL_GOOD : ces_tool_fail(&err);
}
