/* Tests how a driver's files come into a container: each in its place below one directory, mounted
 * read-only, by no link; what is refused; and what a fault on the way leaves. */
/* links: helper/launch/gpu_files.c helper/session/mounts.c helper/core/beneath.c */
#include "tests/unit/gpu_scene.h"

#define ROOT "run" /* the run's root, below the test's directory */

static struct ces_error err;
static struct ces_gpus gpus;
static struct ces_cdi_edits edits;
static struct ces_cdi_mount mounts[10];
static struct ces_cdi_link links[4];
static int root;

static const char *at(int fd)
{
	return path_below(directory_path, fd);
}

int open_tree(int dir, const char *path, unsigned flags)
{
	ck_assert_str_eq(path, "");
	if (step("clone %s %x", at(dir), flags))
		return -1;
	return fcntl(dir, F_DUPFD_CLOEXEC, 0);
}

int mount_setattr(int fd, const char *path, unsigned flags, struct mount_attr *attr, size_t size)
{
	ck_assert_str_eq(path, "");
	ck_assert_uint_eq(size, sizeof(*attr));
	return step("flags %s %llx %llx %x", at(fd), attr->attr_set, attr->propagation, flags) ? -1
											       : 0;
}

int move_mount(int from, const char *path, int dir, const char *to, unsigned flags)
{
	char source[200];

	ck_assert_str_eq(path, "");
	(void)snprintf(source, sizeof(source), "%.199s", at(from));
	return step("attach %s %s:%s %x", source, at(dir), to, flags) ? -1 : 0;
}

static void add(const char *host, const char *container, enum ces_cdi_place place)
{
	mounts[edits.n_mounts++] =
	    (struct ces_cdi_mount){(char *)(uintptr_t)host, (char *)(uintptr_t)container, place};
}

static void add_link(const char *target, const char *path, enum ces_cdi_place place)
{
	links[edits.n_links++] =
	    (struct ces_cdi_link){(char *)(uintptr_t)target, (char *)(uintptr_t)path, place};
}

static void set_up(void)
{
	gpu_scene_begin();
	make_way(ROOT "/x");
	root = openat(directory, ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)put("usr/lib64/libcuda.so.550.1", S_IFREG | 0755, 0, 0);
	(void)put("usr/lib64/libml.so.1", S_IFREG | 0644, 0, 0);
	(void)put("usr/bin/smi", S_IFREG | 0755, 0, 0);
	(void)put("etc/nvidia/app.json", S_IFREG | 0644, 0, 0);
	make_way("etc/nvidia/conf.d/x");
	ck_assert_int_eq(symlinkat("libcuda.so.550.1", directory, "usr/lib64/libcuda.so.1"), 0);
	err = (struct ces_error){0};
	edits = (struct ces_cdi_edits){.mounts = mounts, .links = links};
	gpus = CES_GPUS_NONE;
	gpus.n_names = 1;
	gpus.edits[gpus.n_edits++] = &edits;
	steps_begin(0, 0);
}

static void tear_down(void)
{
	close(root);
	gpu_scene_end();
}

static int make(void)
{
	size_t before = open_fds();
	int result = ces_gpu_files(&gpus, root, &err);

	ck_assert_uint_eq(open_fds(), before);
	return result;
}

/* What is at a path of the run's root: a link's target, "file", "directory", or "". */
static const char *what(const char *path)
{
	static char target[300];
	struct stat st;
	ssize_t n = readlinkat(root, path, target, sizeof(target) - 1);

	if (n >= 0) {
		target[n] = '\0';
		return target;
	}
	if (fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return "";
	return S_ISDIR(st.st_mode) ? "directory" : "file";
}

static void add_good(void)
{
	add("/usr/lib64/libcuda.so.550.1", "/usr/lib64/libcuda.so.550.1", CES_CDI_LIBRARY);
	add("/usr/bin/smi", "/usr/bin/smi", CES_CDI_LINKED);
	add("/etc/nvidia/conf.d", "/etc/nvidia/conf.d", CES_CDI_LINKED);
	add_link("../libcuda.so.1", "/usr/lib64/x/libcuda.so", CES_CDI_LIBRARY);
	add_link("app.json", "/etc/nvidia/link.json", CES_CDI_LINKED);
}

/* clone: OPEN_TREE_CLONE 1, AT_EMPTY_PATH 1000, AT_RECURSIVE 8000, O_CLOEXEC 80000
 * flags: RDONLY 1, NOSUID 2, NODEV 4; MS_PRIVATE 40000; attach: F_EMPTY_PATH 4 */
#define MOUNTED(file, dir, name)                                                                   \
	"clone " file " 89001", "flags " file " 7 40000 9000",                                     \
	    "attach " file " " ROOT "/" dir ":" name " 4"

static const char *const expected[] = {
    MOUNTED("usr/lib64/libcuda.so.550.1", "g/usr/lib64", "libcuda.so.550.1"),
    MOUNTED("usr/bin/smi", "g/usr/bin", "smi"),
    MOUNTED("etc/nvidia/conf.d", "g/etc/nvidia", "conf.d"), NULL};

START_TEST(each_file_is_mounted_read_only_in_its_place)
{
	add_good();
	ck_assert_msg(make() == 0, "%s", err.text);
	steps_check(expected, 0);
	ck_assert_str_eq(what("g/usr/lib64/libcuda.so.550.1"), "file");
	ck_assert_str_eq(what("g/etc/nvidia/conf.d"), "directory");
	/* ldconfig's name, as the host has it */
	ck_assert_str_eq(what("g/usr/lib64/libcuda.so.1"), "libcuda.so.550.1");
	ck_assert_str_eq(what("g/etc/nvidia/link.json"), "app.json");
	ck_assert_str_eq(what("g/usr/lib64/x/libcuda.so"), "../libcuda.so.1");
}
END_TEST

START_TEST(a_step_that_fails_is_the_last)
{
	add_good();
	steps_begin((size_t)_i + 1, EROFS);
	ck_assert_int_lt(make(), 0);
	steps_check(expected, (size_t)_i + 1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_msg(err.sys == EROFS, "%s", err.text);
}
END_TEST

START_TEST(a_run_without_a_gpu_has_no_directory_for_it)
{
	add_good();
	gpus.n_names = 0;
	ck_assert_int_eq(make(), 0);
	ck_assert_uint_eq(steps->n, 0);
	ck_assert_str_eq(what("g"), "");
}
END_TEST

static const struct {
	const char *host, *container;
	enum ces_cdi_place place;
	const char *says;
} refused[] = {
    {"/usr/bin/smi", "/usr/bin/smi", CES_CDI_REFUSED,
     "/usr/bin/smi, a file of the GPU's driver: "
     "CES does not put anything there"},
    {"/usr/bin/smi", "usr/bin/smi", CES_CDI_LINKED, "CES does not put anything there"},
    {"/usr/bin/smi", "/usr/../../smi", CES_CDI_LINKED, "CES does not put anything there"},
    {"/usr/bin/smi", "/", CES_CDI_LINKED, "CES does not put anything there"},
    {"/usr/bin/smi", "", CES_CDI_LIBRARY, "CES does not put anything there"},
    {"/usr/bin/absent", "/usr/bin/smi", CES_CDI_LINKED,
     "/usr/bin/absent, a file of the GPU's "
     "driver: No such file"},
    {"/usr/lib64/libcuda.so.1", "/usr/lib64/l.so", CES_CDI_LIBRARY,
     "it is, or is reached by, a symbolic link"},
    {"/lib64/libml.so.1", "/usr/lib64/l.so", CES_CDI_LIBRARY,
     "it is, or is reached by, a symbolic link"},
    {"/../../etc/passwd", "/usr/lib64/l.so", CES_CDI_LIBRARY,
     "it is, or is reached by, a symbolic link"},
    {"/node", "/usr/lib64/l.so", CES_CDI_LIBRARY, "neither a file nor a directory"},
    {"/theirs", "/usr/lib64/l.so", CES_CDI_LIBRARY, "not root's alone to write"},
    {"/open", "/usr/lib64/l.so", CES_CDI_LIBRARY, "not root's alone to write"},
    {"/grouped", "/usr/lib64/l.so", CES_CDI_LIBRARY, "not root's alone to write"},
};

START_TEST(any_other_file_is_refused_before_a_step)
{
	ck_assert_int_eq(symlinkat("usr/lib64", directory, "lib64"), 0);
	(void)put_node("node", 1, 3);
	files[put("theirs", S_IFREG | 0644, 0, 0)].uid = 1000;
	(void)put("open", S_IFREG | 0646, 0, 0);
	(void)put("grouped", S_IFREG | 0664, 0, 0);
	add(refused[_i].host, refused[_i].container, refused[_i].place);
	ck_assert_int_lt(make(), 0);
	ck_assert_msg(strstr(err.text, refused[_i].says) != NULL, "%s", err.text);
	ck_assert_uint_eq(steps->n, 0);
}
END_TEST

START_TEST(what_no_run_needs_is_left_out)
{
	add("/absent", "/run/nvidia/socket", CES_CDI_LEFT_OUT);
	add_link("x", "/run/x", CES_CDI_LEFT_OUT);
	(void)put("usr/lib64/socket", S_IFSOCK | 0666, 0, 0);
	add("/usr/lib64/socket", "/usr/lib64/socket", CES_CDI_LIBRARY);
	ck_assert_int_eq(make(), 0);
	ck_assert_uint_eq(steps_count("clone"), 0);
	ck_assert_str_eq(what("g/usr"), "");
}
END_TEST

static const struct {
	const char *target, *path;
	enum ces_cdi_place place;
} bad_links[] = {{"t", "/usr/bin/x", CES_CDI_REFUSED},
		 {"t", "usr/bin/x", CES_CDI_LINKED},
		 {"t", "/usr/../x", CES_CDI_LIBRARY}};

START_TEST(a_link_that_ces_does_not_make_is_refused)
{
	add_link(bad_links[_i].target, bad_links[_i].path, bad_links[_i].place);
	ck_assert_int_lt(make(), 0);
	ck_assert_str_eq(err.text, "t, a file of the GPU's driver: not a link that CES makes");
}
END_TEST

START_TEST(one_file_in_two_specifications_is_mounted_once)
{
	add_good();
	gpus.edits[gpus.n_edits++] = &edits;
	ck_assert_msg(make() == 0, "%s", err.text);
	ck_assert_uint_eq(steps_count("clone"), 3);
	ck_assert_uint_eq(steps_count("attach"), 3);
}
END_TEST

/* (nobody can make one: the tree is root's) */
START_TEST(no_link_in_the_tree_is_followed)
{
	add_link("../../outside", "/usr/bin", CES_CDI_LINKED);
	make_way("outside/x");
	ck_assert_msg(make() == 0, "%s", err.text);
	ck_assert_int_eq(unlinkat(root, "g/usr/bin", 0), 0);
	ck_assert_int_eq(unlinkat(root, "g/usr", AT_REMOVEDIR), 0);
	ck_assert_int_eq(unlinkat(root, "g", AT_REMOVEDIR), 0);
	add_link("x", "/usr/bin/y", CES_CDI_LINKED); /* (below the first) */
	ck_assert_int_lt(make(), 0);
	ck_assert_int_lt(faccessat(directory, "outside/y", F_OK, AT_SYMLINK_NOFOLLOW), 0);
}
END_TEST

static const char *const plain[] = {"libcuda.so.550.2", "libcuda.so.550", "./libcuda.so.550.1",
				    "libcuda.so.550.10", "x"};

START_TEST(only_a_link_to_this_very_file_gives_it_its_plain_name)
{
	ck_assert_int_eq(unlinkat(directory, "usr/lib64/libcuda.so.1", 0), 0);
	ck_assert_int_eq(symlinkat(plain[_i], directory, "usr/lib64/libcuda.so.1"), 0);
	add("/usr/lib64/libcuda.so.550.1", "/usr/lib64/libcuda.so.550.1", CES_CDI_LIBRARY);
	ck_assert_int_eq(make(), 0);
	ck_assert_str_eq(what("g/usr/lib64/libcuda.so.1"), "");
}
END_TEST

START_TEST(a_name_that_is_too_long_is_refused)
{
	char path[600] = "/usr/";

	memset(path + 5, 'x', 256);
	strcpy(path + 5 + 256, "/a.so");
	add("/usr/bin/smi", path, CES_CDI_LIBRARY);
	ck_assert_int_lt(make(), 0);
	ck_assert_msg(strstr(err.text, "a name is too long") != NULL, "%s", err.text);
}
END_TEST

START_TEST(with_a_tree_already_there_it_fails)
{
	if (_i == 0)
		ck_assert_int_eq(mkdirat(root, "g", 0755), 0);
	else
		ck_assert_int_eq(symlinkat(".", root, "g"), 0);
	ck_assert_int_lt(make(), 0);
	ck_assert_msg(strncmp(err.text, "the directory of the GPU's driver: ", 35) == 0, "%s",
		      err.text);
	ck_assert_uint_eq(steps->n, 0);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("files");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, each_file_is_mounted_read_only_in_its_place);
	tcase_add_loop_test(t, a_step_that_fails_is_the_last, 0, CES_COUNT(expected) - 1);
	tcase_add_test(t, a_run_without_a_gpu_has_no_directory_for_it);
	tcase_add_loop_test(t, any_other_file_is_refused_before_a_step, 0, CES_COUNT(refused));
	tcase_add_test(t, what_no_run_needs_is_left_out);
	tcase_add_loop_test(t, a_link_that_ces_does_not_make_is_refused, 0, CES_COUNT(bad_links));
	tcase_add_test(t, one_file_in_two_specifications_is_mounted_once);
	tcase_add_test(t, no_link_in_the_tree_is_followed);
	tcase_add_loop_test(t, only_a_link_to_this_very_file_gives_it_its_plain_name, 0,
			    CES_COUNT(plain));
	tcase_add_test(t, a_name_that_is_too_long_is_refused);
	tcase_add_loop_test(t, with_a_tree_already_there_it_fails, 0, 2);
	return run_suite("gpu_files", t);
}
