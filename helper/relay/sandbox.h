/* The rights that ces-relay gives up before it accepts a connection, and the addresses that it can
 * still connect to. */
#ifndef CES_RELAY_SANDBOX_H
#define CES_RELAY_SANDBOX_H

#include <netinet/in.h>

#include "common/error.h"

#define CES_RELAY_CHANNEL  3
#define CES_RELAY_DIAG     4
#define CES_RELAY_LISTENER 5 /* the first */

union ces_relay_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* Returns the size of the address for connect(2). */
socklen_t ces_relay_address_size(const union ces_relay_address *address);

/* Copies the addresses into memory that nothing can write any more. */
int ces_relay_seal(const union ces_relay_address *addresses, size_t n,
		   const union ces_relay_address **ret, struct ces_error *err);

/* Confines this process for good. It may accept from the n listeners, connect to the n sealed
 * addresses, move bytes between open fds, and ask for the owner of a peer, and nothing else. It
 * refuses to run as root or with a capability. */
int ces_relay_confine(const union ces_relay_address *sealed, size_t n, struct ces_error *err);

#endif
