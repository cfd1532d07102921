/* Accounts of workers. Two requests at once get workers of different accounts, as far as the site
 * has them. A worker then has no right to do to the other what it could do within its own account
 * (kill(2), ptrace(2)). Beside NAME there may be NAME-2 to NAME-4 (systemd/sysusers.conf). */
#ifndef CES_HELPER_SESSION_ACCOUNT_H
#define CES_HELPER_SESSION_ACCOUNT_H

#include <sys/types.h>

#include "common/error.h"

enum ces_account { CES_ACCOUNT_FETCH, CES_ACCOUNT_RESOLVE, CES_ACCOUNT_UNPACK, CES_ACCOUNT_KINDS };

/* Takes the account for this request's workers of one kind, the same each time: the first that no
 * other request holds. A lock in runs (an fd of /run/ces) holds it until this process ends. If all
 * are held, or the others do not exist, other requests have the account too. */
int ces_account_take(int runs, enum ces_account kind, uid_t *ret_uid, gid_t *ret_gid,
		     struct ces_error *err);

#endif
