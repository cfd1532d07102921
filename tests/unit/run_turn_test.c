/* Tests who gets a place: which other runs count, who waits with which ticket, and how often a GPU
 * is asked for. */
/* links: helper/launch/run.c helper/launch/reserve.c helper/core/beneath.c */
#include "tests/unit/run_start.h"

static void add_run(uid_t uid, const char *project, const char *name, bool alive, bool kept)
{
	world.alive[world.n_runs] = alive;
	world.runs[world.n_runs++] = (struct ces_run_record){
	    .uid = uid,
	    .project = (char *)(uintptr_t)project,
	    .name = (char *)(uintptr_t)name,
	    .outputs = kept ? NULL : "/o",
	};
}

/* A start that is refused, for its limit. */
static void refused(const char *rule, const char *text)
{
	ck_assert_int_lt(run(), 0);
	ck_assert_int_eq(err.code, CES_E_LIMIT);
	ck_assert_str_eq(err.rule, rule);
	ck_assert_str_eq(err.text, text);
	ck_assert_uint_eq(steps_count("record"), 0);
	ck_assert_uint_eq(steps_count("lock"), steps_count("unlock"));
}

START_TEST(a_user_whose_runs_cannot_be_cleaned_starts_no_more_in_the_end)
{
	decision.limits.runs = 1;
	add_run(1001, "p", NULL, false, true);
	for (int i = 0; i < 63; i++)
		add_run(1000, "p", NULL, i % 2 == 0, true);
	ck_assert_int_eq(run(), 0);
	add_run(1000, "q", NULL, false, true);
	refused("", "CES could not delete the scratch of 64 of your runs: make the directories "
		    "above writable for you");
}
END_TEST

START_TEST(as_many_runs_as_the_policy_says_may_live_at_once)
{
	add_run(1000, "p", NULL, true, false);
	ck_assert_int_eq(run(), 0);
	add_run(1000, "p", NULL, true, false);
	refused("limits.runs", "you have 2 runs in project p already, and may have 2 at once");
	decision.limits.runs = 1;
	world.n_runs = 1;
	refused("limits.runs", "you have 1 run in project p already, and may have 1 at once");
	decision.limits.runs = 0;
	world.n_runs = 0;
	refused("limits.runs", "you have 0 runs in project p already, and may have 0 at once");
}
END_TEST

START_TEST(only_this_users_live_runs_in_this_project_count)
{
	add_run(1001, "p", NULL, true, false);
	add_run(1000, "p", NULL, false, false); /* dead */
	add_run(1000, "p", NULL, true, true);   /* being cleaned */
	add_run(1000, "q", NULL, true, false);
	add_run(1000, NULL, NULL, true, false);
	add_run(1000, "p", NULL, true, false);
	ck_assert_int_eq(run(), 0);
}
END_TEST

START_TEST(all_of_a_users_runs_together_have_a_limit)
{
	add_run(1000, "q", NULL, true, false);
	add_run(1000, "r", NULL, true, false);
	decision.together.runs = 3;
	ck_assert_int_eq(run(), 0);
	decision.together.runs = 2;
	refused("host.user_limits.runs", "you have 2 runs already, and may have 2 at once");
	decision.together.runs = 1;
	world.n_runs = 1;
	refused("host.user_limits.runs", "you have 1 run already, and may have 1 at once");
}
END_TEST

START_TEST(a_name_is_that_of_one_live_run_and_nobody_waits_for_it)
{
	request.name = "mine";
	add_run(1001, "p", "mine", true, false);
	add_run(1000, "p", "other", true, false);
	add_run(1000, "q", "mine", false, false);
	ck_assert_int_eq(run(), 0);
	add_run(1000, "q", "mine", true, false);
	request.flags = CES_FLAG_WAIT;
	refused("", "you have a live run named mine already; choose another --name");
	ck_assert_uint_eq(session.ticket, 0);
	ck_assert_uint_eq(steps_count("wait"), 0);
}
END_TEST

START_TEST(a_run_that_waits_gets_a_ticket_and_shows_it_again)
{
	add_run(1000, "p", NULL, true, false);
	add_run(1000, "p", NULL, true, false);
	request.flags = CES_FLAG_WAIT;
	refused("limits.runs", "you have 2 runs in project p already, and may have 2 at once");
	ck_assert_uint_eq(steps_count("wait ticket 0 gpus 0"), 1);
	ck_assert_uint_eq(session.ticket, 8);
	ck_assert_uint_eq(session.position, 3);
	session.ticket = 0; /* the next request, with that ticket */
	request.ticket = 12;
	refused("limits.runs", "you have 2 runs in project p already, and may have 2 at once");
	ck_assert_uint_eq(steps_count("wait ticket 12 gpus 0"), 1);
	ck_assert_uint_eq(session.ticket, 12);
	/* a place is free: the ticket goes */
	session.ticket = 0;
	world.n_runs = 1;
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(steps_count("leave ticket 12"), 1);
	ck_assert_uint_eq(session.ticket, 0);
}
END_TEST

START_TEST(a_run_that_does_not_wait_gives_its_ticket_back)
{
	add_run(1000, "p", NULL, true, false);
	add_run(1000, "p", NULL, true, false);
	request.ticket = 12;
	refused("limits.runs", "you have 2 runs in project p already, and may have 2 at once");
	ck_assert_uint_eq(steps_count("leave ticket 12"), 1);
	ck_assert_uint_eq(steps_count("wait"), 0);
}
END_TEST

START_TEST(nobody_passes_those_who_wait_for_longer)
{
	world.before = 1;
	refused("", "1 run is ahead of you: type --wait");
	world.before = 2;
	request.flags = CES_FLAG_WAIT;
	refused("", "2 runs are ahead of you: type --wait");
	ck_assert_uint_eq(session.ticket, 8);
}
END_TEST

/* The lock is free while it waits, and dead runs are cleared once more. */
START_TEST(a_gpu_that_is_not_free_is_asked_for_fifteen_times)
{
	decision.gpus = 1;
	world.gpus = CES_E_LIMIT;
	ck_assert_int_lt(run(), 0);
	ck_assert_str_eq(err.text, "no gpus");
	ck_assert_uint_eq(steps_count("choose no gpus"), 15);
	ck_assert_uint_eq(steps_count("sleep 100000"), 14);
	ck_assert_uint_eq(steps_count("lock 10"), 15);
	ck_assert_uint_eq(steps_count("unlock"), 15);
	ck_assert_uint_eq(steps_count("clear dead runs"), 2);
	for (size_t i = 0, locked = 0; i < steps->n; i++) {
		locked += strncmp(steps->v[i], "lock", 4) == 0;
		locked -= strcmp(steps->v[i], "unlock") == 0;
		ck_assert_uint_le(locked, 1);
		if (strncmp(steps->v[i], "sleep", 5) == 0)
			ck_assert_uint_eq(locked, 0);
	}
	ck_assert_uint_eq(session.ticket, 0);
}
END_TEST

START_TEST(a_gpu_that_becomes_free_is_taken)
{
	decision.gpus = 1;
	world.tries = 3;
	ck_assert_msg(run() == 0, "%s", err.text);
	ck_assert_uint_eq(steps_count("sleep"), 3);
	ck_assert_uint_eq(steps_count("clear dead runs"), 2);
	ck_assert_uint_eq(steps_count("record"), 1);
}
END_TEST

START_TEST(a_gpu_that_this_machine_does_not_have_is_asked_for_once)
{
	decision.gpus = 1;
	world.gpus = CES_E_NOTFOUND;
	ck_assert_int_lt(run(), 0);
	ck_assert_uint_eq(steps_count("choose no gpus"), 1);
	ck_assert_uint_eq(steps_count("sleep"), 0);
}
END_TEST

static const struct {
	size_t all;
	uint64_t wanted;
	bool any, waits;
} waits[] = {{2, 1, false, true}, {2, 2, false, true},  {2, 3, false, false},
	     {2, 3, true, true},  {0, 1, false, false}, {0, 1, true, false}};

START_TEST(a_run_waits_only_for_gpus_that_it_could_get)
{
	request.flags = CES_FLAG_WAIT;
	world.gpus = CES_E_LIMIT;
	world.all = waits[_i].all;
	decision.gpus = waits[_i].wanted;
	decision.gpus_all = waits[_i].any;
	ck_assert_int_lt(run(), 0);
	/* it shows the ticket of its first try at the next */
	ck_assert_uint_eq(steps_count("wait ticket 0"), waits[_i].waits);
	ck_assert_uint_eq(steps_count("wait ticket 8"), waits[_i].waits ? 14 : 0);
	ck_assert_uint_eq(session.ticket, waits[_i].waits ? 8 : 0);
}
END_TEST

START_TEST(a_run_that_waits_for_gpus_says_how_many)
{
	request.flags = CES_FLAG_WAIT;
	world.gpus = CES_E_LIMIT;
	decision.gpus = 2;
	ck_assert_int_lt(run(), 0);
	ck_assert_uint_eq(steps_count("wait ticket 0 gpus 2"), 1);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("turn");

	tcase_add_checked_fixture(t, run_begin, NULL);
	tcase_add_test(t, a_user_whose_runs_cannot_be_cleaned_starts_no_more_in_the_end);
	tcase_add_test(t, as_many_runs_as_the_policy_says_may_live_at_once);
	tcase_add_test(t, only_this_users_live_runs_in_this_project_count);
	tcase_add_test(t, all_of_a_users_runs_together_have_a_limit);
	tcase_add_test(t, a_name_is_that_of_one_live_run_and_nobody_waits_for_it);
	tcase_add_test(t, a_run_that_waits_gets_a_ticket_and_shows_it_again);
	tcase_add_test(t, a_run_that_does_not_wait_gives_its_ticket_back);
	tcase_add_test(t, nobody_passes_those_who_wait_for_longer);
	tcase_add_test(t, a_gpu_that_is_not_free_is_asked_for_fifteen_times);
	tcase_add_test(t, a_gpu_that_becomes_free_is_taken);
	tcase_add_test(t, a_gpu_that_this_machine_does_not_have_is_asked_for_once);
	tcase_add_loop_test(t, a_run_waits_only_for_gpus_that_it_could_get, 0, CES_COUNT(waits));
	tcase_add_test(t, a_run_that_waits_for_gpus_says_how_many);
	return run_suite("run_turn", t);
}
