/* The policy's checks of outputs, in words and in differences. */
#ifndef CES_POLICY_TOOL_OUTPUTS_H
#define CES_POLICY_TOOL_OUTPUTS_H

#include "policy/policy.h"
#include "policy/tool/check.h"
#include "policy/tool/diff_settings.h"

#define CES_CHECK_SAID (2 * CES_CHECK_TEXT)

/* All demands of the check, as one line; "nothing" for NULL. */
const char *ces_check_say(const struct ces_policy_settings *settings, char ret[CES_CHECK_SAID]);

void ces_diff_outputs(struct ces_diff *diff, const char *who, const struct ces_policy_settings *old,
		      const struct ces_policy_settings *new);

/* Warns about checks that refuse every run, or that stop less than they seem to. */
void ces_check_warn_outputs(struct ces_problems *problems, const char *path,
			    const struct ces_policy_settings *settings);

#endif
