/* The cgroup of a run: ces/<uid>/<run> below each hierarchy, made and removed here. On a unified
 * host (cgroup v2) there is one hierarchy; on a hybrid one v2 holds and kills the processes and
 * carries the device program, and v1 limits what v2 has no controllers for. Source:
 * Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/. */
#ifndef CES_HELPER_CGROUP_H
#define CES_HELPER_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"
#include "policy/policy.h"

#define CES_CGROUP_V1 4 /* memory, cpu, cpuacct, pids */

struct ces_cgroup {
	int root;                   /* of v2 */
	int v2;                     /* directory of the run in v2 */
	int v1_root[CES_CGROUP_V1]; /* -1: not a v1 controller here */
	int v1[CES_CGROUP_V1];
	char path[64]; /* "ces/<uid>/<run>" */
	bool left;     /* see ces_cgroup_leave_session */
};

#define CES_CGROUP_NONE                                                                            \
	{                                                                                          \
		-1, -1, {-1, -1, -1, -1}, {-1, -1, -1, -1}, "", false                              \
	}

/* Makes the cgroup and sets its limits. Refuses a host on which a limit would not hold. */
int ces_cgroup_make(uid_t uid, const char *run, const struct ces_policy_limits *limits,
		    struct ces_cgroup *ret, struct ces_error *err);

/* For a detached run: takes this process out of the cgroup of a login session, so that the end of
 * the session does not end it. Elsewhere it stays where it is. */
int ces_cgroup_leave_session(struct ces_cgroup *cgroup, struct ces_error *err);

/* Puts the calling process, born in v2, into the v1 hierarchies too. It writes "0" for itself into
 * `tasks`: for that the kernel does not take the lock under which every fork on the machine waits
 * (kernel/cgroup/cgroup.c, cgroup_procs_write_start); moving it from outside would cost
 * milliseconds. 0, or -1 with errno. */
int ces_cgroup_join(const struct ces_cgroup *cgroup);

/* Ends every process in it. */
void ces_cgroup_kill(const struct ces_cgroup *cgroup);

struct ces_cgroup_usage {
	uint64_t peak_memory; /* bytes; 0 = unknown */
	uint64_t cpu_us;
	bool out_of_memory;    /* the kernel killed something in it at the limit */
	bool out_of_processes; /* a fork in it failed at the limit */
};
void ces_cgroup_read(const struct ces_cgroup *cgroup, struct ces_cgroup_usage *ret);

/* Removes it (its processes are gone), and its parents when they are empty. */
void ces_cgroup_remove(struct ces_cgroup *cgroup);

/* For a run that died: kills and removes what is left of it. */
void ces_cgroup_clear(uid_t uid, const char *run);

#endif
