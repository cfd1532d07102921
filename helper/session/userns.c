/* User namespaces. Must not start a program in one. */
#include "helper/session/userns.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
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
