/* WWW-Authenticate, RFC 9110 section 11.6.1, as far as registries use it (distribution-spec token
 * authentication). Pure, for hostile input. */
#ifndef CES_FETCH_CHALLENGE_H
#define CES_FETCH_CHALLENGE_H

#include <stdbool.h>
#include <stddef.h>

#define CES_CHALLENGE_MAX 4096

struct ces_challenge {
	bool basic;
	bool bearer;
	char realm[1024];  /* of Bearer: the URL of the token server; not checked here */
	char service[256]; /* of Bearer; "" if absent. The server's scope is never used */
};

/* Parses the value of one header and adds what it offers to *ret (start from a zeroed one; a
 * response may have several such headers). It is strict. For these it returns -1 and leaves *ret
 * unchanged: a syntax error, a parameter named twice, two Bearer challenges, a Bearer without
 * realm, a control or non-ASCII character, an overlong value. */
int ces_challenge_parse(const char *text, size_t length, struct ces_challenge *ret);

#endif
