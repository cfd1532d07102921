/* The one gate for URLs. It must not connect or resolve: a refused host costs not even a DNS
 * query. */
#include "helper/fetch/target.h"

#include <string.h>

struct part {
	char *text;
};

static void free_part(struct part *part)
{
	curl_free(part->text);
}

#define PART __attribute__((cleanup(free_part))) struct part

static bool printable(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text <= 0x20 || *text > 0x7e)
			return false;
	return true;
}

static bool has(CURLU *url, CURLUPart what)
{
	PART part = {NULL};

	return curl_url_get(url, what, &part.text, 0) == CURLUE_OK;
}

/* Reads host and port of url, by the same grammar as the policy's hosts. */
static int origin_of(CURLU *url, struct ces_origin *ret)
{
	PART host = {NULL};
	PART port = {NULL};
	char text[CES_ORIGIN_TEXT];
	int n;

	if (curl_url_get(url, CURLUPART_HOST, &host.text, 0) != CURLUE_OK ||
	    curl_url_get(url, CURLUPART_PORT, &port.text, CURLU_DEFAULT_PORT) != CURLUE_OK)
		return -1;
	n = snprintf(text, sizeof(text), "%s:%s", host.text, port.text);
	if (n < 0 || (size_t)n >= sizeof(text))
		return -1;
	return ces_origin_parse(text, ret);
}

int ces_target_set(CURLU *url, const char *text, const struct ces_hosts *hosts,
		   struct ces_origin *ret, struct ces_error *err)
{
	PART scheme = {NULL};
	struct ces_origin origin;
	char place[CES_ORIGIN_TEXT];

	if (strlen(text) > CES_TARGET_MAX || !printable(text) ||
	    curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
	    curl_url_get(url, CURLUPART_SCHEME, &scheme.text, 0) != CURLUE_OK)
		return ces_error_set(err, CES_E_REGISTRY, "a URL that is malformed");
	if (strcmp(scheme.text, "https") != 0)
		return ces_error_set(err, CES_E_REGISTRY, "a URL that is not https (%.16s)",
				     scheme.text);
	if (has(url, CURLUPART_USER) || has(url, CURLUPART_PASSWORD) || has(url, CURLUPART_ZONEID))
		return ces_error_set(err, CES_E_REGISTRY,
				     "a URL with a user name, password or zone in it");
	if (origin_of(url, &origin) < 0)
		return ces_error_set(err, CES_E_REGISTRY, "a URL that is malformed");
	if (!ces_hosts_allow(hosts, &origin)) {
		ces_origin_format(&origin, place);
		return ces_error_set(err, CES_E_REGISTRY,
				     "%s, which is not among this registry's token_hosts", place);
	}
	*ret = origin;
	return 0;
}
