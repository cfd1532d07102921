/* Logs in: makes the Authorization header, and reads the reply of a token server. */
#ifndef CES_FETCH_AUTH_H
#define CES_FETCH_AUTH_H

#include "helper/fetch/challenge.h"
#include "helper/fetch/target.h"

#define CES_TOKEN_MAX (16 * 1024)

enum ces_auth_kind { CES_AUTH_NONE, CES_AUTH_BASIC, CES_AUTH_BEARER };

/* The login of all transfers of the process: they use one repository with one credential. */
struct ces_auth {
	enum ces_auth_kind kind;
	char *bearer; /* CES_AUTH_BEARER; malloc'd */
	unsigned
	    generation; /* counts changes: shows a transfer that another one has logged in since */
};

void ces_auth_use_basic(struct ces_auth *auth);
void ces_auth_use_bearer(struct ces_auth *auth, char *token); /* takes token over */

/* Wipes and frees. NULL is fine. */
void ces_auth_wipe(char *secret);

/* Sets url to the token server's address for a pull of repository, by the challenge. It refuses a
 * realm that is not https or not among hosts. The scope is CES's own: the server cannot widen
 * it. */
int ces_auth_realm(CURLU *url, const struct ces_challenge *challenge, const char *repository,
		   const struct ces_hosts *hosts, struct ces_origin *ret, struct ces_error *err);

/* Takes the token out of {"token": ...} or {"access_token": ...}. *ret is malloc'd. */
int ces_auth_parse(const char *json, size_t length, char **ret, struct ces_error *err);

#endif
