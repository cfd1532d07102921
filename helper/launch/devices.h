/* The device nodes of a run, and the cgroup's program that denies all others. */
#ifndef CES_HELPER_LAUNCH_DEVICES_H
#define CES_HELPER_LAUNCH_DEVICES_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/error.h"

/* A character device in addition to those that every container has. */
struct ces_device {
	char path[64]; /* below /dev: "nvidia0", "dri/renderD128" */
	unsigned major, minor;
	bool read_only;
};

/* Loads a program (BPF_PROG_TYPE_CGROUP_DEVICE) and attaches it to the v2 cgroup. It allows opening
 * the standard nodes and the n given, no mknod, and nothing else. It also holds in a hybrid layout:
 * programs belong to v2. */
int ces_devices_confine(int cgroup, const struct ces_device *more, size_t n, struct ces_error *err);

/* Fills an empty directory with the nodes, links and mount points of a container's /dev, and the n
 * nodes given. Call with no umask; the file system must allow device nodes. owner, group: host ids
 * of the run's user, whose console file a terminal is bound to. */
int ces_devices_make(int dev, uid_t owner, gid_t group, const struct ces_device *more, size_t n,
		     struct ces_error *err);

#endif
