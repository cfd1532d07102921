/* Counts signatures. It must not find out who signed: ces-verify does. */
#include "policy/signed.h"

#include <stdio.h>

static void list_keys(const struct ces_decision_signers *signers, char *ret, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < signers->n && used + 1 < size; i++) {
		int n = snprintf(ret + used, size - used, "%s%s", i > 0 ? ", " : "", signers->v[i]);

		used += n > 0 ? (size_t)n : 0;
	}
	if (used >= size) /* cut */
		(void)snprintf(ret + size - 4, 4, "...");
}

int ces_decide_signed(const struct ces_decision *decision, const char *digest, uint64_t by,
		      struct ces_error *err)
{
	const struct ces_decision_signers *signers = &decision->signed_by;
	unsigned long long wanted = signers->at_least > 0 ? signers->at_least : 1, have = 0;
	char rule[CES_RULE_TEXT], keys[160], image[160];

	for (size_t i = 0; i < signers->n; i++)
		have += (by >> i) & 1;
	if (signers->n == 0 || have >= wanted)
		return 0;
	(void)snprintf(rule, sizeof(rule), "%.84s.signed_by", decision->rule);
	(void)snprintf(image, sizeof(image), "%.70s/%.80s", decision->image.registry,
		       decision->image.repository);
	list_keys(signers, keys, sizeof(keys));
	if (have == 0)
		return ces_error_rule(err, CES_E_DENIED, rule,
				      "this image is signed by none of %s; its makers can sign it: "
				      "cosign sign --key KEY %s@%s",
				      keys, image, digest != NULL ? digest : "DIGEST");
	return ces_error_rule(err, CES_E_DENIED, rule,
			      "this image is signed by %llu of %s, and the policy wants %llu; its "
			      "makers can sign it: cosign sign --key KEY %s@%s",
			      have, keys, wanted, image, digest != NULL ? digest : "DIGEST");
}
