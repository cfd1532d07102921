/* A frame (common/wire.h) as one packet, with at most one descriptor beside it. */
#ifndef CES_COMMON_PACKET_FRAME_H
#define CES_COMMON_PACKET_FRAME_H

#include "common/wire.h"

/* Sends it as ces_packet_send does, and wipes it, because it may hold a token. An error names
 * `peer`. */
int ces_packet_send_frame(int socket, const struct ces_wire_schema *schema, const void *object,
			  int fd, const char *peer, struct ces_error *err);

#endif
