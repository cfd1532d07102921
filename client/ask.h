/* Every request that has no container's stdio: pull, images, rmi, ps, stop, inspect, explain, a
 * detached run. */
#ifndef CES_CLIENT_ASK_H
#define CES_CLIENT_ASK_H

#include "client/options.h"

/* Sends the request and shows what the helper answers. Returns the exit status of the client. A
 * pull takes over the signals that would end it, for good, so call it last. */
int ces_ask(const char *helper, struct ces_options *options);

#endif
