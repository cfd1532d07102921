/* Tests the process that becomes the container: its steps from the clone to ces-inside, in order,
 * with a child that really waits for its id map; that each step that fails is the last, and is
 * reported; and what ces-inside gets. */
/* links: helper/launch/container.c */
#include "tests/unit/container_scene.h"

static int open_file(const char *name)
{
	return openat(directory, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

static void set_up(void)
{
	directory_begin();
	steps_begin(0, 0);
	plan_begin();
	child = orphan = stopped = false;
	ck_assert_int_eq(mkdirat(directory, "cg", 0755), 0);
	cgroup.dir[CES_HIERARCHY_V2] = openat(directory, "cg", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	container = (struct ces_container)CES_CONTAINER_NONE;
}

static void tear_down(void)
{
	ces_cleanup_close(&container.gate);
	ces_cleanup_close(&container.report);
	ces_cleanup_close(&container.userns);
	close(cgroup.dir[CES_HIERARCHY_V2]);
	clear_directory(directory_path);
	directory_end();
}

static int start(void)
{
	size_t before = open_fds();
	int result = ces_container_start(&plan, &cgroup, &container, &err);

	ck_assert_uint_eq(open_fds(), before + (container.gate >= 0) + (container.report >= 0) +
					  (container.userns >= 0));
	return result;
}

/* Waits for the child's end. */
static int end(void)
{
	int status;

	ck_assert_int_eq(waitpid(container.process.pid, &status, 0), container.process.pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* clone: NEWUSER 10000000, NEWPID 20000000, NEWIPC 8000000, NEWUTS 4000000, NEWCGROUP 2000000
 * unshare: NEWNET 40000000; flags: IFF_UP 1 */
static const char *const expected[] = {"order",
				       "clone 3e000000 cg",
				       "join",
				       "arrange 3",
				       "unshare 40000000",
				       "socket 2 2 0",
				       "flags lo 1",
				       "map",
				       "become 0:0",
				       "exec " CES_INSIDE_PATH ": ces-inside",
				       "fd 0 0",
				       "fd 1 0",
				       "fd 2 0",
				       "fd 3 0", /* the gate, the report and the order */
				       "fd 4 0",
				       "fd 5 0",
				       "fd 6 -1",
				       "fd 7 -1",
				       "fd 8 -1",
				       "fd 9 -1",
				       "stdin null",
				       "namespace user",
				       NULL};

START_TEST(a_container_is_started_step_by_step)
{
	ck_assert_msg(start() == 0, "%s", err.text);
	ck_assert_int_eq(end(), EXECUTED);
	steps_check(expected, 0);
	ck_assert_int_eq(ces_container_ready(&container, &err), 0);
	ck_assert_int_eq(ces_container_failure(&plan, &container, &err), 0);
}
END_TEST

/* What the child says of each step that fails; "": this is no step that answers, or the parent's
 * own. */
static const char *const says[] = {
    "", "", "joining the cgroups", "", "network namespace", "bringing lo up", "bringing lo up",
    "", "", "starting ces-inside"};

START_TEST(a_step_of_the_child_that_fails_is_the_last_and_is_reported)
{
	char text[120];

	if (says[_i][0] == '\0')
		return;
	steps_begin((size_t)_i + 1, EMFILE);
	(void)start();
	ck_assert_int_eq(ces_container_await(&container, &err), 0);
	if (_i < 7) {
		/* this process must not take the host's network for the container's */
		ck_assert_int_lt(ces_container_ready(&container, &err), 0);
		ck_assert_str_eq(err.text, "the container has no network namespace");
	}
	ck_assert_int_eq(end(), 125);
	for (size_t i = 0; i <= (size_t)_i; i++)
		if (_i > 7 || strcmp(expected[i], "map") != 0)
			ck_assert_uint_eq(steps_count(expected[i]), 1);
	ck_assert_uint_eq(steps_count("exec"), _i == 9);
	ck_assert_int_lt(ces_container_failure(&plan, &container, &err), 0);
	(void)snprintf(text, sizeof(text), "setting up the container: %s: Too many open files",
		       says[_i]);
	ck_assert_str_eq(err.text, text);
}
END_TEST

/* The network is there long before ces-inside: the first byte says so, and the second stays. */
START_TEST(what_needs_the_hosts_tree_is_waited_for)
{
	char byte;

	ck_assert_int_eq(start(), 0);
	ck_assert_int_eq(ces_container_ready(&container, &err), 0);
	ck_assert_int_eq(ces_container_ready(&container, &err), 0);
	ck_assert_int_eq(ces_container_await(&container, &err), 0);
	ck_assert_int_eq(ces_container_ready(&container, &err), 0);
	ck_assert_int_eq(read(container.gate, &byte, 1), 1);
	ck_assert_int_eq(end(), EXECUTED);
	ck_assert_int_lt(ces_container_ready(&container, &err), 0);
}
END_TEST

/* Its user has stopped it, before the network is there or after that. */
START_TEST(a_process_that_does_not_answer_is_waited_for_with_a_deadline)
{
	CES_CLEANUP_FD int inside = -1;
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	container.gate = pair[0];
	inside = pair[1];
	if (_i == 1)
		ck_assert_int_eq(write(inside, "", 1), 1);
	stopped = true;
	ck_assert_int_lt(ces_container_await(&container, &err), 0);
	ck_assert_str_eq(err.text, "ces-inside did not start in time");
}
END_TEST

START_TEST(without_an_order_there_is_no_process)
{
	steps_begin(1, ENOMEM);
	ck_assert_int_lt(start(), 0);
	ck_assert_int_eq(container.process.pid, 0);
	ck_assert_uint_eq(steps->n, 1);
}
END_TEST

START_TEST(without_a_clone_there_is_no_process)
{
	steps_begin(2, EPERM);
	ck_assert_int_lt(start(), 0);
	ck_assert_str_eq(err.text, "making the container's namespaces: Operation not permitted");
	ck_assert_int_eq(container.process.pid, 0);
	ck_assert_uint_eq(steps->n, 2);
}
END_TEST

/* The process has no id of the namespace yet, and ends when the gate is closed. */
START_TEST(a_process_whose_map_is_not_written_does_nothing_more)
{
	steps_begin(8, EPERM);
	ck_assert_int_lt(start(), 0);
	ces_cleanup_close(&container.gate);
	ck_assert_int_eq(end(), 125);
	steps_check(expected, 8);
	ck_assert_int_eq(ces_container_failure(&plan, &container, &err), 0);
}
END_TEST

/* Its parent died between the byte and the setting of the signal for that. */
START_TEST(a_process_without_a_parent_does_not_go_on)
{
	orphan = true;
	ck_assert_int_eq(start(), 0);
	ces_cleanup_close(&container.gate);
	ck_assert_int_eq(end(), 125);
	ck_assert_uint_eq(steps_count("become"), 1);
	ck_assert_uint_eq(steps_count("exec"), 0);
}
END_TEST

static void run(void)
{
	ck_assert_msg(start() == 0, "%s", err.text);
	ck_assert_int_eq(end(), EXECUTED);
}

START_TEST(standard_input_is_the_callers_when_they_ask_for_it)
{
	CES_CLEANUP_FD int file = open_file("stdin");

	ck_assert_int_eq(dup2(file, 0), 0);
	if (_i == 0)
		request.flags = CES_FLAG_INTERACTIVE;
	else
		plan.tty = true;
	run();
	ck_assert_uint_eq(steps_count("stdin as it was"), 1);
}
END_TEST

START_TEST(the_release_is_the_second_byte_that_the_process_gets)
{
	CES_CLEANUP_FD int inside = -1;
	char bytes[3];
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	container.gate = pair[0];
	inside = pair[1];
	ck_assert_int_eq(ces_container_release(&container, &err), 0);
	ck_assert_int_eq(read(inside, bytes, sizeof(bytes)), 1);
}
END_TEST

/* (the first four are the child's) */
static const char *const words[] = {"joining the cgroups",
				    "network namespace",
				    "bringing lo up",
				    "starting ces-inside",
				    "the order for ces-inside",
				    "the system call filter; CES is not fully installed",
				    "config.json",
				    "mount namespace",
				    "mounting /proc",
				    "hostname",
				    "/proc/sys/user/max_user_namespaces",
				    "a mount point, or /tmp, in the image",
				    "a file of CES's in the image's /etc",
				    "a link to a file of the GPU's driver",
				    "SELinux context of the runtime",
				    CES_SETPRIV_PATH,
				    "/usr/bin/crun"};

static const struct {
	uint32_t step;
	size_t length;
} reports[] = {{0, 0},   {0, 3},   {0, 11},  {0, 12},  {1, 12},  {2, 12},  {3, 12},
	       {4, 12},  {5, 12},  {6, 12},  {7, 12},  {8, 12},  {9, 12},  {10, 12},
	       {11, 12}, {12, 12}, {13, 12}, {14, 12}, {15, 12}, {16, 12}, {UINT32_MAX, 12}};

/* One that is torn says nothing; a step that nobody knows is the runtime's. */
START_TEST(a_report_is_numbers_and_the_words_are_roots)
{
	struct ces_inside_report report = {.step = reports[_i].step, .number = EPERM};
	char text[160];
	int pair[2];

	ck_assert_uint_eq(CES_COUNT(words), CES_STEPS);
	ck_assert_int_eq(ces_container_failure(&plan, &container, &err), 0); /* there is none */
	ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
	container.report = pair[0];
	ck_assert_int_eq(write(pair[1], &report, reports[_i].length), (ssize_t)reports[_i].length);
	close(pair[1]);
	if (reports[_i].length < sizeof(report)) {
		ck_assert_int_eq(ces_container_failure(&plan, &container, &err), 0);
		return;
	}
	ck_assert_int_lt(ces_container_failure(&plan, &container, &err), 0);
	(void)snprintf(text, sizeof(text), "setting up the container: %s: Operation not permitted",
		       words[report.step < CES_STEPS ? report.step : CES_STEP_RUNTIME]);
	ck_assert_str_eq(err.text, text);
}
END_TEST

static const struct {
	uint32_t step, place;
	const char *says;
} places[] = {{CES_STEP_POINTS, 1, "mounting at /first, in the image: Is a directory"},
	      {CES_STEP_POINTS, 2, "mounting at /second, in the image: Is a directory"},
	      {CES_STEP_POINTS, 0, "a mount point, or /tmp, in the image"},
	      {CES_STEP_POINTS, 3, "a mount point, or /tmp, in the image"},
	      {CES_STEP_POINTS, UINT32_MAX, "a mount point, or /tmp, in the image"},
	      {CES_STEP_FILES, 1, "a file of CES's in the image's /etc"}};

START_TEST(the_mount_that_cannot_be_made_is_named_if_there_is_such_a_mount)
{
	struct ces_inside_report report = {places[_i].step, EISDIR, places[_i].place};
	int pair[2];

	plan_mount("/first", -1, true, true);
	plan_mount("/second", -1, true, true);
	ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
	container.report = pair[0];
	ck_assert_int_eq(write(pair[1], &report, sizeof(report)), (ssize_t)sizeof(report));
	close(pair[1]);
	ck_assert_int_lt(ces_container_failure(&plan, &container, &err), 0);
	ck_assert_msg(strstr(err.text, places[_i].says) != NULL, "%s", err.text);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("container");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_container_is_started_step_by_step);
	tcase_add_loop_test(t, a_step_of_the_child_that_fails_is_the_last_and_is_reported, 0,
			    CES_COUNT(says));
	tcase_add_test(t, what_needs_the_hosts_tree_is_waited_for);
	tcase_add_loop_test(t, a_process_that_does_not_answer_is_waited_for_with_a_deadline, 0, 2);
	tcase_add_test(t, without_an_order_there_is_no_process);
	tcase_add_test(t, without_a_clone_there_is_no_process);
	tcase_add_test(t, a_process_whose_map_is_not_written_does_nothing_more);
	tcase_add_test(t, a_process_without_a_parent_does_not_go_on);
	tcase_add_loop_test(t, standard_input_is_the_callers_when_they_ask_for_it, 0, 2);
	tcase_add_test(t, the_release_is_the_second_byte_that_the_process_gets);
	tcase_add_loop_test(t, a_report_is_numbers_and_the_words_are_roots, 0, CES_COUNT(reports));
	tcase_add_loop_test(t, the_mount_that_cannot_be_made_is_named_if_there_is_such_a_mount, 0,
			    CES_COUNT(places));
	return run_suite("container", t);
}
