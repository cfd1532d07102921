/* Tests who gets which range of subordinate ids, and the writing of a map: a range never changes
 * hands, whatever the disk or a crash did. */
/* links: helper/session/idmap.c helper/session/lock.c helper/core/beneath.c */
#include "helper/session/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/unit/directory.h"
#include "tests/unit/policy_fixture.h"

#define FIRST 200000
#define EACH  65536

static const struct ces_host host = {
    .subid_first = FIRST, .subid_per_user = EACH, .subid_users = 3};
static struct ces_error err;
static size_t room; /* of the disk, for the next write */
static bool no_sync;

ssize_t write(int fd, const void *bytes, size_t n)
{
	size_t fits = n < room ? n : room;

	errno = ENOSPC;
	return n > 0 && fits == 0 ? -1 : syscall(SYS_write, fd, bytes, fits);
}

/* A disk may need longer than the lock may be held. */
int fsync(int fd)
{
	CES_CLEANUP_FD int list = openat(directory, "subids", O_RDONLY);

	(void)fd;
	ck_assert_int_eq(flock(list, LOCK_EX | LOCK_NB), 0);
	errno = EIO;
	return no_sync ? -1 : 0;
}

static void begin(void)
{
	directory_begin();
	room = SIZE_MAX;
	no_sync = false;
}

static void end(void)
{
	(void)unlinkat(directory, "subids", 0);
	directory_end();
}

static void put(const char *text, size_t length)
{
	CES_CLEANUP_FD int fd = openat(directory, "subids", O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_eq(write(fd, text, length), (ssize_t)length);
}

static void is(const char *text)
{
	CES_CLEANUP_FD int fd = openat(directory, "subids", O_RDONLY);
	char found[256] = "";

	ck_assert_int_ge(read(fd, found, sizeof(found) - 1), 0);
	ck_assert_str_eq(found, text);
}

/* The number of the user's range; 0: none, as err says. */
static unsigned slot(uid_t uid)
{
	uint32_t base = 0;

	if (ces_idmap_base(&host, directory, uid, &base, &err) < 0)
		return 0;
	ck_assert_uint_eq((base - FIRST) % EACH, 0);
	return (base - FIRST) / EACH;
}

START_TEST(each_user_has_a_range_and_keeps_it)
{
	struct stat st;

	ck_assert_uint_eq(slot(1000), 1); /* 0 is the workers' */
	ck_assert_uint_eq(slot(1001), 2);
	ck_assert_uint_eq(slot(1000), 1);
	is("1000\n1001\n");
	ck_assert_int_eq(fstatat(directory, "subids", &st, 0), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
}
END_TEST

START_TEST(when_all_ranges_are_taken_a_new_user_gets_none)
{
	put("1000\n1001\n1002\n", 15);
	ck_assert_uint_eq(slot(1003), 0);
	ck_assert_int_eq(err.code, CES_E_LIMIT);
	ck_assert_ptr_nonnull(strstr(err.text, "host.subordinate_ids.users"));
	ck_assert_uint_eq(slot(1002), 3);
	put("1000\n1001\n1002\n1003\n", 20); /* the policy had more users before */
	ck_assert_uint_eq(slot(1003), 0);
	ck_assert_int_eq(err.code, CES_E_LIMIT);
}
END_TEST

START_TEST(a_user_among_the_subordinate_ids_gets_none)
{
	static const struct {
		uid_t uid;
		bool refused;
	} rows[] = {{FIRST - 1, false},
		    {FIRST, true},
		    {FIRST + 3 * EACH, true},
		    {FIRST + 4 * EACH - 1, true},
		    {FIRST + 4 * EACH + 1, false}};

	ck_assert_int_eq(slot(rows[_i].uid) == 0, rows[_i].refused);
	if (rows[_i].refused)
		ck_assert_ptr_nonnull(strstr(err.text, "is in the policy's subordinate_ids"));
}
END_TEST

START_TEST(a_damaged_list_gives_no_range)
{
	static const struct {
		const char *text;
		size_t length;
	} rows[] = {{"1000\n\0\0\0\n", 9}, {"1000\nx\n", 7},     {"0\n", 2},
		    {"-1\n", 3},           {"4294967295\n", 11}, {"1000 \n", 6}};

	put(rows[_i].text, rows[_i].length);
	ck_assert_uint_eq(slot(1000), 0);
	ck_assert_str_eq(err.text, "the list of subordinate ids is damaged");
	ck_assert_int_eq(err.code, CES_E_HOST);
}
END_TEST

START_TEST(a_line_that_was_cut_short_gave_nobody_a_range)
{
	static const char *const torn[] = {"1000\n1", "1000\n10", "1000\n1001"};

	put(torn[_i], strlen(torn[_i]));
	ck_assert_uint_eq(slot(1000), 1);
	ck_assert_uint_eq(slot(1002), 2);
	ck_assert_uint_eq(slot(1001), 3);
	is("1000\n1002\n1001\n");
}
END_TEST

START_TEST(on_a_full_disk_a_new_user_gets_no_range_and_no_two_users_share_one)
{
	put("1000\n", 5);
	room = (size_t)_i;
	ck_assert_uint_eq(slot(1001), 0);
	ck_assert_int_eq(err.code, CES_E_HOST);
	room = SIZE_MAX;
	ck_assert_uint_eq(slot(1001), 2);
	ck_assert_uint_eq(slot(1002), 3);
	ck_assert_uint_eq(slot(1001), 2);
	is("1000\n1001\n1002\n");
}
END_TEST

START_TEST(a_range_that_did_not_reach_the_disk_is_not_given)
{
	no_sync = true;
	ck_assert_uint_eq(slot(1000), 0);
	ck_assert_int_eq(err.sys, EIO);
}
END_TEST

START_TEST(a_range_that_another_start_wrote_just_now_is_not_given_before_it_reached_the_disk)
{
	const struct timespec old[2] = {{.tv_sec = time(NULL) - 3600},
					{.tv_sec = time(NULL) - 3600}};

	put("1000\n", 5);
	no_sync = true;
	ck_assert_uint_eq(slot(1000), 0);
	ck_assert_int_eq(err.sys, EIO);
	ck_assert_int_eq(utimensat(directory, "subids", old, 0), 0);
	ck_assert_uint_eq(slot(1000), 1);
}
END_TEST

START_TEST(a_link_in_place_of_the_list_is_not_followed)
{
	ck_assert_int_eq(symlinkat("other", directory, "subids"), 0);
	ck_assert_uint_eq(slot(1000), 0);
	ck_assert_int_lt(faccessat(directory, "other", F_OK, 0), 0);
}
END_TEST

/* A child in a user namespace of its own, without a map. */
static pid_t unmapped(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		byte = unshare(CLONE_NEWUSER) == 0 ? 'y' : 'n';
		(void)!write(ready[1], &byte, 1);
		for (;;)
			(void)pause();
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	ck_assert_msg(byte == 'y', "this machine gives no user namespace");
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void finish(pid_t pid)
{
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

START_TEST(a_map_that_the_kernel_does_not_take_is_an_error)
{
	/* (one id twice outside: no kernel takes this, and root's neither) */
	const struct ces_idmap map = {.uid = {{{0, 1, 1}, {1, 1, 1}}, 2}, .gid = {{{0, 1, 1}}, 1}};
	pid_t pid = unmapped();

	ck_assert_int_lt(ces_idmap_write(pid, &map, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "writing the uid_map"));
	finish(pid);
	ck_assert_int_lt(ces_idmap_write(pid, &map, &err), 0); /* nobody */
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("idmap_base");

	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, each_user_has_a_range_and_keeps_it);
	tcase_add_test(t, when_all_ranges_are_taken_a_new_user_gets_none);
	tcase_add_loop_test(t, a_user_among_the_subordinate_ids_gets_none, 0, 5);
	tcase_add_loop_test(t, a_damaged_list_gives_no_range, 0, 6);
	tcase_add_loop_test(t, a_line_that_was_cut_short_gave_nobody_a_range, 0, 3);
	tcase_add_loop_test(t, on_a_full_disk_a_new_user_gets_no_range_and_no_two_users_share_one,
			    0, 5);
	tcase_add_test(t, a_range_that_did_not_reach_the_disk_is_not_given);
	tcase_add_test(
	    t, a_range_that_another_start_wrote_just_now_is_not_given_before_it_reached_the_disk);
	tcase_add_test(t, a_link_in_place_of_the_list_is_not_followed);
	tcase_add_test(t, a_map_that_the_kernel_does_not_take_is_an_error);
	return run_suite("idmap_base", t);
}
