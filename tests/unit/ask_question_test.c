/* Tests the questions to ces-parse and ces-verify: what is asked, of whom, and what stays open if
 * nobody can be asked. */
/* links: helper/core/ask.c */
#include "helper/core/ask.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/io.h"
#include "common/paths.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/steps.h"

static struct ces_error err;
static uint8_t *block;
static size_t length;

/* What the worker's stand-in saw. */
static char path[200];
static struct ces_parse_job job;
static char bytes[64];
static ssize_t n_bytes;
static int seals;
static bool other_ids;

/* What it does. */
static bool no_account, no_process;
static struct ces_parse_answer answer;
static size_t answered; /* bytes of it */
static int ended;

int ces_worker_ids(const char *name, uid_t *ret_uid, gid_t *ret_gid, struct ces_error *error)
{
	ck_assert_str_eq(name, CES_PARSE_USER);
	if (no_account)
		return ces_error_set(error, CES_E_HOST, "no account");
	*ret_uid = 701;
	*ret_gid = 702;
	return 0;
}

int ces_spawn_worker(const struct ces_spawn *how, struct ces_process *ret, struct ces_error *error)
{
	(void)snprintf(path, sizeof(path), "%s", how->path);
	ck_assert_uint_eq(how->n_fds, 2);
	other_ids = how->uid != 701 || how->gid != 702 || how->userns != -1 || how->netns != 0;
	seals = fcntl(how->fds[0], F_GET_SEALS);
	ck_assert_int_eq(ces_read_full(how->fds[0], &job, sizeof(job), -1), 0);
	n_bytes = read(how->fds[0], bytes, sizeof(bytes));
	if (no_process)
		return ces_error_set(error, CES_E_HOST, "no process");
	ck_assert_int_eq(ces_write_full(how->fds[1], &answer, answered, -1), 0);
	ret->pid = 1;
	return 0;
}

int ces_process_end(struct ces_process *process, bool kill_it)
{
	ck_assert(kill_it);
	ended += process->pid != 0;
	process->pid = 0;
	return 0;
}

static int ask(enum ces_parse_kind kind, const struct ces_decision_names *kinds)
{
	memset(&err, 0, sizeof(err));
	return ces_ask(kind, kinds, "{\"a\": 1}", 8, CES_E_POLICY, &block, &length, &err);
}

static void begin(void)
{
	no_account = no_process = false;
	answer = (struct ces_parse_answer){.magic = CES_PARSE_MAGIC};
	answered = sizeof(answer);
	ended = 0;
	path[0] = '\0';
}

START_TEST(a_question_is_the_job_and_then_the_bytes)
{
	ck_assert_int_eq(ask(CES_PARSE_POLICY, NULL), 0);
	ck_assert_str_eq(path, CES_PARSE_PATH);
	ck_assert_uint_eq(job.magic, CES_PARSE_MAGIC);
	ck_assert_uint_eq(job.kind, CES_PARSE_POLICY);
	ck_assert_uint_eq(job.kinds.n, 0);
	ck_assert_int_eq(n_bytes, 8);
	ck_assert_mem_eq(bytes, "{\"a\": 1}", 8);
	ck_assert(!other_ids);
	ck_assert_int_eq(ended, 1);
}
END_TEST

START_TEST(nobody_can_change_a_question_that_was_asked)
{
	ck_assert_int_eq(ask(CES_PARSE_POLICY, NULL), 0);
	ck_assert_int_eq(seals & (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK),
			 F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK);
}
END_TEST

START_TEST(a_question_about_devices_names_their_kinds)
{
	static struct ces_decision_names kinds = {.n = 1};

	(void)snprintf(kinds.v[0], sizeof(kinds.v[0]), "nvidia.com/gpu");
	ck_assert_int_eq(ask(CES_PARSE_CDI, &kinds), 0);
	ck_assert_uint_eq(job.kind, CES_PARSE_CDI);
	ck_assert_mem_eq(&job.kinds, &kinds, sizeof(kinds));
}
END_TEST

START_TEST(signatures_are_a_question_for_ces_verify)
{
	ck_assert_int_eq(ask(CES_PARSE_SIGNED, NULL), 0);
	ck_assert_str_eq(path, CES_VERIFY_PATH);
	ck_assert(!other_ids);
}
END_TEST

START_TEST(a_refusal_has_the_code_that_the_asker_gives)
{
	answer.err.code = CES_E_USAGE;
	(void)snprintf(answer.err.text, sizeof(answer.err.text), "line 3");
	ck_assert_int_eq(ask(CES_PARSE_POLICY, NULL), -1);
	ck_assert_int_eq(err.code, CES_E_POLICY);
	ck_assert_str_eq(err.text, "line 3");
	answer.err.code = CES_E_HOST;
	ck_assert_int_eq(ask(CES_PARSE_POLICY, NULL), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
}
END_TEST

START_TEST(an_answer_that_does_not_come_names_who_gave_none)
{
	answered = 3;
	ck_assert_int_eq(ask(CES_PARSE_POLICY, NULL), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_str_eq(err.text, "ces-parse gave no answer");
	ck_assert_int_eq(ask(CES_PARSE_SIGNED, NULL), -1);
	ck_assert_str_eq(err.text, "ces-verify gave no answer");
	ck_assert_int_eq(ended, 2);
}
END_TEST

START_TEST(a_missing_account_starts_nothing)
{
	no_account = true;
	ck_assert_int_eq(ask(CES_PARSE_POLICY, NULL), -1);
	ck_assert_str_eq(err.text, "no account");
	ck_assert_str_eq(path, "");
}
END_TEST

START_TEST(no_descriptor_stays_open_however_a_question_ends)
{
	size_t before = open_fds();

	ck_assert_int_eq(ask(CES_PARSE_POLICY, NULL), 0);
	ck_assert_uint_eq(open_fds(), before);
	no_process = true;
	ck_assert_int_eq(ask(CES_PARSE_POLICY, NULL), -1);
	ck_assert_str_eq(err.text, "no process");
	ck_assert_uint_eq(open_fds(), before);
	no_account = true;
	ck_assert_int_eq(ask(CES_PARSE_POLICY, NULL), -1);
	ck_assert_uint_eq(open_fds(), before);
	begin();
	answered = 0;
	ck_assert_int_eq(ask(CES_PARSE_POLICY, NULL), -1);
	ck_assert_uint_eq(open_fds(), before);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("question");

	tcase_add_checked_fixture(t, begin, NULL);
	tcase_add_test(t, a_question_is_the_job_and_then_the_bytes);
	tcase_add_test(t, nobody_can_change_a_question_that_was_asked);
	tcase_add_test(t, a_question_about_devices_names_their_kinds);
	tcase_add_test(t, signatures_are_a_question_for_ces_verify);
	tcase_add_test(t, a_refusal_has_the_code_that_the_asker_gives);
	tcase_add_test(t, an_answer_that_does_not_come_names_who_gave_none);
	tcase_add_test(t, a_missing_account_starts_nothing);
	tcase_add_test(t, no_descriptor_stays_open_however_a_question_ends);
	return run_suite("ask_question", t);
}
