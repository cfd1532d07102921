/* The syntax of names from outside. It must not decide whether a name is allowed. */
#include "common/name.h"

#include <string.h>

#include "common/cleanup.h"

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

bool ces_digest_valid(const char *text)
{
	return strncmp(text, "sha256:", 7) == 0 &&
	       strspn(text + 7, "0123456789abcdef") == CES_DIGEST_LENGTH - 7 &&
	       text[CES_DIGEST_LENGTH] == '\0';
}

/* 1 to max of `all`, but the first is none of `not_first`. */
static bool plain_name(const char *text, size_t max, const char *all, const char *not_first)
{
	size_t length = strnlen(text, max + 1);

	return length > 0 && length <= max && strspn(text, all) == length &&
	       strchr(not_first, *text) == NULL;
}

bool ces_project_valid(const char *text)
{
	return plain_name(text, CES_NAME_MAX, ALNUM "._-", ".-");
}

bool ces_run_valid(const char *text)
{
	return strnlen(text, CES_RUN_DIGITS + 1) == CES_RUN_DIGITS &&
	       strspn(text, "0123456789") == CES_RUN_DIGITS;
}

bool ces_run_name_valid(const char *text)
{
	return plain_name(text, CES_RUN_NAME_MAX, ALNUM "._-", "._-") && !ces_run_valid(text);
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
	} refused[] = {{0, 0x1f},         {0x7f, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},
		       {0x115f, 0x1160},  {0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},
		       {0x2060, 0x206f},  {0x3164, 0x3164}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb},
		       {0xe0000, 0xe0fff}};

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
	return plain_name(text, 127, ALNUM "_-.:", "_-.:");
}
