/* Reads the image store, for root and for ces-store. Must not follow anything in it, nor wait for
 * it. */
#include "helper/session/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/io.h"
#include "common/worker_order.h"
#include "helper/core/beneath.h"

const char *ces_store_hex(const char *digest)
{
	return ces_digest_valid(digest) ? digest + strlen("sha256:") : "invalid";
}

int ces_store_open_file(int dir, const char *path)
{
	CES_CLEANUP_FD int fd = ces_beneath_open(dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (S_ISREG(st.st_mode))
		return ces_steal_fd(&fd);
	errno = EINVAL;
	return -1;
}

int ces_store_lock(const struct ces_store *store, struct ces_lock *ret, struct ces_error *err)
{
	return ces_lock_take(store->locks, CES_LOCK_SECONDS, ret) < 0
		   ? ces_error_errno(err, CES_E_HOST, "locking the store")
		   : 0;
}

int ces_store_await_collector(const struct ces_store *store, struct ces_error *err)
{
	CES_CLEANUP_LOCK struct ces_lock lock = CES_LOCK_NONE;

	return ces_store_lock(store, &lock, err);
}

bool ces_store_is_torn(const struct ces_store *store, const char *diff_id)
{
	CES_CLEANUP_FREE char *made = NULL;
	CES_CLEANUP_FD int fd = -1;
	char path[80], boot[CES_BOOT_LENGTH + 1];
	struct ces_error ignored;
	size_t length;

	(void)snprintf(path, sizeof(path), "%s/unsettled", ces_store_hex(diff_id));
	fd = ces_store_open_file(store->layers, path);
	if (fd < 0)
		return errno != ENOENT;
	return ces_read_file(fd, CES_BOOT_LENGTH, &made, &length) < 0 ||
	       ces_object_boot(boot, &ignored) < 0 || strcmp(made, boot) != 0;
}

/* Reads a document of an image if it has this digest: malloc'd. */
static char *read_document(const struct ces_store *store, const char *image, const char *name,
			   const char *digest, size_t *ret_length)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	CES_CLEANUP_FD int fd = -1;
	char path[80], its[CES_DIGEST_LENGTH + 1];

	(void)snprintf(path, sizeof(path), "%s/%s", ces_store_hex(image), name);
	fd = ces_store_open_file(store->images, path);
	if (fd < 0 || ces_read_file(fd, CES_MANIFEST_MAX, &bytes, ret_length) < 0)
		return NULL;
	ces_digest_of(bytes, *ret_length, its);
	return strcmp(its, digest) == 0 ? ces_steal_pointer(&bytes) : NULL;
}

static bool names(const char *document, size_t length, const char *digest)
{
	return document != NULL && digest != NULL && ces_digest_valid(digest) &&
	       memmem(document, length, digest, CES_DIGEST_LENGTH) != NULL;
}

bool ces_store_proves(const struct ces_store *store, const struct ces_image_record *record)
{
	CES_CLEANUP_FREE char *manifest = NULL;
	CES_CLEANUP_FREE char *config = NULL;
	size_t length = 0;
	bool proven;

	if (record->digest == NULL)
		return false;
	manifest = read_document(store, record->digest, "manifest", record->digest, &length);
	proven = names(manifest, length, record->config_digest);
	if (proven)
		config =
		    read_document(store, record->digest, "config", record->config_digest, &length);
	for (size_t i = 0; proven && i < record->diff_ids.n; i++)
		proven = names(config, length, record->diff_ids.v[i]);
	return proven && config != NULL;
}

void ces_grant_name(const char *reference, char name[CES_DIGEST_LENGTH + 1])
{
	char digest[CES_DIGEST_LENGTH + 1];

	ces_digest_of(reference, strlen(reference), digest);
	memcpy(name, ces_store_hex(digest), 65);
}

void ces_store_signed_name(const struct ces_reference *image, char ret[CES_DIGEST_LENGTH + 1])
{
	char repository[CES_REFERENCE_MAX];

	(void)snprintf(repository, sizeof(repository), "%s/%s", image->registry, image->repository);
	ces_digest_of(repository, strlen(repository), ret);
}

bool ces_grant_is_of(const struct ces_grant *grant, const char *user)
{
	return grant->user != NULL && strcmp(grant->user, user) == 0;
}

/* The file's time says when the grant was last used: no part of a grant is written anew for
 * that. A time that is still to come is of a clock that was ahead: the grant counts as used now, or
 * its image would be kept until then. A file older than its pull was used after that. */
int ces_grant_load(int fd, struct ces_grant *ret, struct ces_error *err)
{
	struct stat st;

	if (ces_grant_take(fd, ret, err) < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return 0;
	if (st.st_mtime > time(NULL))
		(void)futimens(fd, NULL);
	ret->used = st.st_mtime > (time_t)ret->pulled + 1 ? (uint64_t)st.st_mtime : 0;
	ret->pulled = st.st_mtime < (time_t)ret->pulled ? (uint64_t)st.st_mtime : ret->pulled;
	return 0;
}

int ces_store_read_grant(const struct ces_store *store, uid_t uid, const char *user,
			 const char *reference, struct ces_grant *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int fd = -1;
	char name[CES_DIGEST_LENGTH + 1], path[96];

	ces_grant_name(reference, name);
	(void)snprintf(path, sizeof(path), "%u/%s", uid, name);
	fd = ces_store_open_file(store->grants, path);
	if (ces_grant_load(fd, ret, err) == 0) {
		if (ces_grant_is_of(ret, user) && strcmp(ret->reference, reference) == 0 &&
		    ces_digest_valid(ret->digest) && ces_digest_valid(ret->top_digest))
			return 0;
		ces_grant_free(ret);
	} else if (err->code == CES_E_HOST) {
		return -1;
	}
	return ces_error_set(err, CES_E_NOTFOUND,
			     "you have no image %s here; type: ces-client pull %s", reference,
			     reference);
}
