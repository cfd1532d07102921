/* Moves the container's stdio. It must not look at a byte, and must not change a flag of an fd that
 * it was given: other programs share the user's stdin and stdout. */
#include "client/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

#define SPLICE_BYTES (1u << 20)
#define READY_BYTES  4096 /* a terminal, pipe or socket that poll reports takes these at once */

void ces_stream_none(struct ces_stream *stream)
{
	stream->from = -1;
	stream->to = -1;
}

/* Splice needs a pipe on one side (a stream always has one), and must not block on the other.
 * SPLICE_F_NONBLOCK keeps a pipe from blocking, and /dev/null never blocks. Terminals and sockets
 * are copied. So are files: splice(2) takes no lock on a file's offset, as read(2) and write(2) do,
 * so that two clients with one file as stdout would write over each other's bytes. */
static bool spliceable(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	return S_ISFIFO(st.st_mode) || (S_ISCHR(st.st_mode) && !isatty(fd));
}

static bool is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

void ces_stream_start(struct ces_stream *stream, int from, bool own_from, int to, bool own_to)
{
	stream->from = from;
	stream->to = to;
	stream->own_from = own_from;
	stream->own_to = own_to;
	stream->splice = spliceable(from) && spliceable(to);
	stream->at_once = is_file(to) ? sizeof(stream->buffer) : READY_BYTES;
	stream->full = false;
	stream->failed = false;
	stream->error = 0;
	stream->start = stream->end = 0;
}

bool ces_stream_open(const struct ces_stream *stream)
{
	return stream->from >= 0;
}

struct pollfd ces_stream_poll(const struct ces_stream *stream)
{
	if (stream->from < 0)
		return (struct pollfd){.fd = -1};
	if (stream->full)
		return (struct pollfd){.fd = stream->to, .events = POLLOUT};
	return (struct pollfd){.fd = stream->from, .events = POLLIN};
}

void ces_stream_close(struct ces_stream *stream)
{
	if (stream->own_from)
		ces_cleanup_close(&stream->from);
	if (stream->own_to)
		ces_cleanup_close(&stream->to);
	stream->from = -1;
	stream->to = -1;
}

static void fail(struct ces_stream *stream)
{
	if (errno != EPIPE && errno != ECONNRESET) {
		stream->failed = true;
		stream->error = errno;
	}
	ces_stream_close(stream);
}

static void step_splice(struct ces_stream *stream)
{
	ssize_t n = splice(stream->from, NULL, stream->to, NULL, SPLICE_BYTES,
			   SPLICE_F_NONBLOCK | SPLICE_F_MOVE);

	if (n > 0) {
		stream->full = false;
		return;
	}
	if (n == 0) {
		ces_stream_close(stream);
		return;
	}
	switch (errno) {
	case EAGAIN:
		/* `from` was ready, so `to` is full; or `to` has room again, and `from` is
		 * empty. */
		stream->full = !stream->full;
		return;
	case EINTR:
		return;
	case EINVAL:
		/* (a device that cannot splice) */
		stream->splice = false;
		return;
	default:
		fail(stream);
		return;
	}
}

/* Writes without blocking, if the fd can do that. A file does not block, and a terminal or pipe
 * that poll reports writable has room for READY_BYTES. */
static ssize_t write_now(int fd, const char *bytes, size_t length)
{
	ssize_t n = send(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno == ENOTSOCK)
		n = write(fd, bytes, length);
	return n;
}

static void step_write(struct ces_stream *stream)
{
	size_t left = stream->end - stream->start;
	ssize_t n = write_now(stream->to, stream->buffer + stream->start,
			      left < stream->at_once ? left : stream->at_once);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		fail(stream);
		return;
	}
	stream->start += (size_t)n;
	stream->full = stream->start < stream->end;
}

static void step_read(struct ces_stream *stream)
{
	ssize_t n = read(stream->from, stream->buffer, sizeof(stream->buffer));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* A pty whose other side is closed gives EIO: that is its end of file. */
	if (n <= 0) {
		ces_stream_close(stream);
		return;
	}
	stream->start = 0;
	stream->end = (size_t)n;
	stream->full = true; /* written when poll says that there is room */
}

void ces_stream_step(struct ces_stream *stream)
{
	if (stream->from < 0)
		return;
	if (stream->splice)
		step_splice(stream);
	else if (stream->full)
		step_write(stream);
	else
		step_read(stream);
}
