/* The system calls that make a run's tree, each noted as a step. Directories, links and files are
 * real, in a temporary directory that plays the run's root; mounts, owners and nodes are not.
 */
#ifndef CES_TESTS_UNIT_ROOTFS_SCENE_H
#define CES_TESTS_UNIT_ROOTFS_SCENE_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/core/capability.h"
#include "helper/launch/rootfs.h"
#include "tests/unit/directory.h"
#include "tests/unit/launch_plan.h"
#include "tests/unit/steps.h"

static int tree = -1;               /* the run's root, "tree" in the test's directory */
static const char *bottom = "";     /* the layer that hides those below it */
static const char *context_is = ""; /* SELinux's */

static const char *at(int fd)
{
	return fd == AT_FDCWD ? "" : path_below(directory_path, fd);
}

int unshare(int flags)
{
	return step("unshare %x", flags) ? -1 : 0;
}

int mount(const char *source, const char *target, const char *type, unsigned long flags,
	  const void *options)
{
	return step("mount %s %s %s %lx %s", source == NULL ? "-" : source, target,
		    type == NULL ? "-" : type, flags, options == NULL ? "-" : (const char *)options)
		   ? -1
		   : 0;
}

int umount2(const char *target, int flags)
{
	return step("umount %s %x", target, flags) ? -1 : 0;
}

int fsopen(const char *type, unsigned flags)
{
	return step("fsopen %s %x", type, flags) ? -1 : fcntl(directory, F_DUPFD_CLOEXEC, 0);
}

int fsconfig(int fd, unsigned command, const char *key, const void *value, int aux)
{
	(void)fd;
	ck_assert_int_eq(aux, 0);
	return step("fsconfig %u %s=%s", command, key == NULL ? "" : key,
		    value == NULL ? "" : (const char *)value)
		   ? -1
		   : 0;
}

int fsmount(int fd, unsigned flags, unsigned attributes)
{
	(void)fd;
	return step("fsmount %x %x", flags, attributes) ? -1 : fcntl(tree, F_DUPFD_CLOEXEC, 0);
}

int open_tree(int dir, const char *path, unsigned flags)
{
	if (step("clone %s%s %x", at(dir), path, flags))
		return -1;
	return fcntl(dir == AT_FDCWD ? directory : dir, F_DUPFD_CLOEXEC, 0);
}

int mount_setattr(int fd, const char *path, unsigned flags, struct mount_attr *attr, size_t size)
{
	ck_assert_str_eq(path, "");
	ck_assert_uint_eq(size, sizeof(*attr));
	return step("flags %s %llx %llx %x userns %llu", at(fd), attr->attr_set, attr->propagation,
		    flags, attr->userns_fd)
		   ? -1
		   : 0;
}

int move_mount(int from, const char *path, int dir, const char *to, unsigned flags)
{
	(void)from;
	ck_assert_str_eq(path, "");
	return step("attach %s:%s %x", at(dir), to, flags) ? -1 : 0;
}

int fchown(int fd, uid_t uid, gid_t gid)
{
	return step("chown %s %u:%u", at(fd), uid, gid) ? -1 : 0;
}

int fchownat(int dir, const char *path, uid_t uid, gid_t gid, int flags)
{
	return step("chown %s/%s %u:%u %x", at(dir), path, uid, gid, flags) ? -1 : 0;
}

int fchmodat(int dir, const char *path, mode_t mode, int flags)
{
	ck_assert_int_eq(flags, 0);
	return step("chmod %s/%s %o", at(dir), path, mode)
		   ? -1
		   : (int)syscall(SYS_fchmodat, dir, path, mode);
}

int mkdirat(int dir, const char *path, mode_t mode)
{
	return step("mkdir %s/%s %o", at(dir), path, mode)
		   ? -1
		   : (int)syscall(SYS_mkdirat, dir, path, mode);
}

int symlinkat(const char *target, int dir, const char *path)
{
	return step("link %s/%s %s", at(dir), path, target)
		   ? -1
		   : (int)syscall(SYS_symlinkat, target, dir, path);
}

int mknodat(int dir, const char *path, mode_t mode, dev_t number)
{
	if (step("mknod %s/%s %o %u:%u", at(dir), path, mode, major(number), minor(number)))
		return -1;
	return S_ISREG(mode) ? (int)syscall(SYS_mknodat, dir, path, mode, 0) : 0;
}

ssize_t fgetxattr(int fd, const char *name, void *value, size_t size)
{
	ck_assert_str_eq(name, "trusted.overlay.opaque");
	ck_assert_uint_eq(size, 1);
	*(char *)value = 'y';
	return step("bottom %s", at(fd)) || strcmp(at(fd), bottom) != 0 ? -1 : 1;
}

int fchdir(int fd)
{
	return step("chdir %s", at(fd)) ? -1 : 0;
}

int chdir(const char *path)
{
	return step("chdir %s", path) ? -1 : 0;
}

long syscall(long number, ...)
{
	va_list rest;
	long v[5];

	va_start(rest, number);
	for (size_t i = 0; i < CES_COUNT(v); i++)
		v[i] = va_arg(rest, long);
	va_end(rest);
	if (number == SYS_pivot_root)
		return step("pivot %s %s", (const char *)(uintptr_t)v[0],
			    (const char *)(uintptr_t)v[1])
			   ? -1
			   : 0;
	return real_syscall(number, v);
}

/* (of helper/core/capability.c) */
int ces_capability_keep(uint64_t permitted, uint64_t effective, struct ces_error *ret_err)
{
	ck_assert_uint_eq(permitted, UINT64_MAX);
	return step("capabilities %llx", (unsigned long long)effective)
		   ? ces_error_errno(ret_err, CES_E_HOST, "capabilities")
		   : 0;
}

/* (of helper/session/selinux.c) */
void ces_selinux_file_context(const struct ces_selinux *selinux, char ret[CES_SELINUX_CONTEXT])
{
	ck_assert_ptr_eq(selinux, &plan.selinux);
	strcpy(ret, context_is);
}

/* (of helper/session/store_open.c: a layer is a directory of the test's) */
int ces_store_open_layer(const struct ces_store *store, const char *diff_id, int *ret,
			 struct ces_error *ret_err)
{
	ck_assert_ptr_eq(store, &session.store);
	if (step("layer %s", diff_id))
		return ces_error_errno(ret_err, CES_E_NOTFOUND, "layer %s", diff_id);
	*ret = openat(directory, diff_id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(*ret, 0);
	return 0;
}

#endif
