/* --verbose: shows the request before it is sent. */
#ifndef CES_CLIENT_VERBOSE_H
#define CES_CLIENT_VERBOSE_H

#include "client/options.h"

void ces_verbose_request(const struct ces_request *request);

/* Says which ports CES chose for a run (-p CONTAINER). */
void ces_verbose_chosen(const struct ces_options *options);

#endif
