/* Decides what the collector removes from the store, and when: staging of dead pulls, grants that
 * are past their time, and then images and layers that no grant, run or pull names. Must not keep a
 * request waiting: a process of its own collects at a user's request.
 *
 * Who controls what: users choose how many images and grants there are, within the policy's limits,
 * and how often the collector is called. The names are digests and uids. What it looks at may
 * change in the meantime, but no thing that is needed is missed: a process puts a thing in its
 * place under the store's lock only, and a process that counts on a thing enters it in the
 * register, and waits for the lock, before it looks for the thing. A pull leaves the register after
 * it has its grant, so the register is read before the grants. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/image.h"
#include "common/io.h"
#include "common/num.h"
#include "common/record.h"
#include "helper/core/beneath.h"
#include "helper/core/deadline.h"
#include "helper/session/frames.h"
#include "helper/store/claim.h"
#include "helper/store/digests.h"
#include "helper/store/modes.h"
#include "helper/store/root.h"

/* Nobody starts or pulls anything while the lock is held. The next turn takes the things that this
 * time is too short for. */
#define TURN_MS  500
#define PAUSE_US 100000

/* For a collector in a process of its own: the time to get its turn, and then the time to remove
 * the things that it took out of their places. The next collector removes the rest. */
#define NEXT_SECONDS   20
#define REMOVE_SECONDS 1800

#define SIGNED "signed-"

/* One turn under the lock. */
struct turn {
	const struct ces_store *store;
	struct ces_digests *keep; /* being gathered, or decided by */
	struct ces_digests busy;  /* images of live runs and pulls */
	uid_t uid;
	uint64_t now; /* 0: this turn only looks */
	int64_t until;
	bool more;         /* the time was up */
	const char *image; /* whose files are being looked at */
};

/* Makes one digest of an image and of the file for what may hold its signatures in one repository:
 * helper/session/signed.c names that file by the repository. */
static void digest_signed(const char *image, const char *name, char ret[CES_DIGEST_LENGTH + 1])
{
	char path[160];

	ces_digest_of(path, (size_t)snprintf(path, sizeof(path), "%.64s/%.80s", image, name), ret);
}

static void keep_signed(struct turn *turn, const struct ces_grant *grant)
{
	char digest[CES_DIGEST_LENGTH + 1], name[80];
	struct ces_reference reference;
	struct ces_error ignored;

	if (ces_reference_parse(grant->reference, &reference, &ignored) < 0)
		return;
	ces_store_signed_name(&reference, digest);
	(void)snprintf(name, sizeof(name), SIGNED "%s", ces_store_hex(digest));
	digest_signed(ces_store_hex(grant->digest), name, digest);
	(void)ces_digests_add(turn->keep, digest);
}

static void grant_seen(const struct ces_grant *grant, void *context)
{
	struct turn *turn = context;
	uint64_t last = grant->used > grant->pulled ? grant->used : grant->pulled;
	bool over = grant->retain > 0 && turn->now > last && turn->now - last > grant->retain;

	if (over && !turn->busy.failed &&
	    !ces_digests_has(&turn->busy, ces_store_hex(grant->digest)) &&
	    ces_store_expire_grant(turn->store, turn->uid, grant->reference))
		return;
	(void)ces_digests_add(turn->keep, grant->digest);
	ces_digests_add_all(turn->keep, &grant->image.diff_ids);
	keep_signed(turn, grant);
}

static void user_seen(int parent, const char *name, void *context)
{
	struct turn *turn = context;
	uint64_t uid;

	(void)parent;
	if (ces_num_parse(name, 1, UINT32_MAX, &uid) < 0)
		return;
	turn->uid = (uid_t)uid;
	turn->keep->failed |= ces_store_each_grant(turn->store, turn->uid, grant_seen, turn) < 0;
}

/* Keeps what live runs and pulls have: root reads its register. An image and a layer never have one
 * digest, so that both can be in one set. */
static void keep_busy(struct turn *turn)
{
	static struct ces_step_answer part;
	static struct ces_step step;
	struct ces_error ignored;
	int result;

	step = (struct ces_step){.kind = CES_STEP_BUSY};
	result = ces_root_ask(&step, NULL, 0, &part, NULL, &ignored);
	for (;;) {
		for (size_t i = 0; result == 0 && i < part.n; i++) {
			(void)ces_digests_add(turn->keep, part.digests[i]);
			(void)ces_digests_add(&turn->busy, part.digests[i]);
		}
		if (result < 0 || part.state != CES_BUSY_MORE)
			break;
		result = ces_root_take(&part, NULL, &ignored);
	}
	turn->busy.failed |= result < 0 || part.state == CES_BUSY_UNKNOWN;
	turn->keep->failed |= turn->busy.failed;
}

static void discard_unkept(int parent, const char *name, void *context)
{
	struct turn *turn = context;

	if (turn->more || turn->keep->failed || ces_digests_has(turn->keep, name))
		return;
	/* (a thing that cannot be taken out would otherwise be tried for ever) */
	turn->more = ces_store_discard(turn->store, parent, name) && ces_now_ms() > turn->until;
}

static void signed_seen(int parent, const char *name, void *context)
{
	const struct turn *turn = context;
	char digest[CES_DIGEST_LENGTH + 1];

	if (strncmp(name, SIGNED, strlen(SIGNED)) != 0)
		return;
	digest_signed(turn->image, name, digest);
	if (!ces_digests_has(turn->keep, ces_store_hex(digest)))
		(void)unlinkat(parent, name, 0);
}

/* Removes what may hold signatures of an image in repositories that no grant of it names any more.
 * A live pull may have put it there just now, and a live run may be about to read it. (The images
 * that this turn has no time for are the next collector's.) */
static void forget_signed(int parent, const char *name, void *context)
{
	struct turn *turn = context;
	CES_CLEANUP_FD int dir = -1;

	if (turn->keep->failed || !ces_digests_has(turn->keep, name) ||
	    ces_digests_has(&turn->busy, name) || ces_now_ms() > turn->until)
		return;
	dir = ces_beneath_open(parent, name, O_RDONLY | O_DIRECTORY, 0);
	turn->image = name;
	if (dir >= 0)
		(void)ces_beneath_each(dir, signed_seen, turn);
}

/* A staging directory belongs to nobody any more if its lock is free: its pull locks it before it
 * lets go of the store's lock. */
static void discard_stale(int parent, const char *name, void *context)
{
	const struct turn *turn = context;
	CES_CLEANUP_FD int fd = ces_beneath_open(parent, name, O_RDONLY | O_DIRECTORY, 0);

	/* (nobody stages anything but a directory) */
	if (fd >= 0 ? flock(fd, LOCK_EX | LOCK_NB) == 0 : errno == ENOTDIR || errno == ELOOP)
		(void)ces_store_discard(turn->store, parent, name);
}

/* A claim whose pull was killed is nobody's. (ces_claim_take looks whether its file is there.) */
static void release_claim(int parent, const char *name, void *context)
{
	CES_CLEANUP_FD int fd = -1;

	(void)context;
	if (strncmp(name, CES_CLAIM_PREFIX, strlen(CES_CLAIM_PREFIX)) != 0)
		return;
	fd = ces_store_open_file(parent, name);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		(void)unlinkat(parent, name, 0);
}

static void trash_seen(int parent, const char *name, void *there)
{
	(void)parent, (void)name;
	*(bool *)there = true;
}

/* Reads ahead without the lock, so that a turn finds its data in memory. A disk may need longer
 * than anybody may hold the lock. The results may change, and are forgotten. */
static void look_ahead(const struct ces_store *store)
{
	struct ces_digests learnt = {0};
	struct turn turn = {.store = store, .keep = &learnt};

	(void)ces_beneath_each(store->grants, user_seen, &turn);
	ces_digests_free(&learnt);
}

/* Takes one turn under the lock: first the images, then the layers that no grant, run or pull
 * names. If the time ends before the work, the store is whole all the same, since everything goes
 * by rename. */
static bool take_turn(const struct ces_store *store)
{
	struct ces_digests keep = {0};
	struct turn turn = {.store = store,
			    .keep = &keep,
			    .now = (uint64_t)time(NULL),
			    .until = ces_now_ms() + TURN_MS};

	(void)ces_beneath_each(store->staging, discard_stale, &turn);
	keep_busy(&turn);
	keep.failed |= ces_beneath_each(store->grants, user_seen, &turn) < 0;
	(void)ces_beneath_each(store->images, discard_unkept, &turn);
	(void)ces_beneath_each(store->layers, discard_unkept, &turn);
	(void)ces_beneath_each(store->images, forget_signed, &turn);
	ces_digests_free(&keep);
	ces_digests_free(&turn.busy);
	return turn.more;
}

/* Lets one process wait, however often the collector is called, until a second has passed since the
 * last turn. No other is needed in the meantime. Later, one that still waits was stopped by its
 * caller, and counts no more. */
static bool is_next(int next)
{
	struct stat last;
	bool just = fstat(next, &last) == 0 && labs(time(NULL) - last.st_mtime) < 2;

	if (flock(next, LOCK_EX | LOCK_NB) < 0 && just)
		return false;
	if (just)
		(void)usleep(1000000);
	return true;
}

int ces_mode_collect(const struct ces_store_order *order, const struct ces_store *store,
		     struct ces_error *err)
{
	CES_CLEANUP_FD int next = ces_beneath_open(store->locks, "next", O_RDWR | O_CREAT, 0600);
	static struct ces_step empty = {.kind = CES_STEP_EMPTY};
	bool more = true, there = false;

	if (order->soon != 0) {
		ces_deadline(NEXT_SECONDS);
		if (next < 0 || !is_next(next))
			return 0;
	}
	ces_deadline(REMOVE_SECONDS);
	look_ahead(store);
	while (more) {
		struct ces_lock lock;

		if (ces_store_lock(store, &lock, err) < 0)
			return -1;
		(void)futimens(next, NULL);
		more = take_turn(store);
		ces_lock_release(&lock);
		if (more)
			(void)usleep(PAUSE_US);
	}
	(void)ces_beneath_each(store->locks, release_claim, NULL);
	(void)ces_beneath_each(store->trash, trash_seen, &there);
	return there && ces_store_name(empty.name) /* (that nothing has) */
		   ? ces_root_ask(&empty, NULL, 0, NULL, NULL, err)
		   : 0;
}
