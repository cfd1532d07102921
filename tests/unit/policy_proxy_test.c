/* Tests the proxy, which is the only way out, and where jobs of a cluster go. */
#include "policy/proxy.h"

#include "common/cluster.h"
#include "common/name.h"
#include "policy/explain.h"
#include "policy/valid.h"
#include "policy/valid_parse.h"
#include "tests/unit/policy_ask.h"

#define WITH_PROXY(value) PROJECT(", 'network': {'proxy': " value "}")

static const char *const no_proxies[] = {
    "http://a.b",
    "https://a.b:3128",
    "http://a.b:3128/",
    "http://a.b:0",
    "http://a.b:65536",
    "http://A.b:3128",
    "http://user@a.b:3128",
    "http://a..b:3128",
    "http://[::1]:3128",
    "a.b:3128",
    "",
    "None",
};

START_TEST(a_proxy_is_a_host_and_a_port)
{
	char text[512];
	struct ces_error fault;

	snprintf(text, sizeof(text), WITH_PROXY("'%s'"), no_proxies[_i]);
	ck_assert_ptr_null(policy_of(text, &fault));
	ck_assert_msg(strstr(fault.text, "network.proxy must be \"none\", or http://host:port") !=
			  NULL,
		      "%s", fault.text);
}
END_TEST

START_TEST(without_the_key_there_is_no_way_out)
{
	allowed("projects.alpha.images[0]");
	ck_assert_str_eq(decision.proxy, "");
}
END_TEST

/* ann is in p, q and r; r cancels the defaults. */
static const char proxies[] =
    "{'ces_policy': 1, 'registries': {'ghcr.io': {}},"
    " 'defaults': {'network': {'proxy': 'http://proxy.loc:3128', 'publish': ['3128', '80']}},"
    " 'projects': {"
    "  'p': {'members': {'groups': ['p']}, 'images': [{'allow': 'ghcr.io/**'}]},"
    "  'q': {'members': {'groups': ['p']}, 'images': [{'allow': 'ghcr.io/**'}],"
    "        'network': {'proxy': 'http://10.0.0.1:8080'}},"
    "  'r': {'members': {'groups': ['p']}, 'images': [{'allow': 'ghcr.io/**'}],"
    "        'network': {'proxy': 'none'}}}}";

static void use_proxies(const char *project)
{
	use_policy(proxies);
	in_groups("p");
	request.project = (char *)project;
}

START_TEST(a_projects_proxy_replaces_that_of_the_defaults_and_none_takes_it_back)
{
	static const char *const expected[][2] = {
	    {"p", "http://proxy.loc:3128"}, {"q", "http://10.0.0.1:8080"}, {"r", ""}};

	for (size_t i = 0; i < CES_COUNT(expected); i++) {
		use_proxies(expected[i][0]);
		ck_assert_int_eq(ask(), 0);
		ck_assert_str_eq(decision.proxy, expected[i][1]);
	}
}
END_TEST

START_TEST(a_run_without_the_proxy_may_always_be_asked_for)
{
	use_proxies("p");
	request.flags = CES_FLAG_NO_PROXY;
	ck_assert_int_eq(ask(), 0);
	ck_assert_str_eq(decision.proxy, "");
}
END_TEST

/* Otherwise the caller's other processes could use the container's way out. */
START_TEST(the_proxys_port_in_the_container_cannot_be_published)
{
	use_proxies("p");
	request.publish = (struct ces_strings)LIST((char *)"9000:3128");
	refused(CES_E_USAGE, "", "port 3128 of the container is CES's own");
	request.publish = (struct ces_strings)LIST((char *)"9000:80");
	ck_assert_int_eq(ask(), 0);
	use_proxies("r");
	request.publish = (struct ces_strings)LIST((char *)"9000:3128");
	ck_assert_int_eq(ask(), 0);
}
END_TEST

static char lines[4096];

static void collect(void *context, const char *line)
{
	size_t used = strlen(lines);

	(void)context;
	snprintf(lines + used, sizeof(lines) - used, "%s\n", line);
}

START_TEST(an_explanation_names_the_proxy)
{
	use_proxies("p");
	ck_assert_int_eq(ask(), 0);
	lines[0] = '\0';
	ces_decision_explain(&caller, &decision, collect, NULL);
	ck_assert_ptr_nonnull(strstr(lines, "\nnetwork: none, except the proxy "
					    "http://proxy.loc:3128, which is 127.0.0.1:3128 in"));
}
END_TEST

START_TEST(programs_find_the_proxy_in_every_spelling)
{
	static const char *const expected[] = {"http_proxy=u",
					       "https_proxy=u",
					       "HTTP_PROXY=u",
					       "HTTPS_PROXY=u",
					       "no_proxy=localhost,127.0.0.1,::1",
					       "NO_PROXY=localhost,127.0.0.1,::1"};
	char entry[64];

	for (size_t i = 0; i < CES_COUNT(expected); i++) {
		ck_assert(ces_proxy_setting(i, "u", entry, sizeof(entry)));
		ck_assert_str_eq(entry, expected[i]);
	}
	ck_assert(!ces_proxy_setting(CES_COUNT(expected), "u", entry, sizeof(entry)));
}
END_TEST

#define CLUSTER(rest)                                                                              \
	POLICY("'projects': {}, 'kubernetes': {'data_claim': 'd', 'outputs_claim': 'o'" rest "}")

static const struct {
	const char *text, *says;
} bad_clusters[] = {
    {CLUSTER(""), "kubernetes needs the key \"namespace\""},
    {POLICY("'projects': {}, 'kubernetes': {'namespace': 'n', 'outputs_claim': 'o'}"),
     "needs the key \"data_claim\""},
    {POLICY("'projects': {}, 'kubernetes': {'namespace': 'n', 'data_claim': 'd'}"),
     "needs the key \"outputs_claim\""},
    {CLUSTER(", 'namespace': 'n', 'image': 'x'"), "kubernetes.image is not a key"},
    {CLUSTER(", 'namespace': 'N'"), "kubernetes.namespace must be"},
    {CLUSTER(", 'namespace': 'a.b'"), "kubernetes.namespace must be"},
    {CLUSTER(", 'namespace': 'n\\thostNetwork: true'"), "kubernetes.namespace must be"},
    {CLUSTER(", 'namespace': 'n', 'queue': '{run}'"), "kubernetes.queue must be"},
    {CLUSTER(", 'namespace': '{project}-'"), "kubernetes.namespace must be"},
    {CLUSTER(", 'namespace': '{project}.{user}'"), "kubernetes.namespace must be"},
    {CLUSTER(", 'namespace': 'a2345678901234567890123456789012345678901234567890123456789012{user}{"
	     "user}'"),
     "kubernetes.namespace must be"},
    {CLUSTER(", 'namespace': '{project}23456789012345678901234567890123456789012345678901x3'"),
     "kubernetes needs the key \"queue\""},
    {CLUSTER(", 'namespace': 'n', 'pull_secret': 'a b'"), "kubernetes.pull_secret must be"},
    {CLUSTER(", 'namespace': 'a23456789012345678901234567890123456789012345678901x3'"),
     "kubernetes needs the key \"queue\""},
    {POLICY("'projects': {}, 'kubernetes': {'namespace': 'n', 'data_claim': '{run}', "
	    "'outputs_claim': 'o'}"),
     "data_claim must be a name in lower case; {project}, {user} and {user_first} are filled in"},
};

START_TEST(an_impossible_cluster_refuses_the_policy)
{
	struct ces_error fault;

	ck_assert_ptr_null(policy_of(bad_clusters[_i].text, &fault));
	ck_assert_msg(strstr(fault.text, bad_clusters[_i].says) != NULL, "%s", fault.text);
}
END_TEST

START_TEST(a_cluster_has_a_queue_of_its_namespace_unless_it_says_so)
{
	use_policy(CLUSTER(", 'namespace': 'nsh-gpu'"));
	ck_assert_str_eq(policy->kubernetes.queue, "nsh-gpu-user-queue");
	ck_assert_ptr_null(policy->kubernetes.pull_secret);
	use_policy(CLUSTER(", 'namespace': 'nsh-gpu', 'queue': 'q', 'pull_secret': 's.t'"));
	ck_assert_str_eq(policy->kubernetes.queue, "q");
	ck_assert_str_eq(policy->kubernetes.pull_secret, "s.t");
	use_policy(CLUSTER(", 'namespace': 'nsh-{project}-ns'"));
	ck_assert_str_eq(policy->kubernetes.queue, "nsh-{project}-ns-user-queue");
	use_policy(CLUSTER(", 'namespace': 'n', 'queue': '{user_first}.{project}'"));
	ck_assert_str_eq(policy->kubernetes.queue, "{user_first}.{project}");
	use_policy(POLICY("'projects': {}"));
	ck_assert_ptr_null(policy->kubernetes.namespace);
}
END_TEST

START_TEST(a_name_of_a_cluster_is_made_of_labels)
{
	static const char *const good[] = {"a", "0", "a-b", "a.b-c.d", "x--y"};
	static const char *const bad[] = {"",     "-a", "a-",  ".a",  "a.",      "a..b",
					  "a.-b", "A",  "a_b", "a b", "\xc3\xa9"};

	for (size_t i = 0; i < CES_COUNT(good); i++)
		ck_assert_msg(ces_cluster_name_valid(good[i], 63), "%s", good[i]);
	for (size_t i = 0; i < CES_COUNT(bad); i++)
		ck_assert_msg(!ces_cluster_name_valid(bad[i], 63), "%s", bad[i]);
	ck_assert(!ces_cluster_name_valid("abc", 2));
	ck_assert(ces_valid_claim("{project}-{user}"));
	ck_assert(!ces_valid_claim("{project}-"));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("proxy");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, a_proxy_is_a_host_and_a_port, 0, CES_COUNT(no_proxies));
	tcase_add_test(t, without_the_key_there_is_no_way_out);
	tcase_add_test(t, a_projects_proxy_replaces_that_of_the_defaults_and_none_takes_it_back);
	tcase_add_test(t, a_run_without_the_proxy_may_always_be_asked_for);
	tcase_add_test(t, the_proxys_port_in_the_container_cannot_be_published);
	tcase_add_test(t, an_explanation_names_the_proxy);
	tcase_add_test(t, programs_find_the_proxy_in_every_spelling);
	tcase_add_loop_test(t, an_impossible_cluster_refuses_the_policy, 0,
			    CES_COUNT(bad_clusters));
	tcase_add_test(t, a_cluster_has_a_queue_of_its_namespace_unless_it_says_so);
	tcase_add_test(t, a_name_of_a_cluster_is_made_of_labels);
	return run_suite("policy_proxy", t);
}
