/* Tests records on disk: each is whole or is not there, whatever happens while it is written, and
 * what is no record is not taken for one. */
/* links: helper/session/object.c helper/core/beneath.c helper/clean/tree.c */
#include "helper/session/object.h"

#include <check.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/record.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/session_scene.h"

#define NAME "0123456789"

static struct ces_error err;

/* The order of the steps that the disk sees, and the one that fails. */
static char steps[64];
static int fail;

static bool step(char name)
{
	size_t n = strlen(steps);

	steps[n] = name;
	steps[n + 1] = '\0';
	errno = ENOSPC;
	return fail == name;
}

ssize_t write(int fd, const void *bytes, size_t n)
{
	if (fd > STDERR_FILENO && step('w')) /* half of it */
		return n > 1 ? syscall(SYS_write, fd, bytes, n / 2) : -1;
	return syscall(SYS_write, fd, bytes, n);
}

int fdatasync(int fd)
{
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	return step('s') ? -1 : 0;
}

int renameat(int from, const char *old, int to, const char *new)
{
	struct stat st;

	ck_assert_str_eq(new, NAME);
	ck_assert_int_eq(fstatat(from, old, &st, AT_SYMLINK_NOFOLLOW), 0);
	ck_assert_int_eq(st.st_mode, S_IFREG | 0600);
	return step('r') ? -1 : (int)syscall(SYS_renameat, from, old, to, new);
}

static void tear_down(void)
{
	ck_assert_int_eq(ces_tree_empty(directory), 0);
	directory_end();
}

static struct ces_run_record record_of(const char *image)
{
	return (struct ces_run_record){.run = (char *)NAME,
				       .uid = 1000,
				       .image = (char *)(uintptr_t)image,
				       .started = UINT64_MAX};
}

static int write_record(const char *image)
{
	struct ces_run_record record = record_of(image);

	steps[0] = '\0';
	return ces_object_write(directory, NAME, &ces_run_record_schema, &record, NULL, &err);
}

/* Checks what the file is; NULL: there is none. */
static void is(const char *image)
{
	struct ces_run_record record;
	int result = ces_object_read(directory, NAME, &ces_run_record_schema, &record, &err);

	if (image == NULL) {
		ck_assert_int_eq(result, -1);
		ck_assert_int_eq(err.code, CES_E_NOTFOUND);
		return;
	}
	ck_assert_int_eq(result, 0);
	ck_assert_str_eq(record.image, image);
	ck_assert_str_eq(record.run, NAME);
	ck_assert_uint_eq(record.started, UINT64_MAX);
	ces_wire_free(&ces_run_record_schema, &record);
}

START_TEST(a_record_is_written_reaches_the_disk_and_gets_its_name_in_this_order)
{
	size_t fds = open_fds();

	is(NULL);
	ck_assert_int_eq(write_record("one"), 0);
	ck_assert_str_eq(steps, "wsr");
	is("one");
	ck_assert_int_eq(write_record("two"), 0);
	is("two");
	ck_assert_uint_eq(open_fds(), fds);
}
END_TEST

START_TEST(the_rest_of_a_process_that_died_is_no_part_of_a_record)
{
	char name[64], rest[4096] = {0};
	int fd;

	(void)snprintf(name, sizeof(name), NAME ".%d", (int)getpid());
	fd = openat(directory, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_eq(syscall(SYS_write, fd, rest, sizeof(rest)), sizeof(rest));
	close(fd);
	ck_assert_int_eq(write_record("one"), 0);
	is("one");
}
END_TEST

static size_t names(void)
{
	CES_CLEANUP_DIR DIR *dir = opendir(directory_path);
	size_t n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir) != NULL)
		n++;
	return n - 2;
}

static const char kinds[] = "wsr";

START_TEST(a_record_that_cannot_be_written_leaves_the_one_before)
{
	size_t fds = open_fds();

	ck_assert_int_eq(write_record("one"), 0);
	fail = kinds[_i];
	ck_assert_int_eq(write_record("two"), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_int_eq(err.sys, ENOSPC);
	ck_assert_int_eq(steps[strlen(steps) - 1], kinds[_i]); /* nothing after it */
	ck_assert_uint_eq(open_fds(), fds);
	is("one");
	ck_assert_uint_eq(names(), 1); /* nothing else is left */
	fail = 0;
	ck_assert_int_eq(write_record("three"), 0);
	is("three");
}
END_TEST

START_TEST(the_function_that_gets_the_file_syncs_it)
{
	struct ces_run_record record = record_of("one");
	struct stat st, named;
	int fd = -1;

	ck_assert_int_eq(
	    ces_object_write(directory, NAME, &ces_run_record_schema, &record, &fd, &err), 0);
	ck_assert_str_eq(steps, "wr");
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(fstatat(directory, NAME, &named, 0), 0);
	ck_assert_uint_eq(st.st_ino, named.st_ino);
	close(fd);
	fd = -7;
	fail = 'r';
	ck_assert_int_eq(
	    ces_object_write(directory, NAME, &ces_run_record_schema, &record, &fd, &err), -1);
	ck_assert_int_eq(fd, -7);
}
END_TEST

START_TEST(what_is_no_record_is_not_written)
{
	struct ces_run_record record = record_of("one\n");
	char longer[514];

	ck_assert_int_eq(
	    ces_object_write(directory, NAME, &ces_run_record_schema, &record, NULL, &err), -1);
	memset(longer, 'a', 513);
	longer[513] = '\0';
	ck_assert_int_eq(write_record(longer), -1);
	record.run = NULL;
	ck_assert_int_eq(
	    ces_object_write(directory, NAME, &ces_run_record_schema, &record, NULL, &err), -1);
	ck_assert_str_eq(steps, "");
	is(NULL);
	longer[512] = '\0';
	ck_assert_int_eq(write_record(longer), 0);
	is(longer);
}
END_TEST

/* Returns the fd of the file, with its content. */
static void put(const void *bytes, size_t n)
{
	CES_CLEANUP_FD int fd =
	    openat(directory, NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_eq(syscall(SYS_write, fd, bytes, n), (long)n);
}

static void is_damaged(enum ces_code code)
{
	struct ces_run_record record = {.run = (char *)"untouched"};
	size_t fds = open_fds();

	ck_assert_int_eq(ces_object_read(directory, NAME, &ces_run_record_schema, &record, &err),
			 -1);
	ck_assert_int_eq(err.code, code);
	ck_assert_str_eq(record.run, "untouched");
	ck_assert_uint_eq(open_fds(), fds);
}

START_TEST(a_record_that_is_torn_longer_or_changed_is_damaged)
{
	struct ces_run_record record = record_of("one");
	CES_CLEANUP_FREE uint8_t *frame = NULL;
	uint8_t longer[4096] = {0};
	size_t length;

	ck_assert_int_eq(ces_wire_encode(&ces_run_record_schema, &record, &frame, &length, &err),
			 0);
	for (size_t n = 0; n < length; n++) {
		put(frame, n);
		is_damaged(CES_E_INTERNAL);
	}
	memcpy(longer, frame, length);
	for (size_t n = length + 1; n < length + 20; n++) {
		put(longer, n);
		is_damaged(CES_E_INTERNAL);
	}
	for (size_t i = 0; i < CES_WIRE_HEADER; i++) { /* magic, type, length */
		memcpy(longer, frame, length);
		longer[i] ^= 0x80;
		put(longer, length);
		is_damaged(CES_E_INTERNAL);
	}
	memset(longer, 0, sizeof(longer)); /* a power cut leaves zeros */
	put(longer, length);
	is_damaged(CES_E_INTERNAL);
	put(frame, length);
	is("one");
}
END_TEST

START_TEST(a_record_of_another_kind_is_damaged)
{
	struct ces_grant grant = {.reference = (char *)"r",
				  .user = (char *)"u",
				  .top_digest = (char *)D1,
				  .digest = (char *)D1,
				  .pulled = 1};

	ck_assert_int_eq(ces_object_write(directory, NAME, &ces_grant_schema, &grant, NULL, &err),
			 0);
	is_damaged(CES_E_INTERNAL);
}
END_TEST

START_TEST(what_cannot_be_read_now_is_not_called_damaged_or_absent)
{
	static char big[CES_WIRE_RECORD_MAX + 1];

	ck_assert_int_eq(mkdirat(directory, NAME, 0700), 0);
	is_damaged(CES_E_HOST);
	ck_assert_int_eq(unlinkat(directory, NAME, AT_REMOVEDIR), 0);
	ck_assert_int_eq(symlinkat("other", directory, NAME), 0);
	is_damaged(CES_E_HOST);
	ck_assert_int_eq(unlinkat(directory, NAME, 0), 0);
	put(big, sizeof(big));
	is_damaged(CES_E_HOST);
	put(big, sizeof(big) - 1);
	is_damaged(CES_E_INTERNAL);
}
END_TEST

START_TEST(no_fd_for_it_is_no_absence)
{
	struct rlimit none = {3, 3};
	pid_t pid;
	int status;

	ck_assert_int_eq(write_record("one"), 0);
	pid = fork();
	if (pid == 0) {
		struct ces_run_record record;

		while (dup(directory) >= 0 && setrlimit(RLIMIT_NOFILE, &none) == 0)
			;
		if (ces_object_read(directory, NAME, &ces_run_record_schema, &record, &err) == 0)
			_exit(1);
		_exit(err.code == CES_E_HOST ? 0 : 2);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(two_writers_at_once_leave_one_whole_record)
{
	char text[512];
	int status;

	for (int i = 0; i < 4; i++)
		if (fork() == 0) {
			memset(text, 'a' + i, sizeof(text) - 1);
			text[511 - i * 100] = '\0';
			for (int j = 0; j < 100; j++)
				if (write_record(text) < 0)
					_exit(1);
			_exit(0);
		}
	for (int i = 0; i < 200; i++) {
		struct ces_run_record record;

		if (ces_object_read(directory, NAME, &ces_run_record_schema, &record, &err) < 0) {
			ck_assert_int_eq(err.code, CES_E_NOTFOUND);
			continue;
		}
		ck_assert_uint_eq(strlen(record.image),
				  511 - 100 * (size_t)(record.image[0] - 'a'));
		ces_wire_free(&ces_run_record_schema, &record);
	}
	while (wait(&status) > 0)
		ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(the_name_of_this_boot_is_the_kernels)
{
	char boot[CES_BOOT_LENGTH + 1], again[CES_BOOT_LENGTH + 1];
	CES_CLEANUP_FREE char *kernels = content("/proc/sys/kernel/random/boot_id");

	ck_assert_int_eq(ces_object_boot(boot, &err), 0);
	ck_assert_int_eq(ces_object_boot(again, &err), 0);
	ck_assert_uint_eq(strlen(boot), CES_BOOT_LENGTH);
	ck_assert_int_eq(strncmp(boot, kernels, CES_BOOT_LENGTH), 0);
	ck_assert_str_eq(boot, again);
}
END_TEST

/* (a run's tree has no /proc of the host's) */
START_TEST(without_it_nothing_is_made_up)
{
	char boot[CES_BOOT_LENGTH + 1] = "untouched";

	become(0);
	ck_assert_int_eq(mount("none", "/proc", "tmpfs", 0, NULL), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(ces_object_boot(boot, &err), -1);
		(void)mkdir("/proc/sys", 0700);
		(void)mkdir("/proc/sys/kernel", 0700);
		(void)mkdir("/proc/sys/kernel/random", 0700);
		write_text("/proc/sys/kernel/random/boot_id", "short\n");
	}
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_str_eq(boot, "untouched");
	ck_assert_int_eq(umount("/proc"), 0);
}
END_TEST

/* It goes with its files. Where there is more than files, somebody else has been there. */
START_TEST(a_directory_of_files_is_cleared_and_nothing_else)
{
	ck_assert_int_eq(mkdirat(directory, "d", 0700), 0);
	ck_assert_int_eq(mkdirat(directory, "other", 0700), 0);
	ck_assert_int_eq(mknodat(directory, "other/file", S_IFREG | 0600, 0), 0);
	ck_assert_int_eq(mknodat(directory, "d/record", S_IFREG | 0600, 0), 0);
	ck_assert_int_eq(mkfifoat(directory, "d/stop", 0600), 0);
	ck_assert_int_eq(symlinkat("../other", directory, "d/link"), 0);
	ck_assert_int_eq(symlinkat("other", directory, "to-other"), 0);
	if (_i == 1)
		ck_assert_int_eq(mkdirat(directory, "d/more", 0700), 0);
	ck_assert_int_eq(ces_object_clear(directory, "d"), -_i);
	ck_assert_int_eq(faccessat(directory, "d", F_OK, 0), _i == 1 ? 0 : -1);
	ck_assert_int_eq(ces_object_clear(directory, "to-other"), -1);
	ck_assert_int_eq(ces_object_clear(directory, "other/file"), -1);
	ck_assert_int_eq(ces_object_clear(directory, "none"), -1);
	ck_assert_int_eq(faccessat(directory, "other/file", F_OK, 0), 0);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("object");

	tcase_add_checked_fixture(t, directory_begin, tear_down);
	tcase_add_test(t, a_record_is_written_reaches_the_disk_and_gets_its_name_in_this_order);
	tcase_add_test(t, the_rest_of_a_process_that_died_is_no_part_of_a_record);
	tcase_add_loop_test(t, a_record_that_cannot_be_written_leaves_the_one_before, 0, 3);
	tcase_add_test(t, the_function_that_gets_the_file_syncs_it);
	tcase_add_test(t, what_is_no_record_is_not_written);
	tcase_add_test(t, a_record_that_is_torn_longer_or_changed_is_damaged);
	tcase_add_test(t, a_record_of_another_kind_is_damaged);
	tcase_add_test(t, what_cannot_be_read_now_is_not_called_damaged_or_absent);
	tcase_add_test(t, no_fd_for_it_is_no_absence);
	tcase_add_test(t, two_writers_at_once_leave_one_whole_record);
	tcase_add_test(t, the_name_of_this_boot_is_the_kernels);
	tcase_add_test(t, without_it_nothing_is_made_up);
	tcase_add_loop_test(t, a_directory_of_files_is_cleared_and_nothing_else, 0, 2);
	return run_suite("object", t);
}
