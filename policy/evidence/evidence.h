/* What a report about an image says, in one form for all tools. A report comes from anywhere: it is
 * read by a process without privilege, within bounds, and nothing of it is believed but shown.
 *
 * Formats, by their published descriptions: Trivy's JSON (schema 2), Grype's JSON, SARIF 2.1.0,
 * SPDX 2.2 and 2.3 as JSON, CycloneDX 1.2 to 1.7 as JSON, OpenVEX 0.0.1 to 0.2.0, in-toto Statement
 * 0.1 and 1 with one of these or another predicate, alone, in a DSSE envelope, or in a bundle of
 * Sigstore. Signatures of envelopes are not checked here. */
#ifndef CES_POLICY_EVIDENCE_EVIDENCE_H
#define CES_POLICY_EVIDENCE_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/name.h"

#define CES_REPORT_MAX        (256u * 1024 * 1024) /* bytes of a report */
#define CES_EVIDENCE_BYTES    (64u * 1024 * 1024)  /* of a record */
#define CES_EVIDENCE_ROWS_MAX 100000               /* packages, and vulnerabilities */
#define CES_EVIDENCE_NAMED    64                   /* digests that a report names */

enum ces_evidence_format {
	CES_EVIDENCE_TRIVY,
	CES_EVIDENCE_GRYPE,
	CES_EVIDENCE_SARIF,
	CES_EVIDENCE_SPDX,
	CES_EVIDENCE_CYCLONEDX,
	CES_EVIDENCE_OPENVEX,
	CES_EVIDENCE_STATEMENT, /* in-toto, of another kind than those above */
	CES_EVIDENCE_RECORD,    /* our own */
	CES_EVIDENCE_FORMATS,
};

/* The worst first. */
enum ces_evidence_severity {
	CES_EVIDENCE_CRITICAL,
	CES_EVIDENCE_HIGH,
	CES_EVIDENCE_MEDIUM,
	CES_EVIDENCE_LOW,
	CES_EVIDENCE_NEGLIGIBLE,
	CES_EVIDENCE_UNKNOWN,
	CES_EVIDENCE_SEVERITIES,
};

/* What a person says about a vulnerability in this image. The most careful first. */
enum ces_evidence_status {
	CES_EVIDENCE_FOUND, /* nothing but that it was found */
	CES_EVIDENCE_AFFECTED,
	CES_EVIDENCE_INVESTIGATED,
	CES_EVIDENCE_FIXED,
	CES_EVIDENCE_NOT_AFFECTED,
	CES_EVIDENCE_STATUSES,
};

enum ces_evidence_word {
	CES_WORD_NAME = 0, /* of a package */
	CES_WORD_VERSION = 1,
	CES_WORD_ID = 0, /* of a vulnerability */
	CES_WORD_PACKAGE = 1,
	CES_WORD_INSTALLED = 2, /* the package's version, or "" */
	CES_WORD_FIXED = 3,     /* the version that mends it, or "" */
	CES_WORD_ALIAS = 4,     /* another id of it, or "" */
	CES_WORD_PRODUCT = 5,   /* of OpenVEX: what the statement is about, see below */
	CES_EVIDENCE_WORDS = 6,
	CES_SCANNER_WORDS = 5, /* all but the last */
};

/* The product of a statement: the image by its digest; a package; or anything else, such as another
 * image, a tag, or nothing. */
#define CES_PRODUCT_IMAGE   "image"
#define CES_PRODUCT_PACKAGE "package"
#define CES_PRODUCT_OTHER   "other"

/* A package or a vulnerability. Words are printable ASCII and never NULL; words[0] owns them. */
struct ces_evidence_row {
	char *words[CES_EVIDENCE_WORDS];
	enum ces_evidence_severity severity;
	enum ces_evidence_status status;
};

struct ces_evidence_rows {
	struct ces_evidence_row *v;
	size_t n, cap;
};

struct ces_evidence {
	enum ces_evidence_format format;
	char digest[CES_DIGEST_LENGTH + 1]; /* the image's */
	bool by_caller;                     /* the report does not name it */
	bool first_form; /* a record of OpenVEX as it was before statements had a product */
	char report[CES_DIGEST_LENGTH + 1]; /* of the bytes of the report */
	char tool[96], image[256];          /* "" if unknown */
	char made[40], database[40];        /* times, as written there */
	char predicate[160];                /* the type of an attestation, or "" */
	uint64_t secrets;                   /* that a scanner found */
	struct ces_evidence_rows packages, vulnerabilities;
	uint64_t counts[CES_EVIDENCE_SEVERITIES][2]; /* [1]: a fix is known; set at the end */

	/* while a report is read */
	char named[CES_EVIDENCE_NAMED][CES_DIGEST_LENGTH + 1];
	size_t n_named;
	bool named_too_many, rows_too_many, no_memory;
};

extern const char *const ces_evidence_formats[CES_EVIDENCE_FORMATS];
extern const char *const ces_evidence_severities[CES_EVIDENCE_SEVERITIES];
extern const char *const ces_evidence_statuses[CES_EVIDENCE_STATUSES];

/* Reads a report by its content. `digest`: the image that the caller means, or NULL. It refuses a
 * text that is not strict JSON, is of no known format or of two, is about another image or about an
 * unnamed one, or is beyond the limits above. CES_E_IMAGE, CES_E_LIMIT, CES_E_USAGE. */
int ces_evidence_read(const char *bytes, size_t length, const char *digest,
		      struct ces_evidence *ret, struct ces_error *err);

/* Reads an existing record. It refuses it unless writing it again gives the same bytes. */
int ces_evidence_load(const char *bytes, size_t length, struct ces_evidence *ret,
		      struct ces_error *err);

/* The record: JSON in which equal contents have equal bytes. *ret is malloc'd. */
int ces_evidence_write(const struct ces_evidence *evidence, char **ret, size_t *ret_length,
		       struct ces_error *err);

void ces_evidence_free(struct ces_evidence *evidence);

/* One line of printable ASCII about it. */
void ces_evidence_say(const struct ces_evidence *evidence, char *buffer, size_t size);

/* Returns whether it is a scan, which counts vulnerabilities, or only a list. */
bool ces_evidence_counts(const struct ces_evidence *evidence);

#endif
