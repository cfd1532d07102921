/* Sends packets to the helper and receives them. It must take no more than one fd with each, and
 * leak none. */
#include "helper/fetch/channel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "common/cleanup.h"
#include "common/schema.h"

#define PATIENCE_MS 30000

/* On 64 bits the room for alignment can hold a second fd: the code looks for one, and closes it. */
union ancillary {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static int take_fds(struct msghdr *message, int *ret_fd)
{
	int fds[sizeof(union ancillary) / sizeof(int)];
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
		size_t bytes = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
		    bytes > sizeof(fds) - n * sizeof(int))
			return -1;
		memcpy(fds + n, CMSG_DATA(c), bytes);
		n += bytes / sizeof(int);
	}
	if (n == 1 && (message->msg_flags & MSG_CTRUNC) == 0) {
		*ret_fd = fds[0];
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	*ret_fd = -1;
	return n == 0 && (message->msg_flags & MSG_CTRUNC) == 0 ? 0 : -1;
}

int ces_channel_receive(int channel, void *buffer, size_t size, size_t *ret_length, int *ret_fd,
			struct ces_error *err)
{
	union ancillary ancillary;
	struct iovec part = {buffer, size};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = ancillary.bytes,
				 .msg_controllen = sizeof(ancillary.bytes)};
	CES_CLEANUP_FD int fd = -1;
	ssize_t n = recvmsg(channel, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		*ret_length = 0;
		*ret_fd = -1;
		return 1;
	}
	if (n < 0)
		return errno == ECONNRESET ? 0 : ces_error_errno(err, CES_E_INTERNAL, "recvmsg");
	if (take_fds(&message, &fd) < 0 || (message.msg_flags & MSG_TRUNC) != 0)
		return ces_error_set(err, CES_E_INTERNAL,
				     "a packet that the helper would not send");
	if (n == 0)
		return 0;
	*ret_length = (size_t)n;
	*ret_fd = ces_steal_fd(&fd);
	return 1;
}

int ces_channel_order(const void *bytes, size_t length, struct ces_fetch_open *ret)
{
	if (length != sizeof(*ret))
		return -1;
	memcpy(ret, bytes, length);
	for (size_t i = 0; i < ret->hosts.n; i++)
		if (i == CES_DECISION_NAMES ||
		    memchr(ret->hosts.v[i], '\0', sizeof(ret->hosts.v[i])) == NULL)
			return -1;
	return memchr(ret->scheme_host_port, '\0', sizeof(ret->scheme_host_port)) != NULL &&
		       memchr(ret->prefix, '\0', sizeof(ret->prefix)) != NULL &&
		       memchr(ret->repository, '\0', sizeof(ret->repository)) != NULL &&
		       memchr(ret->username, '\0', sizeof(ret->username)) != NULL &&
		       memchr(ret->token, '\0', sizeof(ret->token)) != NULL &&
		       memchr(ret->proxy, '\0', sizeof(ret->proxy)) != NULL
		   ? 0
		   : -1;
}

static ssize_t push(int channel, const void *frame, size_t length, int64_t patience)
{
	for (;;) {
		struct pollfd wait = {.fd = channel, .events = POLLOUT};
		ssize_t n = send(channel, frame, length, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n >= 0 || (errno != EAGAIN && errno != EINTR))
			return n;
		if (patience == 0 || poll(&wait, 1, (int)patience) <= 0)
			return -1;
	}
}

void ces_channel_report(int channel, const struct ces_fetch_status *what,
			const struct ces_error *err, bool final)
{
	char text[CES_ERROR_TEXT];
	struct ces_fetch_status status = *what;
	CES_CLEANUP_FREE uint8_t *frame = NULL;
	size_t length;

	if (err != NULL) {
		memcpy(text, err->text, sizeof(text));
		status.code = err->code;
		status.text = text;
	}
	if (ces_wire_encode(&ces_fetch_status_schema, &status, &frame, &length, NULL) < 0)
		_exit(1);
	if (push(channel, frame, length, final ? PATIENCE_MS : 0) < 0 && final)
		_exit(1);
}
