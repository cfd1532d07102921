/* Mounts by fd. Must not be given a path of the host: it mounts only an fd that was opened and
 * checked. */
#include "helper/session/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>

#include "common/cleanup.h"

int ces_mount_clone(int fd, bool read_only, int userns, int *ret, struct ces_error *err)
{
	unsigned recursive = userns < 0 ? AT_RECURSIVE : 0;
	struct mount_attr attributes = {
	    .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (read_only ? MOUNT_ATTR_RDONLY : 0u),
	    .propagation = MS_PRIVATE,
	};
	CES_CLEANUP_FD int mount =
	    open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | recursive);

	if (mount < 0)
		return ces_error_errno(err, CES_E_HOST, "copying a mount");
	if (userns >= 0) {
		attributes.attr_set |= MOUNT_ATTR_IDMAP;
		attributes.userns_fd = (unsigned)userns;
	}
	if (mount_setattr(mount, "", AT_EMPTY_PATH | recursive, &attributes, sizeof(attributes)) <
	    0) {
		if (userns >= 0 && errno == EINVAL)
			return ces_error_set(
			    err, CES_E_HOST,
			    "the file system of "
			    "the image store has no id-mapped mounts; "
			    "it must be ext4, xfs, btrfs or tmpfs on a recent kernel");
		return ces_error_errno(err, CES_E_HOST, "flags of a mount");
	}
	*ret = ces_steal_fd(&mount);
	return 0;
}

static int set(int fs, const char *key, uint64_t value, bool octal)
{
	char text[32];

	(void)snprintf(text, sizeof(text), octal ? "%llo" : "%llu", (unsigned long long)value);
	return fsconfig(fs, FSCONFIG_SET_STRING, key, text, 0);
}

int ces_mount_tmpfs(uint64_t bytes, uint64_t inodes, bool dev, int *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);

	if (fs < 0 || set(fs, "size", bytes, false) < 0 ||
	    set(fs, "nr_inodes", inodes, false) < 0 || set(fs, "mode", 0755, true) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return ces_error_errno(err, CES_E_HOST, "making a tmpfs");
	*ret = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | (dev ? 0u : MOUNT_ATTR_NODEV));
	return *ret < 0 ? ces_error_errno(err, CES_E_HOST, "mounting a tmpfs") : 0;
}

int ces_mount_attach(int mount, int dirfd, const char *path, struct ces_error *err)
{
	if (move_mount(mount, "", dirfd, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return ces_error_errno(err, CES_E_HOST, "mounting at %s", path);
	return 0;
}
