/* A message that came as a struct and not as a frame: the same caps. */
#ifndef CES_COMMON_CHECK_H
#define CES_COMMON_CHECK_H

#include "common/request.h"

/* Whether each text is as long as its field's cap at most and of its kind, and each list within its
 * count: what ces_wire_decode would have let pass. A missing required text is refused too. */
int ces_check(const struct ces_wire_schema *schema, const void *object, struct ces_error *err);

/* The same of a request. */
int ces_request_check(const struct ces_request *request, struct ces_error *err);

#endif
