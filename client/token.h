/* Takes the registry token from a file, from stdin, or from a terminal without echo. It must never
 * take one from the environment, and takes one from argv only for today's commands (compat.c). */
#ifndef CES_CLIENT_TOKEN_H
#define CES_CLIENT_TOKEN_H

#include <stdbool.h>

#include "client/options.h"

/* Puts the token that the options of a pull name into the request. Without a user name it does
 * nothing: the pull is anonymous. */
int ces_token_take(struct ces_options *options, struct ces_error *err);

/* Returns whether there is a terminal with a user to ask. */
bool ces_token_may_ask(void);

/* Asks for a user name and a token on the terminal. An empty line or the interrupt key ends it
 * (CES_E_USAGE). */
int ces_token_ask_login(struct ces_options *options, struct ces_error *err);

/* Takes a login that was typed as words. It cuts off the token's line end in place. */
int ces_token_give(struct ces_options *options, const char *user, char *token,
		   struct ces_error *err);

/* Makes a token of one line of text: cuts off the line end. The rest must be printable, without
 * blanks. */
int ces_token_check(char *text, struct ces_error *err);

#endif
