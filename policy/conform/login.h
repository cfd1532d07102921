/* The login for a registry, from the command line or from the files of podman, skopeo and Docker.
 * It must only read these. Source: containers-auth.json(5). */
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

/* Opens the files that may have a login, with the rights of the user. */
int ces_login_open(struct ces_login *ret, struct ces_error *err);

/* Reads the token for a user name from stdin. */
int ces_login_ask(struct ces_login *login, const char *username, struct ces_error *err);

/* Reads the files until one has a login for the image. None is no error. Call it without root's
 * rights. */
int ces_login_find(struct ces_login *login, const struct ces_reference *image,
		   struct ces_error *err);

/* The login that one document has for the image. -1 if it is no such document; *login stays as it
 * is if there is none. */
int ces_login_read(const char *bytes, size_t length, const struct ces_reference *image,
		   struct ces_login *login, struct ces_error *err);

/* Wipes and closes. */
void ces_login_free(struct ces_login *login);

#endif
