/* Tests the decision: who may do what, by which rule. policy_run_test.c tests what a run is given.
 */
#include "policy/explain.h"
#include "tests/unit/policy_ask.h"

/* Members and projects. */

START_TEST(a_member_by_group_runs_an_allowed_image)
{
	allowed("projects.alpha.images[0]");
	ck_assert_str_eq(decision.project, "alpha");
	ck_assert_str_eq(decision.approval, "IG-1");
	ck_assert_uint_eq(decision.uid, 1000);
	ck_assert_uint_eq(decision.n_project_gids, 1);
	ck_assert_uint_eq(decision.project_gids[0], 5001);
	ck_assert_str_eq(decision.project_group_names[0], "g-alpha");
	ck_assert_str_eq(decision.locked_digest, "");
}
END_TEST

START_TEST(the_group_of_root_is_never_passed_on)
{
	gid_list[1] = 0;
	allowed("projects.alpha.images[0]");
	ck_assert_uint_eq(decision.n_project_gids, 0);
}
END_TEST

START_TEST(a_member_by_user_name_needs_no_group)
{
	in_groups("ursula");
	caller.user = (char *)"ursula";
	allowed("projects.alpha.images[0]");
	ck_assert_uint_eq(decision.n_project_gids, 0);
}
END_TEST

static const char *const strangers[] = {"ann",     "g-alph", "g-alphas", "alpha",
					"G-ALPHA", "?",      "xg-alpha"};

START_TEST(a_group_name_that_only_resembles_a_project_grants_nothing)
{
	in_groups(strangers[_i]);
	refused(CES_E_NOTFOUND, "projects", "no project: you are in none of the groups");
}
END_TEST

START_TEST(without_a_project_the_answer_names_the_callers_groups)
{
	in_groups("ann,staff");
	refused(CES_E_NOTFOUND, "projects", "(your groups: ann, staff)");
}
END_TEST

START_TEST(a_run_by_a_member_of_two_projects_must_name_one)
{
	in_groups("g-beta,g-alpha,g-gone");
	refused(CES_E_USAGE, "", "name one with --project: alpha, beta");
	request.project = (char *)"alpha";
	allowed("projects.alpha.images[0]");
}
END_TEST

START_TEST(a_pull_takes_the_first_project_that_allows_the_image)
{
	in_groups("g-beta,g-alpha");
	request.verb = CES_VERB_PULL;
	request.flags = CES_FLAG_EXPLAIN;
	request.image = (char *)"ghcr.io/beta/tool";
	allowed("projects.beta.images[0]");
	request.image = (char *)"ghcr.io/lab/tool";
	allowed("projects.alpha.images[0]");
	request.image = (char *)"ghcr.io/other/tool";
	refused(CES_E_DENIED, "projects",
		"no image rule of your projects alpha, beta allows ghcr.io/other/tool");
	request.project = (char *)"beta";
	refused(CES_E_DENIED, "projects.beta.images", "project beta allows");
}
END_TEST

START_TEST(another_persons_project_is_denied_like_a_missing_one)
{
	char first[CES_ERROR_TEXT];

	request.project = (char *)"secret";
	refused(CES_E_DENIED, "projects", "secret");
	snprintf(first, sizeof(first), "%s", err.text);
	use_policy(PROJECT("")); /* there is no project of that name */
	in_groups("p");
	refused(CES_E_DENIED, "projects", "secret");
	ck_assert_str_eq(first, err.text);
}
END_TEST

START_TEST(an_expired_project_denies_what_it_covers)
{
	in_groups("g-gone");
	refused(CES_E_DENIED, "projects.gone.expires", "has expired");
	in_groups("g-gone,g-alpha");
	allowed("projects.alpha.images[0]");
	request.project = (char *)"gone";
	refused(CES_E_DENIED, "projects.gone.expires", "has expired");
}
END_TEST

START_TEST(a_project_is_valid_through_its_last_day)
{
	ck_assert_int_eq(ces_decide(policy, &caller, &request, &facts, 1798847999, &decision, &err),
			 0); /* 2027-01-01 */
	ck_assert_int_eq(ces_decide(policy, &caller, &request, &facts, 1798848000, &decision, &err),
			 -1);
	ck_assert_str_eq(err.rule, "projects.alpha.images[0].expires");
}
END_TEST

/* Images and registries. */

static const struct {
	const char *image, *rule, *says;
} images[] = {
    {"ghcr.io/lab/tool/sub", "projects.alpha.images", "no image rule"},
    {"ghcr.io/lab", "projects.alpha.images", "no image rule"},
    {"ghcr.io/labs/tool", "projects.alpha.images", "no image rule"},
    {"ghcr.io/xlab/tool", "projects.alpha.images", "no image rule"},
    {"ghcr.io/old/tool", "projects.alpha.images[1].expires", "has expired"},
    {"ghcr.io/locked/tool@" D2, "projects.alpha.images[2].digest", "another digest"},
    {"docker.io/lab/tool", "registries",
     "docker.io is not an allowed registry (ghcr.io, open.org)"},
    {"ghcr.io:443/lab/tool", "registries", "ghcr.io:443"},
    {"ghcr.io.evil.org/lab/tool", "registries", "ghcr.io.evil.org"},
    {"evil.ghcr.io/lab/tool", "registries", "evil.ghcr.io"},
};

START_TEST(an_image_that_no_rule_covers_is_denied)
{
	request.image = (char *)images[_i].image;
	refused(CES_E_DENIED, images[_i].rule, images[_i].says);
}
END_TEST

START_TEST(a_locked_digest_is_passed_on)
{
	request.image = (char *)"ghcr.io/locked/tool:latest";
	allowed("projects.alpha.images[2]");
	ck_assert_str_eq(decision.locked_digest, D1);
	request.image = (char *)"ghcr.io/locked/tool@" D1;
	allowed("projects.alpha.images[2]");
}
END_TEST

START_TEST(an_unqualified_reference_is_a_usage_error)
{
	request.image = (char *)"ubuntu";
	refused(CES_E_USAGE, "", "");
	request.image = NULL;
	refused(CES_E_USAGE, "", "no image");
}
END_TEST

/* (a ces-decode that was taken over would have one image recorded, and another pulled) */
START_TEST(a_name_that_was_split_into_another_is_a_usage_error)
{
	request.image = (char *)"ghcr.io/lab/tool:1";
	ck_assert_int_eq(ces_reference_parse("ghcr.io/lab/other:1", &request.reference, &err), 0);
	ck_assert_int_eq(ces_decide(policy, &caller, &request, &facts, NOW, &decision, &err), -1);
	ck_assert_int_eq(err.code, CES_E_USAGE);
	ck_assert_ptr_nonnull(strstr(err.text, "'ghcr.io/lab/tool:1' is not an image name"));
}
END_TEST

START_TEST(a_registry_that_requires_a_login_is_not_asked_without_one)
{
	request.verb = CES_VERB_PULL;
	refused(CES_E_DENIED, "registries.credentials", "ghcr.io wants a login");
	/* (a refusal that nothing could change is reported first) */
	request.image = (char *)"ghcr.io/other/tool";
	refused(CES_E_DENIED, "projects.alpha.images", "no image rule");
	request.image = (char *)"ghcr.io/lab/tool";
	request.flags = CES_FLAG_EXPLAIN;
	allowed("projects.alpha.images[0]");
	request.flags = 0;
	request.username = (char *)"ann";
	request.token = (char *)"t";
	allowed("projects.alpha.images[0]");
	request.username = request.token = NULL;
	request.image = (char *)"open.org/a/b";
	allowed("projects.alpha.images[3]");
	request.verb = CES_VERB_RUN;
	request.image = (char *)"ghcr.io/lab/tool";
	allowed("projects.alpha.images[0]");
}
END_TEST

START_TEST(a_pull_gets_its_registry_and_nothing_of_a_run)
{
	request.verb = CES_VERB_PULL;
	request.flags = CES_FLAG_EXPLAIN;
	allowed("projects.alpha.images[0]");
	ck_assert_str_eq(decision.endpoint, "https://proxy.loc:5000/ghcr");
	ck_assert_str_eq(decision.ca_file, "/etc/ces/ca.pem");
	ck_assert_int_eq(decision.credentials, CES_CREDENTIALS_REQUIRED);
	ck_assert_uint_eq(decision.token_hosts.n, 1);
	ck_assert_str_eq(decision.image.repository, "lab/tool");
	ck_assert_str_eq(decision.data.source, "");
	ck_assert_int_eq(decision.retain, CES_RETAIN_TIME);
	request.image = (char *)"open.org/a/b/c";
	allowed("projects.alpha.images[3]");
	ck_assert_str_eq(decision.endpoint, "https://open.org");
	ck_assert_str_eq(decision.ca_file, "");
	ck_assert_int_eq(decision.credentials, CES_CREDENTIALS_NONE);
}
END_TEST

/* The caller. */

static const struct {
	const char *promise, *user, *home;
	uid_t uid;
	gid_t gid;
} odd[] = {
    {"root", "root", "/root", 0, 1000},
    {"root's group", "ann", "/home/ann", 1000, 0},
    {"no uid", "ann", "/home/ann", (uid_t)-1, 1000},
    {"a subordinate id", "ann", "/home/ann", 2000000001, 1000},
    {"a user name with a slash", "a/b", "/home/ann", 1000, 1000},
    {"a user name that climbs", "..", "/home/ann", 1000, 1000},
    {"an empty user name", "", "/home/ann", 1000, 1000},
    {"a user name like a template", "{run}", "/home/ann", 1000, 1000},
    {"no user name", NULL, "/home/ann", 1000, 1000},
    {"a relative home", "ann", "home/ann", 1000, 1000},
    {"a home that climbs", "ann", "/home/../root", 1000, 1000},
    {"a home like a template", "ann", "/home/{run}", 1000, 1000},
    {"the root directory as home", "ann", "/", 1000, 1000},
    {"an empty home", "ann", "", 1000, 1000},
    {"no home", "ann", NULL, 1000, 1000},
};

START_TEST(an_odd_entry_in_the_user_database_is_refused)
{
	caller.user = (char *)odd[_i].user;
	caller.home = (char *)odd[_i].home;
	caller.uid = odd[_i].uid;
	caller.gid = odd[_i].gid;
	refused(CES_E_HOST, "", "");
}
END_TEST

START_TEST(a_home_with_a_trailing_slash_is_the_same_home)
{
	caller.home = (char *)"/home/ann/";
	allowed("projects.alpha.images[0]");
	ck_assert_str_eq(decision.outputs.source, "/home/ann/outputs_{run}");
}
END_TEST

START_TEST(only_a_pull_or_a_run_is_decided)
{
	request.verb = CES_VERB_STOP;
	refused(CES_E_USAGE, "", "");
}
END_TEST

/* Inferred projects. */

static const char inferring[] =
    POLICY("'projects': {'written': {'members': {'groups': ['w']}, 'images': []}},"
	   "'infer_projects': {'base': '/safe_data', 'group_prefixes': ['', 'nsh-'], 'images': "
	   "[{'allow': 'ghcr.io/lab/*'}]}");

static void exists(const char *project)
{
	static char *list[1];

	list[0] = (char *)project;
	facts.inferred = (struct ces_strings){list, 1};
}

START_TEST(a_group_and_a_directory_make_a_project)
{
	use_policy(inferring);
	in_groups("ann,nsh-heart");
	exists("heart");
	allowed("infer_projects.images[0]");
	ck_assert_str_eq(decision.project, "heart");
	ck_assert_str_eq(decision.data.source, "/safe_data/heart");
	ck_assert(decision.data.read_only);
	ck_assert_uint_eq(decision.n_project_gids, 1);
	ck_assert_uint_eq(decision.project_gids[0], 5001);
	request.image = (char *)"ghcr.io/other/tool";
	refused(CES_E_DENIED, "infer_projects.images", "project heart");
}
END_TEST

START_TEST(a_group_without_a_directory_is_denied_with_the_place_of_the_directory)
{
	use_policy(inferring);
	in_groups("heart");
	facts.home_data = true;
	refused(CES_E_NOTFOUND, "projects",
		"none of the groups that the policy lists, or your project has no directory in "
		"/safe_data (your groups: heart)");
}
END_TEST

START_TEST(a_directory_without_the_group_makes_no_project)
{
	use_policy(inferring);
	in_groups("ann,nsh-hearts,xnsh-heart,heart2");
	exists("heart");
	refused(CES_E_NOTFOUND, "projects", "no project");
}
END_TEST

START_TEST(a_written_project_hides_the_inferred_one)
{
	use_policy(inferring);
	in_groups("nsh-written,written");
	exists("written");
	refused(CES_E_NOTFOUND, "projects", "no project");
}
END_TEST

START_TEST(without_infer_projects_no_group_makes_a_project)
{
	in_groups("heart");
	exists("heart");
	refused(CES_E_NOTFOUND, "projects", "no project");
}
END_TEST

START_TEST(a_name_that_does_not_fit_is_refused_and_never_cut)
{
	static struct ces_decision_names copy;
	char most[264], *list[65];
	struct ces_strings given = {list, 64};

	snprintf(most, sizeof(most), "/%0262d", 0);
	for (size_t i = 0; i < CES_COUNT(list); i++)
		list[i] = most;
	ck_assert_int_eq(ces_decision_names(&given, "host.cdi_dirs", &copy, &err), 0);
	ck_assert_uint_eq(copy.n, 64);
	ck_assert_str_eq(copy.v[63], most);
	given.n = 65;
	ck_assert_int_eq(ces_decision_names(&given, "host.cdi_dirs", &copy, &err), -1);
	ck_assert_int_eq(err.code, CES_E_POLICY);
	given.n = 1;
	list[0] = (char[265]){0};
	memset(list[0], '/', 264);
	ck_assert_int_eq(ces_decision_names(&given, "host.cdi_dirs", &copy, &err), -1);
	ck_assert_str_eq(err.text, "host.cdi_dirs has too many or too long names");
}
END_TEST

START_TEST(candidates_are_the_names_that_groups_could_mean)
{
	char found[8][CES_NAME_MAX + 1];

	use_policy(inferring);
	in_groups("nsh-heart,?,heart,written,nsh-,a b,nsh-..");
	/* prefix "" also makes a project of nsh-heart, and of nsh-: the directory says whether
	 * there is one */
	ck_assert_uint_eq(ces_decide_candidates(policy, &caller, found, 8), 4);
	ck_assert_str_eq(found[0], "nsh-heart");
	ck_assert_str_eq(found[1], "heart");
	ck_assert_str_eq(found[2], "nsh-");
	ck_assert_str_eq(found[3], "nsh-..");
	ck_assert_uint_eq(ces_decide_candidates(policy, &caller, found, 1), 1);
	use_policy(policy_text);
	ck_assert_uint_eq(ces_decide_candidates(policy, &caller, found, 8), 0);
}
END_TEST

/* The same question gets the same answer, and the answer explains itself from its content. */

START_TEST(the_same_inputs_give_the_same_bytes)
{
	struct ces_decision first;

	request.cpus = 500;
	request.publish = (struct ces_strings)LIST((char *)"9000:8787");
	ck_assert_int_eq(ask(), 0);
	first = decision;
	memset(&decision, 0x55, sizeof(decision));
	ck_assert_int_eq(ask(), 0);
	ck_assert_int_eq(memcmp(&first, &decision, sizeof(first)), 0);
}
END_TEST

static char lines[4096];

static void collect(void *context, const char *line)
{
	size_t used = strlen(lines);

	(void)context;
	snprintf(lines + used, sizeof(lines) - used, "%s\n", line);
}

START_TEST(an_explanation_says_what_is_given)
{
	request.publish = (struct ces_strings)LIST((char *)"9000:8787");
	request.gpu = (char *)"1";
	allowed("projects.alpha.images[0]");
	lines[0] = '\0';
	ces_decision_explain(&caller, &decision, collect, NULL);
	ck_assert_str_eq(
	    lines,
	    "allowed: run by ann (1000)\n"
	    "project alpha (First)\n"
	    "  through group g-alpha (5001)\n"
	    "image ghcr.io/lab/tool:1, allowed by projects.alpha.images[0], approval IG-1\n"
	    "  removed if nobody uses it for 30d\n"
	    "directories in the container:\n"
	    "  /safe_data is /safe_data/alpha, read-write\n"
	    "  /safe_outputs is /home/ann/outputs_{run}, read-write, kept\n"
	    "  /scratch is /home/ann/scratch_{run}, read-write, deleted at the end\n"
	    "  the image's own files are writable, changes are lost at the end\n"
	    "limits: 2 cpus, 8 GiB memory, 6h, 4096 processes\n"
	    "  1 GiB shared memory, 2 GiB for changes to the image's files, 4 runs at once\n"
	    "network: none\n"
	    "  port 9000 of this machine, for you alone, leads to port 8787 of the container\n"
	    "GPUs: 1\n"
	    "identity: root inside is ann (1000) outside, files belong to ann\n");
}
END_TEST

static TCase *make_tests(void)
{
	TCase *t = tcase_create("decide");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_member_by_group_runs_an_allowed_image);
	tcase_add_test(t, the_group_of_root_is_never_passed_on);
	tcase_add_test(t, a_member_by_user_name_needs_no_group);
	tcase_add_loop_test(t, a_group_name_that_only_resembles_a_project_grants_nothing, 0,
			    CES_COUNT(strangers));
	tcase_add_test(t, without_a_project_the_answer_names_the_callers_groups);
	tcase_add_test(t, a_run_by_a_member_of_two_projects_must_name_one);
	tcase_add_test(t, a_pull_takes_the_first_project_that_allows_the_image);
	tcase_add_test(t, another_persons_project_is_denied_like_a_missing_one);
	tcase_add_test(t, an_expired_project_denies_what_it_covers);
	tcase_add_test(t, a_project_is_valid_through_its_last_day);
	tcase_add_loop_test(t, an_image_that_no_rule_covers_is_denied, 0, CES_COUNT(images));
	tcase_add_test(t, a_locked_digest_is_passed_on);
	tcase_add_test(t, an_unqualified_reference_is_a_usage_error);
	tcase_add_test(t, a_name_that_was_split_into_another_is_a_usage_error);
	tcase_add_test(t, a_registry_that_requires_a_login_is_not_asked_without_one);
	tcase_add_test(t, a_pull_gets_its_registry_and_nothing_of_a_run);
	tcase_add_loop_test(t, an_odd_entry_in_the_user_database_is_refused, 0, CES_COUNT(odd));
	tcase_add_test(t, a_home_with_a_trailing_slash_is_the_same_home);
	tcase_add_test(t, only_a_pull_or_a_run_is_decided);
	tcase_add_test(t, a_group_and_a_directory_make_a_project);
	tcase_add_test(t, a_directory_without_the_group_makes_no_project);
	tcase_add_test(t, a_group_without_a_directory_is_denied_with_the_place_of_the_directory);
	tcase_add_test(t, a_written_project_hides_the_inferred_one);
	tcase_add_test(t, without_infer_projects_no_group_makes_a_project);
	tcase_add_test(t, a_name_that_does_not_fit_is_refused_and_never_cut);
	tcase_add_test(t, candidates_are_the_names_that_groups_could_mean);
	tcase_add_test(t, the_same_inputs_give_the_same_bytes);
	tcase_add_test(t, an_explanation_says_what_is_given);
	return t;
}

int main(void)
{
	return run_suite("policy_decide", make_tests());
}
