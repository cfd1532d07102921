/* Changes grants: the images that a user may run, each a file named by the hash of its reference.
 * Must not believe that a uid is still the same person: accounts go, and their numbers are given
 * again. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/record.h"
#include "common/schema.h"
#include "helper/core/beneath.h"
#include "helper/session/lock.h"
#include "helper/store/store.h"

#define STAGED "grant"

/* Of one file. A collector reads all grants while it holds the store's lock, and removes nothing if
 * it cannot read one. The words and the environment of an image are a few KiB. */
#define GRANT_MAX (256u * 1024)

static int open_grants(const struct ces_store *store, uid_t uid, int *ret, struct ces_error *err)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "%u", uid);
	return ces_beneath_own_dir(store->grants, name, ret, err);
}

/* Locks a user's grants for a change: of two changes at once the second sees the result of the
 * first. The lock is held for five seconds at most: the caller may freeze this process by the
 * cgroup that it is in, and others come to their grants too when they clear up after their dead
 * runs. */
static int lock_grants(const struct ces_store *store, uid_t uid, int *ret,
		       struct ces_lock *ret_lock, struct ces_error *err)
{
	if (open_grants(store, uid, ret, err) < 0)
		return -1;
	return ces_lock_take(*ret, CES_LOCK_SECONDS, ret_lock) < 0
		   ? ces_error_errno(err, CES_E_HOST, "locking the grants")
		   : 0;
}

/* Encodes both frames of a grant's file. */
static int encode(const struct ces_grant *grant, struct ces_bytes *ret, struct ces_error *err)
{
	CES_CLEANUP_FREE uint8_t *first = NULL;
	CES_CLEANUP_FREE uint8_t *second = NULL;
	size_t length, more;

	if (ces_wire_encode(&ces_grant_schema, grant, &first, &length, err) < 0 ||
	    ces_wire_encode(&ces_image_record_schema, &grant->image, &second, &more, err) < 0)
		return -1;
	if (length + more > GRANT_MAX)
		return ces_error_set(err, CES_E_IMAGE, "the image's configuration is too long");
	ret->bytes = malloc(length + more);
	if (ret->bytes == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	memcpy(ret->bytes, first, length);
	memcpy(ret->bytes + length, second, more);
	ret->length = length + more;
	return 0;
}

/* The grant waits for the disk in a staging directory: a busy disk needs longer for that than
 * anybody may hold the user's lock. */
int ces_store_write_grant(const struct ces_store *store, uid_t uid, const struct ces_grant *grant,
			  int (*fits)(void *context, struct ces_error *err), void *context,
			  struct ces_error *err)
{
	CES_CLEANUP_FD int staging = -1;
	CES_CLEANUP_FD int dir = -1;
	CES_CLEANUP_LOCK struct ces_lock lock = CES_LOCK_NONE;
	char staged[CES_STEP_NAME + 1], name[CES_DIGEST_LENGTH + 1];
	struct ces_bytes both;
	int result;

	if (encode(grant, &both, err) < 0)
		return -1;
	if (ces_store_stage(store, staged, &staging, err) < 0) {
		free(both.bytes);
		return -1;
	}
	ces_grant_name(grant->reference, name);
	result = ces_store_write_document(staging, STAGED, &both, err) < 0 ||
			 lock_grants(store, uid, &dir, &lock, err) < 0 ||
			 (fits != NULL && fits(context, err) < 0)
		     ? -1
		     : 0;
	if (result == 0 && renameat(staging, STAGED, dir, name) < 0)
		result = ces_error_errno(err, CES_E_HOST, "storing the grant");
	if (result < 0)
		(void)unlinkat(staging, STAGED, 0);
	ces_store_drop(store, staged);
	free(both.bytes);
	return result;
}

int ces_store_remove_grant(const struct ces_store *store, uid_t uid, const char *reference,
			   struct ces_error *err)
{
	CES_CLEANUP_FD int dir = -1;
	CES_CLEANUP_LOCK struct ces_lock lock = CES_LOCK_NONE;
	char name[CES_DIGEST_LENGTH + 1];

	ces_grant_name(reference, name);
	if (lock_grants(store, uid, &dir, &lock, err) < 0)
		return -1;
	if (unlinkat(dir, name, 0) == 0)
		return 0;
	return errno == ENOENT
		   ? ces_error_set(err, CES_E_NOTFOUND, "you have no image %s here", reference)
		   : ces_error_errno(err, CES_E_HOST, "removing %s", reference);
}

bool ces_store_expire_grant(const struct ces_store *store, uid_t uid, const char *reference)
{
	CES_CLEANUP_FD int dir = -1;
	char name[CES_DIGEST_LENGTH + 1];

	ces_grant_name(reference, name);
	return open_grants(store, uid, &dir, NULL) == 0 && flock(dir, LOCK_EX | LOCK_NB) == 0 &&
	       unlinkat(dir, name, 0) == 0;
}

struct listing {
	void (*each)(const struct ces_grant *, void *);
	void *context;
	bool failed;
};

static void show_grant(int dir, const char *name, void *context)
{
	struct listing *listing = context;
	CES_CLEANUP_FD int fd = -1;
	struct ces_grant grant;
	struct ces_error err;

	/* 64 hex digits; an older CES left other names */
	if (strlen(name) != 64)
		return;
	fd = ces_store_open_file(dir, name);
	if (ces_grant_load(fd, &grant, &err) < 0) {
		listing->failed |= err.code == CES_E_HOST;
		return;
	}
	listing->each(&grant, listing->context);
	ces_grant_free(&grant);
}

int ces_store_each_grant(const struct ces_store *store, uid_t uid,
			 void (*each)(const struct ces_grant *, void *), void *context)
{
	struct listing listing = {each, context, false};
	CES_CLEANUP_FD int dir = -1;

	if (open_grants(store, uid, &dir, NULL) < 0 ||
	    ces_beneath_each(dir, show_grant, &listing) < 0)
		return -1;
	return listing.failed ? -1 : 0;
}
