/* Gathers the evidence about the digest that a rule locks, and has a ces-parse read it. Must not
 * look into a record.
 *
 * Who controls what: root controls the directory and every file that is taken, or nothing is. The
 * records were made from reports of strangers, so an unprivileged process reads them, which sees
 * those of one image and nothing else. A file that changes afterwards counts at the next start: the
 * bytes whose digest is compared are the bytes that are read, in one sealed memfd. */
#include "helper/admit/evidence.h"

#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "helper/core/ask.h"
#include "helper/core/beneath.h"
#include "policy/demand.h"

struct files {
	FILE *out;
	size_t left;
	struct ces_error err;
};

/* ces-parse compares each name with its bytes; other files are not ours. */
static void take(int dir, const char *name, void *context)
{
	struct files *files = context;
	CES_CLEANUP_FREE char *bytes = NULL;
	struct ces_parse_file file = {.length = 0};
	size_t length = 0;

	if (files->err.code != CES_OK ||
	    (strncmp(name, "report-", 7) != 0 && strncmp(name, "approved-", 9) != 0))
		return;
	if (ces_policy_read_in(dir, name, CES_PARSE_FILES, &bytes, &length, &files->err) < 0)
		return;
	(void)snprintf(file.name, sizeof(file.name), "%s", name);
	file.length = length;
	if (sizeof(file) + length > files->left)
		(void)ces_error_set(&files->err, CES_E_LIMIT,
				    "it has more than %u MiB: type ces-policy evidence prune",
				    CES_PARSE_FILES >> 20);
	else if (fwrite(&file, sizeof(file), 1, files->out) != 1 ||
		 fwrite(bytes, 1, length, files->out) != length)
		(void)ces_error_set(&files->err, CES_E_HOST, "out of memory");
	else
		files->left -= sizeof(file) + length;
}

static int gather(const struct ces_decision *decision, FILE *out, struct ces_error *err)
{
	struct files files = {.out = out, .left = CES_PARSE_FILES};
	struct ces_parse_evidence head = {.digest = ""};
	CES_CLEANUP_FD int dir = -1;
	char path[128];

	memcpy(head.digest, decision->locked_digest, sizeof(head.digest));
	memcpy(head.approved_by, decision->approved_by, sizeof(head.approved_by));
	files.left -= sizeof(head);
	(void)snprintf(path, sizeof(path), CES_EVIDENCE_DIR "/sha256-%.64s", head.digest + 7);
	if (ces_policy_open_directory(path, &dir, err) < 0)
		return -1;
	if (fwrite(&head, sizeof(head), 1, out) != 1 ||
	    (dir >= 0 && ces_beneath_each(dir, take, &files) < 0))
		return ces_error_errno(err, CES_E_HOST, "reading %s", path);
	if (files.err.code == CES_OK)
		return 0;
	*err = files.err;
	return -1;
}

/* "" or a digest: it may go on record. */
static bool is_record(const char text[CES_DIGEST_LENGTH + 1])
{
	return text[0] == '\0' || (text[CES_DIGEST_LENGTH] == '\0' && ces_digest_valid(text));
}

static bool is_answer(const struct ces_evidence_facts *facts)
{
	bool good = is_record(facts->sbom);

	for (size_t i = 0; i < CES_SCANS_MAX; i++)
		good = good && is_record(facts->scans[i].record);
	return good;
}

static int read_facts(const struct ces_decision *decision, struct ces_evidence_facts *ret,
		      struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	CES_CLEANUP_FREE uint8_t *block = NULL;
	size_t length = 0, got = 0;
	FILE *out = open_memstream(&bytes, &length);
	int result = out == NULL ? -1 : gather(decision, out, err);

	if (out == NULL || fclose(out) != 0)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	if (result < 0 ||
	    ces_ask(CES_PARSE_EVIDENCE, NULL, bytes, length, CES_E_DENIED, &block, &got, err) < 0)
		return -1;
	if (got == sizeof(*ret)) {
		memcpy(ret, block, sizeof(*ret));
		if (is_answer(ret))
			return 0;
	}
	return ces_error_set(err, CES_E_HOST, "ces-parse gave no answer");
}

int ces_evidence_check(struct ces_decision *decision, time_t now, struct ces_error *err)
{
	struct ces_evidence_facts facts;
	struct ces_error why = {0};
	char text[CES_ERROR_TEXT];

	if (!ces_demand_any(&decision->demand))
		return 0;
	if (read_facts(decision, &facts, &why) == 0)
		return ces_decide_demand(decision, &facts, now, err);
	(void)snprintf(text, sizeof(text), "the evidence about this image cannot be used: %.300s",
		       why.text);
	return ces_demand_deny(decision, decision->approved_by[0] != '\0' ? "evidence" : "scan",
			       text, err);
}
