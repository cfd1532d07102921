/* --verbose: what is asked for, before it is asked. */
#ifndef CES_CLIENT_VERBOSE_H
#define CES_CLIENT_VERBOSE_H

#include "client/options.h"

void ces_verbose_request(const struct ces_request *request);

/* Where the ports are that CES chose for a run (-p CONTAINER). */
void ces_verbose_chosen(const struct ces_options *options);

#endif
