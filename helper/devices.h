/* The device nodes of a run: which, and the cgroup's program that denies all others. */
#ifndef CES_HELPER_DEVICES_H
#define CES_HELPER_DEVICES_H

#include <sys/types.h>

#include "common/error.h"

/* Loads a program (BPF_PROG_TYPE_CGROUP_DEVICE) that allows reading and writing the listed nodes,
 * no mknod, and nothing else, and attaches it to the v2 cgroup. It also holds in a hybrid layout:
 * programs belong to v2. */
int ces_devices_confine(int cgroup, struct ces_error *err);

/* Fills an empty directory on a file system that allows device nodes with the nodes, links and
 * mount points of a container's /dev. owner, group: host ids of the run's user, whose console file
 * a terminal is bound to. */
int ces_devices_make(int dev, uid_t owner, gid_t group, struct ces_error *err);

#endif
