/* The syntax of names from outside. It must not decide whether a name is allowed. */
#include "common/name.h"

#include <string.h>

#include "common/cleanup.h"

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

bool ces_digest_valid(const char *text)
{
	if (strncmp(text, "sha256:", 7) != 0)
		return false;
	for (size_t i = 7; i < CES_DIGEST_LENGTH; i++)
		if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
			return false;
	return text[CES_DIGEST_LENGTH] == '\0';
}

/* Letters, digits and "._-". `first` says which characters may come first. */
static bool plain_name(const char *text, size_t max, bool underscore_first)
{
	size_t length = strnlen(text, max + 1);

	if (length == 0 || length > max)
		return false;
	if (!is_alnum(text[0]) && !(underscore_first && text[0] == '_'))
		return false;
	for (size_t i = 1; i < length; i++)
		if (!is_alnum(text[i]) && strchr("._-", text[i]) == NULL)
			return false;
	return true;
}

bool ces_project_valid(const char *text)
{
	return plain_name(text, CES_NAME_MAX, true);
}

bool ces_run_valid(const char *text)
{
	return strnlen(text, CES_RUN_DIGITS + 1) == CES_RUN_DIGITS &&
	       strspn(text, "0123456789") == CES_RUN_DIGITS;
}

bool ces_run_name_valid(const char *text)
{
	return plain_name(text, CES_RUN_NAME_MAX, false) && !ces_run_valid(text);
}

bool ces_env_name_valid(const char *name, size_t length)
{
	if (length == 0 || length > 256)
		return false;
	for (size_t i = 0; i < length; i++)
		if (name[i] <= 0x20 || name[i] > 0x7e || name[i] == '=')
			return false;
	return true;
}

size_t ces_utf8_next(const char *text, size_t left, uint32_t *ret)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t min;
	} forms[] = {
	    {0x80, 0x00, 1}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
	const unsigned char *s = (const unsigned char *)text;

	for (size_t n = 0; n < CES_COUNT(forms) && n < left; n++) {
		uint32_t code = s[0] & (unsigned char)~forms[n].mask;

		if ((s[0] & forms[n].mask) != forms[n].lead)
			continue;
		for (size_t i = 1; i <= n; i++) {
			if ((s[i] & 0xc0) != 0x80)
				return 0;
			code = code << 6 | (s[i] & 0x3f);
		}
		*ret = code;
		return code < forms[n].min || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)
			   ? 0
			   : n + 1;
	}
	return 0;
}

bool ces_line_valid(const char *text, size_t length)
{
	static const struct {
		uint32_t first, last;
	} refused[] = {{0, 0x1f},        {0x7f, 0x9f},     {0x200b, 0x200f},  {0x2028, 0x202e},
		       {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xe0000, 0xe0fff}};

	while (length > 0) {
		uint32_t code = 0;
		size_t n = ces_utf8_next(text, length, &code);

		if (n == 0)
			return false;
		for (size_t i = 0; i < CES_COUNT(refused); i++)
			if (code >= refused[i].first && code <= refused[i].last)
				return false;
		text += n;
		length -= n;
	}
	return true;
}

bool ces_container_path_valid(const char *path)
{
	size_t length = strnlen(path, 1025);
	const char *at = path;

	if (length == 0 || length > 1024 || path[0] != '/' || strpbrk(path, ":,") != NULL ||
	    !ces_line_valid(path, length))
		return false;
	while (*at == '/') {
		size_t component = strcspn(++at, "/");

		if (component == 0)
			return *at == '\0'; /* a trailing slash, or "/" itself */
		if ((component == 1 && at[0] == '.') ||
		    (component == 2 && memcmp(at, "..", 2) == 0))
			return false;
		at += component;
	}
	return true;
}

bool ces_device_valid(const char *text)
{
	return *text != '\0' && strchr("_-.:", *text) == NULL && strnlen(text, 128) < 128 &&
	       text[strspn(text,
			   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:")] ==
		   '\0';
}
