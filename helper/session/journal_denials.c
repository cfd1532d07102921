/* Records each denial, unless there is a flood. Must not let a caller choose which denials are left
 * out: they control only the count of their own.
 *
 * A bucket for each user, "denied-<uid>" beside the journal, holds a thousand denials, and gets ten
 * a minute. A bucket that cannot be read counts as full: in doubt a denial is recorded. The lock on
 * a user's bucket, which only root can take, orders concurrent requests of that user. The journal's
 * lock is taken within it. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/num.h"
#include "helper/core/beneath.h"
#include "helper/session/journal.h"
#include "helper/session/lock.h"

#define NAME     "denied-"
#define DENIAL   60ull /* so that a minute's ten come second by second */
#define A_SECOND 10ull
#define FULL     (1000 * DENIAL)

/* The content of the file. */
struct bucket {
	uint64_t level, time, left_out;
};

static struct bucket read_bucket(int fd)
{
	uint64_t now = (uint64_t)time(NULL), gone;
	struct bucket bucket;

	if (pread(fd, &bucket, sizeof(bucket), 0) != (ssize_t)sizeof(bucket) ||
	    bucket.level > FULL || bucket.time > INT64_MAX || bucket.left_out > INT64_MAX)
		return (struct bucket){FULL, now, 0};
	/* a clock that was set back adds nothing */
	gone = now > bucket.time ? now - bucket.time : 0;
	if (gone >= (FULL - bucket.level) / A_SECOND)
		bucket.level = FULL;
	else
		bucket.level += gone * A_SECOND;
	bucket.time = now;
	return bucket;
}

/* Opens a user's bucket, locks it and reads it. */
static int take_bucket(int dir, const char *name, int flags, int *ret_fd, struct ces_lock *ret_lock,
		       struct bucket *ret)
{
	*ret_fd = ces_beneath_open(dir, name, O_RDWR | O_NONBLOCK | flags, 0600);
	if (*ret_fd < 0 || ces_lock_take(*ret_fd, 2 * CES_LOCK_SECONDS, ret_lock) < 0)
		return -1;
	*ret = read_bucket(*ret_fd);
	return 0;
}

static void write_bucket(int fd, const struct bucket *bucket)
{
	(void)!pwrite(fd, bucket, sizeof(*bucket), 0);
}

static int record_left_out(const struct ces_journal *journal, uid_t uid, struct bucket *bucket,
			   struct ces_error *err)
{
	if (bucket->left_out == 0)
		return 0;
	if (ces_journal_append(journal, ces_journal_denials(uid, bucket->left_out), false, err) < 0)
		return -1;
	bucket->left_out = 0;
	return 0;
}

int ces_journal_append_denial(const struct ces_journal *journal, uid_t uid, struct ces_json record,
			      struct ces_error *err)
{
	CES_CLEANUP_FD int fd = -1;
	CES_CLEANUP_LOCK struct ces_lock lock = CES_LOCK_NONE;
	struct bucket bucket;
	char name[32];
	bool appends = true;
	int result = 0;

	(void)snprintf(name, sizeof(name), NAME "%u", uid);
	if (take_bucket(journal->dir, name, O_CREAT, &fd, &lock, &bucket) == 0) {
		appends = bucket.level >= DENIAL;
		bucket.level -= appends ? DENIAL : 0;
		bucket.left_out += !appends;
		if (appends)
			result = record_left_out(journal, uid, &bucket, err);
		write_bucket(fd, &bucket);
	}
	/* (a busy disk may need longer than the lock may be held) */
	ces_lock_release(&lock);
	if (appends && result == 0)
		return ces_journal_append(journal, record, true, err);
	ces_json_free(&record);
	return result;
}

static void flush_one(int dir, const char *name, void *context)
{
	const struct ces_journal *journal = context;
	CES_CLEANUP_FD int fd = -1;
	CES_CLEANUP_LOCK struct ces_lock lock = CES_LOCK_NONE;
	struct ces_error ignored;
	struct bucket bucket;
	uint64_t uid;

	if (strncmp(name, NAME, strlen(NAME)) != 0 ||
	    ces_num_parse(name + strlen(NAME), 0, UINT32_MAX, &uid) < 0 ||
	    take_bucket(dir, name, 0, &fd, &lock, &bucket) < 0)
		return;
	(void)record_left_out(journal, (uid_t)uid, &bucket, &ignored);
	write_bucket(fd, &bucket);
}

void ces_journal_flush(const struct ces_journal *journal)
{
	(void)ces_beneath_each(journal->dir, flush_one, (void *)(uintptr_t)journal);
}
