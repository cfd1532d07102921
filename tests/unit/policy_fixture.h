/* The shared parts of the policy's tests: policies written with single quotes, callers, and a run
 * of Check. */
#ifndef CES_TESTS_POLICY_FIXTURE_H
#define CES_TESTS_POLICY_FIXTURE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "policy/decide.h"
#include "policy/parse.h"
#include "policy/policy.h"

#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "sha256:2222222222222222222222222222222222222222222222222222222222222222"

/* Makes a policy around `rest`, and one with a single project p around `rest`. */
#define POLICY(rest) "{'ces_policy': 1, 'registries': {'ghcr.io': {}}, " rest "}"
#define PROJECT(rest)                                                                              \
	POLICY("'projects': {'p': {'members': {'groups': ['p']}, 'images': [{'allow': "            \
	       "'ghcr.io/lab/*'}]" rest "}}")

#define RULE(rest)                                                                                 \
	POLICY("'projects': {'p': {'members': {'groups': ['p']}, 'images': [{'allow': "            \
	       "'ghcr.io/lab/*', " rest "}]}}")

/* Parses text after turning ' into ". Returns NULL with err set when it is refused. */
static inline struct ces_policy *policy_of(const char *text, struct ces_error *err)
{
	CES_CLEANUP_FREE char *copy = strdup(text);
	struct ces_policy *policy = NULL;

	for (char *p = copy; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	*err = (struct ces_error){0};
	if (ces_policy_parse(copy, strlen(copy), &policy, err) != 0) {
		ck_assert_ptr_null(policy);
		ck_assert_int_eq(err->code, CES_E_POLICY);
		return NULL;
	}
	return policy;
}

static inline struct ces_policy *good_policy(const char *text)
{
	struct ces_error err;
	struct ces_policy *policy = policy_of(text, &err);

	ck_assert_msg(policy != NULL, "refused: %s", err.text);
	return policy;
}

static inline int run_suite(const char *name, TCase *tests)
{
	Suite *suite = suite_create(name);
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
