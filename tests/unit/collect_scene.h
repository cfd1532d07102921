/* A store for the collector: the clock is the test's, and every removal is looked at. */
#ifndef CES_TESTS_UNIT_COLLECT_SCENE_H
#define CES_TESTS_UNIT_COLLECT_SCENE_H

#include "helper/store/modes.h"

#include <dlfcn.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

#include "common/image.h"
#include "common/record.h"
#include "helper/session/signed.h"
#define SCENE_HAS_ROOT
#include "tests/unit/store_scene.h"

#include "tests/unit/no_memory.h"
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

/* ---- what is in the store ---- */

/* An image has a layer of its own, 100 and its number, and layer 50. */
static struct ces_image_record record_of(unsigned image)
{
	static char layers[2][CES_DIGEST_LENGTH + 1], of[CES_DIGEST_LENGTH + 1];
	static char *diff_ids[] = {layers[0], layers[1]};

	(void)strcpy(of, digest(image));
	(void)strcpy(layers[0], digest(50));
	(void)strcpy(layers[1], digest(100 + image));
	return (struct ces_image_record){.digest = of, .diff_ids = {diff_ids, 2}};
}

static void have_image(unsigned image)
{
	const struct ces_image_record record = record_of(image);
	const struct ces_bytes none = {record.digest, 0};

	have_layer(record.diff_ids.v[0], 1, D1);
	have_layer(record.diff_ids.v[1], 1, D1);
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
				  .retain = retain,
				  .image = record_of(image)};
	char of[CES_DIGEST_LENGTH + 1], path[100];

	ck_assert_int_eq(ces_store_write_grant(&store, UID, &grant, NULL, NULL, &err), 0);
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

#endif
