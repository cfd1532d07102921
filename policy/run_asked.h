/* One run, while it is decided (policy/run.c and policy/run_reach.c alone). */
#ifndef CES_POLICY_RUN_ASKED_H
#define CES_POLICY_RUN_ASKED_H

#include "policy/rights.h"

struct ces_run_asked {
	const struct ces_caller *caller;
	const struct ces_request *request;
	const struct ces_rights *rights;
	struct ces_decision *ret;
	struct ces_error *err;
	unsigned total; /* bits of enum ces_policy_own: the total of a user's runs is less */
};

#define USAGE(run, ...) ces_error_set((run)->err, CES_E_USAGE, __VA_ARGS__)

/* Denies by the rule where somebody wrote it: in the project, or in what it inherits. -1. */
int ces_run_deny(const struct ces_run_asked *run, unsigned own, const char *key, const char *format,
		 ...) __attribute__((format(printf, 4, 5)));

/* Each fills its part of the decision, or returns -1 with err. */
void ces_run_proxy(const struct ces_run_asked *run);
int ces_run_ports(const struct ces_run_asked *run);
int ces_run_gpus(const struct ces_run_asked *run);

#endif
