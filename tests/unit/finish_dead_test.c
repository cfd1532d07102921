/* Tests what is done about runs whose helper died: what ends at once, what is cleaned by another
 * process, and what is left alone. */
/* links: helper/watch/finish.c helper/watch/kept.c helper/watch/outcome.c helper/watch/list.c helper/core/beneath.c helper/core/caller.c helper/core/caller_open.c helper/session/runs.c helper/session/object.c helper/clean/tree.c helper/session/journal.c helper/session/json.c helper/session/record.c helper/session/report.c */
#include "tests/unit/finish_dead.h"

#define PULL "pull-0000000003"

static void enter_own(void)
{
	struct ces_run_record record = record_of(RUN, 1000);

	record.outputs = outputs;
	record.scratch = scratch;
	enter(&record, false);
}

START_TEST(nothing_is_done_where_nobody_died)
{
	struct ces_run_record mine = record_of(RUN, 1000), theirs = record_of(OTHER, 1001),
			      pull = record_of(PULL, 1001);

	enter(&mine, true);
	enter(&theirs, true);
	enter(&pull, true);
	ces_finish_dead(&session);
	NOTED("");
	ces_finish_all_dead(&session, false);
	ces_finish_all_dead(&session, true);
	NOTED("");
	ck_assert(is_there("runs/" RUN) && is_there("runs/" OTHER) && is_there("runs/" PULL));
}
END_TEST

/* What the run used up is free at once. Its directories are another process's work. */
START_TEST(a_dead_run_ends_here_and_is_cleaned_elsewhere)
{
	enter_own();
	ces_finish_dead(&session);
	NOTED(ENDED_FIRST(RUN, "1000", "ann") DETACHED
	      "the ids of 1000\nmakes a namespace\n"
	      "caller 1000:100+1 removes directory /o/" RUN "\n"
	      "starts ces-clean\nces-clean empties /s/" RUN "/\nroot removes /s/" RUN
	      "/big\nends ces-clean\n"
	      "caller 1000:100+1 removes directory /s/" RUN "\n" FORGOTTEN);
	ck_assert(!is_there("runs/" RUN) && !is_there("kept/" RUN) && !is_there("s/" RUN));
}
END_TEST

START_TEST(outputs_that_are_not_empty_stay_and_are_given_to_the_caller)
{
	put("o/" RUN "/result", "42");
	enter_own();
	ces_finish_dead(&session);
	ck_assert_ptr_nonnull(
	    strstr(noted->text, "starts ces-clean\nces-clean gives /o/" RUN "/\nends ces-clean\n"
				"caller 1000:100+1 removes directory /o/" RUN ": no\n"));
	ck_assert(is_there("o/" RUN "/result") && !is_there("runs/" RUN));
}
END_TEST

/* A walk may take all the time that it has, each time. */
START_TEST(outputs_of_a_kept_run_are_given_once)
{
	put("o/" RUN "/result", "42");
	enter_own();
	fails = "gives";
	ces_finish_dead(&session);
	ck_assert_ptr_nonnull(strstr(noted->text, "ces-clean gives /o/" RUN "/\n"));
	ck_assert(is_there("o/" RUN "/result"));
	ck_assert(!is_there("runs/" RUN) && !is_there("kept/" RUN) && !is_there("s/" RUN));
}
END_TEST

/* A directory of outputs without the run's number is the caller's, also when it is empty. */
START_TEST(a_shared_directory_of_outputs_is_not_removed)
{
	struct ces_run_record record = record_of(RUN, 1000);

	*strrchr(outputs, '/') = '\0';
	(void)unlinkat(directory, "o/" RUN, AT_REMOVEDIR);
	record.outputs = outputs;
	enter(&record, false);
	ces_finish_dead(&session);
	ck_assert(is_there("o") && !is_there("runs/" RUN));
}
END_TEST

START_TEST(shared_outputs_of_a_dead_run_stay_as_they_are_while_another_run_has_them)
{
	struct ces_run_record record = record_of(RUN, 1000), other = record_of(OTHER, 1000);

	put("o/" RUN "/result", "42");
	*strrchr(outputs, '/') = '\0';
	record.outputs = other.outputs = outputs;
	enter(&other, _i == 0);
	enter(&record, false);
	ces_finish_dead(&session);
	ck_assert_int_eq(strstr(noted->text, "ces-clean gives") != NULL, _i == 1);
	ck_assert(!is_there("runs/" RUN));
}
END_TEST

START_TEST(an_end_that_is_on_record_is_not_recorded_again)
{
	has_end = true;
	enter_own();
	ces_finish_dead(&session);
	ck_assert_ptr_null(strstr(noted->text, "record"));
	ck_assert(!is_there("runs/" RUN));
}
END_TEST

START_TEST(a_run_whose_end_cannot_be_recorded_stays_as_it_is)
{
	fails = "record";
	enter_own();
	ces_finish_dead(&session);
	NOTED(ENDED_FIRST(RUN, "1000", "ann"));
	ck_assert(is_there("runs/" RUN) && !is_there("kept/" RUN) && is_there("s/" RUN "/big"));
}
END_TEST

START_TEST(the_image_of_one_run_goes_with_a_dead_one)
{
	struct ces_run_record record = record_of(OTHER, 1001);

	record.retain_run = 1;
	enter(&record, false);
	ces_finish_dead(&session);
	ck_assert_ptr_nonnull(strstr(noted->text, "the cgroup of " OTHER " is cleared\n"
						  "the grant of 1001 for ghcr.io/a/b:1 is "
						  "removed\nrecord for good: "));
	ck_assert(!is_there("runs/" OTHER));
}
END_TEST

/* The caller's own directories are cleaned first: they may wait for them. */
START_TEST(ones_own_runs_are_cleaned_before_others)
{
	struct ces_run_record theirs = record_of(OTHER, 1001);
	const char *mine_gone, *theirs_gone;

	enter(&theirs, false);
	enter_own();
	ces_finish_dead(&session);
	mine_gone = strstr(noted->text, "removes /kept/" RUN);
	theirs_gone = strstr(noted->text, "removes /kept/" OTHER);
	ck_assert_ptr_nonnull(mine_gone);
	ck_assert_ptr_nonnull(theirs_gone);
	ck_assert(mine_gone < theirs_gone);
}
END_TEST

START_TEST(nobodys_directories_are_cleaned_while_the_user_database_is_silent)
{
	nobody_known = true;
	enter_own();
	ces_finish_dead(&session);
	ck_assert(is_there("runs/" RUN) && is_there("kept/" RUN) && is_there("s/" RUN "/big"));
	ck_assert_ptr_null(strstr(noted->text, "ces-clean"));
	/* (without a user: the record has the uid) */
	ck_assert_ptr_nonnull(strstr(noted->text, "\"uid\":1000,\"project\""));
}
END_TEST

static const char *const faults[] = {"ids", "makes a namespace", "starts ces-clean", "ces-clean",
				     "opens a journal of its own"};

START_TEST(a_run_that_cannot_be_cleaned_is_kept_for_the_next_time)
{
	fails = faults[_i];
	enter_own();
	ces_finish_dead(&session);
	ck_assert(is_there("runs/" RUN) && is_there("kept/" RUN) && is_there("s/" RUN "/big"));
	/* the next time: it has ended, and is only cleaned */
	noted->text[0] = '\0';
	fails = "";
	ces_finish_dead(&session);
	ck_assert_ptr_null(strstr(noted->text, "record"));
	ck_assert(!is_there("runs/" RUN) && !is_there("kept/" RUN) && !is_there("s/" RUN));
}
END_TEST

static uint64_t marks[] = {7};
static char *places[] = {"job"};

static void enter_with_gpu(void)
{
	struct ces_run_record record = record_of(RUN, 1000);

	record.scratch = scratch;
	record.gpus = (struct ces_u64s){marks, 1};
	record.cgroups = (struct ces_strings){places, 1};
	enter(&record, false);
}

/* How many GPUs and cgroups the run has, in the register and on the disk. */
static void has(size_t n)
{
	const int dirs[] = {session.runs, session.store.runs};

	for (size_t i = 0; i < CES_COUNT(dirs); i++) {
		struct ces_run_record record;

		ck_assert_int_eq(ces_object_read(dirs[i], i == 0 ? RUN "/record" : RUN,
						 &ces_run_record_schema, &record, &err),
				 0);
		ck_assert(ces_runs_is_kept(&record));
		ck_assert_uint_eq(record.gpus.n, n);
		ck_assert_uint_eq(record.cgroups.n, n);
		ces_wire_free(&ces_run_record_schema, &record);
	}
}

static size_t times(const char *text)
{
	size_t n = 0;

	for (const char *at = noted->text; (at = strstr(at, text)) != NULL; at++)
		n++;
	return n;
}

/* A process that the kernel cannot end yet has its GPU open. */
START_TEST(a_run_whose_process_stays_keeps_its_gpu_until_that_is_gone_and_ends_once)
{
	fails = "cgroup";
	enter_with_gpu();
	for (int i = 0; i < 2; i++) {
		ces_finish_dead(&session);
		has(1);
		ck_assert(!is_there("s/" RUN)); /* its data wait for nothing */
	}
	ck_assert_uint_eq(times("record for good"), 1);
	ck_assert_uint_eq(times("is cleared"), 3);
	fails = "";
	ces_finish_dead(&session);
	ck_assert(!is_there("runs/" RUN) && !is_there("kept/" RUN));
	ck_assert_uint_eq(times("record for good"), 1);
}
END_TEST

START_TEST(a_gpu_is_free_once_its_process_is_gone_also_if_the_scratch_is_not)
{
	fails = "cgroup";
	nobody_known = true;
	enter_with_gpu();
	ces_finish_dead(&session);
	has(1);
	fails = "";
	ces_finish_dead(&session);
	has(0);
	ck_assert(is_there("s/" RUN "/big"));
	noted->text[0] = '\0';
	ces_finish_dead(&session);
	ck_assert_uint_eq(times("is cleared"), 0);
}
END_TEST

/* Moved away, or closed by its owner: it is theirs. */
START_TEST(a_scratch_that_its_owner_moved_away_is_theirs)
{
	ck_assert_int_eq((int)syscall(SYS_renameat2, directory, "s/" RUN, directory, "s/mine", 0),
			 0);
	enter_own();
	ces_finish_dead(&session);
	ck_assert(is_there("s/mine/big") && !is_there("runs/" RUN));
}
END_TEST

/* After a crash of the machine a start may be earlier than the mount of a file server. */
START_TEST(a_scratch_whose_parent_is_not_there_is_cleaned_later)
{
	ck_assert_int_eq((int)syscall(SYS_renameat2, directory, "s", directory, "later", 0), 0);
	enter_own();
	ces_finish_dead(&session);
	ck_assert(is_there("runs/" RUN) && is_there("kept/" RUN));
	ck_assert_int_eq((int)syscall(SYS_renameat2, directory, "later", directory, "s", 0), 0);
	ces_finish_dead(&session);
	ck_assert(!is_there("runs/" RUN) && !is_there("kept/" RUN) && !is_there("s/" RUN));
}
END_TEST

/* Outputs may be on another file server than scratch is. */
START_TEST(outputs_whose_parent_is_not_there_are_given_later)
{
	put("o/" RUN "/result", "42");
	ck_assert_int_eq((int)syscall(SYS_renameat2, directory, "o", directory, "later", 0), 0);
	enter_own();
	ces_finish_dead(&session);
	ck_assert(is_there("runs/" RUN) && is_there("kept/" RUN) && !is_there("s/" RUN));
	ck_assert_int_eq((int)syscall(SYS_renameat2, directory, "later", directory, "o", 0), 0);
	ces_finish_dead(&session);
	ck_assert_ptr_nonnull(strstr(noted->text, "ces-clean gives /o/" RUN "/\n"));
	ck_assert(!is_there("runs/" RUN) && !is_there("kept/" RUN));
}
END_TEST

START_TEST(outputs_that_their_owner_moved_away_are_theirs)
{
	ck_assert_int_eq((int)syscall(SYS_renameat2, directory, "o/" RUN, directory, "o/mine", 0),
			 0);
	enter_own();
	ces_finish_dead(&session);
	ck_assert(is_there("o/mine") && !is_there("runs/" RUN));
}
END_TEST

START_TEST(a_scratch_that_is_a_link_now_is_not_followed)
{
	ck_assert_int_eq((int)syscall(SYS_renameat2, directory, "s/" RUN, directory, "s/mine", 0),
			 0);
	ck_assert_int_eq(symlinkat("mine", directory, "s/" RUN), 0);
	enter_own();
	ces_finish_dead(&session);
	ck_assert(is_there("s/mine/big"));
	ck_assert(is_there("runs/" RUN) && is_there("kept/" RUN));
}
END_TEST

/* ---- pulls ---- */

#define PULL_ENDED(user)                                                                           \
	"record for good: {\"event\":\"end\",\"verb\":\"pull\",\"uid\":1001," user                 \
	"\"project\":\"p\",\"pull\":\"" PULL                                                       \
	"\",\"image\":\"ghcr.io/a/b:1\",\"status\":125,\"reason\":\"helper died\"}\n"

#define PULL_LEFT "root removes directory /runs/" PULL "\n"

START_TEST(a_dead_pull_ends_and_leaves_the_register)
{
	struct ces_run_record pull = record_of(PULL, 1001);

	nobody_known = _i == 1;
	enter(&pull, false);
	ces_finish_dead(&session);
	if (_i == 1)
		NOTED(PULL_ENDED("") PULL_LEFT);
	else
		NOTED(PULL_ENDED("\"user\":\"bob\",") PULL_LEFT);
}
END_TEST

START_TEST(a_pull_whose_end_cannot_be_recorded_stays)
{
	struct ces_run_record pull = record_of(PULL, 1001);

	fails = "record";
	enter(&pull, false);
	ces_finish_dead(&session);
	ck_assert(is_there("runs/" PULL));
	fails = "";
	has_end = true;
	noted->text[0] = '\0';
	ces_finish_dead(&session);
	ck_assert_ptr_null(strstr(noted->text, "record"));
	ck_assert(!is_there("runs/" PULL));
}
END_TEST

/* ---- the janitor ---- */

START_TEST(the_janitor_ends_and_cleans_here_and_now)
{
	struct ces_run_record theirs = record_of(OTHER, 1001);

	session.uid = 0;
	enter_own();
	enter(&theirs, false);
	ces_finish_all_dead(&session, false);
	ces_finish_all_dead(&session, true);
	ck_assert_ptr_null(strstr(noted->text, "a process"));
	ck_assert(!is_there("runs/" RUN) && !is_there("runs/" OTHER) && !is_there("s/" RUN));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("finish_dead");

	tcase_add_checked_fixture(t, begin, tear_down);
	tcase_add_test(t, nothing_is_done_where_nobody_died);
	tcase_add_test(t, a_dead_run_ends_here_and_is_cleaned_elsewhere);
	tcase_add_test(t, outputs_that_are_not_empty_stay_and_are_given_to_the_caller);
	tcase_add_test(t, outputs_of_a_kept_run_are_given_once);
	tcase_add_test(t, a_shared_directory_of_outputs_is_not_removed);
	tcase_add_loop_test(
	    t, shared_outputs_of_a_dead_run_stay_as_they_are_while_another_run_has_them, 0, 2);
	tcase_add_test(t, an_end_that_is_on_record_is_not_recorded_again);
	tcase_add_test(t, a_run_whose_end_cannot_be_recorded_stays_as_it_is);
	tcase_add_test(t, the_image_of_one_run_goes_with_a_dead_one);
	tcase_add_test(t, ones_own_runs_are_cleaned_before_others);
	tcase_add_test(t, nobodys_directories_are_cleaned_while_the_user_database_is_silent);
	tcase_add_loop_test(t, a_run_that_cannot_be_cleaned_is_kept_for_the_next_time, 0,
			    CES_COUNT(faults));
	tcase_add_test(t, a_run_whose_process_stays_keeps_its_gpu_until_that_is_gone_and_ends_once);
	tcase_add_test(t, a_gpu_is_free_once_its_process_is_gone_also_if_the_scratch_is_not);
	tcase_add_test(t, a_scratch_that_its_owner_moved_away_is_theirs);
	tcase_add_test(t, a_scratch_whose_parent_is_not_there_is_cleaned_later);
	tcase_add_test(t, outputs_whose_parent_is_not_there_are_given_later);
	tcase_add_test(t, outputs_that_their_owner_moved_away_are_theirs);
	tcase_add_test(t, a_scratch_that_is_a_link_now_is_not_followed);
	tcase_add_loop_test(t, a_dead_pull_ends_and_leaves_the_register, 0, 2);
	tcase_add_test(t, a_pull_whose_end_cannot_be_recorded_stays);
	tcase_add_test(t, the_janitor_ends_and_cleans_here_and_now);
	return run_suite("finish_dead", t);
}
