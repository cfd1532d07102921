/* The OCI configuration of a run: a template filled from the plan. OCI runtime-spec v1.0.2,
 * config.md. */
#ifndef CES_HELPER_LAUNCH_CONFIG_H
#define CES_HELPER_LAUNCH_CONFIG_H

#include "helper/launch/plan.h"

/* The first word of the command that will be executed; NULL when neither image nor caller names
 * one. */
const char *ces_config_command(const struct ces_plan *plan);

/* Writes /bundle/config.json below root. */
int ces_config_write(const struct ces_plan *plan, int root, struct ces_error *err);

/* The compiled system call filter of this installation, in base64; malloc'd. */
int ces_config_filter(char **ret, struct ces_error *err);

#endif
