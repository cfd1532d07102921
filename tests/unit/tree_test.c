/* Tests the walk below a directory that somebody else may be changing: it empties all that is
 * there, follows no link, crosses no mount, and needs no more fds for a deeper tree. */
/* links: helper/clean/tree.c */
#include "tests/unit/tree_scene.h"

static size_t entries(const char *path)
{
	CES_CLEANUP_DIR DIR *dir = opendir(path);
	size_t n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir) != NULL)
		n++;
	return n - 2;
}

/* Everything that a program can leave. */
static void make_all_kinds(void)
{
	const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "tree/socket"};
	CES_CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	write_text("tree/file", "x");
	ck_assert_int_eq(mkdir("tree/a", 0700), 0);
	ck_assert_int_eq(mkdir("tree/a/b", 0700), 0);
	write_text("tree/a/b/file", "x");
	ck_assert_int_eq(chmod("tree/a/b/file", 0), 0);
	ck_assert_int_eq(symlink("../outside", "tree/link"), 0);
	ck_assert_int_eq(symlink("../../outside/file", "tree/a/link"), 0);
	ck_assert_int_eq(mkfifo("tree/a/fifo", 0600), 0);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(chmod("tree/a/b", 0), 0);
	ck_assert_int_eq(chmod("tree/a", 0), 0);
}

START_TEST(a_tree_of_everything_is_emptied_and_stays_itself)
{
	size_t fds = open_fds();

	make_all_kinds();
	ck_assert_int_eq(ces_tree_empty(tree), 0);
	ck_assert_uint_eq(entries("tree"), 0);
	ck_assert_int_eq(ces_tree_empty(tree), 0);
	ck_assert_uint_eq(open_fds(), fds);
}
END_TEST

/* The store's layers count only while their directory is closed to others. */
START_TEST(a_directory_that_is_discarded_is_open_to_its_group_before_anything_in_it_goes)
{
	make_all_kinds();
	stays = "fifo";
	ck_assert_int_eq(_i == 0 ? ces_tree_discard(tree) : ces_tree_empty(tree), -1);
	ck_assert_int_eq(mode_of("tree/a"), S_IFDIR | (_i == 0 ? CES_TREE_DISCARDED : 0700));
	ck_assert_int_eq(mode_of("tree"), S_IFDIR | 0700);
	stays = NULL;
	ck_assert_int_eq(ces_tree_discard(tree), 0);
	ck_assert_uint_eq(entries("tree"), 0);
}
END_TEST

START_TEST(what_stays_is_reported_and_the_rest_is_gone)
{
	make_all_kinds();
	stays = _i == 0 ? "fifo" : "file"; /* one, or one in each directory */
	ck_assert_int_eq(ces_tree_empty(tree), -1);
	ck_assert_uint_eq(entries("tree"), _i == 0 ? 1 : 2);
	ck_assert_uint_eq(entries("tree/a"), 1);
	stays = NULL;
	ck_assert_int_eq(ces_tree_empty(tree), 0);
}
END_TEST

START_TEST(what_is_mounted_below_is_not_touched)
{
	ck_assert_int_eq(mkdir("tree/mount", 0700), 0);
	ck_assert_int_eq(mount("none", "tree/mount", "tmpfs", 0, "mode=700"), 0);
	write_text("tree/mount/file", "x");
	write_text("tree/file", "x");
	ck_assert_int_eq(chmod("tree/mount/file", 0600), 0);
	/* (what it leaves out, it reports) */
	ck_assert_int_eq(_i == 0   ? ces_tree_empty(tree)
			 : _i == 1 ? ces_tree_chown(tree, 7, 8, 0)
				   : ces_tree_share(tree),
			 -1);
	ck_assert_int_eq(access("tree/file", F_OK), _i < 1 ? -1 : 0);
	ck_assert_int_eq(mode_of("tree/mount/file"), S_IFREG | 0600);
	ck_assert_int_eq(umount("tree/mount"), 0);
	if (_i == 1)
		ck_assert_uint_eq(strlen(chowned), strlen(".=7:8\nfile=7:8\n"));
}
END_TEST

/* On NFS the server goes by the mode, whatever this process may do here. */
START_TEST(closed_directories_of_ones_own_are_emptied_without_a_right_over_modes)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct none[2] = {{0}};

	make_all_kinds();
	ck_assert_int_eq(mkdir("tree/c", 0700), 0);
	write_text("tree/c/file", "x");
	ck_assert_int_eq(chmod("tree/c", 0555), 0);
	ck_assert_int_eq(mkdir("tree/d", 0700), 0);
	write_text("tree/d/file", "x");
	ck_assert_int_eq(chmod("tree/d", 0300), 0);
	ck_assert_int_eq(chmod("tree", 0500), 0);
	ck_assert_int_eq((int)syscall(SYS_capset, &head, none), 0);
	ck_assert_int_eq(unlink("tree/c/file"), -1);
	ck_assert_int_eq(errno, EACCES);
	ck_assert_int_eq(ces_tree_empty(tree), 0);
	ck_assert_uint_eq(entries("tree"), 0);
}
END_TEST

/* A mount of the same file system has the same device number. */
START_TEST(what_is_bound_below_is_not_touched_either)
{
	ck_assert_int_eq(mkdir("tree/mount", 0700), 0);
	ck_assert_int_eq(mount("outside", "tree/mount", NULL, MS_BIND, NULL), 0);
	ck_assert_int_eq(_i == 0   ? ces_tree_empty(tree)
			 : _i == 1 ? ces_tree_chown(tree, 7, 8, 0)
				   : ces_tree_share(tree),
			 -1);
	ck_assert_int_eq(access("tree/mount/file", F_OK), 0);
	ck_assert_int_eq(mode_of("tree/mount/file"), S_IFREG | 0600);
	ck_assert_int_eq(umount("tree/mount"), 0);
}
END_TEST

/* Any program can make a subvolume. It has a device number of its own, and is no mount. */
START_TEST(a_directory_with_another_device_number_that_is_no_mount_is_walked)
{
	ck_assert_int_eq(mkdir("tree/subvolume", 0700), 0);
	ck_assert_int_eq(mkdir("tree/subvolume/d", 0700), 0);
	write_text("tree/subvolume/d/file", "x");
	ck_assert_int_eq(chmod("tree/subvolume/d/file", 0600), 0);
	ck_assert_int_eq(_i == 0   ? ces_tree_empty(tree)
			 : _i == 1 ? ces_tree_chown(tree, 7, 8, 0)
				   : ces_tree_share(tree),
			 0);
	if (_i == 0)
		ck_assert_uint_eq(entries("tree"), 0);
	else if (_i == 1)
		ck_assert_ptr_nonnull(strstr(chowned, "file=7:8\n"));
	else
		ck_assert_int_eq(mode_of("tree/subvolume/d/file"), S_IFREG | 0644);
}
END_TEST

static void make_deep(size_t levels)
{
	int at = dup(tree), next;

	for (size_t i = 0; i < levels; i++) {
		ck_assert_int_eq(mkdirat(at, "d", 0700), 0);
		next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ck_assert_int_ge(next, 0);
		close(at);
		at = next;
	}
	ck_assert_int_eq(symlinkat("nowhere", at, "link"), 0);
	close(at);
}

START_TEST(a_tree_of_any_depth_is_emptied_with_a_bounded_number_of_fds)
{
	static const size_t depths[] = {CES_TREE_LEVELS - 2, CES_TREE_LEVELS - 1, CES_TREE_LEVELS,
					CES_TREE_LEVELS + 1, 1100};
	struct rlimit few;
	size_t fds = open_fds();

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &few), 0);
	few.rlim_cur = 560;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	make_deep(depths[_i]);
	ck_assert_int_eq(ces_tree_empty(tree), 0);
	ck_assert_uint_eq(entries("tree"), 0);
	ck_assert_uint_eq(open_fds(), fds);
}
END_TEST

/* The names that the walk gives to what it moves up. */
START_TEST(a_deep_directory_that_has_such_a_name_already_is_emptied_too)
{
	for (int i = 0; i < 3; i++) {
		char name[40];
		int top = tree;

		(void)snprintf(name, sizeof(name), ".ces-deep-%d-%d", (int)getpid(), i);
		ck_assert_int_eq(mkdirat(top, name, 0700), 0);
		tree = openat(top, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		make_deep(1100);
		close(tree);
		tree = top;
	}
	ck_assert_int_eq(ces_tree_empty(tree), 0);
	ck_assert_uint_eq(entries("tree"), 0);
}
END_TEST

START_TEST(what_is_deep_in_a_subvolume_is_emptied_too)
{
	int top = tree;

	ck_assert_int_eq(mkdir("tree/subvolume", 0700), 0);
	tree = open("tree/subvolume", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	make_deep(1700);
	close(tree);
	tree = top;
	in_subvolume = true;
	ck_assert_int_eq(ces_tree_empty(tree), 0);
	ck_assert_uint_eq(entries("tree"), 0);
	in_subvolume = false;
}
END_TEST

START_TEST(what_is_too_deep_to_be_handed_over_is_reported)
{
	make_deep(511);
	ck_assert_int_eq(ces_tree_chown(tree, 7, 8, 0), 0);
	ck_assert_int_eq(ces_tree_empty(tree), 0);
	make_deep(512);
	ck_assert_int_eq(ces_tree_chown(tree, 7, 8, 0), -1);
	ck_assert_int_eq(ces_tree_share(tree), -1);
	ck_assert_uint_eq(entries("tree"), 1); /* nothing was moved */
}
END_TEST

/* ---- somebody changes it meanwhile ---- */

static void to_link(int dir)
{
	ck_assert_int_eq(renameat(dir, "victim", directory, "moved"), 0);
	ck_assert_int_eq(symlinkat("../outside", dir, "victim"), 0);
}

static void to_file_link(int dir)
{
	ck_assert_int_eq(renameat(dir, "victim", directory, "moved"), 0);
	ck_assert_int_eq(symlinkat("../outside/file", dir, "victim"), 0);
}

static void to_fifo(int dir)
{
	ck_assert_int_eq(renameat(dir, "victim", directory, "moved"), 0);
	ck_assert_int_eq(mkfifoat(dir, "victim", 0600), 0);
}

static void to_nothing(int dir)
{
	ck_assert_int_eq(renameat(dir, "victim", directory, "moved"), 0);
}

static void (*const swaps[])(int) = {to_link, to_file_link, to_fifo, to_nothing};

START_TEST(a_directory_that_becomes_something_else_is_not_walked_into)
{
	size_t fds;

	ck_assert_int_eq(mkdir("tree/victim", 0700), 0);
	write_text("tree/victim/file", "x");
	write_text("tree/other", "x");
	fds = open_fds();
	swap = swaps[_i];
	ck_assert_int_eq(ces_tree_empty(tree), -1);
	ck_assert_ptr_null(swap);
	ck_assert_int_eq(access("tree/other", F_OK), -1);
	ck_assert_int_eq(access("moved/file", F_OK), 0);
	ck_assert_uint_eq(open_fds(), fds);
	ck_assert_int_eq(ces_tree_empty(tree), 0);
}
END_TEST

START_TEST(a_file_that_becomes_something_else_is_not_shared)
{
	write_text("tree/victim", "x");
	write_text("tree/other", "x");
	ck_assert_int_eq(chmod("tree/other", 0600), 0);
	swap = swaps[_i];
	ck_assert_int_eq(ces_tree_share(tree), -1);
	ck_assert_ptr_null(swap);
	ck_assert_int_eq(mode_of("tree/other"), S_IFREG | 0644);
	if (_i == 2)
		ck_assert_int_eq(mode_of("tree/victim"), S_IFIFO | 0600);
}
END_TEST

START_TEST(what_is_no_directory_has_nothing_below_it)
{
	CES_CLEANUP_FD int file = open("outside/file", O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(ces_tree_empty(file), -1);
	ck_assert_int_eq(ces_tree_chown(file, 7, 8, 0), -1);
	ck_assert_int_eq(ces_tree_share(file), -1);
	ck_assert_int_eq(ces_tree_empty(-1), -1);
	ck_assert_str_eq(chowned, "");
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("tree");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_tree_of_everything_is_emptied_and_stays_itself);
	tcase_add_loop_test(
	    t, a_directory_that_is_discarded_is_open_to_its_group_before_anything_in_it_goes, 0, 2);
	tcase_add_loop_test(t, what_stays_is_reported_and_the_rest_is_gone, 0, 2);
	tcase_add_loop_test(t, what_is_mounted_below_is_not_touched, 0, 3);
	tcase_add_test(t, closed_directories_of_ones_own_are_emptied_without_a_right_over_modes);
	tcase_add_loop_test(t, what_is_bound_below_is_not_touched_either, 0, 3);
	tcase_add_loop_test(t, a_directory_with_another_device_number_that_is_no_mount_is_walked, 0,
			    3);
	tcase_add_test(t, a_deep_directory_that_has_such_a_name_already_is_emptied_too);
	tcase_add_test(t, what_is_deep_in_a_subvolume_is_emptied_too);
	tcase_add_loop_test(t, a_tree_of_any_depth_is_emptied_with_a_bounded_number_of_fds, 0, 5);
	tcase_add_test(t, what_is_too_deep_to_be_handed_over_is_reported);
	tcase_add_loop_test(t, a_directory_that_becomes_something_else_is_not_walked_into, 0,
			    CES_COUNT(swaps));
	tcase_add_loop_test(t, a_file_that_becomes_something_else_is_not_shared, 0,
			    CES_COUNT(swaps));
	tcase_add_test(t, what_is_no_directory_has_nothing_below_it);
	return run_suite("tree", t);
}
