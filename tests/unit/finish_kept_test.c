/* Tests what is done after a crash of the machine about the runs that are on record on its disk. */
/* links: helper/watch/finish.c helper/watch/kept.c helper/watch/outcome.c helper/watch/list.c helper/core/beneath.c helper/core/caller.c helper/core/caller_open.c helper/session/runs.c helper/session/object.c helper/clean/tree.c helper/session/journal.c helper/session/json.c helper/session/record.c helper/session/report.c */
#include "tests/unit/finish_dead.h"

static void keep(const char *run, uid_t uid)
{
	struct ces_run_record record = record_of(run, uid);

	ck_assert_int_eq(ces_object_write(session.store.runs, record.run, &ces_run_record_schema,
					  &record, NULL, &err),
			 0);
	noted->text[0] = '\0';
}

START_TEST(a_run_that_is_kept_alone_is_one_that_a_crash_ended)
{
	keep(OTHER, 1001);
	ces_finish_dead(&session);
	ck_assert_ptr_nonnull(strstr(noted->text, ENDED_FIRST(OTHER, "1001", "bob")));
	ck_assert(!is_there("runs/" OTHER) && !is_there("kept/" OTHER));
}
END_TEST

START_TEST(a_run_that_lives_is_not_entered_again)
{
	struct ces_run_record mine = record_of(RUN, 1000);

	keep(RUN, 1000);
	enter(&mine, true);
	ces_finish_dead(&session);
	NOTED("");
	ck_assert(is_there("kept/" RUN));
}
END_TEST

START_TEST(a_damaged_record_goes_and_other_files_stay)
{
	put("kept/" RUN, "this is torn");
	put("kept/" OTHER, "");
	put("kept/notes", "mine");
	put("kept/" RUN ".77", "of a process that was killed"); /* which has no name yet */
	ces_kept_restore(&session.store, session.runs);
	ck_assert(!is_there("kept/" RUN) && !is_there("kept/" OTHER));
	ck_assert(is_there("kept/notes") && !is_there("kept/" RUN ".77"));
	ck_assert(!is_there("runs/" RUN) && !is_there("runs/" OTHER));
}
END_TEST

/* A record that cannot be read now may be read the next time. */
START_TEST(a_record_that_cannot_be_read_stays)
{
	make_directory("kept/" RUN);
	ck_assert_int_eq(symlinkat("/etc/passwd", directory, "kept/" OTHER), 0);
	ces_kept_restore(&session.store, session.runs);
	ck_assert(is_there("kept/" RUN) && is_there("kept/" OTHER));
	ck_assert(!is_there("runs/" RUN) && !is_there("runs/" OTHER));
}
END_TEST

START_TEST(a_record_may_be_left_to_be_synced)
{
	struct ces_run_record record = record_of(RUN, 1000);
	int fd = -1;

	ck_assert_int_eq(ces_object_write(session.store.runs, record.run, &ces_run_record_schema,
					  &record, &fd, &err),
			 0);
	ck_assert_int_eq(fdatasync(fd), 0);
	close(fd);
	ck_assert(is_there("kept/" RUN));
	ces_kept_forget(&session.store, RUN);
	ces_kept_forget(&session.store, RUN);
	ck_assert(!is_there("kept/" RUN));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("after a crash of the machine");

	tcase_add_checked_fixture(t, begin, tear_down);
	tcase_add_test(t, a_run_that_is_kept_alone_is_one_that_a_crash_ended);
	tcase_add_test(t, a_run_that_lives_is_not_entered_again);
	tcase_add_test(t, a_damaged_record_goes_and_other_files_stay);
	tcase_add_test(t, a_record_that_cannot_be_read_stays);
	tcase_add_test(t, a_record_may_be_left_to_be_synced);
	return run_suite("finish, after a crash", t);
}
