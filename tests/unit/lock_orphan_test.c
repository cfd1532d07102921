/* Tests that a lock ends with the process that took it, whatever other process has the same file.
 */
/* links: helper/session/lock.c */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper/session/lock.h"
#include "tests/unit/directory.h"
#include "tests/unit/policy_fixture.h"

/* Starts a process that does nothing, with all fds of this one. */
static pid_t start_other(void)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		for (;;)
			(void)pause();
	return pid;
}

static void end(pid_t pid)
{
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

/* Starts a process that takes the lock on fd, and waits until it has it. */
static pid_t start_holder(int fd)
{
	int ends[2];
	pid_t pid;
	char byte;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct ces_lock lock;

		if (ces_lock_take(fd, 60, &lock) == 0 && write(ends[1], "", 1) == 1)
			for (;;)
				(void)pause();
		_exit(1);
	}
	close(ends[1]);
	ck_assert_int_eq(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	return pid;
}

static bool is_free(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	bool free = flock(fd, LOCK_EX | LOCK_NB) == 0;

	ck_assert(free || errno == EWOULDBLOCK);
	close(fd);
	return free;
}

/* A child of the process that took it is frozen, say, and cannot close its copies of the fds. */
static void check_orphan(int fd, const char *name)
{
	pid_t other = start_other(), holder = start_holder(fd);

	ck_assert(!is_free(directory, name));
	end(holder);
	ck_assert(is_free(directory, name));
	end(other);
}

START_TEST(the_lock_of_a_killed_process_is_free_while_another_has_its_file)
{
	int fd = openat(directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	check_orphan(fd, "lock");
	close(fd);
	ck_assert_int_eq(unlinkat(directory, "lock", 0), 0);
}
END_TEST

START_TEST(the_lock_of_a_directory_is_so_too)
{
	check_orphan(directory, ".");
}
END_TEST

START_TEST(a_lock_is_taken_once_and_given_back)
{
	struct ces_lock lock = CES_LOCK_NONE;

	ces_lock_release(&lock);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(ces_lock_take(directory, 60, &lock), 0);
		ck_assert(!is_free(directory, "."));
		ces_lock_release(&lock);
		ces_lock_release(&lock);
		ck_assert(is_free(directory, "."));
	}
	ck_assert_int_eq(ces_lock_take(-1, 60, &lock), -1);
}
END_TEST

START_TEST(a_lock_leaves_the_alarm_that_was_set_and_no_descriptor)
{
	struct ces_lock lock = CES_LOCK_NONE;
	int next = dup(0);

	close(next);
	(void)alarm(1000);
	ck_assert_int_eq(ces_lock_take(directory, 60, &lock), 0);
	ck_assert_uint_le(alarm(60), 60);
	ces_lock_release(&lock);
	ck_assert_uint_gt(alarm(0), 900);
	ck_assert_int_eq(dup(0), next);
	close(next);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("lock");

	tcase_add_checked_fixture(t, directory_begin, directory_end);
	tcase_add_test(t, the_lock_of_a_killed_process_is_free_while_another_has_its_file);
	tcase_add_test(t, the_lock_of_a_directory_is_so_too);
	tcase_add_test(t, a_lock_is_taken_once_and_given_back);
	tcase_add_test(t, a_lock_leaves_the_alarm_that_was_set_and_no_descriptor);
	return run_suite("lock", t);
}
