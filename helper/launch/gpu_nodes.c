/* Chooses which device nodes of a CDI specification a run gets. Must not trust a name: it goes by
 * the number of the node that is really there, and by the driver that the kernel says has it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/core/beneath.h"
#include "helper/launch/gpu.h"
#include "policy/template.h"

/* Does not open the node (a driver may wake the device up for that) nor trust its mode. access(2)
 * asks the device cgroups of this process, which is still in the caller's (fs/namei.c,
 * inode_permission; security/device_cgroup.c). */
static bool is_closed(int fd, bool read_only)
{
	return syscall(SYS_faccessat2, fd, "", read_only ? R_OK : R_OK | W_OK, AT_EMPTY_PATH) < 0 &&
	       errno == EPERM;
}

int ces_gpu_node(int dev, const char *majors, const struct ces_cdi_node *node,
		 struct ces_device *ret, bool *ret_closed, struct ces_error *err)
{
	const char *host = node->host_path != NULL ? node->host_path : node->path;
	CES_CLEANUP_FD int fd = -1;
	struct stat st;

	if (!ces_cdi_place_valid(node->path) || !ces_path_within(host, "/dev") ||
	    strlen(node->path + strlen("/dev/")) >= sizeof(ret->path) ||
	    (node->type != NULL && strcmp(node->type, "c") != 0 && strcmp(node->type, "u") != 0))
		return ces_error_set(err, CES_E_HOST, "%s is not a device that CES gives to a run",
				     node->path);
	fd = ces_beneath_open(dev, host + strlen("/dev"), O_PATH | O_NOFOLLOW, 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return ces_error_errno(err, CES_E_HOST, "%s", host);
	if (!S_ISCHR(st.st_mode))
		return ces_error_set(err, CES_E_HOST, "%s is not a character device", host);
	ret->major = major(st.st_rdev);
	ret->minor = minor(st.st_rdev);
	if (node->numbered && (ret->major != node->major || ret->minor != node->minor))
		return ces_error_set(err, CES_E_HOST,
				     "%s is device %u:%u, and the specification says %llu:%llu; "
				     "make the specification again",
				     host, ret->major, ret->minor, (unsigned long long)node->major,
				     (unsigned long long)node->minor);
	if (!ces_cdi_number_valid(majors, ret->major, ret->minor))
		return ces_error_set(err, CES_E_HOST,
				     "%s (%u:%u) is not a device that CES gives to a run", host,
				     ret->major, ret->minor);
	(void)snprintf(ret->path, sizeof(ret->path), "%s", node->path + strlen("/dev/"));
	ret->read_only = node->permissions != NULL && strchr(node->permissions, 'w') == NULL;
	*ret_closed = is_closed(fd, ret->read_only);
	return 0;
}
