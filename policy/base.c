/* A ChainID is the digest of a stack of layers, each with the digest of its own content. So an
 * image with another first layer has another ChainID, and a name or label can claim nothing
 * here. */
#include "policy/base.h"

#include <stdio.h>
#include <string.h>

#include "common/digest.h"

void ces_decision_bases(const struct ces_strings *bases, struct ces_decision_bases *ret)
{
	for (ret->n = 0; ret->n < bases->n && ret->n < CES_BASES_MAX; ret->n++)
		(void)snprintf(ret->v[ret->n], sizeof(ret->v[0]), "%s", bases->v[ret->n]);
}

void ces_chain_add(char chain[CES_DIGEST_LENGTH + 1], const char *diff_id)
{
	char both[2 * CES_DIGEST_LENGTH + 2];
	bool lowest = chain[0] == '\0';

	(void)snprintf(both, sizeof(both), "%s%s%s", chain, lowest ? "" : " ", diff_id);
	if (lowest)
		(void)snprintf(chain, CES_DIGEST_LENGTH + 1, "%s", diff_id);
	else
		ces_digest_of(both, strlen(both), chain);
}

int ces_base_check(const struct ces_decision *decision, const struct ces_strings *diff_ids,
		   struct ces_error *err)
{
	char chain[CES_DIGEST_LENGTH + 1] = "", rule[CES_RULE_TEXT];

	if (decision->bases.n == 0)
		return 0;
	for (size_t i = 0; i < diff_ids->n; i++) {
		ces_chain_add(chain, diff_ids->v[i]);
		for (size_t j = 0; j < decision->bases.n && j < CES_BASES_MAX; j++)
			if (strcmp(chain, decision->bases.v[j]) == 0)
				return 0;
	}
	(void)snprintf(rule, sizeof(rule), "%.*s.base", (int)sizeof(rule) - 16, decision->rule);
	return ces_error_rule(err, CES_E_DENIED, rule,
			      "this image is not built on a base that its rule allows: build it on "
			      "one, and ask for its approval");
}
