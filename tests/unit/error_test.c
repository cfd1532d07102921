/* Tests errors: each is one clean line, whatever text went into it. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"

static void expect_clean(const char *text)
{
	for (; *text != '\0'; text++)
		ck_assert_msg(*text >= 0x20 && *text <= 0x7e, "byte %d", *text);
}

START_TEST(setting_an_error_returns_minus_one_and_forgets_the_last)
{
	struct ces_error err;

	errno = EACCES;
	ck_assert_int_eq(ces_error_errno(&err, CES_E_HOST, "open %s", "x"), -1);
	ck_assert_int_eq(err.sys, EACCES);
	ck_assert_str_eq(err.text, "open x: Permission denied");
	ck_assert_int_eq(ces_error_rule(&err, CES_E_DENIED, "projects.p", "no"), -1);
	ck_assert_int_eq(err.sys, 0);
	ck_assert_str_eq(err.rule, "projects.p");
	ck_assert_int_eq(ces_error_set(&err, CES_E_USAGE, "%d", 7), -1);
	ck_assert_int_eq(err.code, CES_E_USAGE);
	ck_assert_str_eq(err.rule, "");
	ck_assert_str_eq(err.text, "7");
}
END_TEST

START_TEST(errno_survives)
{
	struct ces_error err;

	errno = ENOSPC;
	ces_error_errno(&err, CES_E_HOST, "write");
	ck_assert_int_eq(errno, ENOSPC);
	ces_error_errno(NULL, CES_E_HOST, "write");
	ck_assert_int_eq(errno, ENOSPC);
}
END_TEST

START_TEST(a_missing_error_object_is_accepted)
{
	ck_assert_int_eq(ces_error_set(NULL, CES_E_USAGE, "x"), -1);
	ck_assert_int_eq(ces_error_errno(NULL, CES_E_USAGE, "x"), -1);
	ck_assert_int_eq(ces_error_rule(NULL, CES_E_USAGE, "r", "x"), -1);
	ck_assert_int_eq(ces_error_context(NULL, "x"), -1);
}
END_TEST

START_TEST(control_characters_never_reach_the_text)
{
	struct ces_error err;
	char hostile[256];

	for (unsigned i = 0; i < 255; i++)
		hostile[i] = (char)(i + 1);
	hostile[255] = '\0';
	ces_error_rule(&err, CES_E_DENIED, "a\x1b[2Jb", "%s", hostile);
	expect_clean(err.text);
	ck_assert_uint_eq(strlen(err.text), 255);
	ck_assert_str_eq(err.rule, "a?[2Jb");
	ces_error_context(&err, "%s", "\r\n");
	expect_clean(err.text);
	ck_assert_int_eq(strncmp(err.text, "??: ", 4), 0);
	ces_text_clean(hostile);
	expect_clean(hostile);
	ck_assert_uint_eq(strlen(hostile), 255);
}
END_TEST

START_TEST(context_comes_first_and_keeps_code_rule_and_errno)
{
	struct ces_error err;

	ces_error_rule(&err, CES_E_DENIED, "r", "inner");
	err.sys = 5;
	ck_assert_int_eq(ces_error_context(&err, "outer %d", 1), -1);
	ces_error_context(&err, "outermost");
	ck_assert_str_eq(err.text, "outermost: outer 1: inner");
	ck_assert_int_eq(err.code, CES_E_DENIED);
	ck_assert_str_eq(err.rule, "r");
	ck_assert_int_eq(err.sys, 5);
}
END_TEST

START_TEST(a_text_of_its_own_error_may_be_reused)
{
	struct ces_error err;

	ces_error_rule(&err, CES_E_DENIED, "rule", "first");
	ces_error_rule(&err, CES_E_POLICY, err.rule, "again: %s", err.text);
	ck_assert_str_eq(err.text, "again: first");
	ck_assert_str_eq(err.rule, "rule");
	ces_error_context(&err, "%s", err.text);
	ck_assert_str_eq(err.text, "again: first: again: first");
}
END_TEST

START_TEST(a_long_text_is_cut_and_terminated)
{
	struct ces_error err;
	char text[2000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	errno = EIO;
	ces_error_errno(&err, CES_E_HOST, "%s", text);
	ck_assert_uint_eq(strlen(err.text), CES_ERROR_TEXT - 1);
	ces_error_rule(&err, CES_E_HOST, text, "%s", text);
	ck_assert_uint_eq(strlen(err.rule), CES_RULE_TEXT - 1);
	ck_assert_uint_eq(strlen(err.text), CES_ERROR_TEXT - 1);
	ces_error_context(&err, "%s", text);
	ck_assert_uint_eq(strlen(err.text), CES_ERROR_TEXT - 1);
}
END_TEST

START_TEST(every_code_has_a_name_of_its_own)
{
	for (int i = CES_OK; i <= CES_E_INTERNAL; i++)
		for (int j = CES_OK; j < i; j++)
			ck_assert_str_ne(ces_code_name((enum ces_code)i),
					 ces_code_name((enum ces_code)j));
	ck_assert_str_eq(ces_code_name((enum ces_code)99), "unknown");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("error");
	TCase *all = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(all, setting_an_error_returns_minus_one_and_forgets_the_last);
	tcase_add_test(all, errno_survives);
	tcase_add_test(all, a_missing_error_object_is_accepted);
	tcase_add_test(all, control_characters_never_reach_the_text);
	tcase_add_test(all, context_comes_first_and_keeps_code_rule_and_errno);
	tcase_add_test(all, a_text_of_its_own_error_may_be_reused);
	tcase_add_test(all, a_long_text_is_cut_and_terminated);
	tcase_add_test(all, every_code_has_a_name_of_its_own);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
