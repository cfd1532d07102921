/* The image store. Must not read or follow anything inside a layer. */
#include "helper/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/image.h"
#include "common/io.h"
#include "common/num.h"
#include "common/paths.h"
#include "helper/core/beneath.h"
#include "helper/session/frames.h"
#include "helper/session/object.h"
#include "helper/store/store_internal.h"

/* The hex part of a digest that was checked: a safe file name. */
const char *ces_store_hex(const char *digest)
{
	return ces_digest_valid(digest) ? digest + strlen("sha256:") : "invalid";
}

static int open_own(int dir, const char *upper, const char *name, int *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int parent = -1;

	if (ces_beneath_own_dir(dir, upper, &parent, err) < 0)
		return -1;
	return ces_beneath_own_dir(parent, name, ret, err);
}

int ces_store_open(struct ces_store *ret, struct ces_error *err)
{
	if (ces_beneath_own_dir(CES_AT_ROOT, CES_STORE_DIR, &ret->dir, err) < 0 ||
	    open_own(ret->dir, "layers", "sha256", &ret->layers, err) < 0 ||
	    open_own(ret->dir, "images", "sha256", &ret->images, err) < 0 ||
	    ces_beneath_own_dir(ret->dir, "grants", &ret->grants, err) < 0 ||
	    ces_beneath_own_dir(ret->dir, "staging", &ret->staging, err) < 0 ||
	    ces_beneath_own_dir(ret->dir, "runs", &ret->runs, err) < 0)
		return -1;
	ret->lock = ces_beneath_open(ret->dir, "lock", O_RDWR | O_CREAT, 0600);
	return ret->lock < 0 ? ces_error_errno(err, CES_E_HOST, "the store's lock") : 0;
}

int ces_store_lock(const struct ces_store *store, struct ces_lock *ret, struct ces_error *err)
{
	return ces_lock_take(store->lock, CES_LOCK_SECONDS, ret) < 0
		   ? ces_error_errno(err, CES_E_HOST, "locking the store")
		   : 0;
}

int ces_store_await_collector(const struct ces_store *store, struct ces_error *err)
{
	CES_CLEANUP_LOCK struct ces_lock lock = CES_LOCK_NONE;

	return ces_store_lock(store, &lock, err);
}

/* Opens a file or directory of a layer's or image's own, by its name there. */
static int open_part(int dir, const char *digest, const char *name, int flags)
{
	char path[160];

	(void)snprintf(path, sizeof(path), "%s/%s", ces_store_hex(digest), name);
	return ces_beneath_open(dir, path, O_RDONLY | flags, 0);
}

/* Says whether the layer was made in an earlier boot that ended before the layer was settled. */
static bool may_be_torn(const struct ces_store *store, const char *diff_id)
{
	CES_CLEANUP_FREE char *made = NULL;
	CES_CLEANUP_FD int fd = open_part(store->layers, diff_id, "unsettled", 0);
	char boot[CES_BOOT_LENGTH + 1];
	struct ces_error ignored;
	size_t length;

	if (fd < 0)
		return errno != ENOENT;
	return ces_read_file(fd, CES_BOOT_LENGTH, &made, &length) < 0 ||
	       ces_object_boot(boot, &ignored) < 0 || strcmp(made, boot) != 0;
}

int ces_store_open_layer(const struct ces_store *store, const char *diff_id, int *ret,
			 struct ces_error *err)
{
	int fd = open_part(store->layers, diff_id, "fs", O_DIRECTORY);

	if (fd < 0 && errno != ENOENT)
		return ces_error_errno(err, CES_E_HOST, "layer %.19s", diff_id);
	if (fd >= 0 && !may_be_torn(store, diff_id)) {
		*ret = fd;
		return 0;
	}
	ces_cleanup_close(&fd);
	return ces_error_set(err, CES_E_NOTFOUND,
			     "layer %.19s is not in the store: pull the image again", diff_id);
}

/* Makes and locks a staging directory under the store's lock. The collector takes directories that
 * nobody has locked, and there is no moment at which it could see this one so. */
static int make_staging(const struct ces_store *store, const char *name, int *ret,
			struct ces_error *err)
{
	CES_CLEANUP_LOCK struct ces_lock lock = CES_LOCK_NONE;
	CES_CLEANUP_FD int dir = -1;

	if (ces_store_lock(store, &lock, err) < 0)
		return -1;
	if (mkdirat(store->staging, name, 0700) == 0)
		dir = ces_beneath_open(store->staging, name, O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0 || flock(dir, LOCK_EX | LOCK_NB) < 0)
		return ces_error_errno(err, CES_E_HOST, "making a staging directory");
	*ret = ces_steal_fd(&dir);
	return 0;
}

int ces_store_stage(const struct ces_store *store, char *name, int *ret, int *ret_fs,
		    struct ces_error *err)
{
	CES_CLEANUP_FD int dir = -1;
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return ces_error_errno(err, CES_E_HOST, "random numbers");
	(void)snprintf(name, 32, "%016llx", (unsigned long long)random);
	if (make_staging(store, name, &dir, err) < 0)
		return -1;
	if (ret_fs != NULL) {
		if (mkdirat(dir, "fs", 0755) == 0)
			*ret_fs = ces_beneath_open(dir, "fs", O_RDONLY | O_DIRECTORY, 0);
		/* the umask is 077; a layer's root is open to all ids of the container */
		if (*ret_fs < 0 || fchmod(*ret_fs, 0755) < 0)
			return ces_error_errno(err, CES_E_HOST, "staging directory");
	}
	*ret = ces_steal_fd(&dir);
	return 0;
}

/* The same layer may be discarded twice before the first one is removed: hence the number. */
bool ces_store_discard(const struct ces_store *store, int parent, const char *name)
{
	char trash[NAME_MAX + 1];
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return false;
	(void)snprintf(trash, sizeof(trash), CES_STORE_TRASH "/%016llx-%.200s",
		       (unsigned long long)number, name);
	return renameat(parent, name, store->dir, trash) == 0 ||
	       (mkdirat(store->dir, CES_STORE_TRASH, 0700) == 0 &&
		renameat(parent, name, store->dir, trash) == 0);
}

/* Puts a staged thing in its place. spoilt says whether the thing in the place already may make
 * room. It is asked under the lock: of two pulls that find it spoilt, the second must not take away
 * the one that the first has put there. */
static int commit(const struct ces_store *store, const char *name, int parent, const char *digest,
		  bool (*spoilt)(const struct ces_store *, const char *), struct ces_error *err)
{
	CES_CLEANUP_LOCK struct ces_lock lock = CES_LOCK_NONE;
	const char *place = ces_store_hex(digest);

	if (ces_store_lock(store, &lock, err) < 0)
		return -1;
	if (spoilt(store, digest))
		(void)ces_store_discard(store, parent, place);
	return renameat2(store->staging, name, parent, place, RENAME_NOREPLACE) == 0 ||
		       errno == EEXIST
		   ? 0
		   : ces_error_errno(err, CES_E_HOST, "storing %.19s", digest);
}

int ces_store_commit_layer(const struct ces_store *store, const char *name, const char *diff_id,
			   struct ces_error *err)
{
	return commit(store, name, store->layers, diff_id, may_be_torn, err);
}

static int write_file(int dir, const char *name, const void *bytes, size_t length,
		      struct ces_error *err)
{
	CES_CLEANUP_FD int fd = ces_beneath_open(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || ces_write_full(fd, bytes, length, -1) < 0)
		return ces_error_errno(err, CES_E_HOST, "writing %s", name);
	return 0;
}

int ces_store_note_layer(int staging, uint64_t bytes, const char *digest, struct ces_error *err)
{
	char text[32], boot[CES_BOOT_LENGTH + 1];
	int length = snprintf(text, sizeof(text), "%llu", (unsigned long long)bytes);

	if (ces_object_boot(boot, err) < 0 ||
	    write_file(staging, "size", text, (size_t)length, err) < 0 ||
	    write_file(staging, "digest", digest, strlen(digest), err) < 0)
		return -1;
	return write_file(staging, "unsettled", boot, strlen(boot), err);
}

bool ces_store_layer_from(const struct ces_store *store, const char *diff_id, const char *digest)
{
	CES_CLEANUP_FREE char *from = NULL;
	CES_CLEANUP_FD int fd = open_part(store->layers, diff_id, "digest", 0);
	size_t length;

	return fd >= 0 && ces_read_file(fd, CES_DIGEST_LENGTH, &from, &length) == 0 &&
	       strcmp(from, digest) == 0;
}

/* Opens the layers first: one that has taken the place of another meanwhile is not on the disk. */
void ces_store_settle(const struct ces_store *store, const struct ces_strings *diff_ids)
{
	int layers[CES_LAYERS_MAX];

	for (size_t i = 0; i < diff_ids->n; i++)
		layers[i] = open_part(store->layers, diff_ids->v[i], ".", O_DIRECTORY);
	if (syncfs(store->dir) < 0)
		return; /* the marks stay, and after the next boot the layers are fetched again */
	for (size_t i = 0; i < diff_ids->n; i++)
		(void)unlinkat(layers[i], "unsettled", 0);
}

uint64_t ces_store_layer_size(const struct ces_store *store, const char *diff_id)
{
	CES_CLEANUP_FREE char *text = NULL;
	CES_CLEANUP_FD int fd = open_part(store->layers, diff_id, "size", 0);
	uint64_t bytes = 0;
	size_t length;

	if (fd < 0 || ces_read_file(fd, 32, &text, &length) < 0)
		return 0;
	(void)ces_num_parse(text, 0, UINT64_MAX / 2, &bytes);
	return bytes;
}

static bool image_spoilt(const struct ces_store *store, const char *digest)
{
	struct ces_image_record record;
	struct ces_error err;

	if (ces_store_load_image(store, digest, &record, &err) < 0)
		return err.code != CES_E_HOST; /* an unreadable record is not a damaged one */
	ces_image_record_free(&record);
	return false;
}

int ces_store_commit_image(const struct ces_store *store, const struct ces_image_record *record,
			   const struct ces_bytes *manifest, const struct ces_bytes *config,
			   struct ces_error *err)
{
	CES_CLEANUP_FD int dir = -1;
	char name[32];
	int result = 0;

	if (ces_store_stage(store, name, &dir, NULL, err) < 0)
		return -1;
	if (write_file(dir, "manifest", manifest->bytes, manifest->length, err) < 0 ||
	    write_file(dir, "config", config->bytes, config->length, err) < 0 ||
	    ces_image_record_write(dir, "record", record, err) < 0 ||
	    commit(store, name, store->images, record->digest, image_spoilt, err) < 0)
		result = -1;
	(void)ces_object_clear(store->staging, name); /* unless it is in its place */
	return result;
}

int ces_store_load_image(const struct ces_store *store, const char *digest,
			 struct ces_image_record *ret, struct ces_error *err)
{
	char path[80];

	(void)snprintf(path, sizeof(path), "%s/record", ces_store_hex(digest));
	return ces_image_record_read(store->images, path, ret, err);
}

int ces_store_read_config(const struct ces_store *store, const char *digest, size_t max, char **ret)
{
	CES_CLEANUP_FD int fd = open_part(store->images, digest, "config", 0);
	size_t length;

	return fd < 0 ? -1 : ces_read_file(fd, max, ret, &length);
}

/* A run that reads at the same time has the old ones whole or the new ones. Torn by a power cut,
 * they hold fewer signatures, and the image is to be pulled again. */
int ces_store_keep_signed(const struct ces_store *store, const char *digest, const char *name,
			  const struct ces_bytes *documents, struct ces_error *err)
{
	CES_CLEANUP_FD int dir =
	    ces_beneath_open(store->images, ces_store_hex(digest), O_RDONLY | O_DIRECTORY, 0);
	char place[80], temporary[96];

	(void)snprintf(place, sizeof(place), "signed-%s", ces_store_hex(name));
	(void)snprintf(temporary, sizeof(temporary), "%s.%d", place, (int)getpid());
	if (dir < 0)
		return ces_error_errno(err, CES_E_HOST, "image %.19s", digest);
	if (write_file(dir, temporary, documents->bytes, documents->length, err) < 0)
		return -1;
	return renameat(dir, temporary, dir, place) == 0
		   ? 0
		   : ces_error_errno(err, CES_E_HOST, "writing %s", place);
}

int ces_store_read_signed(const struct ces_store *store, const char *digest, const char *name,
			  size_t max, char **ret, size_t *ret_length)
{
	char file[80];
	CES_CLEANUP_FD int fd = -1;

	(void)snprintf(file, sizeof(file), "signed-%s", ces_store_hex(name));
	fd = open_part(store->images, digest, file, 0);
	return fd < 0 ? -1 : ces_read_file(fd, max, ret, ret_length);
}
