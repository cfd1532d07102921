/* Judges the records of an image. It must not believe less than the worst in them: of two different
 * statements the newer one counts, and of equally new ones the more careful. A statement that does
 * not name this image, or this version of the package, excuses nothing. */
#include "policy/evidence/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/cleanup.h"
#include "helper/unpack/json_scan.h"
#include "policy/evidence/part.h"

#define COMPARISONS 200000000ull /* a second or so */

/* A number of n digits, and moves behind it; -1 for anything else. */
static int digits(const char **at, int n)
{
	int sum = 0;

	for (int i = 0; i < n; i++) {
		if (**at < '0' || **at > '9')
			return -1;
		sum = sum * 10 + (*(*at)++ - '0');
	}
	return sum;
}

static bool take(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

/* "+01:00" or "+0100" in seconds; false if it is neither. A missing zone is UTC. */
static bool take_zone(const char **at, int *ret)
{
	int sign = **at == '-' ? -1 : 1, hours, minutes;

	*ret = 0;
	if (!take(at, '+') && !take(at, '-'))
		return true;
	hours = digits(at, 2);
	(void)take(at, ':');
	minutes = digits(at, 2);
	*ret = sign * (hours * 60 + minutes) * 60;
	return hours >= 0 && minutes >= 0;
}

int64_t ces_judge_time(const char *text)
{
	struct tm tm = {.tm_year = digits(&text, 4)};
	int zone;

	tm.tm_mon = take(&text, '-') ? digits(&text, 2) : -1;
	tm.tm_mday = take(&text, '-') ? digits(&text, 2) : -1;
	if (tm.tm_year < 1970 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 ||
	    tm.tm_mday > 31)
		return 0;
	if (take(&text, 'T') || take(&text, ' ')) {
		tm.tm_hour = digits(&text, 2);
		tm.tm_min = take(&text, ':') ? digits(&text, 2) : -1;
		tm.tm_sec = take(&text, ':') ? digits(&text, 2) : -1;
	}
	if (take(&text, '.'))
		text += strspn(text, "0123456789");
	if (tm.tm_hour < 0 || tm.tm_min < 0 || tm.tm_sec < 0 || !take_zone(&text, &zone))
		return 0;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	return timegm(&tm) - zone;
}

/* A CycloneDX document in which a person speaks about every vulnerability (VEX) lists those, not
 * all that the image has. It must not pass for the newest scan. */
static bool is_scan(const struct ces_evidence *evidence)
{
	size_t found = 0;

	for (size_t i = 0; i < evidence->vulnerabilities.n; i++)
		found += evidence->vulnerabilities.v[i].status == CES_EVIDENCE_FOUND;
	return ces_evidence_counts(evidence) &&
	       (evidence->format != CES_EVIDENCE_CYCLONEDX ||
		(evidence->packages.n > 0 && (found > 0 || evidence->vulnerabilities.n == 0)));
}

static bool is_sbom(const struct ces_evidence *evidence)
{
	return (evidence->format == CES_EVIDENCE_SPDX ||
		evidence->format == CES_EVIDENCE_CYCLONEDX) &&
	       evidence->packages.n > 0;
}

/* CycloneDX has the statement beside the finding. There the document must name the image. */
static bool is_statement(const struct ces_evidence *evidence)
{
	return evidence->format == CES_EVIDENCE_OPENVEX ||
	       (evidence->format == CES_EVIDENCE_CYCLONEDX && !evidence->by_caller &&
		evidence->vulnerabilities.n > 0);
}

/* A scan knows only what its database knew. */
int64_t ces_judge_made(const struct ces_evidence *evidence)
{
	int64_t made = ces_judge_time(evidence->made);
	int64_t database = ces_judge_time(evidence->database);

	return database > 0 && database < made ? database : made;
}

int ces_judge_set(struct ces_judge *judge, const char *bytes, size_t length, struct ces_error *err)
{
	struct ces_part records, at = {NULL, NULL};

	judge->chosen = true;
	judge->set = calloc(CES_JUDGE_SET, sizeof(*judge->set));
	if (judge->set == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	if (ces_json_scan(bytes, length) != NULL ||
	    !ces_part_is(ces_part_member(ces_part_of(bytes, length), "digest"), judge->digest))
		return ces_error_set(
		    err, CES_E_IMAGE,
		    "the approved evidence is not a list of records of this image");
	records = ces_part_member(ces_part_of(bytes, length), "records");
	while (ces_part_next(records, &at)) {
		if (judge->n_set == CES_JUDGE_SET ||
		    !ces_part_text(at, judge->set[judge->n_set], sizeof(judge->set[0])) ||
		    !ces_digest_valid(judge->set[judge->n_set]))
			return ces_error_set(
			    err, CES_E_IMAGE,
			    "the approved evidence is not a list of records of this image");
		judge->n_set++;
	}
	return 0;
}

/* Returns whether the record is one of the approved ones. If nothing was chosen, all are. */
static bool approved(struct ces_judge *judge, const char *record)
{
	bool found = !judge->chosen;

	for (size_t i = 0; i < judge->n_set; i++) {
		if (strcmp(judge->set[i], record) != 0)
			continue;
		judge->seen[i] = true;
		found = true;
	}
	return found;
}

static int keep_statement(struct ces_judge *judge, struct ces_evidence *evidence,
			  struct ces_error *err)
{
	struct ces_evidence *more =
	    reallocarray(judge->statements, judge->n_statements + 1, sizeof(*judge->statements));

	if (more == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	judge->statements = more;
	more[judge->n_statements++] = *evidence;
	evidence->packages = evidence->vulnerabilities = (struct ces_evidence_rows){NULL, 0, 0};
	return 0;
}

bool ces_judge_newer(const struct ces_judge_age *scan, const struct ces_judge_age *other)
{
	if (scan->made != other->made)
		return scan->made > other->made;
	if (scan->scanned != other->scanned)
		return scan->scanned > other->scanned;
	return strcmp(scan->record, other->record) > 0;
}

static struct ces_judge_age age_of(const struct ces_evidence *evidence, const char *record)
{
	struct ces_judge_age age = {.made = ces_judge_made(evidence),
				    .scanned = ces_judge_time(evidence->made)};

	(void)snprintf(age.record, sizeof(age.record), "%s", record);
	return age;
}

/* Newer ones replace older ones. A scan without a date does not count. */
static bool keep_scan(struct ces_judge *judge, const char *record, struct ces_evidence *evidence)
{
	const struct ces_judge_age age = age_of(evidence, record);
	struct ces_judge_age kept;
	size_t i = 0;

	while (i < CES_SCANS_MAX && judge->facts[i].made != 0 &&
	       judge->scans[i].format != evidence->format)
		i++;
	if (age.made <= 0 || i == CES_SCANS_MAX)
		return false;
	if (judge->facts[i].made != 0) {
		kept = age_of(&judge->scans[i], judge->facts[i].record);
		if (!ces_judge_newer(&age, &kept))
			return false;
		ces_evidence_free(&judge->scans[i]);
	}
	judge->scans[i] = *evidence;
	judge->facts[i].made = age.made;
	memcpy(judge->facts[i].record, age.record, sizeof(age.record));
	return true;
}

/* A CycloneDX document speaks about its own findings like any statement. */
static int copy_statement(struct ces_judge *judge, const struct ces_evidence *evidence,
			  struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	struct ces_evidence copy;
	size_t length = 0;
	int result;

	if (ces_evidence_write(evidence, &bytes, &length, err) < 0 ||
	    ces_evidence_load(bytes, length, &copy, err) < 0)
		return -1;
	result = keep_statement(judge, &copy, err);
	ces_evidence_free(&copy);
	return result;
}

int ces_judge_record(struct ces_judge *judge, const char *record, struct ces_evidence *evidence,
		     struct ces_error *err)
{
	bool counts = approved(judge, record), kept = false;
	int result = 0;

	if (strcmp(evidence->digest, judge->digest) != 0)
		result = ces_error_set(err, CES_E_IMAGE, "report-%.12s... is about another image",
				       record + 7);
	else if (counts && is_sbom(evidence) && strcmp(record, judge->sbom) > 0)
		(void)snprintf(judge->sbom, sizeof(judge->sbom), "%s", record);
	if (result == 0 && counts && is_statement(evidence) && is_scan(evidence))
		result = copy_statement(judge, evidence, err);
	else if (result == 0 && counts && is_statement(evidence))
		result = keep_statement(judge, evidence, err);
	if (result == 0 && is_scan(evidence))
		kept = keep_scan(judge, record, evidence);
	if (!kept)
		ces_evidence_free(evidence);
	return result;
}

static bool same_id(const struct ces_evidence_row *a, const struct ces_evidence_row *b)
{
	for (size_t i = 0; i < 4; i++) {
		const char *left = a->words[i / 2 == 0 ? CES_WORD_ID : CES_WORD_ALIAS];
		const char *right = b->words[i % 2 == 0 ? CES_WORD_ID : CES_WORD_ALIAS];

		if (left[0] != '\0' && strcmp(left, right) == 0)
			return true;
	}
	return false;
}

/* Returns whether the statement is about this finding in this image. */
static bool concerns(enum ces_evidence_format format, const struct ces_evidence_row *statement,
		     const struct ces_evidence_row *finding)
{
	const char *product = statement->words[CES_WORD_PRODUCT];
	const char *package = statement->words[CES_WORD_PACKAGE];
	const char *version = statement->words[CES_WORD_INSTALLED];
	bool of_image = strcmp(product, CES_PRODUCT_IMAGE) == 0;
	bool same_package = strcmp(package, finding->words[CES_WORD_PACKAGE]) == 0;
	bool same_version =
	    version[0] != '\0' && strcmp(version, finding->words[CES_WORD_INSTALLED]) == 0;

	if (!same_id(statement, finding))
		return false;
	if (format == CES_EVIDENCE_OPENVEX && !of_image)
		return strcmp(product, CES_PRODUCT_PACKAGE) == 0 && same_package && same_version;
	if (of_image && package[0] == '\0')
		return true;
	return package[0] != '\0' && same_package && (same_version || version[0] == '\0');
}

/* The newest statement about the finding; of equally new ones the most careful. */
static bool excused(const struct ces_judge *judge, const struct ces_evidence_row *finding)
{
	enum ces_evidence_status status = CES_EVIDENCE_FOUND;
	int64_t newest = -1;

	for (size_t i = 0; i < judge->n_statements; i++) {
		const struct ces_evidence *from = &judge->statements[i];
		int64_t made = ces_judge_time(from->made);

		for (size_t j = 0; j < from->vulnerabilities.n && made >= newest; j++) {
			const struct ces_evidence_row *row = &from->vulnerabilities.v[j];

			if (row->status == CES_EVIDENCE_FOUND ||
			    !concerns(from->format, row, finding))
				continue;
			if (made > newest || row->status < status)
				status = row->status;
			newest = made;
		}
	}
	return status >= CES_EVIDENCE_FIXED;
}

static void count(const struct ces_judge *judge, size_t i, struct ces_scan_facts *ret)
{
	const struct ces_evidence_rows *rows = &judge->scans[i].vulnerabilities;

	*ret = judge->facts[i];
	for (size_t j = 0; j < rows->n; j++) {
		const struct ces_evidence_row *row = &rows->v[j];
		bool fixable = row->words[CES_WORD_FIXED][0] != '\0', is_excused;
		unsigned severity = row->severity;

		if (severity > CES_EVIDENCE_LOW)
			continue;
		is_excused = excused(judge, row);
		ret->found[severity]++;
		ret->excused[severity] += is_excused;
		ret->found[CES_FOUND_FIXABLE + severity] += fixable;
		ret->excused[CES_FOUND_FIXABLE + severity] += fixable && is_excused;
	}
}

static bool too_many(const struct ces_judge *judge)
{
	uint64_t findings = 0, statements = 0;

	for (size_t i = 0; i < CES_SCANS_MAX; i++)
		findings += judge->scans[i].vulnerabilities.n;
	for (size_t i = 0; i < judge->n_statements; i++)
		statements += judge->statements[i].vulnerabilities.n + 1;
	return statements > 0 && findings > COMPARISONS / statements;
}

int ces_judge_end(struct ces_judge *judge, struct ces_evidence_facts *ret, struct ces_error *err)
{
	struct ces_evidence_facts facts = {.n_scans = 0};

	for (size_t i = 0; i < judge->n_set; i++)
		if (!judge->seen[i])
			return ces_error_set(err, CES_E_IMAGE,
					     "report-%.12s..., which was approved, is missing",
					     judge->set[i] + 7);
	if (too_many(judge))
		return ces_error_set(err, CES_E_LIMIT, "it has too many findings and statements");
	for (size_t i = 0; i < CES_SCANS_MAX; i++)
		if (judge->facts[i].made != 0)
			count(judge, i, &facts.scans[facts.n_scans++]);
	memcpy(facts.sbom, judge->sbom, sizeof(facts.sbom));
	*ret = facts;
	return 0;
}

void ces_judge_free(struct ces_judge *judge)
{
	for (size_t i = 0; i < CES_SCANS_MAX; i++)
		ces_evidence_free(&judge->scans[i]);
	for (size_t i = 0; i < judge->n_statements; i++)
		ces_evidence_free(&judge->statements[i]);
	free(judge->statements);
	free(judge->set);
	*judge = (struct ces_judge){.digest = NULL};
}
