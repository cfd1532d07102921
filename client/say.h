/* The client's own lines. They go to stderr, begin with "ces: ", and are one line of UTF-8,
 * whatever a registry, an image or a path contains. CES must never send a control character to a
 * terminal. */
#ifndef CES_CLIENT_SAY_H
#define CES_CLIENT_SAY_H

#include <stdbool.h>

#include "common/error.h"
#include "common/event.h"
#include "common/request.h"

/* After this only errors are printed (-q). */
void ces_say_only_errors(bool quiet);

/* Prints one line of news. Each line is one write(2), so that the lines of several processes do not
 * mix. */
void ces_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Prints one line that -q does not silence. */
void ces_say_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Flushes stdout. Returns the exit status that is given, or CES_EXIT_REFUSED if stdout did not take
 * everything. It says why, unless nobody reads stdout. */
int ces_say_flushed(int status);

/* Makes text printable ASCII, unless it is one line of UTF-8 that people can read. */
void ces_say_clean(char *text);

/* Prints what failed here or what the helper answered. For a denial it adds the rule and whom to
 * ask. */
void ces_say_failure(const struct ces_error *err);
void ces_say_refusal(const struct ces_event_error *event);

#endif
