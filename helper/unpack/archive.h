/* A tar, read from a checked stream by libarchive, with a second reader of its headers beside it
 * (headers.h). */
#ifndef CES_UNPACK_ARCHIVE_H
#define CES_UNPACK_ARCHIVE_H

#include <archive.h>
#include <archive_entry.h>

#include "helper/unpack/headers.h"
#include "helper/unpack/stream.h"

/* Zero it, except for the first three. The stream stays the caller's. */
struct ces_archive {
	struct ces_stream *stream;
	/* asked after so many bytes; NULL: there is no limit */
	int (*limit)(void *context, size_t length, struct ces_error *err);
	void *context;
	struct archive *archive;
	struct ces_headers headers; /* of the current entry */
	bool stream_failed;         /* and not the tar: stream_error says how */
	struct ces_error stream_error;
};

/* It must not move in memory from here on. */
int ces_archive_open(struct ces_archive *tar, struct ces_error *err);

/* The next entry: 1, 0 at the end, -1. *ret is NULL at first, and belongs to the archive. */
int ces_archive_next(struct ces_archive *tar, struct archive_entry **ret, struct ces_error *err);

/* Says why a call of libarchive's failed: the stream's error, or the tar's. Returns -1. */
int ces_archive_failed(const struct ces_archive *tar, struct ces_error *err);

void ces_archive_free(struct ces_archive *tar);

#endif
