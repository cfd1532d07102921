/* Tests paths with links. For links that root made it uses this machine's own /bin or /lib. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/way.h"
#include "tests/unit/directory.h"
#include "tests/unit/policy_fixture.h"

static char plain[CES_WAY_MAX], path[CES_WAY_MAX];

static void tear_down(void)
{
	(void)unlinkat(directory, "link", 0);
	(void)unlinkat(directory, "self", 0);
	directory_end();
}

static const char *below(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", directory_path, name);
	return path;
}

static int opens(const char *name)
{
	int fd = ces_way_open(name, O_PATH);

	if (fd >= 0)
		close(fd);
	return fd >= 0 ? 0 : errno;
}

START_TEST(a_path_without_links_is_unchanged)
{
	ck_assert_int_eq(ces_way_plain("/usr/./share//", plain), 0);
	ck_assert_str_eq(plain, "/usr/share");
	ck_assert_int_eq(opens("/usr/share"), 0);
	ck_assert_int_eq(ces_way_plain(below("not/here"), plain), 0);
	ck_assert_str_eq(plain, path);
	ck_assert_int_eq(opens(path), ENOENT);
}
END_TEST

START_TEST(a_link_that_root_made_is_followed)
{
	struct stat st;

	/* (with a merged /usr, as on nearly every machine) */
	if (lstat("/bin", &st) < 0 || !S_ISLNK(st.st_mode))
		return;
	ck_assert_int_eq(ces_way_plain("/bin/sub", plain) < 0 ? errno : 0, ENOENT);
	ck_assert_int_eq(opens("/bin"), 0);
	ck_assert_int_eq(ces_way_plain("/bin", plain), 0);
	ck_assert_str_eq(plain, "/usr/bin");
}
END_TEST

START_TEST(a_link_in_a_directory_that_others_can_write_is_not_followed)
{
	ck_assert_int_eq(symlink("/usr", below("link")), 0);
	ck_assert_int_eq(opens(path), ELOOP);
	ck_assert_int_eq(symlink("self", below("self")), 0);
	ck_assert_int_eq(opens(path), ELOOP);
}
END_TEST

START_TEST(a_path_that_leads_up_stays_below_the_root)
{
	ck_assert_int_eq(ces_way_plain("/usr/../usr/bin", plain), 0);
	ck_assert_str_eq(plain, "/usr/bin");
	ck_assert_int_eq(ces_way_plain("/../..", plain), 0);
	ck_assert_str_eq(plain, "");
}
END_TEST

START_TEST(a_path_that_is_too_long_is_refused)
{
	static char name[CES_WAY_MAX + 10];

	memset(name, 'a', sizeof(name) - 1);
	name[0] = '/';
	ck_assert_int_eq(ces_way_plain(name, plain), -1);
	ck_assert_int_eq(errno, ENAMETOOLONG);
}
END_TEST

START_TEST(a_kernel_file_system_holds_no_data)
{
	int proc = open("/proc", O_PATH), own = open(directory_path, O_PATH);
	unsigned kind = 0;

	ck_assert(!ces_way_holds_data(proc, &kind));
	ck_assert_uint_eq(kind, 0x9fa0);
	ck_assert(ces_way_holds_data(own, &kind));
	ck_assert(!ces_way_holds_data(-1, &kind));
	close(proc);
	close(own);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("way");

	tcase_add_checked_fixture(t, directory_begin, tear_down);
	tcase_add_test(t, a_path_without_links_is_unchanged);
	tcase_add_test(t, a_link_that_root_made_is_followed);
	tcase_add_test(t, a_link_in_a_directory_that_others_can_write_is_not_followed);
	tcase_add_test(t, a_path_that_leads_up_stays_below_the_root);
	tcase_add_test(t, a_path_that_is_too_long_is_refused);
	tcase_add_test(t, a_kernel_file_system_holds_no_data);
	return run_suite("way", t);
}
