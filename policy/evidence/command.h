/* The verbs of ces-policy evidence. */
#ifndef CES_POLICY_EVIDENCE_COMMAND_H
#define CES_POLICY_EVIDENCE_COMMAND_H

#include <stdbool.h>

#include "policy/evidence/evidence.h"

struct ces_evidence_asked {
	const char *directory; /* --evidence */
	const char *digest;    /* --digest, or the image that is asked for; or NULL */
	bool json;
	bool dry_run; /* prune: remove nothing */
};

/* Each returns the exit status. */
int ces_evidence_add(const struct ces_evidence_asked *asked, const char *report);
int ces_evidence_list(const struct ces_evidence_asked *asked);
int ces_evidence_show(const struct ces_evidence_asked *asked);
int ces_evidence_prune(const struct ces_evidence_asked *asked);

#endif
