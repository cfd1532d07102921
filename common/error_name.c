/* The words for the codes of errors. */
#include "common/error.h"

#include "common/cleanup.h"

const char *ces_code_name(enum ces_code code)
{
	static const char *const names[] = {
	    [CES_OK] = "ok",
	    [CES_E_USAGE] = "usage",
	    [CES_E_DENIED] = "denied",
	    [CES_E_POLICY] = "policy",
	    [CES_E_NOTFOUND] = "not found",
	    [CES_E_REGISTRY] = "registry",
	    [CES_E_IMAGE] = "image",
	    [CES_E_HOST] = "host",
	    [CES_E_LIMIT] = "limit",
	    [CES_E_INTERNAL] = "internal",
	};

	return (unsigned)code < CES_COUNT(names) ? names[code] : "unknown";
}
