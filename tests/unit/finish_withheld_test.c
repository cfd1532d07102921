/* Tests where a run's outputs go that wait for their check: to their user's path, or nowhere. */
/* links: helper/watch/finish.c helper/watch/kept.c helper/watch/outcome.c helper/watch/list.c helper/core/beneath.c helper/core/caller.c helper/core/caller_open.c helper/session/runs.c helper/session/object.c helper/clean/tree.c helper/session/journal.c helper/session/json.c helper/session/record.c helper/session/report.c */
#include "tests/unit/finish_end.h"

static void withhold(void)
{
	close(plan.mounts[CES_PLAN_OUTPUTS].fd);
	make_directory("w");
	make_directory("w/" RUN);
	put("w/" RUN "/result", "43");
	plan.withheld = open_directory("w");
	plan.mounts[CES_PLAN_OUTPUTS].fd = cleaned[0] = open_directory("w/" RUN);
	ck_assert_int_eq((int)syscall(SYS_unlinkat, directory, "o/" RUN "/result", 0), 0);
	strcpy(decision.check, "{}");
	strcpy(decision.withhold, "/srv/withheld");
}

START_TEST(outputs_that_pass_take_the_place_of_the_empty_directory)
{
	withhold();
	answer(CES_LIST_PASSED);
	ck_assert_int_eq(ces_finish(&finish, 0, &err), 0);
	ck_assert_ptr_nonnull(strstr(noted->text,
				     "60 seconds\nroot moves /w/" RUN " to /o/" RUN
				     "\n" RECORD(LISTED ",\"check\":\"passed\",\"findings\":0")
					 ENDED USED FORGOTTEN));
	ck_assert(is_there("o/" RUN "/result") && !is_there("w/" RUN));
	heard("exit");
}
END_TEST

#define KEPT_BACK(check)                                                                           \
	"caller 1000:100+2 removes directory /o/" RUN "\n660 seconds\n"                            \
	"ces-clean shares /w/" RUN "/\n60 seconds\n" RECORD(                                       \
	    LISTED ",\"check\":\"" check "\",\"findings\":0,\"withheld\":\"/srv/withheld\"")       \
	    ENDED USED FORGOTTEN

static const struct {
	uint64_t check;
	const char *noted;
} others[] = {{CES_LIST_FAILED, KEPT_BACK("failed")},
	      {CES_LIST_UNASKED, KEPT_BACK("not checked")},
	      {CES_LIST_UNCHECKED, KEPT_BACK("not checked")},
	      {UINT64_MAX, KEPT_BACK("not checked")}};

START_TEST(any_other_outputs_stay_where_they_were_written)
{
	struct stat st;

	withhold();
	answer(others[_i].check);
	ck_assert_int_eq(ces_finish(&finish, 0, &err), 0);
	ck_assert_ptr_nonnull(strstr(noted->text, others[_i].noted));
	ck_assert_ptr_null(strstr(noted->text, "root moves"));
	ck_assert(!is_there("o/" RUN));
	/* (those who may enter the directory above can read them) */
	ck_assert_int_eq(fstatat(directory, "w/" RUN "/result", &st, 0), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0644);
	ck_assert_int_eq(fstatat(directory, "w/" RUN, &st, 0), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0755);
	heard("exit");
}
END_TEST

START_TEST(the_record_has_the_directory_of_withheld_outputs_in_ascii)
{
	withhold();
	strcpy(decision.withhold, "/srv/zur\303\274ck\\");
	answer(CES_LIST_FAILED);
	ck_assert_int_eq(ces_finish(&finish, 0, &err), 0);
	ck_assert_ptr_nonnull(
	    strstr(noted->text, "\"withheld\":\"/srv/zur\\\\303\\\\274ck\\\\134\""));
}
END_TEST

START_TEST(outputs_do_not_go_where_the_caller_put_something_else)
{
	withhold();
	if (_i == 0) {
		put("o/" RUN "/mine", "x");
	} else {
		ck_assert_int_eq((int)syscall(SYS_unlinkat, directory, "o/" RUN, AT_REMOVEDIR), 0);
		ck_assert_int_eq(symlinkat("/tmp", directory, "o/" RUN), 0);
	}
	answer(CES_LIST_PASSED);
	ck_assert_int_eq(ces_finish(&finish, 0, &err), 0);
	ck_assert_ptr_nonnull(strstr(noted->text, "moves /w/" RUN " to /o/" RUN ": no\n"));
	ck_assert(finish.end.withheld && is_there("w/" RUN "/result") && is_there("o/" RUN));
	heard("exit");
}
END_TEST

START_TEST(a_run_that_did_not_start_leaves_nothing_that_waits)
{
	withhold();
	ck_assert_int_eq((int)syscall(SYS_unlinkat, directory, "w/" RUN "/result", 0), 0);
	(void)ces_error_set(&err, CES_E_HOST, "no mount");
	ck_assert_int_eq(ces_finish(&finish, -1, &err), 1);
	ck_assert(!is_there("w/" RUN) && !is_there("o/" RUN));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("outputs that wait for their check");

	tcase_add_checked_fixture(t, begin, tear_down);
	tcase_add_test(t, outputs_that_pass_take_the_place_of_the_empty_directory);
	tcase_add_loop_test(t, any_other_outputs_stay_where_they_were_written, 0,
			    CES_COUNT(others));
	tcase_add_test(t, the_record_has_the_directory_of_withheld_outputs_in_ascii);
	tcase_add_loop_test(t, outputs_do_not_go_where_the_caller_put_something_else, 0, 2);
	tcase_add_test(t, a_run_that_did_not_start_leaves_nothing_that_waits);
	return run_suite("finish, withheld", t);
}
