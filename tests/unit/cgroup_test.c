/* Tests the cgroup of a run: the order in which it is made and limited, what a fault on the way
 * leaves, what it says of a run that has ended, and that the end removes it and nothing else. */
/* links: helper/launch/cgroup.c helper/launch/parent.c helper/core/beneath.c */
#include "tests/unit/cgroup_scene.h"

#define RUN  "0123456789"
#define NAME "ces/1000/" RUN
#define JOB  "system.slice/slurmstepd.scope/job_7"

static struct ces_cgroup cgroup;
static struct ces_error err;
static struct ces_host host;
static const struct ces_policy_limits none = {0},
				      some = {.cpus = 1500, .memory = 1u << 20, .pids = 10},
				      all = {.cpus = 4000, .memory = 4u << 20, .pids = 40};

static void find(void)
{
	cgroup = (struct ces_cgroup)CES_CGROUP_NONE;
	put_text("self", own);
	steps_begin(0, 0);
	ck_assert_msg(ces_cgroup_find(&host, 1000, RUN, &cgroup, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(steps->n, 0); /* it makes nothing */
}

static void set_up(void)
{
	own = "0::/\n";
	host = (struct ces_host){.cgroup_parent = CES_CGROUP_AUTO};
	err = (struct ces_error){0};
	scene_begin();
}

static const char *const made[] = {
    "write cgroup.subtree_control +memory", "write cgroup.subtree_control +cpu",
    "write cgroup.subtree_control +pids", "mkdir .:ces 755",
    "write ces/cgroup.subtree_control +memory", "write ces/cgroup.subtree_control +cpu",
    "write ces/cgroup.subtree_control +pids", "mkdir .:ces/1000 755",
    "write ces/1000/cgroup.subtree_control +memory", "write ces/1000/cgroup.subtree_control +cpu",
    "write ces/1000/cgroup.subtree_control +pids", "mkdir .:" NAME " 755", "mode " NAME " 755",
    /* the user's total, then the run's own limits */
    "write ces/1000/memory.swap.max 0", "write ces/1000/memory.max 4194304",
    "write ces/1000/pids.max 40", "write ces/1000/cpu.max 400000 100000",
    "write " NAME "/memory.swap.max 0", "write " NAME "/memory.max 1048576",
    "write " NAME "/pids.max 10", "write " NAME "/cpu.max 150000 100000", NULL};

START_TEST(a_cgroup_is_made_step_by_step_with_the_limits_of_user_and_run)
{
	find();
	ck_assert_int_eq(ces_cgroup_make(&cgroup, &some, &all, &err), 0);
	steps_check(made, 0);
}
END_TEST

START_TEST(a_limit_that_does_not_take_is_an_error_and_its_step_the_last)
{
	const char *step_now = made[_i];
	size_t before = open_fds();
	bool passing =
	    strstr(step_now, "subtree_control") != NULL || strstr(step_now, "swap") != NULL;

	find();
	steps_begin((size_t)_i + 1, EIO);
	if (passing) { /* if it matters, the limit itself fails later */
		ck_assert_int_eq(ces_cgroup_make(&cgroup, &some, &all, &err), 0);
	} else {
		ck_assert_int_lt(ces_cgroup_make(&cgroup, &some, &all, &err), 0);
		steps_check(made, (size_t)_i + 1);
		ck_assert_int_eq(err.sys, EIO);
		ck_assert_int_eq(err.code, CES_E_HOST);
		ck_assert_msg(strstr(err.text, strncmp(step_now, "mkdir", 5) == 0
						   ? "making the cgroup"
					       : strncmp(step_now, "mode", 4) == 0  ? "mode of the"
					       : strstr(step_now, "memory") != NULL ? "memory limit"
					       : strstr(step_now, "pids") != NULL ? "process limit"
										  : "cpu limit"),
			      "%s", err.text);
		ck_assert_int_eq(strncmp(err.text, "all your runs together", 22) == 0,
				 strncmp(step_now, "write ces/1000/memory", 21) == 0 ||
				     strncmp(step_now, "write ces/1000/pids", 19) == 0 ||
				     strncmp(step_now, "write ces/1000/cpu", 18) == 0);
	}
	steps_begin(0, 0);
	ces_cgroup_remove(&cgroup);
	ck_assert(!there("ces/1000"));
	ck_assert_uint_eq(open_fds(), before);
}
END_TEST

static const char *const lifted[] = {"write ces/1000/memory.swap.max 0",
				     "write ces/1000/memory.max max",
				     "write ces/1000/pids.max max",
				     "write ces/1000/cpu.max max",
				     "write " NAME "/memory.swap.max 0",
				     "write " NAME "/memory.max 1048576",
				     "write " NAME "/pids.max 10",
				     "write " NAME "/cpu.max 150000 100000",
				     NULL};

/* Another run of the user's lives, so that their cgroup has the limits of the policy before. */
START_TEST(a_total_that_the_policy_no_longer_has_is_lifted)
{
	struct ces_cgroup other = CES_CGROUP_NONE;

	ck_assert_int_eq(ces_cgroup_find(&host, 1000, "1111111111", &other, &err), 0);
	ck_assert_int_eq(ces_cgroup_make(&other, &some, &all, &err), 0);
	find();
	ck_assert_int_eq(ces_cgroup_make(&cgroup, &some, &none, &err), 0);
	memmove(steps->v[0], steps->v[13], 8 * sizeof(steps->v[0]));
	ck_assert_uint_eq(steps->n, 13 + 8);
	steps->n = 8;
	steps_check(lifted, 0);
}
END_TEST

/* Where there is no such controller, there was no such limit. */
START_TEST(a_total_that_is_not_asked_for_may_fail_to_be_lifted)
{
	find();
	steps_begin(14 + (size_t)_i, ENOENT);
	ck_assert_msg(ces_cgroup_make(&cgroup, &some, &none, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(steps->n, 13 + 8);
}
END_TEST

START_TEST(with_four_hierarchies_a_total_is_lifted_too)
{
	static const char *const expected[] = {
	    "write memory/ces/1000/memory.memsw.limit_in_bytes -1",
	    "write memory/ces/1000/memory.limit_in_bytes -1",
	    "write memory/ces/1000/memory.memsw.limit_in_bytes -1",
	    "write pids/ces/1000/pids.max max", "write cpu/ces/1000/cpu.cfs_quota_us -1"};

	scene_hybrid();
	find();
	ck_assert_int_eq(ces_cgroup_make(&cgroup, &some, &none, &err), 0);
	for (size_t i = 0; i < CES_COUNT(expected); i++)
		ck_assert_str_eq(steps->v[13 + i], expected[i]);
}
END_TEST

static const struct {
	uint64_t cpus;
	const char *text;
} cpus[] = {{1, "1000 100000"},
	    {9, "1000 100000"},
	    {10, "1000 100000"},
	    {11, "1100 100000"},
	    {1000, "100000 100000"},
	    {1024000, "102400000 100000"},
	    {999999999, "99999999900 100000"}};

START_TEST(a_cpu_quota_is_a_millisecond_at_least)
{
	const struct ces_policy_limits limits = {.cpus = cpus[_i].cpus};

	find();
	ck_assert_int_eq(ces_cgroup_make(&cgroup, &limits, &none, &err), 0);
	ck_assert_str_eq(text_of(NAME "/cpu.max"), cpus[_i].text);
}
END_TEST

START_TEST(the_largest_limits_are_written_whole)
{
	const struct ces_policy_limits limits = {.memory = UINT64_MAX, .pids = UINT64_MAX};

	find();
	ck_assert_int_eq(ces_cgroup_make(&cgroup, &limits, &none, &err), 0);
	ck_assert_str_eq(text_of(NAME "/memory.max"), "18446744073709551615");
	ck_assert_str_eq(text_of(NAME "/pids.max"), "18446744073709551615");
}
END_TEST

START_TEST(with_four_hierarchies_v1_has_the_limits_and_v2_the_processes)
{
	static const char *const expected[] = {
	    "mkdir unified:ces 755", "mkdir unified:ces/1000 755", "mkdir unified:" NAME " 755",
	    "mkdir memory:ces 755", "mkdir memory:ces/1000 755", "mkdir memory:" NAME " 755",
	    "mkdir cpu:ces 755", "mkdir cpu:ces/1000 755", "mkdir cpu:" NAME " 755",
	    "mkdir pids:ces 755", "mkdir pids:ces/1000 755", "mkdir pids:" NAME " 755",
	    "mode unified/" NAME " 755",
	    /* a limit that goes down goes down first; one that goes up, after */
	    "write memory/ces/1000/memory.memsw.limit_in_bytes 4194304",
	    "write memory/ces/1000/memory.limit_in_bytes 4194304",
	    "write memory/ces/1000/memory.memsw.limit_in_bytes 4194304",
	    "write pids/ces/1000/pids.max 40", "write cpu/ces/1000/cpu.cfs_quota_us 400000",
	    "write memory/" NAME "/memory.memsw.limit_in_bytes 1048576",
	    "write memory/" NAME "/memory.limit_in_bytes 1048576",
	    "write memory/" NAME "/memory.memsw.limit_in_bytes 1048576",
	    "write pids/" NAME "/pids.max 10", "write cpu/" NAME "/cpu.cfs_quota_us 150000", NULL};

	scene_hybrid();
	find();
	ck_assert_int_eq(ces_cgroup_make(&cgroup, &some, &all, &err), 0);
	steps_check(expected, 0);
	steps_begin(0, 0);
	ck_assert_int_eq(ces_cgroup_join(&cgroup), 0);
	steps_check((const char *const[]){"write memory/" NAME "/tasks 0",
					  "write cpu/" NAME "/tasks 0",
					  "write pids/" NAME "/tasks 0", NULL},
		    0);
	for (size_t i = 1; i <= 3; i++) {
		steps_begin(i, EACCES);
		ck_assert_int_lt(ces_cgroup_join(&cgroup), 0);
		ck_assert_uint_eq(steps->n, i);
	}
}
END_TEST

START_TEST(a_quota_above_a_parents_is_the_parents_with_v1_alone)
{
	scene_hybrid();
	find();
	steps_begin(23, EINVAL);
	ck_assert_int_eq(ces_cgroup_make(&cgroup, &some, &all, &err), 0);
	steps_begin(23 - 12, EACCES);
	ck_assert_int_lt(ces_cgroup_make(&cgroup, &some, &all, &err), 0);
}
END_TEST

START_TEST(a_hierarchy_that_this_machine_lacks_is_left_to_v2)
{
	scene_hybrid();
	clear_directory(strcat(strcpy((char[60]){0}, directory_path), "/pids"));
	ck_assert_int_eq(syscall(SYS_unlinkat, directory, "pids", AT_REMOVEDIR), 0);
	find();
	ck_assert_int_lt(cgroup.root[CES_HIERARCHY_PIDS], 0);
	ck_assert_int_eq(ces_cgroup_make(&cgroup, &some, &none, &err), 0);
	ck_assert_str_eq(text_of("unified/" NAME "/pids.max"), "10");
	ck_assert_uint_eq(steps_count("write unified/cgroup.subtree_control +pids"), 1);
	ck_assert_uint_eq(steps_count("write unified/cgroup.subtree_control +memory"), 0);
}
END_TEST

START_TEST(a_machine_without_cgroup_v2_is_refused)
{
	hybrid = true; /* (and there is no directory "unified") */
	ck_assert_int_lt(ces_cgroup_find(&host, 1000, RUN, &cgroup, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "no cgroup v2"));
}
END_TEST

/* Another run's end removes an empty parent between two steps. */
START_TEST(a_parent_that_vanishes_is_made_again_but_not_for_ever)
{
	find();
	steps_begin(8, ENOENT);
	ck_assert_int_eq(ces_cgroup_make(&cgroup, &none, &none, &err), 0);
	ck_assert_uint_eq(steps->n, 8 + 21);
	ces_cgroup_remove(&cgroup);
	find();
	close(cgroup.root[0]); /* a directory that is gone: each try fails */
	ck_assert_int_eq(syscall(SYS_mkdirat, directory, "gone", 0755), 0);
	cgroup.root[0] = openat(directory, "gone", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(syscall(SYS_unlinkat, directory, "gone", AT_REMOVEDIR), 0);
	ck_assert_int_lt(ces_cgroup_make(&cgroup, &none, &none, &err), 0);
	ck_assert_int_eq(err.sys, ENOENT);
	ck_assert_uint_eq(steps_count("mkdir"), 21);
}
END_TEST

START_TEST(a_link_in_place_of_a_cgroup_is_refused)
{
	find();
	ck_assert_int_eq(syscall(SYS_mkdirat, directory, "ces", 0755), 0);
	ck_assert_int_eq(symlinkat(".", directory, "ces/1000"), 0);
	ck_assert_int_lt(ces_cgroup_make(&cgroup, &some, &none, &err), 0);
	ck_assert_int_eq(err.sys, ELOOP);
}
END_TEST

static void make_in_job(void)
{
	char way[200] = JOB;

	own = "0::/" JOB "/step_0/task_0\n";
	for (char *end = way; *end != '\0';) {
		end += 1 + strcspn(end + 1, "/");
		*end = '\0';
		(void)syscall(SYS_mkdirat, directory, way, 0755);
		*end = JOB[end - way];
	}
	find();
	ck_assert_str_eq(cgroup.place.path[0], JOB);
	ck_assert_int_eq(ces_cgroup_make(&cgroup, &some, &none, &err), 0);
}

START_TEST(a_run_in_a_job_is_made_below_it_and_ends_with_nothing_else)
{
	size_t before = open_fds();

	make_in_job();
	ck_assert(there(JOB "/" NAME "/cgroup.procs"));
	ces_cgroup_remove(&cgroup);
	ck_assert(!there(JOB "/ces") && there(JOB));
	ck_assert_uint_eq(open_fds(), before);
}
END_TEST

START_TEST(a_record_has_the_places_of_a_run)
{
	char *v[CES_HIERARCHIES];
	struct ces_strings places;

	make_in_job();
	ces_cgroup_record(&cgroup, v, &places);
	ck_assert_uint_eq(places.n, CES_HIERARCHIES);
	ck_assert_str_eq(places.v[CES_HIERARCHY_V2], JOB);
	ck_assert_str_eq(places.v[CES_HIERARCHY_MEMORY], "");
}
END_TEST

START_TEST(a_dead_run_is_killed_first_and_then_removed_where_its_record_says)
{
	char *v[] = {JOB};
	struct ces_run_record record = {.run = RUN, .uid = 1000, .cgroups = {v, 1}};
	static const char *const expected[] = {"write " JOB "/" NAME "/cgroup.kill 1",
					       "rmdir .:" JOB "/ces/helpers",
					       "rmdir .:" JOB "/" NAME,
					       "rmdir .:" JOB "/ces/1000",
					       "rmdir .:" JOB "/ces",
					       NULL};
	size_t before = open_fds();

	make_in_job();
	for (size_t i = 0; i < CES_HIERARCHIES; i++) {
		ces_cleanup_close(&cgroup.dir[i]);
		ces_cleanup_close(&cgroup.root[i]);
	}
	steps_begin(0, 0);
	ck_assert(ces_cgroup_clear(&record));
	steps_check(expected, 0);
	ck_assert(!there(JOB "/ces") && there(JOB));
	ck_assert_uint_eq(open_fds(), before);
	/* and again, when it is gone: nothing is killed */
	steps_begin(0, 0);
	ck_assert(ces_cgroup_clear(&record));
	ck_assert_uint_eq(steps_count("write"), 0);
}
END_TEST

/* One hierarchy is enough: what is in it has not ended. */
START_TEST(a_dead_run_with_a_process_that_stays_is_not_cleared)
{
	static const char *const stays[] = {"unified/" NAME "/cgroup.procs",
					    "pids/" NAME "/cgroup.procs"};
	char *v[] = {"", "", "", ""};
	struct ces_run_record record = {.run = RUN, .uid = 1000, .cgroups = {v, 4}};

	scene_hybrid();
	find();
	ck_assert_int_eq(ces_cgroup_make(&cgroup, &none, &none, &err), 0);
	put_text(stays[_i], "77\n");
	ck_assert(!ces_cgroup_clear(&record));
	ck_assert(there(stays[_i]) && !there("memory/" NAME));
	ck_assert_int_eq(syscall(SYS_unlinkat, directory, stays[_i], 0), 0);
	ck_assert(ces_cgroup_clear(&record));
	ck_assert(!there("unified/ces") && !there("pids/ces"));
	ces_cgroup_remove(&cgroup);
}
END_TEST

START_TEST(where_no_cgroup_can_be_seen_none_is_gone)
{
	struct ces_run_record record = {.run = RUN, .uid = 1000};

	hybrid = true; /* (and there is no directory "unified") */
	ck_assert(!ces_cgroup_clear(&record));
}
END_TEST

START_TEST(other_runs_and_users_keep_their_cgroups)
{
	struct ces_cgroup other = CES_CGROUP_NONE;

	find();
	ck_assert_int_eq(ces_cgroup_make(&cgroup, &none, &none, &err), 0);
	ck_assert_int_eq(ces_cgroup_find(&host, 1000, "1111111111", &other, &err), 0);
	ck_assert_int_eq(ces_cgroup_make(&other, &none, &none, &err), 0);
	ces_cgroup_remove(&cgroup);
	ck_assert(!there(NAME) && there("ces/1000/1111111111"));
	ces_cgroup_remove(&other);
	ck_assert(!there("ces"));
}
END_TEST

START_TEST(a_cgroup_that_is_busy_for_a_moment_is_removed_after_it)
{
	find();
	ck_assert_int_eq(ces_cgroup_make(&cgroup, &none, &none, &err), 0);
	busy = 30;
	ces_cgroup_remove(&cgroup);
	ck_assert(!there("ces"));
	ck_assert_uint_eq(slept, 30);
}
END_TEST

START_TEST(a_cgroup_with_a_process_stays_and_so_do_its_parents)
{
	find();
	ck_assert_int_eq(ces_cgroup_make(&cgroup, &none, &none, &err), 0);
	put_text(NAME "/cgroup.procs", "77\n");
	steps_begin(0, 0);
	ces_cgroup_remove(&cgroup);
	ck_assert(there(NAME));
	ck_assert_uint_eq(steps->n, 200); /* and no parent was tried */
}
END_TEST

START_TEST(the_kill_is_one_write_and_none_without_a_cgroup)
{
	find();
	ces_cgroup_kill(&cgroup);
	ck_assert_uint_eq(steps->n, 0);
	ck_assert_int_eq(ces_cgroup_make(&cgroup, &none, &none, &err), 0);
	steps_begin(0, 0);
	ces_cgroup_kill(&cgroup);
	steps_check((const char *const[]){"write " NAME "/cgroup.kill 1", NULL}, 0);
}
END_TEST

START_TEST(a_detached_run_leaves_the_session_and_goes_back_to_remove)
{
	own = "0::/user.slice/user-1000.slice/session-2.scope\n";
	find();
	ck_assert(cgroup.place.session);
	ck_assert_int_eq(ces_cgroup_make(&cgroup, &none, &none, &err), 0);
	steps_begin(0, 0);
	ck_assert_int_eq(ces_cgroup_leave_session(&cgroup, &err), 0);
	ck_assert_str_eq(steps->v[steps->n - 1], "write ces/helpers/cgroup.procs 0");
	ck_assert(cgroup.left);
	steps_begin(0, 0);
	ces_cgroup_remove(&cgroup);
	steps_check((const char *const[]){"write cgroup.procs 0", "rmdir .:ces/helpers",
					  "rmdir .:" NAME, "rmdir .:ces/1000", "rmdir .:ces", NULL},
		    0);
}
END_TEST

/* The cgroup of helpers goes with its last process: that may be just before this one enters it. */
START_TEST(the_end_of_another_run_does_not_keep_a_detached_one_in_its_session)
{
	static const int gone[] = {ENOENT, ENODEV}; /* opening the file of it; writing to it */

	find();
	cgroup.place.session = true;
	steps_begin(9, gone[_i]); /* the write */
	ck_assert_msg(ces_cgroup_leave_session(&cgroup, &err) == 0, "%s", err.text);
	ck_assert_str_eq(steps->v[8], "write ces/helpers/cgroup.procs 0");
	ck_assert_str_eq(steps->v[17], "write ces/helpers/cgroup.procs 0");
	ck_assert_uint_eq(steps->n, 18);
	ck_assert(cgroup.left);
}
END_TEST

START_TEST(a_session_that_can_never_be_left_is_not_tried_for_ever)
{
	size_t before = open_fds();

	find();
	cgroup.place.session = true;
	ck_assert_int_eq(syscall(SYS_mkdirat, directory, "ces", 0755), 0);
	ck_assert_int_eq(syscall(SYS_mkdirat, directory, "ces/helpers", 0755), 0);
	ck_assert_int_lt(ces_cgroup_leave_session(&cgroup, &err), 0);
	ck_assert_int_eq(err.sys, ENOENT);
	ck_assert(!cgroup.left);
	ck_assert_uint_lt(steps_count("mkdir .:ces/helpers"), 50);
	close(cgroup.root[CES_HIERARCHY_V2]);
	ck_assert_uint_eq(open_fds(), before);
}
END_TEST

START_TEST(leaving_the_session_can_fail_and_is_not_needed_outside_one)
{
	find();
	ck_assert_int_eq(ces_cgroup_leave_session(&cgroup, &err), 0);
	ck_assert_uint_eq(steps->n, 0);
	cgroup.place.session = true;
	steps_begin(9, EOPNOTSUPP); /* the write */
	ck_assert_int_lt(ces_cgroup_leave_session(&cgroup, &err), 0);
	ck_assert_msg(strncmp(err.text, "leaving the session: ", 21) == 0, "%s", err.text);
	ck_assert(!cgroup.left);
	steps_begin(4, EACCES);
	ck_assert_int_lt(ces_cgroup_leave_session(&cgroup, &err), 0);
	ck_assert_msg(strncmp(err.text, "making the helpers' cgroup: ", 28) == 0, "%s", err.text);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("cgroup");

	tcase_add_checked_fixture(t, set_up, scene_end);
	tcase_add_test(t, a_cgroup_is_made_step_by_step_with_the_limits_of_user_and_run);
	tcase_add_loop_test(t, a_limit_that_does_not_take_is_an_error_and_its_step_the_last, 0,
			    CES_COUNT(made) - 1);
	tcase_add_test(t, a_total_that_the_policy_no_longer_has_is_lifted);
	tcase_add_loop_test(t, a_total_that_is_not_asked_for_may_fail_to_be_lifted, 0, 4);
	tcase_add_test(t, with_four_hierarchies_a_total_is_lifted_too);
	tcase_add_loop_test(t, a_cpu_quota_is_a_millisecond_at_least, 0, CES_COUNT(cpus));
	tcase_add_test(t, the_largest_limits_are_written_whole);
	tcase_add_test(t, with_four_hierarchies_v1_has_the_limits_and_v2_the_processes);
	tcase_add_test(t, a_quota_above_a_parents_is_the_parents_with_v1_alone);
	tcase_add_test(t, a_hierarchy_that_this_machine_lacks_is_left_to_v2);
	tcase_add_test(t, a_machine_without_cgroup_v2_is_refused);
	tcase_add_test(t, a_parent_that_vanishes_is_made_again_but_not_for_ever);
	tcase_add_test(t, a_link_in_place_of_a_cgroup_is_refused);
	tcase_add_test(t, a_run_in_a_job_is_made_below_it_and_ends_with_nothing_else);
	tcase_add_test(t, a_record_has_the_places_of_a_run);
	tcase_add_test(t, a_dead_run_is_killed_first_and_then_removed_where_its_record_says);
	tcase_add_loop_test(t, a_dead_run_with_a_process_that_stays_is_not_cleared, 0, 2);
	tcase_add_test(t, where_no_cgroup_can_be_seen_none_is_gone);
	tcase_add_test(t, other_runs_and_users_keep_their_cgroups);
	tcase_add_test(t, a_cgroup_that_is_busy_for_a_moment_is_removed_after_it);
	tcase_add_test(t, a_cgroup_with_a_process_stays_and_so_do_its_parents);
	tcase_add_test(t, the_kill_is_one_write_and_none_without_a_cgroup);
	tcase_add_test(t, a_detached_run_leaves_the_session_and_goes_back_to_remove);
	tcase_add_loop_test(t, the_end_of_another_run_does_not_keep_a_detached_one_in_its_session,
			    0, 2);
	tcase_add_test(t, a_session_that_can_never_be_left_is_not_tried_for_ever);
	tcase_add_test(t, leaving_the_session_can_fail_and_is_not_needed_outside_one);
	return run_suite("cgroup", t);
}
