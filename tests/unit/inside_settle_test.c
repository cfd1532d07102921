/* Tests how an image made for root is fitted to a user who keeps their uid: what is appended to
 * which file, whatever the image has there, and that no link is followed. */
/* links: helper/inside/settle.c */
#include "helper/inside/inside.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/unit/directory.h"
#include "tests/unit/image_open.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/steps.h"

static uid_t workdir_owner;
static char *texts_are[CES_INSIDE_TEXTS];
static struct ces_inside inside;

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
	steps_begin(0, 0);
	for (size_t i = 0; i < CES_COUNT(made); i++)
		ck_assert_int_eq(mkdirat(directory, made[i], 0755), 0);
	put_text("m/etc/passwd", "root:x:0:0::/root:/bin/sh\n");
	put_text("m/etc/group", "root:x:0:\n");
	put_text("outside", "kept");
	workdir_owner = 200000;
	inside = (struct ces_inside){.order = {.uid = 1000, .gid = 1001, .same_uid = true}};
	inside.rows[CES_INSIDE_ROW_TEXTS] = (struct ces_strings){texts_are, CES_INSIDE_TEXTS};
	texts_are[CES_INSIDE_USER] = "ann";
	texts_are[CES_INSIDE_HOME] = "/home/ann";
	texts_are[CES_INSIDE_WORKDIR] = "/work";
}

static void tear_down(void)
{
	clear_directory(directory_path);
	directory_end();
}

static void settle(void)
{
	size_t before = open_fds();

	ces_inside_settle(&inside);
	ck_assert_uint_eq(open_fds(), before);
}

#define PASSWD "ann:x:1000:1001::/home/ann:/bin/sh\n"
#define GROUP  "ann:x:1001:\n"

START_TEST(a_line_in_passwd_and_group_and_the_working_directory_are_theirs)
{
	settle();
	steps_check((const char *const[]){"chown m/work 1000:1001", NULL}, 0);
	ck_assert_str_eq(text_of("m/etc/passwd"), "root:x:0:0::/root:/bin/sh\n" PASSWD);
	ck_assert_str_eq(text_of("m/etc/group"), "root:x:0:\n" GROUP);
}
END_TEST

START_TEST(another_identity_changes_nothing)
{
	inside.order.same_uid = false;
	settle();
	ck_assert_uint_eq(steps->n, 0);
	ck_assert_str_eq(text_of("m/etc/passwd"), "root:x:0:0::/root:/bin/sh\n");
}
END_TEST

START_TEST(who_logs_in_has_the_projects_groups)
{
	inside.order.gids[0] = 27; /* (of the image) */
	inside.order.gids[1] = 65536;
	inside.order.gids[2] = 65537;
	inside.order.n_gids = 3;
	settle();
	ck_assert_str_eq(text_of("m/etc/group"),
			 "root:x:0:\nproject65536:x:65536:ann\nproject65537:x:65537:ann\n" GROUP);
	put_text("m/etc/group", "root:x:0:\n");
	put_text("m/etc/passwd", "");
	inside.order.same_uid = false;
	settle();
	ck_assert_str_eq(text_of("m/etc/group"), "root:x:0:\n");
	inside.order.uid = 0;
	settle();
	ck_assert_str_eq(text_of("m/etc/group"),
			 "root:x:0:\nproject65536:x:65536:root\nproject65537:x:65537:root\n");
	ck_assert_str_eq(text_of("m/etc/passwd"), "");
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
    {"/absent", 200000, NULL},
    {"/work/../..", 200000, NULL},
    {"/../outside", 200000, NULL},
    {"/link", 200000, NULL},
    {"/etc/passwd", 200000, NULL},
};

START_TEST(the_working_directory_is_given_to_them_unless_it_is_the_root_or_a_link)
{
	ck_assert_int_eq(symlinkat("work", directory, "m/link"), 0);
	texts_are[CES_INSIDE_WORKDIR] = (char *)(uintptr_t)workdirs[_i].workdir;
	workdir_owner = workdirs[_i].owner;
	settle();
	ck_assert_uint_eq(steps_count("chown"), workdirs[_i].step != NULL);
	if (workdirs[_i].step != NULL)
		ck_assert_uint_eq(steps_count(workdirs[_i].step), 1);
}
END_TEST

START_TEST(a_directory_that_cannot_be_given_away_is_no_more_than_that)
{
	steps_begin(1, EPERM);
	settle();
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
	static char name[256], home[CES_DESTINATION], expected[2048];

	memset(name, 'n', sizeof(name) - 1);
	memset(home, 'h', sizeof(home) - 1);
	home[0] = '/';
	texts_are[CES_INSIDE_USER] = name;
	texts_are[CES_INSIDE_HOME] = home;
	settle();
	(void)snprintf(expected, sizeof(expected),
		       "root:x:0:0::/root:/bin/sh\n%s:x:1000:1001::%s:/bin/sh\n", name, home);
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
	tcase_add_test(t, who_logs_in_has_the_projects_groups);
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
	return run_suite("inside_settle", t);
}
