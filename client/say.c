/* Prints the client's own lines. It must not print anything but a line that people can read. */
#include "client/say.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "common/event.h"
#include "common/io.h"
#include "common/name.h"
#include "common/paths.h"

#define LINE 2048

static bool only_errors;

void ces_say_only_errors(bool quiet)
{
	only_errors = quiet;
}

void ces_say_clean(char *text)
{
	if (!ces_line_valid(text, strlen(text)))
		ces_text_clean(text);
}

int ces_say_flushed(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (errno != EPIPE)
		ces_say_error("cannot write stdout: %s", strerror(errno));
	return CES_EXIT_REFUSED;
}

/* While the container has the terminal, a line feed alone does not go back to the start of the
 * line. */
static const char *line_end(void)
{
	struct termios modes;

	return tcgetattr(STDERR_FILENO, &modes) == 0 && (modes.c_oflag & OPOST) == 0 ? "\r\n"
										     : "\n";
}

__attribute__((format(printf, 1, 0))) static void print(const char *format, va_list args)
{
	static const char prefix[] = "ces: ";
	char line[LINE];
	size_t length = sizeof(prefix) - 1;

	memcpy(line, prefix, sizeof(prefix));
	vsnprintf(line + length, sizeof(line) - length - 2, format, args);
	ces_say_clean(line);
	length = strlen(line);
	length = (size_t)(stpcpy(line + length, line_end()) - line);
	/* (a stderr without a reader is no reason to fail) */
	if (ces_write_full(STDERR_FILENO, line, length, -1) < 0)
		return;
}

void ces_say(const char *format, ...)
{
	va_list args;

	if (only_errors)
		return;
	va_start(args, format);
	print(format, args);
	va_end(args);
}

void ces_say_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print(format, args);
	va_end(args);
}

void ces_say_failure(const struct ces_error *err)
{
	ces_say_error("%s", err->text);
}

void ces_say_refusal(const struct ces_event_error *event)
{
	const char *text = event->text != NULL ? event->text : "refused";
	const char *denied = event->code == CES_E_DENIED ? "denied: " : "";

	if (event->rule != NULL && *event->rule != '\0')
		ces_say_error("%s%s (rule %s)", denied, text, event->rule);
	else
		ces_say_error("%s%s", denied, text);
	/* (what is wrong with the machine or its policy is not for those who approve images) */
	if (event->code == CES_E_POLICY)
		ces_say_error("ask the administrator of this machine to type ces-client doctor");
	else if (event->contact != NULL && *event->contact != '\0')
		ces_say_error("ask %s", event->contact);
}
