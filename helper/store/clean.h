/* Removes what nobody needs any more from the store. */
#ifndef CES_HELPER_STORE_CLEAN_H
#define CES_HELPER_STORE_CLEAN_H

#include "helper/session/session.h"

/* Removes name below dirfd: a file, or a directory with all that is in it. This process must be
 * able to start a program, in the mount namespace in which it opened dirfd. Returns 0, or -1 if
 * something stayed; a later call goes on. */
int ces_clean_tree(const struct ces_session *session, int dirfd, const char *name);

#endif
