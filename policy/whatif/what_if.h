/* What a question affects: approvals, images and past runs. */
#ifndef CES_POLICY_WHATIF_WHAT_IF_H
#define CES_POLICY_WHATIF_WHAT_IF_H

#include <stdbool.h>
#include <time.h>

#include "policy/evidence/evidence.h"
#include "policy/policy.h"
#include "policy/tool/journal.h"
#include "policy/tool/rules.h"
#include "policy/tool/tally.h"

enum ces_what { CES_WHAT_PACKAGE, CES_WHAT_CVE, CES_WHAT_EXPIRE, CES_WHAT_REMOVE_USER };

#define CES_WHAT_LINES 50 /* kept of one image; the others are counted */

#define CES_WHAT_TEXT 512

/* An image by its digest, and why it is affected. */
struct ces_what_image {
	char digest[CES_DIGEST_LENGTH + 1];
	char name[256]; /* as its reports have it; "" */
	char (*lines)[CES_WHAT_TEXT];
	size_t n, more;
};

struct ces_what_rule {
	struct ces_rules_walk at;
	const char *why; /* constant text, or NULL */
};

struct ces_what_if {
	/* the question */
	enum ces_what what;
	const char *word;    /* as it was typed */
	const char *groups;  /* of the user, or NULL */
	char name[256];      /* of a package */
	const char *version; /* in word; NULL: any */
	time_t end;          /* expire: the first second after the day */
	bool json;

	const struct ces_policy *policy;
	int evidence_dir;                   /* -1: none */
	struct ces_journal_reader *journal; /* or NULL */

	/* the findings */
	struct ces_what_rule *rules;
	size_t n_rules;
	struct ces_what_image *images;
	size_t n_images;
	struct ces_tally runs; /* by user, project, image and digest */
	size_t without;        /* approvals of single images without evidence */
	size_t open;           /* rules for any digest: no evidence can be of all they allow */
	bool no_memory;
};

/* Each finds what is affected. */
int ces_what_if_evidence(struct ces_what_if *what, struct ces_error *err); /* package, cve */
int ces_what_if_expire(struct ces_what_if *what, struct ces_error *err);
int ces_what_if_user(struct ces_what_if *what, struct ces_error *err);

/* Then the runs that had to do with it, if there is a journal. */
int ces_what_if_runs(struct ces_what_if *what, struct ces_error *err);

void ces_what_if_rule(struct ces_what_if *what, const struct ces_rules_walk *walk, const char *why);
bool ces_what_if_has(const struct ces_what_if *what, const char *digest);

void ces_what_if_print(const struct ces_what_if *what);
void ces_what_if_free(struct ces_what_if *what);

#endif
