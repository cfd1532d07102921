/* Watches a run while it lives: its end, the client's requests, its time. */
#ifndef CES_HELPER_WATCH_SUPERVISE_H
#define CES_HELPER_WATCH_SUPERVISE_H

#include "common/list.h"
#include "helper/launch/container.h"
#include "helper/launch/ports.h"

struct ces_end {
	int status;                /* as the caller will see it: 0..255 */
	const char *reason;        /* "exit", "signal", "memory limit", "time limit", "stopped",
				      "runtime" */
	char text[CES_ERROR_TEXT]; /* what the runtime said, or "" */
	uint64_t limit;       /* enum ces_limit: the limit that was reached; and its figures, see */
	uint64_t value, most; /* struct ces_event_exited */
	struct ces_cgroup_usage usage;
	struct ces_list_answer outputs;
	bool withheld; /* the outputs stay where they were written */
};

/* Returns when the container is gone. stop_fd: see ces_runs_enter. A detached run does not listen
 * to its client and outlives it. */
void ces_supervise(const struct ces_plan *plan, const struct ces_cgroup *cgroup,
		   struct ces_container *container, int stop_fd, struct ces_ports *ports,
		   struct ces_end *ret);

#endif
