/* Words failures. It must not pass on the registry's own text: it could say anything, and the
 * reader could not distinguish it from ours. */
#include "helper/fetch/failure.h"

#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/name.h"
#include "helper/fetch/request.h"

static const struct {
	int number;
	const char *text;
} connect_errors[] = {
    {ECONNREFUSED, "connection refused"},
    {ETIMEDOUT, "no answer"},
    {EHOSTUNREACH, "no way to that machine"},
    {ENETUNREACH, "no way to that network"},
    {EACCES, "forbidden by a firewall of this machine"},
    {EPERM, "forbidden by a firewall of this machine"},
    {ENETDOWN, "the network is down"},
};

/* X509_V_ERR_* of OpenSSL's x509_vfy.h: numbers that it keeps stable. */
static const struct {
	long number;
	const char *text;
} certificate_errors[] = {
    {9, "is not valid yet (is this machine's clock right?)"},
    {10, "has expired"},
    {18, "is self-signed: not trusted"},
    {19, "is not trusted: unknown certificate authority"},
    {20, "is not trusted: unknown certificate authority"},
    {21, "is not trusted: unknown certificate authority"},
    {23, "was revoked"},
    {62, "is for another name"},
};

static const char *connect_text(const struct ces_transfer *t)
{
	long number = 0;

	if (t->connect_error == EADDRNOTAVAIL)
		return "its name leads to a loopback or link-local address, and CES uses none for "
		       "a registry";
	(void)curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &number);
	if (t->connect_error != 0)
		number = t->connect_error;
	for (size_t i = 0; i < CES_COUNT(connect_errors); i++)
		if (connect_errors[i].number == number)
			return connect_errors[i].text;
	return "no connection";
}

static const char *certificate_text(const struct ces_transfer *t)
{
	long number = 0;

	(void)curl_easy_getinfo(t->easy, CURLINFO_SSL_VERIFYRESULT, &number);
	for (size_t i = 0; i < CES_COUNT(certificate_errors); i++)
		if (certificate_errors[i].number == number)
			return certificate_errors[i].text;
	/* libcurl compares names itself, after OpenSSL has accepted the chain. Then it leaves the
	 * number unset: 0, or 1 in versions that begin with "not yet good". */
	return number == 0 || number == 1 ? "is for another name" : "is not trusted";
}

static bool connected(const struct ces_transfer *t)
{
	curl_off_t handshake = 0;

	(void)curl_easy_getinfo(t->easy, CURLINFO_APPCONNECT_TIME_T, &handshake);
	return handshake > 0 || t->response.status != 0;
}

static void timeout_text(const struct ces_transfer *t, const char *place, struct ces_error *ret)
{
	if (!connected(t))
		ces_error_set(ret, CES_E_REGISTRY, "cannot reach %s: no answer within %d seconds",
			      place, CES_CONNECT_SECONDS);
	else if (!t->admitted)
		ces_error_set(ret, CES_E_REGISTRY, "%s is too slow: no answer within %d seconds",
			      place, CES_FIRST_BYTE_SECONDS);
	else
		ces_error_set(ret, CES_E_REGISTRY,
			      "%s is too slow: under %d bytes a second for %d seconds", place,
			      CES_SLOW_BYTES, CES_SLOW_SECONDS);
}

/* The place to which no connection could be made. */
static const char *first_place(const struct ces_transfer *t, const char *place,
			       char ret[CES_ORIGIN_TEXT + 16])
{
	if (t->session->open.proxy[0] == '\0')
		return place;
	(void)snprintf(ret, CES_ORIGIN_TEXT + 16, "the proxy %.250s", t->session->open.proxy);
	return ret;
}

/* The status that a proxy answered in place of a tunnel; 0: none. */
static long refused_by_proxy(const struct ces_transfer *t)
{
	long status = 0;

	if (t->session->open.proxy[0] != '\0')
		(void)curl_easy_getinfo(t->easy, CURLINFO_HTTP_CONNECTCODE, &status);
	return status / 100 == 2 ? 0 : status;
}

bool ces_failure_network(const struct ces_transfer *transfer, CURLcode result,
			 struct ces_error *ret)
{
	char place[CES_ORIGIN_TEXT], first[CES_ORIGIN_TEXT + 16];
	long status = refused_by_proxy(transfer);

	ces_origin_format(&transfer->origin, place);
	if (status != 0) {
		ces_error_set(ret, CES_E_REGISTRY, "%s refuses to connect to %s (status %ld)",
			      first_place(transfer, place, first), place, status);
		return transfer->session->reached;
	}
	switch ((int)result) {
	case CURLE_COULDNT_RESOLVE_HOST:
		ces_error_set(ret, CES_E_REGISTRY, "cannot reach %s: its name cannot be resolved",
			      first_place(transfer, place, first));
		return transfer->session->reached;
	case CURLE_COULDNT_CONNECT:
		ces_error_set(ret, CES_E_REGISTRY, "cannot reach %s: %s",
			      first_place(transfer, place, first), connect_text(transfer));
		return transfer->session->reached && transfer->connect_error != EADDRNOTAVAIL;
	case CURLE_PEER_FAILED_VERIFICATION:
		ces_error_set(ret, CES_E_REGISTRY, "the certificate of %s %s", place,
			      certificate_text(transfer));
		return false;
	case CURLE_SSL_CACERT_BADFILE:
		ces_error_set(ret, CES_E_HOST, "the CA file for %s has no usable certificate",
			      place);
		return false;
	case CURLE_SSL_CONNECT_ERROR:
		ces_error_set(ret, CES_E_REGISTRY,
			      "cannot reach %s: it does not speak TLS 1.2 or later there", place);
		return transfer->session->reached;
	case CURLE_OPERATION_TIMEDOUT:
		timeout_text(transfer, place, ret);
		return transfer->session->reached;
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_GOT_NOTHING:
		ces_error_set(ret, CES_E_REGISTRY, "%s dropped the connection", place);
		return true;
	case CURLE_OUT_OF_MEMORY:
		ces_error_set(ret, CES_E_HOST, "not enough memory to talk to %s", place);
		return false;
	default:
		ces_error_set(ret, CES_E_REGISTRY, "%s does not answer as a registry does (%s)",
			      place, curl_easy_strerror(result));
		return false;
	}
}

static void missing_text(const struct ces_transfer *t, const char *place, struct ces_error *ret)
{
	const char *repository = t->session->open.repository;
	const char *between = ces_digest_valid(t->get.reference) ? "@" : ":";

	if (t->get.kind == CES_FETCH_BLOB)
		ces_error_set(ret, CES_E_NOTFOUND, "%s does not have a part of %s: %s", place,
			      repository, t->get.reference);
	else
		ces_error_set(ret, CES_E_NOTFOUND, "no such image or tag at %s: %s%s%s (or %s)",
			      place, repository, between, t->get.reference,
			      t->session->open.username[0] != '\0' ? "your token does not allow it"
								   : "it needs a login");
}

void ces_failure_status(const struct ces_transfer *transfer, struct ces_error *ret)
{
	const char *repository = transfer->session->open.repository;
	char place[CES_ORIGIN_TEXT];

	ces_origin_format(&transfer->origin, place);
	switch (transfer->response.status) {
	case 401:
	case 403:
		if (transfer->asks != CES_ASKS_TOKEN &&
		    !ces_origin_equal(&transfer->origin, &transfer->session->hosts.endpoint))
			ces_error_set(ret, CES_E_REGISTRY,
				      "the registry's storage %s refuses to send %s", place,
				      repository);
		else if (transfer->session->open.username[0] == '\0')
			ces_error_set(ret, CES_E_DENIED,
				      "%s needs a login for %s: give --username and --token-stdin",
				      place, repository);
		else
			ces_error_set(ret, CES_E_DENIED,
				      "%s refused the login for %s: user name or token is wrong, "
				      "or the token has expired or may not read this image",
				      place, repository);
		return;
	case 404:
		if (transfer->asks != CES_ASKS_TOKEN) {
			missing_text(transfer, place, ret);
			return;
		}
		break;
	case 429:
		ces_error_set(ret, CES_E_REGISTRY, "%s says: too many requests, try again later",
			      place);
		return;
	default:
		break;
	}
	ces_error_set(ret, CES_E_REGISTRY, "%s answered with an error (HTTP status %u)", place,
		      transfer->response.status);
}
