/* Tests the decision: what one run may mount, and where its home is. */
#include "tests/unit/policy_ask.h"

#define GIB ((uint64_t)1 << 30)

static const struct {
	const char *source, *destination, *rule, *says;
	enum ces_code code;
} bad_binds[] = {
    {"/home/ann", "/x", "projects.alpha.binds", "you may not bind", CES_E_DENIED},
    {"/home/ann/s3x", "/x", "projects.alpha.binds", "you may not bind", CES_E_DENIED},
    {"/home/ann/s", "/x", "projects.alpha.binds", "you may not bind", CES_E_DENIED},
    {"/home/anna/s3", "/x", "projects.alpha.binds", "you may not bind", CES_E_DENIED},
    {"/shared/beta", "/x", "projects.alpha.binds", "you may not bind", CES_E_DENIED},
    {"/shared/alpha2", "/x", "projects.alpha.binds", "you may not bind", CES_E_DENIED},
    {"/etc", "/x", "projects.alpha.binds", "you may not bind", CES_E_DENIED},
    {"/", "/x", "", "not an absolute path", CES_E_USAGE},
    {"/home/ann/s3/../.ssh", "/x", "", "not an absolute path", CES_E_USAGE},
    {"/home/ann/s3/./x", "/x", "", "not an absolute path", CES_E_USAGE},
    {"/home/ann/s3//x", "/x", "", "not an absolute path", CES_E_USAGE},
    {"s3", "/x", "", "not an absolute path", CES_E_USAGE},
    {"", "/x", "", "not an absolute path", CES_E_USAGE},
    {"/home/ann/s3", "/", "", "", CES_E_USAGE},
    {"/home/ann/s3", "x", "", "nothing can be mounted", CES_E_USAGE},
    {"/home/ann/s3", "/x/../etc", "", "nothing can be mounted", CES_E_USAGE},
    {"/home/ann/s3", "/proc", "", "CES's own", CES_E_USAGE},
    {"/home/ann/s3", "/proc/sys", "", "CES's own", CES_E_USAGE},
    {"/home/ann/s3", "/sys/fs", "", "CES's own", CES_E_USAGE},
    {"/home/ann/s3", "/dev/shm", "", "CES's own", CES_E_USAGE},
    {"/home/ann/s3", "/etc", "", "CES's own", CES_E_USAGE},
    {"/home/ann/s3", "/etc/", "", "CES's own", CES_E_USAGE},
    {"/home/ann/s3", "/safe_data", "", "/safe_data/alpha, the project's data: bind", CES_E_USAGE},
    {"/home/ann/other", "/safe_outputs/", "projects.alpha.binds", "you may not bind", CES_E_DENIED},
    {"/home/ann/other", "/scratch", "projects.alpha.binds", "you may not bind", CES_E_DENIED},
    {"/safe_data/alpha", "/scratch", "projects.alpha.binds", "you may not bind", CES_E_DENIED},
};

START_TEST(a_bind_outside_the_rules_is_refused)
{
	request.bind_sources = (struct ces_strings)LIST((char *)bad_binds[_i].source);
	request.bind_destinations = (struct ces_strings)LIST((char *)bad_binds[_i].destination);
	request.bind_read_only = (struct ces_u64s)NUMBERS(0);
	refused(bad_binds[_i].code, bad_binds[_i].rule, bad_binds[_i].says);
}
END_TEST

START_TEST(an_existing_directory_takes_the_place_of_outputs_and_scratch)
{
	request.bind_sources =
	    (struct ces_strings)LIST((char *)"/home/ann/s3/o", (char *)"/shared/alpha/s");
	request.bind_destinations =
	    (struct ces_strings)LIST((char *)"/safe_outputs/", (char *)"/scratch");
	request.bind_read_only = (struct ces_u64s)NUMBERS(0, 0);
	allowed("projects.alpha.images[0]");
	ck_assert_uint_eq(decision.n_binds, 0);
	ck_assert_str_eq(decision.outputs.source, "/home/ann/s3/o");
	ck_assert_str_eq(decision.outputs.destination, "/safe_outputs");
	ck_assert(!decision.outputs.create && !decision.outputs.per_run &&
		  !decision.outputs.read_only);
	ck_assert_str_eq(decision.scratch.source, "/shared/alpha/s");
	ck_assert(!decision.scratch.create && !decision.scratch.per_run);
	request.bind_destinations =
	    (struct ces_strings)LIST((char *)"/scratch", (char *)"/scratch/");
	refused(CES_E_USAGE, "", "two mounts");
}
END_TEST

START_TEST(the_projects_own_data_in_their_place_change_nothing)
{
	request.bind_sources = (struct ces_strings)LIST((char *)"/safe_data/alpha/");
	request.bind_destinations = (struct ces_strings)LIST((char *)"/safe_data");
	request.bind_read_only = (struct ces_u64s)NUMBERS(0);
	allowed("projects.alpha.images[0]");
	ck_assert_uint_eq(decision.n_binds, 0);
	ck_assert_str_eq(decision.data.source, "/safe_data/alpha");
}
END_TEST

START_TEST(a_caller_who_keeps_the_uid_has_a_home)
{
	request.flags = CES_FLAG_SAME_UID;
	allowed("projects.alpha.images[0]");
	ck_assert_str_eq(decision.home, "/home/ann");
	ck_assert_uint_eq(decision.n_tmpfs, 1);
	ck_assert_str_eq(decision.tmpfs[0].destination, "/home/ann");
	request.bind_sources = (struct ces_strings)LIST((char *)"/home/ann/s3");
	request.bind_destinations = (struct ces_strings)LIST((char *)"/home/ann");
	request.bind_read_only = (struct ces_u64s)NUMBERS(0);
	allowed("projects.alpha.images[0]");
	ck_assert_str_eq(decision.home, "/home/ann");
	ck_assert_uint_eq(decision.n_tmpfs, 0);
}
END_TEST

/* homes of root and of CES, and homes that no container can have */
static const char *const odd_homes[] = {"/root", "/dev/shm", "/safe_data", "/scratch"};

START_TEST(a_home_that_cannot_be_one_inside_is_scratch)
{
	char *home = caller.home;

	request.flags = CES_FLAG_SAME_UID;
	caller.home = (char *)(uintptr_t)odd_homes[_i];
	allowed("projects.alpha.images[0]");
	ck_assert_str_eq(decision.home, "/scratch");
	ck_assert_uint_eq(decision.n_tmpfs, 0);
	caller.home = home;
}
END_TEST

START_TEST(a_bind_at_or_below_an_allowed_directory_is_taken)
{
	request.bind_sources =
	    (struct ces_strings)LIST((char *)"/home/ann/s3/", (char *)"/shared/alpha/a/b");
	request.bind_destinations =
	    (struct ces_strings)LIST((char *)"/var/lib/x/", (char *)"/development");
	request.bind_read_only = (struct ces_u64s)NUMBERS(1, 0);
	allowed("projects.alpha.images[0]");
	ck_assert_uint_eq(decision.n_binds, 2);
	ck_assert_str_eq(decision.binds[0].source, "/home/ann/s3");
	ck_assert_str_eq(decision.binds[0].destination, "/var/lib/x");
	ck_assert(decision.binds[0].read_only && !decision.binds[0].create &&
		  !decision.binds[0].per_run);
	ck_assert_str_eq(decision.binds[1].source, "/shared/alpha/a/b");
	ck_assert_str_eq(decision.binds[1].destination, "/development");
	ck_assert(!decision.binds[1].read_only);
}
END_TEST

START_TEST(without_binds_in_the_policy_nothing_is_bound)
{
	use_policy(PROJECT(""));
	in_groups("p");
	request.bind_sources = (struct ces_strings)LIST((char *)"/home/ann");
	request.bind_destinations = (struct ces_strings)LIST((char *)"/x");
	request.bind_read_only = (struct ces_u64s)NUMBERS(1);
	refused(CES_E_DENIED, "defaults.binds", "you may not bind");
}
END_TEST

START_TEST(read_only_data_do_not_come_in_writable_by_another_name)
{
	static const char *const sources[] = {"/home/ann", "/home/ann/data", "/home/ann/data/x"};

	in_groups("g-beta");
	request.image = (char *)"ghcr.io/beta/tool";
	request.bind_destinations = (struct ces_strings)LIST((char *)"/x");
	for (size_t i = 0; i < CES_COUNT(sources); i++) {
		request.bind_sources = (struct ces_strings)LIST((char *)sources[i]);
		request.bind_read_only = (struct ces_u64s)NUMBERS(0);
		refused(CES_E_DENIED, "defaults.data.access", "bind it with :ro");
		request.bind_read_only = (struct ces_u64s)NUMBERS(1);
		allowed("projects.beta.images[0]");
	}
	request.bind_sources = (struct ces_strings)LIST((char *)"/home/ann/data2");
	request.bind_read_only = (struct ces_u64s)NUMBERS(0);
	allowed("projects.beta.images[0]");
}
END_TEST

START_TEST(data_of_the_policys_stay_read_only_where_the_callers_own_stand_for_them)
{
	static const char *const sources[] = {"/safe_data", "/safe_data/p", "/safe_data/p/x",
					      "/home/ann/safe_data", "/home/ann"};
	static const char *const places[] = {"/x", "/safe_outputs", "/scratch"};

	use_policy(PROJECT(", 'data': {'home_override': true}, 'binds': ['/safe_data', '~']"));
	in_groups("p");
	facts.home_data = true;
	for (size_t i = 0; i < CES_COUNT(sources) * CES_COUNT(places); i++) {
		request.bind_sources =
		    (struct ces_strings)LIST((char *)sources[i / CES_COUNT(places)]);
		request.bind_destinations =
		    (struct ces_strings)LIST((char *)places[i % CES_COUNT(places)]);
		request.bind_read_only = (struct ces_u64s)NUMBERS(0);
		refused(CES_E_DENIED, "defaults.data.access", "bind it with :ro");
		request.bind_read_only = (struct ces_u64s)NUMBERS(1);
		allowed("projects.p.images[0]");
	}
}
END_TEST

START_TEST(a_place_of_cess_can_be_asked_for_read_only)
{
	use_policy(PROJECT(", 'data': {'access': 'read-write'}"));
	in_groups("p");
	request.bind_sources = (struct ces_strings)LIST((char *)"/safe_data/p");
	request.bind_destinations = (struct ces_strings)LIST((char *)"/safe_data");
	request.bind_read_only = (struct ces_u64s)NUMBERS(0);
	allowed("projects.p.images[0]");
	ck_assert(!decision.data.read_only);
	request.bind_read_only = (struct ces_u64s)NUMBERS(1);
	allowed("projects.p.images[0]");
	ck_assert(decision.data.read_only && decision.n_binds == 0);
}
END_TEST

START_TEST(lists_that_do_not_pair_up_are_refused)
{
	request.bind_sources = (struct ces_strings)LIST((char *)"/home/ann/s3");
	refused(CES_E_USAGE, "", "pair up");
	request.bind_sources.n = 0;
	request.tmpfs_destinations = (struct ces_strings)LIST((char *)"/run");
	refused(CES_E_USAGE, "", "pair up");
}
END_TEST

START_TEST(a_tmpfs_gets_its_size_or_the_policys)
{
	request.tmpfs_destinations = (struct ces_strings)LIST((char *)"/run", (char *)"/tmp/");
	request.tmpfs_sizes = (struct ces_u64s)NUMBERS(0, 4096);
	allowed("projects.alpha.images[0]");
	ck_assert_uint_eq(decision.n_tmpfs, 2);
	ck_assert_uint_eq(decision.tmpfs[0].size, 2 * GIB);
	ck_assert_uint_eq(decision.tmpfs[1].size, 4096);
	ck_assert_str_eq(decision.tmpfs[1].destination, "/tmp");
	request.tmpfs_sizes = (struct ces_u64s)NUMBERS(0, 9 * GIB);
	refused(CES_E_DENIED, "defaults.limits.memory", "8 GiB");
	request.tmpfs_sizes = (struct ces_u64s)NUMBERS(0, 0);
	request.tmpfs_destinations = (struct ces_strings)LIST((char *)"/run", (char *)"/run/");
	refused(CES_E_USAGE, "", "two mounts");
	request.tmpfs_destinations = (struct ces_strings)LIST((char *)"/run", (char *)"/dev/shm");
	refused(CES_E_USAGE, "", "CES's own");
}
END_TEST

static TCase *make_tests(void)
{
	TCase *t = tcase_create("mounts");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, a_bind_outside_the_rules_is_refused, 0, CES_COUNT(bad_binds));
	tcase_add_test(t, an_existing_directory_takes_the_place_of_outputs_and_scratch);
	tcase_add_test(t, the_projects_own_data_in_their_place_change_nothing);
	tcase_add_test(t, a_caller_who_keeps_the_uid_has_a_home);
	tcase_add_loop_test(t, a_home_that_cannot_be_one_inside_is_scratch, 0,
			    (int)(sizeof(odd_homes) / sizeof(odd_homes[0])));
	tcase_add_test(t, a_bind_at_or_below_an_allowed_directory_is_taken);
	tcase_add_test(t, without_binds_in_the_policy_nothing_is_bound);
	tcase_add_test(t, read_only_data_do_not_come_in_writable_by_another_name);
	tcase_add_test(t, data_of_the_policys_stay_read_only_where_the_callers_own_stand_for_them);
	tcase_add_test(t, a_place_of_cess_can_be_asked_for_read_only);
	tcase_add_test(t, lists_that_do_not_pair_up_are_refused);
	tcase_add_test(t, a_tmpfs_gets_its_size_or_the_policys);
	return t;
}

int main(void)
{
	return run_suite("policy_mounts", make_tests());
}
