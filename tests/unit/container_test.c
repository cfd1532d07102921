/* Tests the process that becomes the container: its steps from the clone to the runtime, in order,
 * with a child that really waits at the gate; that each step that fails is the last, and is
 * reported; and what the runtime gets. */
/* links: helper/launch/container.c helper/core/beneath.c */
#include "tests/unit/container_scene.h"

static int open_file(const char *name)
{
	return openat(directory, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

static void set_up(void)
{
	static const char *const made[] = {
	    "m",          "l",    "l/0",      "l/1",           "l/0/home", "l/1/srv",
	    "l/0/home/x", "proc", "proc/sys", "proc/sys/user", "cg"};

	directory_begin();
	steps_begin(0, 0);
	plan_begin();
	synced = 0;
	child = orphan = false;
	for (size_t i = 0; i < CES_COUNT(made); i++)
		ck_assert_int_eq(mkdirat(directory, made[i], 0755), 0);
	ck_assert_int_eq(syscall(SYS_fchmodat, directory, "l/0/home/x", 0700), 0);
	close(open_file("proc/sys/user/max_user_namespaces"));
	session.journal.fd = open_file("journal");
	plan.kept = open_file("kept");
	cgroup.dir[CES_HIERARCHY_V2] = openat(directory, "cg", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	container = (struct ces_container)CES_CONTAINER_NONE;
	image.diff_ids.n = 2;
	plan_mount("/safe_data", -1, true, false);
	plan_mount("/home/x/bind", -1, true, false);
}

static void tear_down(void)
{
	ces_cleanup_close(&container.gate);
	ces_cleanup_close(&container.report);
	ces_cleanup_close(&container.userns);
	close(session.journal.fd);
	close(plan.kept);
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

#define CRUN                                                                                       \
	"exec /usr/bin/crun: crun --root=/run --cgroup-manager=disabled --log=/run/log "           \
	"--log-format=json run --no-new-keyring --bundle=/bundle ces-0123456789"

/* clone: NEWUSER 10000000, NEWPID 20000000, NEWIPC 8000000, NEWUTS 4000000, NEWCGROUP 2000000
 * unshare: NEWNET 40000000, NEWNS 20000; flags: IFF_UP 1; mount: nosuid 2, nodev 4, noexec 8 */
static const char *const expected[] = {
    "clone 3e000000 cg", "join", "arrange 4", "unshare 40000000", "socket 2 2 0", "flags lo 1",
    "fdatasync journal", "fdatasync kept", "map", "namespace user",
    /* the gate */
    "become 0:0", "chdir /", "unshare 20000", "mount proc /proc proc e", "hostname ces-0123456789",
    "open /proc/sys/user/max_user_namespaces", "write proc/sys/user/max_user_namespaces 0",
    "chown m/home alike 100", "chmod m/home 755", "chown m/home/x alike 100", "chmod m/home/x 700",
    CRUN, "with PATH=/usr/sbin:/usr/bin:/sbin:/bin", "with LC_ALL=C", "fd 0 0", "fd 1 0", "fd 2 0",
    "fd 3 1", /* the gate and the report end with the execve */
    "fd 4 1", "fd 5 -1", "fd 6 -1", "fd 7 -1", "fd 8 -1", "fd 9 -1", "stdin null", NULL};

START_TEST(a_container_is_set_up_step_by_step)
{
	ck_assert_msg(start() == 0, "%s", err.text);
	steps_check(expected, 10); /* and no further before the gate opens */
	ck_assert_int_eq(ces_container_ready(&container, &err), 0);
	ck_assert_int_eq(ces_container_ready(&container, &err), 0);
	ck_assert_int_eq(ces_container_release(&container, &err), 0);
	ck_assert_int_eq(end(), EXECUTED);
	steps_check(expected, 0);
	ck_assert_int_eq(ces_container_failure(&container, &err), 0);
}
END_TEST

/* What the child says of each step that fails; NULL: it ends in silence, "": the parent's own. */
static const char *const says[] = {"",
				   "joining the cgroups",
				   NULL,
				   "network namespace",
				   "bringing lo up",
				   "bringing lo up",
				   NULL,
				   NULL,
				   "",
				   "",
				   NULL,
				   "mount namespace",
				   "mount namespace",
				   "mounting /proc",
				   "hostname",
				   "/proc/sys/user/max_user_namespaces",
				   "/proc/sys/user/max_user_namespaces",
				   "the directory of a mount point",
				   "the directory of a mount point",
				   "the directory of a mount point",
				   "the directory of a mount point",
				   "/usr/bin/crun"};

START_TEST(a_step_of_the_child_that_fails_is_the_last_and_is_reported)
{
	char text[120];

	if (_i == 2 || _i == 10 || (says[_i] != NULL && says[_i][0] == '\0'))
		return; /* (these are no steps that answer, or the parent's) */
	steps_begin((size_t)_i + 1, EMFILE);
	(void)start();
	if (_i > 7) {
		ck_assert_int_eq(ces_container_release(&container, &err), 0);
	} else if (_i < 6) {
		/* this process must not take the host's network for the container's */
		ck_assert_int_lt(ces_container_ready(&container, &err), 0);
		ck_assert_str_eq(err.text, "the container has no network namespace");
	}
	ck_assert_int_eq(end(), 125);
	for (size_t i = 0; i <= (size_t)_i; i++)
		if (_i > 7 || strcmp(expected[i], "map") != 0)
			ck_assert_uint_eq(steps_count(expected[i]), 1);
	/* (a child that fails to join still has its descriptors put in order) */
	if (_i != 1)
		ck_assert_uint_eq(steps_count(expected[_i + 1]), _i == 7);
	ck_assert_uint_eq(steps_count("exec"), _i == 21);
	if (says[_i] == NULL) {
		ck_assert_int_eq(ces_container_failure(&container, &err), 0);
		return;
	}
	ck_assert_int_lt(ces_container_failure(&container, &err), 0);
	(void)snprintf(text, sizeof(text), "setting up the container: %s: Too many open files",
		       says[_i]);
	ck_assert_str_eq(err.text, text);
}
END_TEST

START_TEST(without_a_clone_there_is_no_process)
{
	steps_begin(1, EPERM);
	ck_assert_int_lt(start(), 0);
	ck_assert_str_eq(err.text, "making the container's namespaces: Operation not permitted");
	ck_assert_int_eq(container.process.pid, 0);
	ck_assert_uint_eq(steps->n, 1);
}
END_TEST

/* The process stays at the gate, and ends when the gate is closed. */
START_TEST(a_process_whose_map_is_not_written_does_nothing_more)
{
	steps_begin((size_t)_i + 9, EPERM);
	ck_assert_int_lt(start(), 0);
	ces_cleanup_close(&container.gate);
	ck_assert_int_eq(end(), 125);
	steps_check(expected, (size_t)_i + 9);
}
END_TEST

START_TEST(a_gate_that_closes_ends_the_process)
{
	ck_assert_int_eq(start(), 0);
	ces_cleanup_close(&container.gate);
	ck_assert_int_eq(end(), 125);
	steps_check(expected, 10);
	ck_assert_int_eq(ces_container_failure(&container, &err), 0);
}
END_TEST

/* Its parent died between the byte and the setting of the signal for that. */
START_TEST(a_process_without_a_parent_does_not_set_itself_up)
{
	orphan = true;
	ck_assert_int_eq(start(), 0);
	ck_assert_int_eq(ces_container_release(&container, &err), 0);
	ces_cleanup_close(&container.gate);
	ck_assert_int_eq(end(), 125);
	steps_check(expected, 11);
}
END_TEST

static void run(void)
{
	ck_assert_msg(start() == 0, "%s", err.text);
	ck_assert_int_eq(ces_container_release(&container, &err), 0);
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

START_TEST(runc_gets_flags_of_its_own)
{
	plan.runc = true;
	plan.runtime = "/usr/sbin/runc";
	run();
	ck_assert_uint_eq(
	    steps_count("exec /usr/sbin/runc: runc --root=/run --rootless=true --log=/run/log "
			"--log-format=json run --no-new-keyring --bundle=/bundle ces-0123456789"),
	    1);
}
END_TEST

START_TEST(where_selinux_is_on_setpriv_enters_the_domain_of_the_runtime)
{
	plan.selinux.on = true;
	run();
	ck_assert_uint_eq(steps_count("context"), 1);
	ck_assert_uint_eq(
	    steps_count("exec " CES_SETPRIV_PATH ": setpriv --pdeathsig=KILL -- /usr/bin/crun "
			"--root=/run --cgroup-manager=disabled --log=/run/log --log-format=json "
			"run --no-new-keyring --bundle=/bundle ces-0123456789"),
	    1);
}
END_TEST

START_TEST(without_a_context_the_runtime_does_not_begin)
{
	plan.selinux.on = true;
	steps_begin(22 + (size_t)_i, EACCES);
	ck_assert_int_eq(start(), 0);
	ck_assert_int_eq(ces_container_release(&container, &err), 0);
	ck_assert_int_eq(end(), 125);
	ck_assert_uint_eq(steps_count("exec /usr/bin/crun"), 0);
	ck_assert_int_lt(ces_container_failure(&container, &err), 0);
	ck_assert_msg(strstr(err.text, _i == 0 ? "SELinux context of the runtime" : "setpriv") !=
			  NULL,
		      "%s", err.text);
}
END_TEST

START_TEST(a_tmpfs_keeps_the_parents_of_its_mount_point_too)
{
	decision.n_tmpfs = 1;
	strcpy(decision.tmpfs[0].destination, "/srv/cache");
	run();
	ck_assert_uint_eq(steps_count("chown m/srv alike 100"), 1);
}
END_TEST

/* A directory of the image's that is a link: no layer has that directory. */
START_TEST(a_link_of_the_images_gives_no_attributes)
{
	ck_assert_int_eq(renameat(directory, "l/0/home", directory, "l/0/other"), 0);
	ck_assert_int_eq(symlinkat("other", directory, "l/0/home"), 0);
	run();
	ck_assert_uint_eq(steps_count("chown"), 0);
}
END_TEST

/* The upper layer's directory hides the lower one's. */
START_TEST(the_highest_layer_that_has_the_directory_gives_its_mode)
{
	ck_assert_int_eq(mkdirat(directory, "l/1/home", 0755), 0);
	ck_assert_int_eq(syscall(SYS_fchmodat, directory, "l/1/home", 01711), 0);
	run();
	ck_assert_uint_eq(steps_count("chmod m/home 1711"), 1);
	ck_assert_uint_eq(steps_count("chmod m/home 755"), 0);
}
END_TEST

static const struct {
	size_t length;
	const char *text; /* NULL: nothing is wrong */
} reports[] = {{0, NULL}, {3, NULL}, {63, NULL}, {64, "setting up the container: x"}};

START_TEST(a_report_that_is_torn_says_nothing)
{
	struct {
		int number;
		char step[60];
	} report = {.number = 0};
	int pair[2];

	memset(report.step, 'x', sizeof(report.step));                /* (and no end) */
	ck_assert_int_eq(ces_container_failure(&container, &err), 0); /* there is none */
	ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
	container.report = pair[0];
	ck_assert_int_eq(write(pair[1], &report, reports[_i].length), (ssize_t)reports[_i].length);
	close(pair[1]);
	ck_assert_int_eq(ces_container_failure(&container, &err),
			 reports[_i].text == NULL ? 0 : -1);
	if (reports[_i].text != NULL) {
		ck_assert_msg(strncmp(err.text, reports[_i].text, strlen(reports[_i].text)) == 0,
			      "%s", err.text);
		ck_assert_uint_eq(strcspn(err.text + 26, ":"), sizeof(report.step) - 1);
	}
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("container");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_container_is_set_up_step_by_step);
	tcase_add_loop_test(t, a_step_of_the_child_that_fails_is_the_last_and_is_reported, 0,
			    CES_COUNT(says));
	tcase_add_test(t, without_a_clone_there_is_no_process);
	tcase_add_loop_test(t, a_process_whose_map_is_not_written_does_nothing_more, 0, 2);
	tcase_add_test(t, a_gate_that_closes_ends_the_process);
	tcase_add_test(t, a_process_without_a_parent_does_not_set_itself_up);
	tcase_add_loop_test(t, standard_input_is_the_callers_when_they_ask_for_it, 0, 2);
	tcase_add_test(t, runc_gets_flags_of_its_own);
	tcase_add_test(t, where_selinux_is_on_setpriv_enters_the_domain_of_the_runtime);
	tcase_add_loop_test(t, without_a_context_the_runtime_does_not_begin, 0, 2);
	tcase_add_test(t, a_tmpfs_keeps_the_parents_of_its_mount_point_too);
	tcase_add_test(t, a_link_of_the_images_gives_no_attributes);
	tcase_add_test(t, the_highest_layer_that_has_the_directory_gives_its_mode);
	tcase_add_loop_test(t, a_report_that_is_torn_says_nothing, 0, CES_COUNT(reports));
	return run_suite("container", t);
}
