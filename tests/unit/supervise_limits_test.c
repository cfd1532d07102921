/* Tests what a watcher finds out about a run that failed, and who reads the output of a detached
 * run. */
/* links: helper/watch/supervise.c helper/watch/drain.c helper/core/caller.c helper/core/spawn.c helper/core/beneath.c helper/launch/cgroup.c helper/launch/parent.c helper/session/frames.c helper/session/object.c */
#include "tests/unit/supervise_scene.h"

#include "tests/unit/policy_fixture.h"

/* ---- limits of memory and processes ---- */

static const struct {
	const char *events, *own, *user;
	char status;
	const char *reason;
	uint64_t limit, value;
} memory[] = {
    /* killed at the run's own limit, or at the user's; or by the machine */
    {"oom_kill 1\n", "oom 1\n", "oom 0\n", 'k', "memory limit", CES_LIMIT_MEMORY, 1000},
    {"oom_kill 1\n", "oom 0\n", "oom 1\n", 'k', "memory limit", CES_LIMIT_MEMORY + CES_LIMIT_USER,
     4000},
    {"oom_kill 1\n", "oom 0\n", "oom 0\n", 'k', "memory limit", CES_LIMIT_MEMORY + CES_LIMIT_HOST,
     1000},
    /* one of its processes was killed, and the program itself ended otherwise */
    {"oom_kill 1\n", "oom 1\n", "oom 0\n", '5', "exit", CES_LIMIT_MEMORY, 1000},
    /* it was near the limit, and nothing was killed */
    {"oom_kill 0\n", "oom 7\n", "oom 0\n", 'k', "signal", CES_LIMIT_NONE, 0},
    /* the kernel's file is not there, or empty */
    {"", "", "", 'k', "signal", CES_LIMIT_NONE, 0},
};

static const struct ces_end *ended(char status)
{
	if (status == 'k')
		ck_assert_int_eq(kill(-scene->runtime, SIGKILL), 0);
	else
		order(status);
	return ends();
}

START_TEST(a_limit_of_memory_is_named_by_whose_it_is)
{
	const struct ces_end *end;

	start('c');
	put("user/run/memory.events", memory[_i].events);
	put("user/run/memory.events.local", memory[_i].own);
	put("user/memory.events.local", memory[_i].user);
	end = ended(memory[_i].status);
	ck_assert_int_eq(end->status, memory[_i].status == 'k' ? 137 : memory[_i].status - '0');
	ck_assert_str_eq(end->reason, memory[_i].reason);
	ck_assert_uint_eq(end->limit, memory[_i].limit);
	ck_assert_uint_eq(end->value, memory[_i].value);
	ck_assert_uint_eq(end->most, memory[_i].limit == 0 ? 0 : 2000);
}
END_TEST

static const struct {
	const char *events, *peak;
	char status;
	uint64_t limit, value;
} processes[] = {
    {"max 4\n", "10\n", '5', CES_LIMIT_PROCESSES, 10},
    {"max 4\n", "9\n", '5', CES_LIMIT_PROCESSES + CES_LIMIT_HOST, 10},
    {"max 4\n", "10\n", '0', CES_LIMIT_NONE, 0},
    {"max 0\n", "10\n", '5', CES_LIMIT_NONE, 0},
};

START_TEST(a_limit_of_processes_counts_for_a_program_that_failed)
{
	const struct ces_end *end;

	start('c');
	put("user/run/pids.events", processes[_i].events);
	put("user/run/pids.peak", processes[_i].peak);
	end = ended(processes[_i].status);
	ck_assert_str_eq(end->reason, "exit");
	ck_assert_uint_eq(end->limit, processes[_i].limit);
	ck_assert_uint_eq(end->value, processes[_i].value);
	ck_assert_uint_eq(end->most, 0);
}
END_TEST

START_TEST(a_run_that_was_stopped_names_no_limit_that_it_met_besides)
{
	const struct ces_end *end;
	uint32_t grace = 0;

	start('i');
	put("user/run/memory.events", "oom_kill 1\n");
	fd_full = container.shm;
	ck_assert_int_eq(write(stop_pipe[1], &grace, sizeof(grace)), sizeof(grace));
	killed();
	end = ends();
	ck_assert_str_eq(end->reason, "stopped");
	ck_assert_uint_eq(end->limit, CES_LIMIT_NONE);
}
END_TEST

/* ---- full places ---- */

static void fill(uint64_t which, size_t blocks)
{
	const int fds[] = {-1, container.shm, plan.mounts[CES_PLAN_SCRATCH].fd,
			   plan.mounts[CES_PLAN_OUTPUTS].fd};

	fd_full = fds[which];
	blocks_left = blocks;
}

START_TEST(a_place_with_less_than_a_mebibyte_is_named)
{
	const struct ces_end *end;

	fill((uint64_t)_i, MIB / 4096 - 1);
	start('c');
	order('5');
	end = ends();
	ck_assert_uint_eq(end->limit, CES_LIMIT_SPACE + (uint64_t)_i);
	ck_assert_uint_eq(end->value, 2560 * 4096);
	ck_assert_str_eq(end->reason, "exit");
	ck_assert_int_eq(end->status, 5);
}
END_TEST

START_TEST(a_place_with_a_mebibyte_is_not_full)
{
	fill((uint64_t)_i, MIB / 4096);
	start('c');
	order('5');
	ck_assert_uint_eq(ends()->limit, CES_LIMIT_NONE);
}
END_TEST

START_TEST(a_limit_of_memory_goes_before_a_full_place)
{
	fill(CES_LIMIT_SHM, 0);
	start('c');
	put("user/run/memory.events", "oom_kill 1\n");
	put("user/run/memory.events.local", "oom 1\n");
	order('5');
	ck_assert_uint_eq(ends()->limit, CES_LIMIT_MEMORY);
}
END_TEST

/* ---- the output of a detached run ---- */

static int waiting(void)
{
	int n = 0;

	ck_assert_int_eq(ioctl(out[0], FIONREAD, &n), 0);
	return n;
}

static void write_much(void)
{
	int64_t most = ces_now_ms() + MOST_MS;
	char what = 'w';

	request.flags = CES_FLAG_DETACH;
	start('c');
	NOTED("caller 1000:100+3 opens 1\ncaller 1000:100+3 opens 2\n");
	ck_assert_str_eq(by(), "root");
	ck_assert_int_eq(write(orders[1], &what, 1), 1);
	while (waiting() < 65536 && ces_now_ms() < most)
		(void)usleep(1000);
}

START_TEST(nobody_else_reads_while_the_keeper_lives)
{
	write_much();
	ck_assert_int_eq(waiting(), 65536);
	ck_assert_int_eq(write(stop_pipe[1], "x", 1), 1); /* (wakes the watcher, no more) */
	settle();
	later(1000);
	ck_assert_int_eq(waiting(), 65536);
	/* (the keeper reads on) */
	for (size_t got = 0; got < 2 * CHATTER;) {
		char bytes[4096];
		ssize_t n = read(out[0], bytes, sizeof(bytes));

		ck_assert_int_gt(n, 0);
		got += (size_t)n;
	}
	is_ready();
	order('4');
	ends_as(4, "exit");
}
END_TEST

START_TEST(the_output_is_dropped_when_the_keeper_is_gone)
{
	write_much();
	close(out[0]);
	close(to_client[0]);
	is_ready();
	order('4');
	ends_as(4, "exit");
}
END_TEST

/* Nobody can write any more: reading on would cost a cpu for nothing. */
START_TEST(an_output_that_is_closed_is_read_no_more)
{
	scene->hush = true;
	request.flags = CES_FLAG_DETACH;
	start('c');
	close(out[0]);
	close(to_client[0]);
	order('q');
	settle();
	order('4');
	ends_as(4, "exit");
}
END_TEST

START_TEST(an_attached_run_writes_to_its_client_alone)
{
	char what = 'w';

	start('c');
	NOTED("");
	ck_assert_int_eq(write(orders[1], &what, 1), 1);
	close(out[0]);
	/* (SIGPIPE, as for any program) */
	ends_as(128 + SIGPIPE, "signal");
}
END_TEST

/* A FIFO that the caller may only write to is read by others. */
START_TEST(a_pipe_that_the_caller_may_not_read_is_not_read)
{
	char what = 'w';

	forbidden = true;
	request.flags = CES_FLAG_DETACH;
	start('c');
	ck_assert_int_eq(write(orders[1], &what, 1), 1);
	close(to_client[0]);
	settle();
	later(1000);
	ck_assert_int_eq(waiting(), 65536);
	close(out[0]);
	ends_as(128 + SIGPIPE, "signal");
}
END_TEST

START_TEST(an_output_that_is_no_pipe_is_not_read)
{
	no_pipe = true;
	request.flags = CES_FLAG_DETACH;
	start('c');
	NOTED("caller 1000:100+3 opens 1\n");
	order('4');
	ends_as(4, "exit");
}
END_TEST

/* It has ended and nobody has waited for it: what the kernel shows of its handlers stays. */
START_TEST(a_program_that_is_not_waited_for_yet_is_not_killed)
{
	start('c');
	ck_assert_int_eq(kill(scene->runtime, SIGSTOP), 0);
	tell(CES_CONTROL_SIGNAL, SIGTERM);
	order('4');
	later(200);
	later(200);
	ck_assert(!asked_to_kill());
	ck_assert_int_eq(kill(-scene->runtime, SIGKILL), 0);
	ck_assert_int_eq(ends()->status, 128 + SIGKILL);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("supervise_limits");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, a_limit_of_memory_is_named_by_whose_it_is, 0, CES_COUNT(memory));
	tcase_add_loop_test(t, a_limit_of_processes_counts_for_a_program_that_failed, 0,
			    CES_COUNT(processes));
	tcase_add_test(t, a_run_that_was_stopped_names_no_limit_that_it_met_besides);
	tcase_add_loop_test(t, a_place_with_less_than_a_mebibyte_is_named, CES_LIMIT_FILES,
			    CES_LIMIT_SPACES);
	tcase_add_loop_test(t, a_place_with_a_mebibyte_is_not_full, CES_LIMIT_FILES,
			    CES_LIMIT_SPACES);
	tcase_add_test(t, a_limit_of_memory_goes_before_a_full_place);
	tcase_add_test(t, nobody_else_reads_while_the_keeper_lives);
	tcase_add_test(t, the_output_is_dropped_when_the_keeper_is_gone);
	tcase_add_test(t, an_output_that_is_closed_is_read_no_more);
	tcase_add_test(t, an_attached_run_writes_to_its_client_alone);
	tcase_add_test(t, a_pipe_that_the_caller_may_not_read_is_not_read);
	tcase_add_test(t, an_output_that_is_no_pipe_is_not_read);
	tcase_add_test(t, a_program_that_is_not_waited_for_yet_is_not_killed);
	return run_suite("supervise_limits", t);
}
