/* ces-policy test: runs a policy's own test suite. Each case goes through ces_decide, the function
 * that really decides; it must not judge by itself. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/request.h"
#include "policy/demand.h"
#include "policy/demand_text.h"
#include "policy/parse.h"
#include "policy/signed.h"
#include "policy/tool/cases.h"
#include "policy/tool/input.h"
#include "policy/tool/tool.h"

#define GROUPS_MAX 1024 /* as a caller */
#define BINDS_MAX  64

static const char help[] =
    "usage: ces-policy test [--strict] [--format json] POLICY CASES\n"
    "Decides each case of the file CASES by POLICY, and compares the answer. Exit status: 0 all "
    "as\n"
    "expected, 1 a case fails (with --strict also: some image rule is reached by no case), 2 an\n"
    "error.\n"
    "The form of CASES is in ces-policy(1); examples are beside the example policies.\n";

struct answer {
	bool allowed;
	struct ces_decision decision; /* when allowed */
	struct ces_error err;         /* when not */
	char why[CES_ERROR_TEXT];     /* the case fails; "" when it does not */
};

struct test {
	const struct ces_policy *policy;
	const struct ces_cases *cases;
	bool *reached; /* image rules in the order of the policy, then the inferred ones */
	size_t n_rules, passed, failed;
	bool json;
};

/* A case, in the form of the decision, and the decision's answer. Owns what it had to make. */
struct asked {
	struct answer answer;
	struct ces_caller caller;
	struct ces_request request;
	struct ces_facts facts;
	gid_t gids[GROUPS_MAX];
	char home[300];
	char sources[BINDS_MAX][1200], destinations[BINDS_MAX][300];
	char *source_list[BINDS_MAX], *destination_list[BINDS_MAX];
	uint64_t read_only[BINDS_MAX];
	char candidates[GROUPS_MAX * CES_PREFIXES_MAX][CES_NAME_MAX + 1];
	char *candidate_list[GROUPS_MAX * CES_PREFIXES_MAX];
};

/* "~/x:/x:ro", as on the command line. */
static int set_bind(struct asked *a, size_t i, const char *text, struct ces_error *err)
{
	const char *colon = strchr(text, ':'), *end = colon == NULL ? NULL : strchr(colon + 1, ':');
	const char *tilde = *text == '~' ? a->home : "";

	if (colon == NULL || (end != NULL && strcmp(end, ":ro") != 0))
		return ces_error_set(err, CES_E_USAGE,
				     "binds: write SOURCE:DESTINATION[:ro], not %s", text);
	text += *text == '~';
	snprintf(a->sources[i], sizeof(a->sources[i]), "%s%.*s", tilde, (int)(colon - text), text);
	snprintf(a->destinations[i], sizeof(a->destinations[i]), "%.*s",
		 (int)(end == NULL ? (ptrdiff_t)strlen(colon + 1) : end - colon - 1), colon + 1);
	a->source_list[i] = a->sources[i];
	a->destination_list[i] = a->destinations[i];
	a->read_only[i] = end != NULL;
	return 0;
}

static int set_request(struct asked *a, const struct ces_case *one, struct ces_error *err)
{
	a->request = (struct ces_request){
	    .verb = one->verb == CES_CASE_PULL ? CES_VERB_PULL : CES_VERB_RUN,
	    .flags = CES_FLAG_EXPLAIN,
	    .image = one->image,
	    .project = one->project,
	    .gpu = one->gpu,
	    .publish = one->publish,
	    .display = one->display,
	    .cpus = one->cpus,
	    .memory_bytes = one->memory,
	    .time_seconds = one->time,
	    .shm_bytes = one->shm,
	    .bind_sources = {a->source_list, one->binds.n},
	    .bind_destinations = {a->destination_list, one->binds.n},
	    .bind_read_only = {a->read_only, one->binds.n},
	};
	if (one->binds.n > BINDS_MAX)
		return ces_error_set(err, CES_E_USAGE, "more than %d binds", BINDS_MAX);
	for (size_t i = 0; i < one->binds.n; i++)
		if (set_bind(a, i, one->binds.v[i], err) != 0)
			return -1;
	return 0;
}

/* If the case does not say which project directories exist, all do. */
static void set_facts(struct asked *a, const struct ces_policy *policy, const struct ces_case *one)
{
	a->facts.home_data = one->home_data;
	a->facts.inferred = one->directories;
	if (one->directories_written)
		return;
	a->facts.inferred.v = a->candidate_list;
	a->facts.inferred.n =
	    ces_decide_candidates(policy, &a->caller, a->candidates, CES_COUNT(a->candidates));
	for (size_t i = 0; i < a->facts.inferred.n; i++)
		a->candidate_list[i] = a->candidates[i];
}

static int set_asked(struct asked *a, const struct ces_policy *policy, const struct ces_case *one,
		     struct ces_error *err)
{
	if (one->groups.n > GROUPS_MAX)
		return ces_error_set(err, CES_E_USAGE, "more than %d groups", GROUPS_MAX);
	for (size_t i = 0; i < one->groups.n; i++)
		a->gids[i] = (gid_t)(60000 - i);
	snprintf(a->home, sizeof(a->home), "/home/%s", one->user);
	if (one->home != NULL)
		snprintf(a->home, sizeof(a->home), "%s", one->home);
	a->caller = (struct ces_caller){.uid = (uid_t)one->uid,
					.gid = (gid_t)one->uid,
					.user = one->user,
					.home = a->home,
					.groups = a->gids,
					.group_names = one->groups.v,
					.n_groups = one->groups.n};
	set_facts(a, policy, one);
	return set_request(a, one, err);
}

/* The end of a day is the first second after it; a rule holds through its day. */
static time_t time_of(const struct test *test, const struct ces_case *one)
{
	if (one->on != 0)
		return one->on - 1;
	return test->cases->on != 0 ? test->cases->on - 1 : time(NULL);
}

static void add_findings(const struct ces_strings *words, uint64_t counts[CES_FINDINGS])
{
	for (size_t i = 0; i < words->n; i++) {
		unsigned finding = ces_finding_of(words->v[i]);

		counts[finding]++;
		/* (a fixable finding is also a finding) */
		if (finding >= CES_FOUND_FIXABLE)
			counts[finding - CES_FOUND_FIXABLE]++;
	}
}

/* The evidence that a case describes, in place of this machine's. */
static int decide_demand(struct ces_decision *decision, const struct ces_case *one, time_t now,
			 struct ces_error *err)
{
	struct ces_evidence_facts facts = {.n_scans = one->scan_age > 0};
	struct ces_scan_facts *scan = &facts.scans[0];

	scan->made = now - (int64_t)one->scan_age;
	add_findings(&one->found, scan->found);
	add_findings(&one->excused, scan->found);
	add_findings(&one->excused, scan->excused);
	if (one->sbom)
		snprintf(facts.sbom, sizeof(facts.sbom), "-");
	return ces_decide_demand(decision, &facts, now, err);
}

static void judge(const struct ces_case *one, struct answer *answer)
{
	const struct ces_decision *d = &answer->decision;
	const char *rule = answer->allowed ? d->rule : answer->err.rule;
	bool read_only = one->data == CES_ACCESS_READ_ONLY;

	if (answer->allowed != (one->expect == CES_CASE_ALLOW))
		snprintf(answer->why, sizeof(answer->why), "expected %s, but it is %s",
			 one->expect == CES_CASE_ALLOW ? "allow" : "deny",
			 answer->allowed ? "allowed" : "denied");
	else if (one->rule != NULL && strcmp(one->rule, rule) != 0)
		snprintf(answer->why, sizeof(answer->why), "expected rule %.100s to decide",
			 one->rule);
	else if (one->expect_project != NULL &&
		 (!answer->allowed || strcmp(one->expect_project, d->project) != 0))
		snprintf(answer->why, sizeof(answer->why), "expected project %.100s, not %s",
			 one->expect_project, answer->allowed ? d->project : "none");
	else if (one->data_written && (!answer->allowed || d->data.read_only != read_only))
		snprintf(answer->why, sizeof(answer->why), "expected the data %s",
			 read_only ? "read-only" : "read-write");
}

static void mark_rules(struct test *test, const char *name,
		       const struct ces_policy_image_rules *rules, size_t first, const char *rule)
{
	char text[CES_RULE_TEXT];

	for (size_t i = 0; i < rules->n; i++) {
		int n = snprintf(text, sizeof(text), "%s.images[%zu]", name, i);

		/* Also "...images[0].expires" */
		if (n > 0 && (size_t)n < sizeof(text) && strncmp(rule, text, (size_t)n) == 0)
			test->reached[first + i] = true;
	}
}

static void each_rules(struct test *test,
		       void (*each)(struct test *, const char *name,
				    const struct ces_policy_image_rules *, size_t first,
				    const char *),
		       const char *argument)
{
	char name[CES_RULE_TEXT];
	size_t first = 0;

	for (size_t i = 0; i < test->policy->n_projects; i++) {
		const struct ces_policy_project *project = &test->policy->projects[i];

		snprintf(name, sizeof(name), "projects.%s", project->name);
		each(test, name, &project->images, first, argument);
		first += project->images.n;
	}
	each(test, "infer_projects", &test->policy->infer_images, first, argument);
	test->n_rules = first + test->policy->infer_images.n;
}

static void print_case(const struct test *test, const struct ces_case *one,
		       const struct answer *answer, bool first)
{
	const char *rule = answer->allowed ? answer->decision.rule : answer->err.rule;
	bool failed = answer->why[0] != '\0';
	const char *plain = ces_colour(stdout, CES_PLAIN);

	if (test->json) {
		printf("%s{\"name\":", first ? "" : ",\n");
		ces_tool_json(stdout, one->name);
		printf(",\"passed\":%s,\"answer\":\"%s\",\"rule\":", failed ? "false" : "true",
		       answer->allowed ? "allow" : "deny");
		ces_tool_json(stdout, rule);
		printf(",\"text\":");
		ces_tool_json(stdout, failed ? answer->why : answer->err.text);
		printf("}");
	} else if (!failed) {
		printf("%sok%s    %s\n", ces_colour(stdout, CES_GREEN), plain, one->name);
	} else {
		printf("%sFAIL%s  %s\n      %s\n      decided by %s%s%s\n",
		       ces_colour(stdout, CES_RED), plain, one->name, answer->why,
		       rule[0] != '\0' ? rule : "no rule", answer->allowed ? "" : ": ",
		       answer->err.text);
	}
}

/* A bit for each key of the rule that the case also has. */
static uint64_t signers_of(const struct ces_decision_signers *keys, const struct ces_strings *have)
{
	uint64_t by = 0;

	for (size_t i = 0; i < keys->n; i++)
		for (size_t j = 0; j < have->n; j++)
			by |= (uint64_t)(strcmp(keys->v[i], have->v[j]) == 0) << i;
	return by;
}

static int decide(const struct ces_policy *policy, struct asked *asked, time_t now,
		  struct ces_error *err)
{
	struct ces_request *request = &asked->request;

	if (request->image != NULL &&
	    ces_reference_parse(request->image, &request->reference, err) != 0)
		return -1;
	return ces_decide(policy, &asked->caller, request, &asked->facts, now,
			  &asked->answer.decision, err);
}

static int decide_case(struct test *test, size_t i, struct asked *asked, struct ces_error *err)
{
	const struct ces_case *one = &test->cases->v[i];
	struct answer *answer = &asked->answer;
	time_t now = time_of(test, one);

	if (set_asked(asked, test->policy, one, err) != 0)
		return ces_error_context(err, "case \"%s\"", one->name);
	answer->allowed = decide(test->policy, asked, now, &answer->err) == 0;
	if (answer->allowed)
		answer->allowed = decide_demand(&answer->decision, one, now, &answer->err) == 0;
	if (answer->allowed)
		answer->allowed =
		    ces_decide_signed(&answer->decision, NULL,
				      signers_of(&answer->decision.signed_by, &one->signers),
				      &answer->err) == 0;
	judge(one, answer);
	each_rules(test, mark_rules, answer->allowed ? answer->decision.rule : answer->err.rule);
	print_case(test, one, answer, i == 0);
	if (answer->why[0] == '\0')
		test->passed++;
	else
		test->failed++;
	return 0;
}

int ces_case_decide(const struct ces_policy *policy, const struct ces_case *one, time_t now,
		    struct ces_error *err)
{
	struct asked *asked = calloc(1, sizeof(*asked));
	int result = asked == NULL ? ces_error_set(err, CES_E_HOST, "out of memory")
				   : set_asked(asked, policy, one, err);

	if (result == 0)
		result = decide(policy, asked, now, err);
	free(asked);
	return result;
}

static int run_case(struct test *test, size_t i, struct ces_error *err)
{
	struct asked *asked = calloc(1, sizeof(*asked));
	int result;

	if (asked == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	result = decide_case(test, i, asked, err);
	free(asked);
	return result;
}

static void print_unreached(struct test *test, const char *name,
			    const struct ces_policy_image_rules *rules, size_t first,
			    const char *argument)
{
	(void)argument;
	for (size_t i = 0; i < rules->n; i++)
		if (!test->reached[first + i])
			printf(" %s.images[%zu]", name, i);
}

static size_t count_reached(const struct test *test)
{
	size_t n = 0;

	for (size_t i = 0; i < test->n_rules; i++)
		n += test->reached[i];
	return n;
}

static void print_end(struct test *test)
{
	size_t reached = count_reached(test);

	if (test->json) {
		printf("\n],\"passed\":%zu,\"failed\":%zu,\"rules\":%zu,\"reached\":%zu}\n",
		       test->passed, test->failed, test->n_rules, reached);
		return;
	}
	printf("%zu passed, %zu failed\nrules: %zu of %zu reached", test->passed, test->failed,
	       reached, test->n_rules);
	if (reached < test->n_rules) {
		printf("; no case reaches");
		each_rules(test, print_unreached, "");
	}
	printf("\n");
}

static int run_cases(struct test *test, bool strict)
{
	struct ces_error err = {0};

	if (test->json)
		printf("{\"cases\":[\n");
	for (size_t i = 0; i < test->cases->n; i++)
		if (run_case(test, i, &err) != 0)
			return ces_tool_fail(&err);
	print_end(test);
	if (test->failed > 0 || (strict && count_reached(test) < test->n_rules))
		return CES_TOOL_FINDING;
	return CES_TOOL_GOOD;
}

static void count_rules(struct test *test, const char *name,
			const struct ces_policy_image_rules *rules, size_t first,
			const char *argument)
{
	(void)test, (void)name, (void)rules, (void)first, (void)argument;
}

/* Opens both files before root's rights are given up, and reads them afterwards. */
static int test_files(const char *policy_path, const char *cases_path, bool json, bool strict)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	struct ces_policy *policy = NULL;
	struct ces_cases cases = {0};
	struct ces_error err = {0};
	size_t length = 0;
	int status;

	if (ces_input_pair(policy_path, &policy, cases_path, &bytes, &length, &err) != 0)
		return ces_tool_fail(&err);
	if (ces_cases_parse(bytes, length, &cases, &err) != 0) {
		(void)ces_error_context(&err, "%s", cases_path);
		status = ces_tool_fail(&err);
	} else {
		struct test test = {.policy = policy, .cases = &cases, .json = json};

		each_rules(&test, count_rules, "");
		test.reached = calloc(test.n_rules + 1, sizeof(*test.reached));
		status = test.reached == NULL ? CES_TOOL_ERROR : run_cases(&test, strict);
		free(test.reached);
	}
	ces_field_free(cases.memory);
	ces_policy_free(policy);
	return status;
}

int ces_tool_test(int argc, char **argv)
{
	static const struct option options[] = {{"strict", no_argument, NULL, 's'},
						{"format", required_argument, NULL, 'f'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	bool json = false, strict = false;
	int option;

	while ((option = getopt_long(argc, argv, "f:h", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return CES_TOOL_GOOD;
		}
		if (option == '?' || (option == 'f' && ces_tool_format(optarg, &json) != 0))
			return ces_tool_usage("test");
		strict = strict || option == 's';
	}
	if (argc - optind != 2)
		return ces_tool_usage("test");
	return ces_tool_finish(stdout, test_files(argv[optind], argv[optind + 1], json, strict));
}
