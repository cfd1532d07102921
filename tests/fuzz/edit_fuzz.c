/* Takes any bytes for a policy. Adding a rule to one of its lists makes a policy with one rule
 * more. Removing this rule gives the same bytes again, unless the list was empty and written with
 * blanks. */
/* parses: policy/approve/edit.c */
/* links: policy/approve/edit.c policy/evidence/part.c policy/tool/say.c */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/approve/edit.h"
#include "policy/parse.h"
#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static const struct ces_edit_rule rule = {
    .allow = "ghcr.io/lab/model",
    .digest = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
    .approval = "IG \"1\" \\",
    .expires = "2089-01-01",
};

static void edit(const struct ces_edit_text *text, size_t index, size_t n)
{
	struct ces_edit_text added = {.project = text->project};
	struct ces_policy *policy = NULL;
	struct ces_error err = {0};
	char *more = NULL, *less = NULL;
	size_t more_length = 0, less_length = 0;
	const struct ces_policy_image_rules *rules;

	if (ces_edit_add(text, index, &rule, &more, &more_length, &err) != 0 ||
	    ces_policy_parse(more, more_length, &policy, &err) != 0)
		abort();
	rules = &policy->infer_images;
	for (size_t i = 0; text->project != NULL && i < policy->n_projects; i++)
		if (strcmp(policy->projects[i].name, text->project) == 0)
			rules = &policy->projects[i].images;
	if (rules->n != n + 1 || strcmp(rules->v[index].approval, rule.approval) != 0)
		abort();
	added.bytes = more;
	added.length = more_length;
	if (ces_edit_remove(&added, index, &less, &less_length, &err) != 0)
		abort();
	if (n > 0 && (less_length != text->length || memcmp(less, text->bytes, less_length) != 0))
		abort();
	ces_policy_free(policy);
	free(more);
	free(less);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	char *text = malloc(length > 0 ? length : 1);
	struct ces_policy *policy = NULL;

	if (text == NULL)
		return 0;
	memcpy(text, bytes, length);
	if (length < 100000 && ces_policy_parse(text, length, &policy, NULL) == 0) {
		for (size_t i = 0; i < policy->n_projects && i < 3; i++) {
			const struct ces_edit_text one = {text, length, policy->projects[i].name};
			size_t n = policy->projects[i].images.n;

			for (size_t j = 0; j <= n && j < 4; j++)
				edit(&one, j, n);
			edit(&one, n, n);
		}
		if (policy->infer)
			edit(&(struct ces_edit_text){text, length, NULL}, 0,
			     policy->infer_images.n);
		ces_policy_free(policy);
	}
	free(text);
	return 0;
}
