/* Tests the names of runs, and whose the register must be. */
/* links: helper/session/runs.c helper/session/object.c helper/clean/tree.c */
/* links: helper/core/beneath.c */
#include "helper/session/runs.h"

#include <check.h>
#include <sys/random.h>
#include <sys/syscall.h>

#include "tests/unit/policy_fixture.h"
#include "tests/unit/session_scene.h"

#define RUN "0123456789"

static struct ces_error err;
static uint64_t numbers[20];
static size_t n_numbers, drawn;

/* Gives the test's numbers, if there are any. */
ssize_t getrandom(void *buffer, size_t n, unsigned flags)
{
	if (n_numbers == 0)
		return syscall(SYS_getrandom, buffer, n, flags);
	if (drawn == n_numbers)
		return -1;
	memcpy(buffer, &numbers[drawn++], n);
	return (ssize_t)n;
}

static void tear_down(void)
{
	ck_assert_int_eq(ces_tree_empty(directory), 0);
	directory_end();
}

static void make(const char *name)
{
	ck_assert_int_eq(mkdirat(directory, name, 0700), 0);
}

START_TEST(a_run_gets_ten_digits_that_no_other_has)
{
	char name[CES_RUN_DIGITS + 1];

	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(ces_runs_name(directory, name, &err), 0);
		ck_assert(ces_run_valid(name));
	}
	n_numbers = 3;
	numbers[0] = 123456789;
	numbers[1] = UINT64_MAX - 1;
	numbers[2] = 7;
	make(RUN);
	ck_assert_int_eq(ces_runs_name(directory, name, &err), 0);
	ck_assert_str_eq(name, "3709551614");
	make(name);
	drawn = 0;
	ck_assert_int_eq(ces_runs_name(directory, name, &err), 0);
	ck_assert_str_eq(name, "0000000007");
	ck_assert_int_eq(unlinkat(directory, "3709551614", AT_REMOVEDIR), 0);
	ck_assert_int_eq(symlinkat("nowhere", directory, "3709551614"), 0);
	drawn = 0;
	ck_assert_int_eq(ces_runs_name(directory, name, &err), 0);
	ck_assert_str_eq(name, "0000000007");
}
END_TEST

START_TEST(without_a_free_number_there_is_no_name)
{
	char name[CES_RUN_DIGITS + 1];

	n_numbers = 20;
	for (size_t i = 0; i < n_numbers; i++)
		numbers[i] = 123456789;
	make(RUN);
	ck_assert_int_eq(ces_runs_name(directory, name, &err), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_uint_eq(drawn, 16);
	drawn = n_numbers;
	ck_assert_int_eq(ces_runs_name(directory, name, &err), -1);
	drawn = 0;
	numbers[0] = 5;
	ck_assert_int_eq(ces_runs_name(-1, name, &err), -1); /* no register: no free number */
}
END_TEST

START_TEST(the_register_is_a_directory_of_roots_alone)
{
	int fd = -7;

	become(0);
	ck_assert_int_eq(fchdir(directory), 0);
	ck_assert_int_eq(mkdir("run", 0755), 0);
	(void)umask(0);
	ck_assert_int_eq(ces_runs_open(&fd, &err), 0);
	ck_assert_int_eq(mode_of("run/ces"), S_IFDIR | 0700);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	fd = -7;
	ck_assert_int_eq(chmod("run/ces", 0711), 0);
	ck_assert_int_eq(ces_runs_open(&fd, &err), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_int_eq(fd, -7);
	ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

/* As somebody else than root the directory is not root's. */
START_TEST(a_register_of_somebody_elses_is_refused)
{
	int fd = -7;

	become(1000);
	ck_assert_int_eq(fchdir(directory), 0);
	ck_assert_int_eq(mkdir("run", 0755), 0);
	ck_assert_int_eq(ces_runs_open(&fd, &err), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("runs name");

	tcase_add_checked_fixture(t, directory_begin, tear_down);
	tcase_add_test(t, a_run_gets_ten_digits_that_no_other_has);
	tcase_add_test(t, without_a_free_number_there_is_no_name);
	tcase_add_test(t, the_register_is_a_directory_of_roots_alone);
	tcase_add_test(t, a_register_of_somebody_elses_is_refused);
	return run_suite("runs name", t);
}
