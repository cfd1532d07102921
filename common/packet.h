/* One packet of a SOCK_SEQPACKET socket, with at most one descriptor beside it: unix(7),
 * SCM_RIGHTS. */
#ifndef CES_COMMON_PACKET_H
#define CES_COMMON_PACKET_H

#include "common/wire.h"

/* fd: stays the caller's; -1: none. flags: of sendmsg(2), beside MSG_NOSIGNAL. -1 with errno. */
int ces_packet_send(int socket, const void *bytes, size_t length, int fd, int flags);

/* The same with a frame, which it wipes, because it may hold a token. An error names `peer`. */
int ces_packet_send_frame(int socket, const struct ces_wire_schema *schema, const void *object,
			  int fd, const char *peer, struct ces_error *err);

#endif
