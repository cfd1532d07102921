/* Tests that what a caller binds is opened with the caller's rights alone, except a directory that
 * their own containers gave away, and that nothing but directories and files is opened. The ids of
 * this process are noted and not changed. */
/* links: helper/session/caller_bind.c helper/core/caller.c helper/core/caller_open.c */
/* links: helper/core/beneath.c helper/session/idmap.c helper/session/lock.c */
/* links: helper/clean/tree.c */
#include "helper/session/caller_bind.h"

#include <check.h>
#include <dlfcn.h>
#include <grp.h>
#include <linux/openat2.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>

#include "tests/unit/policy_fixture.h"
#include "tests/unit/session_scene.h"
#include "tests/unit/session_steps.h"

static struct ces_error err;
static bool no_read, no_way; /* the caller may not open, may not even walk to what they name */
static int fail_fstat, fail_fchmod;

/* ---- the kernel's part ---- */

static uid_t fsuid;
static gid_t fsgid;

int setfsuid(uid_t uid)
{
	uid_t before = fsuid;

	if (uid != (uid_t)-1) {
		(void)step("fsuid %u", uid);
		fsuid = uid;
	}
	return (int)before;
}

int setfsgid(gid_t gid)
{
	gid_t before = fsgid;

	if (gid != (gid_t)-1)
		fsgid = gid;
	return (int)before;
}

int setgroups(size_t n, const gid_t *groups)
{
	return step("groups %zu %u", n, n > 0 ? groups[0] : 0);
}

/* Notes how a path is opened, and refuses the caller what is not theirs. */
long syscall(long number, ...)
{
	static long (*next)(long, ...);
	long a, b, c, d;
	va_list rest;

	if (next == NULL)
		*(void **)&next = dlsym(RTLD_NEXT, "syscall");
	va_start(rest, number);
	a = va_arg(rest, long);
	b = va_arg(rest, long);
	c = va_arg(rest, long);
	d = va_arg(rest, long);
	va_end(rest);
	if (number == SYS_openat2) {
		uint64_t flags = ((const struct open_how *)c)->flags;

		(void)step("open%s%s%s", flags & O_PATH ? " path" : "",
			   flags & O_NONBLOCK ? " nonblock" : "",
			   flags & O_NOCTTY ? " noctty" : "");
		errno = EACCES;
		if (fsuid != 0 && (no_way || (no_read && (flags & O_PATH) == 0)))
			return -1;
	}
	return next(number, a, b, c, d, 0, 0);
}

int openat(int dir, const char *path, int flags, ...)
{
	(void)step("openat %s", path);
	ck_assert_int_eq(flags, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return (int)syscall(SYS_openat, dir, path, flags, 0);
}

int mkdirat(int dir, const char *name, mode_t mode)
{
	(void)step("mkdir %o", mode);
	return (int)syscall(SYS_mkdirat, dir, name, mode);
}

int fstat(int fd, struct stat *st)
{
	errno = ESTALE;
	return fail_fstat ? -1 : (int)syscall(SYS_newfstatat, fd, "", st, AT_EMPTY_PATH);
}

int fchmod(int fd, mode_t mode)
{
	(void)step("fchmod %o", mode);
	errno = EPERM;
	return fail_fchmod ? -1 : (int)syscall(SYS_fchmod, fd, mode);
}

/* ---- binds ---- */

static gid_t groups[] = {4411, 4401};
static const struct ces_caller ann = {
    .uid = 4401, .gid = 4402, .user = (char *)"ann", .groups = groups, .n_groups = 2};
static struct ces_idmap map;
static char path[80];

static const char *at(const char *name)
{
	(void)snprintf(path, sizeof(path), "%s/%s", directory_path, name);
	return path;
}

static void set_up(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	CES_CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	directory_begin();
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", at("socket"));
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	steps_begin(0, EPERM);
	map = (struct ces_idmap){.uid = {.v = {{1, geteuid(), 1}}, .n = 1},
				 .gid = {.v = {{1, getegid(), 1}}, .n = 1}};
	ck_assert_int_eq(mkdir(at("directory"), 0700), 0);
	write_text(at("file"), "x");
	ck_assert_int_eq(mkfifo(at("fifo"), 0600), 0);
	ck_assert_int_eq(symlink("directory", at("link")), 0);
	steps_begin(0, EPERM);
}

static void tear_down(void)
{
	ck_assert_uint_eq(fsuid, 0);
	ck_assert_uint_eq(fsgid, 0);
	fail_fstat = 0;
	ck_assert_int_eq(unlink(at("file")), 0);
	ck_assert_int_eq(unlink(at("fifo")), 0);
	ck_assert_int_eq(unlink(at("socket")), 0);
	ck_assert_int_eq(unlink(at("link")), 0);
	ck_assert_int_eq(rmdir(at("directory")), 0);
	directory_end();
}

static int bind_it(const char *what, bool *file, int *fd)
{
	*fd = -7;
	*file = false;
	return ces_caller_open_bind(&ann, &map, what, file, fd, &err);
}

#define ENTER "groups 2 4411\nfsuid 4401\n"
#define LEAVE "fsuid 0\ngroups 0 0\n"

START_TEST(what_the_caller_may_open_is_opened_with_the_callers_rights)
{
	size_t fds = open_fds();
	struct stat st;
	bool file;
	int fd;

	steps_begin(0, EPERM);
	ck_assert_msg(bind_it(at(_i == 0 ? "directory" : "file"), &file, &fd) == 0, "%s", err.text);
	steps_are(ENTER "open nonblock noctty\n" LEAVE, 0);
	ck_assert(file == (_i == 1));
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert(_i == 0 ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode));
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	ck_assert_uint_eq(open_fds(), fds);
}
END_TEST

START_TEST(a_directory_that_their_containers_gave_away_is_opened_as_root)
{
	bool file;
	int fd;

	no_read = true;
	ck_assert_msg(bind_it(at("directory"), &file, &fd) == 0, "%s", err.text);
	steps_are(ENTER "open nonblock noctty\nopen path\n" LEAVE "openat .\n", 0);
	ck_assert(!file);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
}
END_TEST

static const struct {
	const char *name;
	bool no_uid, no_gid, no_way;
} foreign[] = {
    {"directory", true, false, false}, {"directory", false, true, false},
    {"directory", false, false, true}, {"file", false, false, false},
    {"fifo", false, false, false},
};

START_TEST(nothing_else_of_somebody_elses_is_opened_as_root)
{
	size_t fds = open_fds();
	bool file = true;
	int fd;

	no_read = true;
	no_way = foreign[_i].no_way;
	if (foreign[_i].no_uid)
		map.uid.v[0].outside++;
	if (foreign[_i].no_gid)
		map.gid.v[0].outside++;
	ck_assert_int_eq(bind_it(at(foreign[_i].name), &file, &fd), -1);
	ck_assert_ptr_null(strstr(steps->lines, "openat"));
	ck_assert_int_eq(err.code, CES_E_NOTFOUND); /* as what is not there */
	ck_assert_ptr_nonnull(strstr(err.text, "does not exist or is not open to you"));
	ck_assert_int_eq(fd, -7);
	ck_assert(!file);
	ck_assert_uint_eq(open_fds(), fds);
}
END_TEST

static const struct {
	const char *name;
	enum ces_code code;
	const char *text;
} refused[] = {
    {"none", CES_E_NOTFOUND, "does not exist or is not open to you"},
    {"file/x", CES_E_NOTFOUND, "does not exist or is not open to you"},
    {"fifo", CES_E_NOTFOUND, "is neither a directory nor an ordinary file"},
    {"link", CES_E_HOST, "a symbolic link that others than root can set"},
    {"link/x", CES_E_HOST, "a symbolic link that others than root can set"},
    {"directory/../../../../../../x", CES_E_HOST, "a symbolic link that others"},
    {"socket", CES_E_HOST, "No such device or address"},
    {"/dev/null", CES_E_NOTFOUND, "is neither a directory nor an ordinary file"},
    {"/proc", CES_E_HOST, "is on a kind of file system (0x9fa0) that CES does not use"},
};

START_TEST(what_is_no_directory_and_no_file_is_not_bound)
{
	size_t fds = open_fds();
	const char *name = refused[_i].name;
	bool file = true;
	int fd;

	ck_assert_int_eq(bind_it(name[0] == '/' ? name : at(name), &file, &fd), -1);
	ck_assert_int_eq(err.code, refused[_i].code);
	ck_assert_msg(strstr(err.text, refused[_i].text) != NULL, "%s", err.text);
	ck_assert_int_eq(fd, -7);
	ck_assert_uint_eq(open_fds(), fds);
}
END_TEST

/* (a file server may fail at any call) */
START_TEST(what_nobody_knows_the_kind_of_is_not_bound)
{
	size_t fds = open_fds();
	bool file;
	int fd;

	fail_fstat = 1;
	ck_assert_int_eq(bind_it(at("fifo"), &file, &fd), -1);
	no_read = true;
	ck_assert_int_eq(bind_it(at("directory"), &file, &fd), -1);
	ck_assert_ptr_null(strstr(steps->lines, "openat"));
	ck_assert_uint_eq(open_fds(), fds);
}
END_TEST

/* ---- a directory for all users of the container ---- */

static int common(const char *name, int *fd)
{
	*fd = -7;
	return ces_caller_open_common(&ann, directory, name, fd, &err);
}

START_TEST(a_common_directory_is_made_by_the_caller_for_everybody)
{
	size_t fds = open_fds();
	int fd;

	(void)umask(077);
	for (int i = 0; i < 2; i++) { /* new, then there already */
		steps_begin(0, EPERM);
		ck_assert_msg(common("common", &fd) == 0, "%s", err.text);
		steps_are(ENTER "mkdir 700\nopen\nfchmod 1777\n" LEAVE, 0);
		ck_assert_int_eq(mode_of(at("common")), S_IFDIR | 01777);
		ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
		close(fd);
		ck_assert_int_eq(chmod(at("common"), 0700), 0);
	}
	fail_fchmod = 1;
	ck_assert_int_eq(common("common", &fd), -1);
	ck_assert_str_eq(err.text, "making common: Operation not permitted");
	ck_assert_int_eq(fd, -7);
	ck_assert_uint_eq(open_fds(), fds);
	ck_assert_int_eq(rmdir(at("common")), 0);
}
END_TEST

static const struct {
	const char *name, *text;
} no_common[] = {
    {"file", "making file: Not a directory"},
    {"fifo", "making fifo: Not a directory"},
    {"link", "making link: Too many levels of symbolic links"},
    {"none/x", "making none/x: No such file or directory"},
};

START_TEST(what_is_there_already_and_no_directory_gets_no_other_mode)
{
	size_t fds = open_fds();
	mode_t before = mode_of(at("directory"));
	int fd;

	ck_assert_int_eq(common(no_common[_i].name, &fd), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_str_eq(err.text, no_common[_i].text);
	ck_assert_ptr_null(strstr(steps->lines, "fchmod"));
	ck_assert_int_eq(mode_of(at("directory")), before);
	ck_assert_uint_eq(open_fds(), fds);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("caller bind");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, what_the_caller_may_open_is_opened_with_the_callers_rights, 0, 2);
	tcase_add_test(t, a_directory_that_their_containers_gave_away_is_opened_as_root);
	tcase_add_loop_test(t, nothing_else_of_somebody_elses_is_opened_as_root, 0,
			    CES_COUNT(foreign));
	tcase_add_loop_test(t, what_is_no_directory_and_no_file_is_not_bound, 0,
			    CES_COUNT(refused));
	tcase_add_test(t, what_nobody_knows_the_kind_of_is_not_bound);
	tcase_add_test(t, a_common_directory_is_made_by_the_caller_for_everybody);
	tcase_add_loop_test(t, what_is_there_already_and_no_directory_gets_no_other_mode, 0,
			    CES_COUNT(no_common));
	return run_suite("caller bind", t);
}
