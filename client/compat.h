/* Today's commands and the older names: ces-pull, ces-run, ces-pm-pull, and so on. They are other
 * command lines for the same requests. */
#ifndef CES_CLIENT_COMPAT_H
#define CES_CLIENT_COMPAT_H

#include <stdbool.h>

/* Call it before anything else. If the command takes a token as a word, this returns a copy of argv
 * and blanks the process's own, so that the token leaves /proc/PID/cmdline. Otherwise it returns
 * argv. */
char **ces_compat_hide(int argc, char **argv);

/* Returns whether a program of this name is such a command. */
bool ces_compat_is(const char *argv0);

/* Returns the exit status. */
int ces_compat_main(int argc, char **argv);

#endif
