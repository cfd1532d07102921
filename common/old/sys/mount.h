/* glibc's sys/mount.h, with mounts by fd where glibc is older than 2.36 and has none: RHEL 9's is
 * 2.34. The compiler finds this file before that of the system. Must add nothing else. */
#include_next <sys/mount.h>

#ifndef CES_COMMON_OLD_SYS_MOUNT_H
#define CES_COMMON_OLD_SYS_MOUNT_H

#if !__GLIBC_PREREQ(2, 36)
#include <linux/mount.h>
#include <stddef.h>

int open_tree(int dirfd, const char *path, unsigned flags);
int mount_setattr(int dirfd, const char *path, unsigned flags, struct mount_attr *attr,
		  size_t size);
int fsopen(const char *fsname, unsigned flags);
int fsconfig(int fd, unsigned cmd, const char *key, const void *value, int aux);
int fsmount(int fd, unsigned flags, unsigned attr_flags);
int move_mount(int from_dirfd, const char *from_path, int to_dirfd, const char *to_path,
	       unsigned flags);
#endif

#endif
