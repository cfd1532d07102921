/* The small documents of a pull, manifest and configuration: fetched into memory, hashed, and given
 * to ces-unpack. Must not look into them. */
#include "helper/store/documents.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/io.h"
#include "common/request.h"
#include "helper/core/order.h"

struct small {
	struct ces_bytes body;
	size_t max;
	bool ended, done;
};

static int read_some(int fd, struct small *small, struct ces_error *err)
{
	ssize_t n =
	    read(fd, small->body.bytes + small->body.length, small->max + 1 - small->body.length);

	if (n < 0)
		return errno == EINTR ? 0
				      : ces_error_errno(err, CES_E_HOST, "reading from ces-fetch");
	small->ended = n == 0;
	small->body.length += (size_t)n;
	if (small->body.length > small->max)
		return ces_error_set(err, CES_E_REGISTRY, "the registry sent more than it should");
	return 0;
}

/* Of the worker's codes only these mean something here. A login that is missing or refused has the
 * name of the rule that speaks of logins, so that the client can ask for another. */
int ces_pull_failed(const struct ces_fetch_status *status, struct ces_error *err)
{
	const char *text = status->text != NULL ? status->text : "the registry failed";

	if (status->state != CES_FETCH_FAILED && status->state != CES_FETCH_UNREAD)
		return 0;
	if (status->state == CES_FETCH_UNREAD)
		ces_error_set(err, CES_E_INTERNAL, "%s", text);
	else if (status->code == CES_E_DENIED)
		ces_error_rule(err, CES_E_REGISTRY, "registries.credentials", "%s", text);
	else
		ces_error_set(err,
			      status->code == CES_E_NOTFOUND || status->code == CES_E_HOST
				  ? (enum ces_code)status->code
				  : CES_E_REGISTRY,
			      "%s", text);
	return -1;
}

int ces_pull_status(struct ces_fetcher *fetcher, struct ces_fetch_status *ret,
		    struct ces_error *err)
{
	int got = ces_fetcher_status(fetcher, ret, err);

	if (got < 0)
		return -1;
	return got == 0 ? ces_error_set(err, CES_E_HOST, "ces-fetch ended unexpectedly") : 0;
}

int ces_pull_cancelled(struct ces_error *err)
{
	struct pollfd control = {.fd = CES_FD_REQUEST, .events = POLLIN};
	struct ces_control frame;
	struct ces_error ignored;
	int got;

	if (poll(&control, 1, 0) == 0)
		return 0;
	got = ces_wire_receive(CES_FD_REQUEST, &ces_control_schema, 256, ces_now_ms() + 1000,
			       &frame, &ignored);
	if (got > 0 && frame.kind == CES_CONTROL_WINDOW)
		return 0;
	return ces_error_set(err, CES_E_USAGE, "the pull was interrupted; nothing was kept");
}

static int wait_small(struct ces_fetcher *fetcher, int body, struct small *small,
		      struct ces_error *err)
{
	int64_t deadline = ces_now_ms() + CES_DOCUMENT_MS;

	while (!small->ended || !small->done) {
		struct pollfd fds[3] = {
		    {.fd = small->ended ? -1 : body, .events = POLLIN},
		    {.fd = small->done ? -1 : fetcher->socket, .events = POLLIN},
		    {.fd = CES_FD_REQUEST, .events = POLLIN}};
		int64_t left = deadline - ces_now_ms();

		if (left <= 0)
			return ces_error_set(err, CES_E_REGISTRY,
					     "the registry did not answer in time");
		if (poll(fds, 3, (int)left) < 0 && errno != EINTR)
			return ces_error_errno(err, CES_E_HOST, "poll");
		if (fds[2].revents != 0 && ces_pull_cancelled(err) < 0)
			return -1;
		if (fds[0].revents != 0 && read_some(body, small, err) < 0)
			return -1;
		if (fds[1].revents != 0) {
			struct ces_fetch_status status;
			int failed;

			if (ces_pull_status(fetcher, &status, err) < 0)
				return -1;
			small->done = status.state == CES_FETCH_DONE;
			failed = ces_pull_failed(&status, err);
			ces_wire_free(&ces_fetch_status_schema, &status);
			if (failed < 0)
				return -1;
		}
	}
	return 0;
}

int ces_document_fetch(struct ces_fetcher *fetcher, enum ces_fetch_kind kind, const char *reference,
		       uint64_t size, const char *digest, struct ces_bytes *ret,
		       struct ces_error *err)
{
	struct small small = {.max = size};
	char found[CES_DIGEST_LENGTH + 1];
	CES_CLEANUP_FD int read_end = -1;
	uint64_t id;
	int ends[2], result;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return ces_error_errno(err, CES_E_HOST, "pipe");
	read_end = ends[0];
	result = ces_fetcher_get(fetcher, kind, reference, size, ends[1], &id, err);
	close(ends[1]);
	if (result < 0)
		return -1;
	small.body.bytes = malloc(size + 1);
	if (small.body.bytes == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	if (wait_small(fetcher, read_end, &small, err) < 0) {
		free(small.body.bytes);
		return -1;
	}
	ces_digest_of(small.body.bytes, small.body.length, found);
	if (digest != NULL && strcmp(digest, found) != 0) {
		free(small.body.bytes);
		return ces_error_set(
		    err, CES_E_REGISTRY,
		    "the registry sent other bytes than %.19s: their digest is %.19s", digest,
		    found);
	}
	*ret = small.body;
	return 0;
}

int ces_document_parse(int userns, const struct ces_unpack_job *job, const struct ces_bytes *bytes,
		       const struct ces_wire_schema *schema, void *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int input = memfd_create("ces-document", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct ces_unpacker unpacker;

	if (input < 0 || ces_write_full(input, bytes->bytes, bytes->length, -1) < 0 ||
	    lseek(input, 0, SEEK_SET) < 0 ||
	    fcntl(input, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) < 0)
		return ces_error_errno(err, CES_E_HOST, "passing a document on");
	if (ces_unpacker_start(job, userns, input, NULL, 0, &unpacker, err) < 0)
		return -1;
	return ces_unpacker_finish(&unpacker, ces_now_ms() + CES_DOCUMENT_MS, schema, ret, err);
}
