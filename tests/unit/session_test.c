/* Tests what ces-session does with a request: its verb and no other, and a record of all that it
 * refuses or that fails. */
/* links: helper/session/main.c helper/session/record.c helper/session/report.c */
/* links: helper/session/journal_denials.c helper/session/journal_file.c */
/* links: helper/session/journal.c helper/session/json.c helper/session/lock.c */
/* links: helper/session/object.c helper/session/runs.c helper/clean/tree.c */
/* links: helper/core/beneath.c */
#include "tests/unit/session_program.h"

static const struct {
	uint64_t verb;
	const char *run, *steps;
} verbs[] = {
    {CES_VERB_PULL, NULL, "weaken\nstore\npull" ANN},
    {CES_VERB_RUN, NULL, "weaken\nunshare\nstore\nrun ten digits" ANN},
    {CES_VERB_IMAGES, NULL, "weaken\nstore\nimages" ANN},
    {CES_VERB_REMOVE, NULL, "weaken\nstore\nremove" ANN},
    {CES_VERB_INSPECT, NULL, "weaken\nstore\ninspect" ANN},
    {CES_VERB_INSPECT, "0123456789", "weaken\nstore\ninspect_run" ANN},
    {CES_VERB_RUNS, NULL, "weaken\nruns" ANN},
    {CES_VERB_STOP, "0123456789", "weaken\nstop" ANN},
    {CES_VERB_CLEAN, NULL, "weaken\nstore\nclean" ANN},
};

START_TEST(each_request_does_its_verb_and_no_other)
{
	unsigned n;

	request.verb = order.decision.verb = verbs[_i].verb;
	request.run = (char *)(uintptr_t)verbs[_i].run;
	order.decided = true;
	ck_assert_int_eq(start(), 0);
	steps_are(verbs[_i].steps, 0);
	ck_assert_uint_eq(follow(JOURNAL, none).seq, 0); /* (verbs record what they do) */
	n = steps->n;
	for (unsigned fail = 2; fail < n; fail++) {
		steps_begin(fail, EPERM);
		ck_assert_int_eq(start(), 125);
		steps_are(verbs[_i].steps, fail);
		recorded(fail - 1, "'outcome':'denied','uid':1000,'user':'ann'");
	}
}
END_TEST

static const uint64_t undecided[] = {CES_VERB_PULL, CES_VERB_RUN, 0, CES_VERB_CLEAN + 1,
				     UINT64_MAX};

START_TEST(what_was_not_decided_and_what_nobody_knows_is_not_done)
{
	request.verb = undecided[_i];
	ck_assert_int_eq(start(), 125);
	steps_are("weaken\n", 0);
	recorded(1, _i < 2 ? "'code':'internal'" : "'code':'usage'");
	order.decided = true; /* something else was */
	order.decision.verb = request.verb == CES_VERB_PULL ? CES_VERB_RUN : CES_VERB_PULL;
	steps_begin(0, 0);
	ck_assert_int_eq(start(), 125);
	steps_are("weaken\n", 0);
	recorded(2, "'outcome':'denied'");
}
END_TEST

START_TEST(a_refusal_is_recorded_and_reported_and_nothing_is_done)
{
	(void)ces_error_rule(&order.refused, CES_E_DENIED, "projects.p.images", "no");
	ck_assert_int_eq(start(), 125);
	steps_are("weaken\n", 0);
	recorded(1, "'outcome':'denied','uid':1000,'user':'ann','verb':'images','args':0,'env':0,"
		    "'policy':'" D1 "','code':'denied','rule':'projects.p.images','reason':'no'}");
	is_error(CES_E_DENIED, "no", "the data office");
	/* whom no rule refused need not ask, and an unknown caller has no name */
	(void)ces_error_set(&order.refused, CES_E_NOTFOUND, "who?");
	order.known = false;
	ck_assert_int_eq(start(), 125);
	is_error(CES_E_NOTFOUND, "who?", NULL);
	recorded(2, "'uid':1000,'verb':'images','args':0,'env':0,'policy':'" D1
		    "','code':'not found','reason':'who?'}");
}
END_TEST

START_TEST(a_refusal_that_cannot_be_recorded_says_so)
{
	verb.result = -1;
	verb.breaks_journal = true;
	ck_assert_int_eq(start(), 125);
	is_error(CES_E_LIMIT, "opening the journal: Is a directory: it did not work", NULL);
}
END_TEST

/* ---- an allowed request that fails ---- */

START_TEST(a_failure_after_the_decision_is_its_end)
{
	verb.result = _i == 0 ? -1 : 1; /* 1: it has a record already */
	verb.records = verb.pulls = true;
	request.verb = order.decision.verb = CES_VERB_PULL;
	order.decided = true;
	ck_assert_int_eq(start(), 125);
	steps_are("weaken\nstore\npull" ANN "give up pull-0123456789\n", 0);
	if (_i == 0)
		recorded(2, "'event':'end','verb':'pull','uid':1000,'user':'ann','project':'p',"
			    "'pull':'pull-0123456789','status':125,'reason':'it did not work'}");
	else
		recorded(1, "'outcome':'allowed'");
	is_error(CES_E_LIMIT, "it did not work", NULL);
	request.verb = order.decision.verb = CES_VERB_RUN;
	verb.pulls = false;
	verb.result = -1;
	ck_assert_int_eq(start(), 125);
	recorded(_i == 0 ? 4 : 3,
		 "'event':'end','verb':'run','uid':1000,'user':'ann','project':'p',"
		 "'run':'");
}
END_TEST

START_TEST(without_a_record_of_its_end_a_pull_stays_in_the_register)
{
	verb.result = -1;
	verb.records = verb.pulls = verb.breaks_journal = true;
	request.verb = order.decision.verb = CES_VERB_PULL;
	order.decided = true;
	ck_assert_int_eq(start(), 125);
	steps_are("weaken\nstore\npull" ANN, 0);
	is_error(CES_E_LIMIT, "it did not work", NULL);
}
END_TEST

START_TEST(a_run_that_waits_is_recorded_once)
{
	verb.result = -1;
	verb.ticket = 77;
	request.verb = order.decision.verb = CES_VERB_RUN;
	order.decided = true;
	ck_assert_int_eq(start(), 125);
	recorded(1, "'outcome':'denied'");
	is_error(CES_E_LIMIT, "it did not work", NULL);
	request.ticket = 77; /* it asks again */
	ck_assert_int_eq(start(), 125);
	recorded(1, "'outcome':'denied'");
	is_error(CES_E_LIMIT, "it did not work", NULL);
	request.ticket = 78; /* it lost its place */
	ck_assert_int_eq(start(), 125);
	recorded(2, "'outcome':'denied'");
}
END_TEST

START_TEST(an_explanation_is_shown_and_nothing_is_done)
{
	struct ces_event_text event;
	struct ces_event_done done;

	request.verb = order.decision.verb = CES_VERB_RUN;
	request.flags = CES_FLAG_EXPLAIN;
	order.decided = true;
	ck_assert_int_eq(start(), 0);
	steps_are("weaken\nexplain ann 1000 p\n", 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(
		    ces_wire_receive(events, &ces_event_text_schema, 1 << 16, -1, &event, &err), 1);
		ck_assert_str_eq(event.text, i == 0 ? "one" : "two");
		ces_wire_free(&ces_event_text_schema, &event);
	}
	ck_assert_int_eq(ces_wire_receive(events, &ces_event_done_schema, 1 << 16, -1, &done, &err),
			 1);
	ces_wire_free(&ces_event_done_schema, &done);
	ck_assert_uint_eq(follow(JOURNAL, none).seq, 0);
	steps_begin(2, EPERM);
	ck_assert_int_eq(start(), 125);
	is_error(CES_E_HOST, "explain: Operation not permitted", NULL);
}
END_TEST

__attribute__((constructor)) static void begin_before_main(void)
{
	TCase *t = tcase_create("session");

	tcase_add_checked_fixture(t, program_begin, program_end);
	tcase_add_loop_test(t, each_request_does_its_verb_and_no_other, 0, CES_COUNT(verbs));
	tcase_add_loop_test(t, what_was_not_decided_and_what_nobody_knows_is_not_done, 0,
			    CES_COUNT(undecided));
	tcase_add_test(t, a_refusal_is_recorded_and_reported_and_nothing_is_done);
	tcase_add_test(t, a_refusal_that_cannot_be_recorded_says_so);
	tcase_add_loop_test(t, a_failure_after_the_decision_is_its_end, 0, 2);
	tcase_add_test(t, without_a_record_of_its_end_a_pull_stays_in_the_register);
	tcase_add_test(t, a_run_that_waits_is_recorded_once);
	tcase_add_test(t, an_explanation_is_shown_and_nothing_is_done);
	exit(run_suite("session", t));
}
