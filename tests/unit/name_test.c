/* Tests names from outside: which are valid, which only look so, and what a pattern covers. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/name.h"
#include "policy/pattern.h"

#define HEX  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define GOOD "sha256:" HEX
#define L64  "abcdefghijklmnopabcdefghijklmnopabcdefghijklmnopabcdefghijklmnop"

static const struct {
	const char *text, *registry, *repository, *tag, *digest;
} references[] = {
    {"ghcr.io/epcced/tool:1.0", "ghcr.io", "epcced/tool", "1.0", ""},
    {"ghcr.io/epcced/tool", "ghcr.io", "epcced/tool", "latest", ""},
    {"ghcr.io/epcced/tool@" GOOD, "ghcr.io", "epcced/tool", "", GOOD},
    {"ghcr.io/epcced/tool:1.0@" GOOD, "ghcr.io", "epcced/tool", "1.0", GOOD},
    {"localhost/a", "localhost", "a", "latest", ""},
    {"localhost:5000/a:b", "localhost:5000", "a", "b", ""},
    {"127.0.0.1:5000/a/b/c/d", "127.0.0.1:5000", "a/b/c/d", "latest", ""},
    {"host:65535/a", "host:65535", "a", "latest", ""},
    {"my-host.example.org/a-b/c--d/e_f/g__h/i.j", "my-host.example.org", "a-b/c--d/e_f/g__h/i.j",
     "latest", ""},
    {"r.io/a:_V1.0-rc.2", "r.io", "a", "_V1.0-rc.2", ""},
};
START_TEST(a_good_reference_is_split_and_its_text_means_the_same)
{
	struct ces_reference got, again;
	struct ces_error err = {0};
	char text[CES_REFERENCE_MAX];

	ck_assert_msg(ces_reference_parse(references[_i].text, &got, &err) == 0, "%s", err.text);
	ck_assert_str_eq(got.registry, references[_i].registry);
	ck_assert_str_eq(got.repository, references[_i].repository);
	ck_assert_str_eq(got.tag, references[_i].tag);
	ck_assert_str_eq(got.digest, references[_i].digest);
	ces_reference_format(&got, text, sizeof(text));
	ck_assert_int_eq(ces_reference_parse(text, &again, &err), 0);
	ck_assert_mem_eq(&again, &got, sizeof(got));
	ck_assert(ces_reference_is(&got, references[_i].text));
	ck_assert(ces_reference_is(&got, text));
}
END_TEST

static const char *const bad_references[] = {
    "",
    "/",
    "//",
    "ubuntu",
    "ubuntu:22.04",
    "library/ubuntu",
    "ghcr.io",
    "ghcr.io/",
    "ghcr.io//a",
    "ghcr.io/a/",
    "ghcr.io/a//b",
    "/a/b",
    "ghcr.io/a:",
    "ghcr.io/a@",
    "ghcr.io/a:@" GOOD,
    "ghcr.io/A/b",
    "GHCR.io/a/b",
    "ghcr.io/a/../b",
    "ghcr.io/../a",
    "ghcr.io/./a",
    "ghcr.io/.a",
    "ghcr.io/a.",
    "ghcr.io/-a",
    "ghcr.io/a-",
    "ghcr.io/_a",
    "ghcr.io/a___b",
    "ghcr.io/a..b",
    "ghcr.io/a._b",
    "ghcr.io/a b",
    "ghcr.io/a\nb",
    " ghcr.io/a",
    "ghcr.io/a ",
    "ghcr.io/a\t",
    "ghcr.io/a:b:c",
    "ghcr.io/a:b/c",
    "ghcr.io/a:-b",
    "ghcr.io/a:.b",
    "ghcr.io/a:b c",
    "ghcr.io/a@sha256:abc",
    "ghcr.io/a@" GOOD "0",
    "ghcr.io/a@" GOOD "/b",
    "ghcr.io/a@" GOOD ":b",
    "ghcr.io/a@sha512:" HEX,
    "ghcr.io/a@SHA256:" HEX,
    "ghcr.io/a@@" GOOD,
    "https://ghcr.io/a",
    "docker://ghcr.io/a",
    "user@ghcr.io/a",
    "user:pw@ghcr.io/a",
    "ghcr.io:/a",
    "ghcr.io:0/a",
    "ghcr.io:080/a",
    "ghcr.io:99999/a",
    "ghcr.io:65536/a",
    "ghcr.io:123456/a",
    "ghcr.io:80:80/a",
    "ghcr.io:8x/a",
    "ghcr..io/a",
    ".ghcr.io/a",
    "ghcr.io./a",
    "-ghcr.io/a",
    "ghcr-.io/a",
    "ghcr.io-/a",
    "ghcr.io-:5000/a",
    "ghcr.-io/a",
    "gh_cr.io/a",
    "[::1]:5000/a",
    "ghcr.io/*",
    "ghcr.io/**",
    "ghcr.io/a?b",
    "ghcr.io/a#b",
    "ghcr.io/a%2fb",
    "ghcr.io\\a/b",
    "ghcr.io/\xc3\xa9",
    "gh\xc3\xa9r.io/a",
    "ghcr.io/a:" L64 L64 "x",
};
START_TEST(a_bad_reference_is_refused_and_nothing_is_written)
{
	struct ces_reference got, untouched;
	struct ces_error err = {0};

	memset(&got, 0x5a, sizeof(got));
	memset(&untouched, 0x5a, sizeof(untouched));
	ck_assert_msg(ces_reference_parse(bad_references[_i], &got, &err) == -1, "'%s'",
		      bad_references[_i]);
	ck_assert_int_eq(err.code, CES_E_USAGE);
	ck_assert_str_ne(err.text, "");
	ck_assert_mem_eq(&got, &untouched, sizeof(got));
}
END_TEST

START_TEST(an_unqualified_name_is_refused_with_what_to_type)
{
	struct ces_reference got;
	struct ces_error err = {0};

	ck_assert_int_eq(ces_reference_parse("library/ubuntu:22.04", &got, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "ghcr.io/OWNER/ubuntu:22.04"));
}
END_TEST

START_TEST(a_reference_that_parses_is_never_cut_when_written)
{
	size_t good = 0;

	for (size_t registry = 240; registry <= 260; registry++)
		for (size_t repository = 240; repository <= 260; repository++) {
			char text[CES_REFERENCE_MAX * 2], written[CES_REFERENCE_MAX];
			struct ces_reference got, again;

			(void)snprintf(text, sizeof(text), "%0*d.io/%0*d", (int)registry, 0,
				       (int)repository, 0);
			if (ces_reference_parse(text, &got, NULL) < 0)
				continue;
			good++;
			ces_reference_format(&got, written, sizeof(written));
			ck_assert_int_eq(ces_reference_parse(written, &again, NULL), 0);
			ck_assert_mem_eq(&again, &got, sizeof(got));
		}
	ck_assert_uint_gt(good, 0);
}
END_TEST

static const struct {
	const char *pattern, *registry, *repository;
	bool match;
} matches[] = {
    {"ghcr.io/epcc/*", "ghcr.io", "epcc/tool", true},
    {"ghcr.io/epcc/*", "ghcr.io", "epcc/tool/sub", false},
    {"ghcr.io/epcc/*", "ghcr.io", "epcc", false},
    {"ghcr.io/epcc/*", "ghcr.io", "epcc-x/tool", false},
    {"ghcr.io/epcc/*", "ghcr.io", "epccx/tool", false},
    {"ghcr.io/epcc/*", "ghcr.io", "epc/tool", false},
    {"ghcr.io/epcc/*", "ghcr.io", "x/epcc/tool", false},
    {"ghcr.io/epcc/*", "ghcr.io.evil.org", "epcc/tool", false},
    {"ghcr.io/epcc/*", "ghcr.io:5000", "epcc/tool", false},
    {"ghcr.io/epcc/*", "xghcr.io", "epcc/tool", false},
    {"ghcr.io/epcc/*", "ghcr.i", "epcc/tool", false},
    {"ghcr.io:5000/epcc/*", "ghcr.io", "epcc/tool", false},
    {"ghcr.io/epcc", "ghcr.io", "epcc", true},
    {"ghcr.io/epcc", "ghcr.io", "epcc/tool", false},
    {"ghcr.io/epcc", "ghcr.io", "epcc-x", false},
    {"ghcr.io/epcc", "ghcr.io", "epc", false},
    {"ghcr.io/epcc/tool", "ghcr.io", "epcc/tool", true},
    {"ghcr.io/epcc/tool", "ghcr.io", "epcc/tool2", false},
    {"ghcr.io/epcc/tool", "ghcr.io", "epcc/tool/x", false},
    {"ghcr.io/epcc/tool", "ghcr.io", "epcc", false},
    {"ghcr.io/*/tool", "ghcr.io", "epcc/tool", true},
    {"ghcr.io/*/tool", "ghcr.io", "a/b/tool", false},
    {"ghcr.io/*/tool", "ghcr.io", "tool", false},
    {"ghcr.io/*", "ghcr.io", "tool", true},
    {"ghcr.io/*", "ghcr.io", "epcc/tool", false},
    {"ghcr.io/*/*", "ghcr.io", "epcc/tool", true},
    {"ghcr.io/*/*", "ghcr.io", "tool", false},
    {"ghcr.io/**", "ghcr.io", "a", true},
    {"ghcr.io/**", "ghcr.io", "a/b/c/d", true},
    {"ghcr.io/**", "ghcr.io.evil.org", "a", false},
    {"ghcr.io/epcc/**", "ghcr.io", "epcc/a", true},
    {"ghcr.io/epcc/**", "ghcr.io", "epcc/a/b/c", true},
    {"ghcr.io/epcc/**", "ghcr.io", "epcc", false},
    {"ghcr.io/epcc/**", "ghcr.io", "epcc-x/a", false},
    {"ghcr.io/epcc/*/**", "ghcr.io", "epcc/a", false},
    {"ghcr.io/epcc/*/**", "ghcr.io", "epcc/a/b", true},
};
START_TEST(a_pattern_matches_component_by_component)
{
	ck_assert(ces_pattern_valid(matches[_i].pattern));
	ck_assert_msg(ces_pattern_match(matches[_i].pattern, matches[_i].registry,
					matches[_i].repository) == matches[_i].match,
		      "%s against %s/%s", matches[_i].pattern, matches[_i].registry,
		      matches[_i].repository);
}
END_TEST

static const char *const bad_patterns[] = {
    "",
    "*",
    "**",
    "*/*",
    "**/a",
    "ghcr.io",
    "ghcr.io/",
    "/a",
    "ghcr.io//a",
    "ghcr.io/a/",
    "ghcr.io/**/a",
    "ghcr.io/a*",
    "ghcr.io/*a",
    "ghcr.io/a**",
    "ghcr.io/***",
    "ghcr.io/a*b",
    "*.io/a",
    "ghcr.*/a",
    "GHCR.io/a",
    "ghcr.io/A",
    "ghcr.io/a:1",
    "ghcr.io/a@" GOOD,
    "ghcr.io/..",
    "ghcr.io/.",
    "ghcr.io/a b",
    "ghcr.io/[ab]",
    "ghcr.io/?",
    "https://ghcr.io/a",
    "ghcr.io:99999/a",
    "ghcr.io-/a",
};
START_TEST(a_bad_pattern_is_refused)
{
	ck_assert_msg(!ces_pattern_valid(bad_patterns[_i]), "'%s'", bad_patterns[_i]);
}
END_TEST

static const struct {
	const char *text;
	bool good;
} paths[] = {
    {"/", true},       {"/a", true},        {"/a/", true},    {"/a/b c/d", true}, {"/...", true},
    {"/.a", true},     {"/a/..b", true},    {"", false},      {"a", false},       {"./a", false},
    {"//", false},     {"//a", false},      {"/a//b", false}, {"/a//", false},    {"/.", false},
    {"/..", false},    {"/a/.", false},     {"/a/..", false}, {"/a/../b", false}, {"/../a", false},
    {"/a/./b", false}, {"/a/../", false},   {"/a:b", false},  {"/a,b", false},    {"/a\nb", false},
    {"/a\x7f", false}, {"/\xc3\xa9", true}, {"/\xc3", false},
};
START_TEST(a_container_path_is_absolute_and_goes_nowhere_else)
{
	ck_assert_msg(ces_container_path_valid(paths[_i].text) == paths[_i].good, "'%s'",
		      paths[_i].text);
}
END_TEST

static const struct {
	const char *text;
	bool good;
} lines[] = {
    {"", true},
    {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", true},
    {"a\tb", false},         /* control */
    {"\x7f", false},         /* control */
    {"\xc2\x9b", false},     /* control of the upper half */
    {"\xe2\x80\xae", false}, /* turns the direction */
    {"\xe2\x80\x8b", false}, /* invisible */
    {"\xc2\xad", false},     /* a hyphen that is not seen */
    {"\xd8\x9c", false},     /* turns the direction */
    {"\xe1\x85\x9f", false}, /* these fill a place with nothing */
    {"\xe1\x85\xa0", false},
    {"\xe1\xa0\x8e", false},
    {"\xe3\x85\xa4", false},
    {"\xef\xbf\xb9", false}, /* annotations */
    {"\xef\xbf\xbb", false},
    {"\xc2\xac\xc2\xae\xef\xbf\xbc", true}, /* the neighbours of some */
    {"\xc3", false},                        /* ends too early */
    {"\xf0\x9f\x98", false},                /* the same */
    {"\xbc", false},                        /* begins in the middle */
    {"\xc0\xaf", false},                    /* a longer form than needed */
    {"\xed\xa0\x80", false},                /* half of a pair */
    {"\xf4\x90\x80\x80", false},            /* beyond Unicode */
    {"\xff", false},
};
START_TEST(a_line_is_utf8_that_can_be_seen)
{
	size_t length = strlen(lines[_i].text);
	CES_CLEANUP_FREE char *exact = malloc(length + (length == 0));

	memcpy(exact, lines[_i].text, length); /* the sanitizer sees a read of one byte too many */
	ck_assert_msg(ces_line_valid(exact, length) == lines[_i].good, "line %d", _i);
}
END_TEST

START_TEST(a_container_path_has_at_most_1024_bytes)
{
	char path[1026];

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[1024] = '\0';
	ck_assert(ces_container_path_valid(path));
	path[1024] = 'a';
	path[1025] = '\0';
	ck_assert(!ces_container_path_valid(path));
}
END_TEST

static const struct {
	const char *text;
	bool project, run, run_name;
} names[] = {
    {"nsh-2024-0001", true, false, true},
    {"a", true, false, true},
    {"A.b_c-9", true, false, true},
    {"_a", true, false, false},
    {".a", false, false, false},
    {"-a", false, false, false},
    {"", false, false, false},
    {".", false, false, false},
    {"..", false, false, false},
    {"a/b", false, false, false},
    {"a b", false, false, false},
    {"a\n", false, false, false},
    {"{run}", false, false, false},
    {"~", false, false, false},
    {"\xc3\xa9", false, false, false},
    {"0123456789", true, true, false},
    {"012345678", true, false, true},
    {"01234567890", true, false, true},
    {"012345678x", true, false, true},
    {L64, true, false, true},
    {L64 "x", false, false, true},
    {L64 L64, false, false, true},
    {L64 L64 "x", false, false, false},
};
START_TEST(a_project_a_run_and_a_run_name_differ)
{
	ck_assert_msg(ces_project_valid(names[_i].text) == names[_i].project, "'%s'",
		      names[_i].text);
	ck_assert_msg(ces_run_valid(names[_i].text) == names[_i].run, "'%s'", names[_i].text);
	ck_assert_msg(ces_run_name_valid(names[_i].text) == names[_i].run_name, "'%s'",
		      names[_i].text);
}
END_TEST

static const struct {
	const char *text;
	bool good;
} digests[] = {
    {GOOD, true},
    {"", false},
    {"sha256:", false},
    {HEX, false},
    {GOOD "0", false},
    {GOOD " ", false},
    {" " GOOD, false},
    {"sha512:" HEX, false},
    {"SHA256:" HEX, false},
    {"sha256-" HEX, false},
    {"sha256:" L64, false},
    {"sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", false},
    {"sha256:../../../../../../../../../../../../../../../../../../../../../..", false},
    {"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde", false},
};
START_TEST(a_digest_is_sha256_in_lower_case_hex)
{
	ck_assert_msg(ces_digest_valid(digests[_i].text) == digests[_i].good, "'%s'",
		      digests[_i].text);
}
END_TEST

START_TEST(an_environment_name_is_printable_without_equals_or_space)
{
	char name[300];

	memset(name, 'A', sizeof(name));
	ck_assert(ces_env_name_valid(name, 256));
	ck_assert(!ces_env_name_valid(name, 257));
	ck_assert(!ces_env_name_valid(name, 0));
	for (unsigned byte = 0; byte < 256; byte++) {
		name[1] = (char)byte;
		ck_assert_msg(ces_env_name_valid(name, 3) ==
				  (byte > 0x20 && byte <= 0x7e && byte != '='),
			      "byte %u", byte);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("name");
	TCase *all = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(all, a_good_reference_is_split_and_its_text_means_the_same, 0,
			    CES_COUNT(references));
	tcase_add_loop_test(all, a_bad_reference_is_refused_and_nothing_is_written, 0,
			    CES_COUNT(bad_references));
	tcase_add_test(all, an_unqualified_name_is_refused_with_what_to_type);
	tcase_add_test(all, a_reference_that_parses_is_never_cut_when_written);
	tcase_add_loop_test(all, a_pattern_matches_component_by_component, 0, CES_COUNT(matches));
	tcase_add_loop_test(all, a_bad_pattern_is_refused, 0, CES_COUNT(bad_patterns));
	tcase_add_loop_test(all, a_line_is_utf8_that_can_be_seen, 0, (int)CES_COUNT(lines));
	tcase_add_loop_test(all, a_container_path_is_absolute_and_goes_nowhere_else, 0,
			    CES_COUNT(paths));
	tcase_add_test(all, a_container_path_has_at_most_1024_bytes);
	tcase_add_loop_test(all, a_project_a_run_and_a_run_name_differ, 0, CES_COUNT(names));
	tcase_add_loop_test(all, a_digest_is_sha256_in_lower_case_hex, 0, CES_COUNT(digests));
	tcase_add_test(all, an_environment_name_is_printable_without_equals_or_space);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
