/* The entries of a layer, written below one directory and nowhere else. */
#ifndef CES_UNPACK_TREE_H
#define CES_UNPACK_TREE_H

#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include "helper/unpack/path.h"
#include "helper/unpack/walk.h"

struct ces_tree;

struct ces_tree_meta {
	mode_t mode; /* permission bits and sticky; anything else is ignored */
	uid_t uid;
	gid_t gid;
	struct timespec mtime;
};

/* root (borrowed) must be an empty directory. The umask must be 0. */
int ces_tree_open(int root, uint64_t max_entries, struct ces_tree **ret, struct ces_error *err);
void ces_tree_close(struct ces_tree *tree);

/* An entry replaces an earlier one of the same name, but never a directory with something in it. */

/* Makes an empty file and returns it open for writing; ces_tree_seal gives it owner and time and
 * closes it. */
int ces_tree_file(struct ces_tree *tree, const struct ces_path *path,
		  const struct ces_tree_meta *meta, int *ret_fd, struct ces_error *err);
int ces_tree_seal(int *fd, const struct ces_tree_meta *meta, struct ces_error *err);

/* Owner, mode and time of directories are set by ces_tree_finish, so that entries written below
 * cannot change them again. */
int ces_tree_directory(struct ces_tree *tree, const struct ces_path *path,
		       const struct ces_tree_meta *meta, struct ces_error *err);

/* The target is text. It must never be looked at or followed. */
int ces_tree_symlink(struct ces_tree *tree, const struct ces_path *path, const char *target,
		     const struct ces_tree_meta *meta, struct ces_error *err);

/* Makes a second name for a file or symlink of this layer. */
int ces_tree_link(struct ces_tree *tree, const struct ces_path *path, const struct ces_path *target,
		  struct ces_error *err);

/* Hides `path` of lower layers (overlayfs: a character device 0:0). An entry of this layer wins
 * over it; a directory of this layer then becomes opaque. */
int ces_tree_whiteout(struct ces_tree *tree, const struct ces_path *path, struct ces_error *err);

/* Hides what lower layers have in the directory `path`; see ces_walk_make_opaque. */
int ces_tree_opaque(struct ces_tree *tree, const struct ces_path *path, struct ces_error *err);
void ces_tree_take_opaque(struct ces_tree *tree, struct ces_strings *ret);

int ces_tree_finish(struct ces_tree *tree, struct ces_error *err);

uint64_t ces_tree_entries(const struct ces_tree *tree);

#endif
