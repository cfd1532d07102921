/* Allow-lists for strings that the parser alone checks. No function here repairs anything. */
#include "policy/valid_parse.h"

#include <string.h>

#include "common/name.h"
#include "policy/valid.h"

bool ces_valid_secret(const char *text)
{
	return ces_cluster_name_valid(text, 253);
}

/* The schemes are those of RFC 7512 and of OpenSSL's provider for a TPM. */
bool ces_valid_key(const char *text)
{
	if (text[0] == '/')
		return ces_valid_path(text);
	if (strncmp(text, "pkcs11:", 7) != 0 && strncmp(text, "handle:", 7) != 0)
		return false;
	for (size_t i = 0; text[i] != '\0'; i++)
		if (text[i] <= ' ' || text[i] > '~' || i == 511)
			return false;
	return true;
}
