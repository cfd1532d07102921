/* Where ces-fetch may connect to: hosts by name, and the kinds of addresses. Pure. */
#ifndef CES_FETCH_ADDRESS_H
#define CES_FETCH_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/wire.h"

/* RFC 1035: a name has at most 253 characters; an IPv6 literal keeps its brackets. */
#define CES_ORIGIN_HOST 254
#define CES_ORIGIN_TEXT (CES_ORIGIN_HOST + 16)

/* One place to talk to. The scheme is always https. */
struct ces_origin {
	char host[CES_ORIGIN_HOST]; /* lower case */
	uint16_t port;
};

/* All the places of one pull, by the policy. */
struct ces_hosts {
	struct ces_origin
	    endpoint; /* only the endpoint ever gets an Authorization header for the registry */
	struct ces_origin others[32];
	size_t n_others;
};

/* Reads "host" (port 443), "host:port", "[v6]" or "[v6]:port". 0, or -1 for any other text. */
int ces_origin_parse(const char *text, struct ces_origin *ret);

bool ces_origin_equal(const struct ces_origin *a, const struct ces_origin *b);

/* Writes "https://host[:port]", with the port only if it is not 443. */
void ces_origin_format(const struct ces_origin *origin, char ret[CES_ORIGIN_TEXT]);

/* Returns whether the host is *written* as this very machine: "localhost", a name below it, or a
 * loopback literal. */
bool ces_origin_is_loopback(const struct ces_origin *origin);

/* Fills hosts from an order's fields: endpoint is "https://host[:port]". 0 or -1 with err. */
int ces_hosts_fill(const char *endpoint, const struct ces_strings *others, struct ces_hosts *ret,
		   struct ces_error *err);

/* Returns whether origin is the endpoint or one of the others: the same host *and* the same
 * port. */
bool ces_hosts_allow(const struct ces_hosts *hosts, const struct ces_origin *origin);

enum ces_address_kind {
	CES_ADDRESS_ORDINARY, /* public or private */
	CES_ADDRESS_LOOPBACK,
	CES_ADDRESS_REFUSED, /* never a registry: unspecified, link-local, multicast, broadcast,
				unknown family */
};

/* Looks through IPv4 addresses inside IPv6 ones (mapped, compatible, NAT64, 6to4): RFC 4291, 6052,
 * 3056. */
enum ces_address_kind ces_address_classify(const struct sockaddr *address, size_t length);

#endif
