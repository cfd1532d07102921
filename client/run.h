/* `run`: the container's stdio, the caller's signals, and the exit status. */
#ifndef CES_CLIENT_RUN_H
#define CES_CLIENT_RUN_H

#include "client/options.h"

/* Runs what the options ask for, by the helper at this path. Returns the exit status of the client.
 * It blocks the forwarded signals for good, so call it last. */
int ces_run(const char *helper, struct ces_options *options);

#endif
