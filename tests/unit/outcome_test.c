/* Tests what a caller reads about a run, and how the list of its outputs is asked for and
 * believed. */
/* links: helper/watch/outcome.c helper/watch/list.c helper/session/report.c helper/session/json.c */
#include "helper/watch/outcome.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "common/event.h"
#include "common/image.h"
#include "common/io.h"
#include "common/request.h"
#include "helper/launch/config.h"
#include "helper/watch/list.h"
#include "tests/unit/hearing.h"
#include "tests/unit/policy_fixture.h"

#define RUN "0123456789"

static struct ces_request request;
static struct ces_host host;
static struct ces_decision decision;
static struct ces_session session;
static struct ces_image_record image;
static struct ces_plan plan;
static const char *command = "/usr/bin/true";
static int64_t ahead; /* of the clock, ms */

/* ---- stand-ins ---- */

const char *ces_config_command(const struct ces_plan *of)
{
	(void)of;
	return command;
}

/* A text that a runtime left. */
int openat(int dir, const char *path, int flags, ...)
{
	(void)dir;
	ck_assert_str_eq(path, "/run/log");
	return (int)syscall(SYS_openat, directory, "log", flags, 0);
}

int clock_gettime(clockid_t id, struct timespec *ret)
{
	int result = (int)syscall(SYS_clock_gettime, id, ret);

	ret->tv_sec += ahead / 1000;
	return result;
}

/* Nothing comes but what is there: the time is over at once. */
int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	int got = (int)syscall(SYS_poll, fds, n, 0);

	if (got == 0) {
		note("waits %d s", (timeout + 999) / 1000);
		ahead += timeout + 1000;
	}
	return got;
}

static struct ces_spawn how;
static int theirs = -1, spawned;

int ces_spawn_worker(const struct ces_spawn *asked, struct ces_process *ret, struct ces_error *err)
{
	how = *asked;
	ck_assert_uint_eq(asked->n_fds, 2);
	note("%d", asked->fds[0]);
	if (spawned < 0)
		return ces_error_set(err, CES_E_HOST, "no process");
	theirs = dup(asked->fds[1]);
	ret->pid = 77;
	return 0;
}

/* ---- the scene ---- */

static void set_up(void)
{
	hearing_begin();
	session = (struct ces_session){.request = &request, .host = &host};
	image.digest = (char *)(uintptr_t)D1;
	plan = (struct ces_plan){.run = RUN,
				 .session = &session,
				 .decision = &decision,
				 .image = &image,
				 .outputs = "/home/ann/o",
				 .map = {.user = 7, .group = 8}};
	strcpy(decision.project, "p");
	decision.limits = (struct ces_policy_limits){.time = 60, .memory = 1 << 20, .cpus = 500};
}

static void tear_down(void)
{
	(void)unlinkat(directory, "log", 0);
	directory_end();
}

static void log_is(const char *text, size_t length)
{
	int fd = (int)syscall(SYS_openat, directory, "log", O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_eq(write(fd, text, length), (ssize_t)length);
	close(fd);
}

/* No more comes. */
static void silence(void)
{
	char byte;

	close(CES_FD_EVENT);
	ck_assert_int_eq(read(events, &byte, 1), 0);
}

/* ---- the beginning ---- */

START_TEST(a_start_names_the_run_and_its_limits)
{
	struct ces_event_started event;

	request.flags = (_i & 1) != 0 ? CES_FLAG_DETACH : 0;
	ces_outcome_started(&plan, (_i & 2) != 0);
	hear(&ces_event_started_schema, &event);
	ck_assert_str_eq(event.run, RUN);
	ck_assert_str_eq(event.outputs, "/home/ann/o");
	ck_assert_str_eq(event.project, "p");
	ck_assert_str_eq(event.digest, D1);
	ck_assert_uint_eq(event.most_time, 60);
	ck_assert_uint_eq(event.most_memory, 1 << 20);
	ck_assert_uint_eq(event.most_cpus, 500);
	ces_wire_free(&ces_event_started_schema, &event);
	/* a detached run is done for its client when a program began, and not before */
	if (_i == 3) {
		struct ces_event_done done;

		hear(&ces_event_done_schema, &done);
		ck_assert_str_eq(done.run, RUN);
		ces_wire_free(&ces_event_done_schema, &done);
	}
	silence();
}
END_TEST

/* ---- what a runtime said ---- */

START_TEST(a_program_that_ran_well_has_no_log)
{
	struct ces_end end = {.status = 0, .reason = "exit"};

	log_is("warning", 7);
	ces_outcome_read_log(&plan, &end);
	ck_assert_int_eq(end.status, 0);
	ck_assert_str_eq(end.reason, "exit");
	ck_assert_str_eq(end.text, "");
}
END_TEST

START_TEST(a_status_without_a_log_is_the_programs)
{
	struct ces_end end = {.status = 3, .reason = "exit"};

	if (_i == 1)
		log_is("", 0);
	if (_i == 2) /* a link, which nobody but the runtime could make, is not followed */
		ck_assert_int_eq(symlinkat("/etc/passwd", directory, "log"), 0);
	ces_outcome_read_log(&plan, &end);
	ck_assert_int_eq(end.status, 3);
	ck_assert_str_eq(end.reason, "exit");
	ck_assert_str_eq(end.text, "");
}
END_TEST

START_TEST(a_runtime_that_gave_up_is_quoted_as_one_clean_line)
{
	struct ces_end end = {.status = 1, .reason = "exit"};

	log_is("no\n\033[2J\x80\x7fsuch file\0hidden", 25);
	ces_outcome_read_log(&plan, &end);
	ck_assert_int_eq(end.status, CES_EXIT_REFUSED);
	ck_assert_str_eq(end.reason, CES_EXITED_RUNTIME);
	ck_assert_str_eq(end.text, "cannot start /usr/bin/true: no??[2J??such file");
}
END_TEST

START_TEST(the_longest_command_and_log_still_reach_the_client)
{
	struct ces_end end = {.status = 1, .reason = "exit"};
	struct ces_event_exited event;
	char words[2001];

	memset(words, 'w', 2000);
	words[2000] = '\0';
	command = words;
	log_is(words, 2000);
	ces_outcome_read_log(&plan, &end);
	ck_assert_uint_eq(strlen(end.text), strlen("cannot start : ") + 100 + 390);
	ces_outcome_exited(&plan, &end);
	hear(&ces_event_exited_schema, &event);
	ck_assert_str_eq(event.text, end.text);
	ces_wire_free(&ces_event_exited_schema, &event);
	silence();
}
END_TEST

/* ---- the end ---- */

static const struct {
	uint64_t check;
	bool withheld;
	const char *contact;
	bool named;
} contacts[] = {
    {CES_LIST_UNASKED, false, "ann@x", false}, {CES_LIST_PASSED, false, "ann@x", false},
    {CES_LIST_FAILED, false, "ann@x", true},   {CES_LIST_UNCHECKED, false, "ann@x", true},
    {CES_LIST_PASSED, true, "ann@x", true},    {CES_LIST_FAILED, true, "", false},
};

START_TEST(an_end_has_its_figures_and_whom_to_ask_where_there_is_something_to_ask)
{
	struct ces_end end = {.status = 137,
			      .reason = "memory limit",
			      .limit = CES_LIMIT_MEMORY,
			      .value = 5,
			      .most = 6,
			      .usage = {.peak_memory = 7, .cpu_us = 8},
			      .outputs = {.check = contacts[_i].check, .findings = 9, .files = 10},
			      .withheld = contacts[_i].withheld};
	struct ces_event_exited event;

	strcpy(host.contact, contacts[_i].contact);
	ces_outcome_exited(&plan, &end);
	hear(&ces_event_exited_schema, &event);
	ck_assert_uint_eq(event.status, 137);
	ck_assert_str_eq(event.reason, "memory limit");
	ck_assert_uint_eq(event.limit, CES_LIMIT_MEMORY);
	ck_assert_uint_eq(event.value, 5);
	ck_assert_uint_eq(event.most, 6);
	ck_assert_uint_eq(event.peak_memory, 7);
	ck_assert_uint_eq(event.cpu_us, 8);
	ck_assert_uint_eq(event.check, contacts[_i].check);
	ck_assert_uint_eq(event.findings, 9);
	ck_assert_uint_eq(event.files, 10);
	ck_assert_uint_eq(event.withheld, contacts[_i].withheld);
	ck_assert_ptr_null(event.text);
	if (contacts[_i].named)
		ck_assert_str_eq(event.contact, contacts[_i].contact);
	else
		ck_assert_ptr_null(event.contact);
	ces_wire_free(&ces_event_exited_schema, &event);
	silence();
}
END_TEST

/* ---- the list of outputs ---- */

START_TEST(the_lister_gets_its_job_in_the_runs_namespace_and_nothing_else)
{
	struct ces_container container = {.userns = 33};
	struct ces_process process = CES_PROCESS_NONE;
	struct ces_list_job job;
	int channel = -1;

	plan.mounts[CES_PLAN_OUTPUTS].fd = 44;
	decision.manifest = (struct ces_policy_manifest){.time = 1, .size = 2, .files = 3};
	strcpy(decision.check, "{\"a\":1}");
	ces_list_start(&plan, &container, &process, &channel);
	NOTED("44\n");
	ck_assert_str_eq(how.path, CES_LIST_PATH);
	ck_assert_int_eq(how.userns, 33);
	ck_assert_int_eq(how.netns, -1);
	ck_assert_uint_eq(how.uid, 65534);
	ck_assert_uint_eq(how.gid, 8);
	ck_assert_uint_eq(how.capabilities, CES_LIST_CAPABILITIES);
	ck_assert_int_eq(process.pid, 77);
	ck_assert_int_eq(ces_read_full(theirs, &job, sizeof(job), -1), 0);
	ck_assert_str_eq(job.run, RUN);
	ck_assert_uint_eq(job.user, 7);
	ck_assert_uint_eq(job.group, 8);
	ck_assert_uint_eq(job.most.files, 3);
	ck_assert_str_eq(job.check, "{\"a\":1}");
	ck_assert_int_eq(fcntl(channel, F_GETFD), FD_CLOEXEC);
	/* (no second holder of its end: it reads the end when this process is gone) */
	close(theirs);
	ck_assert_int_eq(send(channel, "", 1, MSG_NOSIGNAL), -1);
	ck_assert_int_eq(errno, EPIPE);
	close(channel);
}
END_TEST

START_TEST(the_lister_never_has_the_callers_uid)
{
	struct ces_container container = {.userns = 33};
	struct ces_process process = CES_PROCESS_NONE;
	int channel = -1;

	plan.map.user = 65534;
	ces_list_start(&plan, &container, &process, &channel);
	ck_assert_uint_eq(how.uid, 65533);
	close(channel);
	close(theirs);
}
END_TEST

START_TEST(outputs_are_not_listed_where_the_lister_did_not_start)
{
	struct ces_container container = {.userns = 33};
	struct ces_process process = CES_PROCESS_NONE;
	struct ces_list_answer answer = {.files = 9};
	int channel = -1;

	if (_i == 0) {
		spawned = -1;
		ces_list_start(&plan, &container, &process, &channel);
		noted->text[0] = '\0';
	}
	ces_list_take(channel, &plan, &answer);
	NOTED("");
	ck_assert_uint_eq(answer.state, CES_LIST_STATES);
	ck_assert_uint_eq(answer.check, CES_LIST_UNASKED);
	ck_assert_uint_eq(answer.files, 0);
}
END_TEST

static const struct {
	const char *what;
	uint64_t state, check, check_unasked, check_asked;
	size_t length;
	const char *digest;
	bool good;
} answers[] = {
    {"whole", 0, 1, 0, 1, sizeof(struct ces_list_answer), D1, true},
    {"cut", 1, 2, 0, 2, sizeof(struct ces_list_answer), D1, true},
    {"changed, not checked", 2, 3, 0, 3, sizeof(struct ces_list_answer), D1, true},
    {"says that it was not asked", 0, 0, 0, 3, sizeof(struct ces_list_answer), D1, true},
    {"no such check", 0, UINT64_MAX, 0, 3, sizeof(struct ces_list_answer), D1, true},
    {"no such state", 3, 1, 0, 3, sizeof(struct ces_list_answer), D1, false},
    {"a state far out", UINT64_MAX, 1, 0, 3, sizeof(struct ces_list_answer), D1, false},
    {"short", 0, 1, 0, 3, sizeof(struct ces_list_answer) - 1, D1, false},
    {"nothing", 0, 1, 0, 3, 0, D1, false},
    {"no digest", 0, 1, 0, 3, sizeof(struct ces_list_answer), "", false},
    {"quotes in the digest", 0, 1, 0, 3, sizeof(struct ces_list_answer), "\",\"", false},
    {"a digest without an end", 0, 1, 0, 3, sizeof(struct ces_list_answer), D1 "1", false},
};

START_TEST(an_answer_is_believed_in_its_numbers_and_its_form_alone)
{
	struct ces_list_answer answer = {.state = answers[_i].state,
					 .files = UINT64_MAX,
					 .bytes = 2,
					 .check = answers[_i].check,
					 .findings = 4},
			       got = {.files = 9};
	int pair[2];

	memcpy(answer.digest, answers[_i].digest,
	       strnlen(answers[_i].digest, sizeof(answer.digest)));
	for (int asked = 0; asked < 2; asked++) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		ck_assert_int_eq(write(pair[1], &answer, answers[_i].length),
				 (ssize_t)answers[_i].length);
		(void)shutdown(pair[1], SHUT_WR);
		strcpy(decision.check, asked == 1 ? "{}" : "");
		ces_list_take(pair[0], &plan, &got);
		ck_assert_uint_eq(got.state, answers[_i].good ? answer.state : CES_LIST_STATES);
		ck_assert_uint_eq(got.files, answers[_i].good ? UINT64_MAX : 0);
		ck_assert_uint_eq(got.check,
				  asked == 1 ? answers[_i].check_asked : answers[_i].check_unasked);
		close(pair[0]);
		close(pair[1]);
	}
}
END_TEST

START_TEST(a_lister_that_says_nothing_has_less_than_the_minute_of_an_end)
{
	struct ces_list_answer got = {0};
	char byte = 'x';
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ces_list_take(pair[0], &plan, &got);
	NOTED("waits 45 s\n");
	ck_assert_uint_eq(got.state, CES_LIST_STATES);
	ck_assert_int_eq(read(pair[1], &byte, 1), 1);
	ck_assert_int_eq(byte, 0);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

static const struct {
	uint64_t state, check;
	const char *record;
} records[] = {
    {CES_LIST_WHOLE, CES_LIST_UNASKED,
     "{\"outputs\":\"listed\",\"manifest\":\"" D1 "\",\"files\":1,\"bytes\":2}"},
    {CES_LIST_CUT, CES_LIST_PASSED,
     "{\"outputs\":\"cut\",\"manifest\":\"" D1
     "\",\"files\":1,\"bytes\":2,\"check\":\"passed\",\"findings\":3}"},
    {CES_LIST_CHANGED, CES_LIST_FAILED,
     "{\"outputs\":\"changed\",\"manifest\":\"" D1
     "\",\"files\":1,\"bytes\":2,\"check\":\"failed\",\"findings\":3}"},
    {CES_LIST_STATES, CES_LIST_UNCHECKED,
     "{\"outputs\":\"not listed\",\"check\":\"not checked\",\"findings\":3}"},
    {CES_LIST_STATES, CES_LIST_UNASKED, "{\"outputs\":\"not listed\"}"},
};

START_TEST(the_record_says_what_came_of_it)
{
	const struct ces_list_answer answer = {.state = records[_i].state,
					       .files = 1,
					       .bytes = 2,
					       .check = records[_i].check,
					       .findings = 3,
					       .digest = D1};
	struct ces_json json = {0};

	ces_json_object(&json, NULL);
	ces_list_record(&answer, &json);
	ck_assert_str_eq(ces_json_end(&json), records[_i].record);
	ces_json_free(&json);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("outcome");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, a_start_names_the_run_and_its_limits, 0, 4);
	tcase_add_test(t, a_program_that_ran_well_has_no_log);
	tcase_add_loop_test(t, a_status_without_a_log_is_the_programs, 0, 3);
	tcase_add_test(t, a_runtime_that_gave_up_is_quoted_as_one_clean_line);
	tcase_add_test(t, the_longest_command_and_log_still_reach_the_client);
	tcase_add_loop_test(t,
			    an_end_has_its_figures_and_whom_to_ask_where_there_is_something_to_ask,
			    0, CES_COUNT(contacts));
	tcase_add_test(t, the_lister_gets_its_job_in_the_runs_namespace_and_nothing_else);
	tcase_add_test(t, the_lister_never_has_the_callers_uid);
	tcase_add_loop_test(t, outputs_are_not_listed_where_the_lister_did_not_start, 0, 2);
	tcase_add_loop_test(t, an_answer_is_believed_in_its_numbers_and_its_form_alone, 0,
			    CES_COUNT(answers));
	tcase_add_test(t, a_lister_that_says_nothing_has_less_than_the_minute_of_an_end);
	tcase_add_loop_test(t, the_record_says_what_came_of_it, 0, CES_COUNT(records));
	return run_suite("outcome", t);
}
