/* Passes one body into its pipe. */
#ifndef CES_FETCH_BODY_H
#define CES_FETCH_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

struct ces_body {
	int fd;             /* non-blocking; owned by the transfer */
	uint64_t size;      /* never a byte more than this */
	uint64_t delivered; /* bytes in the pipe so far, all tries together */
	uint64_t skip;      /* bytes of this response that an earlier try has delivered */
	size_t
	    ahead; /* bytes at the start of the next buffer that were dealt with before the pause */
	bool paused; /* the pipe is full */
	bool unread; /* its reader is gone */
};

/* Prepares for a new try: the response starts `skip` bytes before the wanted part. */
void ces_body_begin(struct ces_body *body, uint64_t skip);

/* A libcurl write callback. Returns length; CURL_WRITEFUNC_PAUSE (the same bytes come again); or 0
 * with err if the body is longer than its size or the pipe is broken (length is never 0). */
size_t ces_body_write(struct ces_body *body, const char *data, size_t length,
		      struct ces_error *err);

#endif
