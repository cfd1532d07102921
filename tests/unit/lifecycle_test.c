/* Tests listing, showing and ending runs: each caller sees and ends their own live runs alone. */
/* links: helper/watch/lifecycle.c helper/session/runs.c helper/session/object.c helper/clean/tree.c helper/session/report.c helper/core/beneath.c */
#include <check.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/event.h"
#include "common/request.h"
#include "helper/session/runs.h"
#include "helper/session/session.h"
#include "helper/clean/tree.h"
#include "helper/pull/collect.h"
#include "helper/watch/finish.h"
#include "tests/unit/hearing.h"
#include "tests/unit/policy_fixture.h"

#define RUN    "0123456789"
#define SECOND "0000000002"
#define THEIRS "0000000003"

static struct ces_request request;
static struct ces_session session;
static struct ces_error problem;
static int stop_fd;
static int lock = -1;       /* of RUN */
static int64_t ahead;       /* of the clock, us */
static int ends_after = -1; /* so many looks later the run is gone; -1: never */

/* ---- stand-ins ---- */

int clock_gettime(clockid_t id, struct timespec *ret)
{
	int result = (int)syscall(SYS_clock_gettime, id, ret);

	ret->tv_sec += ahead / 1000000;
	return result;
}

unsigned alarm(unsigned seconds)
{
	note("%u seconds", seconds);
	return 0;
}

/* The helper of the run ends it meanwhile. */
int usleep(unsigned us)
{
	ahead += us;
	if (ends_after >= 0 && ends_after-- == 0) {
		uint32_t grace = 0;

		ck_assert_int_eq(read(stop_fd, &grace, sizeof(grace)), sizeof(grace));
		note("ends with a grace of %u", grace);
		ces_runs_leave(session.runs, RUN);
		ces_cleanup_close(&lock);
	}
	return 0;
}

void ces_finish_all_dead(struct ces_session *of, bool kept)
{
	(void)of;
	note(kept ? "kept runs are cleaned" : "dead runs are finished");
}

void ces_journal_flush(const struct ces_journal *journal)
{
	(void)journal;
	note("denials are counted");
}

void ces_collect(struct ces_session *of, bool soon)
{
	ck_assert(!soon);
	note("collects%s", of == &session ? "" : " elsewhere");
}

/* ---- the scene ---- */

static int enter(const char *run, uid_t uid, const char *name, const char *digest, int *ret_stop)
{
	uint64_t ports[] = {8080 << 16 | 80};
	struct ces_run_record record = {.run = (char *)(uintptr_t)run,
					.uid = uid,
					.name = (char *)(uintptr_t)name,
					.image = (char *)(uintptr_t) "ghcr.io/a/b:1",
					.digest = (char *)(uintptr_t)digest,
					.project = (char *)(uintptr_t) "p",
					.started = 12,
					.outputs = (char *)(uintptr_t) "/home/ann/o",
					.ports = {ports, 1}};
	int held = -1;

	ck_assert_int_eq(ces_runs_enter(session.runs, &record, &held, ret_stop, &problem), 0);
	return held;
}

static void set_up(void)
{
	hearing_begin();
	session = (struct ces_session){.uid = 1000, .request = &request, .runs = directory};
	lock = enter(RUN, 1000, "mine", D1, &stop_fd);
	noted->text[0] = '\0';
}

static void tear_down(void)
{
	CES_CLEANUP_FD int own = dup(directory);

	ck_assert_int_eq(ces_tree_empty(own), 0);
	directory_end();
}

static void hear_run(const char *run, const char *name)
{
	struct ces_event_run event;

	hear(&ces_event_run_schema, &event);
	ck_assert_str_eq(event.run, run);
	if (name == NULL)
		ck_assert_ptr_null(event.name);
	else
		ck_assert_str_eq(event.name, name);
	ck_assert_str_eq(event.image, "ghcr.io/a/b:1");
	ck_assert_str_eq(event.digest, D1);
	ck_assert_str_eq(event.project, "p");
	ck_assert_str_eq(event.outputs, "/home/ann/o");
	ck_assert_uint_eq(event.started, 12);
	ck_assert_uint_eq(event.ports.n, 1);
	ck_assert_uint_eq(event.ports.v[0], 8080 << 16 | 80);
	ces_wire_free(&ces_event_run_schema, &event);
}

static void hear_done(void)
{
	struct ces_event_done event;

	hear(&ces_event_done_schema, &event);
	ces_wire_free(&ces_event_done_schema, &event);
}

static void silence(void)
{
	char byte;

	close(CES_FD_EVENT);
	ck_assert_int_eq(read(events, &byte, 1), 0);
}

/* Runs that a caller has nothing to do with: another's, one of a dead helper, one that has ended
 * and is to be cleaned; and a pull. */
static void crowd(void)
{
	int stop;

	(void)enter(THEIRS, 1001, "mine", D1, &stop);
	close(enter("0000000004", 1000, "dead", D1, &stop));
	(void)enter("0000000005", 1000, "kept", NULL, &stop);
	(void)enter("pull-0000000006", 1000, "pull", D1, &stop);
}

/* ---- listing and showing ---- */

START_TEST(a_caller_sees_their_own_live_runs_alone)
{
	crowd();
	ck_assert_int_eq(ces_verb_runs(&session, &problem), 0);
	hear_run(RUN, "mine");
	hear_done();
	silence();
}
END_TEST

START_TEST(a_caller_without_runs_sees_none)
{
	session.uid = 1002;
	crowd();
	ck_assert_int_eq(ces_verb_runs(&session, &problem), 0);
	hear_done();
	silence();
}
END_TEST

static const char *const wanted[] = {RUN, "mine"};

START_TEST(one_run_is_shown_by_its_number_or_its_name)
{
	int stop, other = enter(SECOND, 1000, NULL, D1, &stop);

	crowd();
	request.run = (char *)(uintptr_t)wanted[_i];
	ck_assert_int_eq(ces_verb_inspect_run(&session, &problem), 0);
	hear_run(RUN, "mine");
	hear_done();
	silence();
	close(other);
}
END_TEST

static const char *const others[] = {
    THEIRS,       "0000000004", "dead", "0000000005", "kept", "pull-0000000006", "pull",
    "0000000009", "nobody",     ""};

/* One answer for all: whether another has a run is not the caller's to know. */
START_TEST(any_other_run_is_no_run_of_theirs)
{
	int (*const verbs[])(struct ces_session *, struct ces_error *) = {ces_verb_inspect_run,
									  ces_verb_stop};
	char text[200];

	crowd();
	request.run = (char *)(uintptr_t)others[_i];
	(void)snprintf(text, sizeof(text), "you have no live run %s; ces-client ps lists yours",
		       others[_i]);
	for (size_t i = 0; i < CES_COUNT(verbs); i++) {
		ck_assert_int_eq(verbs[i](&session, &problem), -1);
		ck_assert_int_eq(problem.code, CES_E_NOTFOUND);
		ck_assert_str_eq(problem.text, text);
	}
	NOTED("");
	silence();
}
END_TEST

START_TEST(a_run_must_be_named)
{
	ck_assert_int_eq(ces_verb_inspect_run(&session, &problem), -1);
	ck_assert_int_eq(problem.code, CES_E_USAGE);
	ck_assert_int_eq(ces_verb_stop(&session, &problem), -1);
	ck_assert_int_eq(problem.code, CES_E_USAGE);
	silence();
}
END_TEST

/* ---- ending ---- */

static const struct {
	uint64_t grace;
	const char *noted;
} graces[] = {
    {0, "50 seconds\nends with a grace of 0\n"},
    {10, "60 seconds\nends with a grace of 10\n"},
    {CES_GRACE_MAX, "3650 seconds\nends with a grace of 3600\n"},
};

START_TEST(a_stop_asks_the_runs_helper_and_waits_until_the_run_is_gone)
{
	crowd();
	ends_after = 100;
	request.run = (char *)(uintptr_t) "mine";
	request.time_seconds = graces[_i].grace;
	ck_assert_int_eq(ces_verb_stop(&session, &problem), 0);
	NOTED(graces[_i].noted);
	hear_done();
	silence();
}
END_TEST

static const uint64_t too_long[] = {CES_GRACE_MAX + 1, UINT32_MAX, (UINT64_C(1) << 32) + 5,
				    UINT64_MAX};

START_TEST(a_longer_grace_than_an_hour_is_refused)
{
	char byte;

	request.run = (char *)(uintptr_t)RUN;
	request.time_seconds = too_long[_i];
	ck_assert_int_eq(ces_verb_stop(&session, &problem), -1);
	ck_assert_int_eq(problem.code, CES_E_USAGE);
	NOTED("");
	ck_assert_int_eq(read(stop_fd, &byte, 1), -1); /* (nobody was asked) */
	silence();
}
END_TEST

START_TEST(a_run_that_does_not_go_is_given_half_a_minute_more)
{
	request.run = (char *)(uintptr_t)RUN;
	request.time_seconds = 10;
	ck_assert_int_eq(ces_verb_stop(&session, &problem), -1);
	ck_assert_int_eq(problem.code, CES_E_LIMIT);
	ck_assert_ptr_nonnull(strstr(problem.text, RUN " is ending"));
	ck_assert_int_ge(ahead, 40 * 1000000);
	ck_assert_int_lt(ahead, 45 * 1000000);
	silence();
}
END_TEST

START_TEST(a_run_that_ended_in_between_is_what_was_asked_for)
{
	int stop, other = enter(SECOND, 1000, NULL, D1, &stop);

	/* (its helper died: nobody has the FIFO open, and nobody holds the lock) */
	request.run = (char *)(uintptr_t)SECOND;
	close(stop);
	ends_after = -1;
	ck_assert_int_eq(ces_runs_stop(directory, SECOND, 1, &problem), 0);
	ck_assert_int_eq(ces_runs_stop(directory, "0000000009", 1, &problem), 0);
	close(other);
	ck_assert(!ces_runs_alive(directory, SECOND));
}
END_TEST

/* ---- the janitor ---- */

START_TEST(the_janitor_finishes_counts_and_collects_in_this_order)
{
	session.uid = 0;
	ck_assert_int_eq(ces_verb_clean(&session, &problem), 0);
	NOTED("1800 seconds\ndead runs are finished\ndenials are counted\ncollects\nkept runs are "
	      "cleaned\n");
	hear_done();
	silence();
}
END_TEST

START_TEST(no_user_can_make_root_clean)
{
	ck_assert_int_eq(ces_verb_clean(&session, &problem), -1);
	ck_assert_int_eq(problem.code, CES_E_USAGE);
	NOTED("");
	silence();
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("lifecycle");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_caller_sees_their_own_live_runs_alone);
	tcase_add_test(t, a_caller_without_runs_sees_none);
	tcase_add_loop_test(t, one_run_is_shown_by_its_number_or_its_name, 0, CES_COUNT(wanted));
	tcase_add_loop_test(t, any_other_run_is_no_run_of_theirs, 0, CES_COUNT(others));
	tcase_add_test(t, a_run_must_be_named);
	tcase_add_loop_test(t, a_stop_asks_the_runs_helper_and_waits_until_the_run_is_gone, 0,
			    CES_COUNT(graces));
	tcase_add_loop_test(t, a_longer_grace_than_an_hour_is_refused, 0, CES_COUNT(too_long));
	tcase_add_test(t, a_run_that_does_not_go_is_given_half_a_minute_more);
	tcase_add_test(t, a_run_that_ended_in_between_is_what_was_asked_for);
	tcase_add_test(t, the_janitor_finishes_counts_and_collects_in_this_order);
	tcase_add_test(t, no_user_can_make_root_clean);
	return run_suite("lifecycle", t);
}
