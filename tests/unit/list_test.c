/* Tests ces-list's parts: what a file is, how a manifest is written, what a check finds in a value
 * and a table. */
/* links: helper/list/content.c helper/list/text.c helper/list/walk.c helper/list/check.c helper/list/table.c helper/list/values.c */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "helper/list/check.h"
#include "tests/unit/policy_fixture.h"

static const struct {
	const char *bytes, *word;
	size_t length;
} contents[] = {
    {"", "empty", 0},
    {"a,b\n1,2\n", "text", 8},
    {"caf\xc3\xa9\n", "text", 6},
    {"caf\xe9\n", "other", 5},
    {"a\0b", "other", 3},
    {"a\x1b[31m", "other", 6},
    {"#!/bin/sh", "script", 9},
    {"\x89PNG\r\n\x1a\n", "image", 8},
    {"\x89PNG\r\n\x1a", "other", 7},
    {"%PDF-1.7", "pdf", 8},
    {"PK\3\4", "archive", 4},
    {"\x7f"
     "ELF",
     "program", 4},
    {"SQLite format 3", "data", 15},
};

START_TEST(a_files_first_bytes_say_what_it_is)
{
	ck_assert_str_eq(
	    ces_list_content((const unsigned char *)contents[_i].bytes, contents[_i].length),
	    contents[_i].word);
}
END_TEST

START_TEST(a_character_that_the_sample_cuts_is_still_text)
{
	unsigned char sample[CES_LIST_SAMPLE];

	memset(sample, 'x', sizeof(sample));
	sample[sizeof(sample) - 1] = 0xc3;
	ck_assert_str_eq(ces_list_content(sample, sizeof(sample)), "text");
	ck_assert_str_eq(ces_list_content(sample + 1, sizeof(sample) - 1), "other");
}
END_TEST

static const struct {
	const char *name, *json;
} names[] = {
    {"plain", "\"path\":\"plain\""},       {"q\"\\\n\t\x01", "\"path\":\"q\\\"\\\\\\n\\t\\u0001\""},
    {"\xc3\xa9", "\"path\":\"\xc3\xa9\""}, {"\xff\xfe", "\"path_hex\":\"fffe\""},
    {"d\x7f", "\"path_hex\":\"647f\""},
};

START_TEST(a_name_that_is_not_utf8_is_hexadecimal)
{
	struct ces_list_text text = {0};

	ces_list_name(&text, "path", names[_i].name, strlen(names[_i].name));
	ck_assert_uint_eq(text.length, strlen(names[_i].json));
	ck_assert_mem_eq(text.bytes, names[_i].json, text.length);
	free(text.bytes);
}
END_TEST

START_TEST(a_text_ends_at_its_bound)
{
	static char block[65536];
	struct ces_list_text text = {0};

	memset(block, 'x', sizeof(block));
	for (size_t i = 0; i < CES_LIST_TEXT / sizeof(block); i++)
		ces_list_add(&text, block, sizeof(block));
	ck_assert(!text.full);
	ces_list_add(&text, "x", 1);
	ck_assert(text.full);
	ck_assert_uint_eq(text.length, CES_LIST_TEXT);
	free(text.bytes);
}
END_TEST

/* ---- identifiers ---- */

static const struct {
	enum ces_check_value value;
	const char *text;
	size_t length; /* 0: none */
} values[] = {
    {CES_VALUE_NHS, "9434765919", 10},
    {CES_VALUE_NHS, "943 476 5919", 12},
    {CES_VALUE_NHS, "943-476-5919,x", 12},
    {CES_VALUE_NHS, "9434765918", 0},  /* the wrong check digit */
    {CES_VALUE_NHS, "94347659190", 0}, /* a longer number */
    {CES_VALUE_NHS, "943476591", 0},
    {CES_VALUE_NHS, "94 34765919", 0},
    {CES_VALUE_NHS, "9434765919.5", 0},
    {CES_VALUE_NHS, "9434765919.", 10},
    {CES_VALUE_NHS, "9434765919.0", 10}, /* a whole number, as programs write it */
    {CES_VALUE_NHS, "9434765919.00,", 10},
    {CES_VALUE_NHS, "9434765919.05", 0},
    {CES_VALUE_NHS,
     "943\xC2\xA0"
     "476\xE2\x80\xAF"
     "5919",
     15},
    {CES_VALUE_NHS, "943&nbsp;476\\u00a05919", 22},
    {CES_VALUE_NHS, "9434765919\xe2\x80\x9d", 10},
    {CES_VALUE_NHS, "0101010101", 0},
    {CES_VALUE_CHI, "0101010109", 10},
    {CES_VALUE_CHI, "0101010108", 0},
    {CES_VALUE_CHI, "0101011237", 10},
    {CES_VALUE_CHI, "010101 1237", 11},
    {CES_VALUE_CHI, "101011237", 9}, /* its zero is lost */
    {CES_VALUE_CHI, "101011237.0", 9},
    {CES_VALUE_CHI, "3201011234", 0},
    {CES_VALUE_CHI, "9434765919", 0},
    {CES_VALUE_NI, "AB123456C", 9},
    {CES_VALUE_NI, "ab 12 34 56 c", 13},
    {CES_VALUE_NI,
     "AB\xC2\xA0"
     "12 34 56\xC2\xA0"
     "C",
     15},
    {CES_VALUE_NI, "AB123456E", 0},
    {CES_VALUE_NI, "BG123456A", 0},
    {CES_VALUE_NI, "DA123456A", 0},
    {CES_VALUE_NI, "AB123456", 0},
    {CES_VALUE_POSTCODE, "M1 1AE", 6},
    {CES_VALUE_POSTCODE, "B33 8TH", 7},
    {CES_VALUE_POSTCODE, "CR2 6XH", 7},
    {CES_VALUE_POSTCODE, "DN55 1PT", 8},
    {CES_VALUE_POSTCODE, "W1A 0AX", 7},
    {CES_VALUE_POSTCODE, "ec1a1bb", 7},
    {CES_VALUE_POSTCODE,
     "EH8\xC2\xA0"
     "9YL",
     8},
    {CES_VALUE_POSTCODE, "EH8 9YLX", 0},
    {CES_VALUE_POSTCODE, "EH8 9YC", 0}, /* a C is in no inward half */
    {CES_VALUE_POSTCODE, "QA1 1AA", 0},
    {CES_VALUE_POSTCODE, "A1", 0},
    {CES_VALUE_EMAIL, "ann.o+x@example.ac.uk", 21},
    {CES_VALUE_EMAIL, "ann@localhost", 0},
    {CES_VALUE_EMAIL, "ann@example.c", 0},
    {CES_VALUE_EMAIL, "ann@", 0},
    {CES_VALUE_EMAIL, "@example.org", 0},
    {CES_VALUE_DATE, "2024-03-01", 10},
    {CES_VALUE_DATE, "2024/3/1", 8},
    {CES_VALUE_DATE, "2024-03-01T12:00:00", 10},
    {CES_VALUE_DATE, "20240301", 8},
    {CES_VALUE_DATE, "1/3/1962", 8},
    {CES_VALUE_DATE, "12/25/1999", 10},
    {CES_VALUE_DATE, "1 Mar 2024", 10},
    {CES_VALUE_DATE, "01-mar-2024", 11},
    {CES_VALUE_DATE, "1 March 2024", 12},
    {CES_VALUE_DATE, "30-Sept-2024", 12},
    {CES_VALUE_DATE, "01MAR2024:12:00", 9},
    {CES_VALUE_DATE, "1 Marx 2024", 0},
    {CES_VALUE_DATE, "1 Mar-2024", 0},
    {CES_VALUE_DATE, "1 Ma 2024", 0},
    {CES_VALUE_DATE, "31feb2024", 0},
    {CES_VALUE_DATE, "1 3 2024", 0},
    {CES_VALUE_DATE, "132024", 0},
    {CES_VALUE_DATE, "2024-13-01", 0},
    {CES_VALUE_DATE, "2024-02-31", 0},
    {CES_VALUE_DATE, "2024-03", 0},
    {CES_VALUE_DATE, "2024", 0},
    {CES_VALUE_DATE, "1.2.3", 0},
    {CES_VALUE_DATE, "31/31/2024", 0},
};

START_TEST(a_value_that_only_looks_like_an_identifier_is_not_found)
{
	/* (exactly as long as it is, so that a sanitizer sees a step too far) */
	size_t n = strlen(values[_i].text);
	char *text = memcpy(malloc(n), values[_i].text, n);

	ck_assert_uint_eq(ces_values_match(values[_i].value, text, n), values[_i].length);
	for (size_t cut = 0; cut < n; cut++) {
		char *less = memcpy(malloc(cut + 1), values[_i].text, cut);

		(void)ces_values_match(values[_i].value, less, cut);
		free(less);
	}
	free(text);
}
END_TEST

static const struct {
	const char *pattern, *name;
	bool same;
} patterns[] = {
    {"dob", "DOB", true},
    {"dob", "dob2", false},
    {"*name*", "SurnameX", true},
    {"*name", "names", false},
    {"a?c", "abc", true},
    {"a?c", "ac", false},
    {"*", "", true},
    {"", "", true},
    {"", "a", false},
    {"a*b*c", "aXbYbZc", true},
    {"a*b*c", "aXbYbZ", false},
    {"**a**", "bab", true},
};

START_TEST(a_columns_name_is_compared_as_a_pattern)
{
	ck_assert_int_eq(ces_table_named(patterns[_i].pattern, patterns[_i].name),
			 patterns[_i].same);
}
END_TEST

static const struct {
	const char *text;
	bool is;
	double value;
} numbers[] = {
    {"7", true, 7},
    {" 7 (3%)", true, 7},
    {"1,234", true, 1234},
    {"5,5", true, 5},
    {"1,234,567", true, 1234567},
    {"5.0", true, 5},
    {"1e1", true, 10},
    {"-3", true, -3},
    {"=7", true, 7},
    {"'7", true, 7},
    {"<10", false, 0},
    {"NA", false, 0},
    {"", false, 0},
    {"-", false, 0},
    {"*", false, 0},
    {"0x10", true, 0},
};

START_TEST(a_cell_states_a_number_or_none)
{
	double value = 0;

	ck_assert_int_eq(ces_table_number(numbers[_i].text, &value), numbers[_i].is);
	if (numbers[_i].is)
		ck_assert_msg(value == numbers[_i].value, "%s: %g", numbers[_i].text, value);
}
END_TEST

/* ---- files ---- */

static const char rules[] =
    "{\"types\":[\"csv\",\"tsv\",\"text\"],\"csv\":{\"max_rows\":3,\"max_columns\":3,"
    "\"forbidden_columns\":[\"name\"],\"min_count\":{\"columns\":[\"n\"],\"at_least\":10}},"
    "\"forbidden_values\":[\"nhs-number\"],\"forbidden_patterns\":[\"S###\"]}";

static char *check_bytes(const char *policy, const char *name, const char *bytes, size_t length,
			 size_t step)
{
	struct ces_list_answer answer = {0};
	struct ces_list_text text = {0};
	struct ces_list_check check;
	size_t first = length < step ? length : step;

	ck_assert_int_eq(ces_list_check_begin(&check, policy, &answer), 0);
	ces_list_check_file(&check, name);
	ces_list_check_first(&check, (const unsigned char *)bytes, length,
			     ces_list_content((const unsigned char *)bytes,
					      length < CES_LIST_SAMPLE ? length : CES_LIST_SAMPLE));
	for (size_t at = 0; at < length;
	     at += first, first = step < length - at ? step : length - at)
		ces_list_check_bytes(&check, (const unsigned char *)bytes + at, first);
	ces_list_check_end(&check, &text);
	ces_list_add(&text, "", 1);
	ces_check_free(&check.rules);
	return text.bytes;
}

#define UNCLEAR                                                                                    \
	",\"check\":[{\"rule\":\"csv\",\"what\":\"columns that cannot be separated\",\"line\":1,"  \
	"\"column\":1}]"
#define UNCLEAR_2                                                                                  \
	",\"check\":[{\"rule\":\"csv\",\"what\":\"columns that cannot be separated\",\"line\":1,"  \
	"\"column\":2}]"
#define NHS_NUMBER ",\"check\":[{\"rule\":\"forbidden_values\",\"what\":\"nhs-number\",\"line\":1}]"
#define PASSED     ",\"check\":\"passed\""
#define NOT_TEXT   ",\"check\":[{\"rule\":\"types\",\"what\":\"text\"}]"
static const struct {
	const char *name, *bytes, *found;
} files[] = {
    {"a.csv", "", PASSED},
    {"a.csv", "n\n10\n", PASSED},
    {"a.csv", "n\r\n10\r\n", PASSED},
    {"a.csv", "n\r10\r", PASSED},
    {"a.csv", "\n\nn\n\n10\n\n", PASSED},
    {"a.csv", "n;m\n10;1\n", PASSED},
    {"a.tsv", "n\tm\n10\t1", PASSED},
    {"a.csv", "\"n\",\"a \"\"b\"\", c\"\n\"10\",\"x\ny\"\n", PASSED},
    {"a.csv", "n,m\n10\n", PASSED},
    {"a.csv", "n\n9\n",
     ",\"check\":[{\"rule\":\"csv.min_count\",\"what\":\"n\",\"line\":2,\"column\":1}]"},
    {"a.csv", "\"n\"\r\n0\r\n<10\r\n3",
     ",\"check\":[{\"rule\":\"csv.min_count\",\"what\":\"n\",\"line\":2,\"column\":1,\"times\":2}"
     "]"},
    {"a.csv", "x,\"a\nb\"\n1,\"S123\"\n",
     ",\"check\":[{\"rule\":\"forbidden_patterns\",\"what\":\"S###\",\"line\":3,\"column\":2}]"},
    {"a.csv", " Name \n1\n",
     ",\"check\":[{\"rule\":\"csv.forbidden_columns\",\"what\":\"name\",\"line\":1,\"column\":1}]"},
    {"a.csv", "\xEF\xBB\xBFname,n\n",
     ",\"check\":[{\"rule\":\"csv.forbidden_columns\",\"what\":\"name\",\"line\":1,\"column\":1}]"},
    {"a.csv", "\xEF\xBB\xBF\"n\"\n9\n",
     ",\"check\":[{\"rule\":\"csv.min_count\",\"what\":\"n\",\"line\":2,\"column\":1}]"},
    {"a.csv", "\xEF\xBB\xBF\r\nx;n\r\n1;9\r\n",
     ",\"check\":[{\"rule\":\"csv.min_count\",\"what\":\"n\",\"line\":3,\"column\":2}]"},
    {"a.csv", "\n\nname;n\n1;30\n",
     ",\"check\":[{\"rule\":\"csv.forbidden_columns\",\"what\":\"name\",\"line\":3,\"column\":1}]"},
    {"a.csv", "x|name\n1|30\n",
     ",\"check\":[{\"rule\":\"csv.forbidden_columns\",\"what\":\"name\",\"line\":1,\"column\":2}]"},
    {"a.csv", "\xC2\xA0name\xC2\xA0 ,n\n",
     ",\"check\":[{\"rule\":\"csv.forbidden_columns\",\"what\":\"name\",\"line\":1,\"column\":1}]"},
    {"a.csv", "sep=;\nname;n\n1;3\n", UNCLEAR},
    {"a.csv", "name n\n1 3\n", UNCLEAR},
    {"a.tsv", "name,n\n1,3\n", UNCLEAR},
    /* the most frequent separator of the first line is not that of the table */
    {"a.csv", "a, b; n ;c, d, e\n4;3;1,5\n", UNCLEAR_2},
    {"a.csv", "a;n,b,c\n4;3,5,6\n", UNCLEAR},
    {"a.csv", "\"a;n\",b,c\n4,5,6\n", PASSED},
    {"a.csv", "a; b,c\n4,5\n", PASSED},
    /* names in the second line, below a title or a blank */
    {"a.csv", "Table 1,,\nage,n,x\n40,3,\n",
     ",\"check\":[{\"rule\":\"csv\",\"what\":\"a column without a "
     "name\",\"line\":2,\"column\":2,\"times\":3}]"},
    {"a.csv", "  \nn\n3\n", UNCLEAR},
    {"a.csv", "\"\",a\n\"1\",4\n", PASSED},
    {"a.csv", "a,b,\n1,2,\n", PASSED},
    {"a.csv", "a;b;c;d\n", ",\"check\":[{\"rule\":\"csv.max_columns\",\"line\":1,\"column\":4}]"},
    {"a.csv", "a\n1\n2\n3\n4\n5\n",
     ",\"check\":[{\"rule\":\"csv.max_rows\",\"line\":5,\"column\":1}]"},
    {"a.csv", "a\n1,2\n",
     ",\"check\":[{\"rule\":\"csv\",\"what\":\"more fields than names of "
     "columns\",\"line\":2,\"column\":2}]"},
    {"a.csv", "a\n\"1\n",
     ",\"check\":[{\"rule\":\"csv\",\"what\":\"quotes that do not "
     "pair\",\"line\":2,\"column\":1}]"},
    {"a.csv", "a\n1\"2\n",
     ",\"check\":[{\"rule\":\"csv\",\"what\":\"quotes that do not "
     "pair\",\"line\":2,\"column\":1}]"},
    {"a.csv", "a\n\"1\"2\n",
     ",\"check\":[{\"rule\":\"csv\",\"what\":\"quotes that do not "
     "pair\",\"line\":2,\"column\":1}]"},
    {"a.txt", "x\n943 476\n5919\n9434765919 S999",
     ",\"check\":[{\"rule\":\"forbidden_values\",\"what\":\"nhs-number\",\"line\":4},{\"rule\":"
     "\"forbidden_patterns\",\"what\":\"S###\",\"line\":4}]"},
    {"a.txt", "0.9434765919 xS123 S1234", PASSED},
    {"a.txt",
     "\xEF\xBB\xBF"
     "9434765919",
     NHS_NUMBER}, /* a byte order mark */
    {"a.txt",
     "NHS:\xC2\xA0"
     "9434765919",
     NHS_NUMBER},
    {"a.txt",
     "\xe2\x80\x9c"
     "9434765919\xe2\x80\x9d",
     NHS_NUMBER},
    {"a.txt", "\"x\\n9434765919\\n\"", NHS_NUMBER},
    {"a.txt", "\"\\u201c9434765919\\u201d\"", NHS_NUMBER},
    {"a.txt", "xu201c9434765919 n9434765919", PASSED},
    {"id_9434765919.txt", "x",
     ",\"check\":[{\"rule\":\"forbidden_values\",\"what\":\"nhs-number\"}]"},
    {"a.txt", "x\x01", ",\"check\":[{\"rule\":\"types\"}]"},
    /* (it begins as a script: what is no text comes last, wherever the pieces end) */
    {"a.csv", "#!;2;3;4\n\x01",
     ",\"check\":[{\"rule\":\"csv.max_columns\",\"line\":1,\"column\":4},{\"rule\":\"types\","
     "\"what\":\"text\"}]"},
    {"a.txt", "#!\xc3\xa9\xe2\x82\xac\xed\x9f\xbf\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf", PASSED},
    {"a.txt", "#!\xff", NOT_TEXT},
    {"a.txt", "#!\x80", NOT_TEXT},
    {"a.txt", "#!\xc1\xbf", NOT_TEXT},
    {"a.txt", "#!\xc3", NOT_TEXT},
    {"a.txt", "#!\xc3x", NOT_TEXT},
    {"a.txt", "#!\xc3\xc3\xa9", NOT_TEXT},
    {"a.txt", "#!\xe0\x9f\xbf", NOT_TEXT},
    {"a.txt", "#!\xe2\x82", NOT_TEXT},
    {"a.txt", "#!\xed\xa0\x80", NOT_TEXT},
    {"a.txt", "#!\xf0\x8f\xbf\xbf", NOT_TEXT},
    {"a.txt", "#!\xf4\x90\x80\x80", NOT_TEXT},
    {"a.txt", "#!\xf5\x80\x80\x80", NOT_TEXT},
    {"a.txt", "#!\x7f", NOT_TEXT},
    {"a", "x", ",\"check\":[{\"rule\":\"types\"}]"},
    {".csv", "n\n9\n",
     ",\"check\":[{\"rule\":\"csv.min_count\",\"what\":\"n\",\"line\":2,\"column\":1}]"},
    {"d/.TSV", "name\tn\n",
     ",\"check\":[{\"rule\":\"csv.forbidden_columns\",\"what\":\"name\",\"line\":1,\"column\":1}]"},
    {".", "x", ",\"check\":[{\"rule\":\"types\"}]"},
    {"d.csv/a", "x", ",\"check\":[{\"rule\":\"types\"}]"},
    {"a.png", "x", ",\"check\":[{\"rule\":\"types\"}]"},
    {"a.png", "", ",\"check\":[{\"rule\":\"types\"}]"},
    {"a.csv", "\x89PNG\r\n\x1a\n", ",\"check\":[{\"rule\":\"types\"}]"},
};

START_TEST(a_file_is_checked_by_the_rules)
{
	size_t length = strlen(files[_i].bytes);

	/* (in any pieces) */
	for (size_t step = 1; step < 16; step += 3) {
		char *found = check_bytes(rules, files[_i].name, files[_i].bytes, length, step);

		ck_assert_str_eq(found, files[_i].found);
		free(found);
	}
}
END_TEST

START_TEST(an_identifier_is_found_wherever_the_pieces_of_a_line_end)
{
	static const char *const texts[] = {"943 476 5919", "\\u201c9434765919"};
	char line[3 * CES_VALUES_WINDOW];

	for (size_t at = 0; at < 2 * CES_VALUES_WINDOW; at++) {
		char *found;

		memset(line, '.', sizeof(line));
		memcpy(line + at, texts[_i], strlen(texts[_i]));
		found = check_bytes(rules, "a.txt", line, sizeof(line), sizeof(line));
		ck_assert_msg(strstr(found, "nhs-number") != NULL, "at %zu", at);
		free(found);
	}
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("list");

	tcase_add_loop_test(t, a_files_first_bytes_say_what_it_is, 0, CES_COUNT(contents));
	tcase_add_test(t, a_character_that_the_sample_cuts_is_still_text);
	tcase_add_loop_test(t, a_name_that_is_not_utf8_is_hexadecimal, 0, CES_COUNT(names));
	tcase_add_test(t, a_text_ends_at_its_bound);
	tcase_add_loop_test(t, a_value_that_only_looks_like_an_identifier_is_not_found, 0,
			    CES_COUNT(values));
	tcase_add_loop_test(t, a_columns_name_is_compared_as_a_pattern, 0, CES_COUNT(patterns));
	tcase_add_loop_test(t, a_cell_states_a_number_or_none, 0, CES_COUNT(numbers));
	tcase_add_loop_test(t, a_file_is_checked_by_the_rules, 0, CES_COUNT(files));
	tcase_add_loop_test(t, an_identifier_is_found_wherever_the_pieces_of_a_line_end, 0, 2);
	return run_suite("list", t);
}
