/* Tests what the journal does when a write fails, when several write at once, and whom it gives a
 * copy; and whether it finds the end of a run. */
/* links: helper/session/journal_file.c helper/session/json.c helper/session/lock.c */
/* links: helper/session/object.c helper/session/runs.c helper/clean/tree.c */
/* links: helper/session/journal.c helper/core/beneath.c */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/request.h"
#include "tests/unit/policy_fixture.h"
#include "helper/session/session.h"
#include "tests/unit/session_journal.h"

/* Two calls that root's disk decides about. */
static int syncs, fail_sync, fail_head, lock_at_sync;

int fdatasync(int fd)
{
	CES_CLEANUP_FD int head = open(HEAD, O_RDWR | O_CLOEXEC);

	ck_assert_int_eq(fd, journal.fd);
	lock_at_sync = flock(head, LOCK_EX | LOCK_NB);
	syncs++;
	errno = EIO;
	return fail_sync ? -1 : 0;
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at)
{
	errno = ENOSPC;
	return fail_head ? -1 : (ssize_t)syscall(SYS_pwrite64, fd, bytes, n, at);
}

static void most_bytes(rlim_t n)
{
	struct rlimit limit;

	(void)signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = n;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(a_record_that_does_not_fit_on_the_disk_is_an_error_and_the_chain_goes_on)
{
	struct link before;

	append("one");
	before = follow(JOURNAL, none);
	most_bytes((rlim_t)_i + 172);
	ck_assert_int_eq(append_to(&journal, "two", true), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_int_eq(err.sys, EFBIG);
	ck_assert_int_eq(syncs, 0);
	head_is(before);
	most_bytes(RLIM_INFINITY);
	append("three");
	append("four");
	CES_CLEANUP_FREE char *text = content(JOURNAL);

	ck_assert_ptr_null(strstr(text, "\"two\""));
	ck_assert_ptr_nonnull(strstr(text, "\"three\"}\n"));
}
END_TEST

START_TEST(a_head_that_cannot_be_written_is_an_error_and_the_chain_goes_on)
{
	struct link before;

	append("one");
	before = follow(JOURNAL, none);
	fail_head = 1;
	ck_assert_int_eq(append_to(&journal, "two", true), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_int_eq(syncs, 0);
	head_is(before);
	fail_head = 0;
	append("three");
	ck_assert_uint_eq(follow(JOURNAL, none).seq, 3);
	head_is(follow(JOURNAL, none));
}
END_TEST

START_TEST(a_durable_record_waits_for_the_disk_and_holds_up_nobody)
{
	append("one");
	ck_assert_int_eq(syncs, 0);
	ck_assert_int_eq(append_to(&journal, "two", true), 0);
	ck_assert_int_eq(syncs, 1);
	ck_assert_int_eq(lock_at_sync, 0);
	/* the disk has the new file after a rotation */
	ck_assert_int_eq(rename(JOURNAL, "old"), 0);
	ck_assert_int_eq(append_to(&journal, "three", true), 0);
	ck_assert_int_eq(syncs, 2);
	head_is(follow(JOURNAL, follow("old", none)));
	fail_sync = 1;
	ck_assert_int_eq(append_to(&journal, "four", true), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_int_eq(err.sys, EIO);
}
END_TEST

static char *heard(int fd)
{
	static char text[4096];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

START_TEST(syslog_gets_a_copy_of_each_record_that_the_journal_has)
{
	int fd = hear_syslog();
	CES_CLEANUP_FREE char *text = NULL;
	char expected[1024];

	ces_journal_close(&journal);
	ck_assert_int_eq(ces_journal_open(&journal, &err), 0);
	ck_assert_int_ge(journal.syslog, 0);
	append("one");
	text = content(JOURNAL);
	(void)snprintf(expected, sizeof(expected), "<86>ces: %.*s", (int)strlen(text) - 1, text);
	ck_assert_str_eq(heard(fd), expected);
	ck_assert_int_eq(truncate(JOURNAL, (off_t)strlen(text) - 1), 0); /* torn */
	append("two");
	ck_assert_int_eq(strncmp(heard(fd), "<86>ces: {\"seq\":2,", 18), 0);
	fail_sync = 1;
	ck_assert_int_eq(append_to(&journal, "three", true), -1);
	fail_sync = 0;
	fail_head = 1;
	ck_assert_int_eq(append_to(&journal, "four", false), -1);
	fail_head = 0;
	ck_assert_str_eq(heard(fd), "");
	/* a syslog that is full, or gone, is nobody's problem */
	for (int i = 0; i < 2000; i++)
		append("many");
	ck_assert_int_eq(close(fd), 0);
	append("more");
	ck_assert_uint_eq(follow(JOURNAL, none).seq, 2005);
}
END_TEST

/* Writes records when the gate opens. */
static void write_many(int gate, int n)
{
	struct ces_journal own = CES_JOURNAL_NONE;
	int failed = ces_journal_open(&own, &err);
	char byte;

	/* (a disk that takes seconds would end the lock's holder, as it should) */
	(void)signal(SIGALRM, SIG_IGN);
	failed |= read(gate, &byte, 1) != 0;
	for (int i = 0; i < n; i++)
		failed |= append_to(&own, "x", false);
	_exit(failed != 0);
}

START_TEST(records_of_several_writers_make_one_chain_over_rotations)
{
	enum { WRITERS = 4, EACH = 200, ROTATIONS = 20 };
	int gate[2], status, left = WRITERS, n = 0;
	struct link link = none;
	char name[16];

	ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
	for (int i = 0; i < WRITERS; i++)
		if (fork() == 0) {
			close(gate[1]);
			write_many(gate[0], EACH);
		}
	close(gate[1]);
	while (left > 0) {
		pid_t pid = waitpid(-1, &status, n < ROTATIONS ? WNOHANG : 0);

		ck_assert_int_ge(pid, 0);
		ck_assert_msg(pid == 0 || status == 0, "status %d", status);
		left -= pid > 0;
		(void)snprintf(name, sizeof(name), "old-%d", n);
		n += n < ROTATIONS && rename(JOURNAL, name) == 0;
	}
	for (int i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "old-%d", i);
		link = follow(name, link);
	}
	if (access(JOURNAL, F_OK) == 0)
		link = follow(JOURNAL, link);
	ck_assert_uint_eq(link.seq, WRITERS * EACH);
	head_is(link);
	close(gate[0]);
}
END_TEST

/* ---- the end of a run ---- */

#define RUN  "0123456789"
#define PULL "pull-0123456789"

static void append_end(const char *entry, const char *image)
{
	const struct ces_journal_subject about = {
	    .uid = 1000, .user = "ann", .project = "p", .run = entry, .image = image};

	ck_assert_int_eq(ces_journal_append(&journal,
					    ces_journal_end("run", &about, 0, "exit", 1, 1), false,
					    &err),
			 0);
}

START_TEST(the_end_of_a_run_or_a_pull_is_found)
{
	size_t fds = open_fds();

	ck_assert(!ces_journal_has_end(&journal, RUN));
	append_end("1123456789", "x");
	append_end(PULL, "x");
	ck_assert(!ces_journal_has_end(&journal, RUN));
	ck_assert(ces_journal_has_end(&journal, PULL));
	append_end(RUN, "x");
	for (int i = 0; i < 5; i++)
		append("more");
	ck_assert(ces_journal_has_end(&journal, RUN));
	ck_assert_int_eq(rename(JOURNAL, "old"), 0);
	ck_assert(!ces_journal_has_end(&journal, RUN));
	ck_assert_uint_eq(open_fds(), fds);
}
END_TEST

START_TEST(a_caller_cannot_forge_the_end_of_a_run)
{
	const struct ces_host host = {0};
	struct ces_request request = {.verb = 2,
				      .image = (char *)"\",\"run\":\"" RUN "\",\"event\":\"end\"",
				      .project =
					  (char *)"\n{\"run\":\"" RUN "\",\"event\":\"end\"}\n"};
	const struct ces_session session = {.uid = 1000, .request = &request, .host = &host};
	const struct ces_error why = {.code = CES_E_DENIED, .text = "\"event\":\"end\""};

	append_end("1123456789", "\"run\":\"" RUN "\"");
	ck_assert_int_eq(
	    ces_journal_append(
		&journal, ces_journal_decision(&session, NULL, RUN, NULL, NULL, &why), false, &err),
	    0);
	ck_assert(!ces_journal_has_end(&journal, RUN));
}
END_TEST

START_TEST(an_end_that_was_torn_is_none)
{
	CES_CLEANUP_FREE char *text = NULL;
	char *at;

	append("one");
	append_end(RUN, "x");
	text = content(JOURNAL);
	at = strstr(text, "\"status\"");
	ck_assert_int_eq(truncate(JOURNAL, at - text + _i), 0);
	ck_assert(!ces_journal_has_end(&journal, RUN));
	append("two");
	ck_assert(!ces_journal_has_end(&journal, RUN));
	append_end(RUN, "x");
	ck_assert(ces_journal_has_end(&journal, RUN));
}
END_TEST

/* A power cut may leave zeros in a file. */
START_TEST(an_end_is_found_after_bytes_that_are_no_text)
{
	int fd = open(JOURNAL, O_WRONLY | O_APPEND | O_CLOEXEC);

	ck_assert_int_eq(write(fd, "\0\0\0\0", 4), 4);
	close(fd);
	append_end(RUN, "x");
	ck_assert(ces_journal_has_end(&journal, RUN));
}
END_TEST

START_TEST(the_end_is_found_among_the_newest_records)
{
	char big[60000];
	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	append_end(RUN, "x");
	for (int i = 0; i < 10; i++)
		append(big);
	ck_assert(ces_journal_has_end(&journal, RUN));
	for (int i = 0; i < 10; i++)
		append(big);
	ck_assert(!ces_journal_has_end(&journal, RUN)); /* (more than a MiB ago) */
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("journal write");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, journal_begin, journal_end);
	tcase_add_loop_test(
	    t, a_record_that_does_not_fit_on_the_disk_is_an_error_and_the_chain_goes_on, 0, 3);
	tcase_add_test(t, a_head_that_cannot_be_written_is_an_error_and_the_chain_goes_on);
	tcase_add_test(t, a_durable_record_waits_for_the_disk_and_holds_up_nobody);
	tcase_add_test(t, syslog_gets_a_copy_of_each_record_that_the_journal_has);
	tcase_add_test(t, records_of_several_writers_make_one_chain_over_rotations);
	tcase_add_test(t, the_end_of_a_run_or_a_pull_is_found);
	tcase_add_test(t, a_caller_cannot_forge_the_end_of_a_run);
	tcase_add_loop_test(t, an_end_that_was_torn_is_none, 0, 2);
	tcase_add_test(t, an_end_is_found_after_bytes_that_are_no_text);
	tcase_add_test(t, the_end_is_found_among_the_newest_records);
	return run_suite("journal write", t);
}
