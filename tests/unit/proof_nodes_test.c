/* Tests which nodes the auditor takes, and which it names. */
/* links: helper/audit/proof_nodes.c helper/launch/devices.c helper/session/json.c */
#include "tests/unit/devices_scene.h"

static const char *check(const struct ces_device *more, size_t n, int expected)
{
	static struct ces_json found;
	size_t before = open_fds();

	ces_json_free(&found);
	ces_json_list(&found, NULL);
	steps_begin(0, 0);
	err = (struct ces_error){0};
	ck_assert_msg(ces_proof_nodes(directory, more, n, &found, &err) == expected, "%s",
		      err.text);
	ck_assert_uint_eq(open_fds(), before);
	for (size_t i = 0; i < steps->n; i++) /* never a link's target */
		ck_assert_msg(strstr(steps->v[i], " 100") != NULL, "%s", steps->v[i]);
	return ces_json_end(&found);
}

START_TEST(what_was_made_passes_the_check_and_is_listed)
{
	const char *found;

	ck_assert_int_eq(make(), 0);
	found = check(GPU, 0);
	for (size_t i = 0; i < CES_COUNT(gpu); i++)
		ck_assert_msg(strstr(found, gpu[i].path) != NULL, "%s", found);
	for (size_t i = 0; i < 6; i++) {
		char name[20];

		(void)sscanf(made[i], "mknod %19s", name);
		ck_assert_ptr_nonnull(strstr(found, name));
	}
	ck_assert_ptr_null(strstr(found, "stdin"));
	ck_assert_ptr_null(strstr(found, "console")); /* it is a file */
}
END_TEST

START_TEST(a_terminal_is_at_the_console_and_nowhere_else)
{
	ck_assert_int_eq(make(), 0);
	ck_assert_int_eq(unlinkat(directory, "console", 0), 0);
	remember(directory, "console", S_IFCHR | 0620, makedev(136, 7));
	ck_assert_ptr_nonnull(strstr(check(GPU, 0), "console"));
	nodes[n_nodes - 1].number = makedev(5, 1);
	(void)check(GPU, -1);
	ck_assert_str_eq(err.text, "it has a device /dev/console");
	nodes[n_nodes - 1].number = makedev(136, 7);
	nodes[n_nodes - 1].mode = S_IFBLK | 0620;
	(void)check(GPU, -1);
	nodes[n_nodes - 1].mode = S_IFCHR | 0620;
	remember(directory, "tty1", S_IFCHR | 0620, makedev(136, 7));
	(void)check(GPU, -1);
}
END_TEST

static const struct {
	const char *path;
	mode_t mode;
	unsigned major, minor;
	const char *shown;
} wrong[] = {
    {"sda", S_IFBLK, 8, 0, "sda"},
    {"mem", S_IFCHR, 1, 1, "mem"},
    {"null2", S_IFCHR, 1, 3, "null2"}, /* a good number, a name that no table has */
    {"dri/card0", S_IFCHR, 226, 0, "dri/card0"},
    {"dri/null", S_IFCHR, 1, 3, "dri/null"},
    {"pts/x", S_IFCHR, 1, 1, "pts/x"}, /* (if no devpts hides the directory) */
    {".x", S_IFCHR, 1, 1, ".x"},
    {"a\nb\x1b", S_IFBLK, 1, 1, "a?b?"},
};

START_TEST(a_node_more_is_found_and_named)
{
	char expected[80], *found;

	ck_assert_int_eq(make(), 0);
	remember(directory, wrong[_i].path, wrong[_i].mode | 0600,
		 makedev(wrong[_i].major, wrong[_i].minor));
	found = strdup(check(GPU, -1));
	(void)snprintf(expected, sizeof(expected), "it has a device /dev/%s", wrong[_i].shown);
	ck_assert_str_eq(err.text, expected);
	(void)snprintf(expected, sizeof(expected), "\"%s\"]", wrong[_i].shown);
	ck_assert_msg(strstr(found, expected) != NULL, "%s", found);
	free(found);
}
END_TEST

START_TEST(what_the_containers_own_mounts_hold_is_not_of_this_dev)
{
	ck_assert_int_eq(make(), 0);
	remember(directory, "pts/0", S_IFCHR | 0620, makedev(136, 0));
	mounted = true;
	(void)check(GPU, 0);
	mounted = false;
	(void)check(GPU, -1);
}
END_TEST

START_TEST(a_node_with_another_number_or_kind_is_found)
{
	/* the first six are every container's, the rest the run's own */
	ck_assert_int_eq(make(), 0);
	for (size_t i = 0; i < n_nodes; i++) {
		dev_t number = nodes[i].number;

		nodes[i].number = makedev(major(number), minor(number) + 1);
		(void)check(GPU, -1);
		nodes[i].number = makedev(major(number) + 1, minor(number));
		(void)check(GPU, -1);
		nodes[i].number = number;
		nodes[i].mode ^= S_IFCHR ^ S_IFBLK;
		(void)check(GPU, -1);
		nodes[i].mode ^= S_IFCHR ^ S_IFBLK;
	}
	(void)check(GPU, 0);
}
END_TEST

START_TEST(a_node_that_is_missing_is_noticed)
{
	ck_assert_int_eq(make(), 0);
	(void)check(gpu, 3, -1); /* one more than granted */
	ck_assert_str_eq(err.text, "it has a device /dev/nvidia-caps/nvidia-cap3");
	ck_assert_int_eq(unlinkat(directory, "dri/renderD129", 0), 0);
	(void)check(GPU, -1);
	ck_assert_str_eq(err.text, "a device is missing in /dev");
}
END_TEST

START_TEST(a_directory_that_cannot_be_read_is_an_error)
{
	CES_CLEANUP_FD int file = -1;
	struct ces_json found = {0};

	ck_assert_int_eq(make(), 0);
	steps_begin(3, EIO);
	ck_assert_int_lt(ces_proof_nodes(directory, GPU, &found, &err), 0);
	ck_assert_int_eq(err.sys, EIO);
	ck_assert_int_lt(ces_proof_nodes(-1, GPU, &found, &err), 0);
	ck_assert_int_eq(err.sys, EBADF);
	file = openat(directory, "null", O_RDONLY | O_CLOEXEC);
	ck_assert_int_lt(ces_proof_nodes(file, GPU, &found, &err), 0);
	ck_assert_int_eq(err.sys, ENOTDIR);
	ces_json_free(&found);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("proof_nodes");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, what_was_made_passes_the_check_and_is_listed);
	tcase_add_test(t, a_terminal_is_at_the_console_and_nowhere_else);
	tcase_add_loop_test(t, a_node_more_is_found_and_named, 0, CES_COUNT(wrong));
	tcase_add_test(t, what_the_containers_own_mounts_hold_is_not_of_this_dev);
	tcase_add_test(t, a_node_with_another_number_or_kind_is_found);
	tcase_add_test(t, a_node_that_is_missing_is_noticed);
	tcase_add_test(t, a_directory_that_cannot_be_read_is_an_error);
	return run_suite("proof_nodes", t);
}
