/* The signals that a user sends to the client, meant for the run or the pull. */
#ifndef CES_CLIENT_SIGNALS_H
#define CES_CLIENT_SIGNALS_H

#include <signal.h>
#include <stddef.h>

/* Blocks these and returns an fd that reads them (non-blocking), -1 with errno. A signal that was
 * ignored when the client started (nohup, a background job of a script) stays ignored: if it were
 * blocked, it would arrive in spite of SIG_IGN. */
int ces_signals_take(const int *signals, size_t n);

/* The next signal; 0: none. */
int ces_signals_next(int fd);

#endif
