/* Sends and takes packets and pipes: ces-store, ces-fetch and ces-unpack. It must not believe
 * ces-fetch and ces-unpack more than the codec checks. */
#include "helper/resolve/talk.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/packet.h"
#include "common/packet_frame.h"
#include "common/schema.h"
#include "common/wire_field.h"
#include "common/wire_stream.h"
#include "helper/fetch/channel.h"

static int gone(struct ces_error *err)
{
	return ces_error_set(err, CES_E_INTERNAL, "ces-store ended this pull");
}

/* Takes one packet of n bytes from ces-store, and its fd if one is wanted. */
static int take(void *ret, size_t n, int *ret_fd, struct ces_error *err)
{
	struct pollfd wait = {.fd = CES_RESOLVE_SESSION, .events = POLLIN};
	CES_CLEANUP_FD int fd = -1;
	size_t got = 0;
	int result = 1;

	while (result == 1 && got == 0) {
		(void)poll(&wait, 1, -1);
		result = ces_channel_receive(CES_RESOLVE_SESSION, ret, n, &got, &fd, err);
	}
	if (result != 1 || got != n || (fd >= 0) != (ret_fd != NULL))
		return gone(err);
	if (ret_fd != NULL)
		*ret_fd = ces_steal_fd(&fd);
	return 0;
}

static int send_wish(struct ces_wish *wish, const void *bytes, size_t length, struct ces_error *err)
{
	if (length > sizeof(wish->bytes))
		return ces_error_set(err, CES_E_INTERNAL, "too long for a wish");
	wish->length = length;
	if (length > 0)
		memcpy(wish->bytes, bytes, length);
	return ces_packet_send(CES_RESOLVE_SESSION, wish, offsetof(struct ces_wish, bytes) + length,
			       -1, 0) < 0
		   ? gone(err)
		   : 0;
}

int ces_talk_wish(struct ces_wish *wish, const void *bytes, size_t length,
		  struct ces_wish_answer *answer, struct ces_error *err)
{
	if (send_wish(wish, bytes, length, err) < 0)
		return -1;
	return answer != NULL ? take(answer, sizeof(*answer), NULL, err) : 0;
}

void ces_talk_failed(const struct ces_error *err)
{
	static struct ces_wish wish;
	struct ces_error ignored;

	wish = (struct ces_wish){
	    .kind = CES_WISH_FAILED, .number = err->code, .size = err->rule[0] != '\0'};
	(void)send_wish(&wish, err->text, strlen(err->text), &ignored);
}

static const char *layout = "";

void ces_talk_layout(const char *directory)
{
	layout = directory;
}

static int fetch_gone(struct ces_error *err)
{
	return layout[0] != '\0'
		   ? ces_error_set(err, CES_E_HOST,
				   "%s does not answer; its file server may be down", layout)
		   : ces_error_set(err, CES_E_HOST, "ces-fetch ended unexpectedly");
}

/* The number of the next fetch, and the lowest number that still counts. */
static uint64_t next = 1, oldest = 1;

void ces_talk_forget(void)
{
	oldest = next;
}

int ces_talk_fetch(enum ces_fetch_kind kind, const char *reference, uint64_t size, int body,
		   uint64_t *ret_id, struct ces_error *err)
{
	struct ces_fetch_get get = {
	    .id = next, .kind = kind, .reference = (char *)(uintptr_t)reference, .size = size};

	if (ces_packet_send_frame(CES_RESOLVE_FETCH, &ces_fetch_get_schema, &get, body, "ces-fetch",
				  err) < 0)
		return fetch_gone(err);
	*ret_id = next++;
	return 0;
}

int ces_talk_status(struct ces_fetch_status *ret, struct ces_error *err)
{
	uint8_t frame[CES_CHANNEL_PACKET_MAX];
	ssize_t n;

	do
		n = recv(CES_RESOLVE_FETCH, frame, sizeof(frame), 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return fetch_gone(err);
	if (ces_wire_decode(&ces_fetch_status_schema, frame, (size_t)n, ret, err) < 0)
		return -1;
	if (ret->id < oldest)
		ret->state = CES_FETCH_BYTES;
	return 0;
}

/* Maps the worker's codes: only these mean something here. For a missing or refused login the error
 * names the rule about logins, so that the client can ask for another. */
int ces_talk_fetch_failed(const struct ces_fetch_status *status, struct ces_error *err)
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

int ces_talk_unpack(struct ces_wish *wish, const void *bytes, size_t length, int *ret_answer,
		    int *ret_input, struct ces_error *err)
{
	struct ces_wish_answer ready = {0};
	CES_CLEANUP_FD int answer = -1;

	if (send_wish(wish, bytes, length, err) < 0 ||
	    take(&ready, sizeof(ready), &answer, err) < 0)
		return -1;
	if (ret_input != NULL && take(&ready, sizeof(ready), ret_input, err) < 0)
		return -1;
	*ret_answer = ces_steal_fd(&answer);
	return 0;
}

/* Takes an answer: the expected one, or an error in the worker's words (which the codec keeps
 * printable). */
static int take_answer(const uint8_t *frame, size_t length, const struct ces_wire_schema *schema,
		       void *ret, struct ces_error *err)
{
	struct ces_unpack_error failure;
	enum ces_code code;

	if (ces_wire_type(frame, length) == schema->type)
		return ces_wire_decode(schema, frame, length, ret, err);
	if (ces_wire_decode(&ces_unpack_error_schema, frame, length, &failure, err) < 0)
		return -1;
	code = failure.code == CES_E_HOST || failure.code == CES_E_LIMIT
		   ? (enum ces_code)failure.code
		   : CES_E_IMAGE;
	ces_error_set(err, code, "%s", failure.text);
	ces_wire_free(&ces_unpack_error_schema, &failure);
	return -1;
}

int ces_talk_unpacked(int *answer, int64_t deadline_ms, const struct ces_wire_schema *schema,
		      void *ret, struct ces_error *err)
{
	CES_CLEANUP_FREE uint8_t *frame = NULL;
	uint16_t type;
	size_t length;
	int got =
	    ces_wire_read(*answer, CES_WIRE_RECORD_MAX, deadline_ms, &frame, &length, &type, err);

	ces_cleanup_close(answer);
	if (got == 0)
		return ces_error_set(
		    err, CES_E_IMAGE,
		    "unpacking ended without an answer: it ran out of memory or time, "
		    "or was stopped by its sandbox");
	if (got < 0)
		return ces_error_context(err, "unpacking");
	return take_answer(frame, length, schema, ret, err);
}
