/* Tests when a run is ended: by a request to stop, and by its limit of time. */
/* links: helper/watch/supervise.c helper/watch/drain.c helper/core/caller.c helper/core/spawn.c helper/core/beneath.c helper/launch/cgroup.c helper/launch/parent.c helper/session/frames.c helper/session/object.c */
#include "tests/unit/supervise_scene.h"

#include "tests/unit/policy_fixture.h"

/* ---- requests to stop ---- */

static void stop_in(uint32_t grace)
{
	ck_assert_int_eq(write(stop_pipe[1], &grace, sizeof(grace)), sizeof(grace));
	settle();
}

START_TEST(a_stop_sends_the_images_signal_and_kills_after_the_grace)
{
	image.stop_signal = SIGUSR2;
	start('c');
	stop_in(60);
	ends_as(100 + SIGUSR2, "stopped");
}
END_TEST

START_TEST(a_stop_kills_after_the_grace_and_again_every_ten_seconds)
{
	start('i');
	stop_in(60);
	later(59900);
	ck_assert(!asked_to_kill());
	later(100);
	ck_assert(asked_to_kill());
	later(9900);
	ck_assert(!asked_to_kill());
	later(100);
	killed();
	ends_as(128 + SIGKILL, "stopped");
}
END_TEST

START_TEST(a_second_stop_may_shorten_the_grace_and_not_lengthen_it)
{
	start('i');
	stop_in(60);
	stop_in(3600);
	stop_in(10);
	stop_in(UINT32_MAX);
	later(9900);
	ck_assert(!asked_to_kill());
	later(100);
	killed();
	ends_as(128 + SIGKILL, "stopped");
}
END_TEST

START_TEST(no_grace_passes_the_limit_of_time)
{
	start('i');
	later(TIME * 1000 - 5000);
	stop_in(3600);
	later(14900);
	ck_assert(!asked_to_kill());
	later(100);
	killed();
	ends_as(128 + SIGKILL, "stopped");
}
END_TEST

START_TEST(a_stop_at_once_kills_at_once)
{
	start('i');
	stop_in(0);
	killed();
	ends_as(128 + SIGKILL, "stopped");
}
END_TEST

START_TEST(a_value_that_is_not_whole_stops_nothing)
{
	start('d');
	ck_assert_int_eq(write(stop_pipe[1], "abc", 3), 3);
	settle();
	ck_assert(!asked_to_kill());
	order('4');
	ends_as(4, "exit");
}
END_TEST

START_TEST(the_first_reason_is_on_record)
{
	start('i');
	close(from_client[1]);
	settle();
	stop_in(0);
	killed();
	ends_as(128 + SIGKILL, "client gone");
}
END_TEST

/* ---- time ---- */

START_TEST(the_time_limit_stops_the_run_and_kills_ten_seconds_later)
{
	const struct ces_end *end;

	start('i');
	ck_assert_uint_eq(scene->alarm, TIME + 1800);
	later(TIME * 1000 - 2000);
	later(2000);
	later(9900);
	ck_assert(!asked_to_kill());
	later(100);
	killed();
	end = ends();
	ck_assert_str_eq(end->reason, "time limit");
	ck_assert_uint_eq(end->limit, CES_LIMIT_TIME);
	ck_assert_uint_eq(end->value, TIME);
}
END_TEST

START_TEST(a_program_that_obeys_the_time_limit_keeps_its_status)
{
	start('c');
	later(TIME * 1000 - 2000);
	ck_assert(!scene->ended);
	scene->ahead += 2000;
	ends_as(100 + SIGTERM, "time limit");
}
END_TEST

static const struct {
	uint64_t time;
	unsigned alarm;
} times[] = {
    {1, 1801}, {INT32_MAX - 1u, INT32_MAX + 1799u}, {INT32_MAX, 0}, {UINT64_MAX / 4000, 0}};

START_TEST(the_alarm_comes_half_an_hour_after_the_time_limit_or_never)
{
	decision.limits.time = times[_i].time;
	start('c');
	ck_assert_uint_eq(scene->alarm, times[_i].alarm);
	/* (a timeout of poll is an int) */
	ck_assert_int_ge(scene->waits, 0);
	ck_assert_int_le(scene->waits, 3600 * 1000);
	order('0');
	ends_as(0, "exit");
	ck_assert_uint_eq(scene->alarm, 1800); /* a file server may not answer */
}
END_TEST

START_TEST(a_poll_that_fails_kills_the_run)
{
	start('i');
	scene->break_poll = true;
	ck_assert_int_eq(write(stop_pipe[1], "x", 1), 1); /* (ends the poll that is under way) */
	killed();
	ends_as(128 + SIGKILL, "signal");
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("time");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_stop_sends_the_images_signal_and_kills_after_the_grace);
	tcase_add_test(t, a_stop_kills_after_the_grace_and_again_every_ten_seconds);
	tcase_add_test(t, a_second_stop_may_shorten_the_grace_and_not_lengthen_it);
	tcase_add_test(t, no_grace_passes_the_limit_of_time);
	tcase_add_test(t, a_stop_at_once_kills_at_once);
	tcase_add_test(t, a_value_that_is_not_whole_stops_nothing);
	tcase_add_test(t, the_first_reason_is_on_record);
	tcase_add_test(t, the_time_limit_stops_the_run_and_kills_ten_seconds_later);
	tcase_add_test(t, a_program_that_obeys_the_time_limit_keeps_its_status);
	tcase_add_loop_test(t, the_alarm_comes_half_an_hour_after_the_time_limit_or_never, 0,
			    CES_COUNT(times));
	tcase_add_test(t, a_poll_that_fails_kills_the_run);
	return run_suite("supervise_time", t);
}
