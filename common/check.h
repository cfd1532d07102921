/* Checks a request that came as a struct and not as a frame, by the same caps. */
#ifndef CES_COMMON_CHECK_H
#define CES_COMMON_CHECK_H

#include "common/request.h"

/* Checks that each text is within its field's cap and of its kind, and that each list is within its
 * count, as ces_wire_decode does. It also refuses a missing required text. */
int ces_request_check(const struct ces_request *request, struct ces_error *err);

#endif
