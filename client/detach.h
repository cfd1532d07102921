/* run -d. */
#ifndef CES_CLIENT_DETACH_H
#define CES_CLIENT_DETACH_H

#include "client/options.h"

/* Starts the run, prints its number on stdout, and returns the exit status. A process of the
 * caller's stays for as long as the run lives, and keeps the run's output and end
 * (client/kept.h). */
int ces_detach(const char *helper, struct ces_options *options);

#endif
