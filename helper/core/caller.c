/* Takes on the caller's rights on files. Must not leave them half taken on: the process exits
 * instead. */
#include "helper/core/caller.h"

#include <grp.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/paths.h"

/* Exits in silence: fd 2 is the caller's, and root writes to nothing that it inherited. A change of
 * ids also sets the dumpable flag to fs.suid_dumpable (prctl(2)); this clears the flag each
 * time. */
static void require(bool done)
{
	if (!done || prctl(PR_SET_DUMPABLE, 0) < 0)
		_exit(CES_EXIT_REFUSED);
}

void ces_caller_enter(const struct ces_caller *caller)
{
	if (setgroups(caller->n_groups, caller->groups) < 0)
		_exit(CES_EXIT_REFUSED);
	(void)setfsgid(caller->gid);
	(void)setfsuid(caller->uid);
	/* setfsuid(2) has no error: an impossible id changes nothing and returns the current id */
	require(setfsgid((gid_t)-1) == (int)caller->gid && setfsuid((uid_t)-1) == (int)caller->uid);
}

void ces_caller_leave(void)
{
	(void)setfsuid(0);
	(void)setfsgid(0);
	require(setfsuid((uid_t)-1) == 0 && setfsgid((gid_t)-1) == 0 && setgroups(0, NULL) == 0);
}
