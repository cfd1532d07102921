/* Tests ces-inside: its steps from the order to the runtime, in order; that it takes none before
 * the gate opens; that each step that fails is the last, and is reported by its number; and what
 * the runtime gets. */
/* links: helper/inside/main.c helper/inside/order.c helper/inside/config.c helper/inside/environment.c helper/inside/set_up.c helper/inside/tree.c helper/inside/settle.c helper/inside/execute.c helper/launch/config.c helper/launch/profile.c helper/session/json.c helper/session/idmap.c helper/session/lock.c helper/core/beneath.c */
#include "tests/unit/inside_scene.h"

static void put_file(const char *path, const char *text)
{
	CES_CLEANUP_FD int fd =
	    openat(directory, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void set_up(void)
{
	static char *sh[] = {"sh"};
	static const char *const made[] = {"m",
					   "m/etc",
					   "proc",
					   "proc/sys",
					   "proc/sys/user",
					   "proc/thread-self",
					   "proc/thread-self/attr",
					   "bundle"};

	directory_begin();
	steps_begin(0, 0);
	plan_begin();
	gate = report = -1;
	file_size = 0;
	for (size_t i = 0; i < CES_COUNT(made); i++)
		ck_assert_int_eq(mkdirat(directory, made[i], 0755), 0);
	put_file("proc/sys/user/max_user_namespaces", "");
	put_file("proc/thread-self/attr/exec", "");
	put_file("seccomp.bpf.base64", "RklMVEVS\n");
	put_file("seccomp.json", "{\"defaultAction\":\"SCMP_ACT_ERRNO\"}\n");
	put_file("m/etc/passwd", "");
	image.cmd = (struct ces_strings){sh, 1};
	(void)umask(077); /* (it has one of its own) */
	plan_mount("/safe_data", -1, true, false);
	plan_mount("/home/x/bind", -1, true, false);
}

static void tear_down(void)
{
	ces_cleanup_close(&gate);
	ces_cleanup_close(&report);
	clear_directory(directory_path);
	directory_end();
}

#define CRUN                                                                                       \
	"exec /usr/bin/crun: crun --root=/run --cgroup-manager=disabled --log=/run/log "           \
	"--log-format=json run --no-new-keyring --bundle=/bundle ces-0123456789"

/* NEWNS 20000; mount: nosuid 2, nodev 4, noexec 8 */
static const char *const expected[] = {
    "chdir /", "unshare 20000", "mount proc /proc proc e", "hostname ces-0123456789",
    "open /proc/sys/user/max_user_namespaces", "write proc/sys/user/max_user_namespaces 0",
    "chmod m/tmp 1777", "open /bundle/config.json", CRUN, "with PATH=/usr/sbin:/usr/bin:/sbin:/bin",
    "with LC_ALL=C", "fd 0 0", "fd 1 0", "fd 2 0",
    /* the gate and the report end with the execve; the order is closed by it */
    "fd 3 1", "fd 4 1", "fd 5 1", "fd 6 -1", "fd 7 -1", "fd 8 -1", "fd 9 -1", "umask 22", NULL};

static void run(void)
{
	begin();
	ck_assert(is_at_gate());
	release();
	ck_assert_int_eq(end(), EXECUTED);
}

START_TEST(a_container_is_made_step_by_step_when_the_gate_has_opened)
{
	struct stat st;
	int number;

	begin();
	ck_assert(is_at_gate());
	ck_assert_uint_eq(steps->n, 0);
	release();
	ck_assert_int_eq(end(), EXECUTED);
	steps_check(expected, 0);
	ck_assert_int_eq(reported(&number), -1);
	ck_assert_int_eq(fstatat(directory, "bundle/config.json", &st, 0), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0644);
	ck_assert_int_gt(st.st_size, 1000);
}
END_TEST

static const enum ces_inside_step says[] = {CES_STEP_MOUNTS,   CES_STEP_MOUNTS, CES_STEP_PROC,
					    CES_STEP_HOSTNAME, CES_STEP_USERNS, CES_STEP_USERNS,
					    CES_STEP_POINTS,   CES_STEP_CONFIG, CES_STEP_RUNTIME};

START_TEST(a_step_that_fails_is_the_last_and_is_reported)
{
	int number;

	steps_begin((size_t)_i + 1, EMFILE);
	begin();
	ck_assert(is_at_gate());
	release();
	ck_assert_int_eq(end(), 125);
	steps_check(expected, (size_t)_i + 1);
	ck_assert_int_eq(reported(&number), (int)says[_i]);
	ck_assert_int_eq(number, EMFILE);
}
END_TEST

START_TEST(a_gate_that_closes_ends_it)
{
	int number;

	begin();
	ck_assert(is_at_gate());
	ces_cleanup_close(&gate);
	ck_assert_int_eq(end(), 125);
	ck_assert_uint_eq(steps->n, 0);
	ck_assert_int_eq(reported(&number), -1);
}
END_TEST

START_TEST(without_a_right_order_or_a_filter_it_does_not_come_to_the_gate)
{
	int number;

	if (_i == 0)
		begin_with(openat(directory, "m/etc/passwd", O_RDONLY | O_CLOEXEC));
	if (_i == 1) {
		ck_assert_int_eq(unlinkat(directory, "seccomp.bpf.base64", 0), 0);
		begin();
	}
	ck_assert(!is_at_gate());
	ck_assert_int_eq(end(), 125);
	ck_assert_uint_eq(steps->n, 0);
	ck_assert_int_eq(reported(&number), _i == 0 ? CES_STEP_ORDER : CES_STEP_FILTER);
	ck_assert_int_eq(number, _i == 0 ? ENODATA : ENOENT);
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
	ck_assert_uint_eq(steps_count("open /proc/thread-self/attr/exec"), 1);
	ck_assert_uint_eq(steps_count("write proc/thread-self/attr/exec u:r:t:s0:c1,c2"), 1);
	ck_assert_uint_eq(
	    steps_count("exec " CES_SETPRIV_PATH ": setpriv --pdeathsig=KILL -- /usr/bin/crun "
			"--root=/run --cgroup-manager=disabled --log=/run/log --log-format=json "
			"run --no-new-keyring --bundle=/bundle ces-0123456789"),
	    1);
}
END_TEST

START_TEST(without_a_context_the_runtime_does_not_begin)
{
	int number;

	plan.selinux.on = true;
	steps_begin(9 + (size_t)_i, EACCES);
	begin();
	ck_assert(is_at_gate());
	release();
	ck_assert_int_eq(end(), 125);
	ck_assert_uint_eq(steps_count("exec"), _i == 2);
	ck_assert_int_eq(reported(&number), _i < 2 ? CES_STEP_CONTEXT : CES_STEP_SETPRIV);
	ck_assert_int_eq(number, EACCES);
}
END_TEST

START_TEST(the_plans_places_are_in_the_image_and_in_no_other_directory)
{
	struct stat st;

	plan.mounts[1].file = true;
	decision.n_tmpfs = 1;
	strcpy(decision.tmpfs[0].destination, "/srv/cache");
	run();
	ck_assert_int_eq(fstatat(directory, "m/safe_data", &st, AT_SYMLINK_NOFOLLOW), 0);
	ck_assert(S_ISDIR(st.st_mode));
	ck_assert_int_eq(fstatat(directory, "m/home/x/bind", &st, AT_SYMLINK_NOFOLLOW), 0);
	ck_assert(S_ISREG(st.st_mode));
	ck_assert_uint_eq(steps_count("chmod m/srv/cache 1777"), 1);
	ck_assert_int_lt(faccessat(directory, "safe_data", F_OK, 0), 0);
}
END_TEST

START_TEST(the_image_is_fitted_to_a_user_who_keeps_their_uid)
{
	char text[100] = "";
	CES_CLEANUP_FD int fd = openat(directory, "m/etc/passwd", O_RDONLY | O_CLOEXEC);

	plan_map(1000, 1000);
	decision.identity = CES_IDENTITY_SAME_UID;
	strcpy(decision.home, "/home/ann");
	run();
	ck_assert_int_gt(read(fd, text, sizeof(text) - 1), 0);
	ck_assert_str_eq(text, "ann:x:1000:1000::/home/ann:/bin/sh\n");
}
END_TEST

static const char *const in_the_way[] = {"file", "link", "dangling link", "no bundle"};

START_TEST(only_a_new_file_in_the_bundle_is_written)
{
	const char *kind = in_the_way[_i];
	struct stat st;
	int number;

	if (strcmp(kind, "file") == 0)
		put_file("bundle/config.json", "kept");
	if (strcmp(kind, "link") == 0)
		ck_assert_int_eq(symlinkat("../m/etc/passwd", directory, "bundle/config.json"), 0);
	if (strcmp(kind, "dangling link") == 0)
		ck_assert_int_eq(symlinkat("../new", directory, "bundle/config.json"), 0);
	if (strcmp(kind, "no bundle") == 0)
		ck_assert_int_eq(unlinkat(directory, "bundle", AT_REMOVEDIR), 0);
	begin();
	ck_assert(is_at_gate());
	release();
	ck_assert_int_eq(end(), 125);
	ck_assert_int_eq(reported(&number), CES_STEP_CONFIG);
	ck_assert_int_eq(number, strcmp(kind, "no bundle") == 0 ? ENOENT : EEXIST);
	ck_assert_uint_eq(steps_count("exec"), 0);
	ck_assert_int_lt(faccessat(directory, "new", F_OK, 0), 0);
	ck_assert_int_eq(fstatat(directory, "m/etc/passwd", &st, 0), 0);
	ck_assert_int_eq(st.st_size, 0);
}
END_TEST

START_TEST(a_document_that_is_not_written_whole_is_an_error)
{
	int number;

	file_size = 1000;
	begin();
	ck_assert(is_at_gate());
	release();
	ck_assert_int_eq(end(), 125);
	ck_assert_int_eq(reported(&number), CES_STEP_CONFIG);
	ck_assert_int_eq(number, EFBIG);
}
END_TEST

/* (before main(), which is not this file's) */
static void __attribute__((constructor)) run_tests(void)
{
	TCase *t = tcase_create("inside");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_container_is_made_step_by_step_when_the_gate_has_opened);
	tcase_add_loop_test(t, a_step_that_fails_is_the_last_and_is_reported, 0, CES_COUNT(says));
	tcase_add_test(t, a_gate_that_closes_ends_it);
	tcase_add_loop_test(t, without_a_right_order_or_a_filter_it_does_not_come_to_the_gate, 0,
			    2);
	tcase_add_test(t, runc_gets_flags_of_its_own);
	tcase_add_test(t, where_selinux_is_on_setpriv_enters_the_domain_of_the_runtime);
	tcase_add_loop_test(t, without_a_context_the_runtime_does_not_begin, 0, 3);
	tcase_add_test(t, the_plans_places_are_in_the_image_and_in_no_other_directory);
	tcase_add_test(t, the_image_is_fitted_to_a_user_who_keeps_their_uid);
	tcase_add_loop_test(t, only_a_new_file_in_the_bundle_is_written, 0, CES_COUNT(in_the_way));
	tcase_add_test(t, a_document_that_is_not_written_whole_is_an_error);
	exit(run_suite("inside", t));
}
