/* The order from ces-admit to ces-session. ces-admit checks a request and executes ces-session on
 * this struct; no user can execute either. The struct is flat, and comes in
 * a sealed memfd (memfd_create(2), F_ADD_SEALS), so that no part of it can change any more.
 *
 * Who controls what: the caller chose the request, which follows the struct as ces-decode made it,
 * and no other byte. The kernel and the user database say who they are, the policy gives the host's
 * settings, and the decision was made from these. */
#ifndef CES_HELPER_CORE_ORDER_H
#define CES_HELPER_CORE_ORDER_H

#include "helper/core/fds.h"
#include "policy/decide.h"

#define CES_GROUPS_MAX 1024

/* The policy's settings for the machine. */
struct ces_host {
	char digest[72];   /* of the policy; "" when it could not be read */
	char contact[257]; /* "" when none is named */
	char runtime[1024];
	enum ces_cgroup_parent cgroup_parent;
	char cgroup_path[1024];
	struct ces_policy_store store;
	uint64_t subid_first, subid_per_user, subid_users;
	struct ces_decision_names cdi_dirs;
	bool audit_syslog;
};

#define CES_ORDER_MAGIC 0x3552445253454331ull /* changes with the meaning of a field */

struct ces_order {
	uint64_t magic, size; /* of this struct */
	/* lengths of what follows it: the request's block, where one could be read, and the
	 * policy's where it is not kept yet (see below); 0: none */
	size_t words, policy;
	uid_t uid;
	bool known;   /* the caller's entry in the user database: */
	bool decided; /* a pull or a run was allowed, as `decision` says */
	bool selinux; /* contexts are set, see helper/session/selinux.h */
	char user[256], home[1024];
	gid_t gid, groups[CES_GROUPS_MAX];
	size_t n_groups;
	struct ces_host host;
	struct ces_decision decision;
	struct ces_error refused; /* unless CES_OK: to be recorded and reported, and nothing else */
};

/* The policy as it was last read, in /run/ces, so that a start reads no JSON. This struct comes
 * before the block of policy/flat.h. The block was made from a file with this digest by this
 * version of the code; a start reads the policy anew if either differs. */
struct ces_kept_policy {
	uint64_t magic, size; /* of struct ces_policy */
	uint64_t length;      /* of the block */
	char digest[72];      /* of the file's bytes */
};

#define CES_KEPT_MAGIC 0x3450454b53454331ull /* changes with the meaning of a field */
#define CES_KEPT_NAME  ".policy"             /* in CES_RUN_DIR, among runs that have no dot */

#endif
