/* The signals that a user sends to the client and that mean the run or the pull. */
#ifndef CES_CLIENT_SIGNALS_H
#define CES_CLIENT_SIGNALS_H

#include <signal.h>
#include <stddef.h>

/* Blocks these and gives an fd that reads them (non-blocking), -1 with errno. One that was ignored
 * when the client started (nohup, a background job of a script) stays ignored: a blocked signal
 * would be delivered in spite of SIG_IGN. */
int ces_signals_take(const int *signals, size_t n);

/* The next, 0: none. */
int ces_signals_next(int fd);

#endif
