/* Allow-lists for strings that the parser alone checks. No function here repairs anything. */
#include "policy/valid_parse.h"

#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/cluster.h"
#include "common/name.h"
#include "policy/decide.h"
#include "policy/valid.h"

bool ces_valid_secret(const char *text)
{
	return ces_cluster_name_valid(text, 253);
}

/* Checks a name of up to `max` with a letter in each place that is filled in later. */
static bool name_valid(const char *text, size_t max)
{
	static const char *const marks[] = {"{project}", "{user}", "{user_first}"};
	char filled[254];
	size_t used = 0;

	while (*text != '\0' && used < sizeof(filled) - 1) {
		size_t skip = 1;

		filled[used] = *text;
		for (size_t i = 0; i < CES_COUNT(marks); i++)
			if (strncmp(text, marks[i], strlen(marks[i])) == 0) {
				filled[used] = 'x';
				skip = strlen(marks[i]);
			}
		used++;
		text += skip;
	}
	filled[used] = '\0';
	return *text == '\0' && ces_cluster_name_valid(filled, max);
}

bool ces_valid_claim(const char *text)
{
	return name_valid(text, 253);
}

bool ces_valid_label(const char *text)
{
	return name_valid(text, 63);
}

bool ces_valid_namespace(const char *text)
{
	return ces_valid_label(text) && strchr(text, '.') == NULL;
}

bool ces_valid_short_path(const char *text)
{
	return ces_valid_path(text) &&
	       strlen(text) < sizeof(((struct ces_decision_names *)NULL)->v[0]);
}

bool ces_valid_signer(const char *text)
{
	char path[CES_SIGNER_PATH + 1];

	if (strlen(text) >= CES_SIGNER_PATH || text[0] == '\0')
		return false;
	for (const char *at = text; *at != '\0'; at++)
		if (*at <= ' ' || *at > '~')
			return false;
	(void)snprintf(path, sizeof(path), "%s%s", text[0] == '/' ? "" : "/", text);
	return ces_valid_path(path);
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
