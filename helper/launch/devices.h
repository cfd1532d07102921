/* The device nodes of a run: which, and the cgroup's program that denies all others. */
#ifndef CES_HELPER_LAUNCH_DEVICES_H
#define CES_HELPER_LAUNCH_DEVICES_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/error.h"
#include "helper/session/json.h"

/* A character device beside those that every container has. */
struct ces_device {
	char path[64]; /* below /dev: "nvidia0", "dri/renderD128" */
	unsigned major, minor;
	bool read_only;
};

/* Loads a program (BPF_PROG_TYPE_CGROUP_DEVICE) that allows opening the standard nodes and the n
 * given, no mknod, and nothing else, and attaches it to the v2 cgroup. It also holds in a hybrid
 * layout: programs belong to v2. */
int ces_devices_confine(int cgroup, const struct ces_device *more, size_t n, struct ces_error *err);

/* (With no umask.) Fills an empty directory on a file system that allows device nodes with the
 * nodes, links and mount points of a container's /dev, and the n nodes given. owner, group: host
 * ids of the run's user, whose console file a terminal is bound to. */
int ces_devices_make(int dev, uid_t owner, gid_t group, const struct ces_device *more, size_t n,
		     struct ces_error *err);

/* Holds a container's /dev to it: the standard nodes and the n given, with these numbers, and
 * nothing else that is a device (a terminal at /dev/console apart). The names found are added to
 * the array. */
int ces_devices_check(int dev, const struct ces_device *more, size_t n, struct ces_json *found,
		      struct ces_error *err);

#endif
