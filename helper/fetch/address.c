/* Decides where ces-fetch may connect to: which hosts by name, and what kind of address a name
 * gives. Pure: it must not resolve or open anything.
 *
 * Why look at addresses at all, when the name was allowed and TLS proves it: the server that
 * answers DNS could point an allowed name at a service of this machine (loopback) or at a cloud's
 * metadata service (link-local) and have ces-fetch knock there. Private ranges are ordinary here on
 * purpose: the registry proxy of a safe haven has an address in one. */
#include "helper/fetch/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/cleanup.h"
#include "common/num.h"

static bool name_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

static bool literal_character(char c)
{
	return (c >= 'a' && c <= 'f') || (c >= '0' && c <= '9') || c == ':' || c == '.';
}

/* Returns the length of the host at the start of text, or 0. A host here has no zone ("%eth0"): a
 * zone only makes sense for link-local addresses. */
static size_t host_length(const char *text)
{
	size_t n = 0;

	if (text[0] == '[') {
		for (n = 1; literal_character(text[n]) || (text[n] >= 'A' && text[n] <= 'F'); n++)
			;
		return text[n] == ']' && n > 1 ? n + 1 : 0;
	}
	while (name_character(text[n]) || (text[n] >= 'A' && text[n] <= 'Z'))
		n++;
	return n > 0 && text[0] != '.' && text[0] != '-' ? n : 0;
}

int ces_origin_parse(const char *text, struct ces_origin *ret)
{
	struct ces_origin origin = {.port = 443};
	size_t n = host_length(text);
	uint64_t port;

	if (n == 0 || n >= sizeof(origin.host))
		return -1;
	for (size_t i = 0; i < n; i++)
		origin.host[i] =
		    (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] | 0x20 : text[i]);
	if (text[n] == ':') {
		if (ces_num_parse(text + n + 1, 1, 65535, &port) < 0)
			return -1;
		origin.port = (uint16_t)port;
	} else if (text[n] != '\0') {
		return -1;
	}
	*ret = origin;
	return 0;
}

bool ces_origin_equal(const struct ces_origin *a, const struct ces_origin *b)
{
	return a->port == b->port && strcmp(a->host, b->host) == 0;
}

void ces_origin_format(const struct ces_origin *origin, char ret[CES_ORIGIN_TEXT])
{
	if (origin->port == 443)
		(void)snprintf(ret, CES_ORIGIN_TEXT, "https://%s", origin->host);
	else
		(void)snprintf(ret, CES_ORIGIN_TEXT, "https://%s:%u", origin->host, origin->port);
}

bool ces_origin_is_loopback(const struct ces_origin *origin)
{
	static const char name[] = "localhost";
	size_t length = strlen(origin->host), tail = sizeof(name) - 1;
	struct in_addr v4;

	if (strcmp(origin->host, "[::1]") == 0)
		return true;
	if (inet_pton(AF_INET, origin->host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	if (length < tail || strcmp(origin->host + length - tail, name) != 0)
		return false;
	return length == tail || origin->host[length - tail - 1] == '.';
}

int ces_hosts_fill(const char *endpoint, const struct ces_strings *others, struct ces_hosts *ret,
		   struct ces_error *err)
{
	static const char scheme[] = "https://";
	struct ces_hosts hosts = {0};

	if (strncmp(endpoint, scheme, sizeof(scheme) - 1) != 0 ||
	    ces_origin_parse(endpoint + sizeof(scheme) - 1, &hosts.endpoint) < 0)
		return ces_error_set(err, CES_E_POLICY,
				     "the registry's endpoint is not https://host[:port]: %s",
				     endpoint);
	if (others->n > CES_COUNT(hosts.others))
		return ces_error_set(err, CES_E_POLICY, "the registry has too many token_hosts");
	for (; hosts.n_others < others->n; hosts.n_others++)
		if (ces_origin_parse(others->v[hosts.n_others], &hosts.others[hosts.n_others]) < 0)
			return ces_error_set(err, CES_E_POLICY,
					     "not a host or host:port in token_hosts: %s",
					     others->v[hosts.n_others]);
	*ret = hosts;
	return 0;
}

bool ces_hosts_allow(const struct ces_hosts *hosts, const struct ces_origin *origin)
{
	if (ces_origin_equal(&hosts->endpoint, origin))
		return true;
	for (size_t i = 0; i < hosts->n_others; i++)
		if (ces_origin_equal(&hosts->others[i], origin))
			return true;
	return false;
}

struct block {
	uint32_t base;
	unsigned bits;
	enum ces_address_kind kind;
};

/* IANA special-purpose registry (RFC 6890): the addresses that no registry can have. */
static const struct block blocks4[] = {
    {0x00000000, 8, CES_ADDRESS_REFUSED},  /* "this network"; 0.0.0.0 reaches loopback on Linux */
    {0x7f000000, 8, CES_ADDRESS_LOOPBACK}, /* 127.0.0.0/8 */
    {0xa9fe0000, 16, CES_ADDRESS_REFUSED}, /* 169.254.0.0/16, link-local: metadata services */
    {0xe0000000, 4, CES_ADDRESS_REFUSED},  /* 224.0.0.0/4, multicast */
    {0xf0000000, 4, CES_ADDRESS_REFUSED},  /* 240.0.0.0/4, reserved, and broadcast */
};

static enum ces_address_kind classify4(uint32_t address)
{
	for (size_t i = 0; i < CES_COUNT(blocks4); i++)
		if ((address ^ blocks4[i].base) >> (32 - blocks4[i].bits) == 0)
			return blocks4[i].kind;
	return CES_ADDRESS_ORDINARY;
}

static uint32_t word(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

static bool starts(const uint8_t *address, const char *prefix, size_t length)
{
	return memcmp(address, prefix, length) == 0;
}

static enum ces_address_kind classify6(const uint8_t a[16])
{
	static const uint8_t zero[16] = {0}, one[16] = {[15] = 1};

	if (memcmp(a, zero, 16) == 0)
		return CES_ADDRESS_REFUSED;
	if (memcmp(a, one, 16) == 0)
		return CES_ADDRESS_LOOPBACK;
	if (a[0] == 0xff || (a[0] == 0xfe && (a[1] & 0xc0) == 0x80)) /* multicast, link-local */
		return CES_ADDRESS_REFUSED;
	if (starts(a, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) || memcmp(a, zero, 12) == 0)
		return classify4(word(a + 12));
	/* 64:ff9b::/96 and, because its inner layout is the operator's choice, all of
	 * 64:ff9b:1::/48 */
	if (starts(a, "\0\x64\xff\x9b\0\0\0\0\0\0\0\0", 12))
		return classify4(word(a + 12));
	if (starts(a, "\0\x64\xff\x9b\0\x01", 6))
		return CES_ADDRESS_REFUSED;
	if (starts(a, "\x20\x02", 2)) /* 6to4 */
		return classify4(word(a + 2));
	return CES_ADDRESS_ORDINARY;
}

enum ces_address_kind ces_address_classify(const struct sockaddr *address, size_t length)
{
	if (address->sa_family == AF_INET && length >= sizeof(struct sockaddr_in)) {
		struct sockaddr_in in;

		memcpy(&in, address, sizeof(in));
		return classify4(ntohl(in.sin_addr.s_addr));
	}
	if (address->sa_family == AF_INET6 && length >= sizeof(struct sockaddr_in6)) {
		struct sockaddr_in6 in6;

		memcpy(&in6, address, sizeof(in6));
		return classify6(in6.sin6_addr.s6_addr);
	}
	return CES_ADDRESS_REFUSED;
}
