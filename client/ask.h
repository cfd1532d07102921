/* Makes every request that has no container's stdio: pull, images, rmi, ps, stop, inspect, explain,
 * a detached run. */
#ifndef CES_CLIENT_ASK_H
#define CES_CLIENT_ASK_H

#include "client/options.h"

/* Sends the request and shows the helper's answer. Returns the client's exit status. A pull takes
 * over for good the signals that would end it, so call this last. */
int ces_ask(const char *helper, struct ces_options *options);

#endif
