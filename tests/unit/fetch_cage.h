/* Starts a child in the cage of ces-fetch or of its dialer, for the suites of both. */
#ifndef CES_TESTS_FETCH_CAGE_H
#define CES_TESTS_FETCH_CAGE_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/fetch/sandbox.h"

#define NOBODY 65534

static inline int opened(int fd)
{
	return fd < 0 ? -1 : 0;
}

static inline void become_nobody(void)
{
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
			       setresuid(NOBODY, NOBODY, NOBODY) < 0))
		_exit(100);
}

/* Returns the exit status of a caged child: 0 if it did what it tried, otherwise errno; or 1000
 * plus the signal that killed it. */
static inline int caged(enum ces_sandbox who, int (*attempt)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		become_nobody();
		if (ces_sandbox_check_identity(NULL) < 0 || ces_sandbox_drop(NULL) < 0 ||
		    ces_sandbox_hide_files(who, NULL) < 0 || ces_sandbox_filter(who, NULL) < 0)
			_exit(101);
		_exit(attempt() == 0 ? 0 : errno);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

#endif
