/* The raw headers of a tar, read a second time beside libarchive. libarchive forgives more than two
 * readers would agree on (a volume header, whose body it takes for entries; data that no map of
 * holes covers), and it does not say all. Only a header with one meaning passes here, and each
 * entry must begin where both find it. Sources: POSIX pax(1), "ustar Interchange Format" and "pax
 * Header Block"; the GNU tar manual, "Basic Tar Format" and "Storing Sparse Files". */
#ifndef CES_UNPACK_HEADERS_H
#define CES_UNPACK_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/error.h"

#define CES_HEADER_BLOCK 512

enum ces_headers_want {
	CES_HEADERS_NOTHING,
	CES_HEADERS_HEADER,
	CES_HEADERS_PAX,    /* the body of a pax header */
	CES_HEADERS_SPARSE, /* a block that continues an old GNU map of holes */
};

/* Zero it. Positions count bytes of the tar. */
struct ces_headers {
	const uint8_t *block;
	size_t length;
	uint64_t at;                    /* where block begins */
	uint8_t tail[CES_HEADER_BLOCK]; /* the end of what came before */
	size_t tail_length;

	enum ces_headers_want want;
	uint64_t next; /* where what is wanted begins */
	size_t have;   /* bytes of it */
	uint8_t header[CES_HEADER_BLOCK];
	uint8_t *pax;
	size_t pax_length;

	unsigned seen; /* of this entry: special headers, and pax records of a sparse file */
	bool found;    /* the entry's own */
	uint64_t size; /* of its data, by a pax record; UINT64_MAX: by its header */
	uint64_t end;  /* where the next entry begins */
	/* as in the header: ACLs and names change those of libarchive */
	mode_t mode;
	uint8_t type;
	const char *fault;
};

/* Takes the next block of the tar, as libarchive gets it. The block must stay until the next call
 * (NULL and 0 if it cannot). */
void ces_headers_feed(struct ces_headers *headers, const uint8_t *block, size_t length);

/* Call it before libarchive reads the headers of another entry, from `position`. CES_E_IMAGE. */
int ces_headers_begin(struct ces_headers *headers, uint64_t position, struct ces_error *err);

/* Call it afterwards. entry: libarchive found an entry, and not the end. CES_E_IMAGE if what is
 * there can be read in two ways. */
int ces_headers_end(const struct ces_headers *headers, bool entry, struct ces_error *err);

void ces_headers_free(struct ces_headers *headers);

#endif
