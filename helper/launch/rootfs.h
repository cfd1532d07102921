/* The file tree of a run: built as root in the helper's private mount namespace, then everything
 * else is left.
 *
 *   /l/0 ..  the image's layers, id-mapped, read-only       /d/0 ..  data, outputs, scratch, binds
 *   /e       an empty directory, below all layers           /dev     the nodes granted
 *   /u       tmpfs of limited size: upper and work          /bundle  config.json
 *   /m       the overlay of these                           /usr     the host's, for the runtime
 */
#ifndef CES_HELPER_LAUNCH_ROOTFS_H
#define CES_HELPER_LAUNCH_ROOTFS_H

#include "helper/launch/plan.h"

/* Leaves the host's mount namespace for a private copy. Mounts opened before cannot be cloned
 * afterwards. */
int ces_rootfs_unshare(struct ces_error *err);

/* Builds the tree on a tmpfs, *ret_root. userns: the container's; the layers are mounted through
 * its id map. */
int ces_rootfs_build(const struct ces_plan *plan, int userns, const struct ces_cgroup *cgroup,
		     int *ret_root, struct ces_error *err);

/* Makes the tree the root of this mount namespace, for every process in it; the host's tree is
 * gone. */
int ces_rootfs_enter(int root, struct ces_error *err);

#endif
