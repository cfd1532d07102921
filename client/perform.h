/* Carries out one request, from parsed options to the exit status. */
#ifndef CES_CLIENT_PERFORM_H
#define CES_CLIENT_PERFORM_H

#include "client/options.h"

/* Checks what getopt cannot see, and takes the token of a pull. Call it before ces_perform. */
int ces_perform_check(struct ces_options *options, struct ces_error *err);

/* Sends the request and shows the answer. If a pull needs a login and has none, it asks for one on
 * the terminal and tries once more. Returns the exit status of the client. */
int ces_perform(struct ces_options *options);

/* Returns status 0, or CES_EXIT_REFUSED if stdout could not take the output. */
int ces_perform_printed(void);

#endif
