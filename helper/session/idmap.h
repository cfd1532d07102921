/* Maps the ids of a container to host ids, and writes the map into the kernel. Source:
 * user_namespaces(7), "User and group ID mappings". */
#ifndef CES_HELPER_SESSION_IDMAP_H
#define CES_HELPER_SESSION_IDMAP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "helper/core/order.h"

#define CES_IDMAP_EXTENTS 32
#define CES_IDMAP_SPAN    65536u /* ids that an image may use: 0..65535 */
#define CES_IDMAP_PROJECT_GID                                                                      \
	65536u /* in the container: the project's groups, from here upward                         \
		*/

struct ces_idmap_extent {
	uint32_t inside, outside, count;
};

struct ces_idmap_side {
	struct ces_idmap_extent v[CES_IDMAP_EXTENTS];
	size_t n;
};

struct ces_idmap {
	struct ces_idmap_side uid, gid;
	uint32_t user, group;                       /* the inside ids of the caller */
	uint32_t project_gids[CES_DECISION_GROUPS]; /* the inside ids of the project's groups */
	size_t n_project_gids;
};

/* Makes the map of a run. Inside id `user` (and `group`) is the caller, every other id below
 * CES_IDMAP_SPAN is base + id, and the project's groups are at CES_IDMAP_PROJECT_GID and above.
 * user and group may be the caller's own numbers (identity same-uid). base..base+65535 belongs to
 * this caller alone. */
int ces_idmap_make(const struct ces_caller *caller, uint32_t user, uint32_t group, uint32_t base,
		   const gid_t *project_gids, size_t n_project_gids, struct ces_idmap *ret,
		   struct ces_error *err);

/* Makes the map of a run whose image makes a user with the caller's own numbers: this user is the
 * caller inside, no matter which user the program starts as. Such a user has no other groups. So
 * the inside id of the caller's gid is the first of the project's groups, and the caller's group
 * takes the place of that one, unless the two are the same. */
int ces_idmap_make_own(const struct ces_caller *caller, uint32_t base, const gid_t *project_gids,
		       size_t n_project_gids, struct ces_idmap *ret, struct ces_error *err);

/* Makes the map of a worker: inside 0 is uid:gid, the others are CES's own slot of the subordinate
 * range. */
int ces_idmap_worker(uid_t uid, gid_t gid, uint32_t base, struct ces_idmap *ret,
		     struct ces_error *err);

/* An id of the map that nobody on the host has, and that is not user's. With the caller's own uid,
 * the caller could stop or kill a process (kill(2)). */
static inline uid_t ces_idmap_other(uid_t user)
{
	return user == CES_IDMAP_SPAN - 2 ? CES_IDMAP_SPAN - 3 : CES_IDMAP_SPAN - 2;
}

/* Writes both maps of the process pid, reads them back and compares. A partial or foreign map is
 * fatal. */
int ces_idmap_write(pid_t pid, const struct ces_idmap *map, struct ces_error *err);

/* True if both host ids are in the map. The kernel requires this before root of the namespace may
 * pass over the mode of a file (capable_wrt_inode_uidgid, kernel/capability.c). */
bool ces_idmap_holds(const struct ces_idmap *map, uid_t uid, gid_t gid);

/* The host id behind an inside id. */
uint32_t ces_idmap_host_uid(const struct ces_idmap *map, uint32_t inside);
uint32_t ces_idmap_host_gid(const struct ces_idmap *map, uint32_t inside);

/* Finds the first id of the caller's subordinate range: slot n of the policy's range. The file
 * `subids` below the store has the slot, or gets it here (one "uid" a line, the line number is the
 * slot; append only, so a slot never changes hands). Slot 0 is the workers'. */
int ces_idmap_base(const struct ces_host *host, int store, uid_t uid, uint32_t *ret,
		   struct ces_error *err);

#endif
