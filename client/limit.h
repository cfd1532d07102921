/* The words for a limit that a run reached. */
#ifndef CES_CLIENT_LIMIT_H
#define CES_CLIENT_LIMIT_H

#include <stddef.h>

#include "common/event.h"
#include "common/request.h"

/* A line for the user, or "" where no limit was reached. */
void ces_limit_text(const struct ces_event_exited *exited, char *buffer, size_t size);

#endif
