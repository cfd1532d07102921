/* Tests root's side of ces-clean: what it is started with, that nobody waits for it for ever, and
 * that a directory of the store goes by its hand and then by root's. */
/* links: helper/session/clean.c helper/store/clean.c helper/core/beneath.c */
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
#include "helper/store/clean.h"
#include "helper/store/workers.h"
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
static bool answers, empties;

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

int ces_unpacker_userns(const struct ces_session *session, int *ret, struct ces_error *err)
{
	(void)session;
	if (strcmp(fails, "namespace") == 0)
		return ces_error_set(err, CES_E_HOST, "no namespace");
	*ret = fcntl(directory, F_DUPFD_CLOEXEC, USERNS);
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
	if (empties)
		(void)syscall(SYS_unlinkat, directory, "thing/file", 0);
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

int unlinkat(int dir, const char *name, int flags)
{
	int result = (int)syscall(SYS_unlinkat, dir, name, flags), saved = errno;

	note("remove%s %s%s", flags == AT_REMOVEDIR ? " directory" : "", name,
	     result == 0 ? "" : ": no");
	errno = saved;
	return result;
}

static void set_up(void)
{
	directory_begin();
	noted_begin();
	answers = true;
	answer = 0;
	empties = true;
}

static void tear_down(void)
{
	directory_end();
}

/* ---- a run's ---- */

static const struct ces_clean_job owner = {33, 44};

static void start(struct ces_cleaner *cleaner)
{
	ces_cleaner_start(USERNS, &owner, 5, 6, false, cleaner);
}

START_TEST(it_gets_two_mounts_and_the_owner_and_runs_as_nobody_of_the_host)
{
	static const struct ces_clean_job owners[] = {{33, 44}, {0, 0}, {65534, 1}, {65533, 2}};
	struct ces_cleaner cleaner = CES_CLEANER_NONE;
	struct ces_clean_job job;
	size_t fds = open_fds();

	ces_cleaner_start(USERNS, &owners[_i], 5, 6, false, &cleaner);
	ck_assert_uint_eq(how.uid, owners[_i].user == 65534 ? 65533 : 65534);
	ck_assert_uint_eq(how.gid, owners[_i].group);
	ck_assert_int_eq(how.userns, USERNS);
	ck_assert_str_eq(how.path, CES_CLEAN_PATH);
	ck_assert_int_eq(recv(theirs, &job, sizeof(job), MSG_DONTWAIT), sizeof(job));
	ck_assert(job.user == owners[_i].user && job.group == owners[_i].group);
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

/* ---- the store's ---- */

static struct ces_session session;

static void put(const char *path)
{
	CES_CLEANUP_FD int fd = openat(directory, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
}

static void make(void)
{
	ck_assert_int_eq(mkdirat(directory, "thing", 0700), 0);
	put("thing/file");
}

START_TEST(a_directory_of_the_store_is_emptied_by_it_and_removed_by_root)
{
	size_t fds = open_fds();

	make();
	ck_assert_int_eq(ces_clean_tree(&session, directory, "thing"), 0);
	ck_assert_ptr_nonnull(
	    strstr(noted->text, "remove thing: no\nremove directory thing: no\nmount "));
	ck_assert_ptr_nonnull(strstr(noted->text, " by owners\nstart ces-clean as 65534:0 with "
						  "-1 8"));
	ck_assert_uint_eq(open_fds(), fds);
	ck_assert_int_eq(faccessat(directory, "thing", F_OK, 0), -1);
}
END_TEST

/* Whatever it answers, only an empty directory goes. */
START_TEST(what_it_did_not_empty_stays)
{
	static const char *const which[] = {"", "mount", "start", "namespace"};
	size_t fds = open_fds();

	make();
	empties = false;
	fails = which[_i];
	ck_assert_int_eq(ces_clean_tree(&session, directory, "thing"), -1);
	ck_assert_uint_eq(open_fds(), fds);
	ck_assert_int_eq((int)syscall(SYS_unlinkat, directory, "thing/file", 0), 0);
	ck_assert_int_eq((int)syscall(SYS_unlinkat, directory, "thing", AT_REMOVEDIR), 0);
}
END_TEST

START_TEST(a_file_a_link_or_an_empty_directory_of_the_store_needs_no_process)
{
	make();
	put("file");
	ck_assert_int_eq(symlinkat("thing", directory, "link"), 0);
	ck_assert_int_eq(ces_clean_tree(&session, directory, "file"), 0);
	ck_assert_int_eq(ces_clean_tree(&session, directory, "link"), 0);
	ck_assert_int_eq(ces_clean_tree(&session, directory, "none"), -1);
	ck_assert_int_eq(mkdirat(directory, "empty", 0700), 0);
	ck_assert_int_eq(ces_clean_tree(&session, directory, "empty"), 0);
	NOTED("remove file\nremove link\nremove none: no\nremove empty: no\n"
	      "remove directory empty\n");
	ck_assert_int_eq(ces_clean_tree(&session, directory, "thing"), 0);
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
	tcase_add_test(t, a_directory_of_the_store_is_emptied_by_it_and_removed_by_root);
	tcase_add_loop_test(t, what_it_did_not_empty_stays, 0, 4);
	tcase_add_test(t, a_file_a_link_or_an_empty_directory_of_the_store_needs_no_process);
	return run_suite("cleaner", t);
}
