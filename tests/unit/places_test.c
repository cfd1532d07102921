/* Tests the directories of a run: that each is opened once, with the caller's rights; which are
 * made; and what a fault on the way leaves. */
/* links: helper/launch/places.c helper/launch/display.c helper/core/caller_open.c helper/core/beneath.c helper/session/caller_bind.c helper/session/idmap.c helper/session/lock.c */
#include "tests/unit/places_scene.h"

/* Opens them all. */
static int places(void)
{
	size_t before = open_fds(), opened = 0;
	int result;

	steps->n = 0;
	result = ces_places_open(&plan, &err);
	ck_assert_str_eq(who, "root");
	for (size_t i = 0; i < plan.n_mounts; i++)
		opened += plan.mounts[i].fd >= 0;
	opened += (size_t)(plan.scratch_dir >= 0) + (plan.outputs_parent >= 0) +
		  (plan.scratch_parent >= 0) + (plan.withheld >= 0);
	/* the plan has what was opened, also after a failure */
	ck_assert_uint_eq(open_fds(), before + opened);
	return result;
}

static const char *is_at(size_t i)
{
	return path_below(directory_path, plan.mounts[i].fd);
}

static const char *const opened[] = {
    "caller open data", "caller open home", "caller open home/outputs",
    "caller mkdir home:outputs 700", "caller open outputs", "root private 1", "caller open tmp",
    "caller open tmp/scratch", "caller mkdir tmp:scratch 700", "caller open scratch",
    /* open to all, inside the one that is open to the caller */
    "caller mkdir tmp/scratch:scratch 700", "caller open scratch",
    "caller chmod tmp/scratch/scratch 1777", "root private 0", "caller open bind",
    "caller open file", NULL};

static void add_binds(void)
{
	CES_CLEANUP_FD int fd = -1;

	make("bind");
	fd = openat(directory, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	mount_of(&decision.binds[0], "bind", "/b");
	mount_of(&decision.binds[1], "file", "/f");
	decision.binds[1].read_only = true;
	decision.n_binds = 2;
}

START_TEST(each_place_is_opened_or_made_with_the_callers_rights)
{
	static const char *const paths[] = {"data", "home/outputs", "tmp/scratch/scratch", "bind",
					    "file"};

	add_binds();
	ck_assert_msg(places() == 0, "%s", err.text);
	steps_check(opened, 0);
	ck_assert_uint_eq(plan.n_mounts, 5);
	for (size_t i = 0; i < 5; i++) {
		ck_assert_str_eq(is_at(i), paths[i]);
		ck_assert_int_eq(plan.mounts[i].read_only, i == 0 || i == 4);
		ck_assert_int_eq(plan.mounts[i].file, i == 4);
		ck_assert_int_eq(fcntl(plan.mounts[i].fd, F_GETFD), FD_CLOEXEC);
	}
	ck_assert_ptr_eq(plan.mounts[1].destination, decision.outputs.destination);
	ck_assert_str_eq(path_below(directory_path, plan.scratch_dir), "tmp/scratch");
	ck_assert_str_eq(path_below(directory_path, plan.outputs_parent), "home");
	ck_assert_str_eq(path_below(directory_path, plan.scratch_parent), "tmp");
}
END_TEST

START_TEST(a_step_that_fails_ends_it_and_says_where)
{
	static const char *const contexts[] = {
	    "project data: ", "outputs: ", "outputs: ", "outputs: ", "outputs: ", "scratch: ",
	    "scratch: ",      "scratch: ", "scratch: ", "scratch: ", "scratch: ", "scratch: ",
	    "scratch: ",      "scratch: ", "",          ""};

	add_binds();
	steps->failing = (size_t)_i + 1;
	steps->error = EIO;
	ck_assert_int_lt(places(), 0);
	ck_assert_msg(strncmp(err.text, contexts[_i], strlen(contexts[_i])) == 0, "%s", err.text);
	ck_assert_int_eq(err.sys, EIO);
	/* but the context for new files is given back */
	ck_assert_uint_eq(steps->n, (size_t)_i + 1 + (_i > 5 && _i < 13));
	ck_assert_uint_eq(steps_count("root private 0"), (size_t)(_i > 5));
}
END_TEST

START_TEST(a_scratch_of_the_sites_own_is_used_as_it_is)
{
	make("tmp/scratch");
	decision.scratch.per_run = false;
	ck_assert_int_eq(places(), 0);
	ck_assert_uint_eq(steps_count("root private"), 0);
	ck_assert_int_lt(plan.scratch_dir, 0);
	ck_assert_str_eq(is_at(CES_PLAN_SCRATCH), "tmp/scratch");
}
END_TEST

START_TEST(a_directory_that_the_policy_does_not_make_must_be_there)
{
	decision.outputs.create = false;
	ck_assert_int_lt(places(), 0);
	ck_assert_int_eq(err.code, CES_E_NOTFOUND);
	ck_assert_uint_eq(steps_count("caller mkdir"), 0);
}
END_TEST

START_TEST(a_place_without_a_parent_is_refused)
{
	strcpy(plan.outputs, "/outputs");
	ck_assert_int_lt(places(), 0);
	ck_assert_int_eq(err.code, CES_E_POLICY);
	ck_assert_str_eq(err.text, "outputs: /outputs has no parent");
}
END_TEST

/* Each place, with a link of the caller's in its way. */
static const char *const linked[] = {"data",        "home", "home/outputs", "tmp",
				     "tmp/scratch", "bind", "file"};

START_TEST(a_link_that_the_caller_can_make_is_not_followed)
{
	add_binds();
	(void)syscall(SYS_unlinkat, directory, linked[_i], AT_REMOVEDIR);
	(void)syscall(SYS_unlinkat, directory, linked[_i], 0);
	make("elsewhere");
	ck_assert_int_eq(symlinkat(strchr(linked[_i], '/') == NULL ? "elsewhere" : "../elsewhere",
				   directory, linked[_i]),
			 0);
	ck_assert_int_lt(places(), 0);
	ck_assert_msg(strstr(err.text, "a symbolic link") != NULL, "%s", err.text);
}
END_TEST

START_TEST(a_bind_that_is_no_file_and_no_directory_is_refused)
{
	ck_assert_int_eq(mkfifoat(directory, "fifo", 0644), 0);
	mount_of(&decision.binds[0], "fifo", "/f");
	decision.n_binds = 1;
	ck_assert_int_lt(places(), 0);
	ck_assert_msg(strstr(err.text, "neither a directory nor an ordinary file") != NULL, "%s",
		      err.text);
	ck_assert_uint_eq(plan.n_mounts, 3);
}
END_TEST

/* Outputs that wait for their check. */
static void withhold(void)
{
	make("held");
	(void)snprintf(decision.withhold, sizeof(decision.withhold), "%s/held", directory_path);
}

static const char *const withheld[] = {"caller open data",
				       "caller open home",
				       "caller open home/outputs",
				       "caller mkdir home:outputs 700",
				       "caller open outputs",
				       "root open closed held",
				       "root mkdir held:0123456789.new 700",
				       "root open 0123456789.new",
				       "root chown held/0123456789.new 1000:1000",
				       "root rename held:0123456789.new home:outputs",
				       "root mkdir held:0123456789 700",
				       "root open 0123456789",
				       "root chown held/0123456789 1000:1000",
				       NULL};

START_TEST(outputs_that_wait_are_written_where_the_caller_has_no_way_to)
{
	struct stat st;

	withhold();
	ck_assert_msg(places() == 0, "%s", err.text);
	steps->n = CES_COUNT(withheld) - 1;
	steps_check(withheld, 0);
	ck_assert_str_eq(is_at(CES_PLAN_OUTPUTS), "held/0123456789");
	ck_assert_str_eq(path_below(directory_path, plan.withheld), "held");
	/* one more shows that the rename works, and keeps the name free */
	ck_assert_int_eq(fstatat(directory, "home/outputs", &st, 0), 0);
	ck_assert_int_lt(faccessat(directory, "held/0123456789.new", F_OK, 0), 0);
}
END_TEST

START_TEST(outputs_that_cannot_be_handed_over_end_the_run_before_it_begins)
{
	size_t i = (size_t)_i + 5;

	withhold();
	steps->failing = i + 1;
	steps->error = EXDEV;
	ck_assert_int_lt(places(), 0);
	ck_assert_int_eq(err.code, CES_E_POLICY);
	ck_assert_msg(strncmp(err.text, "outputs.check.withhold: ", 24) == 0, "%s", err.text);
	ck_assert_int_eq(err.sys, EXDEV);
	if (i == 5)
		ck_assert_uint_eq(steps->n, i + 1);
	else
		ck_assert_str_eq(steps->v[i + 1], "root unlink held:0123456789.new 200");
	ck_assert_int_lt(faccessat(directory, "held/0123456789.new", F_OK, 0), 0);
	/* the plan still has their own directory, to be removed */
	ck_assert_str_eq(is_at(CES_PLAN_OUTPUTS),
			 i > 9 ? "home/outputs (deleted)" : "home/outputs");
}
END_TEST

/* Another run's withheld outputs, or a file of the caller's, in the way. */
START_TEST(nothing_that_is_in_the_way_is_replaced)
{
	CES_CLEANUP_FD int fd = -1;

	withhold();
	if (_i == 0) {
		make("held/0123456789");
	} else {
		make("home/outputs");
		fd = openat(directory, "home/outputs/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	}
	ck_assert_int_lt(places(), 0);
	ck_assert_int_eq(err.sys, _i == 0 ? EEXIST : ENOTEMPTY);
	ck_assert_int_lt(faccessat(directory, "held/0123456789.new", F_OK, 0), 0);
}
END_TEST

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", directory_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

START_TEST(a_display_is_a_socket_of_the_callers_or_roots)
{
	CES_CLEANUP_FD int x = listen_at("x11/X7");
	static const uid_t owners[] = {1000, 0, 1001};

	decision.display = 8;
	owner = owners[_i];
	if (_i == 2) {
		ck_assert_int_lt(places(), 0);
		ck_assert_int_eq(err.code, CES_E_NOTFOUND);
		ck_assert_str_eq(err.text, "/tmp/.X11-unix/X7 is not the socket of your display");
		ck_assert_uint_eq(plan.n_mounts, 3);
		return;
	}
	ck_assert_msg(places() == 0, "%s", err.text);
	ck_assert_str_eq(steps->v[steps->n - 1], "caller open x11/X7");
	ck_assert_uint_eq(plan.n_mounts, 4);
	ck_assert_str_eq(plan.mounts[3].destination, "/tmp/.X11-unix/X7");
	ck_assert(plan.mounts[3].read_only && plan.mounts[3].file);
}
END_TEST

START_TEST(what_is_no_socket_is_no_display)
{
	CES_CLEANUP_FD int x = listen_at("x11/X9");

	decision.display = 8;
	if (_i == 1)
		close(openat(directory, "x11/X7", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	if (_i == 2)
		make("x11/X7");
	if (_i == 3)
		ck_assert_int_eq(symlinkat("X9", directory, "x11/X7"), 0);
	ck_assert_int_lt(places(), 0);
	ck_assert_int_eq(err.code, CES_E_NOTFOUND);
	ck_assert_uint_eq(plan.n_mounts, 3);
}
END_TEST

START_TEST(where_selinux_is_on_no_run_has_a_display)
{
	CES_CLEANUP_FD int x = listen_at("x11/X0");

	decision.display = 1;
	plan.selinux.on = true;
	ck_assert_int_lt(places(), 0);
	ck_assert_msg(strncmp(err.text, "leave out --display", 19) == 0, "%s", err.text);
}
END_TEST

START_TEST(the_plan_has_room_for_all_that_a_request_may_bind)
{
	CES_CLEANUP_FD int x = listen_at("x11/X0");

	make("bind");
	for (decision.n_binds = 0; decision.n_binds < CES_BINDS_MAX; decision.n_binds++)
		mount_of(&decision.binds[decision.n_binds], "bind", "/b");
	decision.display = 1;
	ck_assert_msg(places() == 0, "%s", err.text);
	ck_assert_uint_eq(plan.n_mounts, CES_PLAN_MOUNTS);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("places");

	tcase_add_checked_fixture(t, scene_begin, scene_end);
	tcase_add_test(t, each_place_is_opened_or_made_with_the_callers_rights);
	tcase_add_loop_test(t, a_step_that_fails_ends_it_and_says_where, 0, CES_COUNT(opened) - 1);
	tcase_add_test(t, a_scratch_of_the_sites_own_is_used_as_it_is);
	tcase_add_test(t, a_directory_that_the_policy_does_not_make_must_be_there);
	tcase_add_test(t, a_place_without_a_parent_is_refused);
	tcase_add_loop_test(t, a_link_that_the_caller_can_make_is_not_followed, 0,
			    CES_COUNT(linked));
	tcase_add_test(t, a_bind_that_is_no_file_and_no_directory_is_refused);
	tcase_add_test(t, outputs_that_wait_are_written_where_the_caller_has_no_way_to);
	tcase_add_loop_test(t, outputs_that_cannot_be_handed_over_end_the_run_before_it_begins, 0,
			    8);
	tcase_add_loop_test(t, nothing_that_is_in_the_way_is_replaced, 0, 2);
	tcase_add_loop_test(t, a_display_is_a_socket_of_the_callers_or_roots, 0, 3);
	tcase_add_loop_test(t, what_is_no_socket_is_no_display, 0, 4);
	tcase_add_test(t, where_selinux_is_on_no_run_has_a_display);
	tcase_add_test(t, the_plan_has_room_for_all_that_a_request_may_bind);
	return run_suite("places", t);
}
