/* Makes user namespaces. */
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

#endif
