/* Chooses the account of a worker. Must not wait for another request, nor refuse because of one.
 *
 * Who controls what: the names are constants, the accounts are the user database's, and the locks
 * are root's own. All callers together decide how many accounts are held. A caller who holds them
 * all makes others share an account, as they would without this. */
#include "helper/session/account.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>

#include "common/cleanup.h"
#include "common/store.h"
#include "helper/core/beneath.h"
#include "helper/core/spawn.h"

/* Locks the account for this process until it ends. */
static bool take(int runs, const char *account)
{
	char name[64];
	int fd;

	(void)snprintf(name, sizeof(name), ".account-%s", account);
	fd = ces_beneath_open(runs, name, O_RDWR | O_CREAT, 0600);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	ces_cleanup_close(&fd);
	return false;
}

static int choose(int runs, const char *name, uid_t *ret_uid, gid_t *ret_gid, struct ces_error *err)
{
	struct ces_error ignored;
	char account[48];
	uid_t uid;
	gid_t gid;

	if (ces_worker_ids(name, ret_uid, ret_gid, err) < 0)
		return -1;
	(void)snprintf(account, sizeof(account), "%s", name);
	for (int i = 2; !take(runs, account) && i <= CES_ACCOUNTS; i++) {
		(void)snprintf(account, sizeof(account), "%s-%d", name, i);
		if (ces_worker_ids(account, &uid, &gid, &ignored) < 0)
			return 0;
		*ret_uid = uid;
		*ret_gid = gid;
	}
	return 0;
}

int ces_account_take(int runs, enum ces_account kind, uid_t *ret_uid, gid_t *ret_gid,
		     struct ces_error *err)
{
	static const char *const names[] = {CES_FETCH_USER, CES_RESOLVE_USER, CES_UNPACK_USER};
	static struct {
		uid_t uid; /* 0: not chosen yet */
		gid_t gid;
	} held[CES_ACCOUNT_KINDS];

	if (held[kind].uid == 0 &&
	    choose(runs, names[kind], &held[kind].uid, &held[kind].gid, err) < 0)
		return -1;
	*ret_uid = held[kind].uid;
	*ret_gid = held[kind].gid;
	return 0;
}
