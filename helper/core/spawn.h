/* Starting other processes with less: the workers. */
#ifndef CES_HELPER_CORE_SPAWN_H
#define CES_HELPER_CORE_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"

struct ces_process {
	pid_t pid; /* 0: none */
	int pidfd;
};

#define CES_PROCESS_NONE                                                                           \
	{                                                                                          \
		0, -1                                                                              \
	}

/* How a worker is to run. */
struct ces_spawn {
	const char *path; /* constant, absolute */
	uid_t uid;        /* of the worker; inside userns where one is given */
	gid_t gid;
	int userns; /* -1: the host's, and its network; otherwise also fresh mount, pid, network,
		       ipc, uts namespaces */
	int netns;  /* a network namespace to be in instead of this process's; 0: none */
	const int *fds; /* become 3, 4, ...; -1 becomes /dev/null */
	size_t n_fds;
};

/* Runs a worker: no groups, no new privileges, fds 0-2 are /dev/null, nothing else open but fds[];
 * argument vector and environment are constants. It dies with this process. */
int ces_spawn_worker(const struct ces_spawn *how, struct ces_process *ret, struct ces_error *err);

/* The ids of a worker's system user. */
int ces_worker_ids(const char *name, uid_t *ret_uid, gid_t *ret_gid, struct ces_error *err);

/* Waits for the end; kills first when kill_it is set. Exit status, or -1 when it was killed or
 * crashed. */
int ces_process_end(struct ces_process *process, bool kill_it);

/* fork(2) with namespaces: clone3(2) with a pidfd. 0 in the child, 1 in the parent, -1. cgroup: fd
 * of the cgroup to be born in, or -1. */
int ces_process_clone(uint64_t flags, int cgroup, struct ces_process *ret);

/* For a child that is about to become somebody else: fds[] to 3, 4, ..., everything above closed;
 * default signals. Exits the child on failure. */
void ces_process_arrange(const int *fds, size_t n_fds);

/* The end of a child that cannot become what it should. */
void ces_process_give_up(void) __attribute__((noreturn));

/* Drops to uid:gid for good: groups, gid, uid, each verified, and dies with the parent from here
 * on. Exits the child on failure. */
void ces_process_become(uid_t uid, gid_t gid);

#endif
