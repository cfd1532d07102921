/* Fills the image store. Must not take a name that is not a checked digest, or CES's own. */
#include "helper/store/store.h"

#include <errno.h>
#include <fcntl.h>
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
#include "common/schema.h"
#include "helper/core/beneath.h"
#include "helper/session/frames.h"
#include "helper/session/object.h"
#include "helper/store/root.h"

#define BLOCK 4096u /* that a file counts in */

bool ces_store_name(char name[CES_STEP_NAME + 1])
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return false;
	(void)snprintf(name, CES_STEP_NAME + 1, "%016llx", (unsigned long long)random);
	return true;
}

/* Opens a file of a layer's or image's own, by its name there. */
static int open_part(int dir, const char *digest, const char *name)
{
	char path[160];

	(void)snprintf(path, sizeof(path), "%s/%s", ces_store_hex(digest), name);
	return ces_store_open_file(dir, path);
}

/* Makes and locks the directory under the store's lock. The collector takes directories that nobody
 * has locked, and there is no moment at which it could see this one so. */
int ces_store_stage(const struct ces_store *store, char name[CES_STEP_NAME + 1], int *ret,
		    struct ces_error *err)
{
	CES_CLEANUP_LOCK struct ces_lock lock = CES_LOCK_NONE;
	CES_CLEANUP_FD int dir = -1;

	if (!ces_store_name(name))
		return ces_error_errno(err, CES_E_HOST, "random numbers");
	if (ces_store_lock(store, &lock, err) < 0)
		return -1;
	if (mkdirat(store->staging, name, 0700) == 0)
		dir = ces_beneath_open(store->staging, name, O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0 || flock(dir, LOCK_EX | LOCK_NB) < 0)
		return ces_error_errno(err, CES_E_HOST, "making a staging directory");
	*ret = ces_steal_fd(&dir);
	return 0;
}

bool ces_store_discard(const struct ces_store *store, int parent, const char *name)
{
	char trash[CES_STEP_NAME + 1];

	return ces_store_name(trash) && renameat(parent, name, store->trash, trash) == 0;
}

/* Usually nothing is in it, and then root is not asked. What cannot be removed now is the
 * collector's. */
void ces_store_drop(const struct ces_store *store, const char *name)
{
	static struct ces_step step;
	struct ces_error ignored;

	step = (struct ces_step){.kind = CES_STEP_EMPTY};
	memcpy(step.name, name, sizeof(step.name));
	if (unlinkat(store->staging, name, AT_REMOVEDIR) < 0 &&
	    renameat(store->staging, name, store->trash, name) == 0)
		(void)ces_root_ask(&step, NULL, 0, NULL, NULL, &ignored);
}

/* Puts a staged thing in its place. If another has that, the staged one goes to the trash, and the
 * next collector removes it: that takes minutes for a large layer, and this pull has more layers,
 * whose registry does not wait. spoilt says whether the thing in the place already may make
 * room. It is asked under the lock: of two pulls that find it spoilt, the second must not take away
 * the one that the first has put there. */
static int commit(const struct ces_store *store, const char *name, int parent, const char *digest,
		  bool (*spoilt)(const struct ces_store *, const char *, const void *),
		  const void *wanted, struct ces_error *err)
{
	CES_CLEANUP_LOCK struct ces_lock lock = CES_LOCK_NONE;
	const char *place = ces_store_hex(digest);

	if (ces_store_lock(store, &lock, err) < 0)
		return -1;
	if (spoilt(store, digest, wanted))
		(void)ces_store_discard(store, parent, place);
	if (renameat2(store->staging, name, parent, place, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EEXIST)
		return ces_error_errno(err, CES_E_HOST, "storing %.19s", digest);
	(void)ces_store_discard(store, store->staging, name);
	return 0;
}

/* What cannot be read for want of a descriptor or memory is not damaged: live runs may have it. */
static bool is_shortage(void)
{
	return errno == ENFILE || errno == EMFILE || errno == ENOMEM || errno == EIO;
}

static bool layer_spoilt(const struct ces_store *store, const char *diff_id, const void *wanted)
{
	(void)wanted;
	errno = 0;
	return ces_store_is_torn(store, diff_id) && !is_shortage();
}

int ces_store_commit_layer(const struct ces_store *store, const char *name, const char *diff_id,
			   struct ces_error *err)
{
	return commit(store, name, store->layers, diff_id, layer_spoilt, NULL, err);
}

int ces_store_write_file(int dir, const char *name, const void *bytes, size_t length,
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
	    ces_store_write_file(staging, "size", text, (size_t)length, err) < 0 ||
	    ces_store_write_file(staging, "digest", digest, strlen(digest), err) < 0)
		return -1;
	return ces_store_write_file(staging, "unsettled", boot, strlen(boot), err);
}

bool ces_store_layer_from(const struct ces_store *store, const char *diff_id, const char *digest)
{
	CES_CLEANUP_FREE char *from = NULL;
	CES_CLEANUP_FD int fd = open_part(store->layers, diff_id, "digest");
	size_t length;

	return fd >= 0 && ces_read_file(fd, CES_DIGEST_LENGTH, &from, &length) == 0 &&
	       strcmp(from, digest) == 0;
}

/* Opens the layers first: one that has taken the place of another meanwhile is not on the disk. */
void ces_store_settle(const struct ces_store *store, const struct ces_store_order *order)
{
	int layers[CES_LAYERS_MAX];

	for (size_t i = 0; i < order->n; i++)
		layers[i] = ces_beneath_open(store->layers, ces_store_hex(order->layers[i]),
					     O_RDONLY | O_DIRECTORY, 0);
	if (syncfs(store->layers) < 0)
		return; /* the marks stay, and after the next boot the layers are fetched again */
	for (size_t i = 0; i < order->n; i++)
		(void)unlinkat(layers[i], "unsettled", 0);
}

bool ces_store_is_settled(const struct ces_store *store, const char *diff_id)
{
	CES_CLEANUP_FD int fd = open_part(store->layers, diff_id, "unsettled");

	return fd < 0 && errno == ENOENT;
}

bool ces_store_has_layer(const struct ces_store *store, const char *diff_id)
{
	CES_CLEANUP_FD int fd = open_part(store->layers, diff_id, "digest");

	return fd >= 0 && !ces_store_is_torn(store, diff_id);
}

uint64_t ces_store_layer_size(const struct ces_store *store, const char *diff_id)
{
	CES_CLEANUP_FREE char *text = NULL;
	CES_CLEANUP_FD int fd = open_part(store->layers, diff_id, "size");
	uint64_t bytes = 0;
	size_t length;

	if (fd < 0 || ces_read_file(fd, 32, &text, &length) < 0)
		return 0;
	(void)ces_num_parse(text, 0, UINT64_MAX / 2, &bytes);
	return bytes;
}

uint64_t ces_store_documents_size(const struct ces_store *store, const char *digest)
{
	static const char *const names[] = {"manifest", "config"};
	uint64_t bytes = 0;

	for (size_t i = 0; i < CES_COUNT(names); i++) {
		CES_CLEANUP_FD int fd = open_part(store->images, digest, names[i]);
		struct stat st;

		if (fd >= 0 && fstat(fd, &st) == 0)
			bytes += ((uint64_t)st.st_size + BLOCK - 1) / BLOCK * BLOCK;
	}
	return bytes;
}

/* The documents may be torn, or of a pull that was misled. */
static bool image_spoilt(const struct ces_store *store, const char *digest, const void *wanted)
{
	(void)digest;
	errno = 0;
	return !ces_store_proves(store, wanted) && !is_shortage();
}

int ces_store_write_document(int dir, const char *name, const struct ces_bytes *document,
			     struct ces_error *err)
{
	CES_CLEANUP_FD int fd = ces_beneath_open(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || ces_write_full(fd, document->bytes, document->length, -1) < 0 ||
	    fdatasync(fd) < 0)
		return ces_error_errno(err, CES_E_HOST, "writing %s", name);
	return 0;
}

int ces_store_commit_image(const struct ces_store *store, const struct ces_image_record *record,
			   const struct ces_bytes *manifest, const struct ces_bytes *config,
			   struct ces_error *err)
{
	char name[CES_STEP_NAME + 1];
	CES_CLEANUP_FD int dir = -1;

	if (ces_store_proves(store, record))
		return 0; /* it stays: the pull's entry names it */
	if (ces_store_stage(store, name, &dir, err) < 0)
		return -1;
	if (ces_store_write_document(dir, "manifest", manifest, err) < 0 ||
	    ces_store_write_document(dir, "config", config, err) < 0 ||
	    commit(store, name, store->images, record->digest, image_spoilt, record, err) < 0) {
		ces_store_drop(store, name);
		return -1;
	}
	return 0;
}

int ces_store_read_config(const struct ces_store *store, const char *digest, size_t max, char **ret)
{
	CES_CLEANUP_FD int fd = open_part(store->images, digest, "config");
	size_t length;

	return fd < 0 ? -1 : ces_read_file(fd, max, ret, &length);
}
