/* A person and their groups, by this machine or by the command line, and their projects. */
#ifndef CES_POLICY_TOOL_MEMBER_H
#define CES_POLICY_TOOL_MEMBER_H

#include "policy/rights.h"

#define CES_MEMBER_GROUPS 1024

/* Zero it to begin. */
struct ces_member {
	struct ces_caller caller;
	gid_t gids[CES_MEMBER_GROUPS];
	char *names[CES_MEMBER_GROUPS];
	char *text; /* which the names are in */
};

/* groups: "a,b", or NULL: those in this machine's user database. */
int ces_member_find(struct ces_member *member, const char *user, const char *groups,
		    struct ces_error *err);

/* Their projects. It assumes that every directory exists that a group could mean, and does not ask
 * this machine. *ret is malloc'd. */
int ces_member_rights(struct ces_member *member, const struct ces_policy *policy,
		      struct ces_rights **ret, size_t *ret_n, struct ces_error *err);

void ces_member_free(struct ces_member *member);

#endif
