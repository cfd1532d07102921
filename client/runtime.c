/* Words what a runtime wrote before it gave up. It must not believe the text: image and caller
 * chose words in it, and the kernel's messages come from the C library. */
#include "client/runtime.h"

#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/paths.h"

static const struct {
	const char *phrase;
	int status;
	const char *reason;
} known[] = {
    /* the place of a mount, which cannot be made in what is read-only: no fault of the command's */
    {"error mounting", CES_EXIT_REFUSED, CES_EXITED_RUNTIME},
    {"`/m/", CES_EXIT_REFUSED, CES_EXITED_RUNTIME},
    {"not found", CES_EXIT_NOTFOUND, "not found"},
    {"o such file", CES_EXIT_NOTFOUND, "not found"},
    {"ermission denied", CES_EXIT_NOEXEC, "not executable"},
    {"xec format error", CES_EXIT_NOEXEC, "not executable"},
    {"s a directory", CES_EXIT_NOEXEC, "not executable"},
    {"open executable", CES_EXIT_NOEXEC, "not executable"}, /* crun, of a directory */
};

/* Copies the string at `from` up to its closing quote, or up to where it was cut off. `to` may be
 * before it in the same text. */
static void take_string(char *to, const char *from)
{
	for (; *from != '\0' && *from != '"'; from++) {
		if (*from == '\\' && (from[1] == '"' || from[1] == '\\'))
			from++;
		*to++ = *from;
	}
	*to = '\0';
}

/* The log has one JSON object on a line. The first one counts, and it may be cut off. */
static void find_message(char *text)
{
	char *log = strstr(text, ": {"), *message = log == NULL ? NULL : strstr(log, "\"msg\":");

	if (message == NULL)
		return;
	message += strlen("\"msg\":");
	message += strspn(message, " ");
	take_string(log + strlen(": "), *message == '"' ? message + 1 : message);
}

void ces_runtime_word(struct ces_kept *kept)
{
	find_message(kept->text);
	for (size_t i = 0; i < CES_COUNT(known); i++)
		if (strstr(kept->text, known[i].phrase) != NULL) {
			kept->status = known[i].status;
			(void)snprintf(kept->reason, sizeof(kept->reason), "%s", known[i].reason);
			return;
		}
}
