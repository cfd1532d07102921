/* Tests that the filter of a held program is compared byte by byte with the one that was built. */
/* links: helper/audit/proof_filter.c helper/session/json.c */
#include "helper/audit/proof_filter.h"

#include <check.h>
#include <errno.h>
#include <linux/filter.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>

#include <nettle/base64.h>

#include "common/cleanup.h"

#define HELD 100

static struct sock_filter built[] = {
    {0x20, 0, 0, 4}, {0x15, 0, 1, 0xc000003e}, {0x06, 0, 0, 0x7fff0000}, {0x06, 0, 0, 0x80000000}};
static struct sock_filter other[CES_COUNT(built)];
static const struct filter {
	const struct sock_filter *v;
	long n;
} * loaded;
static size_t n_loaded;
static int refusal; /* of the kernel's, an errno */
static char text[256];
static struct ces_plan plan;
static struct ces_json record;
static struct ces_error err;

/* Answers as the kernel does: the number of instructions, and with an address the instructions. */
long ptrace(enum __ptrace_request request, ...)
{
	va_list rest;
	size_t which;
	void *to;

	va_start(rest, request);
	ck_assert_int_eq(va_arg(rest, pid_t), HELD);
	which = va_arg(rest, size_t);
	to = va_arg(rest, void *);
	va_end(rest);
	ck_assert_int_eq(request, PTRACE_SECCOMP_GET_FILTER);
	errno = refusal != 0 ? refusal : ENOENT;
	if (refusal != 0 || which >= n_loaded)
		return -1;
	if (to != NULL)
		memcpy(to, loaded[which].v, (size_t)loaded[which].n * sizeof(struct sock_filter));
	return loaded[which].n;
}

static void begin(void)
{
	base64_encode_raw(text, sizeof(built), (const uint8_t *)built);
	text[BASE64_ENCODE_RAW_LENGTH(sizeof(built))] = '\0';
	memcpy(other, built, sizeof(other));
	other[3].k = 0x7fff0000; /* allows what is built to kill */
	plan = (struct ces_plan){.filter = text};
	record = (struct ces_json){0};
	ces_json_object(&record, NULL);
	refusal = 0;
	n_loaded = 0;
}

static int compare(const struct filter *filters, size_t n, const char *word)
{
	char wanted[64];
	int result;

	loaded = filters;
	n_loaded = n;
	result = ces_proof_filter(&plan, HELD, &record, &err);
	(void)snprintf(wanted, sizeof(wanted), "{\"seccomp_program\":\"%s\"}", word);
	ck_assert_str_eq(ces_json_end(&record), wanted);
	ces_json_free(&record);
	return result;
}

START_TEST(the_filter_as_built_is_right_among_others_too)
{
	const struct filter filters[] = {{other, 4}, {built, 4}};

	ck_assert_int_eq(compare(&filters[1 - _i], 1 + (size_t)_i, "as built"), 0);
}
END_TEST

START_TEST(a_filter_that_differs_in_one_instruction_ends_the_run)
{
	const struct filter filters[] = {{other, 4}};

	ck_assert_int_eq(compare(filters, 1, "another"), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "is not the one of this installation"));
}
END_TEST

START_TEST(a_filter_that_is_shorter_or_longer_ends_the_run)
{
	static struct sock_filter longer[CES_COUNT(built) + 1];
	const struct filter filters[] = {{built, 3}, {longer, 5}};

	memcpy(longer, built, sizeof(built));
	ck_assert_int_eq(compare(&filters[_i], 1, "another"), -1);
}
END_TEST

START_TEST(no_filter_ends_the_run)
{
	ck_assert_int_eq(compare(NULL, 0, "another"), -1);
}
END_TEST

START_TEST(a_filter_that_the_kernel_does_not_show_is_recorded_as_unread)
{
	static const int refusals[] = {EIO, EACCES};

	refusal = refusals[_i];
	ck_assert_int_eq(compare(NULL, 0, "cannot be read"), 0);
}
END_TEST

START_TEST(any_other_refusal_ends_the_run)
{
	static const int refusals[] = {ESRCH, EPERM, EINVAL, EMEDIUMTYPE};

	refusal = refusals[_i];
	ck_assert_int_eq(compare(NULL, 0, "cannot be read"), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "reading its system call filter"));
}
END_TEST

START_TEST(a_filter_longer_than_the_kernel_allows_is_not_copied)
{
	const struct filter filters[] = {{built, BPF_MAXINSNS + 1}};

	ck_assert_int_eq(compare(filters, 1, "cannot be read"), -1);
}
END_TEST

START_TEST(a_damaged_filter_of_the_installation_ends_the_run)
{
	static const char *const damaged[] = {"****", "AAAA", "AAAAAAAAAAA", "AAAAAAAAAAA=AAAA"};
	const struct filter filters[] = {{built, 4}};

	(void)snprintf(text, sizeof(text), "%s", damaged[_i]);
	ck_assert_int_eq(compare(filters, 1, "as built"), -1);
	ck_assert_str_eq(err.text, "the system call filter is damaged");
}
END_TEST

START_TEST(runc_compiles_its_own_filter_which_the_record_says)
{
	plan.runc = true;
	refusal = ESRCH; /* nobody asks */
	ck_assert_int_eq(compare(NULL, 0, "the runtime's"), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proof_filter");
	TCase *tests = tcase_create("proof_filter");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, begin, NULL);
	tcase_add_loop_test(tests, the_filter_as_built_is_right_among_others_too, 0, 2);
	tcase_add_test(tests, a_filter_that_differs_in_one_instruction_ends_the_run);
	tcase_add_loop_test(tests, a_filter_that_is_shorter_or_longer_ends_the_run, 0, 2);
	tcase_add_test(tests, no_filter_ends_the_run);
	tcase_add_loop_test(tests, a_filter_that_the_kernel_does_not_show_is_recorded_as_unread, 0,
			    2);
	tcase_add_loop_test(tests, any_other_refusal_ends_the_run, 0, 4);
	tcase_add_test(tests, a_filter_longer_than_the_kernel_allows_is_not_copied);
	tcase_add_loop_test(tests, a_damaged_filter_of_the_installation_ends_the_run, 0, 4);
	tcase_add_test(tests, runc_compiles_its_own_filter_which_the_record_says);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
