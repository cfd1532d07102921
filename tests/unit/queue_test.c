/* Tests the table of users who wait for a place. */
/* links: helper/session/queue.c */
#include <check.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helper/session/queue.h"
#include "tests/unit/directory.h"
#include "tests/unit/policy_fixture.h"

static void tear_down(void)
{
	(void)unlinkat(directory, ".queue", 0);
	directory_end();
}

static const char *project = "p";
static uint64_t devices = 1; /* that would do, for a wish for GPUs */

static uint64_t wait_for(uid_t uid, uint64_t ticket, uint64_t gpus, uint64_t position)
{
	const struct ces_queue_wish wish = {uid, project, ticket, gpus, gpus > 0 ? devices : 0};
	uint64_t got = 0;

	ticket = ces_queue_wait(directory, &wish, &got);
	ck_assert_uint_ne(ticket, 0);
	ck_assert_uint_eq(got, position);
	return ticket;
}

static size_t before(uid_t uid, uint64_t ticket, uint64_t gpus, uint64_t idle)
{
	const struct ces_queue_wish wish = {uid, project, ticket, gpus, gpus > 0 ? devices : 0};

	return ces_queue_before(directory, &wish, idle, wish.devices);
}

START_TEST(one_users_runs_wait_in_order_and_other_users_do_not_count)
{
	uint64_t one = wait_for(1000, 0, 0, 1), two = wait_for(1000, 0, 0, 2);

	(void)wait_for(1001, 0, 0, 1);
	ck_assert_uint_eq(wait_for(1000, two, 0, 2), two);
	ck_assert_uint_eq(before(1000, one, 0, 0), 0);
	ck_assert_uint_eq(before(1000, two, 0, 0), 1);
	ck_assert_uint_eq(before(1000, 0, 0, 0), 2); /* they ask for the first time */
	ces_queue_leave(directory, &(struct ces_queue_wish){1000, "p", one, 0, 0});
	ck_assert_uint_eq(before(1000, two, 0, 0), 0);
}
END_TEST

START_TEST(a_users_projects_wait_in_lines_of_their_own)
{
	(void)wait_for(1000, 0, 0, 1);
	project = "q";
	ck_assert_uint_eq(before(1000, 0, 0, 0), 0);
	(void)wait_for(1000, 0, 0, 1);
	ck_assert_uint_eq(before(1000, 0, 0, 0), 1);
}
END_TEST

START_TEST(a_ticket_of_another_user_or_an_unknown_one_does_not_count)
{
	uint64_t one = wait_for(1000, 0, 0, 1), other = wait_for(1001, 0, 0, 1);

	ck_assert_uint_ne(wait_for(1001, one, 0, 2), one);
	ck_assert_uint_ne(wait_for(1000, 12345, 0, 2), 12345);
	ces_queue_leave(directory, &(struct ces_queue_wish){1001, "p", one, 0, 0});
	ck_assert_uint_eq(before(1000, one, 0, 0), 0);
	ck_assert_uint_eq(before(1000, 0, 0, 0), 2);
	ck_assert_uint_eq(before(1001, other, 0, 0), 0);
}
END_TEST

START_TEST(users_wait_for_gpus_in_one_line_and_one_that_cannot_be_served_lets_others_pass)
{
	uint64_t four = wait_for(1000, 0, 4, 1), one = wait_for(1001, 0, 1, 2);

	ck_assert_uint_eq(before(1001, one, 1, 1), 0); /* one GPU is free: too few for the four */
	ck_assert_uint_eq(before(1001, one, 1, 4), 1);
	ck_assert_uint_eq(before(1002, 0, 1, 1), 1);
	ck_assert_uint_eq(before(1000, four, 4, 4), 0);
	ck_assert_uint_eq(before(1000, 0, 0, 0), 0); /* they want no GPU */
}
END_TEST

START_TEST(who_waits_for_a_device_that_is_not_free_lets_those_pass_who_want_another)
{
	uint64_t one = wait_for(1000, 0, 1, 1);

	ck_assert_uint_eq(before(1001, 0, 1, 1), 1);
	devices = 6; /* two others */
	ck_assert_uint_eq(before(1001, 0, 1, 2), 0);
	(void)wait_for(1002, 0, 1, 2); /* in the one line all the same */
	ck_assert_uint_eq(before(1001, 0, 1, 2), 1);
	devices = 1;
	ck_assert_uint_eq(before(1000, one, 1, 1), 0);
}
END_TEST

START_TEST(a_ticket_keeps_its_place_only_for_what_it_was_given_for)
{
	uint64_t place = wait_for(1000, 0, 0, 1), many = wait_for(1001, 0, 4, 1),
		 one = wait_for(1002, 0, 1, 2), again;

	/* neither comes before one that has waited for a GPU */
	ck_assert_uint_eq(before(1000, place, 1, 1), 1);
	ck_assert_uint_eq(before(1001, many, 1, 1), 1);
	again = wait_for(1001, many, 1, 2);
	ck_assert_uint_gt(again, one);
	ck_assert_uint_eq(wait_for(1001, again, 1, 2), again);
	devices = 2;
	ck_assert_uint_gt(wait_for(1001, again, 1, 2), again);
	devices = 1;
	/* (a run that waited for a GPU may have to wait for a place among its user's) */
	ck_assert_uint_eq(wait_for(1002, one, 0, 1), one);
	ck_assert_uint_eq(before(1002, one, 0, 0), 0);
}
END_TEST

START_TEST(a_ticket_that_is_not_shown_is_lost)
{
	uint64_t one = wait_for(1000, 0, 0, 1), seen = 0;
	int fd = openat(directory, ".queue", O_RDWR | O_CLOEXEC);

	/* the last number, then ticket, gpus, seen, uid of the first */
	ck_assert_int_eq(pread(fd, &seen, sizeof(seen), 24), sizeof(seen));
	ck_assert_uint_gt(seen, 0);
	seen = seen > CES_QUEUE_MS ? seen - CES_QUEUE_MS - 1 : UINT64_MAX;
	ck_assert_int_eq(pwrite(fd, &seen, sizeof(seen), 24), sizeof(seen));
	close(fd);
	ck_assert_uint_eq(before(1000, 0, 0, 0), 0);
	ck_assert_uint_ne(wait_for(1000, one, 0, 1), one);
}
END_TEST

START_TEST(a_user_has_sixteen_tickets_and_the_table_has_an_end)
{
	const struct ces_queue_wish more = {1000, "p", 0, 0, 0}, last = {2000, "p", 0, 0, 0};
	uint64_t position;

	for (uint64_t i = 1; i <= 16; i++)
		(void)wait_for(1000, 0, 0, i);
	ck_assert_uint_eq(ces_queue_wait(directory, &more, &position), 0);
	for (uid_t uid = 1001; uid < 1016; uid++)
		for (uint64_t i = 1; i <= 16; i++)
			(void)wait_for(uid, 0, 0, i);
	ck_assert_uint_eq(ces_queue_wait(directory, &last, &position), 0);
}
END_TEST

START_TEST(a_damaged_table_is_an_empty_one)
{
	int fd;

	(void)wait_for(1000, 0, 0, 1);
	fd = openat(directory, ".queue", O_WRONLY | O_TRUNC | O_CLOEXEC);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	close(fd);
	ck_assert_uint_eq(before(1000, 0, 0, 0), 0);
	(void)wait_for(1000, 0, 0, 1);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("queue");

	tcase_add_checked_fixture(t, directory_begin, tear_down);
	tcase_add_test(t, one_users_runs_wait_in_order_and_other_users_do_not_count);
	tcase_add_test(t, a_users_projects_wait_in_lines_of_their_own);
	tcase_add_test(t, a_ticket_of_another_user_or_an_unknown_one_does_not_count);
	tcase_add_test(
	    t, users_wait_for_gpus_in_one_line_and_one_that_cannot_be_served_lets_others_pass);
	tcase_add_test(t, who_waits_for_a_device_that_is_not_free_lets_those_pass_who_want_another);
	tcase_add_test(t, a_ticket_keeps_its_place_only_for_what_it_was_given_for);
	tcase_add_test(t, a_ticket_that_is_not_shown_is_lost);
	tcase_add_test(t, a_user_has_sixteen_tickets_and_the_table_has_an_end);
	tcase_add_test(t, a_damaged_table_is_an_empty_one);
	return run_suite("queue", t);
}
