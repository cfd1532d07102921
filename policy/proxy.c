/* The variables of a proxy. No standard names them: curl, wget, pip, R, git and apt look for these,
 * some only in small letters and some in capitals. */
#include "policy/proxy.h"

#include <stdio.h>

#include "common/cleanup.h"

static const struct {
	const char *name;
	bool exception; /* where not to use it */
} variables[] = {
    {"http_proxy", false},  {"https_proxy", false}, {"HTTP_PROXY", false},
    {"HTTPS_PROXY", false}, {"no_proxy", true},     {"NO_PROXY", true},
};

bool ces_proxy_setting(size_t i, const char *url, char *buffer, size_t size)
{
	if (i >= CES_COUNT(variables))
		return false;
	snprintf(buffer, size, "%s=%s", variables[i].name,
		 variables[i].exception ? "localhost,127.0.0.1,::1" : url);
	return true;
}
