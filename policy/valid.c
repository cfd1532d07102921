/* Allow-lists for the strings of a policy. No function here repairs anything: a string passes as it
 * is or the policy is refused. */
#include "policy/valid.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/name.h"
#include "common/num.h"
#include "policy/pattern.h"
#include "policy/policy.h"
#include "policy/template.h"

static bool printable(const char *text, size_t max)
{
	size_t length = strnlen(text, max + 1);

	for (size_t i = 0; i < length; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return false;
	return length > 0 && length <= max;
}

bool ces_valid_prose(const char *text)
{
	size_t length = strnlen(text, 257);

	return length > 0 && length <= 256 && ces_line_valid(text, length);
}

bool ces_valid_short(const char *text)
{
	return printable(text, 127);
}

/* Directories give names with spaces, '@' and '\'. A character that separates fields of the user
 * database is not allowed. */
bool ces_valid_account(const char *text)
{
	return printable(text, 63) && strpbrk(text, ":/,{}") == NULL && text[0] != ' ' &&
	       text[strlen(text) - 1] != ' ' && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

bool ces_valid_prefix(const char *text)
{
	return *text == '\0' || ces_valid_account(text);
}

/* A host name, then perhaps a port. Returns what follows, or NULL. */
static const char *skip_host(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789.-");
	const char *port = text + length + 1;
	char number[8];

	if (length == 0 || length > 253 || strchr(".-", text[0]) != NULL ||
	    strchr(".-", text[length - 1]) != NULL || memmem(text, length, "..", 2) != NULL)
		return NULL;
	if (text[length] != ':')
		return text + length;
	length = strspn(port, "0123456789");
	snprintf(number, sizeof(number), "%.*s", (int)length, port);
	return length < sizeof(number) && ces_valid_port(number) ? port + length : NULL;
}

bool ces_valid_host(const char *text)
{
	const char *rest = skip_host(text);

	return rest != NULL && *rest == '\0';
}

/* The grammar of references decides: a name that no reference can hold would never match. */
bool ces_valid_registry(const char *text)
{
	struct ces_reference reference;
	char whole[CES_REFERENCE_MAX];

	if (!ces_valid_host(text))
		return false;
	snprintf(whole, sizeof(whole), "%s/x", text);
	return ces_reference_parse(whole, &reference, NULL) == 0;
}

bool ces_valid_endpoint(const char *text)
{
	static const char scheme[] = "https://";
	const char *p;

	if (strnlen(text, 512) >= 512)
		return false;
	if (ces_endpoint_layout(text) != NULL)
		return ces_path_valid(ces_endpoint_layout(text));
	if (strncmp(text, scheme, strlen(scheme)) != 0)
		return false;
	p = skip_host(text + strlen(scheme));
	if (p == NULL || *p == '\0')
		return p != NULL;
	return ces_path_valid(p) &&
	       p[strspn(p, "/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] ==
		   '\0';
}

bool ces_valid_proxy(const char *text)
{
	static const char scheme[] = "http://";

	return strncmp(text, scheme, strlen(scheme)) == 0 &&
	       strchr(text + strlen(scheme), ':') != NULL && ces_valid_host(text + strlen(scheme));
}

bool ces_valid_path(const char *text)
{
	return ces_path_valid(text) && strnlen(text, 512) < 512;
}

bool ces_valid_port(const char *text)
{
	uint64_t port;

	return ces_num_parse(text, 1, 65535, &port) == 0;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

bool ces_valid_kind(const char *text)
{
	size_t vendor = strspn(text, LETTERS "_-."), class;

	if (vendor == 0 || vendor > 63 || text[vendor] != '/')
		return false;
	class = strspn(text + vendor + 1, LETTERS "_-.");
	return class > 0 && class < 64 && text[vendor + 1 + class] == '\0';
}

bool ces_pattern_valid(const char *pattern)
{
	const char *at = pattern;
	size_t components = 0;

	if (strnlen(pattern, CES_REFERENCE_MAX) >= CES_REFERENCE_MAX)
		return false;
	for (;; at++) {
		size_t length = strcspn(at, "/");
		bool last = at[length] == '\0';
		bool star = length == 1 && at[0] == '*';
		bool stars = length == 2 && memcmp(at, "**", 2) == 0;

		if (components == 0) {
			char registry[256];

			if (snprintf(registry, sizeof(registry), "%.*s", (int)length, at) >=
				(int)sizeof(registry) ||
			    !ces_reference_registry_valid(registry))
				return false;
		} else if (!star && !(stars && last) && !ces_reference_part_valid(at, length)) {
			return false;
		}
		components++;
		at += length;
		if (last)
			return components >= 2;
	}
}

static const char run_word[] = "{run}";

static bool template_valid(const char *text, bool run_allowed)
{
	static const char *const words[] = {"{project}", "{user}", run_word};
	const char *path = *text == '~' ? text + 1 : text;

	if (!(*text == '~' && *path == '\0') && !ces_path_valid(path))
		return false;
	for (const char *p = text; (p = strpbrk(p, "{}")) != NULL;) {
		size_t i = 0;

		while (i < CES_COUNT(words) && strncmp(p, words[i], strlen(words[i])) != 0)
			i++;
		if (i == CES_COUNT(words) || (words[i] == run_word && !run_allowed))
			return false;
		p += strlen(words[i]);
	}
	return true;
}

bool ces_template_valid(const char *text)
{
	return template_valid(text, false);
}

bool ces_template_run_valid(const char *text)
{
	return template_valid(text, true);
}
