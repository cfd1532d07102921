/* --verbose: what is asked for, before it is asked. */
#ifndef CES_CLIENT_VERBOSE_H
#define CES_CLIENT_VERBOSE_H

#include "common/request.h"

void ces_verbose_request(const struct ces_request *request);

#endif
