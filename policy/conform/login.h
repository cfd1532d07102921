/* The login for a registry: of the command line, or of the files that podman, skopeo and Docker
 * write. They are only read. Source: containers-auth.json(5). */
#ifndef CES_POLICY_CONFORM_LOGIN_H
#define CES_POLICY_CONFORM_LOGIN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "common/name.h"

#define CES_LOGIN_FILES 4

struct ces_login {
	char *username, *token;     /* malloc'd; both NULL: anonymous */
	int files[CES_LOGIN_FILES]; /* opened, not read */
	size_t n_files;
};

/* Opens what a login may come from, with the rights of the user who types. */
int ces_login_open(struct ces_login *ret, struct ces_error *err);

/* Reads the token for a user name from stdin. */
int ces_login_ask(struct ces_login *login, const char *username, struct ces_error *err);

/* Reads the files until one has a login for the image. None is no error. Call it without root. */
int ces_login_find(struct ces_login *login, const struct ces_reference *image,
		   struct ces_error *err);

/* The login that one document has for the image. -1 when it is no such document; *login stays as it
 * is when it has none. */
int ces_login_read(const char *bytes, size_t length, const struct ces_reference *image,
		   struct ces_login *login, struct ces_error *err);

/* Wipes and closes. */
void ces_login_free(struct ces_login *login);

#endif
