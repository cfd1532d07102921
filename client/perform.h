/* Carries out one request, from parsed options to the exit status. */
#ifndef CES_CLIENT_PERFORM_H
#define CES_CLIENT_PERFORM_H

#include "client/options.h"

/* Checks what getopt cannot see; takes the token of a pull. Call it before ces_perform. */
int ces_perform_check(struct ces_options *options, struct ces_error *err);

/* Sends the request and shows the answer. A pull that needs a login and has none asks for one on
 * the terminal, and is tried once more. Returns the exit status of the client. */
int ces_perform(struct ces_options *options);

/* Status 0, or CES_EXIT_REFUSED when stdout could not take what was printed. */
int ces_perform_printed(void);

#endif
