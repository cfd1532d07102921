/* Decides whether the kept evidence meets an image rule's demand, as a start would. */
#ifndef CES_POLICY_TOOL_MET_H
#define CES_POLICY_TOOL_MET_H

#include "policy/demand.h"

/* dir: the directory of evidence, or -1; path: "projects.p.images[0]". 0 if it does, or if the rule
 * demands nothing; then *ret is the record that met it, or "". Otherwise err has the key and the
 * reason. */
int ces_rule_met(int dir, const char *path, const struct ces_policy_image_rule *rule, time_t now,
		 char ret[CES_DIGEST_LENGTH + 1], struct ces_error *err);

/* The date of the newest scan of the rule's digest; 0: none. */
time_t ces_rule_scanned(int dir, const struct ces_policy_image_rule *rule);

#endif
