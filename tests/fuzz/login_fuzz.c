/* Takes any bytes for the file of logins that podman, skopeo and Docker write. It is refused, has
 * no login for the image, or gives a user name and a token that are not empty. */
/* parses: policy/conform/login.c */
/* links: policy/conform/login.c policy/tool/input.c helper/unpack/json.c helper/unpack/json_scan.c */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/conform/login.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static const struct ces_reference images[] = {
	    {.registry = "docker.io", .repository = "library/python", .tag = "1"},
	    {.registry = "r.example:5000", .repository = "a/b", .tag = "1"},
	};
	/* Uses a copy without a NUL after it, so that a sanitizer sees a read past the end. */
	char *text = malloc(length > 0 ? length : 1);

	if (text == NULL)
		return 0;
	memcpy(text, bytes, length);
	for (size_t i = 0; i < 2; i++) {
		struct ces_login login = {0};
		struct ces_error err = {0};

		if (ces_login_read(text, length, &images[i], &login, &err) < 0 &&
		    err.text[0] == '\0')
			abort();
		if ((login.username == NULL) != (login.token == NULL) ||
		    (login.username != NULL &&
		     (login.username[0] == '\0' || strchr(login.username, ':') != NULL)))
			abort();
		ces_login_free(&login);
	}
	free(text);
	return 0;
}
