/* The life of one FETCH_GET. Each request ends in one of these: done, another request (redirect,
 * login), another try, failed. Every repeat is counted, so that no registry can keep a transfer
 * going for ever. Must not look at the body, nor at any URL before target.c has. */
#include "helper/fetch/transfer.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/name.h"
#include "common/schema.h"
#include "helper/fetch/channel.h"
#include "helper/fetch/failure.h"
#include "helper/fetch/request.h"
#include "helper/fetch/tags.h"

#define PIPE_BYTES (1024 * 1024) /* (what a process without privilege may have, pipe(7)) */
#define REPORT_MS  100

static const int64_t pauses_ms[CES_TRANSFER_TRIES] = {0, 250, 500, 1000, 2000};

struct ces_transfer *ces_transfer_new(struct ces_session *session, struct ces_fetch_get *get,
				      int pipe)
{
	struct ces_transfer *t = calloc(1, sizeof(*t));
	int flags = pipe < 0 ? 0 : fcntl(pipe, F_GETFL);

	if (t == NULL)
		return NULL;
	t->session = session;
	t->get = *get;
	memset(get, 0, sizeof(*get));
	t->body.fd = pipe;
	t->body.size = t->get.size;
	t->easy = curl_easy_init();
	t->url = curl_url();
	if (t->easy == NULL || t->url == NULL || flags < 0 ||
	    (pipe >= 0 && fcntl(pipe, F_SETFL, flags | O_NONBLOCK) < 0)) {
		ces_transfer_free(t);
		return NULL;
	}
	/* A larger pipe wakes both ends less often. A smaller one works as well. */
	(void)fcntl(pipe, F_SETPIPE_SZ, PIPE_BYTES);
	return t;
}

void ces_transfer_free(struct ces_transfer *transfer)
{
	if (transfer == NULL)
		return;
	if (transfer->easy != NULL) {
		(void)curl_multi_remove_handle(transfer->session->multi, transfer->easy);
		curl_easy_cleanup(transfer->easy);
	}
	curl_url_cleanup(transfer->url);
	curl_slist_free_all(transfer->headers);
	curl_slist_free_all(transfer->places);
	ces_auth_wipe(transfer->reply);
	ces_cleanup_close(&transfer->body.fd);
	ces_wire_free(&ces_fetch_get_schema, &transfer->get);
	free(transfer);
}

/* Sends the status first: the helper then has the reason before the reader sees the end of its
 * pipe. */
static void finish(struct ces_transfer *t, enum ces_fetch_state state, const struct ces_error *err)
{
	const struct ces_fetch_status status = {
	    .id = t->get.id,
	    .state = state,
	    .bytes = t->body.delivered,
	    .type = state == CES_FETCH_DONE && ces_transfer_manifest(t) ? t->response.type : 0};

	ces_channel_report(t->session->channel, &status, err, true);
	ces_cleanup_close(&t->body.fd);
	t->body.paused = false;
	t->state = CES_TRANSFER_FINISHED;
}

void ces_transfer_fail(struct ces_transfer *transfer, const struct ces_error *err)
{
	finish(transfer, transfer->body.unread ? CES_FETCH_UNREAD : CES_FETCH_FAILED, err);
}

static void send_request(struct ces_transfer *t)
{
	struct ces_error err = {0};
	CURLcode located;

	if (ces_request_prepare(t, &err) < 0) {
		ces_transfer_fail(t, &err);
		return;
	}
	located = ces_request_locate(t);
	if (located != CURLE_OK) {
		ces_transfer_complete(t, located);
		return;
	}
	if (curl_multi_add_handle(t->session->multi, t->easy) != CURLM_OK) {
		ces_error_set(&err, CES_E_INTERNAL, "libcurl takes no more transfers");
		ces_transfer_fail(t, &err);
		return;
	}
	t->state = CES_TRANSFER_RUNNING;
}

void ces_transfer_start(struct ces_transfer *transfer)
{
	struct ces_error err = {0};

	transfer->redirects = 0;
	transfer->asks = CES_ASKS_BODY;
	/* Clears the old content: with that as base, a malformed URL would become a relative
	 * one. */
	curl_url_cleanup(transfer->url);
	transfer->url = curl_url();
	if (transfer->url == NULL || ces_request_address(transfer, &err) < 0) {
		ces_transfer_fail(transfer, &err);
		return;
	}
	send_request(transfer);
}

/* Makes another try after a pause, if any are left. Bytes gained since the last try win new tries:
 * a big blob must be able to arrive over a bad line, and a server cannot go on for ever without
 * sending. */
static void try_again(struct ces_transfer *t, const struct ces_error *why, unsigned cost)
{
	bool need_not_be =
	    t->get.kind == CES_FETCH_SIGNATURES || t->get.kind == CES_FETCH_REFERRERS;
	int64_t pause;

	if (t->body.delivered - t->mark >= CES_TRANSFER_PROGRESS) {
		t->mark = t->body.delivered;
		t->tries = 0;
	}
	t->tries += cost;
	/* Half of a manifest cannot be completed: a moment later the tag may mean another one. A
	 * check without an answer needs no other try: the fetch follows, with all its tries. */
	if (t->tries >= (need_not_be ? CES_TRANSFER_SOME : CES_TRANSFER_TRIES) ||
	    t->get.kind == CES_FETCH_CHECK || (ces_transfer_manifest(t) && t->body.delivered > 0)) {
		ces_transfer_fail(t, why);
		return;
	}
	pause = pauses_ms[t->tries];
	if (t->response.retry_after > 0)
		pause = (int64_t)t->response.retry_after * 1000;
	t->start_at = ces_now_ms() + pause;
	t->state = CES_TRANSFER_WAITING;
}

static void redirected(struct ces_transfer *t)
{
	struct ces_error err = {0};

	if (t->response.odd_location || t->response.location[0] == '\0')
		ces_error_set(&err, CES_E_REGISTRY, "%s redirects without an address",
			      t->origin.host);
	else if (++t->redirects > CES_TRANSFER_REDIRECTS)
		ces_error_set(&err, CES_E_REGISTRY, "%s redirects more than %d times",
			      t->origin.host, CES_TRANSFER_REDIRECTS);
	else if (ces_target_set(t->url, t->response.location, &t->session->hosts, &t->origin,
				&err) < 0)
		ces_error_context(&err, "the registry redirects to");
	if (err.code != CES_OK)
		ces_transfer_fail(t, &err);
	else
		send_request(t);
}

static void refused(struct ces_transfer *t)
{
	struct ces_error err = {0};

	ces_failure_status(t, &err);
	ces_transfer_fail(t, &err);
}

/* There is no such tag, so it asks for the list of tags: only the registry itself, with the login
 * that it took, and only once. Whatever the answer is, the transfer has failed. */
static void ask_tags(struct ces_transfer *t, const struct ces_error *missing)
{
	struct ces_error ignored;

	t->missing = *missing;
	t->asks = CES_ASKS_TAGS;
	if (ces_request_address(t, &ignored) < 0)
		ces_transfer_fail(t, missing);
	else
		send_request(t);
}

static void tags_answered(struct ces_transfer *t, bool whole)
{
	char told[CES_TAGS_TEXT], place[CES_ORIGIN_TEXT];

	ces_origin_format(&t->origin, place);
	if (whole && t->response.status == 200 && !t->response.encoded &&
	    ces_tags_tell(t->reply != NULL ? t->reply : "", t->reply_length, t->get.reference,
			  told) == 0)
		ces_error_set(&t->missing, CES_E_NOTFOUND, "no such tag at %s: %s:%s (%s)", place,
			      t->session->open.repository, t->get.reference, told);
	ces_transfer_fail(t, &t->missing);
}

static void ask_token(struct ces_transfer *t)
{
	struct ces_error err = {0};

	/* (a fresh handle: a realm must be absolute, never relative to the registry's URL) */
	curl_url_cleanup(t->url);
	t->url = curl_url();
	if (t->url == NULL ||
	    ces_auth_realm(t->url, &t->response.challenge, t->session->open.repository,
			   &t->session->hosts, &t->origin, &err) < 0) {
		ces_transfer_fail(t, &err);
		return;
	}
	t->asks = CES_ASKS_TOKEN;
	send_request(t);
}

/* Handles a 401. It answers once, unless another transfer has logged in since this request. Only
 * the registry itself may ask: a host that it redirected to gets no login. */
static void challenged(struct ces_transfer *t)
{
	struct ces_session *s = t->session;
	struct ces_error err = {0};

	if (!ces_origin_equal(&t->origin, &s->hosts.endpoint) || t->logged_in) {
		refused(t);
		return;
	}
	if (t->generation != s->auth.generation) {
		ces_transfer_start(t);
	} else if (t->response.odd_challenge ||
		   (!t->response.challenge.bearer && !t->response.challenge.basic)) {
		ces_error_set(
		    &err, CES_E_REGISTRY,
		    "%s asks for a login by neither Bearer nor Basic, and CES knows no other way",
		    t->origin.host);
		ces_transfer_fail(t, &err);
	} else if (t->response.challenge.bearer) {
		ask_token(t);
	} else if (s->open.username[0] == '\0' || s->auth.kind == CES_AUTH_BASIC) {
		refused(t);
	} else {
		ces_auth_use_basic(&s->auth);
		t->logged_in = true;
		ces_transfer_start(t);
	}
}

static void token_answered(struct ces_transfer *t)
{
	struct ces_error err = {0};
	char *token;

	if (t->response.status == 200 && !t->response.encoded) {
		if (ces_auth_parse(t->reply != NULL ? t->reply : "", t->reply_length, &token,
				   &err) < 0) {
			ces_transfer_fail(t, &err);
			return;
		}
		ces_auth_use_bearer(&t->session->auth, token);
		t->logged_in = true;
		ces_transfer_start(t);
		return;
	}
	ces_failure_status(t, &err);
	if (t->response.status == 429 || t->response.status >= 500)
		try_again(t, &err, 1);
	else
		ces_transfer_fail(t, &err); /* (also a redirect: the password goes no further) */
}

/* Handles a whole 200 or 206. */
static void served(struct ces_transfer *t)
{
	struct ces_error err = {0};
	curl_off_t announced = -1;

	if (t->get.kind == CES_FETCH_CHECK) {
		(void)curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
		t->body.delivered = announced < 0 ? 0 : (uint64_t)announced;
	}
	if (ces_transfer_manifest(t) || t->body.delivered == t->get.size) {
		finish(t, CES_FETCH_DONE, NULL);
		return;
	}
	ces_error_set(&err, CES_E_REGISTRY, "%s sent only %llu of %llu bytes", t->origin.host,
		      (unsigned long long)t->body.delivered, (unsigned long long)t->get.size);
	try_again(t, &err, 1);
}

static void answered(struct ces_transfer *t)
{
	struct ces_error err = {0};

	ces_failure_status(t, &err);
	switch (t->response.status) {
	case 301:
	case 302:
	case 303:
	case 307:
	case 308:
		redirected(t);
		break;
	case 401:
		challenged(t);
		break;
	case 404:
		if (t->get.kind == CES_FETCH_MANIFEST && !ces_digest_valid(t->get.reference) &&
		    ces_origin_equal(&t->origin, &t->session->hosts.endpoint))
			ask_tags(t, &err);
		else
			ces_transfer_fail(t, &err);
		break;
	case 403:
		/* Storage links expire. The registry makes a new one. */
		if (!ces_origin_equal(&t->origin, &t->session->hosts.endpoint))
			try_again(t, &err, 2);
		else
			ces_transfer_fail(t, &err);
		break;
	case 429:
	case 500 ... 599:
		try_again(t, &err, 1);
		break;
	default:
		ces_transfer_fail(t, &err);
		break;
	}
}

/* An empty body writes nothing, so its head has not been checked yet. */
static bool is_body(struct ces_transfer *t)
{
	return t->response.status == 200 || (t->response.status == 206 && t->body.delivered > 0);
}

/* Has all come? Some registries end a connection badly after the last byte of a blob, and no range
 * is left to ask for again. Its reader knows the digest. */
static bool is_whole(const struct ces_transfer *t, CURLcode result)
{
	return result == CURLE_OK || (t->asks == CES_ASKS_BODY && t->get.kind == CES_FETCH_BLOB &&
				      t->body.delivered == t->get.size);
}

void ces_transfer_complete(struct ces_transfer *transfer, CURLcode result)
{
	bool whole = is_whole(transfer, result);
	struct ces_error err = {0};

	(void)curl_multi_remove_handle(transfer->session->multi, transfer->easy);
	if (transfer->response.ended)
		transfer->session->reached = true;
	if (transfer->asks == CES_ASKS_TAGS) {
		tags_answered(transfer, whole && transfer->error.code == CES_OK);
	} else if (transfer->error.code != CES_OK) {
		ces_transfer_fail(transfer, &transfer->error);
	} else if (!transfer->response.ended || (!whole && is_body(transfer))) {
		bool again = ces_failure_network(transfer, result, &err);

		if (again)
			try_again(transfer, &err, result == CURLE_OPERATION_TIMEDOUT ? 3 : 1);
		else
			ces_transfer_fail(transfer, &err);
	} else if (transfer->asks == CES_ASKS_TOKEN) {
		token_answered(transfer);
	} else if (is_body(transfer)) {
		served(transfer);
	} else {
		answered(transfer);
	}
}

void ces_transfer_resume(struct ces_transfer *transfer)
{
	CURLcode result;

	transfer->body.paused = false;
	result = curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
	/* libcurl passes the kept bytes to the callback at once, and does not itself end the
	 * transfer if the callback refuses them. */
	if (result != CURLE_OK)
		ces_transfer_complete(transfer, result);
}

void ces_transfer_report(struct ces_transfer *transfer, int64_t now)
{
	if (transfer->state != CES_TRANSFER_RUNNING ||
	    transfer->body.delivered == transfer->reported ||
	    now - transfer->reported_at < REPORT_MS)
		return;
	transfer->reported = transfer->body.delivered;
	transfer->reported_at = now;
	ces_channel_report(transfer->session->channel,
			   &(struct ces_fetch_status){.id = transfer->get.id,
						      .state = CES_FETCH_BYTES,
						      .bytes = transfer->body.delivered},
			   NULL, false);
}
