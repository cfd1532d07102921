/* Tests which tags a user sees after asking for a missing one. */
/* links: helper/fetch/tags.c helper/fetch/reply.c */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "helper/fetch/tags.h"

static const struct {
	const char *list, *wanted, *told;
} tables[] = {
    {"{\"tags\":[\"1\",\"2\"]}", "3", "its tags: 2, 1"},
    {"{\"name\":\"a/b\",\"tags\":[]}", "1", "it has no tags"},
    {"{\"name\":\"a/b\",\"tags\":null}", "1", "it has no tags"},
    {"{\"tags\":[\"1.0\",\"1.1\",\"1.2\",\"2.0\"]}", "latest", "the nearest: 2.0, 1.2, 1.1"},
    {"{\"tags\":[\"1.0\",\"1.1\",\"v1.2\",\"main\",\"sha-0123456789\"]}", "v1.1",
     "the nearest: v1.2, 1.1, 1.0"},
    {"{\"tags\":[\"main\",\"latest\",\"nightly\",\"dev\"]}", "lates",
     "the nearest: latest, dev, main"},
    {"{\"tags\":[\"a b\",\"\\u001b[0m\",\"..\",\"-x\",\"\",5,null,[],\"ok\\u0000no\",\"ok\"]}", "x",
     "its tags: ok"},
};

START_TEST(the_nearest_tags_are_reported_few_and_clean)
{
	char told[CES_TAGS_TEXT];

	ck_assert_int_eq(
	    ces_tags_tell(tables[_i].list, strlen(tables[_i].list), tables[_i].wanted, told), 0);
	ck_assert_str_eq(told, tables[_i].told);
}
END_TEST

static const char *const no_lists[] = {"",
				       "[]",
				       "null",
				       "{}",
				       "{\"tags\":\"1\"}",
				       "{\"tags\":{}}",
				       "{\"tags\":[1}",
				       "{\"tags\":[[[[[[[[[\"1\"]]]]]]]]]}"};

START_TEST(an_answer_that_is_no_list_is_not_reported)
{
	char told[CES_TAGS_TEXT];

	ck_assert_int_eq(ces_tags_tell(no_lists[_i], strlen(no_lists[_i]), "1", told), -1);
}
END_TEST

START_TEST(the_longest_tags_fit_the_line)
{
	char list[256], long_tag[41], told[CES_TAGS_TEXT];

	memset(long_tag, 'x', 40);
	long_tag[40] = '\0';
	(void)snprintf(list, sizeof(list), "{\"tags\":[\"%s\",\"%s\",\"%s\",\"%s\"]}", long_tag,
		       long_tag, long_tag, long_tag);
	ck_assert_int_eq(ces_tags_tell(list, strlen(list), "y", told), 0);
	ck_assert_uint_eq(strlen(told), strlen("the nearest: ") + 3 * 40 + 2 * strlen(", "));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tags");
	TCase *tags = tcase_create("tags");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tags, the_nearest_tags_are_reported_few_and_clean, 0,
			    CES_COUNT(tables));
	tcase_add_loop_test(tags, an_answer_that_is_no_list_is_not_reported, 0,
			    CES_COUNT(no_lists));
	tcase_add_test(tags, the_longest_tags_fit_the_line);
	suite_add_tcase(suite, tags);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
