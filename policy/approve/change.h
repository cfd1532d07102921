/* A change of a policy: a child without privilege reads and makes it, and its parent writes it. */
#ifndef CES_POLICY_APPROVE_CHANGE_H
#define CES_POLICY_APPROVE_CHANGE_H

#include <stdbool.h>
#include <time.h>

#include "common/name.h"
#include "policy/approve/edit.h"
#include "policy/policy.h"

struct ces_change {
	/* from the command line */
	const char *policy;    /* the path */
	const char *image;     /* NAME@sha256:..., or NULL */
	const char *project;   /* or NULL */
	bool inferred;         /* the rules of inferred projects */
	const char *approval;  /* or NULL */
	const char *expires;   /* or NULL */
	const char *directory; /* of evidence */
	bool no_evidence, dry_run;
	time_t now;

	/* opened before root's rights are given up */
	int fd;           /* the policy */
	int evidence_dir; /* -1: none */
};

struct ces_change_command {
	const char *help;
	const char *takes; /* the letters of its options (options.c) */
};

/* Reads the options; optind is then at the arguments. -1: an error, already reported; 1: help was
 * printed. */
int ces_change_options(int argc, char **argv, const struct ces_change_command *command,
		       struct ces_change *change);

/* The child's result: the new policy, and before it the set of evidence to keep. */
struct ces_change_note {
	char digest[CES_DIGEST_LENGTH + 1]; /* the image's; "" when there is no set */
	uint64_t set_length;
};

struct ces_change_result {
	char *policy, *set; /* malloc'd; set may be NULL */
	size_t policy_length, set_length;
	char digest[CES_DIGEST_LENGTH + 1];
};

/* Makes the new text of a policy from the old one, and prints the changes. It runs in the child. */
typedef int ces_change_maker(const struct ces_change *change, const char *bytes, size_t length,
			     const struct ces_policy *policy, struct ces_change_result *ret,
			     struct ces_error *err);

/* Opens, starts the child, and writes its result, unless this is a dry run. It refuses a policy
 * that CES would refuse, that is a link, or that somebody changes meanwhile. Returns the exit
 * status. */
int ces_change_run(struct ces_change *change, ces_change_maker *maker);

/* Prints by meaning what the new text changes. The text must be a policy with `more` image rules
 * more. */
int ces_change_say(const struct ces_policy *old, const struct ces_change_result *new, int more,
		   struct ces_error *err);

#endif
