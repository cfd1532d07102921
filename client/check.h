/* Whether a request can be sent at all, said in the words of the command line. */
#ifndef CES_CLIENT_CHECK_H
#define CES_CLIENT_CHECK_H

#include "common/error.h"
#include "common/request.h"

/* -1 (CES_E_USAGE) when a value is longer than a request carries, or holds a byte that a name
 * cannot: a dash or a blank pasted from a document, most often. */
int ces_request_check(const struct ces_request *request, struct ces_error *err);

#endif
