/* The process that becomes the container: root of its own user namespace, nobody on the host. */
#ifndef CES_HELPER_LAUNCH_CONTAINER_H
#define CES_HELPER_LAUNCH_CONTAINER_H

#include "helper/core/spawn.h"
#include "helper/launch/plan.h"

struct ces_container {
	struct ces_process process;
	int gate;   /* a byte comes when its namespaces are whole, one goes to release it; closing
		       it ends it */
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

/* Born in the cgroup, in namespaces of its own, waiting at the gate. It makes the journal durable
 * meanwhile. */
int ces_container_start(const struct ces_plan *plan, const struct ces_cgroup *cgroup,
			struct ces_container *ret, struct ces_error *err);

/* Waits until its namespaces are whole. Before that its network namespace is the host's: the one
 * who wants to have to do with it asks first, as often as is needed. */
int ces_container_ready(const struct ces_container *container, struct ces_error *err);

/* Opens the gate. */
int ces_container_release(struct ces_container *container, struct ces_error *err);

/* After the end: 0 when the runtime was executed, -1 with what went wrong before. */
int ces_container_failure(struct ces_container *container, struct ces_error *err);

#endif
