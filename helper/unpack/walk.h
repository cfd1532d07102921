/* Opens directories of the layer by name, makes missing ones, and keeps them open for a while. */
#ifndef CES_UNPACK_WALK_H
#define CES_UNPACK_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/wire.h"
#include "helper/unpack/path.h"

struct ces_walk;

/* root is borrowed. At most max_entries of directories are made (see ces_walk_count). */
int ces_walk_open(int root, uint64_t max_entries, struct ces_walk **ret, struct ces_error *err);
void ces_walk_close(struct ces_walk *walk);

/* Counts one more file system object. CES_E_LIMIT if it is one too many. */
int ces_walk_count(struct ces_walk *walk, struct ces_error *err);
uint64_t ces_walk_counted(const struct ces_walk *walk);

/* The directory `path` as an fd (readable, borrowed, valid for the next few calls), and its real
 * path. It follows symlinks of this layer with the layer's root as "/", and must never leave the
 * layer. With `create` it makes missing directories (0755, root); otherwise *ret is -1 and the
 * result 0. */
int ces_walk_directory(struct ces_walk *walk, const struct ces_path *path, bool create, int *ret,
		       const struct ces_path **ret_real, struct ces_error *err);

/* Call it after removing a directory or symlink: a directory that is kept open may be elsewhere
 * now. */
void ces_walk_forget(struct ces_walk *walk);

/* Opens a directory by its real path, without following any symlink. -1 with errno. */
int ces_walk_reopen(struct ces_walk *walk, const char *real);

/* Makes a directory (open as fd, really at `real`) hide the contents of lower layers. It marks the
 * directory for the job that looks for the image's user, and keeps its path for the helper: only
 * the helper can set the mark that the kernel obeys. CES_E_LIMIT if they are too many for an
 * answer. */
int ces_walk_make_opaque(struct ces_walk *walk, const struct ces_path *real, int directory,
			 struct ces_error *err);

/* Hands over the kept paths (each and the list malloc'd), without those whose directory was
 * removed. */
void ces_walk_take_opaque(struct ces_walk *walk, struct ces_strings *ret);

/* Turns errno into "cannot <what>: ..." with the right code: the image's fault or this
 * machine's. */
int ces_walk_failed(struct ces_error *err, const char *what);

#endif
