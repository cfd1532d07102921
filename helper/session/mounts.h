/* Mounts by fd: detached copies of the tree at an fd, with their flags and their places. Sources:
 * open_tree(2), mount_setattr(2), move_mount(2). */
#ifndef CES_HELPER_SESSION_MOUNTS_H
#define CES_HELPER_SESSION_MOUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

/* Makes a private, nosuid, nodev copy of the mount tree at fd. The copy is recursive, so that a
 * directory under a mount stays hidden. read_only holds for the whole tree. userns >= 0: the
 * (single) mount shows its ids through that namespace's map. */
int ces_mount_clone(int fd, bool read_only, int userns, int *ret, struct ces_error *err);

/* Makes a new tmpfs, detached: at most bytes and inodes, mode 0755. dev: device nodes work on
 * it. */
int ces_mount_tmpfs(uint64_t bytes, uint64_t inodes, bool dev, int *ret, struct ces_error *err);

/* Attaches a detached mount at path below dirfd. */
int ces_mount_attach(int mount, int dirfd, const char *path, struct ces_error *err);

#endif
