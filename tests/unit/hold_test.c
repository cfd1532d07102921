/* Tests that a program is held at its first instruction, and then released. */
/* links: helper/audit/hold.c */
#include "helper/audit/hold.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"

#define MOST_MS 10000
#define THREADS 8

static char program[] = "/dev/shm/ces-hold-XXXXXX"; /* not below /usr: it is held */
static struct ces_error err;

/* Counts the threads that are released. The victim dies before its last thread is. */
static pid_t victim;
static int let_go;

long ptrace(enum __ptrace_request request, ...)
{
	va_list rest;
	long result;
	pid_t pid;
	void *address, *data;

	va_start(rest, request);
	pid = va_arg(rest, pid_t);
	address = va_arg(rest, void *);
	data = va_arg(rest, void *);
	va_end(rest);
	if (request == PTRACE_DETACH && ++let_go == 2 + THREADS && victim > 0) {
		ck_assert_int_ne(pid, victim);
		(void)kill(victim, SIGKILL);
		usleep(100000);
		victim = 0;
	}
	result = syscall(SYS_ptrace, request, pid, address, data);
	if (request == PTRACE_INTERRUPT && pid == victim)
		usleep(100000); /* (it stops first) */
	return result;
}

/* Makes a program on another mount than /usr, like an image's program. */
static void make_program(void)
{
	CES_CLEANUP_FD int from = open("/bin/sleep", O_RDONLY | O_CLOEXEC);
	CES_CLEANUP_FD int to = mkostemp(program, O_CLOEXEC);
	struct stat st;

	ck_assert_int_ge(to, 0);
	ck_assert_int_eq(fstat(from, &st), 0);
	ck_assert_int_eq(sendfile(to, from, NULL, (size_t)st.st_size), st.st_size);
	ck_assert_int_eq(fchmod(to, 0755), 0);
}

static void remove_program(void)
{
	(void)unlink(program);
}

static void *idle(void *unused)
{
	while (pause() != 0)
		;
	return unused;
}

static void *leave(void *unused)
{
	return unused;
}

/* Starts one new thread after another, like runc's garbage collector. */
static void *make_threads(void *unused)
{
	pthread_t thread;

	while (pthread_create(&thread, NULL, leave, NULL) == 0)
		(void)pthread_join(thread, NULL);
	return unused;
}

/* Plays the runtime: it has threads of its own, as runc has, and a child that becomes the program.
 */
static void be_the_runtime(int gate, void *(*work)(void *))
{
	pthread_t thread;
	char byte;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)!read(gate, &byte, 1);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, work, NULL) != 0)
			_exit(1);
	if (fork() == 0) {
		execl(program, "sleep", "600", NULL);
		_exit(1);
	}
	(void)idle(NULL);
}

static pid_t start(struct ces_hold *hold, void *(*work)(void *))
{
	struct ces_container container = {0};
	int gate[2];
	pid_t pid;

	ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0)
		be_the_runtime(gate[0], work);
	container.process.pid = pid;
	ck_assert_int_eq(ces_hold_begin(&container, hold, &err), 0);
	ck_assert_int_eq(write(gate[1], "x", 1), 1);
	close(gate[0]);
	close(gate[1]);
	ck_assert_int_eq(ces_hold_wait(hold, "/none", ces_now_ms() + MOST_MS, &err), 0);
	ck_assert_int_gt(hold->held, 0);
	return pid;
}

/* Returns whether its end can be taken: the kernel refuses that while one of its threads is traced
 * and not waited for. */
static bool ends(pid_t pid)
{
	siginfo_t info = {0};

	for (int64_t until = ces_now_ms() + MOST_MS; info.si_pid == 0 && ces_now_ms() < until;
	     usleep(10000))
		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) < 0)
			return false;
	return info.si_pid == pid;
}

START_TEST(a_program_is_held_and_let_go_with_the_runtime)
{
	struct ces_hold hold = {0};
	pid_t runtime = start(&hold, idle), held = hold.held;

	ck_assert_int_eq(ces_hold_release(&hold, ces_now_ms() + MOST_MS, &err), 0);
	ck_assert_uint_eq(hold.n, 0);
	ces_hold_end(&hold, ces_now_ms() + MOST_MS);
	ck_assert_int_eq(kill(held, SIGKILL), 0);
	ck_assert_int_eq(kill(runtime, SIGKILL), 0);
	ck_assert(ends(runtime));
}
END_TEST

/* It dies after its last thread has stopped and before that thread is released. */
START_TEST(a_runtime_that_dies_while_it_is_let_go_is_seen_to_end)
{
	struct ces_hold hold = {0};
	pid_t runtime = start(&hold, idle), held = hold.held;

	victim = runtime;
	(void)ces_hold_release(&hold, ces_now_ms() + MOST_MS, &err);
	ck_assert_int_eq(victim, 0);
	ces_hold_end(&hold, ces_now_ms() + MOST_MS);
	(void)kill(held, SIGKILL);
	ck_assert(ends(runtime));
}
END_TEST

/* A tracer may see the stop of a new thread before the event that announces it. */
START_TEST(threads_that_come_while_the_runtime_is_let_go_are_let_go)
{
	struct ces_hold hold = {0};
	pid_t runtime = start(&hold, make_threads), held = hold.held;

	ck_assert_msg(ces_hold_release(&hold, ces_now_ms() + MOST_MS, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(hold.n, 0);
	ces_hold_end(&hold, ces_now_ms() + MOST_MS);
	ck_assert_int_eq(kill(held, SIGKILL), 0);
	ck_assert_int_eq(kill(runtime, SIGKILL), 0);
	ck_assert(ends(runtime));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hold");
	TCase *tests = tcase_create("hold");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, make_program, remove_program);
	tcase_add_test(tests, a_program_is_held_and_let_go_with_the_runtime);
	tcase_add_test(tests, a_runtime_that_dies_while_it_is_let_go_is_seen_to_end);
	tcase_add_loop_test(tests, threads_that_come_while_the_runtime_is_let_go_are_let_go, 0, 20);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
