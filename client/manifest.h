/* A decided run as the text of a Kubernetes Job (batch/v1), queued by Kueue. */
#ifndef CES_CLIENT_MANIFEST_H
#define CES_CLIENT_MANIFEST_H

#include <stdio.h>

#include "client/local.h"

struct ces_job {
	FILE *out;
	const struct ces_request *request;
	const struct ces_policy_kubernetes *kubernetes;
	struct ces_decision decision;
	char user[CES_LOCAL_USER];
	gid_t gid; /* the project's */
};

int ces_manifest_put(const struct ces_job *job, struct ces_error *err);

#endif
