/* The registry token: from a file, from stdin, or typed without echo; never from argv or the
 * environment. */
#ifndef CES_CLIENT_TOKEN_H
#define CES_CLIENT_TOKEN_H

#include "client/options.h"

/* Puts the token that the options of a pull name into its request. Without a user name: nothing,
 * the pull is anonymous. */
int ces_token_take(struct ces_options *options, struct ces_error *err);

/* One line of text to a token: the line's end comes off; what remains must be printable, without
 * blanks. */
int ces_token_check(char *text, struct ces_error *err);

#endif
