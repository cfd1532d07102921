/* Fetches documents. It must not read one itself: a ces-unpack does. */
#include "helper/resolve/documents.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/io.h"
#include "common/schema.h"

static int read_some(int fd, struct ces_small *small, struct ces_error *err)
{
	ssize_t n = read(fd, small->bytes + small->length, small->max + 1 - small->length);

	if (n < 0)
		return errno == EINTR ? 0
				      : ces_error_errno(err, CES_E_HOST, "reading from ces-fetch");
	small->ended = n == 0;
	small->length += (size_t)n;
	if (small->length > small->max)
		return ces_error_set(err, CES_E_REGISTRY, "the registry sent too many bytes");
	return 0;
}

static int take_status(struct ces_small *small, struct ces_error *err)
{
	struct ces_fetch_status status;
	int failed;

	if (ces_talk_status(&status, err) < 0)
		return -1;
	small->done = status.state == CES_FETCH_DONE;
	small->type = status.type;
	failed = ces_talk_fetch_failed(&status, err);
	ces_wire_free(&ces_fetch_status_schema, &status);
	return failed;
}

static int wait_small(int body, int64_t deadline, struct ces_small *small, struct ces_error *err)
{
	while (!small->ended || !small->done) {
		struct pollfd fds[2] = {
		    {.fd = small->ended ? -1 : body, .events = POLLIN},
		    {.fd = small->done ? -1 : CES_RESOLVE_FETCH, .events = POLLIN}};
		int64_t left = deadline - ces_now_ms();

		if (left <= 0)
			return ces_error_set(err, CES_E_REGISTRY,
					     "the registry did not answer in time");
		if (poll(fds, 2, (int)left) < 0 && errno != EINTR)
			return ces_error_errno(err, CES_E_HOST, "poll");
		if (fds[0].revents != 0 && read_some(body, small, err) < 0)
			return -1;
		if (fds[1].revents != 0 && take_status(small, err) < 0)
			return -1;
	}
	return 0;
}

static int check_digest(const char *reference, const struct ces_small *small, struct ces_error *err)
{
	char found[CES_DIGEST_LENGTH + 1];

	if (!ces_digest_valid(reference))
		return 0;
	ces_digest_of(small->bytes, small->length, found);
	return strcmp(reference, found) == 0
		   ? 0
		   : ces_error_set(
			 err, CES_E_REGISTRY,
			 "the registry sent other bytes than %.19s: their digest is %.19s",
			 reference, found);
}

int ces_document_fetch(const struct ces_document *document, enum ces_fetch_kind kind,
		       int64_t deadline_ms, struct ces_small *small, struct ces_error *err)
{
	CES_CLEANUP_FD int read_end = -1;
	uint64_t id;
	int ends[2], result;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return ces_error_errno(err, CES_E_HOST, "pipe");
	read_end = ends[0];
	*small = (struct ces_small){.max = document->max};
	result = ces_talk_fetch(kind, document->reference, document->max, ends[1], &id, err);
	close(ends[1]);
	if (result < 0)
		return -1;
	small->bytes = malloc(small->max + 1);
	if (small->bytes == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	if (wait_small(read_end, deadline_ms, small, err) < 0)
		return -1;
	return kind == CES_FETCH_REFERRERS ? 0 : check_digest(document->reference, small, err);
}

int ces_document_hand_over(enum ces_wish_document which, const void *bytes, size_t length,
			   struct ces_error *err)
{
	static struct ces_wish wish;

	for (size_t at = 0; at < length; at += CES_WISH_BYTES_MAX) {
		size_t n = length - at < CES_WISH_BYTES_MAX ? length - at : CES_WISH_BYTES_MAX;

		wish = (struct ces_wish){.kind = CES_WISH_BYTES, .number = which};
		if (ces_talk_wish(&wish, (const char *)bytes + at, n, NULL, err) < 0)
			return -1;
	}
	return 0;
}

int ces_document_read(const struct ces_document *document, const struct ces_small *small,
		      const struct ces_wire_schema *schema, void *ret, struct ces_error *err)
{
	static struct ces_wish wish;
	int answer, input;

	wish = (struct ces_wish){.kind = CES_WISH_PARSE,
				 .number = document->job,
				 .size = document->job == CES_UNPACK_CONFIG ? small->length
									    : document->max,
				 .layers = document->layers,
				 .type = small->type};
	if (ces_digest_valid(document->reference))
		memcpy(wish.digest, document->reference, sizeof(wish.digest));
	if (ces_talk_unpack(&wish, NULL, 0, &answer, &input, err) < 0)
		return -1;
	/* (a ces-unpack that reads no more gives the reason in its answer) */
	(void)ces_write_full(input, small->bytes, small->length, -1);
	close(input);
	return ces_talk_unpacked(&answer, ces_now_ms() + CES_DOCUMENT_MS, schema, ret, err);
}

int ces_document_get(const struct ces_document *document, const struct ces_wire_schema *schema,
		     void *ret, struct ces_error *err)
{
	struct ces_small small = {0};
	int result = ces_document_fetch(
	    document, document->job == CES_UNPACK_MANIFEST ? CES_FETCH_MANIFEST : CES_FETCH_BLOB,
	    ces_now_ms() + CES_DOCUMENT_MS, &small, err);

	if (result == 0)
		result = ces_document_hand_over(document->which, small.bytes, small.length, err);
	if (result == 0)
		result = ces_document_read(document, &small, schema, ret, err);
	free(small.bytes);
	return result;
}
