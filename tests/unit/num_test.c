/* Tests numbers, sizes, times, cpus and dates: which are accepted and which are not. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/num.h"
#include "common/quantity.h"

struct number {
	const char *text;
	uint64_t expected; /* if code is 0 */
	int code;
};

static void expect(const struct number *n, int (*parse)(const char *, uint64_t *))
{
	uint64_t got = 12345;
	int result;

	errno = 0;
	result = parse(n->text, &got);
	ck_assert_msg(result == (n->code == 0 ? 0 : -1), "'%s': %d", n->text, result);
	if (n->code != 0)
		ck_assert_msg(errno == n->code, "'%s': %s", n->text, strerror(errno));
	ck_assert_msg(got == (n->code == 0 ? n->expected : 12345), "'%s': %ju", n->text,
		      (uintmax_t)got);
}

static const struct number numbers[] = {
    {"5", 5, 0},
    {"9", 9, 0},
    {"10", 10, 0},
    {"99", 99, 0},
    {"100", 100, 0},
    {"4", 0, ERANGE},
    {"0", 0, ERANGE},
    {"101", 0, ERANGE},
    {"1000", 0, ERANGE},
    {"18446744073709551615", 0, ERANGE},
    {"18446744073709551621", 0, ERANGE},
    {"99999999999999999999999999", 0, ERANGE},
    {"", 0, EINVAL},
    {"05", 0, EINVAL},
    {"00", 0, EINVAL},
    {"+5", 0, EINVAL},
    {"-5", 0, EINVAL},
    {" 5", 0, EINVAL},
    {"5 ", 0, EINVAL},
    {"5\n", 0, EINVAL},
    {"0x10", 0, EINVAL},
    {"1e1", 0, EINVAL},
    {"5.", 0, EINVAL},
    {"five", 0, EINVAL},
    {"\xd9\xa5", 0, EINVAL},
};
static int parse_5_to_100(const char *text, uint64_t *ret)
{
	return ces_num_parse(text, 5, 100, ret);
}
START_TEST(a_number_is_digits_within_its_bounds)
{
	expect(&numbers[_i], parse_5_to_100);
}
END_TEST

START_TEST(the_whole_range_is_reached)
{
	uint64_t got;

	ck_assert_int_eq(ces_num_parse("18446744073709551615", 0, UINT64_MAX, &got), 0);
	ck_assert_uint_eq(got, UINT64_MAX);
	ck_assert_int_eq(ces_num_parse("18446744073709551616", 0, UINT64_MAX, &got), -1);
	ck_assert_int_eq(ces_num_parse("0", 0, 0, &got), 0);
	ck_assert_uint_eq(got, 0);
	ck_assert_int_eq(ces_num_parse("1", 0, 0, &got), -1);
	ck_assert_int_eq(ces_num_parse("9", 0, 7, &got), -1);
}
END_TEST

static const struct number sizes[] = {
    {"1K", 1024, 0},           {"512M", 536870912, 0},
    {"16G", 17179869184, 0},   {"2T", 2199023255552, 0},
    {"1k", 1024, 0},           {"1g", 1073741824, 0},
    {"16GB", 17179869184, 0},  {"16gb", 17179869184, 0},
    {"16GiB", 17179869184, 0}, {"8388607T", 9223370937343148032, 0},
    {"8388608T", 0, ERANGE},   {"9223372036854775807K", 0, ERANGE},
    {"0M", 0, ERANGE},         {"99999999999999999999G", 0, ERANGE},
    {"16", 0, EINVAL},         {"16B", 0, EINVAL},
    {"", 0, EINVAL},           {"G", 0, EINVAL},
    {"1.5G", 0, EINVAL},       {"1 G", 0, EINVAL},
    {"1G ", 0, EINVAL},        {"-1G", 0, EINVAL},
    {"1P", 0, EINVAL},         {"1GG", 0, EINVAL},
    {"1GiBx", 0, EINVAL},      {"1Gi", 0, EINVAL},
    {"01G", 0, EINVAL},        {"1\x0b", 0, EINVAL},
    {"1\xeb", 0, EINVAL},
};
START_TEST(a_size_is_a_whole_number_and_a_unit)
{
	expect(&sizes[_i], ces_num_parse_size);
}
END_TEST

static const struct number times[] = {
    {"90s", 90, 0},       {"30m", 1800, 0},          {"6h", 21600, 0},
    {"2d", 172800, 0},    {"3650d", 315360000, 0},   {"0s", 0, ERANGE},
    {"3661d", 0, ERANGE}, {"316224001s", 0, ERANGE}, {"99999999999999999999h", 0, ERANGE},
    {"90", 0, EINVAL},    {"s", 0, EINVAL},          {"", 0, EINVAL},
    {"1H", 0, EINVAL},    {"1w", 0, EINVAL},         {"1h30m", 0, EINVAL},
    {"1.5h", 0, EINVAL},  {" 1h", 0, EINVAL},        {"1hh", 0, EINVAL},
};
START_TEST(a_time_is_a_whole_number_and_a_unit)
{
	expect(&times[_i], ces_num_parse_time);
}
END_TEST

static const struct number cpus[] = {
    {"4", 4000, 0},       {"0.5", 500, 0},         {"1.25", 1250, 0},   {"0.001", 1, 0},
    {"4096", 4096000, 0}, {"1.000", 1000, 0},      {"1.0", 1000, 0},    {"0", 0, ERANGE},
    {"0.0", 0, ERANGE},   {"4096.001", 0, ERANGE}, {"4097", 0, ERANGE}, {"1.", 0, EINVAL},
    {".5", 0, EINVAL},    {"1.2345", 0, EINVAL},   {"1,5", 0, EINVAL},  {"-1", 0, EINVAL},
    {"", 0, EINVAL},      {"1.5.", 0, EINVAL},     {"01", 0, EINVAL},   {"0.5 ", 0, EINVAL},
};
START_TEST(cpus_have_up_to_three_decimals)
{
	expect(&cpus[_i], ces_num_parse_cpus);
}
END_TEST

static int parse_date(const char *text, uint64_t *ret)
{
	time_t got = (time_t)*ret;
	int result = ces_num_parse_date(text, &got);

	*ret = (uint64_t)got;
	return result;
}
static const struct number dates[] = {
    {"1970-01-01", 86400, 0},
    {"2026-10-01", 1790899200, 0},
    {"2024-02-29", 1709251200, 0},
    {"2000-02-29", 951868800, 0},
    {"9999-12-31", 253402300800, 0},
    {"2023-02-29", 0, EINVAL},
    {"1900-02-29", 0, EINVAL},
    {"2100-02-29", 0, EINVAL},
    {"2026-04-31", 0, EINVAL},
    {"2026-00-10", 0, EINVAL},
    {"2026-13-10", 0, EINVAL},
    {"2026-10-00", 0, EINVAL},
    {"2026-10-32", 0, EINVAL},
    {"1969-12-31", 0, EINVAL},
    {"2026-1-01", 0, EINVAL},
    {"2026/10/01", 0, EINVAL},
    {"20261001", 0, EINVAL},
    {"2026-10-01 ", 0, EINVAL},
    {"2026-10-01T00:00:00Z", 0, EINVAL},
    {"", 0, EINVAL},
    {" 2026-10-1", 0, EINVAL},
    {"+026-10-01", 0, EINVAL},
    {"2026-10-0x", 0, EINVAL},
};
START_TEST(a_date_is_a_real_day_and_valid_through_it)
{
	expect(&dates[_i], parse_date);
}
END_TEST

static const struct {
	uint64_t value;
	const char *expected;
} shown_sizes[] = {
    {0, "0 B"},
    {1023, "1023 B"},
    {1024, "1 KiB"},
    {1536, "1.5 KiB"},
    {2147483648, "2 GiB"},
    {536870912, "512 MiB"},
    {1048575, "1023.9 KiB"},
    {UINT64_MAX, "16383.9 PiB"},
};
START_TEST(a_size_is_shown_with_one_decimal_at_most)
{
	char text[32];

	ces_num_format_size(shown_sizes[_i].value, text, sizeof(text));
	ck_assert_str_eq(text, shown_sizes[_i].expected);
}
END_TEST

static const struct {
	uint64_t value;
	const char *expected;
} shown_times[] = {
    {0, "0s"},       {1, "1s"},     {90, "1m30s"},  {3600, "1h"},
    {5400, "1h30m"}, {21600, "6h"}, {86400, "24h"}, {3661, "1h1m1s"},
};
START_TEST(a_time_is_shown_in_hours_minutes_and_seconds)
{
	char text[32];

	ces_num_format_time(shown_times[_i].value, text, sizeof(text));
	ck_assert_str_eq(text, shown_times[_i].expected);
}
END_TEST

START_TEST(a_shown_value_never_leaves_its_buffer)
{
	for (size_t size = 1; size < 12; size++) {
		char text[12];

		memset(text, 'x', sizeof(text));
		ces_num_format_size(UINT64_MAX, text, size);
		ck_assert_uint_lt(strnlen(text, size), size);
		ck_assert_int_eq(text[size], 'x');
		memset(text, 'x', sizeof(text));
		ces_num_format_time(3661 * 1000 + 61, text, size);
		ck_assert_uint_lt(strnlen(text, size), size);
		ck_assert_int_eq(text[size], 'x');
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("num");
	TCase *all = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(all, a_number_is_digits_within_its_bounds, 0, CES_COUNT(numbers));
	tcase_add_test(all, the_whole_range_is_reached);
	tcase_add_loop_test(all, a_size_is_a_whole_number_and_a_unit, 0, CES_COUNT(sizes));
	tcase_add_loop_test(all, a_time_is_a_whole_number_and_a_unit, 0, CES_COUNT(times));
	tcase_add_loop_test(all, cpus_have_up_to_three_decimals, 0, CES_COUNT(cpus));
	tcase_add_loop_test(all, a_date_is_a_real_day_and_valid_through_it, 0, CES_COUNT(dates));
	tcase_add_loop_test(all, a_size_is_shown_with_one_decimal_at_most, 0,
			    CES_COUNT(shown_sizes));
	tcase_add_loop_test(all, a_time_is_shown_in_hours_minutes_and_seconds, 0,
			    CES_COUNT(shown_times));
	tcase_add_test(all, a_shown_value_never_leaves_its_buffer);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
