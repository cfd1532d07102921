/* One packet of a SOCK_SEQPACKET socket, with at most one descriptor beside it: unix(7),
 * SCM_RIGHTS. */
#ifndef CES_COMMON_PACKET_H
#define CES_COMMON_PACKET_H

#include <stddef.h>

/* fd: stays the caller's; -1: none. flags: of sendmsg(2), beside MSG_NOSIGNAL. -1 with errno. */
int ces_packet_send(int socket, const void *bytes, size_t length, int fd, int flags);

#endif
