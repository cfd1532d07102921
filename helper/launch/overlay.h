/* The overlay that is a container's root, and the marks in layers that it obeys. Root of the host
 * mounts it: only then are the marks trusted.* attributes (overlayfs.rst, "userxattr"). A tmpfs has
 * these on every kernel, no image brings them (ces-unpack cannot set them), and no container can
 * write or read them. A mount by the container itself would need user.* attributes for the marks. A
 * tmpfs has those since Linux 6.6: before, a directory of an image could not be removed. */
#ifndef CES_HELPER_LAUNCH_OVERLAY_H
#define CES_HELPER_LAUNCH_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

/* Makes a directory below fs (an unpacked layer that nobody writes any more) hide what lower layers
 * have in it. The path comes from an unpacker: whatever it is, the function marks a directory of
 * the same layer or refuses the layer. */
int ces_overlay_mark(int fs, const char *path, struct ces_error *err);

/* Does the root of this layer hide everything below it? overlayfs itself ignores the mark there. */
bool ces_overlay_is_bottom(int layer);

/* Mounts, in the tree below root (an absolute path), at m: the n layers l/0, the highest, l/1 and
 * so on above the empty e, upper directory u/u, work directory u/w. context: SELinux's for every
 * file of the mount, or "". */
int ces_overlay_mount(const char *root, const char *context, size_t n, struct ces_error *err);

#endif
