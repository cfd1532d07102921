/* One layer: a tar from a stream into a directory. Source: OCI image-spec v1.0.2 layer.md. */
#ifndef CES_UNPACK_LAYER_H
#define CES_UNPACK_LAYER_H

#include "common/worker.h"
#include "helper/unpack/stream.h"

struct ces_layer_limits {
	uint64_t max_bytes;   /* sum of all entries, see layer.c, count */
	uint64_t max_entries; /* files, directories, symlinks, whiteouts, and directories made on
				 the way */
	uint64_t reserve;     /* bytes of the file system that stay free, and with them a part of
				 its inodes */
};

/* Call it once before the sandbox closes: names in pax headers are UTF-8, and libarchive converts
 * them by the locale, which is a file. */
void ces_layer_prepare(void);

/* Extracts, and compares digest and diff_id. root (borrowed) must be an empty directory, the umask
 * 0. After an error the caller destroys the written files, and must use nothing of the layer.
 * ret->diff_id stays NULL; ces_layer_free releases the content of *ret. */
int ces_layer_extract(struct ces_stream *stream, int root, const struct ces_layer_limits *limits,
		      struct ces_unpack_layer *ret, struct ces_error *err);
void ces_layer_free(struct ces_unpack_layer *answer);

#endif
