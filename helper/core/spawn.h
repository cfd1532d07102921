/* Starts other processes with fewer rights: the workers. */
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

/* How a worker runs. */
struct ces_spawn {
	const char *path; /* constant, absolute */
	uid_t uid;        /* of the worker; inside userns where one is given */
	gid_t gid;
	int userns; /* -1: the host's, and its network; otherwise also fresh mount, pid, network,
		       ipc, uts namespaces */
	int netns;  /* the network namespace to enter instead of this process's; 0: none; -1: with
		       userns, no other namespaces beside a mount namespace, which it has from its
		       first moment: this process may leave the host's tree at once */
	bool same_pids; /* with userns: stays in this process's pid namespace. The first process of
			   a new one survives its own alarms (pid_namespaces(7)) */
	const int *fds; /* become 3, 4, ...; -1 becomes /dev/null */
	size_t n_fds;
	uint32_t capabilities; /* over userns, that the program gets although uid is not its root;
				0: none */
};

/* Runs a worker. It has no groups and no new privileges, fds 0-2 are /dev/null, and only fds[] are
 * open beside them; argument vector and environment are constants. It dies with this process. */
int ces_spawn_worker(const struct ces_spawn *how, struct ces_process *ret, struct ces_error *err);

/* The ids of a worker's system user. */
int ces_worker_ids(const char *name, uid_t *ret_uid, gid_t *ret_gid, struct ces_error *err);

/* Begins a process that nobody has to wait for, with these namespaces of its own (clone3(2)).
 * Returns true in it, which must exit by itself, and false here, also if it could not begin. */
bool ces_process_detach(uint64_t flags);

/* Waits for the end, and kills first if kill_it is set. Returns the exit status, or -1 if the
 * process was killed or crashed. */
int ces_process_end(struct ces_process *process, bool kill_it);

/* Does fork(2) with namespaces: clone3(2) with a pidfd. Returns 0 in the child, 1 in the parent, -1
 * on failure. cgroup: fd of the cgroup that the child starts in, or -1. */
int ces_process_clone(uint64_t flags, int cgroup, struct ces_process *ret);

/* Prepares a child that is about to take on another identity: moves fds[] to 3, 4, ..., closes
 * everything above them and sets default signals. Exits the child on failure. */
void ces_process_arrange(const int *fds, size_t n_fds);

/* Turns fds 0 to last into /dev/null. Returns whether it could. */
bool ces_process_forget(int last);

/* Ends a child that cannot become what it should. */
void ces_process_give_up(void) __attribute__((noreturn));

/* Drops to uid:gid for good: sets groups, gid, uid, and verifies each. The child dies with its
 * parent from here on. Exits the child on failure. */
void ces_process_become(uid_t uid, gid_t gid);

#endif
