/* The clean room. Must not read the request, the policy or any file but /dev/null and its own /proc
 * entry.
 *
 * Who controls what: the caller controls argv, the environment, every inherited fd, limits, signal
 * state, timers, scheduling, umask, working directory and process group. The clean room decides
 * nothing by these; it replaces them all. They cannot change afterwards: once all three uids are 0
 * the caller may neither signal, trace nor limit this process. */
#include "helper/entry/cleanroom.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/core/deadline.h"
#include "helper/core/fds.h"

/* The inode number that the kernel gives the initial user namespace: PROC_USER_INIT_INO,
 * linux/proc_ns.h. */
#define INITIAL_USER_NAMESPACE 0xEFFFFFFDu

#define TIMER_SLACK_NS 50000ul /* the kernel's own: init/init_task.c */

/* Majors of pty slaves: Documentation/admin-guide/devices.txt, 136-143. */
static bool is_pty(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && major(st->st_rdev) >= 136 && major(st->st_rdev) <= 143;
}

static int not_ours(struct ces_error *err)
{
	return ces_error_set(err, CES_E_USAGE,
			     "ces-helper is started by ces-client only; type: ces-client --help");
}

/* Opens the pipe at fd anew, non-blocking. Flags belong to the open file, and so to everyone who
 * holds the caller's end of it: they could make it blocking again at any moment, and a helper that
 * blocks keeps no time limit. Never opens a read end for writing, nor a write end for reading: the
 * pipe may belong to somebody else. */
static int take_pipe(int fd, int access, struct ces_error *err)
{
	char path[32];
	int flags = fcntl(fd, F_GETFL), own;

	if (flags < 0 || (flags & O_ACCMODE) != access)
		return not_ours(err);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, access | O_NONBLOCK);
	if (own < 0 || dup2(own, fd) < 0)
		return not_ours(err);
	close(own);
	return 0;
}

/* Lets only pipes and ptys be inherited. With a regular file or a kernel control file the caller
 * could aim root's writes (CVE-2026-23268, CVE-2013-1959); a socket would be a way out of the
 * container's empty network. */
static int check_fds(struct ces_error *err)
{
	for (int fd = 0; fd <= CES_FD_EVENT; fd++) {
		struct stat st;
		/* (a mere name, O_PATH, needs no right to what it names, and would be opened here)
		 */
		bool fits = (fcntl(fd, F_GETFL) & O_PATH) == 0 && fstat(fd, &st) == 0 &&
			    (S_ISFIFO(st.st_mode) || (fd < CES_FD_REQUEST && is_pty(&st)));
		int null;

		if (fits)
			continue;
		if (fd >= CES_FD_REQUEST)
			return not_ours(err);
		null = open("/dev/null", O_RDWR);
		if (null < 0 || dup2(null, fd) < 0)
			return ces_error_errno(err, CES_E_HOST, "/dev/null");
		if (null > CES_FD_EVENT)
			close(null);
	}
	if (take_pipe(CES_FD_REQUEST, O_RDONLY, err) < 0 ||
	    take_pipe(CES_FD_EVENT, O_WRONLY, err) < 0)
		return -1;
	return close_range(CES_FD_EVENT + 1, ~0U, 0) < 0
		   ? ces_error_errno(err, CES_E_HOST, "close_range")
		   : 0;
}

static void reset_signals(void)
{
	struct sigaction action = {.sa_handler = SIG_DFL};
	struct itimerval none = {0};

	for (int timer = ITIMER_REAL; timer <= ITIMER_PROF; timer++)
		(void)setitimer((__itimer_which_t)timer, &none, NULL);
	for (int number = 1; number < NSIG; number++)
		(void)sigaction(number, &action, NULL);
	action.sa_handler = SIG_IGN;
	/* a client that went away is an error code, not a death */
	(void)sigaction(SIGPIPE, &action, NULL);
	(void)sigaction(SIGXFSZ, &action, NULL);
	(void)sigprocmask(SIG_SETMASK, &action.sa_mask, NULL); /* (which is empty) */
}

/* Limits below which the helper would leave half-written state. Raising a hard limit needs
 * CAP_SYS_RESOURCE. */
static const struct {
	int resource;
	rlim_t floor;
	const char *name;
} limits[] = {
    {RLIMIT_FSIZE, RLIM_INFINITY, "file size"},
    {RLIMIT_CPU, RLIM_INFINITY, "cpu time"},
    {RLIMIT_AS, RLIM_INFINITY, "address space"},
    {RLIMIT_DATA, RLIM_INFINITY, "data size"},
    {RLIMIT_STACK, 8u << 20, "stack size"},
    {RLIMIT_NOFILE, 1024, "open files"},
    {RLIMIT_NPROC, 256, "processes"},
};

static int reset_limits(struct ces_error *err)
{
	/* 1: no file of a core can be made, and a core goes to no program either, to which 0 is no
	 * limit (core_pattern with a pipe: do_coredump of the kernel; core(5)) */
	static const struct rlimit none = {0, 0}, no_core = {1, 1};

	for (size_t i = 0; i < CES_COUNT(limits); i++) {
		struct rlimit now;

		if (getrlimit((__rlimit_resource_t)limits[i].resource, &now) < 0)
			return ces_error_errno(err, CES_E_HOST, "getrlimit");
		if (now.rlim_max < limits[i].floor)
			now.rlim_max = limits[i].floor;
		now.rlim_cur = limits[i].resource == RLIMIT_STACK ? limits[i].floor : now.rlim_max;
		if (setrlimit((__rlimit_resource_t)limits[i].resource, &now) < 0)
			return ces_error_set(
			    err, CES_E_HOST,
			    "your limit on %s is too low (ulimit); raise it and try again",
			    limits[i].name);
	}
	/* a core would hold project data; no cgroup's quota binds a real-time program */
	return setrlimit(RLIMIT_CORE, &no_core) < 0 || setrlimit(RLIMIT_RTPRIO, &none) < 0 ||
		       setrlimit(RLIMIT_NICE, &none) < 0
		   ? ces_error_errno(err, CES_E_HOST, "limits to 0")
		   : 0;
}

/* Gives the container and its workers the default scheduling instead of the caller's. Best effort,
 * since the cgroup, and not this, guards the machine. */
static void reset_scheduling(void)
{
	struct sched_param parameter = {0};
	cpu_set_t all;

	memset(&all, 0xff, sizeof(all));
	(void)sched_setscheduler(0, SCHED_OTHER, &parameter);
	(void)setpriority(PRIO_PROCESS, 0, 0);
	(void)sched_setaffinity(0, sizeof(all), &all);
	(void)syscall(SYS_ioprio_set, 1, 0, 0);
	(void)syscall(SYS_set_mempolicy, 0, NULL, 0);
	(void)personality(PER_LINUX);
}

static int check_privilege(struct ces_error *err)
{
	struct stat st;

	if (geteuid() != 0)
		return ces_error_set(err, CES_E_HOST,
				     "ces-helper is not setuid root here (lost its mode, a nosuid "
				     "mount, or no_new_privs is set); "
				     "your administrator can see why with: ces-client doctor");
	/* uid 0 of a user namespace is not root: it can make a policy file of its own */
	if (stat("/proc/self/ns/user", &st) < 0 || st.st_ino != INITIAL_USER_NAMESPACE)
		return ces_error_set(err, CES_E_HOST,
				     "ces-helper does not run inside a user namespace");
	return 0;
}

/* Becomes root in all ids. The caller had the real uid, and may not signal or limit this process
 * from here on (kill(2), prlimit(2)). Sets groups first, then gid, then uid, and reads each
 * back. */
static int become_root(struct ces_error *err)
{
	uid_t uid[3];
	gid_t gid[3];

	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return ces_error_errno(err, CES_E_HOST, "becoming root");
	if (getresuid(&uid[0], &uid[1], &uid[2]) < 0 || getresgid(&gid[0], &gid[1], &gid[2]) < 0 ||
	    (uid[0] | uid[1] | uid[2]) != 0 || (gid[0] | gid[1] | gid[2]) != 0 ||
	    getgroups(0, NULL) != 0)
		return ces_error_set(err, CES_E_HOST, "becoming root did not take");
	/* only now: a change of ids sets the flag to fs.suid_dumpable (prctl(2)), and a core would
	 * hold the token */
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return ces_error_errno(err, CES_E_HOST, "prctl");
	return 0;
}

int ces_cleanroom_enter(int argc, uid_t *ret_uid, struct ces_error *err)
{
	uid_t uid = getuid();

	reset_signals();
	ces_deadline(20);
	if (clearenv() != 0)
		return ces_error_set(err, CES_E_HOST, "clearing the environment");
	if (check_fds(err) < 0) {
		/* the helper writes nothing to an fd that failed the check, not even this error */
		close(CES_FD_EVENT);
		return -1;
	}
	if (argc != 1)
		return ces_error_set(err, CES_E_USAGE,
				     "ces-helper takes no arguments; type: ces-client --help");
	/* children, and traced processes, stay over an exec: a caller's own would pass for the
	 * container's */
	if (waitid(P_ALL, 0, NULL, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 || errno != ECHILD)
		return not_ours(err);
	if (check_privilege(err) < 0)
		return -1;
	/* the slack outlives an exec: with a slack of centuries no poll of this process would ever
	 * end by its timeout, and no run by its time limit */
	if (prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS) < 0 || prctl(PR_SET_PDEATHSIG, 0) < 0 ||
	    prctl(PR_SET_CHILD_SUBREAPER, 0) < 0)
		return ces_error_errno(err, CES_E_HOST, "prctl");
	umask(077);
	if (chdir("/") < 0)
		return ces_error_errno(err, CES_E_HOST, "/");
	if (reset_limits(err) < 0 || become_root(err) < 0)
		return -1;
	reset_scheduling();
	/* job control and terminal signals follow the session: leave the caller's */
	if (setsid() < 0)
		return not_ours(err);
	/* the caller's keyring may hold Kerberos tickets; and without one of its own every start
	 * would take from the caller's quota of 200 keys */
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
		return ces_error_errno(err, CES_E_HOST, "session keyring");
	*ret_uid = uid;
	return 0;
}
