/* Starts children with fewer rights. Must not start anything by a name that came from outside.
 *
 * Between fork and exec a child is a copy of the helper. It stays non-dumpable and root until every
 * privileged fd is closed, and only then takes on another uid, so nobody with that uid can ever
 * reach such an fd (CVE-2026-46333). */
#include "helper/core/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/paths.h"

#define FD_BASE 3

int ces_process_clone(uint64_t flags, int cgroup, struct ces_process *ret)
{
	int pidfd = -1;
	struct clone_args arguments = {
	    .flags = flags | (unsigned)CLONE_PIDFD,
	    .pidfd = (uint64_t)(uintptr_t)&pidfd,
	    .exit_signal = SIGCHLD,
	};
	long pid;

	if (cgroup >= 0) {
		arguments.flags |= CLONE_INTO_CGROUP;
		arguments.cgroup = (unsigned)cgroup;
	}
	pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
	if (pid <= 0)
		return (int)pid;
	ret->pid = (pid_t)pid;
	ret->pidfd = pidfd;
	return 1;
}

void ces_process_give_up(void)
{
	_exit(CES_EXIT_REFUSED);
}

void ces_process_arrange(const int *fds, size_t n_fds)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int high[256];
	sigset_t none;

	if (n_fds > CES_COUNT(high) || null < 0)
		ces_process_give_up();
	/* first above all targets, then down: no source is overwritten before it is used */
	for (size_t i = 0; i < n_fds; i++) {
		high[i] = fcntl(fds[i] < 0 ? null : fds[i], F_DUPFD_CLOEXEC, FD_BASE + (int)n_fds);
		if (high[i] < 0)
			ces_process_give_up();
	}
	for (size_t i = 0; i < n_fds; i++)
		if (dup2(high[i], FD_BASE + (int)i) < 0)
			ces_process_give_up();
	if (close_range(FD_BASE + (unsigned)n_fds, ~0U, 0) < 0)
		ces_process_give_up();
	(void)signal(SIGPIPE, SIG_DFL);
	(void)signal(SIGXFSZ, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)alarm(0);
}

void ces_process_become(uid_t uid, gid_t gid)
{
	uid_t uids[3];
	gid_t gids[3];

	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		ces_process_give_up();
	if (getresuid(&uids[0], &uids[1], &uids[2]) < 0 ||
	    getresgid(&gids[0], &gids[1], &gids[2]) < 0)
		ces_process_give_up();
	for (int i = 0; i < 3; i++)
		if (uids[i] != uid || gids[i] != gid)
			ces_process_give_up();
	if (getgroups(0, NULL) != 0 || (uid != 0 && setuid(0) == 0))
		ces_process_give_up();
	/* only now: a change of ids clears it (prctl(2)) */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		ces_process_give_up();
}

/* The same, but hands capabilities over its user namespace on to the program (capabilities(7),
 * "Ambient"). The ids that it had are not of that namespace: so their change takes none away. */
static void become_capable(uid_t uid, gid_t gid, uint32_t set)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{set, set, set}};
	bool good = setgroups(0, NULL) == 0 && setresgid(gid, gid, gid) == 0 &&
		    setresuid(uid, uid, uid) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
		    syscall(SYS_capset, &header, data) == 0;

	for (unsigned bit = 0; good && bit < 32; bit++)
		good = (set >> bit & 1) == 0 ||
		       prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, bit, 0, 0) == 0;
	if (!good)
		ces_process_give_up();
}

bool ces_process_forget(int last)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	bool done = null >= 0;

	for (int fd = 0; fd <= last && done; fd++)
		done = dup2(null, fd) >= 0;
	if (null > last)
		close(null);
	return done;
}

static void run_worker(const struct ces_spawn *how)
{
	static char *const environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", NULL};
	const char *name = strrchr(how->path, '/') + 1;
	char title[32];
	char *const arguments[] = {title, NULL};
	/* the caller's limit is for their own processes; execve(2) would apply it to a user that
	 * also runs other callers' workers. Where root may not raise it, it stays */
	const struct rlimit any = {RLIM_INFINITY, RLIM_INFINITY};

	(void)snprintf(title, sizeof(title), "%s", name);
	if (!ces_process_forget(STDERR_FILENO))
		ces_process_give_up();
	(void)setrlimit(RLIMIT_NPROC, &any);
	/* a worker that makes itself an empty root needs a mount namespace that belongs to the user
	 * namespace */
	if (how->userns >= 0 && (setns(how->userns, CLONE_NEWUSER) < 0 ||
				 (how->netns >= 0 && unshare(CLONE_NEWNS) < 0)))
		ces_process_give_up();
	/* while root: the namespace belongs to the container's user namespace, over which host root
	 * has every capability (user_namespaces(7)) */
	if (how->netns > 0 && setns(how->netns, CLONE_NEWNET) < 0)
		ces_process_give_up();
	ces_process_arrange(how->fds, how->n_fds);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		ces_process_give_up();
	if (how->userns >= 0 && how->capabilities != 0)
		become_capable(how->uid, how->gid, how->capabilities);
	else
		ces_process_become(how->uid, how->gid);
	execve(how->path, arguments, environment);
	ces_process_give_up();
}

int ces_worker_ids(const char *name, uid_t *ret_uid, gid_t *ret_gid, struct ces_error *err)
{
	const struct passwd *entry = getpwnam(name);

	if (entry == NULL || entry->pw_uid == 0 || entry->pw_gid == 0)
		return ces_error_set(err, CES_E_HOST,
				     "the system user %s is missing; CES is not fully installed",
				     name);
	*ret_uid = entry->pw_uid;
	*ret_gid = entry->pw_gid;
	return 0;
}

int ces_spawn_worker(const struct ces_spawn *how, struct ces_process *ret, struct ces_error *err)
{
	const uint64_t own = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
	uint64_t flags = how->userns < 0 ? 0 : how->netns < 0 ? (uint64_t)CLONE_NEWNS : own;
	uint64_t pids = how->same_pids ? CLONE_NEWPID : 0;
	int side = ces_process_clone(flags & ~pids, -1, ret);

	if (side < 0)
		return ces_error_errno(err, CES_E_HOST, "starting %s", how->path);
	if (side == 0)
		run_worker(how);
	return 0;
}

bool ces_process_detach(uint64_t flags)
{
	struct ces_process child = CES_PROCESS_NONE;
	int side = ces_process_clone(flags, -1, &child);

	if (side > 0)
		(void)ces_process_end(&child, false);
	if (side != 0)
		return false;
	if (fork() != 0) /* (a grandchild has init for its parent) */
		_exit(0);
	return true;
}

int ces_process_end(struct ces_process *process, bool kill_it)
{
	int status;
	pid_t got;

	if (process->pid == 0)
		return -1;
	/* nobody else can get this pid before the wait, so kill is as good as the pidfd; unless the
	 * wait is over (helper/audit/hold.c takes the end of any child), which ESRCH says */
	if (kill_it && syscall(SYS_pidfd_send_signal, process->pidfd, SIGKILL, NULL, 0) < 0 &&
	    errno != ESRCH)
		(void)kill(process->pid, SIGKILL);
	do
		got = waitpid(process->pid, &status, 0);
	while (got < 0 && errno == EINTR);
	process->pid = 0;
	ces_cleanup_close(&process->pidfd);
	return got > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
