/* Tests how an image made for root is fitted to a user who keeps their uid: what is appended to
 * which file, whatever the image has there, and that no link is followed. */
/* links: helper/launch/settle.c helper/session/idmap.c helper/session/lock.c helper/core/beneath.c */
#include "helper/launch/settle.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/session/userns.h"
#include "tests/unit/directory.h"
#include "tests/unit/launch_plan.h"
#include "tests/unit/steps.h"

static uid_t workdir_owner;

/* (of helper/session/userns.c: here no namespace, but a child with the same descriptors) */
int ces_userns_call(int userns, uid_t user, gid_t group, unsigned seconds, const int *fds,
		    size_t n_fds, int (*work)(const void *), const void *context)
{
	int status;
	pid_t pid;

	ck_assert_uint_eq(n_fds, 1);
	ck_assert_uint_eq(seconds, 10);
	(void)step("call %d %u:%u", userns, user, group);
	pid = fork();
	if (pid == 0) {
		if (fds[0] != 3)
			(void)dup2(fds[0], 3);
		_exit(work(context) == 0 ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	(void)step("result %d", WEXITSTATUS(status));
	return WEXITSTATUS(status) == 0 ? 0 : -1;
}

int fchown(int fd, uid_t uid, gid_t gid)
{
	return step("chown %s %u:%u", path_below(directory_path, fd), uid, gid) ? -1 : 0;
}

int fstat(int fd, struct stat *st)
{
	int result = fstatat(fd, "", st, AT_EMPTY_PATH);

	st->st_uid = workdir_owner;
	return result;
}

static void put_text(const char *path, const char *text)
{
	CES_CLEANUP_FD int fd =
	    openat(directory, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static const char *text_of(const char *path)
{
	static char text[8192];
	CES_CLEANUP_FD int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = '\0';
	return n < 0 ? "(none)" : text;
}

static void set_up(void)
{
	static const char *const made[] = {"m", "m/etc", "m/work"};

	directory_begin();
	plan_begin();
	steps_begin(0, 0);
	for (size_t i = 0; i < CES_COUNT(made); i++)
		ck_assert_int_eq(mkdirat(directory, made[i], 0755), 0);
	put_text("m/etc/passwd", "root:x:0:0::/root:/bin/sh\n");
	put_text("m/etc/group", "root:x:0:\n");
	put_text("outside", "kept");
	plan_map(1000, 1001);
	workdir_owner = 200000;
	decision.identity = CES_IDENTITY_SAME_UID;
	strcpy(decision.home, "/home/ann");
	image.workdir = "/work";
}

static void tear_down(void)
{
	clear_directory(directory_path);
	directory_end();
}

static void settle(void)
{
	size_t before = open_fds();

	ces_settle(&plan, 33, directory);
	ck_assert_uint_eq(open_fds(), before);
}

#define PASSWD "ann:x:1000:1001::/home/ann:/bin/sh\n"
#define GROUP  "ann:x:1001:\n"

START_TEST(a_line_in_passwd_and_group_and_the_working_directory_are_theirs)
{
	settle();
	steps_check(
	    (const char *const[]){"call 33 1000:1001", "chown m/work 1000:1001", "result 0", NULL},
	    0);
	ck_assert_str_eq(text_of("m/etc/passwd"), "root:x:0:0::/root:/bin/sh\n" PASSWD);
	ck_assert_str_eq(text_of("m/etc/group"), "root:x:0:\n" GROUP);
}
END_TEST

START_TEST(another_identity_changes_nothing)
{
	decision.identity = CES_IDENTITY_ROOT_IS_USER;
	settle();
	ck_assert_uint_eq(steps->n, 0);
}
END_TEST

static const struct {
	const char *before, *after;
} texts[] = {{"", PASSWD}, {"a", "a\n" PASSWD}, {"a\n", "a\n" PASSWD}, {"\n", "\n" PASSWD}};

START_TEST(the_line_is_a_line_of_its_own)
{
	put_text("m/etc/passwd", texts[_i].before);
	settle();
	ck_assert_str_eq(text_of("m/etc/passwd"), texts[_i].after);
}
END_TEST

/* What an image may have in place of the two files. */
static const char *const odd[] = {"nothing",         "a link inside", "a link out",
				  "a dangling link", "a directory",   "a FIFO",
				  "a read-only file"};

START_TEST(what_is_no_file_stays_and_the_other_steps_are_done)
{
	const char *kind = odd[_i], *path = "m/etc/passwd";

	if (strcmp(kind, "a read-only file") == 0 && geteuid() == 0)
		return; /* (root may write to it) */
	ck_assert_int_eq(unlinkat(directory, path, 0), 0);
	if (strcmp(kind, "a link inside") == 0)
		ck_assert_int_eq(symlinkat("group", directory, path), 0);
	if (strcmp(kind, "a link out") == 0)
		ck_assert_int_eq(symlinkat("../../outside", directory, path), 0);
	if (strcmp(kind, "a dangling link") == 0)
		ck_assert_int_eq(symlinkat("../new", directory, path), 0);
	if (strcmp(kind, "a directory") == 0)
		ck_assert_int_eq(mkdirat(directory, path, 0755), 0);
	if (strcmp(kind, "a FIFO") == 0)
		ck_assert_int_eq(mkfifoat(directory, path, 0644), 0);
	if (strcmp(kind, "a read-only file") == 0)
		close(openat(directory, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0444));
	settle();
	ck_assert_str_eq(steps->v[steps->n - 1], "result 1");
	ck_assert_str_eq(text_of("m/etc/group"), "root:x:0:\n" GROUP);
	ck_assert_uint_eq(steps_count("chown m/work"), 1);
	ck_assert_str_eq(text_of("outside"), "kept");
	ck_assert_int_lt(faccessat(directory, "m/new", F_OK, 0), 0);
	ck_assert_int_lt(faccessat(directory, "new", F_OK, 0), 0);
}
END_TEST

START_TEST(a_link_above_the_files_is_not_followed)
{
	ck_assert_int_eq(renameat(directory, "m/etc", directory, "etc"), 0);
	ck_assert_int_eq(symlinkat("../etc", directory, "m/etc"), 0);
	settle();
	ck_assert_str_eq(text_of("etc/passwd"), "root:x:0:0::/root:/bin/sh\n");
}
END_TEST

static const struct {
	const char *workdir;
	uid_t owner;
	const char *step; /* NULL: none */
} workdirs[] = {
    {"/work", 200000, "chown m/work 1000:1001"},
    {"/work/", 200000, "chown m/work 1000:1001"},
    {"/work", 1000, NULL}, /* it is theirs */
    {"/", 200000, NULL},
    {"///", 200000, NULL},
    {"", 200000, NULL},
    {NULL, 200000, NULL},
    {"/absent", 200000, NULL},
    {"/work/../..", 200000, NULL},
    {"/../outside", 200000, NULL},
    {"/link", 200000, NULL},
    {"/etc/passwd", 200000, NULL},
};

START_TEST(the_working_directory_is_given_to_them_unless_it_is_the_root_or_a_link)
{
	ck_assert_int_eq(symlinkat("work", directory, "m/link"), 0);
	image.workdir = (char *)(uintptr_t)workdirs[_i].workdir;
	workdir_owner = workdirs[_i].owner;
	settle();
	ck_assert_uint_eq(steps_count("chown"), workdirs[_i].step != NULL);
	if (workdirs[_i].step != NULL)
		ck_assert_uint_eq(steps_count(workdirs[_i].step), 1);
	ck_assert_str_eq(steps->v[steps->n - 1], "result 0");
}
END_TEST

START_TEST(a_directory_that_cannot_be_given_away_is_no_more_than_that)
{
	steps_begin(2, EPERM);
	settle();
	ck_assert_str_eq(steps->v[steps->n - 1], "result 1");
	ck_assert_str_eq(text_of("m/etc/group"), "root:x:0:\n" GROUP);
}
END_TEST

START_TEST(without_the_overlay_nothing_is_done)
{
	ck_assert_int_eq(renameat(directory, "m", directory, "n"), 0);
	settle();
	ck_assert_int_eq(symlinkat("n", directory, "m"), 0);
	settle();
	ck_assert_uint_eq(steps->n, 0);
}
END_TEST

/* The order from ces-admit has names of 255 bytes, and a decision homes of 255. */
START_TEST(the_longest_name_and_home_are_whole)
{
	static char name[256], expected[2048];

	memset(name, 'n', sizeof(name) - 1);
	memset(decision.home, 'h', sizeof(decision.home) - 1);
	decision.home[0] = '/';
	session.caller.user = name;
	settle();
	(void)snprintf(expected, sizeof(expected),
		       "root:x:0:0::/root:/bin/sh\n%s:x:1000:1001::%s:/bin/sh\n", name,
		       decision.home);
	ck_assert_str_eq(text_of("m/etc/passwd"), expected);
	(void)snprintf(expected, sizeof(expected), "root:x:0:\n%s:x:1001:\n", name);
	ck_assert_str_eq(text_of("m/etc/group"), expected);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("settle");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_line_in_passwd_and_group_and_the_working_directory_are_theirs);
	tcase_add_test(t, another_identity_changes_nothing);
	tcase_add_loop_test(t, the_line_is_a_line_of_its_own, 0, CES_COUNT(texts));
	tcase_add_loop_test(t, what_is_no_file_stays_and_the_other_steps_are_done, 0,
			    CES_COUNT(odd));
	tcase_add_test(t, a_link_above_the_files_is_not_followed);
	tcase_add_loop_test(t,
			    the_working_directory_is_given_to_them_unless_it_is_the_root_or_a_link,
			    0, CES_COUNT(workdirs));
	tcase_add_test(t, a_directory_that_cannot_be_given_away_is_no_more_than_that);
	tcase_add_test(t, without_the_overlay_nothing_is_done);
	tcase_add_test(t, the_longest_name_and_home_are_whole);
	return run_suite("settle", t);
}
