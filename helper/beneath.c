/* Paths to fds. A checked path becomes an fd here and stays one. Must not be given a path to a
 * place where a path is not needed. */
#include "helper/beneath.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"

int ces_beneath_open(int dirfd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
	    .flags = (unsigned)flags | O_CLOEXEC,
	    .mode = (flags & O_CREAT) != 0 ? mode : 0,
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	while (*path == '/')
		path++;
	return (int)syscall(SYS_openat2, dirfd, *path == '\0' ? "." : path, &how, sizeof(how));
}

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
	CES_CLEANUP_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CES_CLEANUP_FD int parent = -1;
	const char *name = strrchr(path, '/');
	char upper[1024];
	int fd;

	if (root < 0)
		return -1;
	fd = ces_beneath_open(root, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd >= 0 || !create || errno != ENOENT || name == NULL || name == path ||
	    (size_t)(name - path) >= sizeof(upper))
		return fd;
	memcpy(upper, path, (size_t)(name - path));
	upper[name - path] = '\0';
	parent = ces_beneath_open(root, upper, O_RDONLY | O_DIRECTORY, 0);
	if (parent < 0 || (mkdirat(parent, name + 1, 0700) < 0 && errno != EEXIST))
		return -1;
	return ces_beneath_open(parent, name + 1, O_RDONLY | O_DIRECTORY, 0);
}

/* What to say of a path that did not open, by errno; fd is what did. */
static int opened(const char *path, int fd, int *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int own = fd;

	if (fd < 0 && (errno == ELOOP || errno == EXDEV))
		return ces_error_set(
		    err, CES_E_HOST,
		    "%s: a part of this path is a symbolic link, which CES does not follow", path);
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

int ces_beneath_open_as(const struct ces_caller *caller, const char *path, bool create, int *ret,
			struct ces_error *err)
{
	int fd, saved;

	ces_caller_enter(caller);
	fd = open_directory(path, create);
	saved = errno;
	ces_caller_leave();
	errno = saved;
	return opened(path, fd, ret, err);
}

/* With root's rights, but only the directory that stands at the end of a way that the caller may
 * go, and only if it is his by the map. Nothing can come between check and use: the fd holds the
 * directory, and whoever could change its owner (root, or the caller's own containers) cannot give
 * it ids of anybody else's. */
static int open_given(const struct ces_idmap *map, int path_fd)
{
	struct stat st;

	if (fstat(path_fd, &st) < 0)
		return -1;
	if (!S_ISDIR(st.st_mode) || !ces_idmap_holds(map, st.st_uid, st.st_gid)) {
		errno = EACCES;
		return -1;
	}
	return openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int ces_beneath_open_bind(const struct ces_caller *caller, const struct ces_idmap *map,
			  const char *path, bool *ret_file, int *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CES_CLEANUP_FD int way = -1;
	struct stat st;
	int fd, saved;

	ces_caller_enter(caller);
	/* not blocking: it may be a FIFO, which nobody will open at the other end */
	fd = ces_beneath_open(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	saved = errno;
	if (fd < 0 && saved == EACCES)
		way = ces_beneath_open(root, path, O_PATH, 0);
	ces_caller_leave();
	errno = saved;
	if (way >= 0)
		fd = open_given(map, way);
	if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) {
		close(fd);
		return ces_error_set(err, CES_E_NOTFOUND,
				     "%s is neither a directory nor an ordinary file", path);
	}
	if (opened(path, fd, ret, err) < 0)
		return -1;
	*ret_file = S_ISREG(st.st_mode);
	return 0;
}

int ces_beneath_open_common(const struct ces_caller *caller, int dirfd, const char *name, int *ret,
			    struct ces_error *err)
{
	CES_CLEANUP_FD int fd = -1;
	int saved;

	ces_caller_enter(caller);
	if (mkdirat(dirfd, name, 0700) == 0 || errno == EEXIST)
		fd = ces_beneath_open(dirfd, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd >= 0 && fchmod(fd, 01777) < 0)
		ces_cleanup_close(&fd);
	saved = errno;
	ces_caller_leave();
	errno = saved;
	if (fd < 0)
		return ces_error_errno(err, CES_E_HOST, "making %s", name);
	*ret = ces_steal_fd(&fd);
	return 0;
}

int ces_beneath_open_parent(const struct ces_caller *caller, const char *path, int *ret,
			    struct ces_error *err)
{
	const char *slash = strrchr(path, '/');
	char upper[1100];

	if (slash == NULL || slash == path || (size_t)(slash - path) >= sizeof(upper))
		return ces_error_set(err, CES_E_POLICY, "%s has no parent", path);
	memcpy(upper, path, (size_t)(slash - path));
	upper[slash - path] = '\0';
	return ces_beneath_open_as(caller, upper, false, ret, err);
}

int ces_beneath_own_dir(int dirfd, const char *path, int *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int fd = ces_beneath_open(dirfd, path, O_RDONLY | O_DIRECTORY, 0);
	struct stat st;

	if (fd < 0 && errno == ENOENT) {
		while (*path == '/')
			path++;
		if (mkdirat(dirfd, path, 0700) < 0 && errno != EEXIST)
			return ces_error_errno(err, CES_E_HOST, "making %s", path);
		fd = ces_beneath_open(dirfd, path, O_RDONLY | O_DIRECTORY, 0);
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return ces_error_errno(err, CES_E_HOST, "opening %s", path);
	if (st.st_uid != 0 || (st.st_mode & 077) != 0)
		return ces_error_set(err, CES_E_HOST,
				     "%s must belong to root and be closed to others (mode 0700)",
				     path);
	*ret = ces_steal_fd(&fd);
	return 0;
}

int ces_beneath_each(int dirfd, void (*each)(int dirfd, const char *name, void *), void *context)
{
	CES_CLEANUP_DIR DIR *dir = NULL;
	const struct dirent *entry;
	int fd = ces_beneath_open(dirfd, ".", O_RDONLY | O_DIRECTORY, 0);

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL) {
		ces_cleanup_close(&fd);
		return -1;
	}
	for (;;) {
		errno = 0;
		entry = readdir(dir);
		if (entry == NULL)
			return errno == 0 ? 0 : -1;
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			each(dirfd, entry->d_name, context);
	}
}

/* The walk below a directory. One open directory a level is kept in a chain on the heap; a
 * directory deeper than LEVELS is taken up to the top if it is to be removed and otherwise refused,
 * which bounds fds (ces-unpack caps images at less). */
#define LEVELS 512

struct walk {
	DIR *dir[LEVELS];
	char *name[LEVELS]; /* of dir[i] in dir[i - 1] */
	size_t depth;
	unsigned moved; /* directories taken up to the top, see raise_deep */
	bool again;     /* one of them was not seen yet */
};

typedef int (*visit)(int dirfd, const char *name, const struct stat *st, void *context);

/* Opens a directory for the walk; a directory without rights for its owner is opened by
 * CAP_DAC_OVERRIDE. */
static int descend(struct walk *walk, int dirfd, const char *name)
{
	CES_CLEANUP_FD int fd =
	    openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || walk->depth == LEVELS)
		return -1;
	walk->name[walk->depth] = strdup(name);
	if (walk->name[walk->depth] == NULL)
		return -1;
	walk->dir[walk->depth] = fdopendir(fd);
	if (walk->dir[walk->depth] == NULL) {
		free(walk->name[walk->depth]);
		return -1;
	}
	(void)ces_steal_fd(&fd);
	walk->depth++;
	return 0;
}

static void ascend(struct walk *walk)
{
	walk->depth--;
	closedir(walk->dir[walk->depth]);
	free(walk->name[walk->depth]);
}

static int remove_one(int parent, const char *name, const struct stat *st, void *context)
{
	(void)context;
	return unlinkat(parent, name, S_ISDIR(st->st_mode) ? AT_REMOVEDIR : 0);
}

/* What a container buried deeper than the walk goes is walked from the top: data that should be
 * gone must not stay because of their depth. */
static int raise_deep(struct walk *walk, int parent, const char *name)
{
	char top[40];

	(void)snprintf(top, sizeof(top), ".ces-deep-%d-%u", (int)getpid(), walk->moved++);
	walk->again = renameat(parent, name, dirfd(walk->dir[0]), top) == 0;
	return walk->again ? 0 : -1;
}

/* A directory is gone into; anything else, and a directory of another file system, is shown to
 * each. */
static int visit_entry(struct walk *walk, dev_t device, const char *name, visit each, void *context)
{
	int parent = dirfd(walk->dir[walk->depth - 1]);
	struct stat st;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (!S_ISDIR(st.st_mode) || st.st_dev != device)
		return each(parent, name, &st, context);
	if (walk->depth == LEVELS && each == remove_one)
		return raise_deep(walk, parent, name);
	return descend(walk, parent, name);
}

/* The directory whose content is done, shown to each in its parent. */
static int visit_done(struct walk *walk, visit each, void *context)
{
	CES_CLEANUP_FREE char *name = ces_steal_pointer(&walk->name[walk->depth - 1]);
	struct stat st;
	int parent;

	ascend(walk);
	if (walk->depth == 0)
		return 0;
	parent = dirfd(walk->dir[walk->depth - 1]);
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	return each(parent, name, &st, context);
}

/* Goes on past what fails, and then says so. */
static int walk_below(int base, visit each, void *context)
{
	CES_CLEANUP_FREE struct walk *walk = calloc(1, sizeof(*walk));
	struct stat top;
	int failed = 0;

	if (walk == NULL || fstat(base, &top) < 0 || descend(walk, base, ".") < 0)
		return -1;
	while (walk->depth > 0) {
		const struct dirent *entry = readdir(walk->dir[walk->depth - 1]);

		if (entry == NULL && walk->depth == 1 && walk->again) {
			walk->again = false;
			rewinddir(walk->dir[0]);
		} else if (entry == NULL)
			failed |= visit_done(walk, each, context);
		else if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			failed |= visit_entry(walk, top.st_dev, entry->d_name, each, context);
	}
	return failed;
}

int ces_beneath_empty(int dirfd)
{
	return walk_below(dirfd, remove_one, NULL);
}

int ces_beneath_remove(int dirfd, const char *name)
{
	CES_CLEANUP_FD int fd = -1;

	if (unlinkat(dirfd, name, 0) == 0)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (ces_beneath_empty(fd) < 0)
		return -1;
	return unlinkat(dirfd, name, AT_REMOVEDIR);
}

struct owner {
	uid_t uid;
	gid_t gid;
};

static int give_one(int parent, const char *name, const struct stat *st, void *context)
{
	const struct owner *owner = context;

	if (st->st_uid == owner->uid && st->st_gid == owner->gid)
		return 0;
	return fchownat(parent, name, owner->uid, owner->gid, AT_SYMLINK_NOFOLLOW);
}

int ces_beneath_give(int dirfd, uid_t uid, gid_t gid)
{
	struct owner owner = {uid, gid};

	return walk_below(dirfd, give_one, &owner);
}
