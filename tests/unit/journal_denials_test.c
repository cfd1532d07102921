/* Tests that each denial is recorded or counted, and that no flood of one user's, and no damaged
 * count, hides a denial. The clock is the test's own. */
/* links: helper/session/journal_denials.c helper/session/journal_file.c */
/* links: helper/session/journal.c helper/session/json.c helper/session/lock.c */
/* links: helper/session/object.c helper/session/runs.c helper/clean/tree.c */
/* links: helper/core/beneath.c */
#include <check.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/unit/policy_fixture.h"
#include "tests/unit/session_journal.h"

#define MOST 1000

static time_t now = 1000000;
static int syncs, bucket_fails;
static bool many; /* processes, which have a lock when they like */

time_t time(time_t *ret)
{
	if (ret != NULL)
		*ret = now;
	return now;
}

/* (it is only counted, or a thousand would take long) A disk may need longer than a user's lock may
 * be held. */
int fdatasync(int fd)
{
	CES_CLEANUP_FD int bucket = open(DIR_PATH "/denied-1000", O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(fd, journal.fd);
	ck_assert(bucket < 0 || bucket_fails || many || flock(bucket, LOCK_EX | LOCK_NB) == 0);
	syncs++;
	return 0;
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at)
{
	return bucket_fails && n == 24 ? -1 : (ssize_t)syscall(SYS_pwrite64, fd, bytes, n, at);
}

static int try_to_deny(uid_t uid)
{
	struct ces_json record = {0};

	ces_json_object(&record, NULL);
	ces_json_text(&record, "event", "decision");
	ces_json_number(&record, "uid", uid);
	return ces_journal_append_denial(&journal, uid, record, &err);
}

static void deny(uid_t uid, int times)
{
	for (int i = 0; i < times; i++)
		ck_assert_int_eq(try_to_deny(uid), 0);
}

/* Checks how many records the journal has, and that its last lines end so. */
static void has(uint64_t records, const char *last)
{
	CES_CLEANUP_FREE char *text = content(JOURNAL);
	struct link link = follow(JOURNAL, none);

	ck_assert_uint_eq(link.seq, records);
	if (last != NULL)
		ck_assert_str_eq(text + strlen(text) - strlen(last), last);
}

#define COUNTED(uid, count)                                                                        \
	"\"event\":\"denials\",\"outcome\":\"denied\",\"uid\":" uid ",\"count\":" count            \
	",\"reason\":\"too many to be recorded one by one\"}\n"

START_TEST(a_thousand_denials_are_recorded_and_more_are_counted)
{
	size_t fds = open_fds();

	deny(1000, MOST);
	has(MOST, "\"event\":\"decision\",\"uid\":1000}\n");
	ck_assert_int_eq(syncs, MOST);
	deny(1000, 7);
	has(MOST, NULL);
	ck_assert_int_eq(syncs, MOST);
	deny(1001, 1); /* another user's are not */
	has(MOST + 1, "\"uid\":1001}\n");
	ces_journal_flush(&journal);
	has(MOST + 2, COUNTED("1000", "7"));
	ces_journal_flush(&journal);
	has(MOST + 2, NULL);
	ck_assert_uint_eq(open_fds(), fds);
	ck_assert_int_eq(mode_of(DIR_PATH "/denied-1000"), S_IFREG | 0600);
}
END_TEST

START_TEST(ten_a_minute_are_recorded_and_the_count_comes_before_the_next)
{
	CES_CLEANUP_FREE char *text = NULL;

	deny(1000, MOST + 5);
	now += 5;
	deny(1000, 1);
	has(MOST, NULL);
	now += 1;
	deny(1000, 1);
	has(MOST + 2, "\"event\":\"decision\",\"uid\":1000}\n");
	text = content(JOURNAL);
	ck_assert_ptr_nonnull(strstr(text, COUNTED("1000", "6")));
	deny(1000, 1);
	has(MOST + 2, NULL);
	now += 60;
	deny(1000, 20);
	has(MOST + 2 + 1 + 10, NULL);
	now += 100 * 60; /* it is full again, and never more than full */
	now += 100 * 60;
	deny(1000, MOST + 1);
	has(MOST + 2 + 1 + 10 + 1 + MOST, NULL);
}
END_TEST

START_TEST(a_clock_that_jumps_hides_no_denial)
{
	deny(1000, MOST + 1);
	now -= 500000;
	deny(1000, 1);
	has(MOST, NULL);
	now += 6;
	deny(1000, 1);
	has(MOST + 2, NULL);
	now = -1; /* before 1970 */
	deny(1000, 1);
	now = 1000000;
	deny(1000, 1);
	has(MOST + 2 + 2, NULL);
}
END_TEST

static const struct {
	uint64_t level, time, left_out;
	size_t size;
} damaged[] = {
    {0, 1000000, 5, 0},     {0, 1000000, 5, 23},          {60001, 1000000, 5, 24},
    {0, UINT64_MAX, 5, 24}, {0, 1000000, UINT64_MAX, 24}, {UINT64_MAX, UINT64_MAX, UINT64_MAX, 24},
};

START_TEST(a_damaged_count_is_a_full_one)
{
	int fd = open(DIR_PATH "/denied-1000", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_eq(write(fd, &damaged[_i], damaged[_i].size), (ssize_t)damaged[_i].size);
	close(fd);
	deny(1000, MOST + 1);
	has(MOST, "\"event\":\"decision\",\"uid\":1000}\n");
}
END_TEST

START_TEST(a_count_that_cannot_be_read_lets_every_denial_be_recorded)
{
	const char *path = DIR_PATH "/denied-1000";

	write_text("other", "others' words\n");
	ck_assert_int_eq(_i == 0   ? mkfifo(path, 0600)
			 : _i == 1 ? symlink("../../../other", path)
				   : mkdir(path, 0700),
			 0);
	deny(1000, MOST + 3);
	has(MOST + 3, NULL);
	ces_journal_flush(&journal);
	has(MOST + 3, NULL);
	CES_CLEANUP_FREE char *other = content("other");

	ck_assert_str_eq(other, "others' words\n");
}
END_TEST

START_TEST(a_count_that_cannot_be_written_lets_every_denial_be_recorded)
{
	bucket_fails = 1;
	deny(1000, MOST + 3);
	has(MOST + 3, NULL);
}
END_TEST

START_TEST(a_flush_takes_the_files_of_users_alone)
{
	static const struct {
		const char *name;
		uint64_t count;
	} files[] = {{"denied-0", 3},
		     {"denied-4294967295", 2},
		     {"denied-4294967296", 9},
		     {"denied-01", 9},
		     {"denied-", 9},
		     {"denied-1x", 9},
		     {"denied", 9},
		     {"denie-7", 9},
		     {"denied--1", 9},
		     {"denied-18446744073709551616", 9}};
	CES_CLEANUP_FREE char *text = NULL;
	char path[64];

	for (size_t i = 0; i < CES_COUNT(files); i++) {
		uint64_t bucket[3] = {0, 1000000, files[i].count};
		int fd;

		(void)snprintf(path, sizeof(path), DIR_PATH "/%s", files[i].name);
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		ck_assert_int_eq(write(fd, bucket, sizeof(bucket)), sizeof(bucket));
		close(fd);
	}
	ces_journal_flush(&journal);
	has(2, NULL);
	text = content(JOURNAL);
	ck_assert_ptr_nonnull(strstr(text, COUNTED("0", "3")));
	ck_assert_ptr_nonnull(strstr(text, COUNTED("4294967295", "2")));
}
END_TEST

START_TEST(a_count_stays_until_the_journal_has_it)
{
	deny(1000, MOST + 4);
	ck_assert_int_eq(rename(JOURNAL, "old"), 0);
	ck_assert_int_eq(mkdir(JOURNAL, 0700), 0);
	ces_journal_flush(&journal);
	now += 6;
	ck_assert_int_eq(try_to_deny(1000), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_int_eq(rmdir(JOURNAL), 0);
	ces_journal_flush(&journal);
	CES_CLEANUP_FREE char *text = content(JOURNAL);

	ck_assert_ptr_nonnull(strstr(text, COUNTED("1000", "4")));
}
END_TEST

START_TEST(denials_of_one_user_at_once_are_all_recorded_or_counted)
{
	enum { WRITERS = 4, EACH = 500 };
	uint64_t bucket[3] = {60 * 5, 1000000, 0}; /* five more are recorded */
	int fd = open(DIR_PATH "/denied-1000", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int gate[2], status;
	char byte;

	many = true;
	ck_assert_int_eq(write(fd, bucket, sizeof(bucket)), sizeof(bucket));
	ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
	for (int i = 0; i < WRITERS; i++)
		if (fork() == 0) {
			struct ces_journal inherited = journal;

			if (ces_journal_open(&journal, &err) < 0)
				_exit(1);
			ces_journal_close(&inherited);
			close(gate[1]);
			(void)!read(gate[0], &byte, 1);
			for (int j = 0; j < EACH; j++)
				if (try_to_deny(1000) < 0)
					_exit(1);
			_exit(0);
		}
	close(gate[0]);
	close(gate[1]);
	while (wait(&status) > 0)
		ck_assert_int_eq(status, 0);
	has(5, NULL);
	ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
	ck_assert_int_eq(flock(fd, LOCK_UN), 0);
	ces_journal_flush(&journal);
	has(6, COUNTED("1000", "1995"));
	close(fd);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("journal denials");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, journal_begin, journal_end);
	tcase_add_test(t, a_thousand_denials_are_recorded_and_more_are_counted);
	tcase_add_test(t, ten_a_minute_are_recorded_and_the_count_comes_before_the_next);
	tcase_add_test(t, a_clock_that_jumps_hides_no_denial);
	tcase_add_loop_test(t, a_damaged_count_is_a_full_one, 0, CES_COUNT(damaged));
	tcase_add_loop_test(t, a_count_that_cannot_be_read_lets_every_denial_be_recorded, 0, 3);
	tcase_add_test(t, a_count_that_cannot_be_written_lets_every_denial_be_recorded);
	tcase_add_test(t, a_flush_takes_the_files_of_users_alone);
	tcase_add_test(t, a_count_stays_until_the_journal_has_it);
	tcase_add_test(t, denials_of_one_user_at_once_are_all_recorded_or_counted);
	return run_suite("journal denials", t);
}
