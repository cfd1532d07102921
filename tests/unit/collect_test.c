/* Tests the collector: what it removes, what it keeps, and that nobody waits for it. */
/* links: helper/store/collect.c helper/store/digests.c helper/store/grants.c helper/store/store.c helper/session/store.c helper/session/store_open.c helper/pull/steps.c helper/pull/layers.c helper/pull/workers.c helper/core/beneath.c helper/core/spawn.c helper/core/capability.c helper/session/frames.c helper/session/lock.c helper/session/object.c helper/clean/tree.c helper/session/runs.c helper/session/mounts.c helper/session/idmap.c helper/launch/overlay.c */
#include "helper/store/modes.h"

#include <dlfcn.h>
#include <search.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

#include "common/image.h"
#include "common/record.h"
#include "helper/session/signed.h"
#define SCENE_HAS_ROOT
#include "tests/unit/store_scene.h"

#include "tests/unit/root_line.h"

int ces_signed_check(const struct ces_decision *decision, const char *image, const char *top,
		     const struct ces_bytes *bag, struct ces_signers *ret,
		     struct ces_error *ret_err)
{
	(void)decision, (void)image, (void)top, (void)bag, (void)ret;
	return ces_error_set(ret_err, CES_E_INTERNAL, "a collector asks for no signatures");
}

#define NOW 2000000000u
#define UID 1234u

/* ---- system calls: time is the test's, and every removal is looked at ---- */

static pid_t self;
static int64_t tick;           /* how much later each look at the clock is, in ms */
static void (*at_entry)(void); /* when an entry of the register is looked at */

time_t time(time_t *ret)
{
	if (ret != NULL)
		*ret = NOW;
	return NOW;
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
	static int64_t later;
	int result = (int)syscall(SYS_clock_gettime, clock, ret);

	later += tick;
	ret->tv_sec += later / 1000;
	return result;
}

int usleep(useconds_t us)
{
	(void)step("pause %u", us);
	return 0;
}

static bool looks;      /* this suite itself, at the lock */
static bool collecting; /* (a pull lets go of what is staged without the lock) */

int flock(int fd, int operation)
{
	int result = (int)syscall(SYS_flock, fd, operation);
	struct stat st;

	if (getpid() == self && !looks && is_lock(fd) && result == 0)
		(void)step("lock");
	else if (getpid() == self && at_entry != NULL && fstatat(fd, "record", &st, 0) == 0)
		at_entry();
	return result;
}

static bool locked(void)
{
	bool result;

	looks = true;
	result = is_store_locked();
	looks = false;
	return result;
}

int renameat(int from_dir, const char *from, int dir, const char *to)
{
	if (collecting && dir == store.trash)
		ck_assert(locked());
	return (int)syscall(SYS_renameat2, from_dir, from, dir, to, 0);
}

/* (a big tree takes its time: it goes when nobody is kept waiting) */
int unlinkat(int dir, const char *name, int flags)
{
	if (collecting && dir == store.trash)
		ck_assert(!locked());
	return (int)syscall(SYS_unlinkat, dir, name, flags);
}

int futimens(int fd, const struct timespec times[2])
{
	static const struct timespec now[2] = {{NOW, 0}, {NOW, 0}};

	return (int)syscall(SYS_utimensat, fd, NULL, times == NULL ? now : times, 0);
}

int utimensat(int dir, const char *name, const struct timespec times[2], int flags)
{
	static const struct timespec now[2] = {{NOW, 0}, {NOW, 0}};

	return (int)syscall(SYS_utimensat, dir, name, times == NULL ? now : times, flags);
}

static int unreadable = -1; /* a directory that cannot be listed */

struct dirent *readdir(DIR *dir)
{
	struct dirent *(*next)(DIR *) = (struct dirent * (*)(DIR *)) dlsym(RTLD_NEXT, "readdir");
	struct stat of, its;

	if (unreadable >= 0 && fstat(dirfd(dir), &of) == 0 && fstat(unreadable, &its) == 0 &&
	    of.st_ino == its.st_ino) {
		errno = EIO;
		return NULL;
	}
	return next(dir);
}

static bool no_memory; /* for the nodes of a set */

void *tsearch(const void *key, void **root, int (*compare)(const void *, const void *))
{
	void *(*real)(const void *, void **, int (*)(const void *, const void *)) =
	    (void *(*)(const void *, void **, int (*)(const void *, const void *)))dlsym(RTLD_NEXT,
											 "tsearch");

	if (!no_memory)
		return real(key, root, compare);
	free((void *)(uintptr_t)key); /* (it would stay to the end of the process) */
	return NULL;
}

/* ---- what is in the store ---- */

/* An image has a layer of its own, 100 and its number, and layer 50. */
static void have_image(unsigned image)
{
	char layers[2][CES_DIGEST_LENGTH + 1], of[CES_DIGEST_LENGTH + 1];
	char *diff_ids[] = {layers[0], layers[1]};
	const struct ces_image_record record = {.digest = of, .diff_ids = {diff_ids, 2}};
	const struct ces_bytes none = {of, 0};

	(void)strcpy(of, digest(image));
	(void)strcpy(layers[0], digest(50));
	(void)strcpy(layers[1], digest(100 + image));
	have_layer(layers[0], 1, D1);
	have_layer(layers[1], 1, D1);
	ck_assert_int_eq(ces_store_commit_image(&store, &record, &none, &none, &err), 0);
}

static const char *reference_of(unsigned image)
{
	static char text[64];

	(void)snprintf(text, sizeof(text), "ghcr.io/lab/tool:%u", image);
	return text;
}

static void give(unsigned image, uint64_t pulled, uint64_t used, uint64_t retain)
{
	const char *reference = reference_of(image);
	const struct timespec times[2] = {{(time_t)used, 0}, {(time_t)used, 0}};
	struct ces_grant grant = {.reference = (char *)(uintptr_t)reference,
				  .user = (char *)(uintptr_t) "me",
				  .top_digest = digest(image),
				  .digest = digest(image),
				  .pulled = pulled,
				  .retain = retain};
	char of[CES_DIGEST_LENGTH + 1], path[100];

	ck_assert_int_eq(ces_store_write_grant(&store, UID, &grant, &err), 0);
	ces_digest_of(reference, strlen(reference), of);
	(void)snprintf(path, sizeof(path), "%u/%s", UID, of + 7);
	ck_assert_int_eq(utimensat(store.grants, path, times, 0), 0);
}

static bool has_image(unsigned image)
{
	bool layer = is_there(store.layers, ces_store_hex(digest(100 + image)));

	ck_assert_int_eq(is_there(store.images, ces_store_hex(digest(image))), layer);
	return layer;
}

/* Enters a run or a pull in the register; it lives as long as the descriptor is open. */
static int enter(const char *name, const char *image, char *layer)
{
	const struct ces_run_record record = {.run = (char *)(uintptr_t)name,
					      .uid = UID,
					      .digest = (char *)(uintptr_t)image,
					      .layers = {&layer, layer != NULL}};
	int entry = -1, stop = -1;

	ck_assert_msg(ces_runs_enter(runs, &record, &entry, &stop, &err) == 0, "%s", err.text);
	close(stop);
	return entry;
}

static void begin(void)
{
	scene_begin();
	self = getpid();
	tick = 0;
	at_entry = NULL;
}

static void run_collector(bool soon)
{
	const struct ces_store_order order = {.mode = CES_STORE_COLLECT, .soon = soon};
	static const struct ces_host host = {.subid_first = 2000000000};
	static struct ces_session session;

	session = (struct ces_session){.host = &host, .runs = runs, .store = store};
	line_begin(&session, CES_TURN_COLLECT);
	collecting = true;
	(void)ces_mode_collect(&order, &store, &err);
	collecting = false;
	line_end();
}

static void collect(void)
{
	run_collector(false);
	ck_assert(!locked());
	ck_assert_uint_eq(count(store.staging) + count(store.trash), 0);
}

/* ---- what goes ---- */

START_TEST(an_image_that_nobody_has_goes_with_the_layers_that_no_other_has)
{
	have_image(1);
	have_image(2);
	have_layer(digest(3), 1, D1);
	give(2, NOW, NOW, 0);
	collect();
	ck_assert(!has_image(1));
	ck_assert(has_image(2));
	ck_assert_uint_eq(count(store.layers), 2);
}
END_TEST

static const struct {
	uint64_t pulled, used, retain;
	bool kept;
} ages[] = {
    {1, 1, 0, true}, /* always */
    {NOW - 100, NOW - 100, 100, true},
    {NOW - 101, NOW - 101, 100, false},
    {NOW - 5000, NOW - 100, 100, true}, /* used since */
    {NOW - 5000, NOW - 101, 100, false},
    {NOW + 5000, NOW, 1, true}, /* a clock that was ahead */
    {NOW, NOW + 5000, 1, true},
    {NOW, NOW, UINT64_MAX, true},
    {1, 1, UINT64_MAX, true},
    {NOW - 1, NOW - 1, 1, true},
    {NOW - 2, NOW - 2, 1, false},
};

START_TEST(a_grant_ends_when_its_time_after_the_last_use_is_over)
{
	have_image(1);
	give(1, ages[_i].pulled, ages[_i].used, ages[_i].retain);
	collect();
	ck_assert_int_eq(has_image(1), ages[_i].kept);
}
END_TEST

START_TEST(a_live_run_or_pull_keeps_its_image_and_its_grant)
{
	struct ces_grant grant;
	int entry;

	have_image(1);
	have_image(2);
	have_layer(digest(7), 1, D1);
	give(1, 1, 1, 1);
	entry = enter(_i == 0 ? "0123456789" : "pull-0123456789", digest(1), digest(7));
	collect();
	ck_assert(has_image(1));
	ck_assert(!has_image(2));
	/* only a pull names layers of its own */
	ck_assert_int_eq(is_there(store.layers, ces_store_hex(digest(7))), _i == 1);
	ck_assert_int_eq(ces_store_read_grant(&store, UID, "me", reference_of(1), &grant, &err), 0);
	ces_wire_free(&ces_grant_schema, &grant);
	close(entry);
	ces_runs_leave(runs, _i == 0 ? "0123456789" : "pull-0123456789");
	collect();
	ck_assert(!has_image(1));
	ck_assert_uint_eq(count(store.layers), 0);
}
END_TEST

static int pull_entry;

static void the_pull_ends(void)
{
	at_entry = NULL;
	give(1, NOW, NOW, 0);
	ces_runs_leave(runs, "pull-0123456789");
}

START_TEST(a_pull_that_ends_meanwhile_is_seen_in_one_place_or_the_other)
{
	have_image(1);
	pull_entry = enter("pull-0123456789", digest(1), digest(101));
	at_entry = the_pull_ends;
	collect();
	close(pull_entry);
	ck_assert(is_there(store.images, ces_store_hex(digest(1))));
	ck_assert_ptr_null(at_entry);
}
END_TEST

START_TEST(a_damaged_image_goes_although_somebody_has_it_and_its_layers_too)
{
	have_image(1);
	have_image(2);
	give(1, NOW, NOW, 0);
	give(2, NOW, NOW, 0);
	put_text(store.images, part(digest(1), "record"), "torn");
	collect();
	ck_assert(!has_image(1));
	ck_assert(has_image(2));
}
END_TEST

START_TEST(a_collector_that_has_nothing_to_remove_starts_no_ces_clean)
{
	cleanings = 0;
	collect();
	ck_assert_uint_eq(cleanings, 0);
}
END_TEST

START_TEST(staging_of_a_dead_pull_and_old_trash_go_and_a_live_pulls_staging_stays)
{
	CES_CLEANUP_FD int live = -1;
	CES_CLEANUP_FD int dead = -1;
	char name[CES_STEP_NAME + 1], other[CES_STEP_NAME + 1];

	ck_assert_int_eq(ces_store_stage(&store, name, &live, &err), 0);
	ck_assert_int_eq(ces_store_stage(&store, other, &dead, &err), 0);
	put_text(dead, "file", "");
	ces_cleanup_close(&dead);
	ck_assert_int_eq(mkdirat(store.trash, "0123456789abcdef", 0700), 0);
	put_text(store.trash, "0123456789abcdef/file", "");
	put_text(store.trash, "fedcba9876543210", "");
	put_text(store.trash, "no-name-of-ours-", "");
	put_text(store.staging, "0000000000000000", "");
	ck_assert_int_eq(symlinkat("../layers", store.staging, "1111111111111111"), 0);
	run_collector(false);
	ck_assert_uint_eq(count(store.staging), 1);
	ck_assert_uint_eq(count(store.trash), 0);
	ck_assert_uint_eq(cleanings, 1); /* one ces-clean for all */
	ck_assert(is_there(store.staging, name));
	ck_assert_int_eq(remove_tree(store.staging, name), 0);
}
END_TEST

/* ---- what cannot be read keeps everything ---- */

static void spoil(int how, bool *ret_image, bool *ret_layer)
{
	*ret_image = *ret_layer = true;
	switch (how) {
	case 0: /* a user's grants */
		ck_assert_int_eq(fchmodat(store.grants, "1234", 0755, 0), 0);
		break;
	case 1: /* one grant */
		put_text(store.grants, "1234/x", "");
		ck_assert_int_eq(mkdirat(store.grants,
					 "1234/"
					 "00000000000000000000000000000000"
					 "00000000000000000000000000000000",
					 0700),
				 0);
		break;
	case 2: /* the record of a run */
		ck_assert_int_eq(mkdirat(runs, "9999999999", 0700), 0);
		ck_assert_int_eq(mkdirat(runs, "9999999999/record", 0700), 0);
		break;
	case 3: /* that of a pull: nothing is sure about the layers either */
		ck_assert_int_eq(mkdirat(runs, "pull-9999999999", 0700), 0);
		ck_assert_int_eq(mkdirat(runs, "pull-9999999999/record", 0700), 0);
		break;
	default: /* the record of an image that somebody has: which layers it has is not known */
		ck_assert_int_eq(unlinkat(store.images, part(digest(2), "record"), 0), 0);
		ck_assert_int_eq(mkdirat(store.images, part(digest(2), "record"), 0700), 0);
		*ret_image = false;
	}
}

START_TEST(what_cannot_be_read_now_may_need_anything)
{
	bool image, layer;

	have_image(1);
	have_image(2);
	give(2, NOW, NOW, 0);
	spoil(_i, &image, &layer);
	run_collector(false);
	ck_assert_int_eq(is_there(store.images, ces_store_hex(digest(1))), image);
	ck_assert_int_eq(is_there(store.layers, ces_store_hex(digest(101))), layer);
	ck_assert(is_there(store.layers, ces_store_hex(digest(102))));
}
END_TEST

START_TEST(a_directory_that_cannot_be_listed_may_have_anything)
{
	const int directories[] = {store.grants, store.images, runs};
	int entry = enter("pull-0123456789", digest(9), digest(99));

	have_layer(digest(99), 1, D1);
	have_image(1);
	give(1, NOW, NOW, 0);
	unreadable = directories[_i];
	run_collector(false);
	unreadable = -1;
	ck_assert(has_image(1));
	ck_assert(is_there(store.layers, ces_store_hex(digest(99))));
	close(entry);
}
END_TEST

START_TEST(without_memory_nothing_goes)
{
	int entry = enter("0123456789", digest(2), NULL);
	struct ces_grant grant;

	have_image(1);
	have_image(2);
	give(2, 1, 1, 1); /* past its time, but a run needs it */
	no_memory = true;
	run_collector(false);
	no_memory = false;
	close(entry);
	ck_assert(has_image(1));
	ck_assert(has_image(2));
	ck_assert_int_eq(ces_store_read_grant(&store, UID, "me", reference_of(2), &grant, &err), 0);
	ces_wire_free(&ces_grant_schema, &grant);
}
END_TEST

START_TEST(names_that_are_no_users_and_no_digests_are_nobodys)
{
	ck_assert_int_eq(mkdirat(store.grants, "nobody", 0755), 0);
	ck_assert_int_eq(mkdirat(store.grants, "4294967296", 0755), 0);
	put_text(store.images, "x", "");
	ck_assert_int_eq(mkdirat(store.layers, "y", 0700), 0);
	have_image(1);
	give(1, NOW, NOW, 0);
	collect();
	ck_assert(has_image(1));
	ck_assert_uint_eq(count(store.images), 1);
	ck_assert_uint_eq(count(store.layers), 2);
	ck_assert_uint_eq(count(store.grants), 3);
}
END_TEST

/* ---- turns ---- */

START_TEST(a_turn_ends_when_its_time_is_up_and_others_come_in_between)
{
	for (unsigned i = 1; i <= 3; i++)
		have_image(i);
	note_steps(0);
	tick = 1000;
	collect();
	/* four layers and three images, one a turn; the last turn finds nothing more */
	ck_assert_str_eq(steps, "lock\npause 100000\nlock\npause 100000\n"
				"lock\npause 100000\nlock\npause 100000\n"
				"lock\npause 100000\nlock\npause 100000\n"
				"lock\npause 100000\nlock\n");
	ck_assert_uint_eq(count(store.layers) + count(store.images), 0);
}
END_TEST

/* ---- its turn ---- */

/* The last turn was long ago, or just now; another process waits for the next, or none does. */
START_TEST(one_collector_at_a_time_waits_for_its_turn)
{
	const struct timespec old[2] = {{NOW - 60, 0}, {NOW - 60, 0}},
			      just[2] = {{NOW - 1, 0}, {NOW - 1, 0}};
	CES_CLEANUP_FD int next = openat(store.locks, "next", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_eq(futimens(next, _i % 2 == 0 ? old : just), 0);
	if (_i >= 2)
		ck_assert_int_eq(flock(next, LOCK_EX | LOCK_NB), 0);
	have_image(1);
	run_collector(true);
	ck_assert_int_eq(has_image(1), _i == 3);
	ck_assert(!locked());
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("collect");

	tcase_add_test(t, an_image_that_nobody_has_goes_with_the_layers_that_no_other_has);
	tcase_add_loop_test(t, a_grant_ends_when_its_time_after_the_last_use_is_over, 0,
			    CES_COUNT(ages));
	tcase_add_loop_test(t, a_live_run_or_pull_keeps_its_image_and_its_grant, 0, 2);
	tcase_add_test(t, a_pull_that_ends_meanwhile_is_seen_in_one_place_or_the_other);
	tcase_add_test(t, a_damaged_image_goes_although_somebody_has_it_and_its_layers_too);
	tcase_add_test(t, a_collector_that_has_nothing_to_remove_starts_no_ces_clean);
	tcase_add_test(t, staging_of_a_dead_pull_and_old_trash_go_and_a_live_pulls_staging_stays);
	tcase_add_loop_test(t, what_cannot_be_read_now_may_need_anything, 0, 5);
	tcase_add_loop_test(t, a_directory_that_cannot_be_listed_may_have_anything, 0, 3);
	tcase_add_test(t, without_memory_nothing_goes);
	tcase_add_test(t, names_that_are_no_users_and_no_digests_are_nobodys);
	tcase_add_test(t, a_turn_ends_when_its_time_is_up_and_others_come_in_between);
	tcase_add_loop_test(t, one_collector_at_a_time_waits_for_its_turn, 0, 4);
	return run_scenes_between("collect", t, begin, scene_end);
}
