/* Tests the forms of env-files, and of words in opt-files and arg-files. */
/* links: client/options.c client/run_options.c client/setters.c client/mount.c client/optfile.c */
/* links: client/words.c client/profile.c */
#include <check.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/optfile.h"
#include "client/words.h"
#include "common/cleanup.h"

#define MOST 7
#define HOME "/home/ada" /* set in main() */

static const struct {
	const char *text;
	const char *words[MOST];
} splits[] = {
    {"", {NULL}},
    {" \t\r\n ", {NULL}},
    {"a", {"a"}},
    {"a b\tc\nd\r\ne", {"a", "b", "c", "d", "e"}},
    {"'a b' \"c d\"", {"a b", "c d"}},
    {"a'b c'd", {"ab cd"}},
    {"'' \"\"", {"", ""}},
    {"a\\ b", {"a b"}},
    {"'a\\b'", {"a\\b"}},
    {"\"a\\\"b\\\\c\\d\"", {"a\"b\\c\\d"}},
    {"a \\\n b", {"a", "b"}},
    {"a\\\nb", {"ab"}},
    {"\"a\\\nb\"", {"ab"}},
    {"`x` $(y) * $X ${X} $", {"`x`", "$(y)", "*", "$X", "${X}", "$"}},
    {"$HOME ${HOME}/x:/y", {HOME, HOME "/x:/y"}},
    {"a$HOME-\"${HOME}\"", {"a" HOME "-" HOME}},
    {"'$HOME' \\$HOME \"\\$HOME\" $HOMES ${HOME ${HOMES}",
     {"$HOME", "$HOME", "$HOME", "$HOMES", "${HOME", "${HOMES}"}},
    {"~ ~/x a~ ~root '~' -v ~/z", {HOME, HOME "/x", "a~", "~root", "~", "-v", HOME "/z"}},
    {"a #b", {"a", "#b"}},
    {"a\\", {"a\\"}},
};

START_TEST(words_are_split_as_a_shell_does_and_nothing_but_home_and_user_is_expanded)
{
	struct ces_words words;
	struct ces_error err;
	int n = 0;

	ck_assert_int_eq(ces_words_split(splits[_i].text, false, &words, &err), 0);
	while (n < MOST && splits[_i].words[n] != NULL)
		n++;
	ck_assert_int_eq(words.argc, n + 1);
	for (int i = 0; i < n; i++)
		ck_assert_str_eq(words.argv[i + 1], splits[_i].words[i]);
	ck_assert_ptr_null(words.argv[words.argc]);
	ces_words_free(&words);
}
END_TEST

/* the name of a home is no syntax */
START_TEST(a_home_with_blanks_and_quotes_is_one_word)
{
	struct ces_words words;
	struct ces_error err;

	ck_assert_int_eq(setenv("HOME", "/h 'a\"$USER\n~", 1), 0);
	ck_assert_int_eq(ces_words_split("$HOME ~/x \"$HOME\"", false, &words, &err), 0);
	ck_assert_int_eq(words.argc, 4);
	ck_assert_str_eq(words.argv[1], "/h 'a\"$USER\n~");
	ck_assert_str_eq(words.argv[2], "/h 'a\"$USER\n~/x");
	ck_assert_str_eq(words.argv[3], words.argv[1]);
	ces_words_free(&words);
}
END_TEST

START_TEST(user_is_the_caller_whatever_the_environment_says)
{
	const struct passwd *entry = getpwuid(getuid());
	struct ces_words words;
	struct ces_error err;

	ck_assert_int_eq(setenv("USER", "somebody-else", 1), 0);
	ck_assert_int_eq(ces_words_split("$USER ${USER}", false, &words, &err), 0);
	ck_assert_int_eq(words.argc, 3);
	ck_assert_str_eq(words.argv[1], entry->pw_name);
	ck_assert_str_eq(words.argv[2], entry->pw_name);
	ces_words_free(&words);
}
END_TEST

START_TEST(a_comment_line_is_left_out_and_a_later_hash_is_not)
{
	struct ces_words words;
	struct ces_error err;

	ck_assert_int_eq(ces_words_split("# one 'quote\n  #two\na #b\n#c", true, &words, &err), 0);
	ck_assert_int_eq(words.argc, 3);
	ck_assert_str_eq(words.argv[1], "a");
	ck_assert_str_eq(words.argv[2], "#b");
	ces_words_free(&words);
}
END_TEST

START_TEST(many_words_are_all_kept)
{
	char text[2 * 1000 + 1];
	struct ces_words words;
	struct ces_error err;

	for (size_t i = 0; i < 1000; i++)
		memcpy(text + 2 * i, "w ", 3);
	ck_assert_int_eq(ces_words_split(text, false, &words, &err), 0);
	ck_assert_int_eq(words.argc, 1001);
	ces_words_free(&words);
}
END_TEST

static const char *const open_quotes[] = {"'", "a 'b", "\"", "\"a\\\"", "\"\\"};

START_TEST(an_open_quote_is_refused)
{
	struct ces_words words;
	struct ces_error err;

	ck_assert_int_eq(ces_words_split(open_quotes[_i], false, &words, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "not closed"));
}
END_TEST

static const struct {
	const char *text;
	const char *pairs[MOST];
} envs[] = {
    {"", {NULL}},
    {"A=1", {"A=1"}},
    {"A=1\nB=2\n", {"A=1", "B=2"}},
    {"A=1\r\nB=2\r\n", {"A=1", "B=2"}},
    {"\xef\xbb\xbf"
     "A=1",
     {"A=1"}},
    {"\n# comment\n  # indented\n  A=1\n\n", {"A=1"}},
    {"A=\"b c\"\nB='d e'", {"A=b c", "B=d e"}},
    {"A=${HOME}/x\nB=$HOME\nC=~/y\nD=a~\nE='$HOME'\nF=\"$HOME:~\"",
     {"A=" HOME "/x", "B=" HOME, "C=" HOME "/y", "D=a~", "E=$HOME", "F=" HOME ":~"}},
    {"A=$PATH `x` $(y) ${HOMES} $\n$HOME=1", {"A=$PATH `x` $(y) ${HOMES} $", "$HOME=1"}},
    {"A=\"b", {"A=\"b"}},
    {"A=\"b'", {"A=\"b'"}},
    {"A=\"", {"A=\""}},
    {"A=\"\"", {"A="}},
    {"A=\"\"b\"\"", {"A=\"b\""}},
    {"A=b=c", {"A=b=c"}},
    {"A= b ", {"A= b "}},
    {"A=$HOME ${HOME} #x", {"A=" HOME " " HOME " #x"}},
    {"CES_TEST_HERE\nCES_TEST_UNSET", {"CES_TEST_HERE=from here"}},
};

START_TEST(an_env_file_is_taken_as_written_but_for_one_pair_of_quotes)
{
	struct ces_options options = {0};
	struct ces_error err;
	size_t n = 0;

	setenv("CES_TEST_HERE", "from here", 1);
	unsetenv("CES_TEST_UNSET");
	ck_assert_int_eq(ces_optfile_env_text(envs[_i].text, &options, &err), 0);
	while (n < MOST && envs[_i].pairs[n] != NULL)
		n++;
	ck_assert_uint_eq(options.request.env.n, n);
	for (size_t i = 0; i < n; i++)
		ck_assert_str_eq(options.request.env.v[i], envs[_i].pairs[i]);
	ces_options_free(&options);
}
END_TEST

static const struct {
	const char *text, *says;
} bad_envs[] = {
    {"A=1\nB C=2\n", "line 2:"},
    {"=1", "line 1:"},
    {"\n\nexport A=1", "line 3: leave out 'export'"},
};

START_TEST(a_bad_line_of_an_env_file_is_named)
{
	struct ces_options options = {0};
	struct ces_error err;

	ck_assert_int_eq(ces_optfile_env_text(bad_envs[_i].text, &options, &err), -1);
	ck_assert_msg(strstr(err.text, bad_envs[_i].says) != NULL, "%s", err.text);
	ces_options_free(&options);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client files of options");
	TCase *tc = tcase_create("files");
	SRunner *runner;
	int failed;

	setenv("HOME", HOME, 1);
	tcase_add_loop_test(
	    tc, words_are_split_as_a_shell_does_and_nothing_but_home_and_user_is_expanded, 0,
	    CES_COUNT(splits));
	tcase_add_test(tc, a_home_with_blanks_and_quotes_is_one_word);
	tcase_add_test(tc, user_is_the_caller_whatever_the_environment_says);
	tcase_add_test(tc, a_comment_line_is_left_out_and_a_later_hash_is_not);
	tcase_add_test(tc, many_words_are_all_kept);
	tcase_add_loop_test(tc, an_open_quote_is_refused, 0, CES_COUNT(open_quotes));
	tcase_add_loop_test(tc, an_env_file_is_taken_as_written_but_for_one_pair_of_quotes, 0,
			    CES_COUNT(envs));
	tcase_add_loop_test(tc, a_bad_line_of_an_env_file_is_named, 0, CES_COUNT(bad_envs));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
