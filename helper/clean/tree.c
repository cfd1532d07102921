/* Empties and hands over trees that somebody else may be changing at the same time. Must not follow
 * a link, nor cross a mount. */
#include "helper/clean/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/session/idmap.h"

/* The walk below a directory. It keeps a chain on the heap. A directory deeper than CES_TREE_LEVELS
 * moves up to the top if it is to be removed, and is refused otherwise. */
struct walk {
	DIR *dir[CES_TREE_LEVELS];
	char *name[CES_TREE_LEVELS]; /* of dir[i] in dir[i - 1] */
	size_t depth;
	unsigned moved;              /* directories moved up, see raise_deep */
	bool again[CES_TREE_LEVELS]; /* a directory in dir[i] was not seen yet */
	bool remove;                 /* it removes what it finds */
	bool discard;                /* each directory gets another mode first */
};

typedef int (*visit)(int dirfd, const char *name, const struct stat *st, void *context);

/* Has a directory that is open for reading let its owner remove what is in it: CAP_DAC_OVERRIDE is
 * enough for that, but not on NFS, where the server goes by the mode. In a subvolume that was set
 * read-only nobody can remove, but its owner may set it back. A failure shows later. */
static void let_remove(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return;
	if (st.st_ino == BTRFS_FIRST_FREE_OBJECTID) /* (a subvolume has this inode) */
		(void)ioctl(fd, BTRFS_IOC_SUBVOL_SETFLAGS, &(uint64_t){0});
	if ((st.st_mode & 0700) != 0700)
		(void)fchmod(fd, 0700);
}

/* Opens a directory for the walk. CAP_DAC_OVERRIDE opens one without rights for its owner; on NFS,
 * the mode must change first. (Before Linux 6.6 there is no such call that follows no link.) */
static int open_directory(const struct walk *walk, int dirfd, const char *name)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dirfd, name, flags);

	if (fd < 0 && errno == EACCES && walk->remove &&
	    syscall(CES_TREE_FCHMODAT2, dirfd, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
		fd = openat(dirfd, name, flags);
	if (fd >= 0 && walk->remove)
		let_remove(fd);
	return fd;
}

static int descend(struct walk *walk, int dirfd, const char *name)
{
	CES_CLEANUP_FD int fd = open_directory(walk, dirfd, name);

	if (fd < 0 || walk->depth == CES_TREE_LEVELS ||
	    (walk->discard && walk->depth > 0 && fchmod(fd, CES_TREE_DISCARDED) < 0))
		return -1;
	walk->name[walk->depth] = strdup(name);
	if (walk->name[walk->depth] == NULL)
		return -1;
	walk->again[walk->depth] = false;
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

/* Moves a directory that is deeper than the walk goes up to the top, to be walked from there. A
 * container may have buried data so deep, and data that should be gone must not stay because of it.
 * Out of a subvolume nothing moves: then the highest directory of that takes it. A program may have
 * guessed the name, and have a directory of that name, as deep, which would stay for ever. */
static int raise_deep(struct walk *walk, int parent, const char *name)
{
	char top[40];
	int result = -1;
	size_t to = 0;

	while (to + 1 < walk->depth) {
		(void)snprintf(top, sizeof(top), ".ces-deep-%d-%u", (int)getpid(), walk->moved++);
		result = renameat(parent, name, dirfd(walk->dir[to]), top);
		if (result < 0 && errno == EXDEV)
			to++;
		else if (result == 0 || (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR))
			break;
	}
	walk->again[to] |= result == 0;
	return result;
}

/* A subvolume of Btrfs has a device number of its own, and is no mount: any program can make one.
 * (The attribute is Linux 5.8's, statx(2).) */
static bool is_mount(int parent, const char *name)
{
	struct statx st;

	return statx(parent, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0, &st) < 0 ||
	       (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

/* Walks into a directory that is no mount. Shows anything else to each. */
static int visit_entry(struct walk *walk, const char *name, visit each, void *context)
{
	int parent = dirfd(walk->dir[walk->depth - 1]);
	struct stat st;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (!S_ISDIR(st.st_mode))
		return each(parent, name, &st, context);
	if (is_mount(parent, name))
		return -1;
	if (walk->depth == CES_TREE_LEVELS && walk->remove)
		return raise_deep(walk, parent, name);
	return descend(walk, parent, name);
}

/* Leaves a directory whose content is done, and shows it to each in its parent. */
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

/* Goes on past a failure, and reports it at the end. The base itself, which a program may have
 * given away or closed, is shown to each first, unless it is to be emptied. */
static int walk_below(int base, bool discard, visit each, void *context)
{
	CES_CLEANUP_FREE struct walk *walk = calloc(1, sizeof(*walk));
	struct stat top;
	int failed;

	if (walk == NULL)
		return -1;
	walk->remove = each == remove_one;
	walk->discard = discard;
	if (fstat(base, &top) < 0 || descend(walk, base, ".") < 0)
		return -1;
	failed = walk->remove ? 0 : each(base, ".", &top, context);
	while (walk->depth > 0) {
		const struct dirent *entry = readdir(walk->dir[walk->depth - 1]);

		if (entry == NULL && walk->again[walk->depth - 1]) {
			walk->again[walk->depth - 1] = false;
			rewinddir(walk->dir[walk->depth - 1]);
		} else if (entry == NULL)
			failed |= visit_done(walk, each, context);
		else if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			failed |= visit_entry(walk, entry->d_name, each, context);
	}
	return failed;
}

int ces_tree_empty(int dirfd)
{
	return walk_below(dirfd, false, remove_one, NULL);
}

int ces_tree_discard(int dirfd)
{
	return walk_below(dirfd, true, remove_one, NULL);
}

/* Only a regular file or a directory gets another mode, and by its own descriptor: a link could
 * lead to a file that its owner keeps to themselves. No file keeps a setuid or setgid bit. */
static int set_mode(int parent, const char *name, mode_t file, mode_t directory)
{
	CES_CLEANUP_FD int fd =
	    openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
		return -1;
	return fchmod(fd, (st.st_mode & 0777) | (S_ISDIR(st.st_mode) ? directory : file));
}

struct owner {
	uid_t uid;
	gid_t gid, shared;
};

/* Inside, a container's root is the user, and its mounts are nosuid. On the host, a setuid file of
 * the user's would make anybody who may execute it the user. The kernel takes such a bit from a
 * file that gets another owner (chown(2)). */
static int lose_bits(int parent, const char *name, const struct stat *st)
{
	return S_ISREG(st->st_mode) && (st->st_mode & (S_ISUID | S_ISGID)) != 0
		   ? set_mode(parent, name, 0, 0)
		   : 0;
}

/* In the run's namespace the project's groups come after the ids of images
 * (helper/session/idmap.h). A shared directory gives such a group to what is made in it, and the
 * group stays: its members may read the file. A group that is in no map stays too: it is shown as
 * 65534, and nobody here can change it. A group of the project's that has another place in the map
 * (ces_idmap_make_own) stays where the directory of the outputs has it: such files may be older
 * than the run. */
static int chown_one(int parent, const char *name, const struct stat *st, void *context)
{
	const struct owner *owner = context;
	bool stays = st->st_gid >= CES_IDMAP_PROJECT_GID ||
		     (owner->shared != 0 && st->st_gid == owner->shared);
	gid_t gid = stays ? st->st_gid : owner->gid;

	if ((st->st_uid == owner->uid && st->st_gid == gid) ||
	    fchownat(parent, name, owner->uid, gid, AT_SYMLINK_NOFOLLOW) == 0)
		return lose_bits(parent, name, st);
	return st->st_gid == 65534 && st->st_uid == owner->uid ? 0 : -1;
}

int ces_tree_chown(int dirfd, uid_t uid, gid_t gid, gid_t shared)
{
	struct stat top;

	if (fstat(dirfd, &top) < 0)
		return -1;
	if (top.st_gid != shared)
		shared = 0;
	return walk_below(dirfd, false, chown_one, &(struct owner){uid, gid, shared});
}

static int share_one(int parent, const char *name, const struct stat *st, void *context)
{
	(void)context;
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
		return 0;
	return set_mode(parent, name, 0444, 0555);
}

int ces_tree_share(int dirfd)
{
	return walk_below(dirfd, false, share_one, NULL);
}
