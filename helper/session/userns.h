/* User namespaces, and what must run inside one. */
#ifndef CES_HELPER_SESSION_USERNS_H
#define CES_HELPER_SESSION_USERNS_H

#include "helper/core/spawn.h"
#include "helper/session/idmap.h"

/* Opens a namespace of it: "user", "net". */
int ces_process_namespace(const struct ces_process *process, const char *name, int *ret,
			  struct ces_error *err);

/* Makes a user namespace with this map, owned by root, and returns an fd of it. Nothing runs in it.
 */
int ces_userns_make(const struct ces_idmap *map, int *ret, struct ces_error *err);

/* Runs work(context) in a child inside the user namespace, on files as its uid:gid user:group
 * *with* all capabilities over the namespace's ids, fds[] as 3, 4, ... and nothing else open, and
 * waits at most seconds for it. 0 when work returned 0. */
int ces_userns_call(int userns, uid_t user, gid_t group, unsigned seconds, const int *fds,
		    size_t n_fds, int (*work)(const void *), const void *context);

#endif
