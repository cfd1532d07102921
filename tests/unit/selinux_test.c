/* Tests the contexts of a run: which categories it gets, what is written where, and that nothing is
 * written where SELinux is off. The kernel's files are the test's own. */
/* links: helper/session/selinux.c helper/session/runs.c helper/session/object.c */
/* links: helper/clean/tree.c helper/core/beneath.c */
#include "helper/session/selinux.h"

#include <check.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "helper/session/runs.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/session_scene.h"
#include "tests/unit/session_steps.h"

#define CONTEXT "/sys/fs/selinux/context"
#define ATTR    "/proc/thread-self/attr/"

static struct ces_error err;

/* ---- the kernel's part ---- */

static int kernels = -1;       /* the fd of such a file */
static const char *known = ""; /* a type of the loaded policy */
static bool asks;              /* it is the file that answers whether a context is known */
static uint32_t random_pairs[8][2];
static unsigned n_pairs, drawn;
static const char *labels[3]; /* of fds 0 to 2 */

int open(const char *path, int flags, ...)
{
	va_list rest;
	int mode;

	va_start(rest, flags);
	mode = va_arg(rest, int);
	va_end(rest);
	if (strncmp(path, "/sys/fs/selinux/", 16) != 0 && strncmp(path, ATTR, strlen(ATTR)) != 0)
		return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	asks = strcmp(path, CONTEXT) == 0;
	ck_assert_int_eq(flags, (asks ? O_RDWR : O_WRONLY) | O_CLOEXEC);
	if (step("open %s", path) < 0)
		return -1;
	kernels = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
	return kernels;
}

ssize_t write(int fd, const void *bytes, size_t n)
{
	if (fd != kernels)
		return syscall(SYS_write, fd, bytes, n);
	if (step("write %.*s", (int)n, (const char *)bytes) < 0)
		return -1;
	errno = EINVAL;
	return asks && strstr(bytes, known) == NULL ? -1 : (ssize_t)n;
}

int close(int fd)
{
	if (fd == kernels)
		kernels = -1;
	return (int)syscall(SYS_close, fd);
}

ssize_t getrandom(void *buffer, size_t n, unsigned flags)
{
	/* (libc draws numbers of its own) */
	if (flags != 0 || n != sizeof(random_pairs[0]))
		return syscall(SYS_getrandom, buffer, n, flags);
	if (drawn == n_pairs)
		return -1;
	memcpy(buffer, random_pairs[drawn++], n);
	return (ssize_t)n;
}

ssize_t fgetxattr(int fd, const char *name, void *value, size_t size)
{
	ck_assert_str_eq(name, "security.selinux");
	if (labels[fd] == NULL)
		return -1;
	(void)snprintf(value, size, "%s", labels[fd]);
	return (ssize_t)strlen(labels[fd]);
}

int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)
{
	ck_assert_str_eq(name, "security.selinux");
	ck_assert_int_eq(flags, 0);
	return step("label %d %.*s", fd, (int)size, (const char *)value);
}

static void set_up(void)
{
	directory_begin();
	steps_begin(0, EACCES);
}

static void tear_down(void)
{
	ck_assert_int_eq(ces_tree_empty(directory), 0);
	directory_end();
}

static void pairs(const uint32_t (*v)[2], unsigned n)
{
	memcpy(random_pairs, v, n * sizeof(*v));
	n_pairs = n;
	drawn = 0;
}

/* Enters a run with these categories. Its helper lives until the fds are closed. */
static void enter(const char *run, uint64_t categories, int fds[2])
{
	const struct ces_run_record record = {.run = (char *)(uintptr_t)run,
					      .uid = 1,
					      .digest = (char *)D1,
					      .categories = categories};

	ck_assert_int_eq(ces_runs_enter(directory, &record, &fds[0], &fds[1], &err), 0);
}

static const struct ces_selinux off = {.pair = 5, .file_type = "container_file_t"};
static const struct ces_selinux on = {true, 1022 << 16 | 1023, "ces_container_file_t"};

#define FILES "system_u:object_r:ces_container_file_t:s0:c1022,c1023"

/* ---- choosing ---- */

static const struct {
	const char *known, *type, *steps;
} policies[] = {
    {":container_file_t:", "container_file_t",
     "open " CONTEXT "\nwrite system_u:object_r:container_file_t:s0:c3,c7\n"},
    {":ces_container_file_t:", "ces_container_file_t",
     "open " CONTEXT "\nwrite system_u:object_r:container_file_t:s0:c3,c7\n"
     "open " CONTEXT "\nwrite system_u:object_r:ces_container_file_t:s0:c3,c7\n"},
    {":other_t:", NULL,
     "open " CONTEXT "\nwrite system_u:object_r:container_file_t:s0:c3,c7\n"
     "open " CONTEXT "\nwrite system_u:object_r:ces_container_file_t:s0:c3,c7\n"},
};

START_TEST(a_run_gets_a_type_that_the_loaded_policy_knows_or_is_refused)
{
	static const uint32_t numbers[][2] = {{1024 + 7, 2048 + 3}};
	struct ces_selinux selinux = off;
	size_t fds = open_fds();

	pairs(numbers, 1);
	known = policies[_i].known;
	ck_assert_int_eq(ces_selinux_choose(true, directory, &selinux, &err),
			 policies[_i].type != NULL ? 0 : -1);
	steps_are(policies[_i].steps, 0);
	if (policies[_i].type != NULL) {
		ck_assert(selinux.on);
		ck_assert_uint_eq(selinux.pair, 3 << 16 | 7);
		ck_assert_str_eq(selinux.file_type, policies[_i].type);
	} else {
		ck_assert_int_eq(err.code, CES_E_HOST);
		ck_assert_uint_eq(selinux.pair, off.pair);
	}
	ck_assert_uint_eq(open_fds(), fds);
}
END_TEST

START_TEST(no_two_live_runs_have_the_same_categories_and_none_has_one_twice)
{
	static const uint32_t numbers[][2] = {
	    {5, 5}, {5, 1024 + 5}, {3, 7}, {7, 3}, {UINT32_MAX, UINT32_MAX - 1}};
	struct ces_selinux selinux;
	int live[2], dead[2], pull[2];

	enter("0123456789", 3 << 16 | 7, live);
	enter("1123456789", 1022 << 16 | 1023, dead);
	enter("pull-0123456789", 1022 << 16 | 1023, pull);
	close(dead[0]);
	close(dead[1]);
	pairs(numbers, CES_COUNT(numbers));
	known = "container_file_t";
	ck_assert_int_eq(ces_selinux_choose(true, directory, &selinux, &err), 0);
	ck_assert_uint_eq(drawn, CES_COUNT(numbers));
	ck_assert_uint_eq(selinux.pair, 1022 << 16 | 1023);
	for (int i = 0; i < 2; i++) {
		close(live[i]);
		close(pull[i]);
	}
}
END_TEST

START_TEST(without_chance_or_a_register_no_categories_are_chosen)
{
	static const uint32_t numbers[][2] = {{1, 2}};
	struct ces_selinux selinux = off;

	ck_assert_int_eq(ces_selinux_choose(true, directory, &selinux, &err), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	pairs(numbers, 1);
	ck_assert_int_eq(ces_selinux_choose(true, -1, &selinux, &err), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_uint_eq(selinux.pair, off.pair);
	steps_are("", 0);
}
END_TEST

START_TEST(a_policy_that_cannot_be_asked_knows_nothing)
{
	static const uint32_t numbers[][2] = {{1, 2}};
	struct ces_selinux selinux;

	steps_begin(1, ENOENT);
	pairs(numbers, 1);
	known = ":container_file_t:";
	ck_assert_int_eq(ces_selinux_choose(true, directory, &selinux, &err), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
}
END_TEST

/* ---- setting ---- */

START_TEST(where_selinux_is_off_nothing_is_set)
{
	struct ces_selinux selinux = on;
	char context[CES_SELINUX_CONTEXT] = "x";

	ck_assert_int_eq(ces_selinux_choose(false, -1, &selinux, &err), 0);
	ck_assert(!selinux.on);
	ces_selinux_file_context(&off, context);
	ck_assert_str_eq(context, "");
	ck_assert_int_eq(ces_selinux_share_stdio(&off), 0);
	ces_selinux_runtime_context(&off, strcpy(context, "x"));
	ck_assert_str_eq(context, "");
	ck_assert_int_eq(ces_selinux_create_private(&off, true), 0);
	ck_assert_int_eq(ces_selinux_create_private(&off, false), 0);
	steps_are("", 0);
}
END_TEST

START_TEST(files_and_the_runtime_get_the_runs_categories)
{
	char context[CES_SELINUX_CONTEXT];
	size_t fds = open_fds();

	ces_selinux_file_context(&on, context);
	ck_assert_str_eq(context, FILES);
	ces_selinux_runtime_context(&on, context);
	ck_assert_str_eq(context, "system_u:system_r:ces_runtime_t:s0:c1022,c1023");
	ck_assert_int_eq(ces_selinux_create_private(&on, true), 0);
	ck_assert_int_eq(ces_selinux_create_private(&on, false), 0);
	steps_are("open " ATTR "fscreate\nwrite " FILES "\n"
		  "open " ATTR "fscreate\nwrite \n\n",
		  0);
	for (unsigned fail = 1; fail <= 2; fail++) {
		steps_begin(fail, EACCES);
		ck_assert_int_eq(ces_selinux_create_private(&on, true), -1);
		steps_begin(fail, EACCES);
		ck_assert_int_eq(ces_selinux_create_private(&on, false), -1);
	}
	ck_assert_uint_eq(open_fds(), fds);
}
END_TEST

/* ---- the caller's pipes ---- */

/* Makes 0 a pipe, 1 and 2 another, or 2 a file. */
static void make_stdio(bool file)
{
	int one[2], two[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);

	ck_assert_int_eq(pipe2(one, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(two, O_CLOEXEC), 0);
	ck_assert_int_eq(dup2(one[0], 0), 0);
	ck_assert_int_eq(dup2(two[1], 1), 1);
	ck_assert_int_eq(dup2(file ? null : two[1], 2), 2);
	for (int i = 0; i < 2; i++)
		labels[i] = "user_u:user_r:user_t:s0-s0:c1";
	labels[2] = file ? "system_u:object_r:null_device_t:s0" : FILES;
}

START_TEST(the_callers_pipes_get_the_context_once_and_nothing_else_does)
{
	make_stdio(_i == 1);
	ck_assert_int_eq(ces_selinux_share_stdio(&on), 0);
	steps_are("label 0 " FILES "\nlabel 1 " FILES "\n", 0);
	labels[1] = NULL; /* it has none that can be read */
	steps_begin(2, EACCES);
	ck_assert_int_eq(ces_selinux_share_stdio(&on), -1);
	steps_are("label 0 " FILES "\nlabel 1 " FILES "\n", 0);
	close(1);
	steps_begin(0, 0);
	ck_assert_int_eq(ces_selinux_share_stdio(&on), -1);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("selinux");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, a_run_gets_a_type_that_the_loaded_policy_knows_or_is_refused, 0,
			    CES_COUNT(policies));
	tcase_add_test(t, no_two_live_runs_have_the_same_categories_and_none_has_one_twice);
	tcase_add_test(t, without_chance_or_a_register_no_categories_are_chosen);
	tcase_add_test(t, a_policy_that_cannot_be_asked_knows_nothing);
	tcase_add_test(t, where_selinux_is_off_nothing_is_set);
	tcase_add_test(t, files_and_the_runtime_get_the_runs_categories);
	tcase_add_loop_test(t, the_callers_pipes_get_the_context_once_and_nothing_else_does, 0, 2);
	return run_suite("selinux", t);
}
