/* Tests which user an image's USER means, by the image's own files. */
/* links: helper/unpack/user.c helper/unpack/user_file.c */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/unpack/user.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "# a comment:x:5:5::/:\n"
			     "short:x:7\n"
			     "worker:x:1000:1001:Worker,,,:/home/worker:/bin/sh\n"
			     "nohome:x:1002:1002:::\n"
			     "relative:x:1003:1003::home:\n"
			     "huge:x:70000:70000::/:\n"
			     "negative:x:-1:-1::/:\n"
			     "last:x:65535:65535::/last:/bin/sh";
static const char group[] = "root:x:0:\nworker:x:1001:\nvideo:x:44:worker,last\naudio:x:29:worker\n"
			    "big:x:70000:nohome\n";

static struct ces_error err;

static const struct {
	const char *user;
	uint64_t uid, gid;
	size_t n_groups;
	const char *home;
} good[] = {
    {NULL, 0, 0, 0, "/root"},
    {"", 0, 0, 0, "/root"},
    {"0", 0, 0, 0, "/root"},
    {"root", 0, 0, 0, "/root"},
    {"worker", 1000, 1001, 2, "/home/worker"},
    {"1000", 1000, 1001, 2, "/home/worker"},
    {"worker:", 1000, 1001, 2, "/home/worker"},
    {"worker:video", 1000, 44, 0, "/home/worker"},
    {"worker:5", 1000, 5, 0, "/home/worker"},
    {"1234", 1234, 0, 0, "/"},
    {"1234:video", 1234, 44, 0, "/"},
    {"1234:4321", 1234, 4321, 0, "/"},
    {":video", 0, 44, 0, "/root"},
    {"last", 65535, 65535, 1, "/last"},
    {"relative", 1003, 1003, 0, "/"},
};

START_TEST(a_user_is_resolved_as_docker_does)
{
	struct ces_user user;

	ck_assert_msg(ces_user_resolve(good[_i].user, passwd, group, &user, &err) == 0, "%s",
		      err.text);
	ck_assert_uint_eq(user.uid, good[_i].uid);
	ck_assert_uint_eq(user.gid, good[_i].gid);
	ck_assert_uint_eq(user.n_groups, good[_i].n_groups);
	ck_assert_str_eq(user.home, good[_i].home);
}
END_TEST

static const struct {
	const char *user, *because;
} bad[] = {
    {"nobody-here", "no user \"nobody-here\""},
    {"worker:nogroup", "no group \"nogroup\""},
    {"70000", "not from 0 to 65535"},
    {"0:70000", "not from 0 to 65535"},
    {"99999999999999999999", "not from 0 to 65535"},
    {"huge", "not from 0 to 65535"},
    {"negative", "not from 0 to 65535"},
    {"nohome", "not from 0 to 65535"},
    {"-1", "no user \"-1\""},
    {"short", "no user \"short\""},
    {"# a comment", "no user"},
};

START_TEST(an_unknown_user_or_an_id_out_of_range_is_refused)
{
	struct ces_user user;

	ck_assert_int_eq(ces_user_resolve(bad[_i].user, passwd, group, &user, &err), -1);
	ck_assert_int_eq(err.code, CES_E_IMAGE);
	ck_assert_msg(strstr(err.text, bad[_i].because) != NULL, "%s", err.text);
}
END_TEST

START_TEST(numbers_work_without_any_files)
{
	struct ces_user user;

	ck_assert_int_eq(ces_user_resolve("12:34", NULL, NULL, &user, &err), 0);
	ck_assert_uint_eq(user.uid, 12);
	ck_assert_uint_eq(user.gid, 34);
	ck_assert_int_eq(ces_user_resolve(NULL, NULL, NULL, &user, &err), 0);
	ck_assert_str_eq(user.home, "/root");
	ck_assert_int_eq(ces_user_resolve("name", NULL, NULL, &user, &err), -1);
}
END_TEST

START_TEST(more_groups_than_a_record_holds_are_refused)
{
	char text[4096] = "";
	struct ces_user user;

	for (int i = 0; i < 40; i++)
		sprintf(text + strlen(text), "g%d:x:%d:worker\n", i, 100 + i);
	ck_assert_int_eq(ces_user_resolve("worker", passwd, text, &user, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "more than 32 groups"));
}
END_TEST

/* There are two layers, low and high, in a directory of the test's own. */
static char base[64];
static int layers[2];

static void setup(void)
{
	strcpy(base, "/tmp/ces-user-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	ck_assert_int_eq(chdir(base), 0);
	mkdir("low", 0755);
	mkdir("high", 0755);
	layers[0] = open("low", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	layers[1] = open("high", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void teardown(void)
{
	char command[128];

	close(layers[0]);
	close(layers[1]);
	ck_assert_int_eq(chdir("/"), 0);
	snprintf(command, sizeof(command), "rm -rf %s", base);
	ck_assert_int_eq(system(command), 0);
}

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

/* Fails unless `expected` is found (NULL: nothing). */
static void finds(const char *expected)
{
	CES_CLEANUP_FREE char *text = NULL;

	ck_assert_msg(ces_user_find_file(layers, 2, "passwd", &text, &err) == 0, "%s", err.text);
	if (expected == NULL)
		ck_assert_ptr_null(text);
	else
		ck_assert_str_eq(text, expected);
}

START_TEST(the_highest_layer_that_has_the_file_decides)
{
	finds(NULL);
	mkdir("low/etc", 0755);
	put("low/etc/passwd", "low");
	finds("low");
	mkdir("high/etc", 0755);
	finds("low");
	put("high/etc/passwd", "high");
	finds("high");
}
END_TEST

START_TEST(a_hidden_file_is_not_found)
{
	mkdir("low/etc", 0755);
	put("low/etc/passwd", "low");
	mkdir("high/etc", 0755);
	ck_assert_int_eq(setxattr("high/etc", "user.overlay.opaque", "y", 1, 0), 0);
	finds(NULL);
	rmdir("high/etc");
	finds("low");
	ck_assert_int_eq(setxattr("high", "user.overlay.opaque", "y", 1, 0), 0);
	finds(NULL);
	mkdir("high/etc", 0755);
	finds(NULL);
	rmdir("high/etc");
	ck_assert_int_eq(removexattr("high", "user.overlay.opaque"), 0);
	ck_assert_int_eq(mknod("high/etc", S_IFCHR, 0), 0);
	finds(NULL);
	unlink("high/etc");
	mkdir("high/etc", 0755);
	ck_assert_int_eq(mknod("high/etc/passwd", S_IFCHR, 0), 0);
	finds(NULL);
}
END_TEST

START_TEST(symlinks_and_fifos_in_an_image_are_never_opened)
{
	mkdir("low/etc", 0755);
	ck_assert_int_eq(symlink("/etc/passwd", "low/etc/passwd"), 0);
	finds(NULL);
	unlink("low/etc/passwd");
	ck_assert_int_eq(mkfifo("low/etc/passwd", 0644), 0);
	finds(NULL);
	unlink("low/etc/passwd");
	rmdir("low/etc");
	ck_assert_int_eq(symlink("/etc", "low/etc"), 0);
	finds(NULL);
}
END_TEST

START_TEST(a_huge_file_or_one_with_a_nul_is_refused)
{
	CES_CLEANUP_FREE char *text = NULL;

	mkdir("low/etc", 0755);
	put("low/etc/passwd", "root");
	ck_assert_int_eq(truncate("low/etc/passwd", 2 << 20), 0);
	ck_assert_int_eq(ces_user_find_file(layers, 2, "passwd", &text, &err), -1);
	ck_assert_int_eq(truncate("low/etc/passwd", 10), 0);
	ck_assert_int_eq(ces_user_find_file(layers, 2, "passwd", &text, &err), -1);
	ck_assert_int_eq(err.code, CES_E_IMAGE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("unpack_user");
	TCase *names = tcase_create("names"), *files = tcase_create("files");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(names, a_user_is_resolved_as_docker_does, 0, CES_COUNT(good));
	tcase_add_loop_test(names, an_unknown_user_or_an_id_out_of_range_is_refused, 0,
			    CES_COUNT(bad));
	tcase_add_test(names, numbers_work_without_any_files);
	tcase_add_test(names, more_groups_than_a_record_holds_are_refused);
	tcase_add_checked_fixture(files, setup, teardown);
	tcase_add_test(files, the_highest_layer_that_has_the_file_decides);
	tcase_add_test(files, a_hidden_file_is_not_found);
	tcase_add_test(files, symlinks_and_fifos_in_an_image_are_never_opened);
	tcase_add_test(files, a_huge_file_or_one_with_a_nul_is_refused);
	suite_add_tcase(suite, names);
	suite_add_tcase(suite, files);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
