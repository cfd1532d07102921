/* URLs that a registry sent (redirects, token realms) or that ces-fetch makes itself. One parser,
 * libcurl's, serves both the check and the request, so that the two can never read a URL
 * differently. */
#ifndef CES_FETCH_TARGET_H
#define CES_FETCH_TARGET_H

#include <curl/curl.h>

#include "helper/fetch/address.h"

#define CES_TARGET_MAX 8192

/* Sets url from text: absolute, or (if url already holds one) relative to it. It refuses, with a
 * text that names the place and nothing else: anything but https, a user or password inside, a host
 * that is not among hosts, control or non-ASCII characters. On failure url must not be used. */
int ces_target_set(CURLU *url, const char *text, const struct ces_hosts *hosts,
		   struct ces_origin *ret, struct ces_error *err);

#endif
