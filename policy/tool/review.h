/* A review of the journal: the records that deserve a look, and the file that says who looked, and
 * how far. */
#ifndef CES_POLICY_TOOL_REVIEW_H
#define CES_POLICY_TOOL_REVIEW_H

#include "policy/policy.h"
#include "policy/tool/audit.h"
#include "policy/tool/tally.h"

enum ces_review_kind {
	CES_REVIEW_DENIED,
	CES_REVIEW_ENDING,  /* runs in the last days of their approval */
	CES_REVIEW_FIRST,   /* images that the journal did not have before */
	CES_REVIEW_HOURS,   /* runs at night and at the weekend */
	CES_REVIEW_PROOFS,  /* containers that were not as planned */
	CES_REVIEW_REMOVED, /* runs of users who are no longer allowed to */
	CES_REVIEW_OUTPUTS, /* that did not pass a check, or were withheld */
	CES_REVIEW_KINDS
};

/* Rows have project, user, image and what was found. */
struct ces_review {
	const char *from, *to;           /* days, both included */
	const struct ces_policy *policy; /* or NULL */
	bool host;                       /* users are looked up on this machine */
	struct ces_tally found[CES_REVIEW_KINDS];
	struct ces_tally images;            /* that the journal had so far */
	uint64_t records;                   /* of the days */
	uint64_t position;                  /* the last record of the days, or before; 0: none */
	char digest[CES_DIGEST_LENGTH + 1]; /* of that record */
};

/* Reads the journal to the last day. */
int ces_review_find(struct ces_review *review, struct ces_journal_reader *reader,
		    struct ces_error *err);

/* How many records were found of a kind. */
uint64_t ces_review_count(const struct ces_review *review, enum ces_review_kind kind);

void ces_review_free(struct ces_review *review);

/* Checks the command line. -1 if it makes no sense, after saying so. */
int ces_review_check(const struct ces_review_asked *asked);

/* Opens what a review needs. It gives up root's rights if there is a policy to read. */
int ces_review_prepare(struct ces_audit *audit, struct ces_error *err);
void ces_review_release(struct ces_audit *audit);

/* One line of a review file, as far as this program reads it. */
struct ces_review_entry {
	uint64_t seq, position;
	char time[CES_TIME_TEXT], from[11], to[11], digest[CES_DIGEST_LENGTH + 1];
	char by[128], note[1024];
	char own[CES_DIGEST_LENGTH + 1]; /* the digest of this line */
};

/* Opens the file for reading and appending, and makes it if it is not there. Call it before root's
 * rights are given up. */
int ces_review_open(const char *path, int *ret_fd, struct ces_error *err);

/* Calls `each` for every line, oldest first. -1 with err if a line does not follow from the
 * previous one. *ret_last is the last one; its seq is 0 if the file is empty. */
int ces_review_read(int fd, const char *path,
		    int (*each)(void *context, const struct ces_review_entry *entry), void *context,
		    struct ces_review_entry *ret_last, struct ces_error *err);

/* Appends a line after `last` and brings it to the disk. */
int ces_review_append(int fd, const char *path, const struct ces_review_entry *last,
		      const struct ces_review *review, const char *by, const char *note,
		      struct ces_error *err);

#endif
