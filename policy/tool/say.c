/* The output of ces-policy: errors, colours, text of JSON and CSV. It must never send a control
 * character to a terminal that it did not choose itself. */
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "policy/tool/tool.h"
#include "policy/valid.h"

int ces_tool_fail(const struct ces_error *err)
{
	fflush(stdout);
	fprintf(stderr, "ces-policy: %s\n", err->text);
	return CES_TOOL_ERROR;
}

int ces_tool_usage(const char *command)
{
	fprintf(stderr, "ces-policy: try: ces-policy %s --help, or man ces-policy\n", command);
	return CES_TOOL_ERROR;
}

int ces_tool_no_command(const char *program, const char *word, const char *nearest)
{
	char shown[64];

	snprintf(shown, sizeof(shown), "%s", word);
	ces_text_clean(shown);
	fprintf(stderr, "ces-policy: there is no command '%s': ", shown);
	if (nearest != NULL)
		fprintf(stderr, "did you mean '%s %s'?\n", program, nearest);
	else
		fprintf(stderr, "'%s --help' lists them\n", program);
	return CES_TOOL_ERROR;
}

int ces_tool_finish(FILE *out, int status)
{
	if (fflush(out) == 0 && !ferror(out))
		return status;
	perror("ces-policy: writing");
	return CES_TOOL_ERROR;
}

int ces_tool_format(const char *word, bool *ret_json)
{
	bool json = strcmp(word, "json") == 0;

	if (!json && strcmp(word, "table") != 0 && strcmp(word, "text") != 0) {
		fprintf(stderr, "ces-policy: --format: write json or text\n");
		return -1;
	}
	*ret_json = json;
	return 0;
}

const char *ces_colour(FILE *out, enum ces_colour colour)
{
	static const char *const codes[] = {
	    [CES_PLAIN] = "\033[0m",   [CES_BOLD] = "\033[1m",   [CES_RED] = "\033[1;31m",
	    [CES_YELLOW] = "\033[33m", [CES_GREEN] = "\033[32m",
	};
	const char *off = getenv("NO_COLOR"), *term = getenv("TERM");

	if ((off != NULL && *off != '\0') || (term != NULL && strcmp(term, "dumb") == 0) ||
	    !isatty(fileno(out)))
		return "";
	return codes[colour];
}

const char *ces_tool_day(time_t expires, char buffer[16])
{
	time_t day = expires - 1;
	struct tm tm;

	if (gmtime_r(&day, &tm) == NULL || strftime(buffer, 16, "%Y-%m-%d", &tm) == 0)
		return "?";
	return buffer;
}

static void json_byte(FILE *out, unsigned char c, bool utf8)
{
	if (c == '"' || c == '\\')
		fprintf(out, "\\%c", c);
	else if (c < 0x20 || c == 0x7f)
		fprintf(out, "\\u%04x", c);
	else
		fputc(c < 0x80 || utf8 ? c : '?', out);
}

void ces_tool_json(FILE *out, const char *text)
{
	bool utf8 = ces_valid_prose(text);

	fputc('"', out);
	for (; *text != '\0'; text++)
		json_byte(out, (unsigned char)*text, utf8);
	fputc('"', out);
}

void ces_tool_csv(FILE *out, const char *text)
{
	bool quote = text[strcspn(text, "\",\n\r")] != '\0';

	if (quote)
		fputc('"', out);
	/* (a spreadsheet takes a cell with a quote before these for text) */
	if (*text != '\0' && strchr("=+-@\t\r", *text) != NULL)
		fputc('\'', out);
	for (; *text != '\0'; text++) {
		if (*text == '"')
			fputc('"', out);
		fputc(*text, out);
	}
	if (quote)
		fputc('"', out);
}
