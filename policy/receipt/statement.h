/* The statement about one run: in-toto Statement v1, with the predicate that
 * policy/receipt.schema.json describes. */
#ifndef CES_POLICY_RECEIPT_STATEMENT_H
#define CES_POLICY_RECEIPT_STATEMENT_H

#include <json-c/json.h>
#include <stdint.h>

#include "common/error.h"
#include "common/name.h"
#include "policy/tool/audit.h"

#define CES_STATEMENT_MEDIA "application/vnd.in-toto+json"
#define CES_STATEMENT_TYPE  "https://in-toto.io/Statement/v1"
#define CES_PREDICATE_TYPE  "https://github.com/EPCCed/ces/receipt/v1"

/* A record of the run, and its place in the journal. */
struct ces_receipt_record {
	struct json_object *record; /* NULL: the journal has none */
	uint64_t seq;
	char digest[CES_DIGEST_LENGTH + 1];
};

struct ces_receipt_run {
	struct ces_receipt_record decision, proof, end;
	uint64_t first, head; /* numbers of the journal's first and last record */
	char head_digest[CES_DIGEST_LENGTH + 1];
};

/* Reads the whole journal, checks its chain, and takes the records of the run. CES_E_NOTFOUND: it
 * has no such run, or the run has not ended; CES_E_DENIED: the journal is broken. */
int ces_receipt_find(struct ces_journal_reader *reader, const char *run,
		     struct ces_receipt_run *ret, struct ces_error *err);
void ces_receipt_free(struct ces_receipt_run *evidence);

/* *ret: the statement as JSON, malloc'd. */
int ces_statement_make(const struct ces_receipt_run *evidence, char **ret, struct ces_error *err);

#endif
