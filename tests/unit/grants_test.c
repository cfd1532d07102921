/* Tests grants: who has which image, since when, and that nobody waits for a change. */
/* links: helper/store/grants.c helper/store/store.c helper/session/store.c helper/core/beneath.c helper/session/frames.c helper/session/lock.c helper/session/object.c helper/clean/tree.c */
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "common/record.h"
#include "helper/core/caller.h"
#include "tests/unit/store_scene.h"

#define UID       1234
#define REFERENCE "ghcr.io/lab/tool:1"

/* ---- system calls, which check that a change is made under the user's lock, and that nobody waits
 * for the disk with it ---- */

static const char *user_directory = "1234";

static void check_lock(int dir)
{
	if (steps_noted)
		ck_assert(is_locked(dir, "."));
}

/* A staging directory, or where these are: its steps are not those of the grants. */
static bool is_staging(int dir)
{
	return strcmp(name_of_fd(dir), "staging") == 0 || name_of_fd(dir)[0] == 'x';
}

int renameat(int from_dir, const char *from, int dir, const char *to)
{
	check_lock(dir);
	return step("rename") ? -1 : (int)syscall(SYS_renameat2, from_dir, from, dir, to, 0);
}

int unlinkat(int dir, const char *name, int flags)
{
	if (is_staging(dir))
		return (int)syscall(SYS_unlinkat, dir, name, flags);
	check_lock(dir);
	return step("unlink") ? -1 : (int)syscall(SYS_unlinkat, dir, name, flags);
}

int fdatasync(int fd)
{
	if (steps_noted && is_there(store.grants, user_directory))
		ck_assert(!is_locked(store.grants, user_directory));
	return step("sync") ? -1 : (int)syscall(SYS_fdatasync, fd);
}

/* ---- a grant ---- */

static const struct ces_caller me = {.uid = UID, .user = (char[]){"me"}},
			       other = {.uid = UID, .user = (char[]){"other"}};

static int give(const char *reference, const char *user, uint64_t pulled)
{
	const struct ces_grant grant = {.reference = (char *)(uintptr_t)reference,
					.user = (char *)(uintptr_t)user,
					.top_digest = (char[]){D2},
					.digest = (char[]){D1},
					.project = (char[]){"p"},
					.size = UINT64_MAX,
					.layers = 127,
					.pulled = pulled,
					.used = 99,
					.retain = UINT64_MAX};

	return ces_store_write_grant(&store, UID, &grant, NULL, NULL, &err);
}

static int take(const struct ces_caller *caller, const char *reference, struct ces_grant *ret)
{
	return ces_store_read_grant(&store, caller->uid, caller->user, reference, ret, &err);
}

static void has_none(const struct ces_caller *caller, const char *reference)
{
	struct ces_grant grant = {0};

	ck_assert_int_eq(take(caller, reference, &grant), -1);
	ck_assert_int_eq(err.code, CES_E_NOTFOUND);
	ck_assert_ptr_nonnull(strstr(err.text, "you have no image "));
	ck_assert_ptr_null(grant.memory);
}

/* The file of a grant, in the directory of all users. */
static const char *file_of(const char *reference)
{
	static char path[100];
	char name[CES_DIGEST_LENGTH + 1];

	ces_digest_of(reference, strlen(reference), name);
	(void)snprintf(path, sizeof(path), "%s/%s", user_directory, name + strlen("sha256:"));
	return path;
}

static uint64_t now(void)
{
	return (uint64_t)time(NULL);
}

static void set_time(const char *reference, uint64_t seconds)
{
	const struct timespec times[2] = {{(time_t)seconds, 0}, {(time_t)seconds, 0}};

	ck_assert_int_eq(utimensat(store.grants, file_of(reference), times, 0), 0);
}

static const char *const references[] = {
    REFERENCE,
    "../../../../etc/passwd",
    "/",
    "..",
    "a",
    "ghcr.io/" /* 512 bytes */
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaaaaaaaaaaaaa",
};

START_TEST(a_grant_is_read_as_it_was_given_and_no_byte_of_its_reference_becomes_a_path)
{
	struct ces_grant grant;
	uint64_t when = now();

	(void)umask(0);
	ck_assert_msg(give(references[_i], "me", when) == 0, "%s", err.text);
	ck_assert_uint_eq(mode_of(store.grants, user_directory), 0700);
	ck_assert_uint_eq(mode_of(store.grants, file_of(references[_i])), 0600);
	ck_assert_uint_eq(count(store.grants), 1);
	ck_assert_int_eq(take(&me, references[_i], &grant), 0);
	ck_assert_str_eq(grant.reference, references[_i]);
	ck_assert_str_eq(grant.digest, D1);
	ck_assert_str_eq(grant.top_digest, D2);
	ck_assert_str_eq(grant.project, "p");
	ck_assert_uint_eq(grant.size, UINT64_MAX);
	ck_assert_uint_eq(grant.retain, UINT64_MAX);
	ck_assert_uint_eq(grant.pulled, when);
	ck_assert_uint_eq(grant.used, 0);
	ces_grant_free(&grant);
	ck_assert_int_eq(ces_store_remove_grant(&store, UID, references[_i], &err), 0);
	has_none(&me, references[_i]);
}
END_TEST

START_TEST(a_reference_that_is_too_long_is_given_to_nobody)
{
	char longer[514];

	memset(longer, 'a', 513);
	longer[513] = '\0';
	ck_assert_int_eq(give(longer, "me", now()), -1);
	ck_assert(!is_there(store.grants, file_of(longer)));
	has_none(&me, longer);
}
END_TEST

START_TEST(another_account_with_the_same_number_has_no_grant)
{
	struct ces_grant grant;

	ck_assert_int_eq(give(REFERENCE, "me", now()), 0);
	has_none(&other, REFERENCE);
	has_none(&me, "ghcr.io/lab/tool:2");
	ck_assert_int_eq(take(&me, REFERENCE, &grant), 0); /* (it is still there) */
	ces_grant_free(&grant);
	ck_assert_int_eq(give(REFERENCE, NULL, now()), 0);
	has_none(&me, REFERENCE);
	has_none(&other, REFERENCE);
}
END_TEST

static const uid_t uids[] = {0, 1, 65534, 2147483648u, 4294967294u};

START_TEST(each_number_has_a_directory_of_its_own)
{
	const struct ces_caller caller = {.uid = uids[_i], .user = (char[]){"me"}};
	struct ces_grant grant = {.reference = (char[]){REFERENCE},
				  .user = (char[]){"me"},
				  .top_digest = (char[]){D1},
				  .digest = (char[]){D1},
				  .pulled = 1};

	ck_assert_int_eq(ces_store_write_grant(&store, uids[_i], &grant, NULL, NULL, &err), 0);
	ck_assert_int_eq(take(&caller, REFERENCE, &grant), 0);
	ces_grant_free(&grant);
	has_none(&me, REFERENCE);
}
END_TEST

START_TEST(nothing_is_changed_in_a_users_directory_that_others_can_enter)
{
	ck_assert_int_eq(give(REFERENCE, "me", now()), 0);
	ck_assert_int_eq(fchmodat(store.grants, user_directory, 0750, 0), 0);
	ck_assert_int_eq(give(REFERENCE, "me", now()), -1);
	ck_assert_int_eq(ces_store_remove_grant(&store, UID, REFERENCE, &err), -1);
	ck_assert(!ces_store_expire_grant(&store, UID, REFERENCE));
	ck_assert(is_there(store.grants, file_of(REFERENCE)));
}
END_TEST

/* ---- damage ---- */

struct seen {
	int n;
	char last[513];
};

static void see(const struct ces_grant *grant, void *context)
{
	struct seen *seen = context;

	seen->n++;
	(void)snprintf(seen->last, sizeof(seen->last), "%s", grant->reference);
}

static void damage(int how, const char *place)
{
	CES_CLEANUP_FREE char *frame = NULL;
	CES_CLEANUP_FD int fd = openat(store.grants, place, O_RDONLY | O_CLOEXEC);
	size_t length;

	ck_assert_int_eq(ces_read_file(fd, 1 << 20, &frame, &length), 0);
	if (how == 0)
		length = 0;
	else if (how == 1)
		length--;
	else if (how == 2)
		length++;
	else if (how == 3)
		frame[3] = '2';
	else if (how == 4)
		frame[4]++;
	else
		frame[20] = '\0'; /* in the reference */
	put_bytes(store.grants, place, frame, length);
}

START_TEST(a_damaged_grant_is_none_and_hides_no_other)
{
	struct seen seen = {0};

	ck_assert_int_eq(give(REFERENCE, "me", now()), 0);
	ck_assert_int_eq(give("ghcr.io/lab/tool:2", "me", now()), 0);
	damage(_i, file_of(REFERENCE));
	has_none(&me, REFERENCE);
	ck_assert_int_eq(ces_store_each_grant(&store, UID, see, &seen), 0);
	ck_assert_int_eq(seen.n, 1);
	ck_assert_str_eq(seen.last, "ghcr.io/lab/tool:2");
	ck_assert_int_eq(give(REFERENCE, "me", now()), 0); /* a pull makes it whole */
	ck_assert_int_eq(ces_store_each_grant(&store, UID, see, &seen), 0);
	ck_assert_int_eq(seen.n, 3);
}
END_TEST

START_TEST(a_grant_that_cannot_be_read_now_is_an_error_and_not_none)
{
	struct seen seen = {0};
	struct ces_grant grant;

	ck_assert_int_eq(give("ghcr.io/lab/tool:2", "me", now()), 0);
	ck_assert_int_eq(mkdirat(store.grants, file_of(REFERENCE), 0700), 0);
	ck_assert_int_eq(take(&me, REFERENCE, &grant), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_int_eq(ces_store_each_grant(&store, UID, see, &seen), -1);
	ck_assert_int_eq(seen.n, 1);
	ck_assert_int_eq(ces_store_remove_grant(&store, UID, REFERENCE, &err), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
}
END_TEST

START_TEST(a_link_in_the_place_of_a_grant_is_not_followed)
{
	struct ces_grant grant;

	ck_assert_int_eq(give("ghcr.io/lab/tool:2", "me", now()), 0);
	ck_assert_int_eq(
	    renameat(store.grants, file_of("ghcr.io/lab/tool:2"), store.grants, "1234/elsewhere"),
	    0);
	ck_assert_int_eq(symlinkat("elsewhere", store.grants, file_of(REFERENCE)), 0);
	ck_assert_int_eq(take(&me, REFERENCE, &grant), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
}
END_TEST

START_TEST(a_name_that_is_not_a_grants_is_passed_over)
{
	struct seen seen = {0};
	char name[120];

	ck_assert_int_eq(give(REFERENCE, "me", now()), 0);
	(void)snprintf(name, sizeof(name), "%s.4321", file_of(REFERENCE));
	ck_assert_int_eq(linkat(store.grants, file_of(REFERENCE), store.grants, name, 0), 0);
	ck_assert_int_eq(linkat(store.grants, name, store.grants, "1234/short", 0), 0);
	ck_assert_int_eq(ces_store_each_grant(&store, UID, see, &seen), 0);
	ck_assert_int_eq(seen.n, 1);
	ck_assert_int_eq(ces_store_each_grant(&store, UID + 1, see, &seen), 0);
	ck_assert_int_eq(seen.n, 1);
}
END_TEST

/* (an image with megabytes of environment: a grant that cannot be read would keep every layer of
 * everyone's) */
START_TEST(a_grant_that_would_be_too_long_to_read_is_not_given)
{
	static char value[65536], *env[4];
	struct ces_grant grant = {.reference = (char[]){REFERENCE},
				  .user = (char[]){"me"},
				  .top_digest = (char[]){D1},
				  .digest = (char[]){D1},
				  .pulled = 1,
				  .image = {.env = {env, CES_COUNT(env)}}};
	struct seen seen = {0};
	int given = 0;

	memset(value, 'x', sizeof(value) - 1);
	for (size_t i = 0; i < CES_COUNT(env); i++)
		env[i] = value;
	env[0] = value + 1000; /* (the record alone fits) */
	for (int tries = 0; given == 0; tries++) {
		ck_assert_int_lt(tries, 10);
		given = ces_store_write_grant(&store, UID, &grant, NULL, NULL, &err);
		seen.n = 0;
		ck_assert_int_eq(ces_store_each_grant(&store, UID, see, &seen), 0);
		ck_assert_int_eq(seen.n, 1);
		env[0] -= 100;
	}
	ck_assert_int_eq(err.code, CES_E_IMAGE);
	ck_assert_uint_eq(count(store.staging), 0);
}
END_TEST

/* ---- time ---- */

static const struct {
	int64_t pulled, file; /* before now */
	int64_t used, shown;  /* before now; -1: never used */
} times[] = {
    {100, 100, -1, 100},   {100, 99, -1, 100},                         /* written a moment later */
    {100, 98, 98, 100},    {100, 0, 0, 100},      {100, 101, -1, 101}, /* the clock went back */
    {100, 5000, -1, 5000}, {-5000, 0, -1, 0},     /* the pull is of a clock that was ahead */
    {100, -5000, 0, 100},  {-5000, -5000, -1, 0}, /* so is the file */
};

START_TEST(a_grant_was_used_when_its_file_says_so_and_never_in_the_time_to_come)
{
	struct ces_grant grant;
	int64_t start = (int64_t)now(), late;

	ck_assert_int_eq(give(REFERENCE, "me", (uint64_t)(start - times[_i].pulled)), 0);
	set_time(REFERENCE, (uint64_t)(start - times[_i].file));
	if (times[_i].file < 0) { /* what is read first mends the file's time */
		ck_assert_int_eq(take(&me, REFERENCE, &grant), 0);
		ces_grant_free(&grant);
	}
	ck_assert_int_eq(take(&me, REFERENCE, &grant), 0);
	late = (int64_t)now() - start + 1; /* (a file gets the time of the last tick) */
	if (times[_i].used < 0)
		ck_assert_uint_eq(grant.used, 0);
	else
		ck_assert_int_le(llabs((int64_t)grant.used - (start - times[_i].used)), late);
	ck_assert_int_le(llabs((int64_t)grant.pulled - (start - times[_i].shown)), late);
	ces_grant_free(&grant);
}
END_TEST

/* ---- changes ---- */

START_TEST(a_change_reaches_the_disk_first_and_is_then_made_under_the_users_lock)
{
	ck_assert_int_eq(give("ghcr.io/lab/tool:2", "me", 100), 0);
	note_steps(0);
	ck_assert_int_eq(give(REFERENCE, "me", 100), 0);
	ck_assert_int_eq(ces_store_remove_grant(&store, UID, REFERENCE, &err), 0);
	ck_assert_str_eq(steps, "sync\nrename\nunlink\n");
	ck_assert(!is_locked(store.grants, user_directory));
	ck_assert_uint_eq(count(store.staging), 0);
	ck_assert_int_eq(ces_store_remove_grant(&store, UID, REFERENCE, &err), -1);
	ck_assert_int_eq(err.code, CES_E_NOTFOUND);
}
END_TEST

START_TEST(when_a_step_of_a_grant_fails_the_old_one_stays)
{
	struct ces_grant grant;

	ck_assert_int_eq(give(REFERENCE, "me", 100), 0);
	note_steps(_i);
	ck_assert_int_eq(give(REFERENCE, "other", 200), -1);
	steps_noted = false;
	ck_assert_str_eq(steps, _i == 1 ? "sync\n" : "sync\nrename\n");
	ck_assert_uint_eq(count(store.staging), 0); /* (the new file is gone) */
	ck_assert_int_eq(err.sys, EIO);
	ck_assert(!is_locked(store.grants, user_directory));
	ck_assert_int_eq(take(&me, REFERENCE, &grant), 0);
	ces_grant_free(&grant);
}
END_TEST

/* Another process changes the user's grants, and is slow. A signal ends it. */
static pid_t begin_change(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		int dir = openat(store.grants, user_directory, O_RDONLY | O_CLOEXEC);

		if (flock(dir, LOCK_EX) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		(void)alarm(60);
		(void)pause();
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void end_change(pid_t pid)
{
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

START_TEST(the_end_of_a_grant_never_waits_for_another_change)
{
	pid_t pid;

	ck_assert_int_eq(give(REFERENCE, "me", 100), 0);
	pid = begin_change();
	ck_assert(!ces_store_expire_grant(&store, UID, REFERENCE));
	ck_assert(is_there(store.grants, file_of(REFERENCE)));
	end_change(pid);
	ck_assert(ces_store_expire_grant(&store, UID, REFERENCE));
	ck_assert(!ces_store_expire_grant(&store, UID, REFERENCE));
	ck_assert(!is_there(store.grants, file_of(REFERENCE)));
	ck_assert(!is_locked(store.grants, user_directory));
}
END_TEST

START_TEST(nobody_who_only_reads_waits_for_a_change)
{
	struct seen seen = {0};
	struct ces_grant grant;
	pid_t pid;

	ck_assert_int_eq(give(REFERENCE, "me", 100), 0);
	pid = begin_change();
	ck_assert_int_eq(take(&me, REFERENCE, &grant), 0);
	ces_grant_free(&grant);
	ck_assert_int_eq(ces_store_each_grant(&store, UID, see, &seen), 0);
	ck_assert_int_eq(seen.n, 1);
	end_change(pid);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("grants");

	tcase_add_loop_test(
	    t, a_grant_is_read_as_it_was_given_and_no_byte_of_its_reference_becomes_a_path, 0,
	    CES_COUNT(references));
	tcase_add_test(t, a_reference_that_is_too_long_is_given_to_nobody);
	tcase_add_test(t, a_grant_that_would_be_too_long_to_read_is_not_given);
	tcase_add_test(t, another_account_with_the_same_number_has_no_grant);
	tcase_add_loop_test(t, each_number_has_a_directory_of_its_own, 0, CES_COUNT(uids));
	tcase_add_test(t, nothing_is_changed_in_a_users_directory_that_others_can_enter);
	tcase_add_loop_test(t, a_damaged_grant_is_none_and_hides_no_other, 0, 6);
	tcase_add_test(t, a_grant_that_cannot_be_read_now_is_an_error_and_not_none);
	tcase_add_test(t, a_link_in_the_place_of_a_grant_is_not_followed);
	tcase_add_test(t, a_name_that_is_not_a_grants_is_passed_over);
	tcase_add_loop_test(t, a_grant_was_used_when_its_file_says_so_and_never_in_the_time_to_come,
			    0, CES_COUNT(times));
	tcase_add_test(t, a_change_reaches_the_disk_first_and_is_then_made_under_the_users_lock);
	tcase_add_loop_test(t, when_a_step_of_a_grant_fails_the_old_one_stays, 1, 3);
	tcase_add_test(t, the_end_of_a_grant_never_waits_for_another_change);
	tcase_add_test(t, nobody_who_only_reads_waits_for_a_change);
	return run_scenes("grants", t);
}
