/* What the readers of formats share. */
#ifndef CES_POLICY_EVIDENCE_GATHER_H
#define CES_POLICY_EVIDENCE_GATHER_H

#include "policy/evidence/evidence.h"
#include "policy/evidence/part.h"

#define CES_GATHER_TEXT 256 /* of a name, version or id; the rest is cut off */

/* Copies words[0 .. n); the others become "". */
void ces_gather_row(struct ces_evidence *evidence, struct ces_evidence_rows *rows,
		    const char *const *words, size_t n, enum ces_evidence_severity severity,
		    enum ces_evidence_status status);

/* A package by the parts of its name and version. It adds nothing without a name. */
void ces_gather_package(struct ces_evidence *evidence, struct ces_part name,
			struct ces_part version);

/* Remembers the digest in a text: "sha256:...", "NAME@sha256:...", "pkg:oci/NAME@sha256%3A...". */
void ces_gather_digest(struct ces_evidence *evidence, const char *text);
void ces_gather_digest_of(struct ces_evidence *evidence, struct ces_part part);

/* Copies a time, if it begins with a day. */
void ces_gather_time(struct ces_part part, char ret[40]);

/* "NAME VERSION". */
void ces_gather_tool(struct ces_evidence *evidence, struct ces_part name, struct ces_part version);

enum ces_evidence_severity ces_gather_severity(struct ces_part word);

/* By a CVSS score, a number or its text: the ratings of CVSS 3.1, section 5. Unknown for anything
 * else. */
enum ces_evidence_severity ces_gather_score(struct ces_part score);

/* Sorts, makes one row of equal ones, and counts. */
void ces_gather_end(struct ces_evidence *evidence);

/* Only counts, and returns whether sorting would change nothing. */
void ces_gather_count(struct ces_evidence *evidence);
bool ces_gather_sorted(const struct ces_evidence_rows *rows);

/* A reader of a format fills in the content of the document. It must not print, and must set
 * `format`. */
typedef int ces_evidence_reader(struct ces_evidence *evidence, struct ces_part document,
				struct ces_error *err);

ces_evidence_reader ces_read_trivy, ces_read_grype, ces_read_sarif, ces_read_spdx,
    ces_read_cyclonedx, ces_read_openvex, ces_read_statement, ces_read_envelope, ces_read_bundle,
    ces_read_record;

/* Finds the reader by the document's own keys; NULL for none, or for more than one. *ret_known is
 * their number. */
ces_evidence_reader *ces_gather_recognise(struct ces_part document, size_t *ret_known);

#endif
