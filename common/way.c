/* Opens paths as descriptors. Must not follow a link that anybody but root can have made.
 *
 * Who controls what: path is the caller's or the policy's text. Files along it may change at any
 * moment, but not in the part where links are followed: that part is root's alone. The path without
 * links is opened again from the root, and then no link at all is followed. */
#include "common/way.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"

#define LINKS_MAX 8

/* Magic numbers of statfs(2): file systems for project data, homes and outputs. FUSE is not one:
 * the caller can serve it themselves, and let it hang or give false answers. Nor are proc, sysfs,
 * cgroup and the like. */
static const unsigned data_file_systems[] = {
    0xef53 /* ext */,        0x58465342 /* xfs */,      0x9123683e /* btrfs */,
    0x01021994 /* tmpfs */,  0x6969 /* nfs */,          0x19830326 /* beegfs */,
    0x0bd00bd0 /* lustre */, 0x47504653 /* gpfs */,     0x00c36400 /* ceph */,
    0xff534d42 /* cifs */,   0xfe534d42 /* smb2 */,     0x2fc12fc1 /* zfs */,
    0xf2f52010 /* f2fs */,   0xca451a4e /* bcachefs */, 0x794c7630 /* overlay */,
};

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

/* A path on the way: done is an absolute path without links, which belongs wholly to root. */
struct way {
	int root;
	unsigned links;
	char done[CES_WAY_MAX], rest[CES_WAY_MAX];
};

static int too_long(void)
{
	errno = ENAMETOOLONG;
	return -1;
}

/* Goes along the link's target next, and then along the rest. */
static int follow(struct way *way, int link, size_t directory, const char *rest)
{
	char words[CES_WAY_MAX], next[CES_WAY_MAX];
	ssize_t n = readlinkat(link, "", words, sizeof(words) - 1);

	if (n < 0)
		return -1;
	words[n] = '\0';
	if (snprintf(next, sizeof(next), "%s%s", words, rest) >= (int)sizeof(next))
		return too_long();
	memcpy(way->rest, next, sizeof(next));
	way->done[words[0] == '/' ? 0 : directory] = '\0';
	return 0;
}

/* Goes one name further. 1 if no name is left, or if others than root can change what follows,
 * where no link is followed. -1 with errno: done ends with the name that failed. */
static int step(struct way *way)
{
	char *name = way->rest + strspn(way->rest, "/"), *end = name + strcspn(name, "/");
	size_t used = strlen(way->done), room = sizeof(way->done) - used;
	int length = (int)(end - name);
	CES_CLEANUP_FD int fd = -1;
	struct stat st = {0};

	if (length == 2 && memcmp(name, "..", 2) == 0) {
		/* (no link is in done, so that this is its parent) */
		way->done[used > 0 ? strrchr(way->done, '/') - way->done : 0] = '\0';
	} else if (length > 0 && !(length == 1 && *name == '.')) {
		if (snprintf(way->done + used, room, "/%.*s", length, name) >= (int)room)
			return too_long();
		fd = ces_beneath_open(way->root, way->done, O_PATH | O_NOFOLLOW, 0);
		if (fd < 0 || fstat(fd, &st) < 0)
			return -1;
	}
	if (S_ISLNK(st.st_mode) && (st.st_uid != 0 || ++way->links > LINKS_MAX)) {
		errno = ELOOP;
		return -1;
	}
	if (S_ISLNK(st.st_mode))
		return follow(way, fd, used, end);
	memmove(way->rest, end, strlen(end) + 1);
	return length == 0 || st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

int ces_way_plain(const char *path, char plain[CES_WAY_MAX])
{
	CES_CLEANUP_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct way way = {.root = root};
	int result = 0;

	if (root < 0)
		return -1;
	if (snprintf(way.rest, sizeof(way.rest), "%s", path) >= (int)sizeof(way.rest))
		return too_long();
	while (result == 0)
		result = step(&way);
	if (snprintf(plain, CES_WAY_MAX, "%s%s", way.done, result > 0 ? way.rest : "") >=
	    CES_WAY_MAX)
		return too_long();
	return result > 0 ? 0 : -1;
}

int ces_way_open(const char *path, int flags)
{
	CES_CLEANUP_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = root < 0 ? -1 : ces_beneath_open(root, path, flags, 0);
	char plain[CES_WAY_MAX];

	if (fd >= 0 || errno != ELOOP || ces_way_plain(path, plain) < 0)
		return fd;
	return ces_beneath_open(root, plain, flags, 0);
}

bool ces_way_holds_data(int fd, unsigned *ret_kind)
{
	struct statfs fs = {0};

	if (fstatfs(fd, &fs) < 0)
		return false;
	*ret_kind = (unsigned)fs.f_type;
	for (size_t i = 0; i < CES_COUNT(data_file_systems); i++)
		if (*ret_kind == data_file_systems[i])
			return true;
	return false;
}
