/* The command that a run starts: the same checks for the instructions of a Dockerfile and for the
 * configuration of an image. */
#ifndef CES_POLICY_CONFORM_START_H
#define CES_POLICY_CONFORM_START_H

#include "common/wire.h"
#include "policy/conform/conform.h"

/* Checks whether the command, ENTRYPOINT and CMD as one, is a bare prompt or fetches something. */
void ces_start_check(struct ces_conform *conform, const struct ces_conform_place *place,
		     const struct ces_strings *entrypoint, const struct ces_strings *cmd);

#endif
