/* Asks what a start would ask. It must not judge by itself: it calls the deciding functions on the
 * kept evidence. */
#include "policy/tool/met.h"

#include <stdio.h>
#include <stdlib.h>

#include "policy/evidence/store.h"

static int decide(int dir, struct ces_decision *decision, const struct ces_policy_image_rule *rule,
		  time_t now, struct ces_error *err)
{
	struct ces_evidence_facts facts;
	struct ces_error why = {0};

	decision->demand = rule->demand;
	snprintf(decision->locked_digest, sizeof(decision->locked_digest), "%s", rule->digest);
	if (ces_store_facts(dir, rule->digest, rule->evidence, &facts, &why) == 0)
		return ces_decide_demand(decision, &facts, now, err);
	(void)ces_error_context(&why, "the evidence cannot be used");
	return ces_demand_deny(decision, rule->evidence != NULL ? "evidence" : "scan", why.text,
			       err);
}

int ces_rule_met(int dir, const char *path, const struct ces_policy_image_rule *rule, time_t now,
		 char ret[CES_DIGEST_LENGTH + 1], struct ces_error *err)
{
	struct ces_decision *decision;
	int result;

	ret[0] = '\0';
	if (!ces_demand_any(&rule->demand) || rule->digest == NULL)
		return 0;
	decision = calloc(1, sizeof(*decision));
	if (decision == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	snprintf(decision->rule, sizeof(decision->rule), "%s", path);
	result = decide(dir, decision, rule, now, err);
	if (result == 0)
		snprintf(ret, CES_DIGEST_LENGTH + 1, "%s", decision->evidence);
	free(decision);
	return result;
}

time_t ces_rule_scanned(int dir, const struct ces_policy_image_rule *rule)
{
	struct ces_evidence_facts facts;
	struct ces_error err = {0};
	time_t newest = 0;

	if (rule->digest == NULL ||
	    ces_store_facts(dir, rule->digest, rule->evidence, &facts, &err) != 0)
		return 0;
	for (size_t i = 0; i < facts.n_scans; i++)
		if (facts.scans[i].made > newest)
			newest = facts.scans[i].made;
	return newest;
}
