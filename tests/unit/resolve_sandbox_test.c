/* Tests the cage of ces-resolve from inside: what a ces-resolve that was taken over can still do.
 * Each case is a child of another user, because ces-resolve refuses to be root. */
/* links: helper/resolve/sandbox.c helper/fetch/sandbox.c helper/fetch/readable.c helper/fetch/address.c */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper/resolve/sandbox.h"

#define NOBODY 65534

static void become_nobody(void)
{
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
			       setresuid(NOBODY, NOBODY, NOBODY) < 0))
		syscall(SYS_exit_group, 99);
}

/* Returns the wait status of a child that does this in the cage. */
static __attribute__((unused)) int caged(void (*act)(void))
{
	pid_t pid = fork();
	struct ces_error err;
	int status = -1;

	if (pid == 0) {
		become_nobody();
		if (ces_resolve_confine(NULL, 0, &err) < 0)
			syscall(SYS_exit_group, 98);
		act();
		syscall(SYS_exit_group, 0);
	}
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void open_file(void)
{
	(void)!open("/etc/passwd", O_RDONLY);
}
static void stat_file(void)
{
	struct stat st;
	(void)!stat("/etc/passwd", &st);
}
static void make_socket(void)
{
	(void)!socket(AF_INET, SOCK_STREAM, 0);
}
static void make_unix_socket(void)
{
	(void)!socket(AF_UNIX, SOCK_STREAM, 0);
}
static void connect_out(void)
{
	(void)!connect(0, NULL, 0);
}
static void send_to(void)
{
	(void)!sendto(0, "x", 1, 0, NULL, 0);
}
static void start_program(void)
{
	(void)!syscall(SYS_execve, "/bin/true", NULL, NULL);
}
static void make_process(void)
{
	(void)!syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}
static void kill_others(void)
{
	(void)!kill(-1, SIGKILL);
}
static void trace(void)
{
	(void)!ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}
static void make_file(void)
{
	(void)!mkdirat(AT_FDCWD, "x", 0700);
}
static void be_another(void)
{
	(void)!setuid(0);
}
static void make_memory_executable(void)
{
	(void)!mprotect(NULL, 4096, PROT_READ | PROT_EXEC);
}
static void map_executable(void)
{
	(void)!mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static void duplicate(void)
{
	(void)!fcntl(0, F_DUPFD, 10);
}
static void control_device(void)
{
	(void)!syscall(SYS_ioctl, 0, 0x5401, NULL);
}

static void (*const deadly[])(void) = {open_file,
				       stat_file,
				       make_socket,
				       make_unix_socket,
				       connect_out,
				       send_to,
				       start_program,
				       make_process,
				       kill_others,
				       trace,
				       make_file,
				       be_another,
				       make_memory_executable,
				       map_executable,
				       duplicate,
				       control_device};

#ifndef __SANITIZE_ADDRESS__
START_TEST(any_other_call_ends_the_process)
{
	int status = caged(deadly[_i]);

	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "case %d: status %x", _i,
		      (unsigned)status);
}
END_TEST

static void work_of_its_own(void)
{
	struct pollfd fd;
	int ends[2];
	char byte = 'x';
	void *memory = malloc(4u << 20);

	if (memory == NULL || pipe2(ends, O_CLOEXEC) < 0 || write(ends[1], &byte, 1) != 1)
		syscall(SYS_exit_group, 1);
	fd = (struct pollfd){.fd = ends[0], .events = POLLIN};
	if (poll(&fd, 1, 1000) != 1 || read(ends[0], &byte, 1) != 1)
		syscall(SYS_exit_group, 2);
	free(memory);
	close(ends[0]);
}

START_TEST(pipes_and_memory_are_left)
{
	int status = caged(work_of_its_own);

	ck_assert_int_eq(status, 0);
}
END_TEST
#endif

START_TEST(root_is_refused)
{
	pid_t pid;
	int status = -1;
	struct ces_error err;

	if (geteuid() != 0)
		return;
	pid = fork();
	if (pid == 0)
		syscall(SYS_exit_group, ces_resolve_confine(NULL, 0, &err) < 0 ? 0 : 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("resolve_sandbox");
	TCase *tests = tcase_create("cage");
	SRunner *runner = srunner_create(suite);
	int failed;

#ifndef __SANITIZE_ADDRESS__
	tcase_add_loop_test(tests, any_other_call_ends_the_process, 0,
			    sizeof(deadly) / sizeof(deadly[0]));
	tcase_add_test(tests, pipes_and_memory_are_left);
#else
	(void)deadly;
#endif
	tcase_add_test(tests, root_is_refused);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
