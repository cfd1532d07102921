/* Holds a run at the one moment when all of it is final and nothing of the image's has run. The
 * kernel has executed the container's program, which has its final credentials, filters and
 * namespaces. The kernel has not let it execute an instruction.
 *
 * Why no program can pass it: every process that comes of the runtime is traced from before the
 * runtime is executed (PTRACE_SEIZE at the gate, then each fork, vfork and clone; ptrace(2)), and
 * stops at each of its execs. A program of the host's, executed below the root that the helper
 * built, is the runtime's own business and goes on. Any other exec is held, wherever it happens and
 * in whatever namespaces. If this process dies, the kernel kills all (PTRACE_O_EXITKILL). Only a
 * runtime that hides on purpose (CLONE_UNTRACED) is not seen. Then no program is seen either, and
 * the deadline ends the run.
 *
 * Who controls what: the runtime is root's file. The caller may signal processes that have their
 * uid: this delays or ends their own run. */
#ifndef CES_HELPER_AUDIT_HOLD_H
#define CES_HELPER_AUDIT_HOLD_H

#include <stdbool.h>

#include "helper/launch/container.h"

struct ces_hold {
	pid_t leader; /* the runtime; 0: there is none */
	pid_t *traced;
	size_t n, size;
	pid_t held; /* the container's program */
	bool leaving;
};

/* Traces the container's process, which waits at its gate. runtime: its path. */
int ces_hold_begin(const struct ces_container *container, struct ces_hold *ret,
		   struct ces_error *err);

/* Waits until the program is held: its pid is in hold->held, or 0 when the runtime ended without
 * one. Waits at most until deadline_ms (of ces_now_ms). */
int ces_hold_wait(struct ces_hold *hold, const char *runtime, int64_t deadline_ms,
		  struct ces_error *err);

/* Lets the program and all others go; nobody is traced any more. */
int ces_hold_release(struct ces_hold *hold, int64_t deadline_ms, struct ces_error *err);

/* For a run that was killed: takes the ends of the traced processes. Without this the runtime's own
 * end would not come (the tracer of a process waits for it first). Frees. */
void ces_hold_end(struct ces_hold *hold, int64_t deadline_ms);

#endif
