/* Checks whether a request can be sent at all, and says so in the words of the command line. */
#ifndef CES_CLIENT_CHECK_H
#define CES_CLIENT_CHECK_H

#include "common/error.h"
#include "common/request.h"

/* Returns -1 (CES_E_USAGE) when a value is too long for a request, or has a byte that a name cannot
 * have. Most often that is a dash or a blank pasted from a document. */
int ces_request_check(const struct ces_request *request, struct ces_error *err);

#endif
