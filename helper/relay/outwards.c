/* Finds the address of the proxy. Two processes use this file. One asks the resolver and ends with
 * its answer. The other takes the answer as text, checks it, and must never see a byte of DNS. So a
 * hostile answer may attack the resolver's code only in a process without a connection of the
 * container's. At most it can give another address, which it could give anyhow. */
#include "helper/relay/outwards.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "helper/fetch/address.h"
#include "helper/fetch/sandbox.h"

static int confine_resolver(struct ces_error *err)
{
	if (ces_sandbox_check_identity(err) < 0 || ces_sandbox_drop(err) < 0 ||
	    ces_sandbox_hide_files(CES_SANDBOX_DIALER, err) < 0)
		return -1;
	return ces_sandbox_filter(CES_SANDBOX_DIALER, err);
}

static const struct addrinfo *first_of(const struct addrinfo *list, int family)
{
	while (list != NULL && list->ai_family != family)
		list = list->ai_next;
	return list;
}

static int look_up(const char *host, char ret[CES_OUTWARDS_TEXT], struct ces_error *err)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	const struct addrinfo *one;
	int result = getaddrinfo(host, NULL, &hints, &list);

	if (result != 0)
		return ces_error_set(err, CES_E_HOST, "its name cannot be resolved (%s)",
				     gai_strerror(result));
	one = first_of(list, AF_INET);
	if (one == NULL)
		one = first_of(list, AF_INET6);
	result = one == NULL ? EAI_NONAME
			     : getnameinfo(one->ai_addr, one->ai_addrlen, ret, CES_OUTWARDS_TEXT,
					   NULL, 0, NI_NUMERICHOST);
	freeaddrinfo(list);
	return result == 0 ? 0 : ces_error_set(err, CES_E_HOST, "its name has no address");
}

int ces_outwards_resolve(const char *proxy, char ret[CES_OUTWARDS_TEXT], struct ces_error *err)
{
	struct ces_origin origin;

	if (confine_resolver(err) < 0)
		return -1;
	if (ces_origin_parse(proxy, &origin) < 0)
		return ces_error_set(err, CES_E_INTERNAL, "not host:port");
	return look_up(origin.host, ret, err);
}

int ces_outwards_address(const char *proxy, const char *address, union ces_relay_address *ret,
			 struct ces_error *err)
{
	union ces_relay_address parsed = {0};
	struct ces_origin origin;
	enum ces_address_kind kind;

	if (ces_origin_parse(proxy, &origin) < 0)
		return ces_error_set(err, CES_E_INTERNAL, "not host:port");
	if (inet_pton(AF_INET, address, &parsed.v4.sin_addr) == 1) {
		parsed.v4.sin_family = AF_INET;
		parsed.v4.sin_port = htons(origin.port);
	} else if (inet_pton(AF_INET6, address, &parsed.v6.sin6_addr) == 1) {
		parsed.v6.sin6_family = AF_INET6;
		parsed.v6.sin6_port = htons(origin.port);
	} else {
		return ces_error_set(err, CES_E_HOST, "%.60s is not an address", address);
	}
	kind = ces_address_classify(&parsed.any, ces_relay_address_size(&parsed));
	if (kind == CES_ADDRESS_REFUSED ||
	    (kind == CES_ADDRESS_LOOPBACK && !ces_origin_is_loopback(&origin)))
		return ces_error_set(err, CES_E_HOST,
				     "its name leads to %s, and CES uses no loopback or link-local "
				     "address for a proxy",
				     address);
	*ret = parsed;
	return 0;
}
