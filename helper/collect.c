/* What goes out of the store, and when. Must not run beside a pull or a start: the exclusive lock
 * says so. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/num.h"
#include "helper/beneath.h"
#include "helper/runs.h"
#include "helper/store.h"
#include "helper/store_internal.h"

/* Nobody starts or pulls anything meanwhile: not for longer, should the caller freeze or slow this
 * process by the cgroup that it is in. All that is done is renaming, so the next one goes on. */
#define COLLECT_SECONDS 10

/* Names that must stay: 64 hex digits each. */
struct hex {
	char text[65];
};

struct keep {
	struct hex *v;
	size_t n, size;
	bool failed; /* not all that names them could be read: keep everything */
};

static bool has_room(struct keep *keep)
{
	size_t size = keep->size == 0 ? 64 : keep->size * 2;
	struct hex *bigger;

	if (keep->failed)
		return false;
	if (keep->n < keep->size)
		return true;
	bigger = reallocarray(keep->v, size, sizeof(*bigger));
	if (bigger == NULL) {
		keep->failed = true;
		return false;
	}
	keep->v = bigger;
	keep->size = size;
	return true;
}

static void keep_add(struct keep *keep, const char *digest)
{
	if (has_room(keep))
		(void)snprintf(keep->v[keep->n++].text, sizeof(keep->v->text), "%s",
			       ces_store_hex(digest));
}

static bool kept(const struct keep *keep, const char *name)
{
	if (keep->failed)
		return true;
	for (size_t i = 0; i < keep->n; i++)
		if (strcmp(keep->v[i].text, name) == 0)
			return true;
	return false;
}

struct sweep {
	const struct ces_store *store;
	uid_t uid;
	uint64_t now;
	struct keep *images;
};

static void grant_seen(const struct ces_grant *grant, void *context)
{
	struct sweep *sweep = context;
	uint64_t last = grant->used > grant->pulled ? grant->used : grant->pulled;
	bool over = grant->retain > 0 && sweep->now > last && sweep->now - last > grant->retain;

	if (!over || !ces_store_expire_grant(sweep->store, sweep->uid, grant->reference))
		keep_add(sweep->images, grant->digest);
}

static void user_seen(int parent, const char *name, void *context)
{
	struct sweep *sweep = context;
	uint64_t uid;

	(void)parent;
	if (ces_num_parse(name, 1, UINT32_MAX, &uid) < 0)
		return;
	sweep->uid = (uid_t)uid;
	sweep->images->failed |=
	    ces_store_each_grant(sweep->store, sweep->uid, grant_seen, sweep) < 0;
}

static void run_seen(const struct ces_run_record *record, bool alive, void *context)
{
	(void)alive;
	if (record->digest != NULL)
		keep_add(context, record->digest);
}

static void keep_all(struct keep *keep, const struct ces_strings *digests)
{
	for (size_t i = 0; i < digests->n; i++)
		keep_add(keep, digests->v[i]);
}

static void pull_seen(const struct ces_run_record *record, bool alive, void *context)
{
	(void)alive;
	keep_all(context, &record->layers);
}

/* Out of its place at once, away later: renaming is quick and happens under the lock, removing may
 * take long. */
#define TRASH "trash-"

struct bin {
	const struct ces_store *store;
	const struct keep *keep;
};

static void discard(const struct ces_store *store, int parent, const char *name)
{
	char trash[NAME_MAX + 1];

	(void)snprintf(trash, sizeof(trash), TRASH "%.200s", name);
	(void)renameat(parent, name, store->staging, trash);
}

static void discard_unkept(int parent, const char *name, void *context)
{
	const struct bin *bin = context;

	if (!kept(bin->keep, name))
		discard(bin->store, parent, name);
}

/* A staging directory whose lock can be had belongs to nobody any more: pulls hold the store's lock
 * while they make one, and this runs under the exclusive lock. */
static void discard_stale(int parent, const char *name, void *context)
{
	CES_CLEANUP_FD int fd = ces_beneath_open(parent, name, O_RDONLY | O_DIRECTORY, 0);

	if (strncmp(name, TRASH, strlen(TRASH)) != 0 && fd >= 0 &&
	    flock(fd, LOCK_EX | LOCK_NB) == 0)
		discard(context, parent, name);
}

static void remove_trash(int parent, const char *name, void *context)
{
	(void)context;
	if (strncmp(name, TRASH, strlen(TRASH)) == 0)
		(void)ces_beneath_remove(parent, name);
}

struct layers {
	const struct ces_store *store;
	struct keep *keep;
};

static void image_seen(int parent, const char *name, void *context)
{
	struct layers *layers = context;
	struct ces_image_record record;
	struct ces_error ignored;
	char digest[CES_DIGEST_LENGTH + 1];

	(void)parent;
	(void)snprintf(digest, sizeof(digest), "sha256:%.64s", name);
	if (ces_store_load_image(layers->store, digest, &record, &ignored) < 0) {
		layers->keep->failed = true; /* a record that cannot be read may need any layer */
		return;
	}
	keep_all(layers->keep, &record.diff_ids);
	ces_wire_free(&ces_image_record_schema, &record);
}

void ces_store_collect(struct ces_store *store, int live_runs)
{
	struct keep images = {0}, layer_names = {0};
	struct sweep sweep = {store, 0, (uint64_t)time(NULL), &images};
	struct layers layers = {store, &layer_names};

	struct bin old_images = {store, &images}, old_layers = {store, &layer_names};
	unsigned left = alarm(COLLECT_SECONDS);

	/* the shared lock goes first: flock(2) converts by releasing */
	if (flock(store->lock, LOCK_EX | LOCK_NB) < 0) {
		(void)flock(store->lock, LOCK_SH);
		(void)alarm(left);
		return;
	}
	(void)ces_beneath_each(store->staging, discard_stale, store);
	images.failed |= ces_beneath_each(store->grants, user_seen, &sweep) < 0;
	images.failed |= ces_runs_each(live_runs, run_seen, &images) < 0;
	(void)ces_beneath_each(store->images, discard_unkept, &old_images);
	layer_names.failed |= ces_beneath_each(store->images, image_seen, &layers) < 0;
	layer_names.failed |= ces_runs_each_pull(live_runs, pull_seen, &layer_names) < 0;
	(void)ces_beneath_each(store->layers, discard_unkept, &old_layers);
	free(images.v);
	free(layer_names.v);
	(void)flock(store->lock, LOCK_SH);
	(void)alarm(left);
	(void)ces_beneath_each(store->staging, remove_trash, NULL);
}
