/* Tests whole reads and writes: all bytes in time, or an error with the reason. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"

static int ends[2];

static void setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
}

static void teardown(void)
{
	ces_cleanup_close(&ends[0]);
	ces_cleanup_close(&ends[1]);
}

static void set_nonblocking(int fd)
{
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

START_TEST(a_read_is_whole_though_it_comes_in_pieces)
{
	char got[100] = {0};
	pid_t writer = fork();

	ck_assert_int_ge(writer, 0);
	if (writer == 0) {
		for (int i = 0; i < 100; i++) {
			char byte = (char)i;

			if (write(ends[1], &byte, 1) != 1)
				_exit(1);
			if (i % 10 == 0)
				poll(NULL, 0, 1);
		}
		_exit(0);
	}
	set_nonblocking(ends[0]);
	ck_assert_int_eq(ces_read_full(ends[0], got, 100, _i == 0 ? -1 : ces_now_ms() + 10000), 0);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(got[i], i);
	waitpid(writer, NULL, 0);
}
END_TEST

START_TEST(the_end_at_the_first_byte_differs_from_the_end_in_the_middle)
{
	char got[4];

	ck_assert_int_eq(write(ends[1], "ab", 2), 2);
	ces_cleanup_close(&ends[1]);
	ck_assert_int_eq(ces_read_full(ends[0], got, 4, -1), -1);
	ck_assert_int_eq(errno, EPIPE);
	ck_assert_int_eq(ces_read_full(ends[0], got, 4, ces_now_ms() + 5000), -1);
	ck_assert_int_eq(errno, ENODATA);
}
END_TEST

START_TEST(nothing_is_read_beyond_the_length)
{
	char got[3] = {0}, rest;

	ck_assert_int_eq(write(ends[1], "abc", 3), 3);
	ck_assert_int_eq(ces_read_full(ends[0], got, 2, -1), 0);
	ck_assert_str_eq(got, "ab");
	ck_assert_int_eq(ces_read_full(ends[0], got, 0, -1), 0);
	ck_assert_int_eq(read(ends[0], &rest, 1), 1);
	ck_assert_int_eq(rest, 'c');
}
END_TEST

START_TEST(a_read_meets_its_deadline)
{
	char got[2];
	int64_t begin = ces_now_ms();

	ck_assert_int_eq(write(ends[1], "a", 1), 1);
	ck_assert_int_eq(ces_read_full(ends[0], got, 2, begin + 60), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	ck_assert_int_ge(ces_now_ms() - begin, 59);
	ck_assert_int_lt(ces_now_ms() - begin, 3000);
	ck_assert_int_eq(ces_read_full(ends[0], got, 1, begin), -1); /* already past */
	ck_assert_int_eq(errno, ETIMEDOUT);
}
END_TEST

START_TEST(a_write_to_a_full_pipe_meets_its_deadline)
{
	static char bytes[1 << 20];
	int64_t begin = ces_now_ms();

	set_nonblocking(ends[1]);
	ck_assert_int_eq(ces_write_full(ends[1], bytes, sizeof(bytes), begin + 60), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	ck_assert_int_lt(ces_now_ms() - begin, 3000);
}
END_TEST

START_TEST(a_write_is_whole_though_the_pipe_fills)
{
	static char bytes[1 << 20], got[1 << 20];
	int status;
	pid_t writer;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 31 >> 3);
	writer = fork();
	ck_assert_int_ge(writer, 0);
	if (writer == 0) {
		set_nonblocking(ends[1]);
		_exit(ces_write_full(ends[1], bytes, sizeof(bytes), ces_now_ms() + 10000) == 0 ? 0
											       : 1);
	}
	ck_assert_int_eq(ces_read_full(ends[0], got, sizeof(got), ces_now_ms() + 10000), 0);
	ck_assert_mem_eq(got, bytes, sizeof(bytes));
	waitpid(writer, &status, 0);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(a_write_to_nobody_is_an_error)
{
	ces_cleanup_close(&ends[0]);
	ck_assert_int_eq(ces_write_full(ends[1], "x", 1, -1), -1);
	ck_assert_int_eq(errno, EPIPE);
	ck_assert_int_eq(ces_write_full(-1, "x", 1, -1), -1);
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

START_TEST(a_file_is_read_whole_up_to_its_cap)
{
	static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 8192, 100000};
	static char bytes[100000];

	memset(bytes, 'x', sizeof(bytes));
	for (size_t i = 0; i < CES_COUNT(sizes); i++) {
		CES_CLEANUP_FD int fd = memfd_create("file", MFD_CLOEXEC);
		CES_CLEANUP_FREE char *got = NULL;
		char *untouched = bytes;
		size_t length = 77;

		ck_assert_int_eq(ces_write_full(fd, bytes, sizes[i], -1), 0);
		ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
		ck_assert_int_eq(ces_read_file(fd, sizes[i], &got, &length), 0);
		ck_assert_uint_eq(length, sizes[i]);
		ck_assert_uint_eq(strlen(got), sizes[i]);
		if (sizes[i] == 0)
			continue;
		ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
		length = 77;
		ck_assert_int_eq(ces_read_file(fd, sizes[i] - 1, &untouched, &length), -1);
		ck_assert_int_eq(errno, EFBIG);
		ck_assert_ptr_eq(untouched, bytes);
		ck_assert_uint_eq(length, 77);
	}
}
END_TEST

START_TEST(the_clock_does_not_go_back)
{
	int64_t last = ces_now_ms();

	ck_assert_int_gt(last, 0);
	for (int i = 0; i < 1000; i++) {
		int64_t now = ces_now_ms();

		ck_assert_int_ge(now, last);
		last = now;
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("io");
	TCase *all = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(all, setup, teardown);

	tcase_add_loop_test(all, a_read_is_whole_though_it_comes_in_pieces, 0, 2);
	tcase_add_test(all, the_end_at_the_first_byte_differs_from_the_end_in_the_middle);
	tcase_add_test(all, nothing_is_read_beyond_the_length);
	tcase_add_test(all, a_read_meets_its_deadline);
	tcase_add_test(all, a_write_to_a_full_pipe_meets_its_deadline);
	tcase_add_test(all, a_write_is_whole_though_the_pipe_fills);
	tcase_add_test(all, a_write_to_nobody_is_an_error);
	tcase_add_test(all, a_file_is_read_whole_up_to_its_cap);
	tcase_add_test(all, the_clock_does_not_go_back);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
