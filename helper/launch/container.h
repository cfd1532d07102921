/* The process that becomes the container: root of its own user namespace, nobody on the host. */
#ifndef CES_HELPER_LAUNCH_CONTAINER_H
#define CES_HELPER_LAUNCH_CONTAINER_H

#include "helper/core/spawn.h"
#include "helper/launch/plan.h"

struct ces_container {
	struct ces_process process;
	int gate;   /* one byte comes when the namespaces are whole, and one from ces-inside; one
		       goes when the id map is written, and one to release the process; closing it
		       ends the process */
	int report; /* read end: what went wrong before the runtime was executed; end of file =
		       executed */
	int userns;
	int terminal; /* the program's, by O_PATH; -1: it has none */
	int shm;      /* its /dev/shm, by O_PATH */
	bool began;   /* its program was executed */
};

#define CES_CONTAINER_NONE                                                                         \
	{                                                                                          \
		CES_PROCESS_NONE, -1, -1, -1, -1, -1, false                                        \
	}

/* Starts the process in the cgroup and in namespaces of its own. It becomes ces-inside, and waits
 * at the gate. */
int ces_container_start(const struct ces_plan *plan, const struct ces_cgroup *cgroup,
			struct ces_container *ret, struct ces_error *err);

/* Waits until the namespaces are whole. Before that the process's network namespace is the host's:
 * call this, as often as needed, before anything that uses it. */
int ces_container_ready(const struct ces_container *container, struct ces_error *err);

/* Waits until ces-inside needs nothing of the host's tree any more, or the process has ended, which
 * the next ces_container_ready says. Call it once, before that tree goes. It fails if the process
 * does neither. */
int ces_container_await(const struct ces_container *container, struct ces_error *err);

/* Opens the gate. */
int ces_container_release(struct ces_container *container, struct ces_error *err);

/* After the end: 0 when the runtime was executed, -1 with what went wrong before. */
int ces_container_failure(const struct ces_plan *plan, const struct ces_container *container,
			  struct ces_error *err);

#endif
