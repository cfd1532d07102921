/* ces-policy audit verify: is the journal the one that was written? It must never stop at what it
 * can explain (a line that a crash has torn), and never skip what it cannot. */
#include <string.h>

#include "common/digest.h"
#include "common/num.h"
#include "policy/receipt/heads.h"
#include "policy/tool/audit.h"
#include "policy/tool/tool.h"

/* A torn line that nothing has confirmed is neither counted nor the head. */
static void forget_torn(struct ces_verify *v)
{
	if (!v->open_torn)
		return;
	v->open_torn = false;
	v->torn--;
	v->records--;
	v->seq = v->sure_seq;
	memcpy(v->digest, v->sure_digest, sizeof(v->digest));
}

static int blame(struct ces_verify *v, const struct ces_line *line, const char *what)
{
	forget_torn(v);
	v->bad = what;
	v->at = *line;
	return -1;
}

static bool prev_matches(const struct ces_record *record, const char *digest)
{
	return ces_record_is(record, CES_RECORD_PREV, digest);
}

/* The first line of a file may begin a chain (after the journal was moved away). The very first
 * line may continue a chain whose older files were deleted. */
static int check_link(struct ces_verify *v, const struct ces_line *line,
		      const struct ces_record *record)
{
	uint64_t seq = ces_record_number(record, CES_RECORD_SEQ);
	bool fresh = seq == 1 && prev_matches(record, "");

	if (v->records == 0) {
		v->first_seq = v->chain_first = seq;
		return seq > 1 || fresh ? 0 : blame(v, line, "the first record is not numbered 1");
	}
	if (line->first && fresh) {
		v->restarts++;
		v->chain_first = 1;
		return 0;
	}
	if (!prev_matches(record, v->digest))
		return blame(v, line,
			     "it does not carry the digest of the line before it: that line was "
			     "changed, or lines were removed, added or reordered here");
	if (seq != v->seq + 1)
		return blame(v, line, "its number does not follow that of the line before it");
	return 0;
}

/* Reports a clock that was set back. That happens now and then, but can also be a sign. */
static void check_time(struct ces_verify *v, const struct ces_record *record)
{
	char now[40];

	(void)ces_record_text(record, CES_RECORD_TIME, now, sizeof(now));
	if (v->first_time[0] == '\0')
		memcpy(v->first_time, now, sizeof(now));
	else if (strcmp(now, v->time) < 0 && v->backwards[0] == '\0')
		memcpy(v->backwards, now, sizeof(now));
	memcpy(v->time, now, sizeof(now));
}

static void remember(struct ces_verify *v, const struct ces_line *line)
{
	v->seq = ces_record_seq(line->at, line->length);
	ces_digest_of(line->at, line->length, v->digest);
	v->records++;
	if (v->expect != NULL && v->seq == v->expected_seq &&
	    strcmp(strchr(v->expect, ':') + 1, v->digest) == 0)
		v->expected_seen = true;
}

/* A line that is no record can only be one that a crash has torn. Then the next line confirms it
 * with its digest. */
static int check_line(struct ces_verify *v, const struct ces_line *line)
{
	struct ces_record record;

	if (line->too_long)
		return blame(v, line, "it is longer than any record");
	if (ces_record_read(line->at, line->length, &record) == 0 &&
	    record.field[CES_RECORD_SEQ].at != NULL && record.field[CES_RECORD_PREV].at != NULL) {
		if (!line->ended)
			return blame(v, line, "it has no end: the journal was cut off here");
		if (check_link(v, line, &record) != 0)
			return -1;
		/* (no number of a torn line is sure) */
		if (v->first_seq == 0)
			v->first_seq = v->chain_first = ces_record_number(&record, CES_RECORD_SEQ);
		check_time(v, &record);
		v->open_torn = false;
		remember(v, line);
		if (v->heads != NULL)
			ces_heads_see(v->heads, v, &record);
		return v->each == NULL ? 0 : v->each(v->context, v, line);
	}
	v->at = *line;
	if (v->open_torn)
		return blame(v, line, "it is not a record");
	if (!line->ended)
		return blame(v, line, "it is not a whole record: the journal was cut off here");
	v->sure_seq = v->seq;
	memcpy(v->sure_digest, v->digest, sizeof(v->sure_digest));
	v->open_torn = true;
	v->torn++;
	remember(v, line);
	return 0;
}

static void print_json(FILE *out, const struct ces_verify *v)
{
	fprintf(out, "{\"intact\":%s,\"records\":%llu,\"torn\":%llu,\"new_chains\":%llu",
		v->bad == NULL ? "true" : "false", (unsigned long long)v->records,
		(unsigned long long)v->torn, (unsigned long long)v->restarts);
	if (v->records > 0)
		fprintf(out, ",\"first\":%llu,\"last\":%llu,\"head\":\"%llu:%s\"",
			(unsigned long long)v->first_seq, (unsigned long long)v->seq,
			(unsigned long long)v->seq, v->digest);
	if (v->backwards[0] != '\0') {
		fputs(",\"clock_set_back\":", out);
		ces_tool_json(out, v->backwards);
	}
	if (v->heads != NULL) {
		size_t first, n = ces_heads_foreign(v->heads, &first);

		fprintf(out, ",\"heads\":%zu,\"unsigned\":%zu", ces_heads_count(v->heads), n);
		if (n > 0)
			fprintf(out, ",\"first_unsigned\":%zu", first);
	}
	if (v->bad != NULL) {
		fputs(",\"bad\":{\"file\":", out);
		ces_tool_json(out, v->at.file != NULL ? v->at.file : "");
		fprintf(out, ",\"line\":%zu,\"what\":", v->at.number);
		ces_tool_json(out, v->bad);
		fputc('}', out);
	}
	fputs("}\n", out);
}

size_t ces_audit_notes(const struct ces_verify *v, char ret[CES_VERIFY_NOTES][CES_VERIFY_NOTE])
{
	bool one = v->torn == 1, alone = v->restarts == 1;
	size_t n = 0;

	if (v->first_seq > 1)
		snprintf(ret[n++], CES_VERIFY_NOTE, "records before number %llu are not here",
			 (unsigned long long)v->first_seq);
	if (v->torn > 0)
		snprintf(ret[n++], CES_VERIFY_NOTE,
			 "%llu %s torn by a crash; the chain goes on over %s",
			 (unsigned long long)v->torn, one ? "line was" : "lines were",
			 one ? "it" : "them");
	if (v->restarts > 0)
		snprintf(ret[n++], CES_VERIFY_NOTE,
			 "%llu %s a new chain: nothing proves that no record is missing before %s",
			 (unsigned long long)v->restarts, alone ? "file begins" : "files begin",
			 alone ? "it" : "them");
	if (v->backwards[0] != '\0')
		snprintf(ret[n++], CES_VERIFY_NOTE, "the clock was set back at %s", v->backwards);
	return n;
}

void ces_audit_say_notes(const struct ces_verify *v, char *ret, size_t size)
{
	char notes[CES_VERIFY_NOTES][CES_VERIFY_NOTE];
	size_t n = ces_audit_notes(v, notes), used = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < n && used < size; i++)
		used += (size_t)snprintf(ret + used, size - used, "; note: %s", notes[i]);
}

static void print_notes(FILE *out, const struct ces_verify *v)
{
	char notes[CES_VERIFY_NOTES][CES_VERIFY_NOTE];
	size_t n = ces_audit_notes(v, notes);

	for (size_t i = 0; i < n; i++)
		fprintf(out, "%snote%s: %s\n", ces_colour(out, CES_YELLOW),
			ces_colour(out, CES_PLAIN), notes[i]);
}

static void print_foreign(FILE *out, const struct ces_heads *heads)
{
	size_t first, n = ces_heads_foreign(heads, &first);

	if (n == 0)
		return;
	fprintf(out, "%snote%s: ", ces_colour(out, CES_YELLOW), ces_colour(out, CES_PLAIN));
	if (n == 1)
		fprintf(out,
			"line %zu looks like a signed head, but this key signed no head there: it "
			"is not CES's\n",
			first);
	else
		fprintf(out,
			"%zu lines look like signed heads, but this key signed no head there: they "
			"are not CES's (the first is line %zu)\n",
			n, first);
}

static void print_text(FILE *out, const struct ces_verify *v)
{
	const char *plain = ces_colour(out, CES_PLAIN);

	if (v->bad != NULL) {
		fprintf(out, "%sBROKEN%s: ", ces_colour(out, CES_RED), plain);
		if (v->at.file != NULL)
			fprintf(out, "%s, line %zu: ", v->at.file, v->at.number);
		fprintf(out, "%s\n%llu records before it are intact\n", v->bad,
			(unsigned long long)v->records);
	} else if (v->records == 0) {
		fputs("the journal is empty\n", out);
	} else {
		fprintf(out,
			"%sintact%s: %llu records in %zu file%s, numbers %llu to %llu, %s to "
			"%s\n",
			ces_colour(out, CES_GREEN), plain, (unsigned long long)v->records,
			ces_journal_reader_files(v->reader),
			ces_journal_reader_files(v->reader) == 1 ? "" : "s",
			(unsigned long long)v->first_seq, (unsigned long long)v->seq, v->first_time,
			v->time);
	}
	if (v->records > 0)
		fprintf(out, "head %llu:%s\n", (unsigned long long)v->seq, v->digest);
	if (v->heads != NULL && v->bad == NULL)
		fprintf(out, "agrees with %zu signed head%s, the last of %s\n",
			ces_heads_count(v->heads), ces_heads_count(v->heads) == 1 ? "" : "s",
			ces_heads_last(v->heads));
	if (v->heads != NULL)
		print_foreign(out, v->heads);
	print_notes(out, v);
}

static int parse_expect(struct ces_verify *v, struct ces_error *err)
{
	const char *text = v->expect;
	const char *colon = text == NULL ? NULL : strchr(text, ':');
	char seq[24];

	if (text == NULL)
		return 0;
	snprintf(seq, sizeof(seq), "%.*s", (int)(colon == NULL ? 0 : colon - text), text);
	if (colon == NULL || !ces_digest_valid(colon + 1) ||
	    ces_num_parse(seq, 1, UINT64_MAX, &v->expected_seq) != 0)
		return ces_error_set(err, CES_E_USAGE,
				     "--expect: write NUMBER:sha256:..., as verify printed it");
	return 0;
}

/* Checks what a chain alone cannot show: a cut end, or a journal that was remade. A head that
 * somebody has noted or signed before shows it. */
static void check_expected(struct ces_verify *v)
{
	if (v->bad == NULL && v->heads != NULL) {
		v->bad = ces_heads_judge(v->heads, v);
		v->at = (struct ces_line){0};
	}
	if (v->bad != NULL || v->expect == NULL || v->expected_seen)
		return;
	v->at = (struct ces_line){0};
	v->bad = v->seq < v->expected_seq
		     ? "the journal ends before the expected record: it was cut off"
		     : "the expected record is not in it: this is another journal, made anew";
}

int ces_audit_judge(struct ces_verify *v, struct ces_error *err)
{
	struct ces_line line = {0};
	int more;

	if (parse_expect(v, err) != 0)
		return -1;
	while ((more = ces_journal_reader_next(v->reader, &line, err)) == 1)
		if (check_line(v, &line) != 0)
			break;
	if (more < 0) {
		v->at = (struct ces_line){0};
		v->bad = err->text;
	}
	if (more == 0 && v->open_torn)
		blame(v, &v->at,
		      "it is not a record, and no record after it confirms that a crash has torn "
		      "it");
	check_expected(v);
	return 0;
}

int ces_audit_verify(const struct ces_audit *audit)
{
	struct ces_verify v = {.reader = audit->reader, .expect = audit->expect};
	const struct ces_anchor *anchor = &audit->anchor;
	struct ces_error err = {0};

	if (anchor->against != NULL &&
	    ces_heads_read(anchor->key_fd, anchor->fd, anchor->against, &v.heads, &err) != 0) {
		int status = ces_tool_fail(&err);

		return err.code == CES_E_DENIED ? CES_TOOL_FINDING : status;
	}
	if (ces_audit_judge(&v, &err) != 0) {
		ces_heads_free(v.heads);
		return ces_tool_fail(&err);
	}
	if (audit->json)
		print_json(audit->out, &v);
	else
		print_text(audit->out, &v);
	ces_heads_free(v.heads);
	if (v.bad != NULL || (audit->strict && v.restarts + v.torn > 0))
		return CES_TOOL_FINDING;
	return CES_TOOL_GOOD;
}
