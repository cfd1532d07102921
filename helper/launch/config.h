/* The few things of the runtime's configuration that root knows, and sends to ces-inside. */
#ifndef CES_HELPER_LAUNCH_CONFIG_H
#define CES_HELPER_LAUNCH_CONFIG_H

#include "helper/launch/plan.h"

/* The first word of the command that will be executed; NULL when neither image nor caller names
 * one. */
const char *ces_config_command(const struct ces_plan *plan);

/* The order of common/inside.h, in a sealed memory file. */
int ces_config_order(const struct ces_plan *plan, int *ret, struct ces_error *err);

/* The compiled system call filter of this installation, in base64, for the proof; malloc'd. */
int ces_config_filter(char **ret, struct ces_error *err);

#endif
