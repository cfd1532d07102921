/* One direction of the container's stdio: it moves bytes from one fd to another, unchanged and in
 * full. It must never wait on one fd while another has something to do. */
#ifndef CES_CLIENT_RELAY_H
#define CES_CLIENT_RELAY_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

struct ces_stream {
	int from, to;  /* -1 when closed */
	bool own_from; /* close `from` at the end (our pipe); else leave it (the user's stdin) */
	bool own_to;
	bool splice; /* the kernel moves the bytes: nothing is copied through this process */
	bool full;   /* `to` had no room: wait for `to` and not for `from` */
	bool failed; /* `to` could not be written although it has a reader; errno in `error` */
	int error;
	size_t start, end; /* what of the buffer is still to be written */
	size_t at_once;    /* bytes of one write(2) that cannot block */
	char buffer[65536];
};

/* A stream that is never ready. */
void ces_stream_none(struct ces_stream *stream);

void ces_stream_start(struct ces_stream *stream, int from, bool own_from, int to, bool own_to);
bool ces_stream_open(const struct ces_stream *stream);

/* What to poll for. fd is -1 if the stream is closed. */
struct pollfd ces_stream_poll(const struct ces_stream *stream);

/* Moves what it can, after poll has reported on the stream. At the end of `from`, or when `to` has
 * no reader, the stream closes its own ends: the writer then gets SIGPIPE, the reader an end of
 * file. */
void ces_stream_step(struct ces_stream *stream);

void ces_stream_close(struct ces_stream *stream);

#endif
