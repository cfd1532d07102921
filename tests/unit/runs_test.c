/* Tests the register of runs: an entry is whole, locked and shown, or it is not there; and what is
 * left of helpers that died is cleared, and nothing else. */
/* links: helper/session/runs.c helper/session/object.c helper/clean/tree.c */
/* links: helper/core/beneath.c */
#include "helper/session/runs.h"

#include <check.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "helper/session/object.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/session_scene.h"

#define RUN   "0123456789"
#define OTHER "1123456789"
#define PULL  CES_RUNS_PULL RUN

static struct ces_error err;

/* When a run gets its name, it is whole and locked. */
int renameat(int from, const char *old, int to, const char *new)
{
	if (strncmp(old, ".new-", 5) == 0) {
		CES_CLEANUP_FD int dir = openat(from, old, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		ck_assert_int_ge(dir, 0);
		ck_assert_int_eq(flock(dir, LOCK_SH | LOCK_NB), -1);
		ck_assert_int_eq(faccessat(dir, "record", F_OK, 0), 0);
		ck_assert_int_eq(faccessat(dir, "stop", F_OK, 0), 0);
	}
	return (int)syscall(SYS_renameat, from, old, to, new);
}

static void tear_down(void)
{
	ck_assert_int_eq(ces_tree_empty(directory), 0);
	directory_end();
}

static struct ces_run_record record_of(const char *run)
{
	static uint64_t gids[] = {4411, 4412};

	return (struct ces_run_record){.run = (char *)(uintptr_t)run,
				       .name = (char *)"mine",
				       .uid = 1000,
				       .project = (char *)"p",
				       .image = (char *)"ghcr.io/lab/tool:1",
				       .digest = (char *)D1,
				       .started = 5,
				       .outputs = (char *)"/home/ann/outputs",
				       .scratch = (char *)"/home/ann/scratch",
				       .user = 1,
				       .group = 2,
				       .project_gids = {gids, 2},
				       .retain_run = 1,
				       .categories = 7};
}

static int enter(const char *run, int *ret, int *stop)
{
	struct ces_run_record record = record_of(run);

	return ces_runs_enter(directory, &record, ret, stop, &err);
}

/* Enters a run, whose helper dies unless it is kept. */
static void enter_dead(const char *run)
{
	int dir, stop;

	ck_assert_msg(enter(run, &dir, &stop) == 0, "%s", err.text);
	close(dir);
	close(stop);
}

static char seen[512];

static void note(const struct ces_run_record *record, bool alive, void *context)
{
	size_t used = strlen(seen);

	ck_assert_ptr_eq(context, &err);
	(void)snprintf(seen + used, sizeof(seen) - used, "%s%s%s ", record->run,
		       alive ? " alive" : " dead", ces_runs_is_kept(record) ? " kept" : "");
}

static const char *each(unsigned which)
{
	seen[0] = '\0';
	ck_assert_int_eq(ces_runs_each(directory, which, note, &err), 0);
	return seen;
}

static bool is_there(const char *name)
{
	return faccessat(directory, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void make(const char *name, mode_t mode, const char *text)
{
	CES_CLEANUP_FD int fd =
	    openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	ck_assert_int_eq(ces_write_full(fd, text, strlen(text), -1), 0);
}

START_TEST(a_run_that_was_entered_is_whole_and_locked_and_alive_until_its_helper_dies)
{
	size_t fds = open_fds();
	struct stat st;
	int dir = -1, stop = -1;

	ck_assert_int_eq(enter(RUN, &dir, &stop), 0);
	ck_assert_uint_eq(open_fds(), fds + 2);
	ck_assert_int_eq(fcntl(dir, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(stop, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fstatat(directory, RUN, &st, AT_SYMLINK_NOFOLLOW), 0);
	ck_assert_int_eq(st.st_mode, S_IFDIR | 0700);
	ck_assert_int_eq(fstatat(dir, "record", &st, AT_SYMLINK_NOFOLLOW), 0);
	ck_assert_int_eq(st.st_mode, S_IFREG | 0600);
	ck_assert_int_eq(fstatat(dir, "stop", &st, AT_SYMLINK_NOFOLLOW), 0);
	ck_assert_int_eq(st.st_mode, S_IFIFO | 0600);
	ck_assert(ces_runs_alive(directory, RUN));
	ck_assert_str_eq(each(CES_EACH_RUN), RUN " alive ");
	ck_assert_str_eq(each(CES_EACH_PULL), "");
	ck_assert_int_eq(enter(RUN, &(int){-1}, &(int){-1}), -1); /* its name is taken */
	ck_assert_str_eq(each(CES_EACH_RUN), RUN " alive ");
	close(stop);
	close(dir);
	ck_assert(!ces_runs_alive(directory, RUN));
	ck_assert_str_eq(each(CES_EACH_RUN), RUN " dead ");
	ces_runs_leave(directory, RUN);
	ck_assert(!is_there(RUN));
	ck_assert(!ces_runs_alive(directory, RUN));
	ck_assert_uint_eq(open_fds(), fds);
}
END_TEST

/* Holds the lock of an entry in another open file. ms: for so long, by another process; 0: until
 * *ret is closed. */
static void hold(const char *run, int how, unsigned ms, int *ret)
{
	*ret = openat(directory, run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(flock(*ret, how | LOCK_NB), 0);
	if (ms > 0 && fork() == 0) {
		(void)usleep(ms * 1000);
		_exit(0);
	}
	if (ms > 0)
		close(*ret);
}

START_TEST(processes_that_look_at_a_dead_run_at_once_do_not_take_one_another_for_its_helper)
{
	const unsigned alone = CES_EACH_RUN | CES_EACH_ALONE;
	int other = -1;

	enter_dead(RUN);
	hold(RUN, LOCK_SH, 0, &other);
	ck_assert_str_eq(each(CES_EACH_RUN), RUN " dead ");
	ck_assert(!ces_runs_alive(directory, RUN));
	ck_assert_str_eq(each(alone), RUN " alive "); /* (that one does not end) */
	close(other);
	hold(RUN, LOCK_SH, 5, &other);
	ck_assert_str_eq(each(alone), RUN " dead ");
	(void)wait(NULL);
	hold(RUN, LOCK_EX, 0, &other); /* somebody clears it up, or its helper lives */
	ck_assert_str_eq(each(CES_EACH_RUN), RUN " alive ");
	ck_assert_str_eq(each(alone), RUN " alive ");
	ck_assert(ces_runs_alive(directory, RUN));
	close(other);
}
END_TEST

START_TEST(an_entry_that_is_no_record_is_not_entered)
{
	struct ces_run_record record = record_of(RUN);
	size_t fds = open_fds();
	int dir = -7, stop = -7;

	record.image = (char *)"a\nb";
	ck_assert_int_eq(ces_runs_enter(directory, &record, &dir, &stop, &err), -1);
	ck_assert(!is_there(RUN));
	ck_assert_int_eq(dir, -7);
	ck_assert_int_eq(stop, -7);
	ck_assert_uint_eq(open_fds(), fds);
	ck_assert_str_eq(each(CES_EACH_RUN | CES_EACH_PULL), "");
}
END_TEST

START_TEST(runs_and_pulls_are_shown_to_those_who_ask_for_each)
{
	enter_dead(RUN);
	enter_dead(PULL);
	ck_assert_str_eq(each(CES_EACH_RUN), RUN " dead ");
	ck_assert_str_eq(each(CES_EACH_PULL), PULL " dead ");
	ck_assert_str_eq(each(0), "");
	ck_assert_uint_eq(strlen(each(CES_EACH_RUN | CES_EACH_PULL)),
			  strlen(RUN PULL " dead  dead "));
	ck_assert(ces_runs_is_pull(PULL));
	ck_assert(!ces_runs_is_pull(RUN));
	ck_assert(!ces_runs_is_pull("pull"));
}
END_TEST

START_TEST(a_pull_counts_on_layers_and_its_record_has_the_rest_as_before)
{
	char *v[] = {(char *)D1, (char *)D2};
	const struct ces_strings layers = {v, 2};
	struct ces_run_record record;
	int dir, stop;

	ck_assert_int_eq(enter(PULL, &dir, &stop), 0);
	ck_assert_int_eq(ces_runs_need(dir, D2, &layers, &err), 0);
	ck_assert_int_eq(ces_object_read(dir, "record", &ces_run_record_schema, &record, &err), 0);
	ck_assert_str_eq(record.digest, D2);
	ck_assert_uint_eq(record.layers.n, 2);
	ck_assert_str_eq(record.layers.v[1], D2);
	ck_assert_str_eq(record.run, PULL);
	ck_assert_str_eq(record.project, "p");
	ck_assert_uint_eq(record.uid, 1000);
	ck_assert_uint_eq(record.started, 5);
	ces_wire_free(&ces_run_record_schema, &record);
	ck_assert_str_eq(each(CES_EACH_PULL), PULL " alive ");
	ck_assert_int_eq(unlinkat(dir, "record", 0), 0);
	ck_assert_int_eq(ces_runs_need(dir, D2, &layers, &err), -1);
	close(dir);
	close(stop);
}
END_TEST

START_TEST(an_entry_that_could_not_be_read_is_reported_and_one_that_is_gone_is_not)
{
	enter_dead(RUN);
	make(OTHER, 0600, "no directory");
	ck_assert_str_eq(each(CES_EACH_RUN), RUN " dead ");
	ck_assert_int_eq(unlinkat(directory, OTHER, 0), 0);
	ck_assert_int_eq(symlinkat(RUN, directory, OTHER), 0);
	ck_assert_int_eq(ces_runs_each(directory, CES_EACH_RUN, note, &err), -1);
	ck_assert_int_eq(ces_runs_each(directory, CES_EACH_PULL, note, &err), 0);
	ck_assert_int_eq(unlinkat(directory, OTHER, 0), 0);
	/* a record that cannot be read now */
	ck_assert_int_eq(unlinkat(directory, RUN "/record", 0), 0);
	ck_assert_int_eq(mkdirat(directory, RUN "/record", 0700), 0);
	ck_assert_int_eq(ces_runs_each(directory, CES_EACH_RUN, note, &err), -1);
	ck_assert(is_there(RUN));
	ck_assert_int_eq(ces_runs_each(-1, CES_EACH_RUN, note, &err), -1);
}
END_TEST

START_TEST(a_damaged_record_and_one_under_another_name_are_not_shown)
{
	enter_dead(RUN);
	make(RUN "/record", 0600, "CES1");
	ck_assert_str_eq(each(CES_EACH_RUN), "");
	ck_assert(is_there(RUN));
	ces_runs_leave(directory, RUN);
	enter_dead(RUN);
	ck_assert_int_eq(renameat(directory, RUN, directory, OTHER), 0);
	ck_assert_str_eq(each(CES_EACH_RUN), "");
	ck_assert(is_there(OTHER));
}
END_TEST

START_TEST(an_entry_without_a_record_is_cleared_unless_its_helper_lives)
{
	int dir, stop;

	ck_assert_int_eq(enter(RUN, &dir, &stop), 0);
	enter_dead(OTHER);
	ck_assert_int_eq(unlinkat(directory, RUN "/record", 0), 0);
	ck_assert_int_eq(unlinkat(directory, OTHER "/record", 0), 0);
	ck_assert_str_eq(each(CES_EACH_RUN), "");
	ck_assert(is_there(RUN));
	ck_assert(!is_there(OTHER));
	close(dir);
	close(stop);
	ck_assert_str_eq(each(CES_EACH_PULL), "");
	ck_assert(is_there(RUN));
	ck_assert_str_eq(each(CES_EACH_RUN), "");
	ck_assert(!is_there(RUN));
}
END_TEST

static const char *const foreign[] = {"012345678",      "01234567890", "012345678x",
				      "pull-012345678", "pull-",       ".policy",
				      ".queue",         "new-1",       ".lock"};

START_TEST(what_is_no_entry_is_not_touched)
{
	ck_assert_int_eq(mkdirat(directory, foreign[_i], 0700), 0);
	ck_assert_str_eq(each(CES_EACH_RUN | CES_EACH_PULL), "");
	ck_assert(is_there(foreign[_i]));
}
END_TEST

static void set_age(const char *name, time_t seconds)
{
	const struct timespec times[2] = {{.tv_sec = time(NULL) - seconds},
					  {.tv_sec = time(NULL) - seconds}};

	ck_assert_int_eq(utimensat(directory, name, times, AT_SYMLINK_NOFOLLOW), 0);
}

START_TEST(a_run_that_was_never_entered_is_cleared_when_it_is_old)
{
	int fd;

	ck_assert_int_eq(mkdirat(directory, ".new-" RUN, 0700), 0);
	make(".new-" RUN "/record", 0600, "x");
	set_age(".new-" RUN, 30);
	ck_assert_str_eq(each(CES_EACH_RUN), "");
	ck_assert(is_there(".new-" RUN));
	set_age(".new-" RUN, _i == 0 ? 3600 : -3600); /* or of a clock that was ahead */
	fd = openat(directory, ".new-" RUN, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	ck_assert_str_eq(each(CES_EACH_RUN), "");
	ck_assert(is_there(".new-" RUN));
	close(fd);
	ck_assert_str_eq(each(CES_EACH_PULL), "");
	ck_assert(!is_there(".new-" RUN));
}
END_TEST

/* ---- stopping ---- */

START_TEST(a_stop_reaches_the_helper_with_its_grace)
{
	static const uint32_t graces[] = {0, 10, UINT32_MAX};
	uint32_t heard;
	int dir, stop;

	ck_assert_int_eq(enter(RUN, &dir, &stop), 0);
	ck_assert_int_eq(read(stop, &heard, sizeof(heard)), -1);
	ck_assert_int_eq(errno, EAGAIN);
	for (size_t i = 0; i < CES_COUNT(graces); i++) {
		ck_assert_int_eq(ces_runs_stop(directory, RUN, graces[i], &err), 0);
		ck_assert_int_eq(read(stop, &heard, sizeof(heard)), sizeof(heard));
		ck_assert_uint_eq(heard, graces[i]);
	}
	/* nobody waits for a helper that does not read */
	for (int i = 0; i < 20000; i++)
		ck_assert_int_eq(ces_runs_stop(directory, RUN, 1, &err), 0);
	close(dir);
	close(stop);
}
END_TEST

START_TEST(a_run_that_is_gone_needs_no_stop)
{
	size_t fds = open_fds();

	ck_assert_int_eq(ces_runs_stop(directory, RUN, 1, &err), 0);
	enter_dead(RUN);
	ck_assert_int_eq(ces_runs_stop(directory, RUN, 1, &err), 0);
	ck_assert_int_eq(unlinkat(directory, RUN "/stop", 0), 0);
	ck_assert_int_eq(ces_runs_stop(directory, RUN, 1, &err), 0);
	ck_assert_int_eq(symlinkat("record", directory, RUN "/stop"), 0);
	ck_assert_int_eq(ces_runs_stop(directory, RUN, 1, &err), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_uint_eq(open_fds(), fds);
}
END_TEST

/* ---- what is kept for the cleaning ---- */

START_TEST(a_kept_run_has_what_cleaning_needs_and_no_more)
{
	CES_CLEANUP_FD int kept = -1;
	struct ces_run_record record;
	size_t fds;

	ck_assert_int_eq(mkdirat(directory, "kept", 0700), 0);
	kept = openat(directory, "kept", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fds = open_fds();
	ces_runs_keep(directory, kept, RUN, false); /* there is none: nothing is made */
	ck_assert_int_ne(faccessat(kept, RUN, F_OK, 0), 0);
	enter_dead(RUN);
	ces_runs_keep(directory, kept, RUN, false);
	ck_assert_str_eq(each(CES_EACH_RUN), RUN " dead kept ");
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(ces_object_read(i == 0 ? kept : directory,
						 i == 0 ? RUN : RUN "/record",
						 &ces_run_record_schema, &record, &err),
				 0);
		ck_assert_str_eq(record.run, RUN);
		ck_assert_uint_eq(record.uid, 1000);
		ck_assert_str_eq(record.outputs, "/home/ann/outputs");
		ck_assert_str_eq(record.scratch, "/home/ann/scratch");
		ck_assert_uint_eq(record.user, 1);
		ck_assert_uint_eq(record.group, 2);
		ck_assert_uint_eq(record.project_gids.n, 2);
		ck_assert_uint_eq(record.project_gids.v[1], 4412);
		ck_assert(ces_runs_is_kept(&record));
		ck_assert(record.image == NULL && record.name == NULL && record.categories == 0 &&
			  record.started == 0 && record.project == NULL && record.retain_run == 0);
		ck_assert_uint_eq(record.gpus.n + record.cgroups.n, 0);
		ces_wire_free(&ces_run_record_schema, &record);
	}
	ck_assert_uint_eq(open_fds(), fds);
}
END_TEST

START_TEST(a_kept_run_whose_cgroup_is_there_has_its_devices_until_it_is_kept_without)
{
	struct ces_run_record record = record_of(RUN);
	uint64_t marks[] = {3, 4};
	char *places[] = {"job"};
	int dir, stop;

	record.gpus = (struct ces_u64s){marks, 2};
	record.cgroups = (struct ces_strings){places, 1};
	ck_assert_int_eq(ces_runs_enter(directory, &record, &dir, &stop, &err), 0);
	for (int i = 2; i >= 0; i--) { /* (twice with, then without) */
		ces_runs_keep(directory, dir, RUN, i > 0);
		ck_assert_int_eq(ces_object_read(directory, RUN "/record", &ces_run_record_schema,
						 &record, &err),
				 0);
		ck_assert(ces_runs_is_kept(&record));
		ck_assert_uint_eq(record.gpus.n, i > 0 ? 2 : 0);
		ck_assert(i == 0 || (record.gpus.v[0] == 3 && record.gpus.v[1] == 4));
		ck_assert_uint_eq(record.cgroups.n, i > 0 ? 1 : 0);
		ck_assert(i == 0 || strcmp(record.cgroups.v[0], "job") == 0);
		ck_assert_uint_eq(record.categories, i > 0 ? 7 : 0);
		ck_assert_str_eq(record.scratch, "/home/ann/scratch");
		ces_wire_free(&ces_run_record_schema, &record);
	}
	close(dir);
	close(stop);
}
END_TEST

START_TEST(a_run_is_restored_once_and_takes_no_ones_place)
{
	struct ces_run_record record = record_of(RUN);
	char old[32];
	int dir, stop;

	(void)snprintf(old, sizeof(old), ".new-%d.old", getpid());
	ck_assert_int_eq(mkdirat(directory, old, 0700), 0); /* of a process that died */
	ces_runs_restore(directory, &record);
	ck_assert_str_eq(each(CES_EACH_RUN), RUN " dead ");
	ces_runs_restore(directory, &record);
	ck_assert(!is_there(old));
	ces_runs_leave(directory, RUN);
	ck_assert_int_eq(enter(RUN, &dir, &stop), 0);
	ces_runs_restore(directory, &record);
	ck_assert_str_eq(each(CES_EACH_RUN), RUN " alive ");
	ck_assert(!is_there(old));
	close(dir);
	close(stop);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("runs");

	tcase_add_checked_fixture(t, directory_begin, tear_down);
	tcase_add_test(t,
		       a_run_that_was_entered_is_whole_and_locked_and_alive_until_its_helper_dies);
	tcase_add_test(
	    t, processes_that_look_at_a_dead_run_at_once_do_not_take_one_another_for_its_helper);
	tcase_add_test(t, an_entry_that_is_no_record_is_not_entered);
	tcase_add_test(t, runs_and_pulls_are_shown_to_those_who_ask_for_each);
	tcase_add_test(t, a_pull_counts_on_layers_and_its_record_has_the_rest_as_before);
	tcase_add_test(t, an_entry_that_could_not_be_read_is_reported_and_one_that_is_gone_is_not);
	tcase_add_test(t, a_damaged_record_and_one_under_another_name_are_not_shown);
	tcase_add_test(t, an_entry_without_a_record_is_cleared_unless_its_helper_lives);
	tcase_add_loop_test(t, what_is_no_entry_is_not_touched, 0, CES_COUNT(foreign));
	tcase_add_loop_test(t, a_run_that_was_never_entered_is_cleared_when_it_is_old, 0, 2);
	tcase_add_test(t, a_stop_reaches_the_helper_with_its_grace);
	tcase_add_test(t, a_run_that_is_gone_needs_no_stop);
	tcase_add_test(t, a_kept_run_has_what_cleaning_needs_and_no_more);
	tcase_add_test(t,
		       a_kept_run_whose_cgroup_is_there_has_its_devices_until_it_is_kept_without);
	tcase_add_test(t, a_run_is_restored_once_and_takes_no_ones_place);
	return run_suite("runs", t);
}
