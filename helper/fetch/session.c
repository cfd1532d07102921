/* The loop: one thread that waits for the helper, the network and full pipes at once. It must not
 * decide what is fetched: it passes each event to its transfer. */
#include "helper/fetch/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/request.h"
#include "common/schema.h"
#include "helper/fetch/channel.h"
#include "helper/fetch/transfer.h"
#include "policy/names.h"

#define CA_MAX       (4 * 1024 * 1024)
#define WAIT_MS      1000
#define WAIT_BUSY_MS 100 /* (while a transfer runs, progress is due this often) */

int ces_session_init(struct ces_session *ret, int channel, const struct ces_dialer *dialer,
		     struct ces_error *err)
{
	memset(ret, 0, sizeof(*ret));
	ret->channel = channel;
	ret->dialer = *dialer;
	ret->multi = curl_multi_init();
	if (ret->multi == NULL ||
	    curl_multi_setopt(ret->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) !=
		CURLM_OK ||
	    curl_multi_setopt(ret->multi, CURLMOPT_MAXCONNECTS, 2L * CES_FETCH_PARALLEL) !=
		CURLM_OK)
		return ces_error_set(err, CES_E_INTERNAL, "libcurl does not start");
	return 0;
}

void ces_session_end(struct ces_session *session)
{
	while (session->first != NULL) {
		struct ces_transfer *t = session->first;

		session->first = t->next;
		ces_transfer_free(t);
	}
	curl_multi_cleanup(session->multi);
	ces_dialer_end(&session->dialer);
	ces_auth_wipe(session->auth.bearer);
	free(session->ca);
	explicit_bzero(session, sizeof(*session));
}

/* With a proxy, ces-fetch connects to no other place and looks up no other name: the proxy does
 * that. */
static int open_dialer(struct ces_session *s, struct ces_error *err)
{
	static const char scheme[] = "http://";

	s->dialled = s->hosts;
	if (s->open.proxy[0] != '\0') {
		s->dialled.n_others = 0;
		if (strncmp(s->open.proxy, scheme, strlen(scheme)) != 0 ||
		    ces_origin_parse(s->open.proxy + strlen(scheme), &s->dialled.endpoint) < 0)
			return ces_error_set(err, CES_E_INTERNAL, "%s is not a proxy address",
					     s->open.proxy);
	}
	return ces_dialer_open(&s->dialer, &s->dialled, err);
}

static int check_open(struct ces_session *s, int ca_fd, struct ces_error *err)
{
	char *names[CES_DECISION_NAMES];
	const struct ces_strings hosts = ces_decision_list(&s->open.hosts, names);

	if (ces_hosts_fill(s->open.scheme_host_port, &hosts, &s->hosts, err) < 0 ||
	    open_dialer(s, err) < 0)
		return -1;
	/* RFC 7617: the user is the text before the first colon. */
	if (strchr(s->open.username, ':') != NULL)
		return ces_error_set(err, CES_E_USAGE, "a user name cannot have a colon");
	if (s->open.ca != 1)
		return 0;
	if (ces_read_file(ca_fd, CA_MAX, &s->ca, &s->ca_length) < 0)
		return ces_error_errno(err, CES_E_HOST, "the registry's CA file cannot be read");
	return 0;
}

static int take_open(struct ces_session *s, const void *bytes, size_t length, int fd,
		     struct ces_error *err)
{
	if (ces_channel_order(bytes, length, &s->open) < 0)
		return ces_error_set(err, CES_E_INTERNAL, "not an order of this version");
	s->opened = true;
	if (s->open.ca > 1 || (s->open.ca == 1) != (fd >= 0))
		return ces_error_set(err, CES_E_INTERNAL, "an order without its CA bundle");
	(void)check_open(s, fd, &s->broken);
	return 0;
}

static bool is_write_end(int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) && flags >= 0 &&
	       (flags & O_ACCMODE) == O_WRONLY;
}

static bool job_fits(const struct ces_fetch_get *get, int fd)
{
	if (get->size > INT64_MAX)
		return false;
	if (get->kind == CES_FETCH_CHECK)
		return fd < 0;
	return get->kind >= CES_FETCH_MANIFEST && get->kind <= CES_FETCH_REFERRERS && fd >= 0 &&
	       is_write_end(fd);
}

static int take_get(struct ces_session *s, const void *frame, size_t length, int *fd,
		    struct ces_error *err)
{
	struct ces_fetch_get get = {0};
	struct ces_transfer *t, **end = &s->first;

	if (s->n_transfers == CES_FETCH_TRANSFERS_MAX)
		return ces_error_set(err, CES_E_INTERNAL, "a FETCH_GET out of turn");
	if (ces_wire_decode(&ces_fetch_get_schema, frame, length, &get, err) < 0)
		return -1;
	if (!job_fits(&get, *fd)) {
		ces_wire_free(&ces_fetch_get_schema, &get);
		return ces_error_set(err, CES_E_INTERNAL,
				     "a FETCH_GET of an unknown kind or size, or without its pipe");
	}
	t = ces_transfer_new(s, &get, ces_steal_fd(fd));
	if (t == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "no memory for a transfer");
	while (*end != NULL)
		end = &(*end)->next;
	*end = t;
	s->n_transfers++;
	if (s->broken.code != CES_OK)
		ces_transfer_fail(t, &s->broken);
	return 0;
}

/* Takes one packet, if there is one. The buffer may hold the credential, so every way out wipes
 * it. */
static int take_packet(struct ces_session *s, bool *ret_more, struct ces_error *err)
{
	static uint8_t buffer[CES_CHANNEL_PACKET_MAX];
	CES_CLEANUP_FD int fd = -1;
	size_t length = 0;
	int result = ces_channel_receive(s->channel, buffer, sizeof(buffer), &length, &fd, err);

	*ret_more = result == 1 && length > 0;
	if (!*ret_more)
		return result;
	result = s->opened ? take_get(s, buffer, length, &fd, err)
			   : take_open(s, buffer, length, fd, err);
	explicit_bzero(buffer, length);
	return result < 0 ? -1 : 1;
}

/* 1, 0 when the helper has closed its end, -1. */
static int take_packets(struct ces_session *s, struct ces_error *err)
{
	bool more = true;
	int result = 1;

	while (more && result == 1)
		result = take_packet(s, &more, err);
	return result;
}

/* Starts the transfers that are due, in the order of their requests. A transfer that waits for
 * another try keeps its place: otherwise a registry that fails each try would see all at
 * once. */
static void start_due(struct ces_session *s, int64_t now)
{
	size_t busy = 0;

	for (struct ces_transfer *t = s->first; t != NULL; t = t->next) {
		if (t->state == CES_TRANSFER_FINISHED || busy == CES_FETCH_PARALLEL)
			continue;
		busy++;
		if (t->state == CES_TRANSFER_QUEUED ||
		    (t->state == CES_TRANSFER_WAITING && now >= t->start_at))
			ces_transfer_start(t);
	}
}

static void reap(struct ces_session *s)
{
	struct CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(s->multi, &left)) != NULL) {
		CURLcode result = message->data.result;
		struct ces_transfer *t = NULL;

		/* (asked before the handle is touched, which frees the message) */
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
		if (message->msg == CURLMSG_DONE && t != NULL)
			ces_transfer_complete(t, result);
	}
}

static void drop_finished(struct ces_session *s)
{
	struct ces_transfer **at = &s->first;

	while (*at != NULL) {
		struct ces_transfer *t = *at;

		if (t->state != CES_TRANSFER_FINISHED) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		s->n_transfers--;
		ces_transfer_free(t);
	}
}

/* How long the loop may sleep if nothing happens. */
static int patience(const struct ces_session *s, int64_t now)
{
	int64_t wait = s->first != NULL ? WAIT_BUSY_MS : WAIT_MS;

	for (const struct ces_transfer *t = s->first; t != NULL; t = t->next) {
		if (t->state == CES_TRANSFER_FINISHED)
			return 0;
		if (t->state == CES_TRANSFER_WAITING && t->start_at - now < wait)
			wait = t->start_at > now ? t->start_at - now : 0;
	}
	return (int)wait;
}

/* Sleeps until a socket of libcurl's, the helper, or a full pipe has an event. Returns whether the
 * helper has one. resume_paused looks at the pipes again, and also sees that a reader is gone. */
static int wait_for_work(struct ces_session *s, bool *ret_helper, struct ces_error *err)
{
	struct curl_waitfd fds[1 + CES_FETCH_PARALLEL] = {
	    {.fd = s->channel, .events = CURL_WAIT_POLLIN}};
	unsigned n = 1;

	for (struct ces_transfer *t = s->first; t != NULL && n < CES_COUNT(fds); t = t->next)
		if (t->state == CES_TRANSFER_RUNNING && t->body.paused)
			fds[n++] =
			    (struct curl_waitfd){.fd = t->body.fd, .events = CURL_WAIT_POLLOUT};
	if (curl_multi_poll(s->multi, fds, n, patience(s, ces_now_ms()), NULL) != CURLM_OK)
		return ces_error_set(err, CES_E_INTERNAL, "libcurl cannot wait");
	*ret_helper = fds[0].revents != 0;
	return 0;
}

static void resume_paused(struct ces_session *s)
{
	for (struct ces_transfer *t = s->first; t != NULL; t = t->next) {
		struct pollfd room = {.fd = t->body.fd, .events = POLLOUT};

		if (t->state == CES_TRANSFER_RUNNING && t->body.paused && poll(&room, 1, 0) > 0)
			ces_transfer_resume(t);
	}
}

int ces_session_run(struct ces_session *session, struct ces_error *err)
{
	for (;;) {
		bool helper = false;
		int running, result;
		int64_t now = ces_now_ms();

		if (curl_multi_perform(session->multi, &running) != CURLM_OK)
			return ces_error_set(err, CES_E_INTERNAL, "libcurl cannot go on");
		reap(session);
		for (struct ces_transfer *t = session->first; t != NULL; t = t->next)
			ces_transfer_report(t, now);
		drop_finished(session);
		start_due(session, now);
		if (wait_for_work(session, &helper, err) < 0)
			return -1;
		resume_paused(session);
		if (!helper)
			continue;
		result = take_packets(session, err);
		if (result <= 0)
			return result;
	}
}
