/* Tests how ces-list goes through a tree: what it lists, where it ends, and what it says then. */
/* links: helper/list/content.c helper/list/text.c helper/list/walk.c helper/list/check.c helper/list/table.c helper/list/values.c */
#include <check.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "helper/list/check.h"
#include "tests/unit/directory.h"
#include "tests/unit/policy_fixture.h"

static struct json_object *walk_of(int dir, const struct ces_list_job *job,
				   struct ces_list_answer *ret)
{
	struct ces_list_text text = {0};
	struct ces_list_check check;
	struct json_object *manifest;
	char digest[CES_DIGEST_LENGTH + 1];

	ck_assert_int_eq(ces_list_check_begin(&check, job->check, ret), 0);
	ces_list_walk(dir, job, &check, &text, ret);
	ces_digest_of(text.bytes, text.length, digest);
	ck_assert_str_eq(digest, ret->digest);
	ces_list_add(&text, "", 1);
	manifest = json_tokener_parse(text.bytes);
	ck_assert_ptr_nonnull(manifest);
	ces_check_free(&check.rules);
	free(text.bytes);
	return manifest;
}

static void put_file(int dir, const char *name, const char *bytes)
{
	CES_CLEANUP_FD int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_eq(write(fd, bytes, strlen(bytes)), (ssize_t)strlen(bytes));
}

START_TEST(a_tree_is_listed_in_order_and_to_its_bounds)
{
	struct ces_list_job job = {.run = "0123456789", .most = {5, 100, 4}, .check = "{}"};
	struct ces_list_answer answer = {0};
	const int dir = directory;
	struct json_object *manifest, *list;

	ck_assert_int_eq(mkdirat(dir, "b", 0700), 0);
	put_file(dir, "b/x", "one");
	put_file(dir, "c", "");
	ck_assert_int_eq(symlinkat("c", dir, "a"), 0);
	manifest = walk_of(dir, &job, &answer);
	ck_assert_uint_eq(answer.files, 3);
	ck_assert_uint_eq(answer.bytes, 3);
	ck_assert_uint_eq(answer.state, CES_LIST_WHOLE);
	ck_assert_uint_eq(answer.check, CES_LIST_FAILED);
	ck_assert_uint_eq(answer.findings, 1); /* the link */
	list = json_object_object_get(manifest, "files");
	ck_assert_str_eq(json_object_to_json_string_ext(
			     json_object_object_get(json_object_array_get_idx(list, 1), "path"),
			     JSON_C_TO_STRING_NOSLASHESCAPE),
			 "\"b/x\"");
	json_object_put(manifest);
	ck_assert_int_eq(unlinkat(dir, "a", 0), 0);
	answer = (struct ces_list_answer){0};
	json_object_put(walk_of(dir, &job, &answer));
	ck_assert_uint_eq(answer.check, CES_LIST_PASSED);
	job.most.files = 1;
	answer = (struct ces_list_answer){0};
	json_object_put(walk_of(dir, &job, &answer));
	ck_assert_uint_eq(answer.state, CES_LIST_CUT);
	ck_assert_uint_eq(answer.check, CES_LIST_FAILED);
	job.check[0] = '\0';
	answer = (struct ces_list_answer){0};
	json_object_put(walk_of(dir, &job, &answer));
	ck_assert_uint_eq(answer.check, CES_LIST_UNASKED);
	ck_assert_int_eq(unlinkat(dir, "b/x", 0), 0);
	ck_assert_int_eq(unlinkat(dir, "b", AT_REMOVEDIR), 0);
	ck_assert_int_eq(unlinkat(dir, "c", 0), 0);
}
END_TEST

/* (its name is an output too) */
START_TEST(an_empty_directory_is_listed_and_its_name_is_checked)
{
	struct ces_list_job job = {.run = "0123456789",
				   .most = {5, 100, 4},
				   .check = "{\"forbidden_values\":[\"nhs-number\"]}"};
	struct ces_list_answer answer = {0};
	struct json_object *manifest;

	ck_assert_int_eq(mkdirat(directory, "a", 0700), 0);
	ck_assert_int_eq(mkdirat(directory, "a/plots", 0700), 0);
	manifest = walk_of(directory, &job, &answer);
	ck_assert_uint_eq(answer.files, 1);
	ck_assert_uint_eq(answer.check, CES_LIST_PASSED);
	ck_assert_str_eq(
	    json_object_to_json_string_ext(json_object_object_get(manifest, "files"),
					   JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
	    "[{\"path\":\"a/plots\",\"type\":\"directory\",\"check\":\"passed\"}]");
	json_object_put(manifest);
	ck_assert_int_eq(renameat(directory, "a/plots", directory, "a/9434765919"), 0);
	answer = (struct ces_list_answer){0};
	json_object_put(walk_of(directory, &job, &answer));
	ck_assert_uint_eq(answer.check, CES_LIST_FAILED);
	ck_assert_uint_eq(answer.findings, 1);
	ck_assert_int_eq(unlinkat(directory, "a/9434765919", AT_REMOVEDIR), 0);
	ck_assert_int_eq(unlinkat(directory, "a", AT_REMOVEDIR), 0);
}
END_TEST

static int reads = -1; /* that a directory gives before it fails */
static bool endless;   /* it goes on for ever */

struct dirent *readdir(DIR *dir)
{
	static struct dirent one = {.d_name = "a"};
	struct dirent *(*next)(DIR *) = (struct dirent * (*)(DIR *)) dlsym(RTLD_NEXT, "readdir");

	if (endless)
		return &one;
	if (reads < 0 || reads-- > 0)
		return next(dir);
	reads = -1; /* (it fails once) */
	errno = EIO;
	return NULL;
}

START_TEST(a_directory_that_cannot_be_read_is_no_whole_list)
{
	struct ces_list_job job = {.run = "0123456789", .most = {5, 100, 4}, .check = "{}"};
	struct ces_list_answer answer = {0};

	put_file(directory, "a", "");
	reads = _i;
	json_object_put(walk_of(directory, &job, &answer));
	reads = -1;
	ck_assert_uint_eq(answer.state, CES_LIST_CUT);
	ck_assert_uint_eq(answer.check, CES_LIST_FAILED);
	ck_assert_int_eq(unlinkat(directory, "a", 0), 0);
}
END_TEST

START_TEST(what_was_left_out_elsewhere_makes_no_empty_directory_unread)
{
	struct ces_list_job job = {.run = "0123456789", .most = {5, 100, 4}, .check = ""};
	struct ces_list_answer answer = {0};
	struct json_object *manifest, *list;

	ck_assert_int_eq(mkdirat(directory, "a", 0700), 0);
	ck_assert_int_eq(mkdirat(directory, "b", 0700), 0);
	reads = 5; /* four names and the end; the first of "a" is an error */
	manifest = walk_of(directory, &job, &answer);
	reads = -1;
	list = json_object_object_get(manifest, "files");
	ck_assert_uint_eq(json_object_array_length(list), 2);
	ck_assert_ptr_nonnull(json_object_object_get(json_object_array_get_idx(list, 0), "unread"));
	ck_assert_ptr_null(json_object_object_get(json_object_array_get_idx(list, 1), "unread"));
	json_object_put(manifest);
	ck_assert_int_eq(unlinkat(directory, "a", AT_REMOVEDIR), 0);
	ck_assert_int_eq(unlinkat(directory, "b", AT_REMOVEDIR), 0);
}
END_TEST

START_TEST(a_directory_without_end_is_read_up_to_the_bound)
{
	struct ces_list_job job = {.run = "0123456789", .most = {100000, 100, 4}, .check = "{}"};
	struct ces_list_answer answer = {0};

	endless = true;
	json_object_put(walk_of(directory, &job, &answer));
	endless = false;
	ck_assert_uint_eq(answer.state, CES_LIST_CUT);
	ck_assert_uint_eq(answer.files, 0); /* (there is no such file) */
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("tree");

	tcase_add_checked_fixture(t, directory_begin, directory_end);
	tcase_add_test(t, a_tree_is_listed_in_order_and_to_its_bounds);
	tcase_add_test(t, an_empty_directory_is_listed_and_its_name_is_checked);
	tcase_add_loop_test(t, a_directory_that_cannot_be_read_is_no_whole_list, 0, 3);
	tcase_add_test(t, what_was_left_out_elsewhere_makes_no_empty_directory_unread);
	tcase_add_test(t, a_directory_without_end_is_read_up_to_the_bound);
	return run_suite("list tree", t);
}
