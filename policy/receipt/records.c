/* Finds the journal's records of one run. It must never take a record from a journal with a broken
 * chain, nor guess a missing record. */
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "policy/receipt/statement.h"
#include "policy/scan.h"

struct search {
	const char *run;
	struct ces_receipt_run *found;
	struct ces_error *err;
};

/* Two readers must not take a record differently: the keys that ces_record_read skips are scanned
 * here. */
static int keep(struct search *s, struct ces_receipt_record *at, const struct ces_verify *v,
		const struct ces_line *line)
{
	CES_CLEANUP_FREE char *text = strndup(line->at, line->length);

	if (text == NULL)
		return ces_error_set(s->err, CES_E_HOST, "out of memory");
	if (ces_scan_check(text, line->length, s->err) != 0)
		return ces_error_context(s->err, "record %llu", (unsigned long long)v->seq);
	json_object_put(at->record);
	at->record = json_tokener_parse(text);
	at->seq = v->seq;
	memcpy(at->digest, v->digest, sizeof(at->digest));
	return 0;
}

/* The numbers of runs are random. If one occurred twice, the receipt is about its last run. */
static int take(void *context, const struct ces_verify *v, const struct ces_line *line)
{
	struct search *s = context;
	struct ces_receipt_run *found = s->found;
	struct ces_record record;

	if (memmem(line->at, line->length, s->run, strlen(s->run)) == NULL ||
	    ces_record_read(line->at, line->length, &record) != 0 ||
	    !ces_record_is(&record, CES_RECORD_RUN, s->run))
		return 0;
	if (ces_record_is(&record, CES_RECORD_EVENT, "decision") &&
	    ces_record_is(&record, CES_RECORD_OUTCOME, "allowed")) {
		ces_receipt_free(found);
		return keep(s, &found->decision, v, line);
	}
	if (found->decision.record == NULL)
		return 0;
	if (ces_record_is(&record, CES_RECORD_EVENT, "proof"))
		return keep(s, &found->proof, v, line);
	if (ces_record_is(&record, CES_RECORD_EVENT, "end"))
		return keep(s, &found->end, v, line);
	return 0;
}

int ces_receipt_find(struct ces_journal_reader *reader, const char *run,
		     struct ces_receipt_run *ret, struct ces_error *err)
{
	struct ces_error fault = {0};
	struct search s = {run, ret, &fault};
	struct ces_verify v = {.reader = reader, .each = take, .context = &s};

	*ret = (struct ces_receipt_run){0};
	if (ces_audit_judge(&v, err) != 0)
		return -1;
	if (fault.code != CES_OK) {
		*err = fault;
		return -1;
	}
	if (v.bad != NULL)
		return ces_error_set(err, CES_E_DENIED,
				     "the journal is broken: see 'ces-policy audit verify'");
	if (ret->decision.record == NULL)
		return ces_error_set(err, CES_E_NOTFOUND,
				     "the journal has no run %s that was allowed", run);
	if (ret->end.record == NULL)
		return ces_error_set(err, CES_E_NOTFOUND, "run %s has not ended", run);
	ret->first = v.first_seq;
	ret->head = v.seq;
	memcpy(ret->head_digest, v.digest, sizeof(ret->head_digest));
	return 0;
}

void ces_receipt_free(struct ces_receipt_run *evidence)
{
	json_object_put(evidence->decision.record);
	json_object_put(evidence->proof.record);
	json_object_put(evidence->end.record);
	*evidence = (struct ces_receipt_run){0};
}
