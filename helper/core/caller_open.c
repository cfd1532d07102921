/* The caller's paths, opened with the caller's rights. Must not open anything of theirs as root. */
#include "helper/core/caller_open.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/core/beneath.h"

/* Magic numbers of statfs(2): places where project data, homes and outputs live. Not here: FUSE,
 * which the caller can serve himself and let hang or lie; proc, sysfs, cgroup and the like. */
static const unsigned data_file_systems[] = {
    0xef53 /* ext */,        0x58465342 /* xfs */,      0x9123683e /* btrfs */,
    0x01021994 /* tmpfs */,  0x6969 /* nfs */,          0x19830326 /* beegfs */,
    0x0bd00bd0 /* lustre */, 0x47504653 /* gpfs */,     0x00c36400 /* ceph */,
    0xff534d42 /* cifs */,   0xfe534d42 /* smb2 */,     0x2fc12fc1 /* zfs */,
    0xf2f52010 /* f2fs */,   0xca451a4e /* bcachefs */, 0x794c7630 /* overlay */,
};

static int check_file_system(int fd, const char *path, struct ces_error *err)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return ces_error_errno(err, CES_E_HOST, "%s", path);
	for (size_t i = 0; i < CES_COUNT(data_file_systems); i++)
		if ((unsigned)fs.f_type == data_file_systems[i])
			return 0;
	return ces_error_set(err, CES_E_HOST,
			     "%s is on a kind of file system (0x%x) that CES does not use", path,
			     (unsigned)fs.f_type);
}

/* O_RDONLY, not O_PATH: an O_PATH open does not check the permission of the last component. */
static int open_directory(const char *path, bool create)
{
	const char *name = strrchr(path, '/');
	CES_CLEANUP_FD int parent = -1;
	char upper[1024];
	int fd = ces_way_open(path, O_RDONLY | O_DIRECTORY);

	if (fd >= 0 || !create || errno != ENOENT || name == NULL || name == path ||
	    (size_t)(name - path) >= sizeof(upper))
		return fd;
	memcpy(upper, path, (size_t)(name - path));
	upper[name - path] = '\0';
	parent = ces_way_open(upper, O_RDONLY | O_DIRECTORY);
	if (parent < 0 || (mkdirat(parent, name + 1, 0700) < 0 && errno != EEXIST))
		return -1;
	return ces_beneath_open(parent, name + 1, O_RDONLY | O_DIRECTORY, 0);
}

int ces_caller_opened(const char *path, int fd, int *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int own = fd;

	if (fd < 0 && (errno == ELOOP || errno == EXDEV))
		return ces_error_set(
		    err, CES_E_HOST,
		    "%s: a part of this path is a symbolic link that others than root can set, "
		    "which CES does not follow; name the path without it",
		    path);
	/* the same words for what is absent and what is forbidden: the answer is no oracle */
	if (fd < 0 && (errno == ENOENT || errno == EACCES || errno == ENOTDIR))
		return ces_error_set(err, CES_E_NOTFOUND, "%s does not exist or is not open to you",
				     path);
	if (fd < 0)
		return ces_error_errno(err, CES_E_HOST, "%s", path);
	if (check_file_system(fd, path, err) < 0)
		return -1;
	*ret = ces_steal_fd(&own);
	return 0;
}

int ces_caller_open(const struct ces_caller *caller, const char *path, bool create, int *ret,
		    struct ces_error *err)
{
	int fd, saved;

	ces_caller_enter(caller);
	fd = open_directory(path, create);
	saved = errno;
	ces_caller_leave();
	errno = saved;
	return ces_caller_opened(path, fd, ret, err);
}
