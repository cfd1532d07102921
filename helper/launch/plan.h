/* A run's plan: everything that setting the run up needs; nothing in it is still to be decided. */
#ifndef CES_HELPER_LAUNCH_PLAN_H
#define CES_HELPER_LAUNCH_PLAN_H

#include <sys/mount.h>

#include "common/inside.h"
#include "helper/launch/cgroup.h"
#include "helper/launch/gpu.h"
#include "helper/session/idmap.h"
#include "helper/session/selinux.h"
#include "helper/session/session.h"

struct ces_plan_mount {
	int fd;                  /* opened with the caller's rights */
	const char *destination; /* in the container */
	bool read_only;
	bool file; /* not a directory */
};

#define CES_PLAN_MOUNTS CES_INSIDE_MOUNTS

/* The first three of the mounts. */
enum { CES_PLAN_DATA, CES_PLAN_OUTPUTS, CES_PLAN_SCRATCH };

/* The mounted directory, inside a scratch directory of the run's own. */
#define CES_PLAN_SHARED "/scratch"

struct ces_plan {
	const char *run;
	const struct ces_session *session;
	const struct ces_decision *decision;
	struct ces_image_record *image; /* common/image.h */
	struct ces_idmap map;
	uint32_t uid, gid; /* of the process, inside */
	char hostname[32]; /* "ces-<run>" */
	const char *runtime;
	bool runc;    /* the runtime is runc: no precompiled filter, other flags */
	char *filter; /* of system calls, compiled, in base64: crun is given it, the proof asks for
			 it */
	bool tty;
	unsigned rows, columns; /* of the terminal, when it starts */
	struct ces_plan_mount mounts[CES_PLAN_MOUNTS];
	size_t n_mounts;
	char display[40]; /* the socket of an X display, here and in the container; "": none */
	struct ces_gpus gpus;
	struct ces_selinux selinux;
	char outputs[1100], scratch[1100]; /* host paths, {run} filled in */
	int scratch_dir; /* the directory at the path, if it is a run's own; the mount is inside it;
			    -1 */
	int kept;        /* the run's record on the disk, until it is synced; -1 */
	int withheld;    /* where the outputs wait until they pass their check; -1 */
	int outputs_parent, scratch_parent; /* for removing them when the host's tree is gone; -1 */
};

#endif
