/* Asks the decision one question and keeps its answer, for the tests of decide and run. */
#ifndef CES_TESTS_POLICY_ASK_H
#define CES_TESTS_POLICY_ASK_H

#include "common/request.h"
#include "policy/parse.h"
#include "tests/unit/policy_fixture.h"

#define NOW 1796083200 /* 2026-12-01 00:00:00 UTC */

static const char policy_text[] =
    "{'ces_policy': 1,"
    " 'registries': {'ghcr.io': {'endpoint': 'https://proxy.loc:5000/ghcr', 'ca_file': "
    "'/etc/ces/ca.pem',"
    "                            'token_hosts': ['proxy.loc']}, 'open.org': {'credentials': "
    "'none'}},"
    " 'defaults': {'limits': {'memory': '8G'}},"
    " 'projects': {"
    "  'alpha': {'title': 'First', 'members': {'groups': ['g-alpha'], 'users': ['ursula']}, "
    "'expires': '2027-06-30',"
    "   'data': {'access': 'read-write'},"
    "   'images': [{'allow': 'ghcr.io/lab/*', 'approval': 'IG-1', 'expires': '2027-01-01'},"
    "              {'allow': 'ghcr.io/old/tool', 'expires': '2026-11-30'},"
    "              {'allow': 'ghcr.io/locked/tool', 'digest': '" D1 "', 'approval': 'IG-2'},"
    "              {'allow': 'open.org/**'}],"
    "   'limits': {'cpus': 2}, 'gpus': {'max': 2}, 'network': {'publish': ['8787', '80']},"
    "   'binds': ['~/s3', '/shared/{project}']},"
    "  'beta': {'members': {'groups': ['g-beta']}, 'images': [{'allow': 'ghcr.io/beta/*'}], "
    "'binds': ['~'],"
    "   'data': {'source': '~/data'}, 'retain_images': 'run', 'identity': 'same-uid'},"
    "  'gone': {'members': {'groups': ['g-gone']}, 'expires': '2026-11-30', 'images': [{'allow': "
    "'ghcr.io/**'}]},"
    "  'secret': {'members': {'groups': ['g-secret']}, 'images': [{'allow': 'ghcr.io/**'}]}}}";

/* The state of one question. groups: names, comma separated; gids are 5000, 5001, ... */
static struct ces_policy *policy;
static struct ces_caller caller;
static struct ces_request request;
static struct ces_facts facts;
static struct ces_decision decision;
static struct ces_error err;
static char names[256];
static char *name_list[16];
static gid_t gid_list[16];

static inline void in_groups(const char *list)
{
	caller.n_groups = 0;
	snprintf(names, sizeof(names), "%s", list);
	for (char *p = strtok(names, ","); p != NULL; p = strtok(NULL, ",")) {
		name_list[caller.n_groups] = strcmp(p, "?") == 0 ? NULL : p;
		gid_list[caller.n_groups] = (gid_t)(5000 + caller.n_groups);
		caller.n_groups++;
	}
}

static inline void use_policy(const char *text)
{
	ces_policy_free(policy);
	policy = good_policy(text);
}

/* Splits the image's name, as ces-decode does. */
static inline void split_name(void)
{
	request.reference = (struct ces_reference){0};
	if (request.image != NULL)
		(void)ces_reference_parse(request.image, &request.reference, NULL);
}

static inline void set_up(void)
{
	policy = NULL;
	use_policy(policy_text);
	caller = (struct ces_caller){.uid = 1000,
				     .gid = 1000,
				     .user = (char *)"ann",
				     .home = (char *)"/home/ann",
				     .groups = gid_list,
				     .group_names = name_list};
	in_groups("ann,g-alpha");
	request = (struct ces_request){.verb = CES_VERB_RUN, .image = (char *)"ghcr.io/lab/tool:1"};
	split_name();
	facts = (struct ces_facts){0};
	memset(&decision, 0xaa, sizeof(decision));
	err = (struct ces_error){0};
}

static inline void tear_down(void)
{
	ces_policy_free(policy);
	policy = NULL;
}

static inline int ask(void)
{
	err = (struct ces_error){0};
	split_name();
	return ces_decide(policy, &caller, &request, &facts, NOW, &decision, &err);
}

static inline void allowed(const char *rule)
{
	ck_assert_msg(ask() == 0, "refused: %s: %s", err.rule, err.text);
	ck_assert_str_eq(decision.rule, rule);
}

static inline void refused(enum ces_code code, const char *rule, const char *says)
{
	struct ces_decision before = decision;

	ck_assert_msg(ask() == -1, "allowed by %s", decision.rule);
	ck_assert_msg(err.code == code, "%s instead of %s: %s", ces_code_name(err.code),
		      ces_code_name(code), err.text);
	ck_assert_str_eq(err.rule, rule);
	ck_assert_msg(strstr(err.text, says) != NULL, "\"%s\" is not in \"%s\"", says, err.text);
	ck_assert_int_eq(memcmp(&before, &decision, sizeof(decision)), 0);
}

/* A list of one or two values, for the request. */
#define LIST(...)                                                                                  \
	{                                                                                          \
		(char *[]){__VA_ARGS__}, CES_COUNT(((char *[]){__VA_ARGS__}))                      \
	}
#define NUMBERS(...)                                                                               \
	{                                                                                          \
		(uint64_t[]){__VA_ARGS__}, CES_COUNT(((uint64_t[]){__VA_ARGS__}))                  \
	}

#endif
