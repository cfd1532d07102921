/* Reads the head of a response. Must not act on anything: it only remembers, bounded, what the
 * transfer needs. */
#include "helper/fetch/response.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/cleanup.h"
#include "common/num.h"

static void take_location(struct ces_response *r, const char *value)
{
	size_t n = strlen(value);

	if (r->location[0] != '\0' || n == 0 || n >= sizeof(r->location)) {
		r->odd_location = true;
		return;
	}
	memcpy(r->location, value, n + 1);
}

static void take_challenge(struct ces_response *r, const char *value)
{
	if (ces_challenge_parse(value, strlen(value), &r->challenge) < 0)
		r->odd_challenge = true;
}

static void take_content_encoding(struct ces_response *r, const char *value)
{
	if (strcasecmp(value, "identity") != 0)
		r->encoded = true;
}

/* Ignores parameters, as the standard requires (OCI distribution-spec, "Pulling manifests"). */
static void take_content_type(struct ces_response *r, const char *value)
{
	static const char *const types[] = {
	    [CES_MANIFEST_OCI_INDEX] = "application/vnd.oci.image.index.v1+json",
	    [CES_MANIFEST_OCI] = "application/vnd.oci.image.manifest.v1+json",
	    [CES_MANIFEST_DOCKER_LIST] =
		"application/vnd.docker.distribution.manifest.list.v2+json",
	    [CES_MANIFEST_DOCKER] = "application/vnd.docker.distribution.manifest.v2+json",
	};
	size_t length = strcspn(value, "; \t");
	enum ces_manifest_type type = CES_MANIFEST_UNSAID;

	for (size_t i = CES_MANIFEST_OCI_INDEX; i < CES_COUNT(types); i++)
		if (strlen(types[i]) == length && strncasecmp(value, types[i], length) == 0)
			type = (enum ces_manifest_type)i;
	if (strchr(value, ',') != NULL || (r->typed && type != r->type))
		r->odd_type = true;
	r->typed = true;
	r->type = type;
}

/* Accepts only chunked, which changes no byte of the content. libcurl undoes any transfer coding
 * that it knows, also compression, though it offered none. */
static void take_transfer_encoding(struct ces_response *r, const char *value)
{
	if (strcasecmp(value, "chunked") != 0)
		r->encoded = true;
}

/* RFC 9110 section 14.4: "bytes first-last/total", total may be "*". */
static void take_content_range(struct ces_response *r, const char *value)
{
	char first[24], last[24], total[24];
	int used = 0;

	r->ranged = false;
	if (sscanf(value, "bytes %23[0-9]-%23[0-9]/%23[0-9*]%n", first, last, total, &used) != 3 ||
	    value[used] != '\0')
		return;
	if (ces_num_parse(first, 0, INT64_MAX, &r->range_start) < 0 ||
	    ces_num_parse(last, r->range_start, INT64_MAX, &r->range_end) < 0)
		return;
	r->range_total = UINT64_MAX;
	r->ranged = strcmp(total, "*") == 0 ||
		    ces_num_parse(total, r->range_end + 1, INT64_MAX, &r->range_total) == 0;
}

/* Reads only seconds. It takes the other form, a date, as the longest wait. */
static void take_retry_after(struct ces_response *r, const char *value)
{
	uint64_t seconds;

	r->retry_after = CES_RETRY_AFTER_MAX;
	if (ces_num_parse(value, 0, CES_RETRY_AFTER_MAX, &seconds) == 0)
		r->retry_after = (unsigned)seconds;
}

static const struct {
	const char *name;
	void (*take)(struct ces_response *response, const char *value);
} headers[] = {
    {"Content-Encoding", take_content_encoding}, {"Content-Range", take_content_range},
    {"Content-Type", take_content_type},         {"Location", take_location},
    {"Retry-After", take_retry_after},           {"Transfer-Encoding", take_transfer_encoding},
    {"WWW-Authenticate", take_challenge},
};

/* Begins a new response of the same request (after a 1xx): forgets the previous one, but not how
 * much was read. */
static int begin(struct ces_response *r, const char *line)
{
	size_t bytes = r->bytes;
	char digits[4];
	uint64_t status;

	if (r->status != 0 && !(r->status < 200 && r->ended))
		return -1;
	if (sscanf(line, "HTTP/%*1[0-9]%*[.0-9] %3[0-9]", digits) != 1 ||
	    ces_num_parse(digits, 100, 599, &status) < 0)
		return -1;
	memset(r, 0, sizeof(*r));
	r->bytes = bytes;
	r->status = (unsigned)status;
	return 0;
}

static void take(struct ces_response *r, char *line)
{
	char *colon = strchr(line, ':');
	char *value;

	if (colon == NULL)
		return;
	*colon = '\0';
	value = colon + 1 + strspn(colon + 1, " \t");
	for (size_t i = 0; i < CES_COUNT(headers); i++)
		if (strcasecmp(line, headers[i].name) == 0)
			headers[i].take(r, value);
}

int ces_response_line(struct ces_response *response, const char *line, size_t length)
{
	char copy[CES_TARGET_MAX + 64];

	response->bytes += length;
	if (response->bytes > CES_RESPONSE_HEADERS_MAX || memchr(line, '\0', length) != NULL)
		return -1;
	while (length > 0 && strchr(" \t\r\n", line[length - 1]) != NULL)
		length--;
	if (response->ended && response->status >= 200)
		return 0; /* (trailers: counted, never believed) */
	if (length == 0) {
		response->ended = response->status != 0;
		return 0;
	}
	if (length >= sizeof(copy))
		return 0; /* (longer than any header that is wanted) */
	memcpy(copy, line, length);
	copy[length] = '\0';
	if (strncmp(copy, "HTTP/", 5) == 0)
		return begin(response, copy);
	take(response, copy);
	return 0;
}
