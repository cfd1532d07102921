/* The policy and the caller, as anyone may read them here: for a manifest and for doctor. Nothing
 * that comes out of this file is a permission; the helper reads and decides anew. */
#ifndef CES_CLIENT_LOCAL_H
#define CES_CLIENT_LOCAL_H

#include "policy/decide.h"

#define CES_KUBERNETES_TEXT 254 /* a DNS name of 253 bytes */

/* The policy's key "kubernetes". Claims may hold {project} and {user}. */
struct ces_kubernetes {
	char namespace[CES_KUBERNETES_TEXT];
	char queue[CES_KUBERNETES_TEXT];
	char data_claim[CES_KUBERNETES_TEXT];
	char outputs_claim[CES_KUBERNETES_TEXT];
	char pull_secret[CES_KUBERNETES_TEXT]; /* "": none */
};

struct ces_local {
	struct ces_policy *policy;
	bool has_kubernetes;
	struct ces_kubernetes kubernetes;
};

/* Reads the policy by the same code as the helper. Release with ces_local_free. */
int ces_local_load(const char *path, struct ces_local *ret, struct ces_error *err);
void ces_local_free(struct ces_local *local);

/* What the policy would say of a run by the one who calls, from the user database. Release with
 * ces_decision_free. user: CES_LOCAL_USER bytes. */
#define CES_LOCAL_USER 64
int ces_local_decide(const struct ces_local *local, const struct ces_request *request,
		     struct ces_decision *ret, char *ret_user, struct ces_error *err);

#endif
