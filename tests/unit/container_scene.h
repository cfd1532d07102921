/* The system calls of the process that becomes ces-inside, each noted as a step. The child is a
 * real one. */
#ifndef CES_TESTS_UNIT_CONTAINER_SCENE_H
#define CES_TESTS_UNIT_CONTAINER_SCENE_H

#include "helper/launch/container.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/paths.h"
#include "helper/inside/inside.h"
#include "helper/launch/config.h"
#include "helper/session/userns.h"
#include "tests/unit/directory.h"
#define PLAN_WITHOUT_MAP
#include "tests/unit/launch_plan.h"
#include "tests/unit/steps.h"

#define EXECUTED 42 /* the exit status of a child that would be ces-inside now */

static struct ces_cgroup cgroup = CES_CGROUP_NONE;
static struct ces_container container;
static bool child;     /* this process is it */
static bool stopped;   /* nothing answers */
static time_t skipped; /* seconds */
static bool orphan;    /* the test's process "dies" as soon as it has written the id map */

/* In the child Check's own descriptors are gone: what is wrong is a step more than expected. */
static void must(bool right, const char *what)
{
	if (!right)
		(void)step("wrong: %s", what);
}

static const char *at(int fd)
{
	return path_below(directory_path, fd);
}

/* (of helper/launch/config.c, which has suites of its own) */
int ces_config_order(const struct ces_plan *of, int *ret, struct ces_error *ret_err)
{
	ck_assert_ptr_eq(of, &plan);
	if (step("order"))
		return ces_error_errno(ret_err, CES_E_HOST, "order");
	*ret = openat(directory, "order", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return 0;
}

/* Forks, and returns in the parent when the child waits for its id map or has ended. */
int ces_process_clone(uint64_t flags, int dir, struct ces_process *ret)
{
	siginfo_t info = {0};

	if (step("clone %llx %s", (unsigned long long)flags, at(dir)))
		return -1;
	ret->pid = fork();
	child = ret->pid == 0;
	while (!child && steps_count("flags lo") == 0 && info.si_pid == 0) {
		usleep(1000);
		ck_assert_int_eq(waitid(P_PID, (id_t)ret->pid, &info, WEXITED | WNOHANG | WNOWAIT),
				 0);
	}
	return child ? 0 : 1;
}

void ces_process_arrange(const int *fds, size_t n_fds)
{
	int high[8];

	(void)step("arrange %zu", n_fds);
	/* (the test's directory stays, far away) */
	directory = fcntl(directory, F_DUPFD_CLOEXEC, 100);
	for (size_t i = 0; i < n_fds; i++)
		high[i] = fcntl(fds[i], F_DUPFD, 20);
	for (size_t i = 0; i < n_fds; i++)
		(void)dup2(high[i], 3 + (int)i);
	(void)close_range(3 + (unsigned)n_fds, 99, 0);
}

/* (waits, if this is the test for it, until the other end of the gate is closed) */
void ces_process_become(uid_t uid, gid_t gid)
{
	struct pollfd gate = {.fd = CES_INSIDE_GATE, .events = POLLIN};

	(void)step("become %u:%u", uid, gid);
	if (orphan)
		(void)poll(&gate, 1, 10000);
}

int ces_cgroup_join(const struct ces_cgroup *of)
{
	must(of == &cgroup, "cgroup");
	return step("join") ? -1 : 0;
}

int ces_idmap_write(pid_t pid, const struct ces_idmap *map, struct ces_error *ret_err)
{
	ck_assert_int_eq(pid, container.process.pid);
	ck_assert_ptr_eq(map, &plan.map);
	return step("map") ? ces_error_errno(ret_err, CES_E_HOST, "map") : 0;
}

/* (when the child has noted all that it will) */
int ces_process_namespace(const struct ces_process *process, const char *name, int *ret,
			  struct ces_error *ret_err)
{
	siginfo_t info = {0};

	ck_assert_ptr_eq(process, &container.process);
	while (info.si_pid == 0 && !(orphan && steps_count("become") > 0)) {
		usleep(1000);
		ck_assert_int_eq(
		    waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
	}
	if (step("namespace %s", name))
		return ces_error_errno(ret_err, CES_E_HOST, "namespace");
	*ret = fcntl(directory, F_DUPFD_CLOEXEC, 0);
	return 0;
}

/* (a test of a deadline does not wait for it: the time that nothing happens in is skipped) */
int poll(struct pollfd *fds, nfds_t n, int most_ms)
{
	const struct timespec most = {most_ms / 1000, most_ms % 1000 * 1000000l};
	const struct timespec *until = most_ms < 0 ? NULL : &most;
	int result = ppoll(fds, n, stopped ? &(const struct timespec){0, 0} : until, NULL);

	if (stopped && result == 0) {
		ck_assert_int_gt(most_ms, 10000);
		skipped += most_ms / 1000 + 1;
	}
	return result;
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
	long result = syscall(SYS_clock_gettime, clock, ret);

	ret->tv_sec += skipped;
	return (int)result;
}

int unshare(int flags)
{
	return step("unshare %x", flags) ? -1 : 0;
}

int socket(int domain, int type, int protocol)
{
	return step("socket %d %d %d", domain, type & ~SOCK_CLOEXEC, protocol)
		   ? -1
		   : open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int ioctl(int fd, unsigned long number, ...)
{
	const struct ifreq *flags;
	va_list rest;

	(void)fd;
	va_start(rest, number);
	flags = va_arg(rest, const struct ifreq *);
	va_end(rest);
	must(number == SIOCSIFFLAGS, "ioctl");
	return step("flags %s %x", flags->ifr_name, (unsigned)flags->ifr_flags) ? -1 : 0;
}

/* (and sends the byte of ces-inside) */
int execve(const char *path, char *const arguments[], char *const environment[])
{
	char text[1000];
	size_t used = 0;
	struct stat st;

	for (size_t i = 0; arguments[i] != NULL; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, " %s", arguments[i]);
	if (step("exec %s:%s", path, text))
		return -1;
	for (size_t i = 0; environment[i] != NULL; i++)
		(void)step("with %s", environment[i]);
	for (int fd = 0; fd < 10; fd++)
		(void)step("fd %d %d", fd, fcntl(fd, F_GETFD));
	if (fstat(0, &st) == 0)
		(void)step("stdin %s", S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)
					   ? "null"
					   : "as it was");
	must(write(CES_INSIDE_GATE, "", 1) == 1, "gate");
	_exit(EXECUTED);
}

#endif
