/* Packets with a descriptor. It must not wait longer than the socket does. */
#include "common/packet.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/cleanup.h"

int ces_packet_send(int socket, const void *bytes, size_t length, int fd, int flags)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec part = {(void *)(uintptr_t)bytes, length};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	ssize_t sent;

	if (fd >= 0) {
		struct cmsghdr *header = &control.align;

		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &fd, sizeof(int));
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
	}
	do
		sent = sendmsg(socket, &message, MSG_NOSIGNAL | flags);
	while (sent < 0 && errno == EINTR);
	return sent == (ssize_t)length ? 0 : -1;
}

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
