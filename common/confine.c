/* Confines a process step by step. Must not go on after a step that was not done. */
#include "common/confine.h"

#include <linux/capability.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"

void ces_confine_unless(bool good)
{
	if (!good)
		_exit(2);
}

bool ces_confine_limit(__rlimit_resource_t resource, uint64_t value)
{
	const struct rlimit limit = {value, value};

	return setrlimit(resource, &limit) == 0;
}

void ces_confine_signals(void)
{
	static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

	for (size_t i = 0; i < CES_COUNT(ends); i++)
		ces_confine_unless(signal(ends[i], SIG_IGN) != SIG_ERR);
}

void ces_confine_owner(uint32_t user, uint32_t group)
{
	(void)setfsuid(user);
	/* (an impossible id changes nothing, and the call returns the current id) */
	ces_confine_unless(setfsuid((uid_t)-1) == (int)user && getgroups(0, NULL) == 0 &&
			   getegid() == group && geteuid() != user);
}

void ces_confine_capabilities(uint32_t set)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct want[_LINUX_CAPABILITY_U32S_3] = {{set, set, 0}};
	struct __user_cap_data_struct have[_LINUX_CAPABILITY_U32S_3];

	for (int bit = 0; prctl(PR_CAPBSET_READ, bit) >= 0; bit++)
		ces_confine_unless(prctl(PR_CAPBSET_DROP, bit) == 0);
	ces_confine_unless(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
			   syscall(SYS_capset, &header, want) == 0 &&
			   syscall(SYS_capget, &header, have) == 0 && have[0].effective == set &&
			   have[0].permitted == set &&
			   (have[1].effective | have[1].permitted | have[0].inheritable |
			    have[1].inheritable) == 0);
}
