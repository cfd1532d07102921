/* Tests the answers of ces-parse and ces-decode: each is believed within its bounds, and nobody
 * waits for a missing one. */
/* links: helper/core/ask.c helper/core/spawn.c */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/io.h"
#include "helper/core/ask.h"
#include "tests/unit/policy_fixture.h"

#define MAX 4096

static struct ces_error err;
static uint8_t *block;
static size_t length;

static size_t kills; /* by a process's number */

int kill(pid_t pid, int number)
{
	kills++;
	return (int)syscall(SYS_kill, pid, number);
}

/* Takes an answer of a child: a header, then n bytes, then silence for a while or the end. */
static int take(const struct ces_parse_answer *answer, size_t head, size_t n, bool linger)
{
	struct ces_asking asking = {CES_PROCESS_NONE, -1};
	static uint8_t zeros[2 * MAX];
	int ends[2], side, result;

	memset(&err, 0, sizeof(err));
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	side = ces_process_clone(0, -1, &asking.process);
	ck_assert_int_ge(side, 0);
	if (side == 0) {
		bool sent = ces_write_full(ends[1], answer, head, -1) == 0 &&
			    ces_write_full(ends[1], zeros, n, -1) == 0;

		if (linger)
			(void)sleep(30);
		_exit(sent ? 0 : 1);
	}
	close(ends[1]);
	asking.answer = ends[0];
	result = ces_ask_take(&asking, MAX, ces_now_ms() + (linger ? 300 : 10000), &block, &length,
			      &err);
	/* (whatever its end, somebody has waited for it) */
	ck_assert_int_eq(asking.process.pid, 0);
	ck_assert_int_eq(asking.answer, -1);
	return result;
}

static struct ces_parse_answer good(size_t n)
{
	return (struct ces_parse_answer){.magic = CES_PARSE_MAGIC, .length = n};
}

START_TEST(a_whole_answer_is_accepted)
{
	struct ces_parse_answer answer = good(100);

	ck_assert_int_eq(take(&answer, sizeof(answer), 100, false), 1);
	ck_assert_uint_eq(length, 100);
	ck_assert_ptr_nonnull(block);
	free(block);
}
END_TEST

START_TEST(an_answer_without_a_block_is_accepted)
{
	struct ces_parse_answer answer = good(0);

	block = (uint8_t *)1;
	ck_assert_int_eq(take(&answer, sizeof(answer), 0, false), 1);
	ck_assert_ptr_null(block);
}
END_TEST

START_TEST(an_answer_that_is_cut_short_late_or_too_long_is_refused)
{
	struct ces_parse_answer answer = good(100);

	ck_assert_int_eq(take(&answer, 0, 0, false), -1);
	ck_assert_int_eq(take(&answer, sizeof(answer) - 1, 0, false), -1);
	ck_assert_int_eq(take(&answer, sizeof(answer), 99, false), -1);
	ck_assert_int_eq(take(&answer, sizeof(answer), 99, true), -1);
	ck_assert_int_eq(take(&answer, 0, 0, true), -1);
	answer.length = MAX + 1;
	ck_assert_int_eq(take(&answer, sizeof(answer), 2 * MAX, false), -1);
	answer.length = UINT64_MAX;
	ck_assert_int_eq(take(&answer, sizeof(answer), 0, true), -1);
	answer = good(100);
	answer.magic++;
	ck_assert_int_eq(take(&answer, sizeof(answer), 100, false), -1);
}
END_TEST

START_TEST(a_refusal_is_terminated_and_has_no_control_characters)
{
	struct ces_parse_answer answer = good(0);

	memset(answer.err.text, '\033', sizeof(answer.err.text));
	answer.err.code = CES_E_POLICY;
	ck_assert_int_eq(take(&answer, sizeof(answer), 0, false), 0);
	ck_assert_int_eq(err.code, CES_E_USAGE);
	ck_assert_uint_lt(strlen(err.text), sizeof(err.text));
	ck_assert_ptr_null(strchr(err.text, '\033'));
	/* (a fault of the machine is not the caller's) */
	answer.err.code = CES_E_INTERNAL;
	ck_assert_int_eq(take(&answer, sizeof(answer), 0, false), 0);
	ck_assert_int_eq(err.code, CES_E_HOST);
	/* (no error has this number) */
	answer.err.code = (enum ces_code)77;
	ck_assert_int_eq(take(&answer, sizeof(answer), 0, false), 0);
	ck_assert_int_eq(err.code, CES_E_USAGE);
}
END_TEST

START_TEST(a_process_whose_end_was_taken_is_not_killed_by_its_number)
{
	struct ces_process process = CES_PROCESS_NONE;
	int side = ces_process_clone(0, -1, &process);

	ck_assert_int_ge(side, 0);
	if (side == 0)
		_exit(0);
	ck_assert_int_eq(waitpid(process.pid, NULL, 0), process.pid);
	ck_assert_int_eq(ces_process_end(&process, true), -1);
	ck_assert_uint_eq(kills, 0);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("ask");

	(void)signal(SIGPIPE, SIG_IGN);
	tcase_add_test(t, a_whole_answer_is_accepted);
	tcase_add_test(t, an_answer_without_a_block_is_accepted);
	tcase_add_test(t, an_answer_that_is_cut_short_late_or_too_long_is_refused);
	tcase_add_test(t, a_refusal_is_terminated_and_has_no_control_characters);
	tcase_add_test(t, a_process_whose_end_was_taken_is_not_killed_by_its_number);
	return run_suite("ask", t);
}
