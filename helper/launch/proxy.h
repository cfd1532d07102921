/* The one way out of a container, where the policy has a proxy: 127.0.0.1:3128 inside, carried by
 * ces-relay to one address outside. */
#ifndef CES_HELPER_LAUNCH_PROXY_H
#define CES_HELPER_LAUNCH_PROXY_H

#include "helper/launch/relays.h"

/* Makes the listener in the container's network namespace, before anything of the image's runs
 * there, and starts ces-relay on it in this process's. Does nothing without a proxy. */
int ces_proxy_start(const struct ces_plan *plan, const struct ces_container *container,
		    struct ces_relay *ret, struct ces_error *err);

#endif
