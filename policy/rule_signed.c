/* Reads whose signature an image rule demands: a list of keys, one of which is enough, or an object
 * that says how many. It must not look at a key: that happens when an image is pulled or run. */
#include "policy/rule_signed.h"

#include <string.h>

#include "common/cleanup.h"
#include "policy/policy.h"
#include "policy/valid_parse.h"

#define SIGNERS(member) offsetof(struct ces_policy_signers, member)

static const struct ces_field_text as_signer = {
    ces_valid_signer, "a path of a public key, absolute or below /etc/ces, up to 255 characters"};
static const struct ces_field_range to_most = {1, CES_SIGNERS_MAX};

/* With a key written twice, "at_least" would mean something else than it says. */
static int read_keys(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	static const struct ces_field row = {.param = &as_signer};
	const struct ces_field_at list = {.place = at->place, .value = at->value, .row = &row};
	struct ces_strings *keys = ret;

	if (ces_field_strings(in, &list, keys) != 0)
		return -1;
	if (!json_object_is_type(at->value, json_type_array))
		return 0;
	if ((keys->n == 0 || keys->n > CES_SIGNERS_MAX) &&
	    ces_field_fault(in, at, "must be a list of 1 to %d keys", CES_SIGNERS_MAX) != 0)
		return -1;
	for (size_t i = 0; i < keys->n; i++)
		for (size_t j = 0; j < i; j++)
			if (keys->v[i] != NULL && keys->v[j] != NULL &&
			    strcmp(keys->v[i], keys->v[j]) == 0 &&
			    ces_field_fault(in, at, "names %s twice", keys->v[i]) != 0)
				return -1;
	return 0;
}

static const struct ces_field rows[] = {
    {.key = "keys", .read = read_keys, .offset = SIGNERS(keys), .required = true},
    {.key = "at_least", .read = ces_field_number, .offset = SIGNERS(at_least), .param = &to_most},
    CES_FIELD_END,
};

int ces_rule_signed(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	static const struct ces_field row = {.param = rows};
	const struct ces_field_at object = {.place = at->place, .value = at->value, .row = &row};
	struct ces_policy_signers *signers = ret;

	signers->at_least = 1;
	if (!json_object_is_type(at->value, json_type_object))
		return read_keys(in, at, &signers->keys);
	if (ces_field_object(in, &object, signers) != 0)
		return -1;
	if (signers->at_least > signers->keys.n && signers->keys.n > 0)
		return ces_field_fault(in, at, "wants %llu signatures, and names %zu key%s",
				       (unsigned long long)signers->at_least, signers->keys.n,
				       signers->keys.n == 1 ? "" : "s");
	return 0;
}
