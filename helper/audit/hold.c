/* Holds a run before its program begins. Must not look into the program's memory, nor wait for a
 * process without a deadline. */
#include "helper/audit/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/io.h"

int ces_hold_begin(const struct ces_container *container, struct ces_hold *ret,
		   struct ces_error *err)
{
	static const long options = PTRACE_O_EXITKILL | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK |
				    PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;

	if (ptrace(PTRACE_SEIZE, container->process.pid, NULL, options) < 0)
		return errno == ESRCH
			   ? 0 /* it has ended already, and said why on its pipe */
			   : ces_error_errno(err, CES_E_HOST,
					     "the start of the container cannot be watched "
					     "(kernel.yama.ptrace_scope must be less than 3)");
	ret->leader = container->process.pid;
	return 0;
}

static void forget(struct ces_hold *hold, pid_t pid)
{
	for (size_t i = 0; i < hold->n; i++)
		if (hold->traced[i] == pid)
			hold->traced[i--] = hold->traced[--hold->n];
}

static int keep(struct ces_hold *hold, pid_t pid, struct ces_error *err)
{
	forget(hold, pid);
	if (hold->n == hold->size) {
		size_t size = hold->size == 0 ? 32 : hold->size * 2;
		pid_t *bigger = reallocarray(hold->traced, size, sizeof(*bigger));

		if (bigger == NULL)
			return ces_error_set(err, CES_E_HOST, "out of memory");
		hold->traced = bigger;
		hold->size = size;
	}
	hold->traced[hold->n++] = pid;
	return 0;
}

/* Takes the next event of a child or a traced process: 1; 0 when the runtime has ended (its status
 * is left for the supervising code); -1 at the deadline, or when the event cannot be known. SIGCHLD
 * is blocked. */
static int next_event(const struct ces_hold *hold, int64_t deadline_ms, pid_t *ret_pid,
		      int *ret_status)
{
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	for (;;) {
		siginfo_t info = {0};
		int64_t left = deadline_ms - ces_now_ms();
		struct timespec most = {left / 1000, left % 1000 * 1000000};

		/* an event that cannot be known does not count as an end: nothing would be held
		 * then */
		if (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | __WALL | WNOWAIT | WNOHANG) < 0)
			return errno == ECHILD ? 0 : -1;
		if (info.si_pid == hold->leader && info.si_code != CLD_TRAPPED &&
		    info.si_code != CLD_STOPPED)
			return 0;
		if (info.si_pid != 0) {
			*ret_pid = waitpid(info.si_pid, ret_status, __WALL | WNOHANG);
			if (*ret_pid > 0)
				return 1;
		}
		if (left <= 0)
			return -1;
		if (info.si_pid == 0)
			(void)sigtimedwait(&child, NULL, &most);
	}
}

/* Is the file that pid has executed the runtime's business? It is if pid still has the root that
 * the helper built (the same as this process's), and the file is one of these: a file of the host's
 * /usr there; the runtime itself; a copy of itself that the runtime has made and unlinked. */
static bool is_runtimes(pid_t pid, const char *runtime)
{
	struct statx program, usr;
	struct stat mine, its, file;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	if (stat("/", &mine) < 0 || stat(path, &its) < 0 || mine.st_dev != its.st_dev ||
	    mine.st_ino != its.st_ino)
		return false;
	(void)snprintf(path, sizeof(path), "/proc/%d/root/usr", (int)pid);
	if (statx(AT_FDCWD, path, 0, STATX_MNT_ID, &usr) < 0)
		return false;
	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	if (statx(AT_FDCWD, path, 0, STATX_MNT_ID, &program) < 0 || stat(path, &its) < 0)
		return false;
	if ((program.stx_mask & usr.stx_mask & STATX_MNT_ID) != 0 &&
	    program.stx_mnt_id == usr.stx_mnt_id)
		return true;
	return its.st_nlink == 0 || (stat(runtime, &file) == 0 && file.st_dev == its.st_dev &&
				     file.st_ino == its.st_ino);
}

/* Still traced, or dead with its end not yet taken. */
static bool is_ours(pid_t pid)
{
	siginfo_t info;

	return waitid(P_PID, (id_t)pid, &info, WEXITED | __WALL | WNOHANG | WNOWAIT) == 0 ||
	       errno != ECHILD;
}

/* A process that cannot go on stays stopped for ever. A dying one cannot be let go. It stays traced
 * until its end has been taken: otherwise the end of its process would never come. A thread that an
 * exec has removed has no end. */
static int let_go(struct ces_hold *hold, pid_t pid, int request, int signal, struct ces_error *err)
{
	if (ptrace((enum __ptrace_request)request, pid, NULL, (long)signal) == 0) {
		if (request == PTRACE_DETACH)
			forget(hold, pid);
		return 0;
	}
	if (errno != ESRCH)
		return ces_error_errno(err, CES_E_HOST, "letting the runtime go on");
	if (!is_ours(pid))
		forget(hold, pid);
	return 0;
}

/* Passes signals on to their targets. 1: the program is held. */
static int on_stop(struct ces_hold *hold, const char *runtime, pid_t pid, int status,
		   struct ces_error *err)
{
	int signal = WSTOPSIG(status);
	unsigned long child = 0;

	switch (status >> 16) {
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		/* (a process whose stop was seen before this may be let go already) */
		if (ptrace(PTRACE_GETEVENTMSG, pid, NULL, &child) == 0 && is_ours((pid_t)child) &&
		    keep(hold, (pid_t)child, err) < 0)
			return -1;
		signal = 0;
		break;
	case PTRACE_EVENT_EXEC:
		signal = 0;
		if (!hold->leaving && !is_runtimes(pid, runtime)) {
			hold->held = pid;
			return 1;
		}
		break;
	case PTRACE_EVENT_STOP:
		/* stopped by a signal, as a job: it stays so until another process continues it */
		if (signal != SIGTRAP && !hold->leaving) {
			(void)ptrace(PTRACE_LISTEN, pid, NULL, NULL);
			return keep(hold, pid, err);
		}
		signal = 0;
		break;
	default:
		break;
	}
	if (hold->leaving)
		return let_go(hold, pid, PTRACE_DETACH, signal, err);
	return let_go(hold, pid, PTRACE_CONT, signal, err) < 0 ? -1 : keep(hold, pid, err);
}

/* Handles events until the program is held (1) or, when leaving, until nobody is traced any more. 0
 * also when the runtime has ended. */
static int handle(struct ces_hold *hold, const char *runtime, int64_t deadline_ms,
		  struct ces_error *err)
{
	int got, status = 0, result = 0;
	pid_t pid;

	while (result == 0 && (!hold->leaving || hold->n > 0)) {
		got = next_event(hold, deadline_ms, &pid, &status);
		if (got < 0)
			return ces_error_set(err, CES_E_HOST,
					     "the runtime did not start the container in time");
		if (got == 0)
			return 0;
		if (WIFSTOPPED(status))
			result = on_stop(hold, runtime, pid, status, err);
		else
			forget(hold, pid);
	}
	return result;
}

/* Blocks SIGCHLD meanwhile: next_event needs this to learn of events. */
static int handle_blocked(struct ces_hold *hold, const char *runtime, int64_t deadline_ms,
			  struct ces_error *err)
{
	sigset_t child, before;
	int result;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &child, &before) < 0)
		return ces_error_errno(err, CES_E_INTERNAL, "sigprocmask");
	result = handle(hold, runtime, deadline_ms, err);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return result;
}

int ces_hold_wait(struct ces_hold *hold, const char *runtime, int64_t deadline_ms,
		  struct ces_error *err)
{
	if (hold->leader != 0 && (keep(hold, hold->leader, err) < 0 ||
				  handle_blocked(hold, runtime, deadline_ms, err) < 0))
		return -1;
	return 0;
}

int ces_hold_release(struct ces_hold *hold, int64_t deadline_ms, struct ces_error *err)
{
	hold->leaving = true;
	if (ptrace(PTRACE_DETACH, hold->held, NULL, NULL) < 0)
		return ces_error_errno(err, CES_E_HOST, "letting the container go");
	forget(hold, hold->held);
	/* a process must stop before it can be let go */
	for (size_t i = hold->n; i > 0; i--)
		if (let_go(hold, hold->traced[i - 1], PTRACE_INTERRUPT, 0, err) < 0)
			return -1;
	return handle_blocked(hold, "", deadline_ms, err);
}

void ces_hold_end(struct ces_hold *hold, int64_t deadline_ms)
{
	struct ces_error ignored;

	hold->leaving = true;
	if (hold->n > 0)
		(void)handle_blocked(hold, "", deadline_ms, &ignored);
	free(hold->traced);
	*hold = (struct ces_hold){0};
}
