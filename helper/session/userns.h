/* Makes user namespaces, and runs code inside one. */
#ifndef CES_HELPER_SESSION_USERNS_H
#define CES_HELPER_SESSION_USERNS_H

#include "helper/core/spawn.h"
#include "helper/session/idmap.h"

/* Opens a namespace of the process: "user", "net". */
int ces_process_namespace(const struct ces_process *process, const char *name, int *ret,
			  struct ces_error *err);

/* Makes a user namespace with this map, owned by root, and returns an fd of it. Nothing runs in the
 * namespace. */
int ces_userns_make(const struct ces_idmap *map, int *ret, struct ces_error *err);

/* Runs work(context) in a child inside the user namespace. The child works on files as user:group
 * of the namespace, *with* all capabilities over the namespace's ids, and has fds[] as 3, 4, ...
 * and nothing else open. Waits at most seconds for it. Returns 0 if work returned 0. */
int ces_userns_call(int userns, uid_t user, gid_t group, unsigned seconds, const int *fds,
		    size_t n_fds, int (*work)(const void *), const void *context);

#endif
