/* ces-inside as a child of the test's: its main() with an order of the test's, whose root is the
 * test's directory. Each of its system calls that acts is noted as a step. A suite begins before
 * main(), in a constructor. */
#ifndef CES_TESTS_UNIT_INSIDE_SCENE_H
#define CES_TESTS_UNIT_INSIDE_SCENE_H

#include "helper/inside/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/cleanup.h"
#include "helper/launch/config.h"
#include "tests/unit/directory.h"
#include "tests/unit/launch_plan.h"
#include "tests/unit/steps.h"

#define EXECUTED 42 /* the exit status of a child that would be the runtime now */

int main(void);

static pid_t pid;
static int gate, report; /* the test's ends */
static bool child;       /* this process is it */
static rlim_t file_size; /* its limit; 0: none */

static const char *at(int fd)
{
	return path_below(directory_path, fd);
}

/* (of helper/session/selinux.c) */
void ces_selinux_runtime_context(const struct ces_selinux *selinux, char ret[CES_SELINUX_CONTEXT])
{
	strcpy(ret, selinux->on ? "u:r:t:s0:c1,c2" : "");
}

int unshare(int flags)
{
	return step("unshare %x", flags) ? -1 : 0;
}

int chdir(const char *path)
{
	return step("chdir %s", path) ? -1 : 0;
}

int mount(const char *source, const char *target, const char *type, unsigned long flags,
	  const void *options)
{
	return step("mount %s %s %s %lx%s", source, target, type, flags, options ? " more" : "")
		   ? -1
		   : 0;
}

int sethostname(const char *name, size_t length)
{
	return step("hostname %.*s", (int)length, name) ? -1 : 0;
}

int fchmodat(int dir, const char *path, mode_t mode, int flags)
{
	(void)flags;
	return step("chmod %s/%s %o", at(dir), path, mode) ? -1 : 0;
}

/* The run's root is the test's directory, and so is the installation. */
int open(const char *path, int flags, ...)
{
	static const char *const inside[] = {
	    "/m", "/g", "/proc/sys/", "/proc/thread-self/", "/bundle/", CES_LIBEXECDIR "/"};
	va_list rest;
	mode_t mode;

	va_start(rest, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
	va_end(rest);
	for (size_t i = 0; i < CES_COUNT(inside) && child; i++)
		if (strncmp(path, inside[i], strlen(inside[i])) == 0) {
			if ((flags & O_ACCMODE) == O_WRONLY && step("open %s", path))
				return -1;
			path += i + 1 < CES_COUNT(inside) ? 1 : strlen(inside[i]);
			return openat(directory, path, flags, mode);
		}
	return openat(AT_FDCWD, path, flags, mode);
}

ssize_t write(int fd, const void *bytes, size_t n)
{
	if (child && strncmp(at(fd), "proc/", 5) == 0 &&
	    step("write %s %.*s", at(fd), (int)n, (const char *)bytes))
		return -1;
	return syscall(SYS_write, fd, bytes, n);
}

int execve(const char *path, char *const arguments[], char *const environment[])
{
	char text[1000];
	size_t used = 0;

	for (size_t i = 0; arguments[i] != NULL; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, " %s", arguments[i]);
	if (step("exec %s:%s", path, text))
		return -1;
	for (size_t i = 0; environment[i] != NULL; i++)
		(void)step("with %s", environment[i]);
	for (int fd = 0; fd < 10; fd++)
		(void)step("fd %d %d", fd, fcntl(fd, F_GETFD));
	(void)step("umask %o", umask(0));
	_exit(EXECUTED);
}

/* Becomes ces-inside with these three. */
static void become(const int fds[3])
{
	int high[3];

	child = true;
	if (file_size > 0) {
		(void)signal(SIGXFSZ, SIG_IGN);
		(void)setrlimit(RLIMIT_FSIZE, &(struct rlimit){file_size, file_size});
	}
	/* (the test's directory stays, far away) */
	directory = fcntl(directory, F_DUPFD_CLOEXEC, 100);
	for (int i = 0; i < 3; i++)
		high[i] = fcntl(fds[i], F_DUPFD, 20);
	for (int i = 0; i < 3; i++)
		(void)dup2(high[i], 3 + i);
	(void)close_range(6, 99, 0);
	_exit(main());
}

/* Starts it with the order of fd, which is closed. */
static void begin_with(int fd)
{
	int pair[2], ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) /* (no check in it: it has Check's own descriptors no more) */
		become((int[]){pair[1], ends[1], fd});
	ck_assert_int_gt(pid, 0);
	close(pair[1]);
	close(ends[1]);
	close(fd);
	gate = pair[0];
	report = ends[0];
}

static void begin(void)
{
	int fd;

	ck_assert_msg(ces_config_order(&plan, &fd, &err) == 0, "%s", err.text);
	begin_with(fd);
}

/* Waits until it says that it needs nothing of the host's tree. False: it has ended. */
static bool is_at_gate(void)
{
	char byte;

	return read(gate, &byte, 1) == 1;
}

static void release(void)
{
	ck_assert_int_eq(write(gate, "", 1), 1);
}

/* Waits for its end. */
static int end(void)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* The step that it reported; -1: none. *ret_number: its errno. */
static int reported(int *ret_number)
{
	struct ces_inside_report it;
	ssize_t n = read(report, &it, sizeof(it));

	ck_assert(n == 0 || n == (ssize_t)sizeof(it));
	*ret_number = n == 0 ? 0 : it.number;
	return n == 0 ? -1 : (int)it.step;
}

#endif
