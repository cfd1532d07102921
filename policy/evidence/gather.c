/* Collects what the readers find. It copies everything as printable ASCII, and counts it against
 * its limit. It must not drop a row in silence: a report beyond a limit is refused. */
#include "policy/evidence/gather.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/cleanup.h"

const char *const ces_evidence_formats[CES_EVIDENCE_FORMATS] = {
    [CES_EVIDENCE_TRIVY] = "trivy",         [CES_EVIDENCE_GRYPE] = "grype",
    [CES_EVIDENCE_SARIF] = "sarif",         [CES_EVIDENCE_SPDX] = "spdx",
    [CES_EVIDENCE_CYCLONEDX] = "cyclonedx", [CES_EVIDENCE_OPENVEX] = "openvex",
    [CES_EVIDENCE_STATEMENT] = "in-toto",   [CES_EVIDENCE_RECORD] = "record",
};
const char *const ces_evidence_severities[CES_EVIDENCE_SEVERITIES] = {
    "critical", "high", "medium", "low", "negligible", "unknown",
};
const char *const ces_evidence_statuses[CES_EVIDENCE_STATUSES] = {
    "found", "affected", "under_investigation", "fixed", "not_affected",
};

static struct ces_evidence_row *new_row(struct ces_evidence *evidence,
					struct ces_evidence_rows *rows)
{
	size_t cap = rows->cap * 2 + 256;
	struct ces_evidence_row *v;

	if (rows->n == CES_EVIDENCE_ROWS_MAX) {
		evidence->rows_too_many = true;
		return NULL;
	}
	if (rows->n < rows->cap)
		return &rows->v[rows->n];
	v = reallocarray(rows->v, cap, sizeof(*v));
	if (v == NULL) {
		evidence->no_memory = true;
		return NULL;
	}
	rows->v = v;
	rows->cap = cap;
	return &rows->v[rows->n];
}

void ces_gather_row(struct ces_evidence *evidence, struct ces_evidence_rows *rows,
		    const char *const *words, size_t n, enum ces_evidence_severity severity,
		    enum ces_evidence_status status)
{
	struct ces_evidence_row *row = new_row(evidence, rows);
	size_t length = 1;
	char *text;

	if (row == NULL)
		return;
	for (size_t i = 0; i < n; i++)
		length += strlen(words[i]) + 1;
	text = calloc(1, length);
	if (text == NULL) {
		evidence->no_memory = true;
		return;
	}
	for (size_t i = 0; i < CES_EVIDENCE_WORDS; i++) {
		row->words[i] = text;
		if (i < n)
			text = stpcpy(text, words[i]) + (i + 1 < CES_EVIDENCE_WORDS);
	}
	row->severity = severity;
	row->status = status;
	rows->n++;
}

void ces_gather_package(struct ces_evidence *evidence, struct ces_part name,
			struct ces_part version)
{
	char words[2][CES_GATHER_TEXT];

	(void)ces_part_text(version, words[1], sizeof(words[1]));
	if (ces_part_text(name, words[0], sizeof(words[0])) && words[0][0] != '\0')
		ces_gather_row(evidence, &evidence->packages,
			       (const char *const[]){words[0], words[1]}, 2, CES_EVIDENCE_UNKNOWN,
			       CES_EVIDENCE_FOUND);
}

void ces_gather_digest(struct ces_evidence *evidence, const char *text)
{
	const char *at = strrchr(text, '@');
	char digest[CES_DIGEST_LENGTH + 1];

	at = at != NULL ? at + 1 : text;
	if (strncasecmp(at, "sha256%3a", 9) == 0)
		at += 9;
	else if (strncmp(at, "sha256:", 7) == 0)
		at += 7;
	else
		return;
	/* "pkg:oci/NAME@sha256%3A...?arch=amd64" goes on after it. */
	snprintf(digest, sizeof(digest), "sha256:%.*s", (int)strcspn(at, "?#"), at);
	if (!ces_digest_valid(digest) || strcspn(at, "?#") != 64)
		return;
	for (size_t i = 0; i < evidence->n_named; i++)
		if (strcmp(evidence->named[i], digest) == 0)
			return;
	if (evidence->n_named == CES_EVIDENCE_NAMED) {
		evidence->named_too_many = true;
		return;
	}
	memcpy(evidence->named[evidence->n_named++], digest, sizeof(digest));
}

void ces_gather_digest_of(struct ces_evidence *evidence, struct ces_part part)
{
	char text[1024];

	if (ces_part_text(part, text, sizeof(text)))
		ces_gather_digest(evidence, text);
}

void ces_gather_time(struct ces_part part, char ret[40])
{
	static const char form[] = "dddd-dd-dd";
	char text[40];
	size_t i = 0;

	if (!ces_part_text(part, text, sizeof(text)))
		return;
	while (form[i] != '\0' &&
	       (form[i] == 'd' ? text[i] >= '0' && text[i] <= '9' : text[i] == form[i]))
		i++;
	if (form[i] == '\0' && text[strspn(text, "0123456789-+:.TZ ")] == '\0')
		memcpy(ret, text, sizeof(text));
}

void ces_gather_tool(struct ces_evidence *evidence, struct ces_part name, struct ces_part version)
{
	char text[40];

	(void)ces_part_text(name, evidence->tool, 48);
	if (ces_part_text(version, text, sizeof(text)) && text[0] != '\0')
		snprintf(evidence->tool + strlen(evidence->tool), sizeof(text) + 1, " %s", text);
}

enum ces_evidence_severity ces_gather_severity(struct ces_part word)
{
	char text[16];

	(void)ces_part_text(word, text, sizeof(text));
	for (unsigned i = 0; i < CES_EVIDENCE_SEVERITIES; i++)
		if (strcasecmp(text, ces_evidence_severities[i]) == 0)
			return (enum ces_evidence_severity)i;
	/* words of CycloneDX */
	if (strcmp(text, "info") == 0 || strcmp(text, "none") == 0)
		return CES_EVIDENCE_NEGLIGIBLE;
	return CES_EVIDENCE_UNKNOWN;
}

enum ces_evidence_severity ces_gather_score(struct ces_part score)
{
	char text[16], *end;
	double number;

	if (!ces_part_text(score, text, sizeof(text)))
		(void)snprintf(text, sizeof(text), "%.*s",
			       score.at != NULL ? (int)(score.end - score.at) : 0,
			       score.at != NULL ? score.at : "");
	number = strtod(text, &end);
	if (text[0] < '0' || text[0] > '9' || *end != '\0')
		return CES_EVIDENCE_UNKNOWN;
	if (number >= 9.0)
		return CES_EVIDENCE_CRITICAL;
	if (number >= 7.0)
		return CES_EVIDENCE_HIGH;
	if (number >= 4.0)
		return CES_EVIDENCE_MEDIUM;
	return number > 0.0 ? CES_EVIDENCE_LOW : CES_EVIDENCE_NEGLIGIBLE;
}

/* Of equal rows the worse one comes first. */
static int compare(const void *left, const void *right)
{
	const struct ces_evidence_row *a = left, *b = right;

	for (size_t i = 0; i < 3; i++) {
		int order = strcmp(a->words[i], b->words[i]);

		if (order != 0)
			return order;
	}
	if (a->severity != b->severity)
		return a->severity < b->severity ? -1 : 1;
	if (a->status != b->status)
		return a->status < b->status ? -1 : 1;
	for (size_t i = 3; i < CES_EVIDENCE_WORDS; i++) {
		int order = strcmp(a->words[i], b->words[i]);

		if (order != 0)
			return order;
	}
	return 0;
}

static bool same(const struct ces_evidence_row *a, const struct ces_evidence_row *b)
{
	return strcmp(a->words[0], b->words[0]) == 0 && strcmp(a->words[1], b->words[1]) == 0 &&
	       strcmp(a->words[2], b->words[2]) == 0 &&
	       strcmp(a->words[CES_WORD_PRODUCT], b->words[CES_WORD_PRODUCT]) == 0;
}

/* Equal rows become one that says the worst of each. The first has the worst severity already. */
static void merge(struct ces_evidence_row *kept, struct ces_evidence_row *row)
{
	if (row->status < kept->status)
		kept->status = row->status;
	if (kept->words[CES_WORD_FIXED][0] != '\0' || row->words[CES_WORD_FIXED][0] == '\0') {
		free(row->words[0]);
		return;
	}
	free(kept->words[0]);
	memcpy(kept->words, row->words, sizeof(kept->words));
}

bool ces_gather_sorted(const struct ces_evidence_rows *rows)
{
	for (size_t i = 1; i < rows->n; i++)
		if (compare(&rows->v[i - 1], &rows->v[i]) >= 0 ||
		    same(&rows->v[i - 1], &rows->v[i]))
			return false;
	return true;
}

static void sort(struct ces_evidence_rows *rows)
{
	size_t kept = 0;

	if (rows->n > 1)
		qsort(rows->v, rows->n, sizeof(rows->v[0]), compare);
	for (size_t i = 0; i < rows->n; i++) {
		if (kept > 0 && same(&rows->v[kept - 1], &rows->v[i]))
			merge(&rows->v[kept - 1], &rows->v[i]);
		else
			rows->v[kept++] = rows->v[i];
	}
	rows->n = kept;
}

bool ces_evidence_counts(const struct ces_evidence *evidence)
{
	if (evidence->format == CES_EVIDENCE_CYCLONEDX)
		return evidence->vulnerabilities.n > 0;
	return evidence->format == CES_EVIDENCE_TRIVY || evidence->format == CES_EVIDENCE_GRYPE ||
	       evidence->format == CES_EVIDENCE_SARIF;
}

/* A finding that a person calls fixed, or not relevant to the image, is listed and not counted. */
void ces_gather_count(struct ces_evidence *evidence)
{
	memset(evidence->counts, 0, sizeof(evidence->counts));
	for (size_t i = 0; i < evidence->vulnerabilities.n && ces_evidence_counts(evidence); i++) {
		const struct ces_evidence_row *row = &evidence->vulnerabilities.v[i];

		if (row->status < CES_EVIDENCE_FIXED)
			evidence->counts[row->severity][row->words[CES_WORD_FIXED][0] != '\0']++;
	}
}

void ces_gather_end(struct ces_evidence *evidence)
{
	sort(&evidence->packages);
	sort(&evidence->vulnerabilities);
	ces_gather_count(evidence);
}

static void free_rows(struct ces_evidence_rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		free(rows->v[i].words[0]);
	free(rows->v);
	*rows = (struct ces_evidence_rows){NULL, 0, 0};
}

void ces_evidence_free(struct ces_evidence *evidence)
{
	free_rows(&evidence->packages);
	free_rows(&evidence->vulnerabilities);
}
