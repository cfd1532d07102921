/* Tests reading the policy file: the tamper matrix. An ordinary user is root of a user namespace
 * here, with a root directory in memory. Where the kernel refuses to give a file away, the test
 * notes it, and it looks given away. */
#include "tests/unit/policy_fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

static char base[32]; /* /run/..., root's: one for all, so that a failed test leaves nothing */
static char top[64];  /* a directory in it, for one test */
static char dir[96], file[128];

static ino_t given_away;

int chown(const char *path, uid_t uid, gid_t gid)
{
	struct stat st;

	if (syscall(SYS_fchownat, AT_FDCWD, path, uid, gid, 0) < 0) {
		ck_assert_int_eq(stat(path, &st), 0);
		given_away = st.st_ino;
	}
	return 0;
}

int fstat(int fd, struct stat *st)
{
	int result = (int)syscall(SYS_fstat, fd, st);

	if (result == 0 && given_away != 0 && st->st_ino == given_away)
		st->st_uid = 65534;
	return result;
}

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return done;
}

/* Makes this process root of a user namespace, and gives it a root directory of its own. */
static bool become_root(void)
{
	unsigned uid = geteuid(), gid = getegid();
	char users[32], groups[32];

	snprintf(users, sizeof(users), "0 %u 1", uid);
	snprintf(groups, sizeof(groups), "0 %u 1", gid);
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && put("/proc/self/setgroups", "deny") &&
	       put("/proc/self/uid_map", users) && put("/proc/self/gid_map", groups) &&
	       mount("root", "/tmp", "tmpfs", 0, "mode=755") == 0 && chdir("/tmp") == 0 &&
	       chroot(".") == 0 && mkdir("/run", 0755) == 0 && mkdir("/tmp", 0700) == 0;
}

static void make_tree(void)
{
	int fd;

	ck_assert_msg(geteuid() == 0 && base[0] != '\0',
		      "this test needs root, or a user namespace");
	snprintf(top, sizeof(top), "%s/XXXXXX", base);
	ck_assert_ptr_nonnull(mkdtemp(top));
	snprintf(dir, sizeof(dir), "%s/etc", top);
	snprintf(file, sizeof(file), "%s/policy.json", dir);
	ck_assert_int_eq(mkdir(dir, 0755), 0);
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	ck_assert_int_eq((int)write(fd, "{}\n", 3), 3);
	close(fd);
	ck_assert_int_eq(chmod(top, 0755) | chmod(dir, 0755) | chmod(file, 0644), 0);
}

static int remove_all(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf --one-file-system %s", base);
	return system(command);
}

static void refused(const char *path, const char *says)
{
	struct ces_error err = {0};
	char *bytes = NULL;
	size_t length;

	ck_assert_int_eq(ces_policy_read(path, &bytes, &length, &err), -1);
	ck_assert_ptr_null(bytes);
	ck_assert_int_eq(err.code, CES_E_POLICY);
	ck_assert_msg(strstr(err.text, says) != NULL, "\"%s\" is not in \"%s\"", says, err.text);
}

START_TEST(a_file_of_root_is_read_whole)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	struct ces_error err = {0};
	size_t length = 0;

	ck_assert_msg(ces_policy_read(file, &bytes, &length, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(length, 3);
	ck_assert_str_eq(bytes, "{}\n");
}
END_TEST

START_TEST(a_file_of_another_owner_is_refused)
{
	ck_assert_int_eq(chown(file, 65534, 0), 0);
	refused(file, "not owned by root");
}
END_TEST

START_TEST(a_file_that_its_group_may_write_is_refused)
{
	ck_assert_int_eq(chmod(file, 0664), 0);
	refused(file, "writable by others");
}
END_TEST

START_TEST(a_file_that_all_may_write_is_refused)
{
	ck_assert_int_eq(chmod(file, 0646), 0);
	refused(file, "writable by others");
}
END_TEST

START_TEST(a_symlink_in_the_files_place_is_refused)
{
	char real[140];

	snprintf(real, sizeof(real), "%s.real", file);
	ck_assert_int_eq(rename(file, real) | symlink(real, file), 0);
	refused(file, "symbolic link");
}
END_TEST

START_TEST(a_symlink_on_the_way_is_refused)
{
	char real[128];

	snprintf(real, sizeof(real), "%s.real", dir);
	ck_assert_int_eq(rename(dir, real) | symlink(real, dir), 0);
	refused(file, "symbolic link");
}
END_TEST

START_TEST(a_fifo_is_refused_without_waiting_for_a_writer)
{
	ck_assert_int_eq(unlink(file) | mkfifo(file, 0644), 0);
	refused(file, "not a regular file");
}
END_TEST

START_TEST(a_directory_is_refused)
{
	ck_assert_int_eq(unlink(file) | mkdir(file, 0755), 0);
	refused(file, "not a regular file");
}
END_TEST

START_TEST(a_device_is_refused)
{
	ck_assert_int_eq(unlink(file), 0);
	if (mknod(file, S_IFCHR | 0644, makedev(1, 5)) != 0)
		ck_assert_int_eq(mknod(file, S_IFSOCK | 0644, 0),
				 0); /* this machine may not make devices */
	refused(file, "");
}
END_TEST

START_TEST(a_second_hard_link_is_refused)
{
	char second[140];

	snprintf(second, sizeof(second), "%s.second", file);
	ck_assert_int_eq(link(file, second), 0);
	refused(file, "more than one hard link");
}
END_TEST

START_TEST(a_directory_of_another_owner_is_refused)
{
	ck_assert_int_eq(chown(dir, 65534, 0), 0);
	refused(file, "\"etc\" is not owned by root");
}
END_TEST

START_TEST(a_writable_directory_further_up_is_refused)
{
	ck_assert_int_eq(chmod(top, 0777), 0);
	refused(file, "writable by others");
}
END_TEST

START_TEST(a_sticky_bit_is_no_excuse)
{
	ck_assert_int_eq(chmod(top, 01777), 0);
	refused(file, "writable by others");
}
END_TEST

START_TEST(a_missing_file_is_refused)
{
	ck_assert_int_eq(unlink(file), 0);
	refused(file, "No such file");
}
END_TEST

START_TEST(a_file_above_4_MiB_is_refused)
{
	ck_assert_int_eq(truncate(file, 4 * 1024 * 1024 + 1), 0);
	refused(file, "larger than 4 MiB");
}
END_TEST

START_TEST(a_relative_path_is_refused)
{
	ck_assert_int_eq(chdir(dir), 0);
	refused("policy.json", "not an absolute path");
	refused("", "not an absolute path");
	refused("/run/", "not an absolute path");
	ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(no_file_descriptor_is_left_open)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	int before = dup(0), after;
	size_t length;

	close(before);
	ck_assert_int_eq(ces_policy_read(file, &bytes, &length, NULL), 0);
	ck_assert_int_eq(chmod(dir, 0777), 0);
	refused(file, "writable by others");
	after = dup(0);
	close(after);
	ck_assert_int_eq(before, after);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("read");
	bool ordinary = geteuid() != 0;
	int result;

	snprintf(base, sizeof(base), "/run/ces-test-XXXXXX");
	if ((ordinary && !become_root()) || mkdtemp(base) == NULL || chmod(base, 0755) != 0)
		base[0] = '\0';
	tcase_add_checked_fixture(tests, make_tree, NULL);
	tcase_add_test(tests, a_file_of_root_is_read_whole);
	tcase_add_test(tests, a_file_of_another_owner_is_refused);
	tcase_add_test(tests, a_file_that_its_group_may_write_is_refused);
	tcase_add_test(tests, a_file_that_all_may_write_is_refused);
	tcase_add_test(tests, a_symlink_in_the_files_place_is_refused);
	tcase_add_test(tests, a_symlink_on_the_way_is_refused);
	tcase_add_test(tests, a_fifo_is_refused_without_waiting_for_a_writer);
	tcase_add_test(tests, a_directory_is_refused);
	tcase_add_test(tests, a_device_is_refused);
	tcase_add_test(tests, a_second_hard_link_is_refused);
	tcase_add_test(tests, a_directory_of_another_owner_is_refused);
	tcase_add_test(tests, a_writable_directory_further_up_is_refused);
	tcase_add_test(tests, a_sticky_bit_is_no_excuse);
	tcase_add_test(tests, a_missing_file_is_refused);
	tcase_add_test(tests, a_file_above_4_MiB_is_refused);
	tcase_add_test(tests, a_relative_path_is_refused);
	tcase_add_test(tests, no_file_descriptor_is_left_open);
	result = run_suite("policy_read", tests);
	/* (a root of its own goes with the process) */
	return ordinary || base[0] == '\0' || remove_all() == 0 ? result : EXIT_FAILURE;
}
