/* Goes from the records of one image to the few values that a decision compares (policy/demand.h).
 * Both ces-parse, for a start, and ces-policy, for people who ask before, use this. */
#ifndef CES_POLICY_EVIDENCE_JUDGE_H
#define CES_POLICY_EVIDENCE_JUDGE_H

#include "policy/demand.h"
#include "policy/evidence/evidence.h"

#define CES_JUDGE_SET 1000 /* records of a set */

struct ces_judge {
	const char *digest; /* the image's */
	bool chosen;        /* an approved set exists: */
	size_t n_set;
	char (*set)[CES_DIGEST_LENGTH + 1];
	bool seen[CES_JUDGE_SET];
	struct ces_evidence scans[CES_SCANS_MAX]; /* the newest of each format */
	struct ces_scan_facts facts[CES_SCANS_MAX];
	struct ces_evidence *statements; /* records that may excuse */
	size_t n_statements;
	char sbom[CES_DIGEST_LENGTH + 1];
};

/* Reads the approved set, before any record. Of the records outside the set only scans count: an
 * excuse or an SBOM must be approved. */
int ces_judge_set(struct ces_judge *judge, const char *bytes, size_t length, struct ces_error *err);

/* CES_E_IMAGE if a record of the set is missing. */
int ces_judge_record(struct ces_judge *judge, const char *record, struct ces_evidence *evidence,
		     struct ces_error *err);

/* CES_E_IMAGE when a record of the set is missing. */
int ces_judge_end(struct ces_judge *judge, struct ces_evidence_facts *ret, struct ces_error *err);

void ces_judge_free(struct ces_judge *judge);

/* The date of a scan, or of its database if that is older; 0: none. */
int64_t ces_judge_made(const struct ces_evidence *evidence);

/* When a scan was made, and by which database: ces_judge_made. */
struct ces_judge_age {
	int64_t made, scanned;
	char record[CES_DIGEST_LENGTH + 1];
};

/* Returns whether a scan replaces another of its format. Two scans with one database are equally
 * old: of these the later one is newer. The last word has the digest, so that the order of a
 * directory does not matter. */
bool ces_judge_newer(const struct ces_judge_age *scan, const struct ces_judge_age *other);

/* Seconds of a time as in reports, "2026-11-20T09:30:00.5+01:00"; 0 if it is none. */
int64_t ces_judge_time(const char *text);

#endif
