/* Writes entries, each by its name in a directory that walk.c opened. Must not follow a symlink,
 * make a device other than the whiteout 0:0, or set a set-user-ID or set-group-ID bit. */
#include "helper/unpack/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "common/cleanup.h"

#define MODE_KEPT 01777

struct directory {
	struct directory *next;
	struct ces_tree_meta meta;
	char real[];
};

struct ces_tree {
	struct ces_walk *walk;
	struct directory *directories, **end; /* its owner, mode and time are still to be set */
};

int ces_tree_open(int root, uint64_t max_entries, struct ces_tree **ret, struct ces_error *err)
{
	struct ces_tree *tree = calloc(1, sizeof(*tree));

	if (tree == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	tree->end = &tree->directories;
	if (ces_walk_open(root, max_entries, &tree->walk, err) < 0) {
		free(tree);
		return -1;
	}
	*ret = tree;
	return 0;
}

void ces_tree_close(struct ces_tree *tree)
{
	if (tree == NULL)
		return;
	while (tree->directories != NULL) {
		struct directory *first = tree->directories;

		tree->directories = first->next;
		free(first);
	}
	ces_walk_close(tree->walk);
	free(tree);
}

uint64_t ces_tree_entries(const struct ces_tree *tree)
{
	return ces_walk_counted(tree->walk);
}

/* Where an entry goes: the directory it is made in, and its name there. */
struct place {
	int directory;
	const char *name;
	const struct ces_path *real; /* of the directory */
};

static int find_place(struct ces_tree *tree, const struct ces_path *path, struct place *ret,
		      struct ces_error *err)
{
	struct ces_path parent;

	if (path->depth == 0)
		return ces_error_set(err, CES_E_IMAGE, "only a directory can be the root");
	if (ces_walk_count(tree->walk, err) < 0)
		return -1;
	ces_path_parent(path, &parent);
	ret->name = path->text + path->name;
	return ces_walk_directory(tree->walk, &parent, true, &ret->directory, &ret->real, err);
}

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

/* Removes what has the entry's name: anything but a directory, or an empty directory. */
static int clear(struct ces_tree *tree, const struct place *place, struct ces_error *err)
{
	struct stat st;

	if (fstatat(place->directory, place->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ces_walk_failed(err, "look at an earlier entry");
	if (unlinkat(place->directory, place->name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) < 0) {
		if (errno == ENOTEMPTY || errno == EEXIST)
			return ces_error_set(err, CES_E_IMAGE,
					     "it replaces a directory that is not empty");
		return ces_walk_failed(err, "replace an earlier entry");
	}
	/* (the kept directories may have been reached through it) */
	if (S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode))
		ces_walk_forget(tree->walk);
	return 0;
}

/* After clear() the place must be looked up again: its fd may be closed by then. */
static int clear_and_find(struct ces_tree *tree, const struct ces_path *path, struct place *place,
			  struct ces_error *err)
{
	struct ces_path parent;

	if (clear(tree, place, err) < 0)
		return -1;
	ces_path_parent(path, &parent);
	return ces_walk_directory(tree->walk, &parent, true, &place->directory, &place->real, err);
}

static int create(const struct place *place, mode_t mode)
{
	return openat(place->directory, place->name,
		      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & MODE_KEPT);
}

int ces_tree_file(struct ces_tree *tree, const struct ces_path *path,
		  const struct ces_tree_meta *meta, int *ret_fd, struct ces_error *err)
{
	struct place place = {-1, "", NULL};
	int fd;

	if (find_place(tree, path, &place, err) < 0)
		return -1;
	fd = create(&place, meta->mode);
	if (fd < 0 && errno == EEXIST) {
		if (clear_and_find(tree, path, &place, err) < 0)
			return -1;
		fd = create(&place, meta->mode);
	}
	if (fd < 0)
		return ces_walk_failed(err, "make a file");
	*ret_fd = fd;
	return 0;
}

int ces_tree_seal(int *fd, const struct ces_tree_meta *meta, struct ces_error *err)
{
	CES_CLEANUP_FD int file = ces_steal_fd(fd);
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, meta->mtime};

	/* (new files are already root's) */
	if ((meta->uid != 0 || meta->gid != 0) && fchown(file, meta->uid, meta->gid) < 0)
		return ces_walk_failed(err, "give a file its owner");
	if (futimens(file, times) < 0)
		return ces_walk_failed(err, "give a file its time");
	return 0;
}

static int remember(struct ces_tree *tree, const char *real, const struct ces_tree_meta *meta,
		    struct ces_error *err)
{
	size_t size = strlen(real) + 1;
	struct directory *directory = malloc(sizeof(*directory) + size);

	if (directory == NULL)
		return ces_error_set(err, CES_E_LIMIT, "the layer has too many directories");
	directory->next = NULL;
	directory->meta = *meta;
	memcpy(directory->real, real, size);
	*tree->end = directory;
	tree->end = &directory->next;
	return 0;
}

/* Makes the last component a directory, whatever was there before. */
static int make_directory(struct ces_tree *tree, const struct ces_path *path, struct place *place,
			  struct ces_error *err)
{
	const struct ces_path *real;
	struct stat st;
	int fd;

	if (mkdirat(place->directory, place->name, 0755) == 0)
		return 0;
	if (errno != EEXIST)
		return ces_walk_failed(err, "make a directory");
	if (fstatat(place->directory, place->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ces_walk_failed(err, "look at an earlier entry");
	if (S_ISDIR(st.st_mode))
		return 0;
	if (clear_and_find(tree, path, place, err) < 0)
		return -1;
	if (mkdirat(place->directory, place->name, 0755) < 0)
		return ces_walk_failed(err, "make a directory");
	if (!is_whiteout(&st))
		return 0;
	if (ces_walk_directory(tree->walk, path, false, &fd, &real, err) < 0)
		return -1;
	return ces_walk_make_opaque(tree->walk, real, fd, err);
}

int ces_tree_directory(struct ces_tree *tree, const struct ces_path *path,
		       const struct ces_tree_meta *meta, struct ces_error *err)
{
	struct ces_path whole;
	struct place place = {-1, "", NULL};

	if (path->depth == 0)
		return remember(tree, "", meta, err);
	if (find_place(tree, path, &place, err) < 0 || make_directory(tree, path, &place, err) < 0)
		return -1;
	whole = *place.real;
	if (ces_path_push(&whole, place.name, strlen(place.name), err) < 0)
		return -1;
	return remember(tree, whole.text, meta, err);
}

int ces_tree_symlink(struct ces_tree *tree, const struct ces_path *path, const char *target,
		     const struct ces_tree_meta *meta, struct ces_error *err)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, meta->mtime};
	struct place place = {-1, "", NULL};
	int failed;

	if (target[0] == '\0')
		return ces_error_set(err, CES_E_IMAGE, "it is a symlink to nothing");
	if (find_place(tree, path, &place, err) < 0)
		return -1;
	failed = symlinkat(target, place.directory, place.name);
	if (failed != 0 && errno == EEXIST) {
		if (clear_and_find(tree, path, &place, err) < 0)
			return -1;
		failed = symlinkat(target, place.directory, place.name);
	}
	if (failed != 0)
		return ces_walk_failed(err, "make a symlink");
	if ((meta->uid != 0 || meta->gid != 0) &&
	    fchownat(place.directory, place.name, meta->uid, meta->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return ces_walk_failed(err, "give a symlink its owner");
	if (utimensat(place.directory, place.name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return ces_walk_failed(err, "give a symlink its time");
	return 0;
}

/* The file that a hard link names: in this layer, and not through a final symlink. */
static int find_target(struct ces_tree *tree, const struct ces_path *target, struct place *ret,
		       struct stat *ret_st, struct ces_error *err)
{
	struct ces_path parent;

	ces_path_parent(target, &parent);
	ret->name = target->text + target->name;
	if (ces_walk_directory(tree->walk, &parent, false, &ret->directory, &ret->real, err) < 0)
		return -1;
	if (target->depth == 0 || ret->directory < 0 ||
	    fstatat(ret->directory, ret->name, ret_st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    (!S_ISREG(ret_st->st_mode) && !S_ISLNK(ret_st->st_mode)))
		return ces_error_set(
		    err, CES_E_IMAGE,
		    "it is a hard link to \"%.200s\", which is not a file of this layer",
		    target->text);
	return 0;
}

int ces_tree_link(struct ces_tree *tree, const struct ces_path *path, const struct ces_path *target,
		  struct ces_error *err)
{
	struct place place = {-1, "", NULL}, from = {-1, "", NULL};
	struct stat target_st = {0}, st;

	if (find_place(tree, path, &place, err) < 0 ||
	    find_target(tree, target, &from, &target_st, err) < 0)
		return -1;
	if (linkat(from.directory, from.name, place.directory, place.name, 0) == 0)
		return 0;
	if (errno != EEXIST)
		return ces_walk_failed(err, "make a hard link");
	/* A link to itself, or written twice: replacing the file would lose it. */
	if (fstatat(place.directory, place.name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_ino == target_st.st_ino)
		return 0;
	if (clear_and_find(tree, path, &place, err) < 0 ||
	    find_target(tree, target, &from, &target_st, err) < 0)
		return -1;
	if (linkat(from.directory, from.name, place.directory, place.name, 0) < 0)
		return ces_walk_failed(err, "make a hard link");
	return 0;
}

int ces_tree_whiteout(struct ces_tree *tree, const struct ces_path *path, struct ces_error *err)
{
	const struct ces_path *real;
	struct place place = {-1, "", NULL};
	struct stat st;
	int fd;

	if (find_place(tree, path, &place, err) < 0)
		return -1;
	if (mknodat(place.directory, place.name, S_IFCHR, 0) == 0)
		return 0;
	if (errno != EEXIST)
		return ces_walk_failed(err, "make a whiteout");
	if (fstatat(place.directory, place.name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ces_walk_failed(err, "look at an earlier entry");
	if (!S_ISDIR(st.st_mode))
		return 0;
	if (ces_walk_directory(tree->walk, path, false, &fd, &real, err) < 0)
		return -1;
	return ces_walk_make_opaque(tree->walk, real, fd, err);
}

int ces_tree_opaque(struct ces_tree *tree, const struct ces_path *path, struct ces_error *err)
{
	const struct ces_path *real;
	int fd;

	if (ces_walk_directory(tree->walk, path, true, &fd, &real, err) < 0)
		return -1;
	return ces_walk_make_opaque(tree->walk, real, fd, err);
}

void ces_tree_take_opaque(struct ces_tree *tree, struct ces_strings *ret)
{
	ces_walk_take_opaque(tree->walk, ret);
}

static int settle(int fd, const struct ces_tree_meta *meta, struct ces_error *err)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, meta->mtime};

	/* Owner first: a change of owner may clear mode bits. */
	if (fchown(fd, meta->uid, meta->gid) < 0 || fchmod(fd, meta->mode & MODE_KEPT) < 0 ||
	    futimens(fd, times) < 0)
		return ces_walk_failed(err, "give a directory its owner, mode and time");
	return 0;
}

int ces_tree_finish(struct ces_tree *tree, struct ces_error *err)
{
	for (const struct directory *directory = tree->directories; directory != NULL;
	     directory = directory->next) {
		CES_CLEANUP_FD int fd = ces_walk_reopen(tree->walk, directory->real);

		/* A later entry may have put something else in its place. */
		if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
			continue;
		if (fd < 0)
			return ces_walk_failed(err, "open a directory");
		if (settle(fd, &directory->meta, err) < 0)
			return ces_error_context(err, "entry \"%.200s\"", directory->real);
	}
	return 0;
}
