/* The policy and the caller as any user may read them here, for a manifest and for doctor. Nothing
 * from this file is a permission: the helper reads and decides again. */
#ifndef CES_CLIENT_LOCAL_H
#define CES_CLIENT_LOCAL_H

#include "policy/decide.h"
#include "policy/template.h"

struct ces_local {
	struct ces_policy *policy;
};

/* Reads the policy with the helper's code. Release it with ces_local_free. */
int ces_local_load(const char *path, struct ces_local *ret, struct ces_error *err);
void ces_local_free(struct ces_local *local);

/* Asks the policy about a run of the caller's, who is as the user database says. user:
 * CES_LOCAL_USER bytes. */
#define CES_LOCAL_USER 64
int ces_local_decide(const struct ces_local *local, const struct ces_request *request,
		     struct ces_decision *ret, char *ret_user, struct ces_error *err);

/* Finds the caller, and where the policy puts their data. */
#define CES_LOCAL_PROJECTS 32
struct ces_local_project {
	char name[CES_NAME_MAX + 1], data[CES_PATH_TEXT];
	bool ended, writable; /* (the data) */
};
struct ces_local_you {
	char user[CES_LOCAL_USER], home[CES_PATH_TEXT];
	char groups[1024]; /* "staff, nsh-2024-0001" */
	struct ces_local_project projects[CES_LOCAL_PROJECTS];
	size_t n; /* without what does not fit */
};
int ces_local_you(const struct ces_local *local, struct ces_local_you *ret, struct ces_error *err);

#endif
