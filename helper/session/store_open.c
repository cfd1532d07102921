/* What root itself does in the image store: it opens the store, and for a run its layers, and ends
 * a grant. Must not believe that anything is what its name says, or stays there.
 *
 * Who controls what: ces-store controls all of it but /var/lib/ces itself, runs/, and what is below
 * root/ in a layer, at any moment. Root follows no link, waits for no file, and works on what it
 * has opened. ces-store cannot move a directory of root's to another parent (rename(2) asks for
 * write permission on it), nor enter one, nor make the seal in one. So where there is the seal, the
 * file diff_id says which bytes the content beside both was made of, wherever ces-store has put
 * them. A ces-clean that empties such a directory opens it to others first: it counts no more. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/paths.h"
#include "common/store.h"
#include "helper/core/beneath.h"
#include "helper/core/spawn.h"
#include "helper/session/store.h"

/* Makes a directory of ces-store's. It has its owner when it gets its name: two first requests at
 * once find it made or not made. */
static int make_theirs(const struct ces_store *store, int parent, const char *name)
{
	char making[32];
	int result;

	(void)snprintf(making, sizeof(making), "%s.%d", name, (int)getpid());
	if (mkdirat(parent, making, 0700) < 0 ||
	    fchownat(parent, making, store->uid, store->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	result = renameat2(parent, making, parent, name, RENAME_NOREPLACE);
	if (result < 0 && errno == EEXIST)
		result = unlinkat(parent, making, AT_REMOVEDIR);
	return result;
}

static int open_theirs(const struct ces_store *store, int parent, const char *name, int *ret,
		       struct ces_error *err)
{
	CES_CLEANUP_FD int fd = ces_beneath_open(parent, name, O_RDONLY | O_DIRECTORY, 0);
	struct stat st;

	if (fd < 0 && errno == ENOENT) {
		if (make_theirs(store, parent, name) < 0)
			return ces_error_errno(err, CES_E_HOST, "making %s of the store", name);
		fd = ces_beneath_open(parent, name, O_RDONLY | O_DIRECTORY, 0);
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return ces_error_errno(err, CES_E_HOST, "opening %s of the store", name);
	if (st.st_uid != store->uid || (st.st_mode & 077) != 0)
		return ces_error_set(
		    err, CES_E_HOST,
		    "%s in " CES_STORE_DIR " must belong to " CES_STORE_USER
		    " and be closed to others (mode 0700); after an upgrade of CES "
		    "root types " CES_UPGRADE_PATH,
		    name);
	*ret = ces_steal_fd(&fd);
	return 0;
}

static int open_sha256(const struct ces_store *store, const char *upper, int *ret,
		       struct ces_error *err)
{
	CES_CLEANUP_FD int parent = -1;

	return ces_beneath_own_dir(store->dir, upper, &parent, err) < 0
		   ? -1
		   : open_theirs(store, parent, "sha256", ret, err);
}

int ces_store_open(struct ces_store *ret, struct ces_error *err)
{
	if (ces_worker_ids(CES_STORE_USER, &ret->uid, &ret->gid, err) < 0 ||
	    ces_beneath_own_dir(CES_AT_ROOT, CES_STORE_DIR, &ret->dir, err) < 0 ||
	    ces_beneath_own_dir(ret->dir, "runs", &ret->runs, err) < 0 ||
	    open_sha256(ret, "layers", &ret->layers, err) < 0 ||
	    open_sha256(ret, "images", &ret->images, err) < 0 ||
	    open_theirs(ret, ret->dir, "grants", &ret->grants, err) < 0 ||
	    open_theirs(ret, ret->dir, "staging", &ret->staging, err) < 0 ||
	    open_theirs(ret, ret->dir, "trash", &ret->trash, err) < 0 ||
	    open_theirs(ret, ret->dir, "locks", &ret->locks, err) < 0)
		return -1;
	return 0;
}

/* Is this directory root's, sealed, and made for this diff_id? */
static bool is_content_of(int fd, const char *diff_id)
{
	char made[CES_DIGEST_LENGTH + 2];
	struct stat st, seal;

	return fstat(fd, &st) == 0 && st.st_uid == 0 && (st.st_mode & 077) == 0 &&
	       fstatat(fd, CES_STORE_SEAL, &seal, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISCHR(seal.st_mode) && seal.st_rdev == CES_STORE_SEAL_NUMBER &&
	       ces_read_text(fd, "diff_id", made, sizeof(made)) == CES_DIGEST_LENGTH &&
	       strcmp(made, diff_id) == 0;
}

int ces_store_open_layer(const struct ces_store *store, const char *diff_id, int *ret,
			 struct ces_error *err)
{
	CES_CLEANUP_FD int own = -1;
	char path[80];
	int fd = -1;

	(void)snprintf(path, sizeof(path), "%s/root", ces_store_hex(diff_id));
	own = ces_beneath_open(store->layers, path, O_RDONLY | O_DIRECTORY, 0);
	if (own < 0 && errno != ENOENT)
		return ces_error_errno(err, CES_E_HOST, "layer %.19s", diff_id);
	if (own >= 0 && is_content_of(own, diff_id) && !ces_store_is_torn(store, diff_id))
		fd = ces_beneath_open(own, "fs", O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return ces_error_set(err, CES_E_NOTFOUND,
				     "layer %.19s is not in the store: pull the image again",
				     diff_id);
	*ret = fd;
	return 0;
}

int ces_store_read(int dir, const char *path, size_t max, char **ret, size_t *ret_length)
{
	CES_CLEANUP_FD int fd = ces_store_open_file(dir, path);

	return fd < 0 ? -1 : ces_read_file(fd, max, ret, ret_length);
}

void ces_store_change_grant(const struct ces_store *store, uid_t uid, const char *reference,
			    const char *digest, bool ends)
{
	CES_CLEANUP_FD int dir = -1;
	CES_CLEANUP_FD int fd = -1;
	char name[CES_DIGEST_LENGTH + 1], user[16];
	struct ces_error ignored;
	struct ces_grant grant;

	ces_grant_name(reference, name);
	(void)snprintf(user, sizeof(user), "%u", uid);
	dir = ces_beneath_open(store->grants, user, O_RDONLY | O_DIRECTORY, 0);
	fd = dir < 0 ? -1 : ces_store_open_file(dir, name);
	if (fd < 0 || ces_grant_load(fd, &grant, &ignored) < 0)
		return;
	if (grant.digest != NULL && strcmp(grant.digest, digest) == 0)
		(void)(ends ? unlinkat(dir, name, 0) : futimens(fd, NULL));
	ces_grant_free(&grant);
}
