/* Makes the rest of the container, as root of its user namespace. Must not touch the host: the
 * host's tree is gone, this process has only the caller's ordinary ids there, and its only
 * privileges are over its own namespaces. */
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/inside/inside.h"

/* No user namespace inside: most local kernel exploits begin with one. */
static void forbid_namespaces(void)
{
	CES_CLEANUP_FD int fd = open("/proc/sys/user/max_user_namespaces", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "0", 1) < 0)
		ces_inside_fail(CES_STEP_USERNS);
}

void ces_inside_set_up(const struct ces_inside *inside)
{
	const char *hostname = ces_inside_text(inside, CES_INSIDE_HOSTNAME);

	if (chdir("/") < 0 || unshare(CLONE_NEWNS) < 0)
		ces_inside_fail(CES_STEP_MOUNTS);
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL) < 0)
		ces_inside_fail(CES_STEP_PROC);
	if (sethostname(hostname, strlen(hostname)) < 0)
		ces_inside_fail(CES_STEP_HOSTNAME);
	forbid_namespaces();
}
