/* Tests what ces-inside puts into the image's tree: which places, with which modes; what of the
 * image's goes, and what stays; that no link is followed; and that a step that fails is the last,
 * and is reported. */
/* links: helper/inside/tree.c */
#include "helper/inside/inside.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "policy/cdi.h"
#include "tests/unit/directory.h"
#include "tests/unit/image_open.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/steps.h"

#define LONGEST 299 /* a destination without its NUL */

static struct ces_inside inside;
static char *texts_are[CES_INSIDE_TEXTS], *mounts_are[8], *tmpfs_are[2], *links_are[4];
static jmp_buf failed;
uint32_t ces_inside_place;
static enum ces_inside_step step_is;
static int number_is;

void ces_inside_fail(enum ces_inside_step which)
{
	number_is = errno;
	step_is = which;
	longjmp(failed, 1);
}

static const char *at(int dir)
{
	return path_below(directory_path, dir);
}

int mkdirat(int dir, const char *name, mode_t mode)
{
	if (step("mkdir %s %s", at(dir), name))
		return -1;
	return (int)syscall(SYS_mkdirat, dir, name, mode);
}

int unlinkat(int dir, const char *name, int flags)
{
	if (step("remove %s %s", at(dir), name))
		return -1;
	return (int)syscall(SYS_unlinkat, dir, name, flags);
}

int symlinkat(const char *target, int dir, const char *name)
{
	if (step("link %s %s", at(dir), name))
		return -1;
	return (int)syscall(SYS_symlinkat, target, dir, name);
}

int fchmodat(int dir, const char *name, mode_t mode, int flags)
{
	(void)flags;
	if (step("mode %s %s %o", at(dir), name, mode))
		return -1;
	return (int)syscall(SYS_fchmodat, dir, name, mode);
}

ssize_t write(int fd, const void *bytes, size_t n)
{
	if (strncmp(at(fd), "m/", 2) == 0 && step("write %s", at(fd)))
		return -1;
	return syscall(SYS_write, fd, bytes, n);
}

static void make_directory(const char *path, mode_t mode)
{
	ck_assert_msg(syscall(SYS_mkdirat, directory, path, 0700) == 0, "%s", path);
	ck_assert_int_eq(syscall(SYS_fchmodat, directory, path, mode), 0);
}

static void make_file(const char *path, const char *text)
{
	CES_CLEANUP_FD int fd = openat(directory, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_eq(syscall(SYS_write, fd, text, strlen(text)), (ssize_t)strlen(text));
}

static const char *text_of(const char *path)
{
	static char text[200];
	CES_CLEANUP_FD int fd = openat(directory, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = '\0';
	return n < 0 ? "?" : text;
}

/* 0: nothing is there. */
static mode_t mode_of(const char *path)
{
	struct stat st;

	return fstatat(directory, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_mode : 0;
}

static void set_up(void)
{
	directory_begin();
	make_directory("m", 0755);
	steps_begin(0, 0);
	inside = (struct ces_inside){0};
	for (size_t i = 0; i < CES_INSIDE_TEXTS; i++)
		texts_are[i] = (char *)(uintptr_t) "";
	texts_are[CES_INSIDE_HOSTNAME] = (char *)(uintptr_t) "ces-0123456789";
	mounts_are[0] = (char *)(uintptr_t) "/safe_data";
	mounts_are[1] = (char *)(uintptr_t) "/home/x/bind";
	mounts_are[2] = (char *)(uintptr_t) "/home/x/file";
	tmpfs_are[0] = (char *)(uintptr_t) "/var/cache";
	inside.order.file[2] = true;
	inside.rows[CES_INSIDE_ROW_TEXTS] = (struct ces_strings){texts_are, CES_INSIDE_TEXTS};
	inside.rows[CES_INSIDE_ROW_MOUNTS] = (struct ces_strings){mounts_are, 3};
	inside.rows[CES_INSIDE_ROW_TMPFS] = (struct ces_strings){tmpfs_are, 1};
	(void)umask(022);
}

static void tear_down(void)
{
	clear_directory(directory_path);
	directory_end();
}

static bool try(void)
{
	if (setjmp(failed) != 0)
		return false;
	ces_inside_tree(&inside);
	return true;
}

/* Returns whether all was made; no descriptor stays then. */
static bool make(void)
{
	size_t before = open_fds();
	bool whole;

	step_is = CES_STEPS;
	whole = try();
	ck_assert(!whole || open_fds() == before);
	return whole;
}

static const struct {
	const char *path;
	mode_t mode;
} made[] = {{"m/dev", S_IFDIR | 0755},          {"m/proc", S_IFDIR | 0755},
	    {"m/sys", S_IFDIR | 0755},          {"m/safe_data", S_IFDIR | 0755},
	    {"m/home", S_IFDIR | 0755},         {"m/home/x/bind", S_IFDIR | 0755},
	    {"m/home/x/file", S_IFREG | 0644},  {"m/var", S_IFDIR | 0755},
	    {"m/var/cache", S_IFDIR | 01777},   {"m/tmp", S_IFDIR | 01777},
	    {"m/etc", S_IFDIR | 0755},          {"m/etc/hosts", S_IFREG | 0644},
	    {"m/etc/hostname", S_IFREG | 0644}, {"m/etc/resolv.conf", S_IFREG | 0644}};

START_TEST(an_empty_image_gets_every_place)
{
	ck_assert(make());
	for (size_t i = 0; i < CES_COUNT(made); i++)
		ck_assert_msg(mode_of(made[i].path) == made[i].mode, "%s: %o", made[i].path,
			      mode_of(made[i].path));
	ck_assert_uint_eq(mode_of("m/usr"), 0);
	ck_assert_uint_eq(mode_of("m/" CES_DISPLAY_KEY), 0);
}
END_TEST

START_TEST(the_files_name_the_run_and_no_server)
{
	ck_assert(make());
	ck_assert_str_eq(text_of("m/etc/hosts"),
			 "127.0.0.1\tlocalhost ces-0123456789\n::1\tlocalhost\n");
	ck_assert_str_eq(text_of("m/etc/hostname"), "ces-0123456789\n");
	ck_assert_str_eq(text_of("m/etc/resolv.conf"), "");
	ck_assert_str_eq(text_of("m/home/x/file"), "");
}
END_TEST

START_TEST(with_a_display_its_key_is_there_for_every_user)
{
	static const char key[] =
	    "\xff\xff\0\0\0\0\0\x12MIT-MAGIC-COOKIE-1\0\x10"
	    "\x01\x02\x03\x04\x05\x06\x07\x08\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8";
	char bytes[100];
	CES_CLEANUP_FD int fd = -1;

	inside.order.display = 1;
	inside.order.cookie[0] = 0x0102030405060708ull;
	inside.order.cookie[1] = 0xf1f2f3f4f5f6f7f8ull;
	ck_assert(make());
	fd = openat(directory, "m/" CES_DISPLAY_KEY, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(read(fd, bytes, sizeof(bytes)), (ssize_t)sizeof(key) - 1);
	ck_assert_mem_eq(bytes, key, sizeof(key) - 1);
	ck_assert_uint_eq(mode_of("m/" CES_DISPLAY_KEY), S_IFREG | 0644);
}
END_TEST

/* Each is where a directory or a file of CES's has to be. */
static const char *const in_the_way[] = {"file", "link", "dangling link", "fifo"};
static const char *const ways[] = {"m/proc", "m/home", "m/tmp", "m/etc/hosts", "m/home/x/file"};

static void put_in_the_way(const char *kind, const char *path)
{
	if (strcmp(kind, "file") == 0)
		make_file(path, "the image's");
	if (strcmp(kind, "link") == 0)
		ck_assert_int_eq(
		    syscall(SYS_symlinkat,
			    strstr(path, "file") || strstr(path, "hosts") ? "/etc/passwd" : "/tmp",
			    directory, path),
		    0);
	if (strcmp(kind, "dangling link") == 0)
		ck_assert_int_eq(syscall(SYS_symlinkat, "../../new", directory, path), 0);
	if (strcmp(kind, "fifo") == 0)
		ck_assert_int_eq(mkfifoat(directory, path, 0666), 0);
}

START_TEST(what_is_in_the_way_goes_and_no_link_is_followed)
{
	const char *way = ways[(size_t)_i / CES_COUNT(in_the_way)];

	make_directory("m/etc", 0755);
	if (strstr(way, "/x/") != NULL) {
		make_directory("m/home", 0755);
		make_directory("m/home/x", 0755);
	}
	put_in_the_way(in_the_way[(size_t)_i % CES_COUNT(in_the_way)], way);
	ck_assert(make());
	for (size_t i = 0; i < CES_COUNT(made); i++)
		ck_assert_msg(mode_of(made[i].path) == made[i].mode, "%s: %o", made[i].path,
			      mode_of(made[i].path));
	ck_assert_uint_eq(mode_of("new"), 0);
	ck_assert_uint_eq(mode_of("m/new"), 0);
}
END_TEST

START_TEST(another_name_of_a_file_keeps_its_content)
{
	make_directory("m/etc", 0755);
	make_file("m/etc/other", "the image's");
	ck_assert_int_eq(linkat(directory, "m/etc/other", directory, "m/etc/hosts", 0), 0);
	ck_assert(make());
	ck_assert_str_eq(text_of("m/etc/other"), "the image's");
}
END_TEST

START_TEST(a_directory_of_the_images_keeps_its_mode_and_its_files)
{
	make_directory("m/home", 0711);
	make_directory("m/home/x", 0700);
	make_file("m/home/x/own", "the image's");
	make_directory("m/tmp", 0700);
	make_file("m/tmp/own", "the image's");
	ck_assert(make());
	ck_assert_uint_eq(mode_of("m/home"), S_IFDIR | 0711);
	ck_assert_uint_eq(mode_of("m/home/x"), S_IFDIR | 0700);
	ck_assert_str_eq(text_of("m/home/x/own"), "the image's");
	ck_assert_uint_eq(mode_of("m/tmp"), S_IFDIR | 01777);
	ck_assert_str_eq(text_of("m/tmp/own"), "the image's");
}
END_TEST

START_TEST(a_directory_in_the_place_of_a_file_is_an_error)
{
	make_directory("m/etc", 0755);
	make_directory(_i == 0 ? "m/etc/hosts" : "m/home", 0755);
	if (_i == 1) {
		make_directory("m/home/x", 0755);
		make_directory("m/home/x/file", 0755);
	}
	ck_assert(!make());
	ck_assert_uint_eq(step_is, _i == 0 ? CES_STEP_FILES : CES_STEP_POINTS);
	ck_assert_uint_eq(ces_inside_place, _i == 0 ? 0 : 3);
	ck_assert_msg(number_is == EISDIR || number_is == EPERM, "%d", number_is);
}
END_TEST

static void put_driver(void)
{
	static char *gpus[] = {"0"};

	make_directory("g", 0755);
	make_directory("g/usr", 0755);
	make_directory("g/usr/bin", 0755);
	make_file("g/usr/bin/smi", "");
	ck_assert_int_eq(syscall(SYS_symlinkat, "absent", directory, "g/usr/bin/link"), 0);
	links_are[0] = (char *)(uintptr_t) "/usr/bin/smi";
	links_are[1] = (char *)(uintptr_t) "/usr/bin/link";
	links_are[2] = (char *)(uintptr_t) "/usr/bin/socket"; /* (which CES leaves out) */
	links_are[3] = links_are[0];                          /* (of two specifications) */
	inside.rows[CES_INSIDE_ROW_LINKS] = (struct ces_strings){links_are, 4};
	inside.rows[CES_INSIDE_ROW_GPUS] = (struct ces_strings){gpus, 1};
}

static const char *target_of(const char *path)
{
	static char target[200];
	ssize_t n = readlinkat(directory, path, target, sizeof(target) - 1);

	target[n < 0 ? 0 : n] = '\0';
	return target;
}

START_TEST(a_file_of_the_driver_has_a_link_at_its_place)
{
	put_driver();
	if (_i == 1) {
		make_directory("m/usr", 0755);
		make_directory("m/usr/bin", 0755);
		make_file("m/usr/bin/smi", "the image's");
		make_file("m/usr/bin/own", "the image's");
	}
	ck_assert(make());
	ck_assert_uint_eq(mode_of("m" CES_GPU_DIR), S_IFDIR | 0755);
	ck_assert_str_eq(target_of("m/usr/bin/smi"), CES_GPU_DIR "/usr/bin/smi");
	ck_assert_str_eq(target_of("m/usr/bin/link"), CES_GPU_DIR "/usr/bin/link");
	ck_assert_uint_eq(mode_of("m/usr/bin/socket"), 0);
	ck_assert_str_eq(text_of("m/usr/bin/own"), _i == 1 ? "the image's" : "?");
}
END_TEST

START_TEST(a_place_of_the_callers_own_is_theirs_and_no_link)
{
	put_driver();
	mounts_are[2] = (char *)(uintptr_t) "/usr/bin/smi";
	ck_assert(make());
	ck_assert_uint_eq(mode_of("m/usr/bin/smi"), S_IFREG | 0644);
}
END_TEST

START_TEST(a_directory_of_the_images_stays_in_the_place_of_a_link)
{
	put_driver();
	make_directory("m/usr", 0755);
	make_directory("m/usr/bin", 0755);
	make_directory("m/usr/bin/smi", 0755);
	ck_assert(make());
	ck_assert_uint_eq(mode_of("m/usr/bin/smi"), S_IFDIR | 0755);
	ck_assert_str_eq(target_of("m/usr/bin/link"), CES_GPU_DIR "/usr/bin/link");
}
END_TEST

/* A place of one mount's is below, or is, that of another. */
START_TEST(a_file_has_no_place_of_a_directory_of_cess)
{
	static const char *const taken[] = {"/safe_data", "/home/x", "/tmp", "/var/cache", "/dev"};

	mounts_are[2] = (char *)(uintptr_t)taken[_i];
	ck_assert(!make());
	ck_assert_uint_eq(step_is, CES_STEP_POINTS);
	ck_assert_uint_eq(ces_inside_place, 3);
	ck_assert_uint_eq(mode_of("m/tmp"), S_IFDIR | 01777);
}
END_TEST

START_TEST(a_step_that_fails_is_the_last_and_is_reported)
{
	static char all[STEPS_MAX][sizeof(steps->v[0])];
	size_t n;

	put_driver();
	make_directory("m/etc", 0755);
	make_file("m/etc/hosts", "");
	ck_assert(make());
	n = steps->n;
	memcpy(all, steps->v, sizeof(all));
	ck_assert_uint_gt(n, 25);
	for (size_t i = 0; i < n; i++) {
		clear_directory(strcat(strcpy((char[80]){0}, directory_path), "/m"));
		make_directory("m/etc", 0755);
		make_file("m/etc/hosts", "");
		steps_begin(i + 1, EDQUOT);
		ck_assert_msg(!make(), "%s", all[i]);
		ck_assert_uint_eq(steps->n, i + 1);
		for (size_t j = 0; j <= i; j++)
			ck_assert_str_eq(steps->v[j], all[j]);
		ck_assert_int_eq(number_is, EDQUOT);
		ck_assert(step_is >= CES_STEP_POINTS && step_is <= CES_STEP_LINKS);
	}
}
END_TEST

START_TEST(the_longest_destination_is_made_whole)
{
	char destination[LONGEST + 1] = "", path[LONGEST + 2];

	while (strlen(destination) + 2 < sizeof(destination))
		strcat(destination, "/x");
	mounts_are[0] = destination;
	ck_assert(make());
	(void)snprintf(path, sizeof(path), "m%s", destination);
	ck_assert_uint_eq(mode_of(path), S_IFDIR | 0755);
}
END_TEST

START_TEST(a_trailing_slash_changes_nothing)
{
	mounts_are[0] = (char *)(uintptr_t) "/safe_data/";
	mounts_are[1] = (char *)(uintptr_t) "/home//x/bind";
	ck_assert(make());
	ck_assert_uint_eq(mode_of("m/safe_data"), S_IFDIR | 0755);
	ck_assert_uint_eq(mode_of("m/home/x/bind"), S_IFDIR | 0755);
}
END_TEST

START_TEST(a_name_that_no_directory_can_have_is_an_error)
{
	char name[300] = "/";

	memset(name + 1, 'x', 256);
	mounts_are[0] = name;
	ck_assert(!make());
	ck_assert_int_eq(number_is, ENAMETOOLONG);
	mounts_are[0] = (char *)(uintptr_t) "/../out";
	ck_assert(!make());
	ck_assert_uint_eq(step_is, CES_STEP_POINTS);
	ck_assert_uint_eq(mode_of("out"), 0);
}
END_TEST

START_TEST(without_a_tree_nothing_is_made)
{
	ck_assert_int_eq(syscall(SYS_unlinkat, directory, "m", AT_REMOVEDIR), 0);
	ck_assert(!make());
	ck_assert_uint_eq(step_is, CES_STEP_POINTS);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("tree");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, an_empty_image_gets_every_place);
	tcase_add_test(t, the_files_name_the_run_and_no_server);
	tcase_add_test(t, with_a_display_its_key_is_there_for_every_user);
	tcase_add_loop_test(t, what_is_in_the_way_goes_and_no_link_is_followed, 0,
			    CES_COUNT(in_the_way) * CES_COUNT(ways));
	tcase_add_test(t, another_name_of_a_file_keeps_its_content);
	tcase_add_test(t, a_directory_of_the_images_keeps_its_mode_and_its_files);
	tcase_add_loop_test(t, a_directory_in_the_place_of_a_file_is_an_error, 0, 2);
	tcase_add_loop_test(t, a_file_of_the_driver_has_a_link_at_its_place, 0, 2);
	tcase_add_test(t, a_place_of_the_callers_own_is_theirs_and_no_link);
	tcase_add_test(t, a_directory_of_the_images_stays_in_the_place_of_a_link);
	tcase_add_loop_test(t, a_file_has_no_place_of_a_directory_of_cess, 0, 5);
	tcase_add_test(t, a_step_that_fails_is_the_last_and_is_reported);
	tcase_add_test(t, the_longest_destination_is_made_whole);
	tcase_add_test(t, a_trailing_slash_changes_nothing);
	tcase_add_test(t, a_name_that_no_directory_can_have_is_an_error);
	tcase_add_test(t, without_a_tree_nothing_is_made);
	return run_suite("inside_tree", t);
}
