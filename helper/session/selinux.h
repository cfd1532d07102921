/* SELinux, where the host has it: a run's own categories, and the contexts that the policy module
 * of selinux/ has for it. The module says which domain may do what; this names the few contexts
 * that no rule of a policy can name, because they carry the categories.
 *
 * Who controls what: whether SELinux is on, and every type, is root's. The caller's own SELinux
 * user, role and level come into nothing here: a container runs as system_u:system_r no matter who
 * started it. */
#ifndef CES_HELPER_SESSION_SELINUX_H
#define CES_HELPER_SESSION_SELINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

struct ces_selinux {
	bool on;       /* contexts are set; all else is unused where not */
	uint64_t pair; /* two categories, low << 16 | high, that no other live run has */
	const char *file_type;
};

#define CES_SELINUX_CONTEXT 96

/* Chooses a pair of categories that is not among those of the live runs (an fd of /run/ces). The
 * caller holds the lock of the runs. */
int ces_selinux_choose(bool on, int runs, struct ces_selinux *ret, struct ces_error *err);

/* The context of the container's own files, for a mount option; "" where SELinux is off. */
void ces_selinux_file_context(const struct ces_selinux *selinux, char ret[CES_SELINUX_CONTEXT]);

/* Gives the pipes at fds 0 to 2 the context of the container's own files: made by the caller's
 * session, they have its level, which a container may not reach. Nothing where SELinux is off. */
int ces_selinux_share_stdio(const struct ces_selinux *selinux);

/* The next execve of this process enters the domain of the OCI runtime, with the run's categories,
 * which the container's domain inherits. Needs a /proc. Nothing where SELinux is off. */
int ces_selinux_exec_runtime(const struct ces_selinux *selinux);

/* Whether this is the context of a program of the run's container: its domain is the policy's own
 * transition's (selinux/ces.te), which is why it is compared. True where SELinux is off. */
bool ces_selinux_holds(const struct ces_selinux *selinux, const char *context);

/* Directories that this process makes have the context of the container's own files, until this is
 * called with false. Nothing where SELinux is off. */
int ces_selinux_create_private(const struct ces_selinux *selinux, bool begin);

#endif
