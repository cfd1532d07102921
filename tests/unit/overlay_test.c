/* Tests that an unpacker's report about a layer marks directories of that layer and nothing else,
 * whatever it contains. */
/* links: helper/launch/overlay.c helper/core/beneath.c helper/core/capability.c */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/launch/overlay.h"

/* base/fs is the layer; a report must not reach base/outside. */
static char base[64];
static struct ces_error err;

static void setup(void)
{
	strcpy(base, "/tmp/ces-overlay-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	ck_assert_int_eq(chdir(base), 0);
	ck_assert_int_eq(mkdir("outside", 0755), 0);
	ck_assert_int_eq(mkdir("fs", 0755), 0);
	ck_assert_int_eq(mkdir("fs/a", 0755), 0);
	ck_assert_int_eq(mkdir("fs/a/b", 0), 0);
	ck_assert_int_eq(symlink("../outside", "fs/out"), 0);
	ck_assert_int_eq(symlink("a", "fs/in"), 0);
	ck_assert_int_eq(mkfifo("fs/fifo", 0644), 0);
	memset(&err, 0, sizeof(err));
}

static void teardown(void)
{
	char command[128];

	ck_assert_int_eq(chdir("/"), 0);
	snprintf(command, sizeof(command), "rm -rf %s", base);
	ck_assert_int_eq(system(command), 0);
}

static int mark(const char *path)
{
	CES_CLEANUP_FD int fs = open("fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return ces_overlay_mark(fs, path, &err);
}

static bool marked(const char *path)
{
	char value[4];

	return getxattr(path, "trusted.overlay.opaque", value, sizeof(value)) == 1;
}

START_TEST(a_directory_of_the_layer_is_marked)
{
	CES_CLEANUP_FD int fs = open("fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (geteuid() != 0)
		return; /* only root may set trusted.* attributes */
	ck_assert_int_eq(mark("a/b"), 0);
	ck_assert(marked("fs/a/b") && !marked("fs/a"));
	ck_assert(!ces_overlay_is_bottom(fs));
	ck_assert_int_eq(mark(""), 0);
	ck_assert(ces_overlay_is_bottom(fs));
	ck_assert_int_eq(mark(""), 0);
}
END_TEST

static const char *const wrong[] = {"../outside", "a/../../outside", "out", "out/x", "in",
				    "fifo",       "absent",          ".."};

START_TEST(a_path_that_is_no_directory_of_the_layer_is_refused)
{
	ck_assert_msg(mark(wrong[_i]) < 0, "%s", wrong[_i]);
	ck_assert(!marked("outside") && !marked(".") && !marked("fs/a"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("overlay");
	TCase *tests = tcase_create("marks");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, a_directory_of_the_layer_is_marked);
	tcase_add_loop_test(tests, a_path_that_is_no_directory_of_the_layer_is_refused, 0,
			    CES_COUNT(wrong));
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
