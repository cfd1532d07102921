/* Tests the clean room: what a caller may leave in a process, and what is there afterwards. */
/* links: helper/entry/cleanroom.c */
#include "tests/unit/cleanroom_scene.h"

#include <limits.h>

/* ---- a good start ---- */

static void spoil(void)
{
	const struct itimerval soon = {.it_value.tv_sec = 1000};
	struct rlimit low;
	sigset_t all;

	(void)setenv("LD_PRELOAD", "/tmp/x.so", 1);
	(void)setenv("PATH", "/tmp", 1);
	for (int number = 1; number < NSIG; number++)
		(void)signal(number, SIG_IGN);
	sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	for (int timer = 0; timer < 3; timer++)
		(void)setitimer((__itimer_which_t)timer, &soon, NULL);
	(void)syscall(SYS_prctl, PR_SET_TIMERSLACK, 2000000000ul, 0, 0, 0);
	(void)syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGUSR1, 0, 0, 0);
	(void)umask(0);
	(void)syscall(SYS_chdir, "/tmp");
	if (getrlimit(RLIMIT_FSIZE, &low) == 0) {
		low.rlim_cur = 4096;
		(void)syscall(SYS_prlimit64, 0, RLIMIT_FSIZE, &low, NULL_LIMIT);
	}
	(void)dup2(0, 5);
	(void)dup2(0, 77);
	(void)dup2(0, 1000);
}

/* In this order: the ids change after the limits (nobody may limit root) and before the session.
 * The flag against dumps comes after each change of ids. */
#define BEFORE_IDS                                                                                 \
	"alarm 20\nenvironment\nclose from 5 to ffffffff\n"                                        \
	"prctl 29 50000\nprctl 1 0\nprctl 36 0\ndirectory /\n"                                     \
	"limit 1\nlimit 0\nlimit 9\nlimit 2\nlimit 3\nlimit 7\nlimit 6\nlimit 4\n"                 \
	"limit 14\nlimit 13\n"
#define IDS "groups: 0\ngids: 0 0 0\nuids: 0 0 0\nprctl 4 0\n"
#define AFTER_IDS                                                                                  \
	"scheduler 0 0 0\npriority 0 0 0\nio priority 1\nmemory policy 0\nsession\nkeyring 1\n"

_Static_assert(RLIMIT_FSIZE == 1 && RLIMIT_CPU == 0 && RLIMIT_AS == 9 && RLIMIT_DATA == 2 &&
		   RLIMIT_STACK == 3 && RLIMIT_NOFILE == 7 && RLIMIT_NPROC == 6 &&
		   RLIMIT_CORE == 4 && RLIMIT_RTPRIO == 14 && RLIMIT_NICE == 13,
	       "the numbers of BEFORE_IDS");

START_TEST(nothing_that_a_caller_left_is_there_afterwards)
{
	int fds[5];

	make_all(ordinary, fds);
	child(fds, spoil, enter);
	ck_assert_msg(entered->result == 0, "%s", entered->err.text);
	ck_assert_uint_eq(entered->uid, 1000);
	ck_assert_str_eq(entered->steps, BEFORE_IDS IDS AFTER_IDS);
	ck_assert_uint_eq(entered->open, 5);
	for (int i = 0; i < 5; i++)
		ck_assert_uint_eq(entered->inodes[i], inode(fds[i]));
	ck_assert(!entered->has_environment);
	ck_assert_int_eq(entered->signals_kept, 0);
	ck_assert_int_eq(entered->blocked, 0);
	ck_assert_int_eq(entered->slack, 50000);
	ck_assert_int_eq(entered->death, 0);
	ck_assert_int_eq(entered->dumpable, 0);
	ck_assert_uint_eq(entered->mask, 077);
	ck_assert_str_eq(entered->directory, "/");
	ck_assert(entered->leads_session);
	ck_assert_int_le(entered->timers[ITIMER_REAL].it_value.tv_sec, 20);
	ck_assert_int_ge(entered->timers[ITIMER_REAL].it_value.tv_sec, 10);
	for (int i = ITIMER_VIRTUAL; i <= ITIMER_PROF; i++)
		ck_assert_int_eq(entered->timers[i].it_value.tv_sec, 0);
}
END_TEST

static const struct {
	int resource;
	rlim_t at_least;
} floors[] = {
    {RLIMIT_FSIZE, RLIM_INFINITY}, {RLIMIT_CPU, RLIM_INFINITY}, {RLIMIT_AS, RLIM_INFINITY},
    {RLIMIT_DATA, RLIM_INFINITY},  {RLIMIT_STACK, 8u << 20},    {RLIMIT_NOFILE, 1024},
    {RLIMIT_NPROC, 256},
};

static void limit_all(void)
{
	/* (files last, and not so low that the child could not go on) */
	for (size_t i = 0; i < CES_COUNT(floors); i++) {
		int resource = floors[i].resource;
		struct rlimit low = {
		    resource == RLIMIT_AS || resource == RLIMIT_DATA ? 1u << 30 : 150,
		    resource == RLIMIT_AS || resource == RLIMIT_DATA ? 1u << 30 : 150};

		if (resource != RLIMIT_STACK)
			(void)syscall(SYS_prlimit64, 0, resource, &low, NULL_LIMIT);
	}
}

START_TEST(limits_below_which_files_would_be_torn_are_raised)
{
	int fds[5];

	make_all(ordinary, fds);
	child(fds, limit_all, enter);
	ck_assert_int_eq(entered->result, 0);
	for (size_t i = 0; i < CES_COUNT(floors); i++) {
		const struct rlimit *limit = &entered->limits[floors[i].resource];

		ck_assert_uint_ge(limit->rlim_max, floors[i].at_least);
		ck_assert_uint_ge(limit->rlim_cur, floors[i].at_least);
		if (floors[i].resource == RLIMIT_STACK)
			ck_assert_uint_eq(limit->rlim_cur, floors[i].at_least);
		else
			ck_assert_uint_eq(limit->rlim_cur, limit->rlim_max);
	}
	/* no core, neither to a file nor to a program of the host's: it would hold data */
	ck_assert_uint_eq(entered->limits[RLIMIT_CORE].rlim_cur, 1);
	ck_assert_uint_eq(entered->limits[RLIMIT_CORE].rlim_max, 1);
	/* no quota of a cgroup binds a real-time program */
	ck_assert_uint_eq(entered->limits[RLIMIT_RTPRIO].rlim_max, 0);
	ck_assert_uint_eq(entered->limits[RLIMIT_NICE].rlim_max, 0);
}
END_TEST

/* ---- the fds ---- */

START_TEST(only_pipes_and_terminals_go_on_as_standard_files)
{
	for (int fd = 0; fd < CES_FD_REQUEST; fd++) {
		enum kind kinds[5];
		int fds[5];
		bool kept = _i <= BOTH || (_i >= PTY && _i <= PTY_OUT);
		CES_CLEANUP_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		memcpy(kinds, ordinary, sizeof(kinds));
		kinds[fd] = (enum kind)_i;
		make_all(kinds, fds);
		memset(entered, 0, sizeof(*entered));
		child(fds, NULL, enter);
		ck_assert_msg(entered->result == 0, "fd %d: %s", fd, entered->err.text);
		ck_assert_uint_eq(entered->inodes[fd], inode(kept ? fds[fd] : null));
		ck_assert_uint_eq(entered->open, 5);
	}
}
END_TEST

START_TEST(all_three_may_be_closed)
{
	static const enum kind kinds[] = {CLOSED, CLOSED, CLOSED, READ, WRITE};
	int fds[5];

	make_all(kinds, fds);
	child(fds, NULL, enter);
	ck_assert_int_eq(entered->result, 0);
	ck_assert_uint_eq(entered->open, 5);
}
END_TEST

START_TEST(the_request_is_the_read_end_of_a_pipe)
{
	enum kind kinds[5];
	int fds[5];

	memcpy(kinds, ordinary, sizeof(kinds));
	kinds[CES_FD_REQUEST] = (enum kind)_i;
	make_all(kinds, fds);
	child(fds, NULL, enter);
	ck_assert_int_eq(entered->result, _i == READ ? 0 : -1);
	if (_i == READ)
		return;
	ck_assert_int_eq(entered->err.code, CES_E_USAGE);
	ck_assert_str_eq(entered->err.text,
			 "ces-helper is started by ces-client only; type: ces-client --help");
	/* (nothing is said, and nothing was done) */
	ck_assert_uint_eq(entered->inodes[CES_FD_EVENT], 0);
	ck_assert_str_eq(entered->steps, "alarm 20\nenvironment\n");
}
END_TEST

START_TEST(the_events_go_to_the_write_end_of_a_pipe)
{
	enum kind kinds[5];
	int fds[5];

	memcpy(kinds, ordinary, sizeof(kinds));
	kinds[CES_FD_EVENT] = (enum kind)_i;
	make_all(kinds, fds);
	child(fds, NULL, enter);
	ck_assert_int_eq(entered->result, _i == WRITE ? 0 : -1);
	if (_i == WRITE)
		return;
	ck_assert_int_eq(entered->err.code, CES_E_USAGE);
	ck_assert_uint_eq(entered->inodes[CES_FD_EVENT], 0);
	ck_assert_str_eq(entered->steps, "alarm 20\nenvironment\n");
}
END_TEST

/* The flags of an open file belong to all who hold it. */
START_TEST(the_callers_flags_are_not_the_helpers)
{
	int fds[5];

	make_all(ordinary, fds);
	child(fds, NULL, enter);
	ck_assert_int_eq(entered->flags[CES_FD_REQUEST] & (O_ACCMODE | O_NONBLOCK),
			 O_RDONLY | O_NONBLOCK);
	ck_assert_int_eq(entered->flags[CES_FD_EVENT] & (O_ACCMODE | O_NONBLOCK),
			 O_WRONLY | O_NONBLOCK);
	ck_assert_int_eq(fcntl(fds[CES_FD_REQUEST], F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(fcntl(fds[CES_FD_EVENT], F_GETFL) & O_NONBLOCK, 0);
}
END_TEST

/* ---- refusals ---- */

START_TEST(an_argument_is_refused)
{
	static const int counts[] = {0, 2, INT_MAX};
	int fds[5];

	n_arguments = counts[_i];
	make_all(ordinary, fds);
	child(fds, NULL, enter);
	ck_assert_int_eq(entered->result, -1);
	ck_assert_int_eq(entered->err.code, CES_E_USAGE);
	ck_assert_uint_ne(entered->inodes[CES_FD_EVENT], 0);
	ck_assert_str_eq(entered->steps, "alarm 20\nenvironment\nclose from 5 to ffffffff\n");
}
END_TEST

START_TEST(without_the_set_uid_bit_nothing_is_done)
{
	int fds[5];

	effective = 1000;
	make_all(ordinary, fds);
	child(fds, NULL, enter);
	ck_assert_int_eq(entered->result, -1);
	ck_assert_int_eq(entered->err.code, CES_E_HOST);
	ck_assert_ptr_nonnull(strstr(entered->err.text, "not setuid root"));
	ck_assert_str_eq(entered->steps, "alarm 20\nenvironment\nclose from 5 to ffffffff\n");
}
END_TEST

START_TEST(root_of_a_user_namespace_is_not_root)
{
	int fds[5];

	namespace --;
	make_all(ordinary, fds);
	child(fds, NULL, enter);
	ck_assert_int_eq(entered->result, -1);
	ck_assert_int_eq(entered->err.code, CES_E_HOST);
	ck_assert_ptr_nonnull(strstr(entered->err.text, "user namespace"));
	ck_assert_str_eq(entered->steps, "alarm 20\nenvironment\nclose from 5 to ffffffff\n");
}
END_TEST

static const struct {
	const char *fails, *says;
} faults[] = {
    {"environment", "clearing the environment"},
    {"close from 5 to ffffffff", "close_range"},
    {"prctl 29 50000", "prctl"},
    {"prctl 1 0", "prctl"},
    {"prctl 36 0", "prctl"},
    {"directory /", "/: "},
    {"limit 1", "your limit on file size is too low (ulimit); raise it and try again"},
    {"limit 0", "your limit on cpu time is too low (ulimit); raise it and try again"},
    {"limit 9", "your limit on address space is too low (ulimit); raise it and try again"},
    {"limit 2", "your limit on data size is too low (ulimit); raise it and try again"},
    {"limit 3", "your limit on stack size is too low (ulimit); raise it and try again"},
    {"limit 7", "your limit on open files is too low (ulimit); raise it and try again"},
    {"limit 6", "your limit on processes is too low (ulimit); raise it and try again"},
    {"limit 4", "limits to 0"},
    {"limit 14", "limits to 0"},
    {"limit 13", "limits to 0"},
    {"groups: 0", "becoming root: "},
    {"gids: 0 0 0", "becoming root: "},
    {"uids: 0 0 0", "becoming root: "},
    {"prctl 4 0", "prctl"},
    {"session", "ces-helper is started by ces-client only"},
    {"keyring 1", "session keyring"},
};

START_TEST(a_step_that_fails_is_the_last_one)
{
	const char *all = BEFORE_IDS IDS AFTER_IDS, *end;
	char line[64];
	int fds[5];

	fails = faults[_i].fails;
	(void)snprintf(line, sizeof(line), "%s\n", fails);
	end = strstr(all, line);
	ck_assert_ptr_nonnull(end);
	make_all(ordinary, fds);
	child(fds, NULL, enter);
	ck_assert_int_eq(entered->result, -1);
	ck_assert_ptr_nonnull(strstr(entered->err.text, faults[_i].says));
	ck_assert_uint_eq(strlen(entered->steps), (size_t)(end - all) + strlen(line));
	ck_assert_int_eq(strncmp(entered->steps, all, strlen(entered->steps)), 0);
}
END_TEST

static const char *const without_effect[] = {"groups", "gid", "uid"};

START_TEST(ids_that_did_not_change_are_seen)
{
	int fds[5];

	ignored = without_effect[_i];
	make_all(ordinary, fds);
	child(fds, NULL, enter);
	ck_assert_int_eq(entered->result, -1);
	ck_assert_str_eq(entered->err.text, "becoming root did not take");
	ck_assert_str_eq(entered->steps, BEFORE_IDS "groups: 0\ngids: 0 0 0\nuids: 0 0 0\n");
}
END_TEST

/* A step that nothing depends on may fail: the cgroup guards the machine. */
static const char *const harmless[] = {"scheduler 0 0 0", "priority 0 0 0", "io priority 1",
				       "memory policy 0"};

START_TEST(scheduling_is_done_as_well_as_it_goes)
{
	int fds[5];

	fails = harmless[_i];
	make_all(ordinary, fds);
	child(fds, NULL, enter);
	ck_assert_int_eq(entered->result, 0);
	ck_assert_str_eq(entered->steps, BEFORE_IDS IDS AFTER_IDS);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("cleanroom");

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_test(t, nothing_that_a_caller_left_is_there_afterwards);
	tcase_add_test(t, limits_below_which_files_would_be_torn_are_raised);
	tcase_add_loop_test(t, only_pipes_and_terminals_go_on_as_standard_files, 0, KINDS);
	tcase_add_test(t, all_three_may_be_closed);
	tcase_add_loop_test(t, the_request_is_the_read_end_of_a_pipe, 0, KINDS);
	tcase_add_loop_test(t, the_events_go_to_the_write_end_of_a_pipe, 0, KINDS);
	tcase_add_test(t, the_callers_flags_are_not_the_helpers);
	tcase_add_loop_test(t, an_argument_is_refused, 0, 3);
	tcase_add_test(t, without_the_set_uid_bit_nothing_is_done);
	tcase_add_test(t, root_of_a_user_namespace_is_not_root);
	tcase_add_loop_test(t, a_step_that_fails_is_the_last_one, 0, CES_COUNT(faults));
	tcase_add_loop_test(t, ids_that_did_not_change_are_seen, 0, CES_COUNT(without_effect));
	tcase_add_loop_test(t, scheduling_is_done_as_well_as_it_goes, 0, CES_COUNT(harmless));
	return run_suite("cleanroom", t);
}
