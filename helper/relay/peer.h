/* Who is at the other end of a connection from this machine. */
#ifndef CES_RELAY_PEER_H
#define CES_RELAY_PEER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/types.h>

enum ces_peer {
	CES_PEER_GONE,  /* closed or reset already, or not a socket of this machine */
	CES_PEER_KNOWN, /* *ret_uid made the socket */
};

/* Asks the kernel for the other end of accepted, a connection from peer to port of 127.0.0.1 of
 * which nothing was read yet. diag: NETLINK_SOCK_DIAG of the network namespace in which the
 * connection was made (sock_diag(7)). */
enum ces_peer ces_peer_find(int diag, int accepted, const struct sockaddr_in *peer, in_port_t port,
			    uid_t *ret_uid);

/* Whether the connection has no error: a reset, or a failure to connect (socket(7), SO_ERROR;
 * asking clears it). */
bool ces_peer_sound(int fd);

#endif
