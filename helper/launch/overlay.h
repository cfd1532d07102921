/* The overlay that is a container's root, and the marks in layers that it obeys. It is mounted by
 * root of the host: only then are the marks trusted.* attributes (overlayfs.rst, "userxattr"),
 * which a tmpfs has on every kernel, which no image brings (ces-unpack cannot set them), and which
 * no container can write or read. A mount of the container's own would need user.* attributes for
 * them, which a tmpfs has since Linux 6.6: before, a directory of an image could not be removed. */
#ifndef CES_HELPER_LAUNCH_OVERLAY_H
#define CES_HELPER_LAUNCH_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

/* Makes a directory below fs (an unpacked layer that nobody writes any more) hide what lower layers
 * have in it. The path is an unpacker's word: whatever it is, a directory of the same layer is
 * marked or the layer refused. */
int ces_overlay_mark(int fs, const char *path, struct ces_error *err);

/* Does this layer's root hide all that is below? overlayfs itself takes no notice of that mark
 * there. */
bool ces_overlay_is_bottom(int layer);

/* Mounts, in the tree below root (an absolute path), at m: the layers l/<lowest> to l/<n-1>, above
 * them t, upper directory u/u, work directory u/w. context: SELinux's for every file of the
 * mount, or "". */
int ces_overlay_mount(const char *root, const char *context, size_t lowest, size_t n,
		      struct ces_error *err);

#endif
