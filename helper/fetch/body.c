/* Writes bytes from the network into the pipe, as they come. Must not look at what they are. It
 * counts the size; ces-unpack at the other end checks digests, and trusts nothing from here. */
#include "helper/fetch/body.h"

#include <curl/curl.h>
#include <errno.h>
#include <unistd.h>

void ces_body_begin(struct ces_body *body, uint64_t skip)
{
	body->skip = skip;
	body->ahead = 0;
	body->paused = false;
}

static size_t smaller(uint64_t a, size_t b)
{
	return a < b ? (size_t)a : b;
}

/* Writes as much as the pipe takes now. Returns the bytes taken, or -1. */
static ssize_t fill(struct ces_body *body, const char *data, size_t length, struct ces_error *err)
{
	size_t done = 0;

	while (done < length) {
		ssize_t n = write(body->fd, data + done, length - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			body->unread = errno == EPIPE;
			return ces_error_errno(err, CES_E_INTERNAL,
					       "nobody takes the downloaded bytes");
		}
		done += (size_t)n;
		body->delivered += (uint64_t)n;
	}
	return (ssize_t)done;
}

size_t ces_body_write(struct ces_body *body, const char *data, size_t length, struct ces_error *err)
{
	size_t at = smaller(body->ahead, length), skipped;
	ssize_t n;

	body->ahead -= at;
	/* It refuses before it writes the first excess byte, so that the reader never sees one. */
	if (length - at > body->skip && length - at - body->skip > body->size - body->delivered) {
		ces_error_set(err, CES_E_REGISTRY,
			      "the registry sent more than the %llu bytes that were announced",
			      (unsigned long long)body->size);
		return 0;
	}
	skipped = smaller(body->skip, length - at);
	body->skip -= skipped;
	at += skipped;
	n = fill(body, data + at, length - at, err);
	if (n < 0)
		return 0;
	at += (size_t)n;
	body->paused = at < length;
	if (!body->paused)
		return length;
	body->ahead = at;
	return CURL_WRITEFUNC_PAUSE;
}
