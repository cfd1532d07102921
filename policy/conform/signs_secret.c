/* Recognises a secret in a setting or on a command line: by the name before the "=", or by the
 * beginning of the value. It must not pass on a value. */
#include "policy/conform/signs.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/cleanup.h"

#define WORD 512
#define NAME 128

static bool ends(const char *text, const char *with)
{
	size_t n = strlen(text), w = strlen(with);

	return n >= w && strcasecmp(text + n - w, with) == 0;
}

/* "PGPASSWORD", "GITHUB_TOKEN", but not "TOKENIZERS_PARALLELISM" or "PASSWORD_FILE". */
static bool names_secret(const char *name)
{
	static const char *const endings[] = {
	    "PASSWORD",    "PASSWD",      "PASSPHRASE", "TOKEN",          "SECRET",
	    "SECRETS",     "APIKEY",      "API_KEY",    "ACCESS_KEY",     "SECRET_KEY",
	    "PRIVATE_KEY", "CREDENTIALS", "_PASS",      "ENCRYPTION_KEY", "GITHUB_PAT",
	};
	static const char *const inner[] = {"_PASSWORD_", "_TOKEN_", "_SECRET_", "_API_KEY_"};
	static const char *const harmless[] = {"_FILE", "_PATH",   "_DIR", "_URL",    "_TYPE",
					       "_NAME", "_LENGTH", "_TTL", "_EXPIRY", "_USER"};

	for (size_t i = 0; i < CES_COUNT(harmless); i++)
		if (ends(name, harmless[i]))
			return false;
	for (size_t i = 0; i < CES_COUNT(endings); i++)
		if (ends(name, endings[i]))
			return true;
	for (size_t i = 0; i < CES_COUNT(inner); i++)
		if (strcasestr(name, inner[i]) != NULL)
			return true;
	return false;
}

/* Tokens that show by themselves whose they are. */
static bool is_token(const char *value)
{
	static const char *const beginnings[] = {"ghp_", "gho_", "ghs_",  "github_pat_", "glpat-",
						 "hf_",  "AKIA", "xoxb-", "sk-ant-",     "pypi-"};

	for (size_t i = 0; i < CES_COUNT(beginnings); i++) {
		const char *rest = value + strlen(beginnings[i]);

		if (strncmp(value, beginnings[i], strlen(beginnings[i])) == 0 &&
		    strspn(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
				 "-") >= 16)
			return true;
	}
	return false;
}

bool ces_sign_secret_value(const char *name, const char *value)
{
	static const char *const none[] = {"",   "0",  "1",   "true", "false", "yes",
					   "no", "on", "off", "none", "null"};

	if (is_token(value))
		return true;
	for (size_t i = 0; i < CES_COUNT(none); i++)
		if (strcasecmp(none[i], value) == 0)
			return false;
	/* (a value from a variable or a file is not written here) */
	return names_secret(name) && strchr("$`<", value[0]) == NULL &&
	       strncmp(value, "/run/secrets/", 13) != 0;
}

/* "user:password@host" after "://", unless the password comes from a variable. */
static bool has_login(const char *word)
{
	const char *at = strstr(word, "://"), *colon;
	size_t length;

	if (at == NULL)
		return false;
	at += 3;
	length = strcspn(at, "/?#");
	colon = memchr(at, ':', length);
	return colon != NULL && memchr(colon, '@', length - (size_t)(colon - at)) != NULL &&
	       strchr("$@{<", colon[1]) == NULL;
}

/* The name of "--api-key=x" is API_KEY. */
static bool sets_secret(const char *word, char *ret, size_t size)
{
	const char *value = strchr(word, '=');
	char name[NAME];
	size_t n = 0;

	word += strspn(word, "-\"'");
	if (value == NULL || value < word || value - word >= (ptrdiff_t)sizeof(name))
		return false;
	for (; word + n < value; n++) {
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-",
			   word[n]) == NULL)
			return false;
		name[n] = word[n];
		if (name[n] == '-')
			name[n] = '_';
	}
	name[n] = '\0';
	value++;
	value += strspn(value, "\"'");
	if (!ces_sign_secret_value(name, value))
		return false;
	snprintf(ret, size, "%s", name);
	return true;
}

bool ces_sign_secret_words(const char *text, char *ret, size_t size)
{
	static const char cuts[] = " \t\r\n;|&()";
	char word[WORD];

	for (text += strspn(text, cuts); *text != '\0'; text += strspn(text, cuts)) {
		size_t n = strcspn(text, cuts);

		snprintf(word, sizeof(word), "%.*s", (int)(n < WORD ? n : WORD - 1), text);
		text += n;
		if (sets_secret(word, ret, size))
			return true;
		if (has_login(word)) {
			snprintf(ret, size, "an address with a password");
			return true;
		}
		if (is_token(word + strspn(word, "\"'"))) {
			snprintf(ret, size, "a token");
			return true;
		}
	}
	return false;
}
