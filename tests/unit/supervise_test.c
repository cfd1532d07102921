/* Tests how a run is watched: which signals reach it, when it is killed, and how its end is
 * judged. */
/* links: helper/watch/supervise.c helper/watch/drain.c helper/core/caller.c helper/core/spawn.c helper/core/beneath.c helper/launch/cgroup.c helper/launch/parent.c helper/session/frames.c helper/session/object.c */
#include "tests/unit/supervise_scene.h"

#include <termios.h>

#include "tests/unit/policy_fixture.h"

/* ---- an end by itself ---- */

START_TEST(a_program_that_ends_by_itself_leaves_its_status_and_figures)
{
	const struct ces_end *end;

	start('c');
	order('3');
	end = ends();
	ck_assert_int_eq(end->status, 3);
	ck_assert_str_eq(end->reason, "exit");
	ck_assert_uint_eq(end->limit, CES_LIMIT_NONE);
	ck_assert_uint_eq(end->usage.cpu_us, 1234);
	ck_assert_uint_eq(end->usage.peak_memory, 5678);
	ck_assert_str_eq(end->text, "");
	ck_assert(!end->withheld);
	/* the watcher keeps the signals, and nothing else that it opened */
	ck_assert_int_eq(scene->leaked, 1);
}
END_TEST

START_TEST(a_program_that_ends_well_is_no_signal_and_no_full_place)
{
	const struct ces_end *end;

	fd_full = container.shm;
	blocks_left = 0;
	start('c');
	order('0');
	end = ends();
	ck_assert_int_eq(end->status, 0);
	ck_assert_str_eq(end->reason, "exit");
	ck_assert_uint_eq(end->limit, CES_LIMIT_NONE);
}
END_TEST

START_TEST(a_runtime_that_is_killed_is_an_end_by_a_signal)
{
	start('c');
	ck_assert_int_eq(kill(-scene->runtime, SIGKILL), 0);
	ends_as(128 + SIGKILL, "signal");
}
END_TEST

/* ---- the signals of a client ---- */

/* Not the numbers of a real-time signal, of a stop, of none, and of none that there could be. */
static const uint64_t others[] = {
    0,         SIGSTOP, SIGCONT, SIGALRM,  SIGCHLD,
    34,        64,      65,      1u << 31, (UINT64_C(1) << 32) + SIGKILL,
    UINT64_MAX};

START_TEST(a_signal_that_is_caught_is_passed_on)
{
	start('c');
	tell(CES_CONTROL_SIGNAL, (uint64_t)asked[_i]);
	/* (a program that ends by itself after a signal has a status of its own) */
	ends_as(100 + asked[_i], "exit");
}
END_TEST

START_TEST(a_signal_that_would_end_another_process_ends_the_run)
{
	start('d');
	tell(CES_CONTROL_SIGNAL, (uint64_t)asked[_i]);
	killed();
	ends_as(128 + asked[_i], "signal");
}
END_TEST

START_TEST(a_signal_that_is_ignored_does_nothing)
{
	start('i');
	tell(CES_CONTROL_SIGNAL, (uint64_t)asked[_i]);
	for (int i = 0; i < 5; i++)
		later(1000);
	ck_assert(!asked_to_kill());
	order('4');
	ends_as(4, "exit");
}
END_TEST

START_TEST(sigkill_kills_at_once)
{
	start('i');
	tell(CES_CONTROL_SIGNAL, SIGKILL);
	killed();
	ends_as(128 + SIGKILL, "signal");
}
END_TEST

START_TEST(any_other_number_does_nothing)
{
	start('d');
	tell(CES_CONTROL_SIGNAL, others[_i]);
	later(5000);
	ck_assert(!asked_to_kill());
	order('4');
	ends_as(4, "exit");
}
END_TEST

START_TEST(a_control_of_an_unknown_kind_does_nothing)
{
	start('d');
	tell(3, SIGKILL);
	tell(UINT64_MAX, SIGKILL);
	ck_assert(!asked_to_kill());
	order('4');
	ends_as(4, "exit");
}
END_TEST

/* A program that gives up its handler within three seconds would have died of it. */
START_TEST(a_signal_passed_on_counts_for_three_seconds)
{
	bool still = _i == 0;

	start('c');
	order('i'); /* (it does not see the signal itself) */
	order('c');
	ck_assert_int_eq(kill(scene->runtime, SIGSTOP), 0);
	tell(CES_CONTROL_SIGNAL, SIGTERM);
	ck_assert_int_le(scene->waits, 100);
	later(still ? 2000 : 3200);
	order('d');
	later(200);
	if (still) {
		killed();
		ends_as(128 + SIGTERM, "signal");
	} else {
		ck_assert(!asked_to_kill());
		ck_assert_int_eq(kill(-scene->runtime, SIGKILL), 0);
		ends_as(128 + SIGKILL, "signal");
	}
}
END_TEST

START_TEST(the_status_of_a_program_that_has_ended_is_waited_for)
{
	scene->linger = true;
	start('c');
	tell(CES_CONTROL_SIGNAL, SIGTERM);
	ck_assert_int_eq(read(out[0], &(char){0}, 1), 0); /* (the runtime has its status) */
	later(200);
	later(200);
	ck_assert(!asked_to_kill());
	scene->linger = false;
	ends_as(100 + SIGTERM, "exit");
}
END_TEST

START_TEST(a_run_without_a_program_yet_is_killed_and_not_asked)
{
	start_with(false);
	tell(CES_CONTROL_SIGNAL, SIGUSR1);
	killed();
	ends_as(128 + SIGUSR1, "signal");
}
END_TEST

/* ---- a client that goes ---- */

START_TEST(a_client_that_goes_leaves_three_seconds)
{
	start('i');
	close(from_client[1]);
	settle();
	later(2900);
	ck_assert(!asked_to_kill());
	later(100);
	killed();
	ends_as(128 + SIGKILL, "client gone");
}
END_TEST

START_TEST(a_client_that_talks_nonsense_is_gone)
{
	start('d');
	ck_assert_int_eq(write(from_client[1], "0123456789012345678901234567890123456789", 38), 38);
	killed();
	ends_as(128 + SIGTERM, "client gone");
}
END_TEST

START_TEST(a_client_that_stops_in_the_middle_is_gone_a_second_later)
{
	start('d');
	ck_assert_int_eq(write(from_client[1], CES_CONTROL_HEAD, 16), 16);
	settle();
	later(1001);
	killed();
	ends_as(128 + SIGTERM, "client gone");
}
END_TEST

START_TEST(a_detached_run_does_not_listen_and_outlives_its_client)
{
	request.flags = CES_FLAG_DETACH;
	start('d');
	tell(CES_CONTROL_SIGNAL, SIGKILL);
	close(from_client[1]);
	settle();
	later(20000);
	ck_assert(!asked_to_kill());
	order('4');
	ends_as(4, "exit");
}
END_TEST

/* ---- signals to the watcher itself ---- */

static const int to_watcher[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

START_TEST(a_signal_to_the_watcher_stops_the_run_in_ten_seconds)
{
	start('i');
	ck_assert_int_eq(kill(watcher, to_watcher[_i]), 0);
	settle();
	later(9900);
	ck_assert(!asked_to_kill());
	later(100);
	killed();
	ends_as(128 + SIGKILL, "stopped");
}
END_TEST

START_TEST(any_other_signal_to_the_watcher_changes_nothing)
{
	start('d');
	for (int number = 1; number < NSIG; number++)
		if (number != SIGKILL && number != SIGSTOP && number != SIGALRM &&
		    number != SIGHUP && number != SIGINT && number != SIGQUIT &&
		    number != SIGTERM && number != 32 && number != 33 /* libc's own */)
			(void)kill(watcher, number);
	settle();
	ck_assert(!asked_to_kill());
	order('4');
	ends_as(4, "exit");
}
END_TEST

/* ---- what else is at the watcher's door ---- */

START_TEST(a_relay_is_heard_and_its_end_is_no_end_of_the_run)
{
	int64_t most = ces_now_ms() + MOST_MS;

	make_pipe(relay);
	ports.relay.channel = relay[0];
	start('c');
	ck_assert_int_eq(write(relay[1], "x", 1), 1);
	close(relay[1]);
	while (scene->listened < 2 && ces_now_ms() < most)
		(void)usleep(1000);
	settle();
	ck_assert_uint_eq(scene->listened, 2);
	order('4');
	ends_as(4, "exit");
}
END_TEST

START_TEST(the_terminal_gets_the_size_of_the_clients)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), other, terminal;
	struct winsize size = {0};

	ck_assert_int_ge(master, 0);
	ck_assert_int_eq(unlockpt(master), 0);
	other = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(other, 0);
	terminal = open(ptsname(master), O_PATH | O_CLOEXEC);
	container.terminal = fcntl(terminal, F_DUPFD_CLOEXEC, 20);
	close(terminal);
	start('c');
	tell(CES_CONTROL_WINDOW, 33 << 16 | 101);
	ck_assert_int_eq(ioctl(master, TIOCGWINSZ, &size), 0);
	ck_assert_uint_eq(size.ws_row, 33);
	ck_assert_uint_eq(size.ws_col, 101);
	ck_assert_int_eq(scene->size_flags, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	/* (what does not fit into the two numbers is cut, and nothing else happens) */
	tell(CES_CONTROL_WINDOW, UINT64_MAX);
	ck_assert_int_eq(ioctl(master, TIOCGWINSZ, &size), 0);
	ck_assert_uint_eq(size.ws_row, UINT16_MAX);
	order('4');
	ends_as(4, "exit");
	close(master);
	close(other);
}
END_TEST

START_TEST(the_client_reads_the_end_of_the_output_when_the_program_ends)
{
	char byte;

	scene->linger = true;
	start('c');
	order('4');
	ck_assert_int_eq(read(out[0], &byte, 1), 0);
	ck_assert(!scene->ended);
	scene->linger = false;
	ends_as(4, "exit");
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("supervise");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_program_that_ends_by_itself_leaves_its_status_and_figures);
	tcase_add_test(t, a_program_that_ends_well_is_no_signal_and_no_full_place);
	tcase_add_test(t, a_runtime_that_is_killed_is_an_end_by_a_signal);
	tcase_add_loop_test(t, a_signal_that_is_caught_is_passed_on, 0, CES_COUNT(asked));
	tcase_add_loop_test(t, a_signal_that_would_end_another_process_ends_the_run, 0,
			    CES_COUNT(asked));
	tcase_add_loop_test(t, a_signal_that_is_ignored_does_nothing, 0, CES_COUNT(asked));
	tcase_add_test(t, sigkill_kills_at_once);
	tcase_add_loop_test(t, any_other_number_does_nothing, 0, CES_COUNT(others));
	tcase_add_test(t, a_control_of_an_unknown_kind_does_nothing);
	tcase_add_loop_test(t, a_signal_passed_on_counts_for_three_seconds, 0, 2);
	tcase_add_test(t, the_status_of_a_program_that_has_ended_is_waited_for);
	tcase_add_test(t, a_run_without_a_program_yet_is_killed_and_not_asked);
	tcase_add_test(t, a_client_that_goes_leaves_three_seconds);
	tcase_add_test(t, a_client_that_talks_nonsense_is_gone);
	tcase_add_test(t, a_client_that_stops_in_the_middle_is_gone_a_second_later);
	tcase_add_test(t, a_detached_run_does_not_listen_and_outlives_its_client);
	tcase_add_loop_test(t, a_signal_to_the_watcher_stops_the_run_in_ten_seconds, 0,
			    CES_COUNT(to_watcher));
	tcase_add_test(t, any_other_signal_to_the_watcher_changes_nothing);
	tcase_add_test(t, a_relay_is_heard_and_its_end_is_no_end_of_the_run);
	tcase_add_test(t, the_terminal_gets_the_size_of_the_clients);
	tcase_add_test(t, the_client_reads_the_end_of_the_output_when_the_program_ends);
	return run_suite("supervise", t);
}
