/* The head of one HTTP response, line by line. Pure, for hostile input. */
#ifndef CES_FETCH_RESPONSE_H
#define CES_FETCH_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/worker.h"
#include "helper/fetch/challenge.h"
#include "helper/fetch/target.h"

#define CES_RESPONSE_HEADERS_MAX                                                                   \
	(64 * 1024)            /* of one request, interim responses and trailers included */
#define CES_RETRY_AFTER_MAX 10 /* seconds */

struct ces_response {
	size_t bytes;
	unsigned status;    /* 0 until the status line came */
	bool ended;         /* the blank line of a final (not 1xx) response came */
	bool encoded;       /* a Content-Encoding or Transfer-Encoding that nobody asked for */
	bool odd_challenge; /* a WWW-Authenticate that the parser refuses */
	struct ces_challenge challenge;
	char location[CES_TARGET_MAX + 1]; /* "" when absent */
	bool odd_location;                 /* two, or one that is too long */
	bool ranged;                       /* a well-formed Content-Range was seen */
	uint64_t range_start, range_end;   /* first and last byte */
	uint64_t range_total;              /* UINT64_MAX: "*" */
	unsigned retry_after;              /* seconds, capped; 0 when absent */
	bool typed;                        /* a Content-Type was seen */
	bool odd_type;                     /* two types in one or two headers */
	enum ces_manifest_type type;       /* without parameters */
};

/* Takes one header line as libcurl passes it. 0, or -1: too many bytes, or not HTTP. */
int ces_response_line(struct ces_response *response, const char *line, size_t length);

#endif
