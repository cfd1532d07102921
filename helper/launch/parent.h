/* The place of a run's cgroup in each hierarchy of this machine (host.cgroup_parent of the policy).
 * "auto" tries, in this order: below the batch job (Slurm's) that the caller is in, whose limits
 * and devices then hold for the run as for the rest of the job; in the cgroup that systemd has
 * delegated to ces.service, where that is active; at the hierarchy's root. */
#ifndef CES_HELPER_LAUNCH_PARENT_H
#define CES_HELPER_LAUNCH_PARENT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "helper/core/order.h"

/* Hierarchies: v2 first, then the v1 controllers that limit a run. */
enum ces_hierarchy {
	CES_HIERARCHY_V2,
	CES_HIERARCHY_MEMORY,
	CES_HIERARCHY_CPU,
	CES_HIERARCHY_PIDS,
	CES_HIERARCHIES
};

#define CES_PARENT_MAX 400 /* also the cap in the run record, common/form_record.c */

struct ces_parent {
	/* a cgroup below the hierarchy's root, "" for the root itself; no slash at either end */
	char path[CES_HIERARCHIES][CES_PARENT_MAX];
	bool job;     /* one is a batch job's */
	bool session; /* this process is in the cgroup of a login session, see below */
};

/* The controller by which /proc/PID/cgroup names a hierarchy of v1; "" for v2. */
extern const char *const ces_hierarchy_names[CES_HIERARCHIES];

/* The path of the hierarchy, without its leading slash, in the text of a /proc/PID/cgroup
 * ("ID:CONTROLLER,...:PATH" a line; version 2 has the ID 0 and no controllers: cgroups(7)); NULL if
 * it has no such line. */
const char *ces_parent_path(const char *text, enum ces_hierarchy which, size_t *ret_length);

/* roots: fds of the hierarchies' roots, -1 where this machine has none. The function reads from the
 * kernel which cgroups this process, the caller's child, is in. Where anyone but root can move the
 * process, the cgroup does not count as a job (see ces_parent_is_job). It makes nothing.
 *
 * The end of a login session ends all processes in its cgroup, below user.slice (logind.conf(5),
 * KillUserProcesses). A batch job has another cgroup, which no process may leave before the job
 * ends. */
int ces_parent_find(const struct ces_host *host, const int roots[CES_HIERARCHIES],
		    struct ces_parent *ret, struct ces_error *err);

/* Finds the part of path, as /proc/PID/cgroup gives it, that names a Slurm job: the ends of its
 * job, step and user parts, deepest last. Returns how many there are (0: it is no job's). The names
 * are those that slurmd makes: cgroup v2 SCOPE/job_N/step_X/user (SCOPE: slurmstepd.scope or
 * NODE_slurmstepd.scope), v1 /slurm/uid_U/job_N/step_X (or /slurm_NODE). Source: cgroup_v2 page of
 * Slurm's documentation and cgroup.conf(5). Pure. The names alone prove nothing, since a user to
 * whom systemd has delegated a cgroup can make any name in it: the calling function checks whose
 * the directories are. */
#define CES_PARENT_DEPTHS 3
size_t ces_parent_is_job(const char *path, bool v2, size_t ret_ends[CES_PARENT_DEPTHS]);

#endif
