/* Finds the other end of a connection from this machine. */
#ifndef CES_RELAY_PEER_H
#define CES_RELAY_PEER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/types.h>

enum ces_peer {
	CES_PEER_GONE,  /* closed or reset already, or not a socket of this machine */
	CES_PEER_KNOWN, /* *ret_uid made the socket */
};

/* Asks the kernel for the other end of accepted, a connection from peer to port of 127.0.0.1 from
 * which nothing was read yet. diag: NETLINK_SOCK_DIAG of the network namespace of the connection
 * (sock_diag(7)). */
enum ces_peer ces_peer_find(int diag, int accepted, const struct sockaddr_in *peer, in_port_t port,
			    uid_t *ret_uid);

/* Returns whether the connection has no error: no reset, and no failure to connect (socket(7),
 * SO_ERROR, which the question clears). */
bool ces_peer_sound(int fd);

#endif
