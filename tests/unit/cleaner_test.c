/* Tests root's side of ces-clean: what it is started with, and that nobody waits for it for ever.
 */
/* links: helper/session/clean.c helper/core/beneath.c */
#include "helper/session/clean.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "helper/session/mounts.h"
#include "tests/unit/directory.h"
#include "tests/unit/noted.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/steps.h"

#define USERNS 700
#define MOUNT  800 /* and the fd that was cloned */

/* ---- stand-ins ---- */

static const char *fails = "";
static int theirs = -1; /* the end of ces-clean */
static struct ces_spawn how;
static unsigned char answer;
static bool answers;

int ces_mount_clone(int fd, bool read_only, int userns, int *ret, struct ces_error *err)
{
	note("mount %d%s%s", fd, read_only ? " read-only" : "",
	     userns < 0         ? ""
	     : userns == USERNS ? " by owners"
				: " of another");
	if (strcmp(fails, "mount") == 0)
		return ces_error_set(err, CES_E_HOST, "no mount");
	*ret = fcntl(directory, F_DUPFD_CLOEXEC, MOUNT + fd);
	return 0;
}

int ces_spawn_worker(const struct ces_spawn *asked, struct ces_process *ret, struct ces_error *err)
{
	how = *asked;
	note("start %s as %u:%u with %d %d", strrchr(how.path, '/') + 1, how.uid, how.gid,
	     how.fds[0], how.fds[1]);
	ck_assert_uint_eq(how.n_fds, 3);
	ck_assert_int_eq(how.netns, -1);
	ck_assert_uint_eq(how.capabilities, CES_CLEAN_CAPABILITIES);
	if (strcmp(fails, "start") == 0)
		return ces_error_set(err, CES_E_HOST, "no process");
	theirs = dup(how.fds[2]);
	ret->pid = 77;
	return 0;
}

int ces_process_end(struct ces_process *process, bool kill_it)
{
	if (process->pid != 0)
		note("%s %d", kill_it ? "kill" : "wait for", (int)process->pid);
	process->pid = 0;
	ces_cleanup_close(&theirs);
	return 0;
}

/* What ces-clean does, when somebody waits for it; or the time is over at once. */
static int64_t ahead;

int clock_gettime(clockid_t clock, struct timespec *ret)
{
	int result = (int)syscall(SYS_clock_gettime, clock, ret);

	ret->tv_sec += ahead;
	return result;
}

int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	unsigned char task;

	ck_assert_int_eq(recv(theirs, &task, 1, MSG_DONTWAIT), 1);
	note("task %u for %d s", task, (timeout + 999) / 1000);
	if (!answers) {
		ahead += timeout / 1000 + 1;
		return 0;
	}
	if (answer <= 1)
		ck_assert_int_eq(write(theirs, &answer, 1), 1);
	else
		ces_cleanup_close(&theirs); /* it dies */
	return (int)syscall(SYS_poll, fds, n, 0);
}

static void set_up(void)
{
	directory_begin();
	noted_begin();
	answers = true;
	answer = 0;
}

static void tear_down(void)
{
	directory_end();
}

/* ---- a run's ---- */

static const struct ces_clean_job owner = {33, 44, 55};

static void start(struct ces_cleaner *cleaner)
{
	ces_cleaner_start(USERNS, &owner, 5, 6, false, cleaner);
}

START_TEST(it_gets_two_mounts_and_the_owner_and_runs_as_nobody_of_the_host)
{
	static const struct ces_clean_job owners[] = {
	    {33, 44, 0}, {0, 0, 0}, {65534, 1, 7}, {65533, 2, 0}};
	struct ces_cleaner cleaner = CES_CLEANER_NONE;
	struct ces_clean_job job;
	size_t fds = open_fds();

	ces_cleaner_start(USERNS, &owners[_i], 5, 6, false, &cleaner);
	ck_assert_uint_eq(how.uid, owners[_i].user == 65534 ? 65533 : 65534);
	ck_assert_uint_eq(how.gid, owners[_i].group);
	ck_assert_int_eq(how.userns, USERNS);
	ck_assert_str_eq(how.path, CES_CLEAN_PATH);
	ck_assert_int_eq(recv(theirs, &job, sizeof(job), MSG_DONTWAIT), sizeof(job));
	ck_assert(job.user == owners[_i].user && job.group == owners[_i].group &&
		  job.shared == owners[_i].shared);
	ck_assert_int_eq(fcntl(cleaner.channel, F_GETFD), FD_CLOEXEC);
	/* (no second holder of its end, nor of its mounts) */
	ck_assert_uint_eq(open_fds(), fds + 2);
	ces_cleaner_end(&cleaner);
	ck_assert_uint_eq(open_fds(), fds);
}
END_TEST

START_TEST(it_does_its_tasks_one_after_another)
{
	struct ces_cleaner cleaner = CES_CLEANER_NONE;
	struct ces_clean_job job;

	start(&cleaner);
	ck_assert_int_eq(recv(theirs, &job, sizeof(job), MSG_DONTWAIT), sizeof(job));
	ck_assert_int_eq(ces_cleaner_ask(&cleaner, CES_CLEAN_GIVE), 0);
	answer = 1;
	ck_assert_int_eq(ces_cleaner_ask(&cleaner, CES_CLEAN_SHARE), -1);
	answer = 0;
	ck_assert_int_eq(ces_cleaner_ask(&cleaner, CES_CLEAN_EMPTY), 0);
	ces_cleaner_end(&cleaner);
	NOTED("mount 5\nmount 6\nstart ces-clean as 65534:44 with 805 806\n"
	      "task 0 for 600 s\ntask 1 for 600 s\ntask 2 for 600 s\nkill 77\n");
}
END_TEST

/* It hangs; or it dies. No later task waits for it. */
START_TEST(one_that_does_not_answer_is_ended_and_not_asked_again)
{
	struct ces_cleaner cleaner = CES_CLEANER_NONE;
	struct ces_clean_job job;

	start(&cleaner);
	ck_assert_int_eq(recv(theirs, &job, sizeof(job), MSG_DONTWAIT), sizeof(job));
	answers = _i == 1;
	answer = 2;
	ck_assert_int_eq(ces_cleaner_ask(&cleaner, CES_CLEAN_GIVE), -1);
	ck_assert_int_eq(ces_cleaner_ask(&cleaner, CES_CLEAN_EMPTY), -1);
	ces_cleaner_end(&cleaner);
	NOTED("mount 5\nmount 6\nstart ces-clean as 65534:44 with 805 806\n"
	      "task 0 for 600 s\nkill 77\n");
}
END_TEST

START_TEST(one_that_could_not_be_started_does_nothing)
{
	static const char *const which[] = {"mount", "start"};
	struct ces_cleaner cleaner = CES_CLEANER_NONE;
	size_t fds = open_fds();

	fails = which[_i];
	start(&cleaner);
	ck_assert_int_eq(ces_cleaner_ask(&cleaner, CES_CLEAN_EMPTY), -1);
	ces_cleaner_end(&cleaner);
	ck_assert_ptr_null(strstr(noted->text, "task"));
	ck_assert_uint_eq(open_fds(), fds);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("cleaner");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, it_gets_two_mounts_and_the_owner_and_runs_as_nobody_of_the_host, 0,
			    4);
	tcase_add_test(t, it_does_its_tasks_one_after_another);
	tcase_add_loop_test(t, one_that_does_not_answer_is_ended_and_not_asked_again, 0, 2);
	tcase_add_loop_test(t, one_that_could_not_be_started_does_nothing, 0, 2);
	return run_suite("cleaner", t);
}
