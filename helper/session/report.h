/* The helper's reports to the client, on fd 4. */
#ifndef CES_HELPER_SESSION_REPORT_H
#define CES_HELPER_SESSION_REPORT_H

#include <stdbool.h>

#include "common/wire.h"

/* Sends one event. An event that matters waits up to ten seconds for a client that is slow to read;
 * others are dropped when the pipe is full. A client that is gone is no error: the work itself
 * decides how to go on. */
void ces_report_send(const struct ces_wire_schema *schema, const void *event, bool matters);

void ces_report_error(const struct ces_error *err, const char *contact, uint64_t ticket,
		      uint64_t position);

/* Reports that the request was done, for a verb that has no more to say. Returns 0. */
int ces_report_done(void);

/* Sends one line of an explanation, which ces-parse worded. A text that is more than one line
 * is not sent. */
void ces_report_text(const char *text);

#endif
