/* Makes and removes the cgroup of a run: ces/<uid>/<run> at its place in each hierarchy
 * (helper/launch/parent.h). The user's cgroup above it limits all of that user's runs together. A
 * unified host (cgroup v2) has one hierarchy. On a hybrid host v2 holds and kills the processes and
 * carries the device program, and v1 sets the limits that v2 has no controllers for. Source:
 * Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/. */
#ifndef CES_HELPER_LAUNCH_CGROUP_H
#define CES_HELPER_LAUNCH_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"
#include "common/event.h"
#include "common/record.h"
#include "helper/launch/parent.h"

struct ces_cgroup {
	int root[CES_HIERARCHIES]; /* of the hierarchies; -1: this machine has no such one */
	int dir[CES_HIERARCHIES];  /* the run's directory in each */
	struct ces_parent place;
	char name[48];         /* "ces/<uid>/<run>" */
	uint64_t user_refused; /* forks refused at the user's total before this run */
	bool left;             /* see ces_cgroup_leave_session */
};

#define CES_CGROUP_NONE                                                                            \
	{                                                                                          \
		.root = {-1, -1, -1, -1}, .dir = {-1, -1, -1, -1},                                 \
	}

/* Finds the place of a new run and makes nothing. The record names the place first, so that the
 * helper that clears the run after a crash knows where to look. */
int ces_cgroup_find(const struct ces_host *host, uid_t uid, const char *run, struct ces_cgroup *ret,
		    struct ces_error *err);

/* The places, for the run's record (ces_run_record.cgroups); v has room for CES_HIERARCHIES. */
void ces_cgroup_record(const struct ces_cgroup *cgroup, char *v[], struct ces_strings *ret);

/* Makes the cgroup and sets its limits, and those of all of the user's runs together (0: none).
 * Refuses a host on which a limit would not hold. */
int ces_cgroup_make(struct ces_cgroup *cgroup, const struct ces_policy_limits *limits,
		    const struct ces_policy_limits *user, struct ces_error *err);

/* For a detached run: moves this process out of the cgroup of a login session, so that the end of
 * the session does not end it. Outside a session the process stays where it is. */
int ces_cgroup_leave_session(struct ces_cgroup *cgroup, struct ces_error *err);

/* Puts the calling process, born in v2, into the v1 hierarchies too. It writes "0" for itself into
 * `tasks`: then the kernel does not take the lock under which every fork on the machine waits
 * (kernel/cgroup/cgroup.c, cgroup_procs_write_start). Moving it from outside would cost
 * milliseconds. 0, or -1 with errno. */
int ces_cgroup_join(const struct ces_cgroup *cgroup);

/* Kills every process in it. */
void ces_cgroup_kill(const struct ces_cgroup *cgroup);

struct ces_cgroup_usage {
	uint64_t peak_memory; /* bytes; 0 = unknown */
	uint64_t cpu_us;
	bool out_of_memory; /* the kernel killed something in it at a limit */
	enum ces_limit_whose memory;
	bool out_of_processes; /* a fork in it failed at a limit */
	enum ces_limit_whose processes;
};
void ces_cgroup_read(const struct ces_cgroup *cgroup, const struct ces_policy_limits *limits,
		     struct ces_cgroup_usage *ret);

/* Removes the cgroup (its processes are gone), and its parents when they are empty, up to the
 * place. Returns whether it is gone from each hierarchy. */
bool ces_cgroup_remove(struct ces_cgroup *cgroup);

/* For a run that died: kills and removes what is left. Returns whether it is gone: a process that
 * the kernel cannot end yet, such as one that waits in a driver, keeps its cgroup and its open
 * devices. */
bool ces_cgroup_clear(const struct ces_run_record *record);

#endif
