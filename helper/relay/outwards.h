/* The end of the way out: the address of the policy's proxy. */
#ifndef CES_RELAY_OUTWARDS_H
#define CES_RELAY_OUTWARDS_H

#include "common/error.h"
#include "helper/relay/sandbox.h"

#define CES_OUTWARDS_TEXT 64 /* an address as text */

/* Looks up the host of "host:port": its first IPv4 address, or else its first IPv6 address. It
 * confines this process like ces-fetch, for good. */
int ces_outwards_resolve(const char *proxy, char ret[CES_OUTWARDS_TEXT], struct ces_error *err);

/* Reads the literal address, with the port of "host:port", if the host may have it. Loopback is
 * allowed only if the policy's host is this machine by name; link-local and multicast never are, as
 * for registries. */
int ces_outwards_address(const char *proxy, const char *address, union ces_relay_address *ret,
			 struct ces_error *err);

#endif
