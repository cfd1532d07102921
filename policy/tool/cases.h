/* A file of cases for `ces-policy test`: who asks for what, when, and what the answer must be. */
#ifndef CES_POLICY_TOOL_CASES_H
#define CES_POLICY_TOOL_CASES_H

#include "policy/decide.h"
#include "policy/field.h"

enum ces_case_answer { CES_CASE_ALLOW, CES_CASE_DENY };
enum ces_case_verb { CES_CASE_RUN, CES_CASE_PULL };

struct ces_case {
	char *name;
	/* who: the groups as names; every group of the file gets a number of its own */
	char *user, *home;
	uint64_t uid;
	struct ces_strings groups;
	/* what is asked */
	enum ces_case_verb verb;
	char *image, *project, *gpu;
	struct ces_strings publish, binds;
	uint64_t cpus, memory, time, shm;
	/* when, and what is on the machine */
	time_t on; /* 0: the file's day */
	bool home_data;
	bool display;                   /* asks for one */
	struct ces_strings signers;     /* the keys that signed the image */
	struct ces_strings directories; /* below infer_projects.base */
	bool directories_written;
	/* the evidence about the image that the rule locks */
	uint64_t scan_age;                 /* seconds; 0: no scan */
	struct ces_strings found, excused; /* words of policy/demand.h */
	bool sbom;
	/* the answer */
	enum ces_case_answer expect;
	char *rule, *expect_project;
	enum ces_access data;
	bool data_written;
};

struct ces_cases {
	time_t on; /* 0: now */
	struct ces_case *v;
	size_t n;
	struct ces_field_block *memory;
};

/* Strict, like a policy: the text of an error names line, column and key. */
int ces_cases_parse(const char *bytes, size_t length, struct ces_cases *ret, struct ces_error *err);

/* The answer of ces_decide to a case (whatever its name and expectation): 0, or -1 with the
 * reason. */
int ces_case_decide(const struct ces_policy *policy, const struct ces_case *one, time_t now,
		    struct ces_error *err);

#endif
