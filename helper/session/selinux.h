/* SELinux, where the host has it: a run's own categories, and the contexts that the policy module
 * of selinux/ has for it. The module says which domain may do what. This file names the few
 * contexts that no rule of a policy can name, because they carry the categories.
 *
 * Who controls what: root decides whether SELinux is on, and every type. The caller's own SELinux
 * user, role and level have no influence here: a container runs as system_u:system_r no matter who
 * started it. */
#ifndef CES_HELPER_SESSION_SELINUX_H
#define CES_HELPER_SESSION_SELINUX_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

struct ces_selinux {
	bool on;       /* contexts are set; if false, the rest is unused */
	uint64_t pair; /* two categories, low << 16 | high, that no other live run has */
	const char *file_type;
};

#define CES_SELINUX_CONTEXT 96

/* Chooses a pair of categories that no live run has (runs: an fd of /run/ces). The calling function
 * holds the lock of the runs. */
int ces_selinux_choose(bool on, int runs, struct ces_selinux *ret, struct ces_error *err);

/* The context of the container's own files, for a mount option; "" where SELinux is off. */
void ces_selinux_file_context(const struct ces_selinux *selinux, char ret[CES_SELINUX_CONTEXT]);

/* The context of the OCI runtime's process, with the run's categories, which the container's domain
 * inherits; "" where SELinux is off. */
void ces_selinux_runtime_context(const struct ces_selinux *selinux, char ret[CES_SELINUX_CONTEXT]);

/* Gives the pipes at fds 0 to 2 the context of the container's own files. The caller's session made
 * them, so they have its level, which a container may not reach. Does nothing where SELinux is
 * off. */
int ces_selinux_share_stdio(const struct ces_selinux *selinux);

/* Gives the directories that this process makes the context of the container's own files, until it
 * is called with false. Does nothing where SELinux is off. */
int ces_selinux_create_private(const struct ces_selinux *selinux, bool begin);

#endif
