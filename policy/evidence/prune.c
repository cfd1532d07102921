/* ces-policy evidence prune: removes scans that a newer one of the same scanner has replaced. A
 * rule that demands a scan has every report about its image read at each start, and so a nightly
 * scan should not stay for ever. It must not remove what an approval went by, nor anything but
 * scans.
 *
 * As in add, a child that has given up root reads the records. The parent gets lines of digests,
 * and makes a name of each word only if it is a digest. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "policy/evidence/apart.h"
#include "policy/evidence/command.h"
#include "policy/evidence/judge.h"
#include "policy/evidence/store.h"
#include "policy/evidence/store_names.h"
#include "policy/tool/tool.h"

#define DAY  (24 * 60 * 60)
#define LINE (2 * (CES_DIGEST_LENGTH + 1)) /* "IMAGE RECORD\n" */
#define MOST (CES_EVIDENCE_RECORDS * 1000 * LINE)

struct scan {
	struct ces_judge_age age;
	enum ces_evidence_format format;
	bool kept;
};

struct prune {
	int dir;
	FILE *out;
	struct scan *scans; /* CES_EVIDENCE_RECORDS of one image */
	size_t n;
	struct ces_error *err;
};

static bool is_scan(enum ces_evidence_format format)
{
	return format == CES_EVIDENCE_TRIVY || format == CES_EVIDENCE_GRYPE ||
	       format == CES_EVIDENCE_SARIF;
}

static int take_record(void *context, const char *record, const struct ces_evidence *evidence)
{
	struct prune *prune = context;
	struct scan *scan = &prune->scans[prune->n];
	const int64_t made = ces_judge_made(evidence);

	if (!is_scan(evidence->format) || prune->n == CES_EVIDENCE_RECORDS)
		return 0;
	/* a scan without a date, or with one to come, replaces none: no start takes it */
	scan->format = evidence->format;
	scan->age.made = made > 0 && made <= (int64_t)time(NULL) + DAY ? made : 0;
	scan->age.scanned = ces_judge_time(evidence->made);
	scan->kept = scan->age.made == 0;
	snprintf(scan->age.record, sizeof(scan->age.record), "%s", record);
	prune->n++;
	return 0;
}

static int keep_record(void *context, const char *record)
{
	struct prune *prune = context;

	for (size_t i = 0; i < prune->n; i++)
		prune->scans[i].kept |= strcmp(prune->scans[i].age.record, record) == 0;
	return 0;
}

static int take_image(void *context, const char *digest)
{
	struct prune *prune = context;

	prune->n = 0;
	if (ces_store_records(prune->dir, digest, take_record, prune, prune->err) != 0 ||
	    ces_store_approved(prune->dir, digest, keep_record, prune, prune->err) != 0)
		return -1;
	for (size_t i = 0; i < prune->n; i++) {
		bool replaced = false;

		for (size_t j = 0; j < prune->n && !replaced; j++)
			replaced = prune->scans[j].format == prune->scans[i].format &&
				   ces_judge_newer(&prune->scans[j].age, &prune->scans[i].age);
		if (replaced && !prune->scans[i].kept)
			fprintf(prune->out, "%s %s\n", digest, prune->scans[i].age.record);
	}
	return 0;
}

static int find(void *context, struct ces_apart_result *ret, struct ces_error *err)
{
	struct scan *scans = calloc(CES_EVIDENCE_RECORDS, sizeof(*scans));
	struct prune prune = {.dir = *(const int *)context,
			      .out = open_memstream(&ret->bytes, &ret->length),
			      .scans = scans,
			      .err = err};
	int result = -1;

	if (scans == NULL || prune.out == NULL)
		(void)ces_error_set(err, CES_E_HOST, "out of memory");
	else
		result = ces_store_images(prune.dir, take_image, &prune, err);
	free(scans);
	if (prune.out != NULL && fclose(prune.out) != 0 && result == 0)
		result = ces_error_set(err, CES_E_HOST, "out of memory");
	return result;
}

static int remove_one(const struct ces_evidence_asked *asked, int dir, const char *line,
		      struct ces_error *err)
{
	char folder[CES_STORE_NAME], name[CES_STORE_NAME], path[2 * CES_STORE_NAME];
	char image[CES_DIGEST_LENGTH + 1], record[CES_DIGEST_LENGTH + 1];

	snprintf(image, sizeof(image), "%s", line);
	snprintf(record, sizeof(record), "%s", line + CES_DIGEST_LENGTH + 1);
	if (!ces_digest_valid(image) || !ces_digest_valid(record))
		return ces_error_set(err, CES_E_INTERNAL,
				     "the answer of the process that read it is not valid");
	ces_store_folder(image, folder);
	ces_store_name("report", record, name);
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (!asked->dry_run && unlinkat(dir, path, 0) != 0 && errno != ENOENT)
		return ces_error_errno(err, CES_E_HOST, "%s", path);
	printf("%s %s\n", path, asked->dry_run ? "would be removed" : "removed");
	return 0;
}

int ces_evidence_prune(const struct ces_evidence_asked *asked)
{
	struct ces_apart_result result = {.bytes = NULL};
	struct ces_error err = {0};
	CES_CLEANUP_FD int dir = -1;
	int status = ces_store_open(asked->directory, &dir, &err);

	if (status == 0)
		status = ces_apart_run(find, &dir, MOST, &result, &err);
	for (size_t at = 0; status == 0 && at + LINE <= result.length; at += LINE)
		status = remove_one(asked, dir, result.bytes + at, &err);
	if (status == 0 && result.length == 0)
		printf("no scan was replaced by a newer one\n");
	free(result.bytes);
	return status == 0 ? CES_TOOL_GOOD : ces_tool_fail(&err);
}
