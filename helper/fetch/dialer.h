/* The one process that finds addresses and begins connections for a ces-fetch, which can do neither
 * itself. It gets the places of the pull before it reads the first foreign byte. After that it
 * answers two questions: the addresses of a host, and a connection to one of these. */
#ifndef CES_FETCH_DIALER_H
#define CES_FETCH_DIALER_H

#include <netinet/in.h>

#include "helper/fetch/address.h"

#define CES_DIALER_ADDRESSES 16 /* of one place; further addresses of a name are not tried */
#define CES_DIALER_SECONDS   20 /* for finding them */

union ces_dialer_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct ces_dialer_places {
	int32_t error; /* 0, or an errno: EHOSTUNREACH without any address, EADDRNOTAVAIL when each
			* is one that is never connected to, ETIMEDOUT */
	uint32_t n;
	union ces_dialer_address v[CES_DIALER_ADDRESSES];
};

struct ces_dialer {
	int channel;
	pid_t pid;
	uint32_t last; /* the id of the last question */
	bool busy;     /* the dialer has not answered in time */
};

/* Forks the dialer. The child does not return; it ends with the caller. Call it after
 * ces_sandbox_drop, and with one thread. The child closes `other`, the channel to the helper. */
int ces_dialer_start(int other, struct ces_dialer *ret, struct ces_error *err);

/* Gives the dialer the places: once, for good. */
int ces_dialer_open(struct ces_dialer *dialer, const struct ces_hosts *hosts,
		    struct ces_error *err);

/* Gets the addresses of hosts.endpoint (0) or hosts.others[place - 1]. It blocks for at most
 * CES_DIALER_SECONDS. */
void ces_dialer_find(struct ces_dialer *dialer, uint32_t place, struct ces_dialer_places *ret);

/* Gets a socket that is connecting to an address found before. It does not wait, and the caller
 * owns the socket. -1 with errno. */
int ces_dialer_connect(struct ces_dialer *dialer, const struct sockaddr *address, size_t length);

/* Ends the dialer. Waits for its end, unless it still asks a name server. */
void ces_dialer_end(struct ces_dialer *dialer);

#endif
