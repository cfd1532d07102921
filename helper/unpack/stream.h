/* The bytes of a layer on their way from fd 5 to the tar reader: counted, hashed, decompressed and
 * hashed again on a thread of their own, handed over in blocks through a small ring. */
#ifndef CES_UNPACK_STREAM_H
#define CES_UNPACK_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "common/name.h"
#include "common/worker.h"

struct ces_stream;

struct ces_stream_source {
	int fd;              /* borrowed */
	uint64_t size;       /* exactly so many compressed bytes must come */
	const char *digest;  /* of the compressed bytes */
	const char *diff_id; /* of the tar */
	enum ces_compression compression;
};

/* Makes the ring and the thread. The thread waits, and reads nothing before the first
 * ces_stream_next, so that the sandbox can close around both threads. The strings of `source` must
 * outlive the stream. */
int ces_stream_open(const struct ces_stream_source *source, struct ces_stream **ret,
		    struct ces_error *err);

/* The next block of the tar, valid until the next call. Returns 1, 0 at the end, -1. */
int ces_stream_next(struct ces_stream *stream, const uint8_t **ret, size_t *ret_length,
		    struct ces_error *err);

/* Reads the rest and compares size, digest and diff_id. `unpacked` is 0 if the tar reader
 * succeeded. If it did not (and *err says why), the stream still reads the compressed bytes to
 * their end: if they do not match the digest, that is the better explanation and replaces *err.
 * Returns -1 in both cases. */
int ces_stream_finish(struct ces_stream *stream, int unpacked, struct ces_error *err);

/* Ends the thread and frees everything. Call it at any time; NULL is allowed. */
void ces_stream_close(struct ces_stream *stream);

#endif
