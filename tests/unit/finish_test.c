/* Tests the end of a run: what is removed, in which order and with whose rights, and what stays
 * when a step fails. */
/* links: helper/watch/finish.c helper/watch/kept.c helper/watch/outcome.c helper/watch/list.c helper/core/beneath.c helper/core/caller.c helper/core/caller_open.c helper/session/runs.c helper/session/object.c helper/clean/tree.c helper/session/journal.c helper/session/json.c helper/session/record.c helper/session/report.c */
#include "tests/unit/finish_end.h"

START_TEST(a_run_that_ended_leaves_its_outputs_and_its_record_and_nothing_else)
{
	answer(CES_LIST_UNASKED);
	ck_assert_int_eq(ces_finish(&finish, 0, &err), 0);
	NOTED(STOPPED LOG CLEANED RECORD(LISTED) ENDED USED FORGOTTEN);
	ck_assert(is_there("o/" RUN "/result"));
	ck_assert(!is_there("s/" RUN) && !is_there("runs/" RUN) && !is_there("kept/" RUN));
	ck_assert_int_eq(finish.record, -1);
	ck_assert_int_eq(finish.end.status, 3);
	heard("exit");
}
END_TEST

START_TEST(an_image_for_one_run_goes_after_the_entry_that_would_keep_it)
{
	decision.retain = CES_RETAIN_RUN;
	answer(CES_LIST_UNASKED);
	ck_assert_int_eq(ces_finish(&finish, 0, &err), 0);
	NOTED(STOPPED LOG CLEANED RECORD(LISTED) ENDED
	      "the grant of 1000 for ghcr.io/a/b:1 is removed\n" FORGOTTEN);
}
END_TEST

static bool shown, whole;

static void show(const struct ces_run_record *record, bool alive, void *context)
{
	(void)context;
	ck_assert(!alive);
	ck_assert_uint_eq(record->uid, 1000);
	whole = !ces_runs_is_kept(record);
	ck_assert_int_eq(record->image != NULL, whole);
	shown = true;
}

/* The register keeps the run for the next helper, which records an end. */
START_TEST(an_end_that_cannot_be_recorded_leaves_the_run_in_the_register)
{
	decision.retain = CES_RETAIN_RUN;
	fails = "record";
	answer(CES_LIST_UNASKED);
	ck_assert_int_eq(ces_finish(&finish, 0, &err), 1);
	NOTED(STOPPED LOG CLEANED RECORD(LISTED) ENDED);
	ck_assert_int_eq(ces_runs_each(session.runs, CES_EACH_RUN, show, NULL), 0);
	ck_assert(shown && whole && is_there("kept/" RUN));
	ck_assert_str_eq(err.text, "no journal");
	heard(NULL);
}
END_TEST

START_TEST(a_scratch_that_stays_is_kept_to_be_cleaned_later)
{
	fails = "ces-clean";
	answer(CES_LIST_UNASKED);
	ck_assert_int_eq(ces_finish(&finish, 0, &err), 0);
	NOTED(STOPPED LOG "caller 1000:100+2 removes directory /s/" RUN "/scratch: no\n"
			  "ces-clean empties /s/" RUN "/\n"
			  "ces-clean gives /o/" RUN "/\n"
			  "caller 1000:100+2 removes directory /s/" RUN ": no\n"
			  "60 seconds\n" RECORD(LISTED) ENDED USED);
	ck_assert(is_there("s/" RUN "/scratch/big") && is_there("kept/" RUN));
	ck_assert_int_eq(ces_runs_each(session.runs, CES_EACH_RUN, show, NULL), 0);
	ck_assert(shown && !whole);
	heard("exit");
}
END_TEST

static uint64_t marks, places;

static void count_devices(const struct ces_run_record *record, bool alive, void *context)
{
	(void)alive;
	(void)context;
	marks = record->gpus.n;
	places = record->cgroups.n;
}

/* (a process of root's is in it, for instance) */
START_TEST(a_cgroup_that_stays_is_kept_with_its_gpu_to_be_cleared_later)
{
	char *cgroups[] = {(char *)(uintptr_t) "slurm", (char *)(uintptr_t) ""};
	struct ces_run_record record = {.run = (char *)(uintptr_t)RUN,
					.uid = 1000,
					.image = grant.reference,
					.digest = grant.digest,
					.gpus = {(uint64_t[]){7}, 1},
					.cgroups = {cgroups, 2}};
	CES_CLEANUP_FD int entry = open_directory("runs/" RUN);

	ck_assert_int_eq(
	    ces_object_write(entry, "record", &ces_run_record_schema, &record, NULL, &err), 0);
	noted->text[0] = '\0';
	fails = "the cgroup is removed";
	answer(CES_LIST_UNASKED);
	ck_assert_int_eq(ces_finish(&finish, 0, &err), 0);
	NOTED(STOPPED LOG CLEANED RECORD(LISTED) ENDED USED);
	ck_assert(!is_there("s/" RUN) && is_there("kept/" RUN));
	ck_assert_int_eq(ces_runs_each(session.runs, CES_EACH_RUN, count_devices, NULL), 0);
	ck_assert_uint_eq(marks, 1);
	ck_assert_uint_eq(places, 2);
	heard("exit");
}
END_TEST

/* A walk through many files on a slow server may take all the time that it has. The next start goes
 * on with it, once (finish_dead_test.c). */
START_TEST(outputs_that_take_too_long_keep_no_scratch_and_are_given_later)
{
	fails = "gives";
	answer(CES_LIST_UNASKED);
	ck_assert_int_eq(ces_finish(&finish, 0, &err), 0);
	ck_assert(!is_there("s/" RUN) && is_there("runs/" RUN) && is_there("kept/" RUN));
	ck_assert_int_eq(ces_runs_each(session.runs, CES_EACH_RUN, show, NULL), 0);
	ck_assert(shown && !whole);
	heard("exit");
}
END_TEST

/* Some may be another member's. */
START_TEST(outputs_that_the_caller_cannot_get_are_not_tried_again)
{
	fails = "ces-clean";
	ck_assert_int_eq(unlinkat(directory, "s/" RUN "/scratch/big", 0), 0);
	answer(CES_LIST_UNASKED);
	ck_assert_int_eq(ces_finish(&finish, 0, &err), 0);
	ck_assert_ptr_nonnull(strstr(noted->text, "ces-clean gives /o/" RUN "/\n"));
	ck_assert(!is_there("s/" RUN) && !is_there("runs/" RUN) && !is_there("kept/" RUN));
}
END_TEST

#define OTHER "0000000002"

static const struct {
	uid_t uid;
	const char *outputs;
	enum { ALIVE, ENDING, DEAD, KEPT } state;
	bool per_run, gives;
} sharers[] = {
    {1000, "/home/ann/o", ALIVE, false, false}, {1000, "/home/ann/o", ALIVE, true, true},
    {1001, "/home/ann/o", ALIVE, false, true},  {1000, "/home/ann/other", ALIVE, false, true},
    {1000, NULL, ALIVE, false, true},           {1000, "/home/ann/o", ENDING, false, true},
    {1000, "/home/ann/o", DEAD, false, true},   {1000, "/home/ann/o", KEPT, false, true},
};

/* A service that runs on must keep its files. Of two runs that end at once one gives both theirs.
 */
START_TEST(shared_outputs_change_hands_with_the_last_run_that_has_them)
{
	struct ces_run_record record = {.run = (char *)(uintptr_t)OTHER,
					.uid = sharers[_i].uid,
					.image = grant.reference,
					.digest = sharers[_i].state == KEPT ? NULL : grant.digest,
					.outputs = (char *)(uintptr_t)sharers[_i].outputs};
	int lock = -1, stop = -1;

	strcpy(plan.outputs, "/home/ann/o");
	decision.outputs.per_run = sharers[_i].per_run;
	ck_assert_int_eq(ces_runs_enter(session.runs, &record, &lock, &stop, &err), 0);
	close(stop);
	if (sharers[_i].state == DEAD)
		close(lock);
	if (sharers[_i].state == ENDING)
		(void)ces_runs_end_shared(session.runs, OTHER, 1000, "/home/ann/o");
	answer(CES_LIST_UNASKED);
	ck_assert_int_eq(ces_finish(&finish, 0, &err), 0);
	ck_assert_int_eq(strstr(noted->text, "ces-clean gives") != NULL, sharers[_i].gives);
	ck_assert(!is_there("s/" RUN) && !is_there("runs/" RUN));
}
END_TEST

START_TEST(an_empty_scratch_costs_no_process)
{
	ck_assert_int_eq((int)syscall(SYS_unlinkat, directory, "s/" RUN "/scratch/big", 0), 0);
	ck_assert_int_eq((int)syscall(SYS_unlinkat, directory, "o/" RUN "/result", 0), 0);
	answer(CES_LIST_UNASKED);
	ck_assert_int_eq(ces_finish(&finish, 0, &err), 0);
	NOTED(STOPPED LOG "caller 1000:100+2 removes directory /s/" RUN "/scratch\n"
			  "caller 1000:100+2 removes directory /s/" RUN "\n"
			  "60 seconds\n" RECORD(LISTED) ENDED USED FORGOTTEN);
	/* (the caller's, although it is empty: the run did start) */
	ck_assert(is_there("o/" RUN));
}
END_TEST

/* The caller put a link there meanwhile. It is not followed, and nothing of theirs is removed. */
START_TEST(a_scratch_that_was_replaced_by_a_link_counts_as_gone)
{
	ck_assert_int_eq((int)syscall(SYS_renameat2, directory, "s/" RUN, directory, "s/mine", 0),
			 0);
	ck_assert_int_eq(symlinkat("../o", directory, "s/" RUN), 0);
	answer(CES_LIST_UNASKED);
	ck_assert_int_eq(ces_finish(&finish, 0, &err), 0);
	ck_assert(is_there("s/" RUN) && is_there("o/" RUN "/result") && !is_there("runs/" RUN));
	ck_assert(!is_there("s/mine/scratch")); /* (by its fd) */
}
END_TEST

START_TEST(a_shared_scratch_is_not_removed)
{
	decision.scratch.per_run = decision.outputs.per_run = false;
	close(plan.scratch_dir);
	plan.scratch_dir = -1;
	answer(CES_LIST_UNASKED);
	ck_assert_int_eq(ces_finish(&finish, 0, &err), 0);
	NOTED(STOPPED LOG "ces-clean gives /o/" RUN "/\n"
			  "60 seconds\n" RECORD(LISTED) ENDED USED FORGOTTEN);
	ck_assert(is_there("s/" RUN "/scratch/big"));
}
END_TEST

/* ---- a run that did not start ---- */

#define REFUSED(why)                                                                               \
	"record: {\"event\":\"end\",\"verb\":\"run\",\"uid\":1000,\"user\":\"ann\","               \
	"\"run\":\"" RUN "\",\"status\":125,\"reason\":\"" why "\"}\n"

START_TEST(a_run_that_was_not_set_up_leaves_no_outputs_and_a_record_of_the_reason)
{
	ck_assert_int_eq((int)syscall(SYS_unlinkat, directory, "o/" RUN "/result", 0), 0);
	(void)ces_error_set(&err, CES_E_HOST, "no mount");
	ck_assert_int_eq(ces_finish(&finish, -1, &err), 1);
	NOTED(STOPPED "caller 1000:100+2 removes directory /s/" RUN "/scratch: no\n"
		      "ces-clean empties /s/" RUN "/\n"
		      "root removes /s/" RUN "/scratch/big\n"
		      "root removes directory /s/" RUN "/scratch\n"
		      "caller 1000:100+2 removes directory /s/" RUN "\n"
		      "caller 1000:100+2 removes directory /o/" RUN "\n"
		      "60 seconds\n" REFUSED("no mount") ENDED FORGOTTEN);
	ck_assert_str_eq(err.text, "no mount");
	heard(NULL);
}
END_TEST

START_TEST(a_container_that_failed_before_the_runtime_is_a_run_that_did_not_start)
{
	decision.retain = CES_RETAIN_RUN;
	fails = "did it start?";
	ck_assert_int_eq(ces_finish(&finish, 0, &err), 1);
	ck_assert_ptr_nonnull(strstr(noted->text, REFUSED("no container") ENDED FORGOTTEN));
	ck_assert_ptr_null(strstr(noted->text, "grant"));
	ck_assert(is_there("o/" RUN "/result"));
	heard(NULL);
}
END_TEST

/* (a ces-inside that was taken over may have kept its pipe) */
START_TEST(a_report_after_the_program_began_is_not_believed)
{
	finish.container.began = true;
	fails = "did it start?";
	answer(CES_LIST_UNASKED);
	ck_assert_int_eq(ces_finish(&finish, 0, &err), 0);
	ck_assert_ptr_null(strstr(noted->text, "did it start?"));
	ck_assert_ptr_null(strstr(noted->text, "no container"));
}
END_TEST

START_TEST(nothing_that_was_not_made_is_touched)
{
	plan.n_mounts = 0;
	plan.outputs_parent = plan.scratch_parent = plan.scratch_dir = -1;
	(void)ces_error_set(&err, CES_E_HOST, "early");
	ck_assert_int_eq(ces_finish(&finish, -1, &err), 1);
	NOTED(STOPPED "60 seconds\n" REFUSED("early") ENDED FORGOTTEN);
	ck_assert(is_there("o/" RUN "/result") && is_there("s/" RUN "/scratch/big"));
}
END_TEST

/* (there is no ces-clean yet) */
START_TEST(a_run_that_was_not_set_up_is_not_kept_for_the_outputs_of_others)
{
	decision.outputs.per_run = false;
	finish.cleaner.channel = -1;
	ck_assert_int_eq(unlinkat(directory, "s/" RUN "/scratch/big", 0), 0);
	ck_assert_int_eq(ces_finish(&finish, ces_error_set(&err, CES_E_HOST, "no port"), &err), 1);
	ck_assert(is_there("o/" RUN "/result"));
	ck_assert(!is_there("runs/" RUN) && !is_there("kept/" RUN));
}
END_TEST

START_TEST(a_shared_directory_of_outputs_stays_although_nothing_ran)
{
	decision.outputs.per_run = false;
	ck_assert_int_eq((int)syscall(SYS_unlinkat, directory, "o/" RUN "/result", 0), 0);
	(void)ces_error_set(&err, CES_E_HOST, "no mount");
	ck_assert_int_eq(ces_finish(&finish, -1, &err), 1);
	ck_assert(is_there("o/" RUN) && !is_there("runs/" RUN));
}
END_TEST

START_TEST(a_failure_that_cannot_be_recorded_leaves_the_run_in_the_register)
{
	fails = "record";
	(void)ces_error_set(&err, CES_E_HOST, "no mount");
	ck_assert_int_eq(ces_finish(&finish, -1, &err), 1);
	ck_assert(is_there("runs/" RUN) && is_there("kept/" RUN));
	ck_assert_str_eq(err.text, "no mount");
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("finish");

	tcase_add_checked_fixture(t, begin, tear_down);
	tcase_add_test(t, a_run_that_ended_leaves_its_outputs_and_its_record_and_nothing_else);
	tcase_add_test(t, an_image_for_one_run_goes_after_the_entry_that_would_keep_it);
	tcase_add_test(t, an_end_that_cannot_be_recorded_leaves_the_run_in_the_register);
	tcase_add_test(t, a_scratch_that_stays_is_kept_to_be_cleaned_later);
	tcase_add_test(t, a_cgroup_that_stays_is_kept_with_its_gpu_to_be_cleared_later);
	tcase_add_test(t, outputs_that_take_too_long_keep_no_scratch_and_are_given_later);
	tcase_add_test(t, outputs_that_the_caller_cannot_get_are_not_tried_again);
	tcase_add_loop_test(t, shared_outputs_change_hands_with_the_last_run_that_has_them, 0,
			    CES_COUNT(sharers));
	tcase_add_test(t, an_empty_scratch_costs_no_process);
	tcase_add_test(t, a_scratch_that_was_replaced_by_a_link_counts_as_gone);
	tcase_add_test(t, a_shared_scratch_is_not_removed);
	tcase_add_test(t, a_run_that_was_not_set_up_leaves_no_outputs_and_a_record_of_the_reason);
	tcase_add_test(t, a_container_that_failed_before_the_runtime_is_a_run_that_did_not_start);
	tcase_add_test(t, a_report_after_the_program_began_is_not_believed);
	tcase_add_test(t, nothing_that_was_not_made_is_touched);
	tcase_add_test(t, a_run_that_was_not_set_up_is_not_kept_for_the_outputs_of_others);
	tcase_add_test(t, a_shared_directory_of_outputs_stays_although_nothing_ran);
	tcase_add_test(t, a_failure_that_cannot_be_recorded_leaves_the_run_in_the_register);
	return run_suite("finish", t);
}
