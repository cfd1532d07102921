/* Tests the collector: what it removes, what it keeps, and that nobody waits for it. */
/* links: helper/store/collect.c helper/store/digests.c helper/store/grants.c helper/store/store.c helper/core/beneath.c helper/core/spawn.c helper/session/frames.c helper/session/lock.c helper/session/object.c helper/clean/tree.c helper/session/runs.c */
#include "helper/store/collect.h"

#include <signal.h>
#include <dlfcn.h>
#include <search.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "common/image.h"
#include "common/record.h"
#include "tests/unit/clean_stand_in.h"
#include "tests/unit/store_scene.h"

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

int flock(int fd, int operation)
{
	int result = (int)syscall(SYS_flock, fd, operation);
	struct stat st;

	/* (this suite itself looks at the lock by reading) */
	if (getpid() == self && is_lock(fd) && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR)
		(void)step("lock");
	else if (getpid() == self && at_entry != NULL && fstatat(fd, "record", &st, 0) == 0)
		at_entry();
	return result;
}

int renameat(int from_dir, const char *from, int dir, const char *to)
{
	if (getpid() == self && dir == store.dir)
		ck_assert(is_locked(store.dir, "lock"));
	return (int)syscall(SYS_renameat2, from_dir, from, dir, to, 0);
}

/* (a big tree takes its time: it goes when nobody is kept waiting) */
int unlinkat(int dir, const char *name, int flags)
{
	if (getpid() == self && store.dir >= 0 && strcmp(name, CES_STORE_TRASH) == 0)
		ck_assert(!is_locked(store.dir, "lock"));
	return (int)syscall(SYS_unlinkat, dir, name, flags);
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

static struct ces_session session;

static void begin(void)
{
	scene_begin();
	session = (struct ces_session){.runs = runs, .store = store};
	self = getpid();
	tick = 0;
	at_entry = NULL;
}

static void collect(void)
{
	ces_collect(&session, true);
	ck_assert(!is_locked(store.dir, "lock"));
	ck_assert_uint_eq(count(store.staging) + discarded(), 0);
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
	const struct ces_caller me = {.uid = UID, .user = (char[]){"me"}};
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
	ck_assert_int_eq(ces_store_read_grant(&store, &me, reference_of(1), &grant, &err), 0);
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

START_TEST(staging_of_a_dead_pull_and_old_trash_go_and_a_live_pulls_staging_stays)
{
	CES_CLEANUP_FD int live = -1;
	CES_CLEANUP_FD int dead = -1;
	char name[32], other[32];

	ck_assert_int_eq(ces_store_stage(&store, name, &live, NULL, &err), 0);
	ck_assert_int_eq(ces_store_stage(&store, other, &dead, NULL, &err), 0);
	put_text(dead, "file", "");
	ces_cleanup_close(&dead);
	ck_assert_int_eq(mkdirat(store.dir, CES_STORE_TRASH, 0700), 0);
	ck_assert_int_eq(mkdirat(store.dir, CES_STORE_TRASH "/1", 0700), 0);
	put_text(store.dir, CES_STORE_TRASH "/1/file", "");
	put_text(store.dir, CES_STORE_TRASH "/2", "");
	ces_collect(&session, true);
	ck_assert_uint_eq(count(store.staging), 1);
	ck_assert_uint_eq(discarded(), 0);
	ck_assert(is_there(store.staging, name));
	ck_assert_ptr_eq(cleaning, &session);
	ck_assert_uint_eq(cleanings, 1); /* (the store may lose thousands at once) */
	ck_assert_int_eq(unlinkat(store.staging, name, AT_REMOVEDIR), 0);
}
END_TEST

/* (the process that watches a run can start no program) */
START_TEST(a_collector_that_cannot_empty_takes_things_out_and_leaves_them_to_the_next)
{
	have_image(1);
	ces_collect(&session, false);
	ck_assert(!has_image(1));
	ck_assert_uint_eq(count(store.images) + count(store.layers), 0);
	ck_assert_uint_eq(discarded(), 3);
	ck_assert_ptr_null(cleaning);
	collect();
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
	ces_collect(&session, true);
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
	ces_collect(&session, true);
	unreadable = -1;
	ck_assert(has_image(1));
	ck_assert(is_there(store.layers, ces_store_hex(digest(99))));
	close(entry);
}
END_TEST

START_TEST(without_memory_nothing_goes)
{
	const struct ces_caller me = {.uid = UID, .user = (char[]){"me"}};
	int entry = enter("0123456789", digest(2), NULL);
	struct ces_grant grant;

	have_image(1);
	have_image(2);
	give(2, 1, 1, 1); /* past its time, but a run needs it */
	no_memory = true;
	ces_collect(&session, true);
	no_memory = false;
	close(entry);
	ck_assert(has_image(1));
	ck_assert(has_image(2));
	ck_assert_int_eq(ces_store_read_grant(&store, &me, reference_of(2), &grant, &err), 0);
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

/* ---- a process of its own ---- */

static void wait_for_all(void)
{
	while (waitpid(-1, NULL, 0) > 0)
		;
	ck_assert_int_eq(errno, ECHILD);
}

/* The last turn was long ago, or just now; another process waits for the next, or none does. */
START_TEST(one_collector_at_a_time_waits_for_its_turn)
{
	const struct timespec old[2] = {{NOW - 60, 0}, {NOW - 60, 0}},
			      just[2] = {{NOW - 1, 0}, {NOW - 1, 0}};
	CES_CLEANUP_FD int next = openat(store.dir, "next", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	ck_assert_int_eq(futimens(store.lock, _i % 2 == 0 ? old : just), 0);
	if (_i >= 2)
		ck_assert_int_eq(flock(next, LOCK_EX | LOCK_NB), 0);
	have_image(1);
	ces_collect_soon(&session, true);
	wait_for_all();
	ck_assert_int_eq(has_image(1), _i == 3);
	ck_assert(!is_locked(store.dir, "lock"));
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
	tcase_add_test(t, staging_of_a_dead_pull_and_old_trash_go_and_a_live_pulls_staging_stays);
	tcase_add_test(t,
		       a_collector_that_cannot_empty_takes_things_out_and_leaves_them_to_the_next);
	tcase_add_loop_test(t, what_cannot_be_read_now_may_need_anything, 0, 5);
	tcase_add_loop_test(t, a_directory_that_cannot_be_listed_may_have_anything, 0, 3);
	tcase_add_test(t, without_memory_nothing_goes);
	tcase_add_test(t, names_that_are_no_users_and_no_digests_are_nobodys);
	tcase_add_test(t, a_turn_ends_when_its_time_is_up_and_others_come_in_between);
	tcase_add_loop_test(t, one_collector_at_a_time_waits_for_its_turn, 0, 4);
	return run_scenes_between("collect", t, begin, scene_end);
}
