/* User namespaces. Must not start anything in one but this program's own code. */
#include "helper/session/userns.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/securebits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <unistd.h>

int ces_process_namespace(const struct ces_process *process, const char *name, int *ret,
			  struct ces_error *err)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)process->pid, name);
	*ret = open(path, O_RDONLY | O_CLOEXEC);
	return *ret < 0 ? ces_error_errno(err, CES_E_HOST, "%s namespace", name) : 0;
}

int ces_userns_make(const struct ces_idmap *map, int *ret, struct ces_error *err)
{
	struct ces_process holder = CES_PROCESS_NONE;
	pid_t parent = getpid();
	int side = ces_process_clone(CLONE_NEWUSER, -1, &holder);
	int result;

	if (side < 0)
		return ces_error_errno(err, CES_E_HOST, "making a user namespace");
	if (side == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* a parent that was killed before that line sends no signal, and this child, a copy
		 * of it, would hold its locks for ever */
		while (getppid() == parent)
			(void)pause();
		_exit(0);
	}
	result = ces_idmap_write(holder.pid, map, err);
	if (result == 0)
		result = ces_process_namespace(&holder, "user", ret, err);
	(void)ces_process_end(&holder, true);
	return result;
}

/* Keeps all capabilities over the namespace while it works on files as user:group of it. File
 * servers see the caller's uid, and the process can still give away or remove files of the
 * namespace's other ids. Its real, effective and saved uid is one of these other ids, which nobody
 * on the host has. With the caller's own uid, the caller could stop or kill the process (kill(2)),
 * and keep the files that it removes, or hold up the process that waits for it. */
static void become_with_capabilities(uid_t user, gid_t group)
{
	static const uid_t others[] = {CES_IDMAP_SPAN - 2, CES_IDMAP_SPAN - 3};
	uid_t other = others[user == others[0]];

	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(group, group, group) < 0 || setresuid(other, other, other) < 0)
		ces_process_give_up();
	(void)setfsuid(user);
	/* (an impossible id changes nothing and returns the current id) */
	if (setfsuid((uid_t)-1) != (int)user || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0) < 0)
		ces_process_give_up();
}

int ces_userns_call(int userns, uid_t user, gid_t group, unsigned seconds, const int *fds,
		    size_t n_fds, int (*work)(const void *), const void *context)
{
	struct ces_process child = CES_PROCESS_NONE;
	int side = ces_process_clone(0, -1, &child);
	struct pollfd ended;

	if (side < 0)
		return -1;
	if (side == 0) {
		if (setns(userns, CLONE_NEWUSER) < 0)
			ces_process_give_up();
		ces_process_arrange(fds, n_fds);
		become_with_capabilities(user, group);
		_exit(work(context) == 0 ? 0 : 1);
	}
	ended = (struct pollfd){.fd = child.pidfd, .events = POLLIN};
	(void)poll(&ended, 1, (int)seconds * 1000);
	return ces_process_end(&child, ended.revents == 0) == 0 ? 0 : -1;
}
