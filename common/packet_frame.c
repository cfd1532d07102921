/* Packets of one frame each. It must not be linked into root's programs, whose packets are structs.
 */
#include "common/packet_frame.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/packet.h"

int ces_packet_send_frame(int socket, const struct ces_wire_schema *schema, const void *object,
			  int fd, const char *peer, struct ces_error *err)
{
	CES_CLEANUP_FREE uint8_t *frame = NULL;
	size_t length;
	int result;

	if (ces_wire_encode(schema, object, &frame, &length, err) < 0)
		return -1;
	result = ces_packet_send(socket, frame, length, fd, 0);
	explicit_bzero(frame, length);
	return result == 0 ? 0 : ces_error_errno(err, CES_E_HOST, "talking to %s", peer);
}
