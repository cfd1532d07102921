/* The system calls of the process that becomes a container, each noted as a step. The child is a
 * real one, and its root is the test's directory. */
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
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/paths.h"
#include "helper/session/userns.h"
#include "tests/unit/directory.h"
#define PLAN_WITHOUT_MAP
#include "tests/unit/launch_plan.h"
#include "tests/unit/steps.h"

#define EXECUTED 42 /* the exit status of a child that would be the runtime now */

static struct ces_cgroup cgroup = CES_CGROUP_NONE;
static struct ces_container container;
static bool child;  /* this process is it */
static bool orphan; /* the test's process "dies" as soon as it has opened the gate */
static size_t synced;

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

/* Forks, and returns in the parent when the child is at the gate or has ended. */
int ces_process_clone(uint64_t flags, int dir, struct ces_process *ret)
{
	siginfo_t info = {0};

	if (step("clone %llx %s", (unsigned long long)flags, at(dir)))
		return -1;
	ret->pid = fork();
	child = ret->pid == 0;
	while (!child && steps_count("fdatasync kept") == 0 && info.si_pid == 0) {
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
	struct pollfd gate = {.fd = 3, .events = POLLIN};

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

int ces_process_namespace(const struct ces_process *process, const char *name, int *ret,
			  struct ces_error *ret_err)
{
	ck_assert_ptr_eq(process, &container.process);
	if (step("namespace %s", name))
		return ces_error_errno(ret_err, CES_E_HOST, "namespace");
	*ret = fcntl(directory, F_DUPFD_CLOEXEC, 0);
	return 0;
}

int ces_selinux_exec_runtime(const struct ces_selinux *selinux)
{
	must(selinux == &plan.selinux, "selinux");
	return step("context") ? -1 : 0;
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

int fdatasync(int fd)
{
	must(fd == 5 + (int)synced++, "fdatasync");
	return step("fdatasync %s", at(fd)) ? -1 : 0;
}

int chdir(const char *path)
{
	return child && step("chdir %s", path) ? -1 : 0;
}

int mount(const char *source, const char *target, const char *type, unsigned long flags,
	  const void *options)
{
	must(options == NULL, "options");
	return step("mount %s %s %s %lx", source, target, type, flags) ? -1 : 0;
}

int sethostname(const char *name, size_t length)
{
	return step("hostname %.*s", (int)length, name) ? -1 : 0;
}

int fchownat(int dir, const char *path, uid_t uid, gid_t gid, int flags)
{
	return step("chown %s/%s %s %x", at(dir), path,
		    uid == geteuid() && gid == getegid() ? "alike" : "otherwise", flags)
		   ? -1
		   : 0;
}

int fchmodat(int dir, const char *path, mode_t mode, int flags)
{
	(void)flags;
	return step("chmod %s/%s %o", at(dir), path, mode) ? -1 : 0;
}

/* The run's root is the test's directory. */
int open(const char *path, int flags, ...)
{
	static const char *const inside[] = {"/m", "/l/", "/proc/sys/"};
	va_list rest;
	mode_t mode;

	va_start(rest, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
	va_end(rest);

	for (size_t i = 0; i < CES_COUNT(inside) && child; i++)
		if (strncmp(path, inside[i], strlen(inside[i])) == 0) {
			if ((flags & O_ACCMODE) == O_WRONLY && step("open %s", path))
				return -1;
			return openat(directory, path + 1, flags);
		}
	return openat(AT_FDCWD, path, flags, mode);
}

ssize_t write(int fd, const void *bytes, size_t n)
{
	if (child && strncmp(at(fd), "proc/sys/", 9) == 0 &&
	    step("write %s %.*s", at(fd), (int)n, (const char *)bytes))
		return -1;
	return syscall(SYS_write, fd, bytes, n);
}

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
	_exit(EXECUTED);
}

#endif
