/* Tests how a body gets into its pipe: full pipes, bytes that come again, sizes that are wrong. */
/* links: helper/fetch/body.c */
#include <check.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "helper/fetch/body.h"

#define TOTAL 300000

static uint8_t sent[TOTAL], got[TOTAL];
static int ends[2];

static void setup(void)
{
	for (size_t i = 0; i < TOTAL; i++)
		sent[i] = (uint8_t)(i * 7 + i / 251);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	ck_assert_int_ge(fcntl(ends[1], F_SETPIPE_SZ, 4096), 4096);
	(void)signal(SIGPIPE, SIG_IGN);
}

static void teardown(void)
{
	close(ends[0]);
	close(ends[1]);
}

/* Hands a buffer over as libcurl does: again and again while it is refused, each time cut in
 * another way. Returns how many bytes came out in all. */
static size_t pour(struct ces_body *body, const uint8_t *data, size_t length, size_t have)
{
	size_t done = 0, cut = length;

	while (done < length) {
		size_t n = cut < length - done ? cut : length - done;
		size_t result = ces_body_write(body, (const char *)data + done, n, NULL);
		ssize_t out = read(ends[0], got + have, TOTAL - have);

		ck_assert(result == n || result == CURL_WRITEFUNC_PAUSE);
		if (out > 0)
			have += (size_t)out;
		if (result == n)
			done += n;
		cut = cut > 2000 ? cut - 777 : length;
	}
	return have;
}

START_TEST(bytes_that_go_in_come_out_once_and_in_order)
{
	struct ces_body body = {.fd = ends[1], .size = TOTAL};
	size_t have = 0;
	ssize_t n;

	for (size_t at = 0; at < TOTAL; at += 50000)
		have = pour(&body, sent + at, 50000, have);
	while ((n = read(ends[0], got + have, TOTAL - have)) > 0)
		have += (size_t)n;
	ck_assert_uint_eq(have, TOTAL);
	ck_assert_uint_eq(body.delivered, TOTAL);
	ck_assert_mem_eq(sent, got, TOTAL);
}
END_TEST

START_TEST(bytes_of_an_earlier_try_are_skipped)
{
	struct ces_body body = {.fd = ends[1], .size = 3000};

	ck_assert_uint_eq(ces_body_write(&body, (char *)sent, 1000, NULL), 1000);
	ces_body_begin(&body, 1000);
	ck_assert_uint_eq(ces_body_write(&body, (char *)sent, 600, NULL), 600);
	ck_assert_uint_eq(ces_body_write(&body, (char *)sent + 600, 2400, NULL), 2400);
	ck_assert_int_eq(read(ends[0], got, TOTAL), 3000);
	ck_assert_mem_eq(sent, got, 3000);
}
END_TEST

START_TEST(a_byte_too_many_is_refused_before_it_goes_out)
{
	struct ces_body body = {.fd = ends[1], .size = 1000};
	struct ces_error err = {0};

	ck_assert_uint_eq(ces_body_write(&body, (char *)sent, 999, &err), 999);
	ck_assert_uint_eq(ces_body_write(&body, (char *)sent, 2, &err), 0);
	ck_assert_int_eq(err.code, CES_E_REGISTRY);
	ck_assert_int_eq(read(ends[0], got, TOTAL), 999);
	ces_body_begin(&body, 999); /* also after skipped bytes */
	ck_assert_uint_eq(ces_body_write(&body, (char *)sent, 1001, &err), 0);
	ck_assert_uint_eq(ces_body_write(&body, (char *)sent, 1000, &err), 1000);
}
END_TEST

START_TEST(a_reader_that_left_ends_the_body)
{
	struct ces_body body = {.fd = ends[1], .size = 1000};
	struct ces_error err = {0};

	close(ends[0]);
	ck_assert_uint_eq(ces_body_write(&body, (char *)sent, 10, &err), 0);
	ck_assert_int_ne(err.code, CES_OK);
	ck_assert(body.unread);
	ends[0] = dup(ends[1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fetch_body");
	TCase *tcase = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, bytes_that_go_in_come_out_once_and_in_order);
	tcase_add_test(tcase, bytes_of_an_earlier_try_are_skipped);
	tcase_add_test(tcase, a_byte_too_many_is_refused_before_it_goes_out);
	tcase_add_test(tcase, a_reader_that_left_ends_the_body);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
