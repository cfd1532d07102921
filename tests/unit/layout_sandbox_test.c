/* Tests what code that has taken over ces-layout can still do: read one directory. */
/* links: helper/layout/sandbox.c helper/resolve/sandbox.c helper/fetch/sandbox.c helper/fetch/readable.c */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/layout/sandbox.h"
#include "tests/unit/directory.h"

#define NOBODY 65534

static bool landlock;

static void setup(void)
{
	landlock =
	    syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
	directory_begin();
	ck_assert_int_eq(chmod(directory_path, 0755), 0);
	close(openat(directory, "file", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
}

static void teardown(void)
{
	ck_assert_int_eq(unlinkat(directory, "file", 0), 0);
	directory_end();
}

static void open_outside(void)
{
	struct open_how how = {.flags = O_RDONLY};

	/* Landlock refuses it; a kernel without Landlock lets it read what everybody may */
	if (landlock && (syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", &how, sizeof(how)) >= 0 ||
			 errno != EACCES))
		syscall(SYS_exit_group, 97);
}
static void open_below(void)
{
	struct open_how how = {.flags = O_RDONLY};

	if (syscall(SYS_openat2, directory, "file", &how, sizeof(how)) < 0)
		syscall(SYS_exit_group, 97);
}
static void write_below(void)
{
	struct open_how how = {.flags = O_WRONLY};

	if (syscall(SYS_openat2, directory, "file", &how, sizeof(how)) >= 0)
		syscall(SYS_exit_group, 97);
}
static void make_socket(void)
{
	(void)!socket(AF_INET, SOCK_STREAM, 0);
}
static void execute(void)
{
	(void)!execl("/bin/true", "true", (char *)NULL);
}
static void start_process(void)
{
	(void)!fork();
}

static const struct {
	void (*act)(void);
	int signal; /* that ends it; 0: it may */
} acts[] = {{open_outside, 0},     {open_below, 0},   {write_below, 0},
	    {make_socket, SIGSYS}, {execute, SIGSYS}, {start_process, SIGSYS}};

START_TEST(a_caged_process_reads_below_the_directory_and_does_nothing_else)
{
	pid_t pid = fork();
	struct ces_error err;
	int status = -1;

	if (pid == 0) {
		if (geteuid() == 0 &&
		    (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
		     setresuid(NOBODY, NOBODY, NOBODY) < 0))
			syscall(SYS_exit_group, 99);
		/* as CES starts a worker */
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    ces_layout_confine(directory, &err) < 0)
			syscall(SYS_exit_group, 98);
		acts[_i].act();
		syscall(SYS_exit_group, 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, acts[_i].signal);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("layout_sandbox");
	TCase *tests = tcase_create("layout_sandbox");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
#ifndef __SANITIZE_ADDRESS__ /* a sanitizer makes system calls of its own */
	tcase_add_loop_test(tests, a_caged_process_reads_below_the_directory_and_does_nothing_else,
			    0, CES_COUNT(acts));
#else
	(void)a_caged_process_reads_below_the_directory_and_does_nothing_else;
#endif
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
