/* Proves a run: once the container is set up, and before its program begins (helper/audit/hold.h),
 * the proof compares what the kernel says the container has with what was planned. Both go into the
 * journal. The runtime is not asked.
 *
 * Compared: every mount and its flags, none missing and none more; that data, outputs and scratch
 * are the directories that were opened; namespaces, and that its /proc shows its own; that it has
 * no descriptor but its streams, and works in one of its mounts; network interfaces; id maps, ids
 * and groups; capability sets; no_new_privs; the system call filter, if the runtime loads it as
 * given and the kernel lets it be read; the SELinux context; the cgroups; the nodes in /dev. All of
 * it is final: the program was executed already, and an exec is the last moment at which any of it
 * changes (capabilities(7)). Not compared: the limits and the device program, which this process
 * itself has set on the cgroup. */
#ifndef CES_HELPER_AUDIT_PROOF_H
#define CES_HELPER_AUDIT_PROOF_H

#include "helper/audit/hold.h"
#include "helper/launch/container.h"

enum { CES_SPACE_CGROUP, CES_SPACE_IPC, CES_SPACE_NET, CES_SPACE_USER, CES_SPACE_UTS, CES_SPACES };

struct ces_proof {
	struct ces_hold hold;
	uint64_t made[CES_SPACES]; /* the namespaces that the helper made, by inode number */
};

#define CES_PROOF_NONE ((struct ces_proof){0})

/* Call before the container is released. */
int ces_proof_begin(const struct ces_container *container, struct ces_proof *ret,
		    struct ces_error *err);

/* Call after the release: waits for the program, compares, and records. A container that deviates
 * from the plan is recorded as such, and is an error. 0 also when there was no program to hold:
 * then the runtime has ended, and says why. */
int ces_proof_of(const struct ces_plan *plan, const struct ces_cgroup *cgroup,
		 struct ces_proof *proof, struct ces_error *err);

/* Lets the program go, or (result < 0, with err) kills it with all of the container. */
int ces_proof_end(const struct ces_cgroup *cgroup, struct ces_proof *proof, int result,
		  struct ces_error *err);

#endif
