/* The manifest's text: JSON without blanks, as json-c and jq -c write it, so that anybody can make
 * its digest again from a file with another layout. It must never grow past its bound. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helper/list/list.h"

void ces_list_add(struct ces_list_text *text, const char *bytes, size_t length)
{
	if (text->full || length > CES_LIST_TEXT - text->length) {
		text->full = true;
		return;
	}
	if (text->length + length > text->size) {
		size_t size = text->size == 0 ? 65536 : text->size * 2;
		char *bigger;

		while (size < text->length + length)
			size *= 2;
		bigger = realloc(text->bytes, size);
		if (bigger == NULL) {
			text->full = true;
			return;
		}
		text->bytes = bigger;
		text->size = size;
	}
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
}

void ces_list_print(struct ces_list_text *text, const char *format, ...)
{
	char buffer[256];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(buffer, sizeof(buffer), format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= sizeof(buffer))
		text->full = true;
	else
		ces_list_add(text, buffer, (size_t)length);
}

static bool is_plain(const char *value, size_t length)
{
	for (size_t i = 0; i < length;) {
		uint32_t c;
		size_t n = ces_utf8_next(value + i, length - i, &c);

		if (n == 0 || c == 0x7f)
			return false;
		i += n;
	}
	return true;
}

static void add_character(struct ces_list_text *text, const char *at)
{
	static const char *const escapes[256] = {
	    ['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f",
	    ['\r'] = "\\r", ['"'] = "\\\"", ['\\'] = "\\\\"};
	unsigned char c = (unsigned char)*at;

	if (escapes[c] != NULL)
		ces_list_add(text, escapes[c], 2);
	else if (c < ' ')
		ces_list_print(text, "\\u%04x", c);
	else
		ces_list_add(text, at, 1);
}

void ces_list_name(struct ces_list_text *text, const char *key, const char *value, size_t length)
{
	bool plain = is_plain(value, length);

	ces_list_print(text, plain ? "\"%s\":\"" : "\"%s_hex\":\"", key);
	for (size_t i = 0; i < length; i++)
		if (plain)
			add_character(text, value + i);
		else
			ces_list_print(text, "%02x", (unsigned char)value[i]);
	ces_list_add(text, "\"", 1);
}
