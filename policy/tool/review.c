/* ces-policy audit review: shows the records that deserve a look, records that somebody looked, and
 * lists what nobody has looked at since. It must never record a review of a journal that does not
 * verify. */
#include "policy/tool/review.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/paths.h"
#include "common/quantity.h"
#include "policy/parse.h"
#include "policy/tool/input.h"
#include "policy/tool/tool.h"

#define NOTE_MAX 1000

static const char *const titles[CES_REVIEW_KINDS] = {
    [CES_REVIEW_DENIED] = "Denials and refused connections",
    [CES_REVIEW_ENDING] = "Runs in the last 7 days of their approval",
    [CES_REVIEW_FIRST] = "Images that were used for the first time",
    [CES_REVIEW_HOURS] = "Requests at night (20:00 to 07:00 UTC) or at the weekend",
    [CES_REVIEW_PROOFS] = "Containers that were not as planned",
    [CES_REVIEW_REMOVED] = "Requests of users who may not run any more",
    [CES_REVIEW_OUTPUTS] = "Outputs that did not pass their check, or were withheld",
};

static void print_row(FILE *out, const struct ces_tally_row *row)
{
	fprintf(out, "  %llu x  %s  %s  %s: %s (%s%s%s)\n", (unsigned long long)row->good,
		row->words[0], row->words[1], row->words[2], row->words[3], row->first,
		strcmp(row->first, row->last) != 0 ? " to " : "",
		strcmp(row->first, row->last) != 0 ? row->last : "");
}

static void print(FILE *out, const struct ces_review *review)
{
	fprintf(out, "%llu records from %s to %s", (unsigned long long)review->records,
		review->from, review->to);
	if (review->position > 0)
		fprintf(out, ", up to record %llu", (unsigned long long)review->position);
	fputc('\n', out);
	for (size_t i = 0; i < CES_REVIEW_KINDS; i++) {
		const struct ces_tally *rows = &review->found[i];
		bool not_looked = (i == CES_REVIEW_ENDING && review->policy == NULL) ||
				  (i == CES_REVIEW_REMOVED && !review->host);

		fprintf(out, "\n%s%s%s (%llu)\n", ces_colour(out, CES_BOLD), titles[i],
			ces_colour(out, CES_PLAIN),
			(unsigned long long)ces_review_count(review, i));
		for (size_t j = 0; j < rows->n; j++)
			print_row(out, &rows->v[j]);
		if (rows->n == 0)
			fprintf(out, "  %s\n", not_looked ? "not checked" : "none");
	}
}

/* The login name; on a machine without one, the name of the real user. */
static const char *login_name(void)
{
	const char *name = getlogin();
	const struct passwd *user = name == NULL ? getpwuid(getuid()) : NULL;

	return name != NULL ? name : user != NULL ? user->pw_name : NULL;
}

/* Asks on a terminal. Without one, the command line must answer. */
static int find_note(const struct ces_review_asked *asked, char note[NOTE_MAX + 2],
		     struct ces_error *err)
{
	if (asked->note != NULL) {
		snprintf(note, NOTE_MAX + 2, "%s", asked->note);
	} else {
		if (!isatty(STDIN_FILENO))
			return ces_error_set(err, CES_E_USAGE,
					     "the review needs a note: write --note TEXT");
		fputs("Note: ", stderr);
		if (fgets(note, NOTE_MAX + 2, stdin) == NULL)
			return ces_error_set(err, CES_E_USAGE, "the review needs a note");
		note[strcspn(note, "\n")] = '\0';
	}
	if (note[0] == '\0' || strlen(note) > NOTE_MAX || !ces_line_valid(note, strlen(note)))
		return ces_error_set(err, CES_E_USAGE,
				     "--note: write one line of text, at most %d bytes", NOTE_MAX);
	return 0;
}

static int record(const struct ces_review_asked *asked, const struct ces_review *review,
		  const char *by, FILE *out, struct ces_error *err)
{
	struct ces_review_entry last;
	char note[NOTE_MAX + 2];

	if (review->position == 0)
		return ces_error_set(err, CES_E_NOTFOUND,
				     "the journal has no record up to %s: nothing was reviewed",
				     review->to);
	if (ces_review_read(asked->fd, asked->record, NULL, NULL, &last, err) != 0 ||
	    find_note(asked, note, err) != 0 ||
	    ces_review_append(asked->fd, asked->record, &last, review, by, note, err) != 0)
		return -1;
	fprintf(out, "\nrecorded as review %llu, by %s, up to record %llu:%s\n",
		(unsigned long long)last.seq + 1, by, (unsigned long long)review->position,
		review->digest);
	return 0;
}

/* 0; 1 if the journal is broken, which it has reported. */
static int check_chain(const struct ces_audit *audit)
{
	struct ces_verify chain = {.reader = audit->chain};
	struct ces_error broken = {0};

	if (ces_audit_judge(&chain, &broken) == 0 && chain.bad == NULL)
		return 0;
	fprintf(stderr, "ces-policy: the journal is broken: the review is not recorded\n"
			"see `ces-policy audit verify`\n");
	return 1;
}

static int review_days(const struct ces_audit *audit)
{
	const struct ces_review_asked *asked = &audit->review;
	struct ces_review review = {.from = asked->from,
				    .to = asked->to,
				    .policy = audit->review.parsed,
				    .host = !asked->no_host};
	struct ces_error err = {0};
	int status = CES_TOOL_GOOD;

	if (asked->record != NULL && check_chain(audit) != 0)
		return CES_TOOL_FINDING;
	if (ces_review_find(&review, audit->reader, &err) != 0) {
		ces_review_free(&review);
		return ces_tool_fail(&err);
	}
	print(audit->out, &review);
	if (asked->record != NULL && record(asked, &review, asked->by, audit->out, &err) != 0)
		status = ces_tool_fail(&err);
	ces_review_free(&review);
	return status;
}

/* The rest of the journal, after the last review. */
struct rest {
	const struct ces_review_entry *last;
	uint64_t first, records, end;
	bool seen;
};

static int count_rest(void *context, const struct ces_audit_row *row)
{
	struct rest *rest = context;
	uint64_t seq = ces_record_number(row->record, CES_RECORD_SEQ);
	char digest[CES_DIGEST_LENGTH + 1];

	if (seq == rest->last->position && !rest->seen) {
		ces_digest_of(row->line->at, row->line->length, digest);
		rest->seen = strcmp(digest, rest->last->digest) == 0;
		rest->records = 0;
		return 0;
	}
	/* (after a new chain has begun, numbers say nothing) */
	if (!rest->seen && seq < rest->last->position)
		return 0;
	rest->first = rest->records++ == 0 ? seq : rest->first;
	rest->end = seq;
	return 0;
}

static int print_rest(const struct ces_audit *audit, const struct ces_review_entry *last)
{
	static const struct ces_audit_filter all = {0};
	struct rest rest = {.last = last};
	struct ces_error err = {0};

	if (ces_audit_select(audit->reader, &all, count_rest, &rest, &err) != 0)
		return ces_tool_fail(&err);
	if (rest.records > 0)
		fprintf(audit->out, "not reviewed: %llu records, %llu to %llu\n",
			(unsigned long long)rest.records, (unsigned long long)rest.first,
			(unsigned long long)rest.end);
	else
		fputs("no record since the last review\n", audit->out);
	if (rest.seen || last->position == 0)
		return CES_TOOL_GOOD;
	fprintf(audit->out, "record %llu is not the one that was reviewed\n",
		(unsigned long long)last->position);
	return CES_TOOL_FINDING;
}

/* Days as seconds: the first day, and the day after the last. */
struct days {
	time_t from, to;
};

struct list {
	FILE *out;
	struct days *all; /* of all reviews; later by their beginning */
	size_t n;
	time_t after; /* the first second after the last day that was reviewed */
};

static int days_of(const struct ces_review_entry *entry, struct days *ret)
{
	if (ces_num_parse_date(entry->from, &ret->from) != 0 ||
	    ces_num_parse_date(entry->to, &ret->to) != 0)
		return -1;
	ret->from -= 86400;
	return 0;
}

static int take_days(void *context, const struct ces_review_entry *entry)
{
	struct list *list = context;
	struct days *all = reallocarray(list->all, list->n + 1, sizeof(*all));

	if (all == NULL)
		return -1;
	list->all = all;
	if (days_of(entry, &all[list->n]) != 0)
		return -1;
	list->n++;
	return 0;
}

static int by_from(const void *left, const void *right)
{
	const struct days *a = left, *b = right;

	return a->from < b->from ? -1 : a->from > b->from;
}

static void print_gap(const struct list *list, time_t from, time_t to)
{
	char day[16], last[16];

	if (from < to)
		fprintf(list->out, "not reviewed: %s to %s\n", ces_tool_day(from + 1, day),
			ces_tool_day(to, last));
}

/* Of the days between two reviews, those that no other one is about: somebody may be late. */
static void print_gaps(const struct list *list, time_t from, time_t to)
{
	for (size_t i = 0; i < list->n && list->all[i].from < to; i++) {
		if (list->all[i].to <= from)
			continue;
		print_gap(list, from, list->all[i].from);
		from = list->all[i].to;
	}
	print_gap(list, from, to);
}

static int print_entry(void *context, const struct ces_review_entry *entry)
{
	struct list *list = context;
	struct days days;

	if (days_of(entry, &days) != 0)
		return -1;
	if (list->after != 0)
		print_gaps(list, list->after, days.from);
	list->after = days.to > list->after ? days.to : list->after;
	fprintf(list->out, "%llu  %s  %s  %s to %s, up to record %llu: %s\n",
		(unsigned long long)entry->seq, entry->time, entry->by, entry->from, entry->to,
		(unsigned long long)entry->position, entry->note);
	return 0;
}

static int list_reviews(const struct ces_audit *audit)
{
	struct list list = {.out = audit->out};
	struct ces_review_entry last;
	struct ces_error err = {0};
	const struct ces_review_asked *asked = &audit->review;
	int result = ces_review_read(asked->fd, asked->list, take_days, &list, &last, &err);

	if (list.n > 0)
		qsort(list.all, list.n, sizeof(list.all[0]), by_from);
	/* (a file that was changed shows what is whole of it) */
	if (lseek(asked->fd, 0, SEEK_SET) == 0)
		result = ces_review_read(asked->fd, asked->list, print_entry, &list, &last, &err);
	free(list.all);
	if (result != 0) {
		(void)ces_tool_fail(&err);
		return CES_TOOL_FINDING;
	}
	return print_rest(audit, &last);
}

int ces_audit_review(const struct ces_audit *audit)
{
	return audit->review.list != NULL ? list_reviews(audit) : review_days(audit);
}

int ces_review_check(const struct ces_review_asked *asked)
{
	time_t from, to;

	if (asked->list != NULL && asked->from == NULL && asked->to == NULL &&
	    asked->record == NULL && asked->note == NULL)
		return 0;
	if (asked->list != NULL || asked->from == NULL || asked->to == NULL ||
	    ces_num_parse_date(asked->from, &from) != 0 ||
	    ces_num_parse_date(asked->to, &to) != 0 || from > to) {
		fprintf(stderr,
			"ces-policy: audit review: write --from 2026-11-01 --to 2026-11-30, "
			"or --list FILE\n");
		return -1;
	}
	if (asked->record == NULL && (asked->note != NULL || asked->by != NULL)) {
		fprintf(stderr, "ces-policy: --note and --by need --record FILE\n");
		return -1;
	}
	if (asked->by != NULL && (asked->by[0] == '\0' || strlen(asked->by) > 100 ||
				  !ces_line_valid(asked->by, strlen(asked->by)))) {
		fprintf(stderr, "ces-policy: --by: write a name, at most 100 bytes\n");
		return -1;
	}
	return 0;
}

/* Before root's rights are given up: the file of reviews, the second reader, the policy's bytes. */
int ces_review_prepare(struct ces_audit *audit, struct ces_error *err)
{
	struct ces_review_asked *asked = &audit->review;

	if (asked->list != NULL)
		return ces_input_open(asked->list, &asked->fd, err);
	if (asked->by == NULL)
		asked->by = login_name();
	if (asked->by == NULL)
		return ces_error_set(err, CES_E_USAGE, "you have no login name: write --by NAME");
	if (asked->record != NULL &&
	    (ces_review_open(asked->record, &asked->fd, err) != 0 ||
	     ces_journal_reader_open(audit->journal, &audit->chain, err) != 0))
		return -1;
	if (asked->policy == NULL && access(CES_POLICY_PATH, F_OK) != 0)
		return 0;
	if (asked->policy == NULL)
		asked->policy = CES_POLICY_PATH;
	return ces_input_policy(asked->policy, &asked->parsed, err);
}

void ces_review_release(struct ces_audit *audit)
{
	ces_cleanup_close(&audit->review.fd);
	ces_journal_reader_close(audit->chain);
	ces_policy_free(audit->review.parsed);
}
