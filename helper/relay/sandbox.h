/* What ces-relay gives up before it accepts anyone. */
#ifndef CES_RELAY_SANDBOX_H
#define CES_RELAY_SANDBOX_H

#include <netinet/in.h>

#include "common/error.h"

#define CES_RELAY_CHANNEL  3
#define CES_RELAY_DIAG     4
#define CES_RELAY_LISTENER 5 /* the first of them */

/* Puts 127.0.0.1 and each port into memory that cannot be written any more. */
int ces_relay_seal(const in_port_t *ports, size_t n, const struct sockaddr_in **ret,
		   struct ces_error *err);

/* For good: accept from the n listeners, connect to the n sealed addresses, move bytes between what
 * is open, ask who a peer is. Nothing else. Refuses to run as root or with a capability. */
int ces_relay_confine(const struct sockaddr_in *sealed, size_t n, struct ces_error *err);

#endif
