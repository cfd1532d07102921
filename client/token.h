/* The registry token: from a file, from stdin, or typed without echo; never from the environment,
 * and from argv only where today's commands have it (compat.c). */
#ifndef CES_CLIENT_TOKEN_H
#define CES_CLIENT_TOKEN_H

#include <stdbool.h>

#include "client/options.h"

/* Puts the token that the options of a pull name into its request. Without a user name: nothing,
 * the pull is anonymous. */
int ces_token_take(struct ces_options *options, struct ces_error *err);

/* Whether there is somebody at a terminal to ask. */
bool ces_token_may_ask(void);

/* Asks for a user name and a token on the terminal. An empty line or the interrupt key gives up
 * (CES_E_USAGE). */
int ces_token_ask_login(struct ces_options *options, struct ces_error *err);

/* Takes a login that was typed as words. The token's line end is cut off in place. */
int ces_token_give(struct ces_options *options, const char *user, char *token,
		   struct ces_error *err);

/* Makes a token of one line of text: takes the line's end off. The rest must be printable, without
 * blanks. */
int ces_token_check(char *text, struct ces_error *err);

#endif
