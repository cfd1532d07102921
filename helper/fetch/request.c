/* Sets every libcurl option that ces-fetch uses. Nothing else may call curl_easy_setopt, except the
 * slowing of the watch in the write callback. Must not leave redirects, logins and retries to
 * libcurl. */
#include "helper/fetch/request.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#if LIBCURL_VERSION_NUM < 0x074d00
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#endif

#include "common/name.h"
#include "helper/fetch/reply.h"

/* The tags only help to word a failure: a registry gets little time for them. */
#define TAGS_SECONDS 10L
#define TAGS_ASKED   "1000"

#define ACCEPT_MANIFESTS                                                                           \
	"Accept: application/vnd.oci.image.index.v1+json, "                                        \
	"application/vnd.oci.image.manifest.v1+json, "                                             \
	"application/vnd.docker.distribution.manifest.list.v2+json, "                              \
	"application/vnd.docker.distribution.manifest.v2+json"

static size_t on_header(char *line, size_t one, size_t length, void *context)
{
	struct ces_transfer *t = context;

	(void)one;
	if (ces_response_line(&t->response, line, length) == 0)
		return length;
	ces_error_set(&t->error, CES_E_REGISTRY,
		      "%s sent an answer with too many or malformed headers", t->origin.host);
	return 0;
}

/* Returns whether the head of a 200 or 206 fits the request. It is checked before the first byte of
 * the body goes out. */
static int admit(struct ces_transfer *t)
{
	const struct ces_response *r = &t->response;
	uint64_t from = r->status == 206 ? t->body.delivered : 0;
	curl_off_t length = -1;

	t->session->reached = true;
	if (r->encoded)
		return ces_error_set(&t->error, CES_E_REGISTRY,
				     "%s sent a compressed answer that nobody asked for",
				     t->origin.host);
	if (r->odd_type && ces_transfer_manifest(t))
		return ces_error_set(&t->error, CES_E_REGISTRY,
				     "%s sent a manifest as two types at once", t->origin.host);
	if (r->status == 206 && (!r->ranged || r->range_start != from ||
				 (r->range_total != UINT64_MAX && r->range_total != t->get.size)))
		return ces_error_set(&t->error, CES_E_REGISTRY, "%s resumed at the wrong place",
				     t->origin.host);
	(void)curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	if (length >= 0 && (uint64_t)length > t->get.size - from)
		return ces_error_set(&t->error, CES_E_REGISTRY,
				     "%s announces more than the expected %llu bytes",
				     t->origin.host, (unsigned long long)t->get.size);
	if (length >= 0 && t->get.kind == CES_FETCH_BLOB && (uint64_t)length != t->get.size - from)
		return ces_error_set(&t->error, CES_E_REGISTRY,
				     "%s announces fewer than the expected %llu bytes",
				     t->origin.host, (unsigned long long)t->get.size);
	ces_body_begin(&t->body, t->body.delivered - from);
	t->admitted = true;
	t->logged_in = false;
	return 0;
}

static size_t take_reply(struct ces_transfer *t, const char *data, size_t length)
{
	char *grown;

	size_t max = t->asks == CES_ASKS_TAGS ? CES_TAGS_REPLY_MAX : CES_TOKEN_REPLY_MAX;

	if (length > max - t->reply_length) {
		ces_error_set(&t->error, CES_E_REGISTRY, "the token server's answer is too long");
		return 0;
	}
	grown = malloc(t->reply_length + length + 1);
	if (grown == NULL)
		return 0;
	if (t->reply_length > 0)
		memcpy(grown, t->reply, t->reply_length);
	memcpy(grown + t->reply_length, data, length);
	grown[t->reply_length + length] = '\0';
	if (t->reply != NULL)
		explicit_bzero(t->reply, t->reply_length);
	free(t->reply);
	t->reply = grown;
	t->reply_length += length;
	return length;
}

static size_t on_body(char *data, size_t one, size_t length, void *context)
{
	struct ces_transfer *t = context;

	(void)one;
	if (t->error.code != CES_OK)
		return 0;
	if (t->asks != CES_ASKS_BODY && t->response.status == 200)
		return take_reply(t, data, length);
	if (t->response.status != 200 && t->response.status != 206) {
		/* An error page. A short one is read to the end, so that the connection can be used
		 * again. */
		t->ignored += length;
		return t->ignored > CES_TOKEN_REPLY_MAX ? 0 : length;
	}
	if (!t->admitted) {
		if (admit(t) < 0)
			return 0;
		(void)curl_easy_setopt(t->easy, CURLOPT_LOW_SPEED_LIMIT, (long)CES_SLOW_BYTES);
		(void)curl_easy_setopt(t->easy, CURLOPT_LOW_SPEED_TIME, (long)CES_SLOW_SECONDS);
	}
	return ces_body_write(&t->body, data, length, &t->error);
}

/* The address is one of those that the dialer has found; the dialer checks it again. */
static curl_socket_t on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct ces_transfer *t = context;
	int fd = -1;

	errno = EPERM;
	if (purpose == CURLSOCKTYPE_IPCXN)
		fd = ces_dialer_connect(&t->session->dialer, &address->addr, address->addrlen);
	t->connect_error = fd < 0 ? errno : 0;
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

/* Repository, reference and prefix become part of a path. Each has a narrow grammar of its own, so
 * that it cannot start a query, climb, or be encoded in two ways. */
static bool path_words_valid(const char *text, const char *allowed)
{
	size_t length = strlen(text);

	if (strspn(text, allowed) != length || strstr(text, "//") != NULL ||
	    strstr(text, "..") != NULL)
		return false;
	return length > 0 && text[length - 1] != '/' && strstr(text, "/.") == NULL;
}

#define LOWER "abcdefghijklmnopqrstuvwxyz0123456789"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool job_valid(const struct ces_transfer *t)
{
	const struct ces_fetch_open *open = &t->session->open;
	const char *reference = t->get.reference;

	if (open->prefix[0] != '\0' &&
	    (open->prefix[0] != '/' || !path_words_valid(open->prefix, LOWER UPPER "-._~/")))
		return false;
	if (!path_words_valid(open->repository, LOWER "-._/") || open->repository[0] == '/' ||
	    open->repository[0] == '.')
		return false;
	if (ces_digest_valid(reference))
		return true;
	return (t->get.kind == CES_FETCH_MANIFEST || t->get.kind == CES_FETCH_SIGNATURES) &&
	       strlen(reference) <= 128 && reference[0] != '.' && reference[0] != '-' &&
	       path_words_valid(reference, LOWER UPPER "-._");
}

int ces_request_address(struct ces_transfer *transfer, struct ces_error *err)
{
	static const char *const places[] = {
	    ("tags/list?n=" TAGS_ASKED),           [CES_FETCH_MANIFEST] = "manifests/",
	    [CES_FETCH_BLOB] = "blobs/",           [CES_FETCH_CHECK] = "blobs/",
	    [CES_FETCH_SIGNATURES] = "manifests/", [CES_FETCH_REFERRERS] = "referrers/"};
	const struct ces_fetch_open *open = &transfer->session->open;
	char text[2048];
	int n;

	if (!job_valid(transfer))
		return ces_error_set(err, CES_E_INTERNAL, "this is not an image name: %s %s",
				     open->repository, transfer->get.reference);
	n = snprintf(text, sizeof(text), "%s%s/v2/%s/%s%s", open->scheme_host_port, open->prefix,
		     open->repository,
		     places[transfer->asks == CES_ASKS_TAGS ? 0 : transfer->get.kind],
		     transfer->asks == CES_ASKS_TAGS ? "" : transfer->get.reference);
	if (n < 0 || (size_t)n >= sizeof(text))
		return ces_error_set(err, CES_E_INTERNAL, "the image's address is too long");
	return ces_target_set(transfer->url, text, &transfer->session->hosts, &transfer->origin,
			      err);
}

/* Sets options one after another. The first failure makes the whole fail. */
#define SET(option, value)                                                                         \
	(result = result != CURLE_OK ? result : curl_easy_setopt(easy, (option), (value)))

static CURLcode set_network(CURL *easy, struct ces_transfer *t)
{
	const char *proxy = t->session->open.proxy;
	CURLcode result = CURLE_OK;

	SET(CURLOPT_CURLU, t->url);
#if LIBCURL_VERSION_NUM >= 0x075500
	SET(CURLOPT_PROTOCOLS_STR, "https");
	SET(CURLOPT_REDIR_PROTOCOLS_STR, "https");
#else
	SET(CURLOPT_PROTOCOLS, (long)CURLPROTO_HTTPS);
	SET(CURLOPT_REDIR_PROTOCOLS, (long)CURLPROTO_HTTPS);
#endif
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	/* a tunnel: the proxy sees the names of hosts and bytes of TLS */
	SET(CURLOPT_PROXY, proxy);
	SET(CURLOPT_NOPROXY, proxy[0] != '\0' ? "" : "*");
	SET(CURLOPT_HTTPPROXYTUNNEL, 1L);
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_OPENSOCKETFUNCTION, on_socket);
	SET(CURLOPT_OPENSOCKETDATA, t);
	SET(CURLOPT_CONNECTTIMEOUT, (long)CES_CONNECT_SECONDS);
	SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
	SET(CURLOPT_LOW_SPEED_TIME, (long)CES_FIRST_BYTE_SECONDS);
	SET(CURLOPT_BUFFERSIZE, 512L * 1024);
	if (t->asks == CES_ASKS_TAGS)
		SET(CURLOPT_TIMEOUT, TAGS_SECONDS);
	return result;
}

#if LIBCURL_VERSION_NUM < 0x074d00
/* Makes the registry's CAs the only ones of a connection. This libcurl can take them from a file
 * alone, and there is none: the process has no path to it. As with CURLOPT_CAINFO_BLOB, an
 * intermediate CA among them is trusted for itself. */
static CURLcode on_tls(CURL *easy, void *tls, void *context)
{
	const struct ces_session *session = context;
	BIO *text = BIO_new_mem_buf(session->ca, (int)session->ca_length);
	X509_STORE *store = X509_STORE_new();
	X509 *ca = NULL;
	int n = 0;

	(void)easy;
	while (text != NULL && store != NULL && n >= 0 &&
	       (ca = PEM_read_bio_X509(text, NULL, NULL, NULL)) != NULL) {
		n = X509_STORE_add_cert(store, ca) == 1 ? n + 1 : -1;
		X509_free(ca);
	}
	BIO_free(text);
	ERR_clear_error(); /* (the end of the text counts as one) */
	if (n <= 0 || X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) != 1) {
		X509_STORE_free(store);
		return CURLE_SSL_CACERT_BADFILE;
	}
	SSL_CTX_set_cert_store(tls, store);
	return CURLE_OK;
}
#endif

static CURLcode set_tls(CURL *easy, struct ces_session *session)
{
	CURLcode result = CURLE_OK;

	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (session->open.ca == 1) {
		/* Otherwise libcurl would also trust the directory of the system's CAs. */
		SET(CURLOPT_CAINFO, NULL);
		SET(CURLOPT_CAPATH, NULL);
#if LIBCURL_VERSION_NUM < 0x074d00
		SET(CURLOPT_SSL_CTX_DATA, session);
		SET(CURLOPT_SSL_CTX_FUNCTION, on_tls);
#else
		struct curl_blob blob = {session->ca, session->ca_length, CURL_BLOB_NOCOPY};

		SET(CURLOPT_CAINFO_BLOB, &blob);
#endif
	}
	return result;
}

static CURLcode set_http(CURL *easy, struct ces_transfer *t)
{
	char range[32];
	CURLcode result = CURLE_OK;

	/* One stream a connection: for big blobs several connections are faster than several
	 * streams in one. */
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_HTTP09_ALLOWED, 0L);
	SET(CURLOPT_HTTPGET, 1L);
	if (t->asks == CES_ASKS_BODY && t->get.kind == CES_FETCH_CHECK)
		SET(CURLOPT_NOBODY, 1L);
	SET(CURLOPT_USERAGENT, "ces-fetch");
	SET(CURLOPT_ACCEPT_ENCODING, NULL);
	SET(CURLOPT_HTTP_CONTENT_DECODING, 0L);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, t);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, t);
	SET(CURLOPT_PRIVATE, t);
	if (t->asks == CES_ASKS_BODY && t->body.delivered > 0) {
		(void)snprintf(range, sizeof(range), "%llu-",
			       (unsigned long long)t->body.delivered);
		SET(CURLOPT_RANGE, range);
	}
	return result;
}

static CURLcode set_password(CURL *easy, const struct ces_fetch_open *open)
{
	CURLcode result = CURLE_OK;

	SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
	SET(CURLOPT_USERNAME, open->username);
	SET(CURLOPT_PASSWORD, open->token);
	return result;
}

static int add_header(struct ces_transfer *t, const char *line)
{
	struct curl_slist *longer = curl_slist_append(t->headers, line);

	if (longer == NULL)
		return -1;
	t->headers = longer;
	return 0;
}

static int add_bearer(struct ces_transfer *t)
{
	char line[CES_TOKEN_MAX + 32];
	int n = snprintf(line, sizeof(line), "Authorization: Bearer %s", t->session->auth.bearer);
	int result = n < 0 || (size_t)n >= sizeof(line) ? -1 : add_header(t, line);

	explicit_bzero(line, sizeof(line));
	return result;
}

/* The registry's own origin gets the login that it asked for, and the token server gets the
 * password. No other host may ever get anything: a redirect leads to requests without
 * Authorization. */
static CURLcode set_login(CURL *easy, struct ces_transfer *t)
{
	const struct ces_session *s = t->session;
	CURLcode result = CURLE_OK;

	if (t->asks == CES_ASKS_TOKEN)
		return s->open.username[0] != '\0' ? set_password(easy, &s->open) : CURLE_OK;
	t->generation = s->auth.generation;
	if (ces_origin_equal(&t->origin, &s->hosts.endpoint)) {
		if (s->auth.kind == CES_AUTH_BASIC)
			result = set_password(easy, &s->open);
		else if (s->auth.kind == CES_AUTH_BEARER && add_bearer(t) < 0)
			result = CURLE_OUT_OF_MEMORY;
	}
	if (t->asks == CES_ASKS_BODY && ces_transfer_manifest(t) &&
	    add_header(t, ACCEPT_MANIFESTS) < 0)
		result = CURLE_OUT_OF_MEMORY;
	return result;
}

static void forget_last(struct ces_transfer *t)
{
	curl_slist_free_all(t->headers);
	t->headers = NULL;
	memset(&t->response, 0, sizeof(t->response));
	t->admitted = false;
	t->connect_error = 0;
	t->ignored = 0;
	t->body.paused = false;
	if (t->reply != NULL)
		explicit_bzero(t->reply, t->reply_length);
	free(t->reply);
	t->reply = NULL;
	t->reply_length = 0;
}

int ces_request_prepare(struct ces_transfer *transfer, struct ces_error *err)
{
	CURL *easy = transfer->easy;
	CURLcode result;

	forget_last(transfer);
	curl_easy_reset(easy);
	result = set_network(easy, transfer);
	if (result == CURLE_OK)
		result = set_tls(easy, transfer->session);
	if (result == CURLE_OK)
		result = set_http(easy, transfer);
	if (result == CURLE_OK)
		result = set_login(easy, transfer);
	SET(CURLOPT_HTTPHEADER, transfer->headers);
	if (result != CURLE_OK)
		return ces_error_set(err, CES_E_INTERNAL, "libcurl refuses a setting: %s",
				     curl_easy_strerror(result));
	return 0;
}

static uint32_t place_of(const struct ces_hosts *hosts, const struct ces_origin *origin)
{
	uint32_t i = 0;

	while (i < hosts->n_others && !ces_origin_equal(&hosts->others[i], origin))
		i++;
	return ces_origin_equal(&hosts->endpoint, origin) ? 0 : i + 1;
}

/* "host:port:address,address..." */
static int write_places(const struct ces_origin *origin, const struct ces_dialer_places *places,
			char *text, size_t size)
{
	char one[INET6_ADDRSTRLEN];
	int n = snprintf(text, size, "%s:%u:", origin->host, origin->port);

	for (uint32_t i = 0; i < places->n && n > 0 && (size_t)n < size; i++) {
		const union ces_dialer_address *a = &places->v[i];
		const void *bytes = a->any.sa_family == AF_INET6 ? (const void *)&a->v6.sin6_addr
								 : (const void *)&a->v4.sin_addr;

		if (inet_ntop(a->any.sa_family, bytes, one, sizeof(one)) == NULL)
			return -1;
		n += snprintf(text + n, size - (size_t)n, i == 0 ? "%s" : ",%s", one);
	}
	return n > 0 && (size_t)n < size ? 0 : -1;
}

CURLcode ces_request_locate(struct ces_transfer *transfer)
{
	const struct ces_session *session = transfer->session;
	const struct ces_hosts *hosts = &session->dialled;
	const struct ces_origin *origin =
	    session->open.proxy[0] != '\0' ? &hosts->endpoint : &transfer->origin;
	char text[CES_ORIGIN_TEXT + CES_DIALER_ADDRESSES * INET6_ADDRSTRLEN];
	struct ces_dialer_places places;

	ces_dialer_find(&transfer->session->dialer, place_of(hosts, origin), &places);
	transfer->connect_error = places.error;
	if (places.error == EADDRNOTAVAIL)
		return CURLE_COULDNT_CONNECT;
	if (places.error == ETIMEDOUT)
		return CURLE_OPERATION_TIMEDOUT;
	if (places.n == 0)
		return CURLE_COULDNT_RESOLVE_HOST;
	if (origin->host[0] == '[') /* (libcurl reads these by itself) */
		return CURLE_OK;
	if (write_places(origin, &places, text, sizeof(text)) < 0)
		return CURLE_COULDNT_RESOLVE_HOST;
	curl_slist_free_all(transfer->places);
	transfer->places = curl_slist_append(NULL, text);
	return transfer->places == NULL
		   ? CURLE_OUT_OF_MEMORY
		   : curl_easy_setopt(transfer->easy, CURLOPT_RESOLVE, transfer->places);
}
