/* Hands a request over from ces-admit to ces-session. Must not pass on anything of the caller's
 * but the request's words and the fds that ces-helper checked: argument vector and environment
 * are constants. */
#include "helper/admit/hand_over.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/paths.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

/* Copies text, or "" for NULL; false when it is too long. */
static bool fits(const char *text, char *ret, size_t size)
{
	return snprintf(ret, size, "%s", text != NULL ? text : "") < (int)size;
}

int ces_host_of(const struct ces_policy *policy, struct ces_host *ret, struct ces_error *err)
{
	ret->cgroup_parent = policy->cgroup_parent;
	ret->store = policy->store;
	ret->subid_first = policy->subid_first;
	ret->subid_per_user = policy->subid_per_user;
	ret->subid_users = policy->subid_users;
	ret->audit_syslog = policy->audit_syslog;
	if (!fits(policy->digest, ret->digest, sizeof(ret->digest)) ||
	    !fits(policy->contact, ret->contact, sizeof(ret->contact)) ||
	    !fits(policy->runtime, ret->runtime, sizeof(ret->runtime)) ||
	    !fits(policy->cgroup_path, ret->cgroup_path, sizeof(ret->cgroup_path)))
		return ces_error_set(err, CES_E_POLICY, "a path or name of the policy is too long");
	return ces_decision_names(&policy->cdi_dirs, "host.cdi_dirs", &ret->cdi_dirs, err);
}

int ces_order_caller(struct ces_order *order, const struct ces_caller *caller,
		     struct ces_error *err)
{
	if (!fits(caller->user, order->user, sizeof(order->user)) ||
	    !fits(caller->home, order->home, sizeof(order->home)) ||
	    caller->n_groups > CES_COUNT(order->groups))
		return ces_error_set(err, CES_E_HOST, "your user name or home is too long");
	order->gid = caller->gid;
	order->n_groups = caller->n_groups;
	memcpy(order->groups, caller->groups, caller->n_groups * sizeof(*caller->groups));
	order->known = true;
	return 0;
}

int ces_hand_over(const struct ces_order *order, const void *words, const void *policy,
		  struct ces_error *err)
{
	static const char *const argv[] = {"ces-session", NULL}, *const environment[] = {NULL};
	CES_CLEANUP_FD int fd = memfd_create("ces-order", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ces_write_full(fd, order, sizeof(*order), -1) < 0 ||
	    ces_write_full(fd, words, order->words, -1) < 0 ||
	    ces_write_full(fd, policy, order->policy, -1) < 0 || lseek(fd, 0, SEEK_SET) != 0 ||
	    fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return ces_error_errno(err, CES_E_HOST, "passing the request on");
	/* this fd alone closes by itself; 0 to 4 never did */
	if (fd == CES_FD_ORDER ? fcntl(fd, F_SETFD, 0) < 0 : dup2(fd, CES_FD_ORDER) < 0)
		return ces_error_errno(err, CES_E_HOST, "passing the request on");
	(void)execve(CES_SESSION_PATH, (char **)(uintptr_t)argv, (char **)(uintptr_t)environment);
	return ces_error_errno(err, CES_E_HOST, "%s; CES is not fully installed", CES_SESSION_PATH);
}
