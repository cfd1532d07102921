/* Tests what the walk below a directory hands over and shares, and with which owner and mode. */
/* links: helper/clean/tree.c */
#include "tests/unit/tree_scene.h"

/* ---- handing over ---- */

#define GROUP "65536"

START_TEST(everything_goes_to_its_owner_and_a_projects_group_stays)
{
	static const char *const names[] = {"a_7_8",      "b_5_8",      "c_7_9",    "d_5_6",
					    "e_7_" GROUP, "f_5_" GROUP, "g_7_65535"};
	static const char *const lines[] = {".=7:8\n",
					    "b_5_8=7:8\n",
					    "c_7_9=7:8\n",
					    "d_5_6=7:8\n",
					    "f_5_" GROUP "=7:" GROUP "\n",
					    "g_7_65535=7:8\n",
					    "h_5_6=7:8\n",
					    "i_5_6=7:8\n",
					    "j_5_6=7:8\n"};
	size_t fds = open_fds(), length = 0;

	ck_assert_uint_eq(CES_IDMAP_PROJECT_GID, strtoul(GROUP, NULL, 10));
	for (size_t i = 0; i < CES_COUNT(names); i++)
		write_text(names[i], "x");
	for (size_t i = 0; i < CES_COUNT(names); i++)
		ck_assert_int_eq(renameat(directory, names[i], tree, names[i]), 0);
	ck_assert_int_eq(mkdir("tree/h_5_6", 0), 0);
	ck_assert_int_eq(symlink("../../outside/file", "tree/h_5_6/i_5_6"), 0);
	ck_assert_int_eq(mkfifo("tree/h_5_6/j_5_6", 0600), 0);
	owners_by_name = true;
	ck_assert_int_eq(ces_tree_chown(tree, 7, 8, 0), 0);
	for (size_t i = 0; i < CES_COUNT(lines); i++) {
		ck_assert_msg(strstr(chowned, lines[i]) != NULL, "%s", lines[i]);
		length += strlen(lines[i]);
	}
	ck_assert_uint_eq(strlen(chowned), length);
	ck_assert_int_eq(strncmp(chowned, ".=", 2), 0); /* the directory itself is the first */
	ck_assert_uint_eq(open_fds(), fds);
}
END_TEST

/* The group that the outputs directory has: files of it may be older than the run. */
START_TEST(a_projects_group_at_another_number_stays_where_the_directory_has_it)
{
	static const char *const names[] = {"a_7_9", "b_5_9", "c_7_10", "d_7_8"};

	top_group = _i == 1 ? 8 : 9;
	for (size_t i = 0; i < CES_COUNT(names); i++)
		ck_assert_int_eq(mknodat(tree, names[i], S_IFREG | 0600, 0), 0);
	owners_by_name = true;
	ck_assert_int_eq(ces_tree_chown(tree, 7, 8, _i == 2 ? 0 : 9), 0);
	ck_assert(_i == 0 ? strstr(chowned, "a_7_9") == NULL
			  : strstr(chowned, "a_7_9=7:8\n") != NULL);
	ck_assert_ptr_nonnull(strstr(chowned, _i == 0 ? "b_5_9=7:9\n" : "b_5_9=7:8\n"));
	ck_assert_ptr_nonnull(strstr(chowned, "c_7_10=7:8\n"));
	ck_assert_ptr_null(strstr(chowned, "d_7_8"));
}
END_TEST

/* A group in no map is shown as 65534. Only that is no failure. */
static const struct {
	const char *name;
	int result;
} refusals[] = {{"a_7_65534", 0}, {"a_5_65534", -1}, {"a_7_9", -1}, {"a_5_6", -1}};

START_TEST(what_cannot_be_handed_over_is_reported_and_the_rest_is)
{
	write_text("tree/b_5_6", "x");
	ck_assert_int_eq(mknodat(tree, refusals[_i].name, S_IFREG | 0600, 0), 0);
	owners_by_name = true;
	stays = refusals[_i].name;
	ck_assert_int_eq(ces_tree_chown(tree, 7, 8, 0), refusals[_i].result);
	ck_assert_ptr_nonnull(strstr(chowned, "b_5_6=7:8\n"));
}
END_TEST

/* On the host such a file would make anybody who executes it the user. A file that gets another
 * owner loses the bits by that. */
START_TEST(a_file_that_has_its_owner_loses_its_setuid_and_setgid_bits)
{
	static const struct {
		const char *name;
		mode_t before, after;
	} files[] = {{"tree/a_7_8", 06755, 0755},  {"tree/b_7_8", 04711, 0711},
		     {"tree/c_7_8", 02700, 0700},  {"tree/d_7_8", 0644, 0644},
		     {"tree/e_7_8", 04000, 0},     {"tree/f_7_" GROUP, 02771, 0771},
		     {"outside/file", 0600, 0600}, {"tree/g_7_8", 01666, 01666}};

	for (size_t i = 0; i < CES_COUNT(files); i++) {
		if (strncmp(files[i].name, "tree", 4) == 0)
			ck_assert_int_eq(mknod(files[i].name, S_IFREG | 0600, 0), 0);
		ck_assert_int_eq(chmod(files[i].name, files[i].before), 0);
	}
	ck_assert_int_eq(mkdir("tree/d", 0700), 0);
	ck_assert_int_eq(chmod("tree/d", 02770), 0);
	ck_assert_int_eq(symlink("../../outside/file", "tree/d/l_7_8"), 0);
	ck_assert_int_eq(mknod("tree/d/p_7_8", S_IFIFO | 0600, 0), 0);
	ck_assert_int_eq(chmod("tree/d/p_7_8", 06777), 0);
	owners_by_name = true;
	ck_assert_int_eq(ces_tree_chown(tree, 7, 8, 0), 0);
	for (size_t i = 0; i < CES_COUNT(files); i++)
		ck_assert_int_eq(mode_of(files[i].name), S_IFREG | files[i].after);
	ck_assert_int_eq(mode_of("tree/d"), S_IFDIR | 02770);
}
END_TEST

/* ---- sharing ---- */

static const struct {
	mode_t before, after;
} modes[] = {
    {S_IFREG | 0600, S_IFREG | 0644},  {S_IFREG | 0, S_IFREG | 0444},
    {S_IFREG | 0711, S_IFREG | 0755},  {S_IFREG | 04755, S_IFREG | 0755},
    {S_IFREG | 02711, S_IFREG | 0755}, {S_IFDIR | 0700, S_IFDIR | 0755},
    {S_IFDIR | 0, S_IFDIR | 0555},     {S_IFDIR | 03777, S_IFDIR | 0777},
    {S_IFIFO | 0600, S_IFIFO | 0600},
};

START_TEST(everybody_may_read_and_a_file_gets_no_other_right)
{
	size_t fds = open_fds();

	ck_assert_int_eq(S_ISREG(modes[_i].before)   ? mknod("tree/x", S_IFREG | 0600, 0)
			 : S_ISDIR(modes[_i].before) ? mkdir("tree/x", 0700)
						     : mkfifo("tree/x", 0600),
			 0);
	ck_assert_int_eq(chmod("tree/x", modes[_i].before & 07777), 0);
	ck_assert_int_eq(symlink("../outside/file", "tree/link"), 0);
	ck_assert_int_eq(symlink("../outside", "tree/directory"), 0);
	ck_assert_int_eq(ces_tree_share(tree), 0);
	ck_assert_int_eq(mode_of("tree/x"), modes[_i].after);
	ck_assert_int_eq(mode_of("tree"), S_IFDIR | 0755);
	ck_assert_uint_eq(open_fds(), fds);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("tree_give");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, everything_goes_to_its_owner_and_a_projects_group_stays);
	tcase_add_loop_test(t, a_projects_group_at_another_number_stays_where_the_directory_has_it,
			    0, 3);
	tcase_add_loop_test(t, what_cannot_be_handed_over_is_reported_and_the_rest_is, 0,
			    CES_COUNT(refusals));
	tcase_add_test(t, a_file_that_has_its_owner_loses_its_setuid_and_setgid_bits);
	tcase_add_loop_test(t, everybody_may_read_and_a_file_gets_no_other_right, 0,
			    CES_COUNT(modes));
	return run_suite("tree_give", t);
}
