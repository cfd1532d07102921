/* Tests processes under the loaded system call filter: they do what programs do, and try what they
 * must not do. */
/* links: helper/seccomp/policy.c helper/seccomp/compile.c */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <seccomp.h>

#include "tests/unit/seccomp.h"

#define HIGH 0x100000000u /* a bit that the kernel ignores in an int */

static struct sock_fprog program;

static void setup(void)
{
	size_t length;
	char *bytes = program_of(ces_seccomp_compile, &length);

	program.filter = (struct sock_filter *)(void *)bytes;
	program.len = (unsigned short)(length / sizeof(struct sock_filter));
}

static void teardown(void)
{
	free(program.filter);
}

#define SETUP_FAILED 250

static void load(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		_exit(SETUP_FAILED);
}

/* Runs a function under the filter. Returns 0, or what the function returned (an errno). */
static int under_filter(int (*work)(const void *), const void *argument)
{
	int status;
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (child == 0) {
		load();
		_exit(work(argument));
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status), "killed by signal %d", WTERMSIG(status));
	ck_assert_int_ne(WEXITSTATUS(status), SETUP_FAILED);
	return WEXITSTATUS(status);
}

static int call_with_bad_pointers(const void *argument)
{
	long bad = -1;

	return syscall(*(const int *)argument, bad, bad, bad, bad, bad, bad) < 0 ? errno : 0;
}

START_TEST(the_kernel_refuses_every_dangerous_call)
{
	for (size_t i = 0; i < CES_COUNT(refused); i++) {
		int number = seccomp_syscall_resolve_name(refused[i]);

		if (number >= 0)
			ck_assert_msg(under_filter(call_with_bad_pointers, &number) == EPERM, "%s",
				      refused[i]);
	}
}
END_TEST

struct attempt {
	const char *name;
	int expected;
	long number, args[3];
};
static const struct attempt attempts[] = {
    {"clone with a user namespace", EPERM, SYS_clone, {CLONE_NEWUSER | SIGCHLD, 0, 0}},
    {"clone3", ENOSYS, SYS_clone3, {0, 0, 0}},
    {"a call of the future", ENOSYS, 500, {0, 0, 0}},
    {"TIOCSTI", EPERM, SYS_ioctl, {0, TIOCSTI, 0}},
    {"TIOCSTI with a high bit", EPERM, SYS_ioctl, {0, (long)(HIGH | TIOCSTI), 0}},
    {"TIOCLINUX", EPERM, SYS_ioctl, {0, TIOCLINUX, 0}},
    {"AF_ALG", EPERM, SYS_socket, {AF_ALG, SOCK_SEQPACKET, 0}},
    {"AF_VSOCK", EPERM, SYS_socket, {AF_VSOCK, SOCK_STREAM, 0}},
    {"AF_PACKET", EPERM, SYS_socket, {AF_PACKET, SOCK_DGRAM, 0}},
    {"AF_KEY", EPERM, SYS_socket, {AF_KEY, SOCK_RAW, 2}},
    {"AF_RXRPC", EPERM, SYS_socket, {AF_RXRPC, SOCK_DGRAM, 0}},
    {"AF_XDP", EPERM, SYS_socket, {44, SOCK_RAW, 0}},
    {"AF_BLUETOOTH", EPERM, SYS_socket, {AF_BLUETOOTH, SOCK_RAW, 0}},
    {"a raw socket", EPERM, SYS_socket, {AF_INET, SOCK_RAW, 1}},
    {"netlink XFRM", EPERM, SYS_socket, {AF_NETLINK, SOCK_RAW, 6}},
    {"netlink audit", EPROTONOSUPPORT, SYS_socket, {AF_NETLINK, SOCK_RAW, 9}},
    {"netlink nf_tables", EPERM, SYS_socket, {AF_NETLINK, SOCK_RAW, 12}},
    {"personality READ_IMPLIES_EXEC", EPERM, SYS_personality, {0x0400000, 0, 0}},
    {"chroot to /", EPERM, SYS_chroot, {(long)"/", 0, 0}},
    {"unshare of nothing", EPERM, SYS_unshare, {0, 0, 0}},
};

static int try_attempt(const void *argument)
{
	const struct attempt *a = argument;

	return syscall(a->number, a->args[0], a->args[1], a->args[2]) < 0 ? errno : 0;
}

START_TEST(an_attack_gets_its_errno)
{
	int got = under_filter(try_attempt, &attempts[_i]);

	ck_assert_msg(got == attempts[_i].expected, "%s: %s", attempts[_i].name, strerror(got));
}
END_TEST

static int result(bool good)
{
	return good ? 0 : errno == 0 ? EIO : errno;
}

static int run_program(const void *unused)
{
	char *const argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
			      (char *)(uintptr_t) "ls / | cat >/dev/null", NULL};
	char *const envp[] = {(char *)(uintptr_t) "PATH=/usr/bin:/bin", NULL};
	int status = -1;
	pid_t child = fork();

	(void)unused;
	if (child == 0) {
		execve("/bin/sh", argv, envp);
		_exit(127);
	}
	return result(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

static void *thread_main(void *argument)
{
	*(int *)argument = 1;
	return NULL;
}

static int run_thread(const void *unused)
{
	pthread_t thread;
	int ran = 0;

	(void)unused;
	errno = pthread_create(&thread, NULL, thread_main, &ran);
	if (errno != 0)
		return errno;
	return result(pthread_join(thread, NULL) == 0 && ran == 1);
}

static int use_sockets(const void *unused)
{
	struct sockaddr_storage address = {.ss_family = AF_INET};
	struct pollfd ready;
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int udp = socket(AF_INET, SOCK_DGRAM, 0);
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
	int pair[2];

	(void)unused;
	if (tcp < 0 || udp < 0 || netlink < 0 || socket(AF_UNIX, SOCK_STREAM, 0) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return errno;
	if (bind(tcp, (void *)&address, 16) < 0 || listen(tcp, 1) < 0 ||
	    write(pair[0], "x", 1) != 1)
		return errno;
	ready = (struct pollfd){.fd = pair[1], .events = POLLIN};
	return result(poll(&ready, 1, 1000) == 1);
}

static int use_files(const void *unused)
{
	uint64_t how[3] = {O_RDONLY, 0, 0};
	struct statx found;
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, "/", how, sizeof(how));

	(void)unused;
	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &found) < 0)
		return errno;
	return result(syscall(SYS_faccessat2, AT_FDCWD, "/", R_OK, 0) == 0 &&
		      fcntl(fd, F_GETFD) >= 0 && close_range(1000, 2000, 0) == 0);
}

static int use_memory(const void *unused)
{
	int fd = memfd_create("x", MFD_CLOEXEC);
	void *page;

	(void)unused;
	if (fd < 0 || ftruncate(fd, 4096) < 0)
		return errno;
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return errno;
	return result(mprotect(page, 4096, PROT_READ) == 0 &&
		      madvise(page, 4096, MADV_WILLNEED) == 0 && munmap(page, 4096) == 0);
}

static int make_fifo(const void *unused)
{
	char name[] = "/tmp/ces-fifo-XXXXXX";
	int failed;

	(void)unused;
	if (mkdtemp(name) == NULL || chdir(name) < 0)
		return errno;
	failed = mkfifo("fifo", 0600) == 0 ? 0 : errno;
	(void)unlink("fifo");
	(void)rmdir(name);
	return failed;
}

static int ask_terminal(const void *unused)
{
	int pending, pipe_fds[2];

	(void)unused;
	if (pipe(pipe_fds) < 0)
		return errno;
	return result(ioctl(pipe_fds[0], FIONREAD, &pending) == 0 && pending == 0 &&
		      ioctl(pipe_fds[0], TCGETS, &pending) < 0 && errno == ENOTTY);
}

static const struct {
	const char *name;
	int (*work)(const void *);
} ordinary[] = {
    {"fork, execve and a pipe", run_program}, {"a thread", run_thread},
    {"sockets and poll", use_sockets},        {"openat2, statx, faccessat2", use_files},
    {"memfd, mmap, mprotect", use_memory},    {"a FIFO", make_fifo},
    {"terminal questions", ask_terminal},
};

START_TEST(ordinary_programs_work_under_the_filter)
{
	int got = under_filter(ordinary[_i].work, NULL);

	ck_assert_msg(got == 0, "%s: %s", ordinary[_i].name, strerror(got));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("seccomp_load");
	TCase *loaded = tcase_create("loaded");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_unchecked_fixture(loaded, setup, teardown);
	tcase_set_timeout(loaded, 60);
	tcase_add_test(loaded, the_kernel_refuses_every_dangerous_call);
	tcase_add_loop_test(loaded, an_attack_gets_its_errno, 0, CES_COUNT(attempts));
	tcase_add_loop_test(loaded, ordinary_programs_work_under_the_filter, 0,
			    CES_COUNT(ordinary));
	suite_add_tcase(suite, loaded);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
