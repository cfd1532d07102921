/* Tests how a caller is looked up, and how their directories are opened: with their rights, and
 * with no more. */
/* links: helper/core/who.c helper/core/caller.c helper/core/caller_open.c helper/core/beneath.c helper/admit/facts.c */
#include "helper/core/caller_open.h"

#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/paths.h"
#include "helper/admit/facts.h"
#include "helper/core/order.h"
#include "tests/unit/directory.h"
#include "tests/unit/noted.h"
#include "tests/unit/policy_fixture.h"

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* ---- the user database ---- */

static struct passwd ann = {.pw_name = (char *)(uintptr_t) "ann",
			    .pw_dir = (char *)(uintptr_t) "/home/ann",
			    .pw_uid = 1000,
			    .pw_gid = 100};
static bool silent;
static int n_groups = 3;

struct passwd *getpwuid(uid_t uid)
{
	return uid == 1000 && !silent ? &ann : NULL;
}

int getgrouplist(const char *user, gid_t group, gid_t *groups, int *n)
{
	int room = *n;

	ck_assert_str_eq(user, "ann");
	ck_assert_uint_eq(group, 100);
	*n = n_groups;
	for (int i = 0; i < n_groups && i < room; i++)
		groups[i] = (gid_t)(100 + i);
	return n_groups > room ? -1 : n_groups;
}

/* (a group without a name is one of a server that does not answer) */
struct group *getgrgid(gid_t gid)
{
	static struct group group;
	static char name[16];

	(void)snprintf(name, sizeof(name), "g%u", gid);
	group.gr_name = name;
	return gid == 101 ? NULL : &group;
}

static struct ces_caller caller;
static struct ces_error err;

START_TEST(a_caller_is_what_the_database_says)
{
	ck_assert_int_eq(ces_caller_load(1000, &caller, &err), 0);
	ck_assert_uint_eq(caller.uid, 1000);
	ck_assert_uint_eq(caller.gid, 100);
	ck_assert_str_eq(caller.user, "ann");
	ck_assert_str_eq(caller.home, "/home/ann");
	ck_assert_uint_eq(caller.n_groups, 3);
	ck_assert_uint_eq(caller.groups[2], 102);
	ck_assert_str_eq(caller.group_names[0], "g100");
	ck_assert_ptr_null(caller.group_names[1]);
	ck_assert_str_eq(caller.group_names[2], "g102");
}
END_TEST

START_TEST(root_is_no_caller)
{
	ck_assert_int_eq(ces_caller_load(0, &caller, &err), -1);
	ck_assert_int_eq(err.code, CES_E_USAGE);
	ck_assert_ptr_null(caller.user);
}
END_TEST

START_TEST(a_uid_without_an_entry_is_no_caller)
{
	silent = _i == 0;
	ck_assert_int_eq(ces_caller_load(_i == 0 ? 1000 : (uid_t)-1, &caller, &err), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_str_eq(err.text, _i == 0 ? "uid 1000 is not in the user database"
					   : "uid 4294967295 is not in the user database");
}
END_TEST

START_TEST(a_caller_has_at_most_1024_groups)
{
	n_groups = CES_GROUPS_MAX;
	ck_assert_int_eq(ces_caller_load(1000, &caller, &err), 0);
	ck_assert_uint_eq(caller.n_groups, CES_GROUPS_MAX);
	ck_assert_uint_eq(caller.groups[CES_GROUPS_MAX - 1], 100 + CES_GROUPS_MAX - 1);
	caller = (struct ces_caller){0};
	n_groups++;
	ck_assert_int_eq(ces_caller_load(1000, &caller, &err), -1);
	ck_assert_str_eq(err.text, "you are in more than 1024 groups");
	ck_assert_ptr_null(caller.user);
}
END_TEST

/* ---- the caller's rights ---- */

static int status_of(void (*work)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		work();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void enter_and_leave(void)
{
	ces_caller_enter(&caller);
	note("%s", by());
	ces_caller_leave();
	note("%s", by());
}

START_TEST(rights_are_taken_on_and_left_whole)
{
	caller = (struct ces_caller){.uid = 1000, .gid = 100, .n_groups = 5};
	ck_assert_int_eq(status_of(enter_and_leave), 0);
	NOTED("caller 1000:100+5\nroot\n");
}
END_TEST

/* An impossible id changes nothing, and the kernel says nothing. */
START_TEST(a_process_with_unknown_rights_ends)
{
	caller = (struct ces_caller){.uid = (uid_t)-1, .gid = 100};
	if (_i == 1)
		caller = (struct ces_caller){.uid = 1000, .gid = (gid_t)-1};
	ck_assert_int_eq(status_of(enter_and_leave), CES_EXIT_REFUSED);
	NOTED("");
}
END_TEST

/* ---- the caller's directories ---- */

static char path[200];
static int fails_with; /* errno of the open of the last name */

static const char *at(const char *name)
{
	(void)snprintf(path, sizeof(path), "%s/%s", directory_path, name);
	return path;
}

/* The name below the test's directory, which paths name without their first slash. */
static const char *below(const char *name)
{
	size_t length = strlen(directory_path + 1);

	if (strncmp(name, directory_path + 1, length) != 0)
		return name;
	return name[length] == '\0' ? "/" : name + length;
}

/* Notes with whose rights a way is opened (openat2(2)). */
long syscall(long number, ...)
{
	static long (*real)(long, ...);
	const char *name;
	long v[4];
	va_list values;

	va_start(values, number);
	for (size_t i = 0; i < CES_COUNT(v); i++)
		v[i] = va_arg(values, long);
	va_end(values);
	if (real == NULL)
		*(void **)(&real) = dlsym(RTLD_NEXT, "syscall");
	ck_assert_int_eq(number, SYS_openat2);
	name = below((const char *)v[1]);
	note("%s opens %s", by(), name);
	if (fails_with != 0 && strstr(name, "x") != NULL) {
		errno = fails_with;
		return -1;
	}
	return real(number, v[0], v[1], v[2], v[3]);
}

int mkdirat(int dir, const char *name, mode_t mode)
{
	static int (*real)(int, const char *, mode_t);

	if (real == NULL)
		*(void **)(&real) = dlsym(RTLD_NEXT, "mkdirat");
	note("%s makes %s with %o", by(), name, mode);
	return real(dir, name, mode);
}

static void begin(void)
{
	directory_begin();
	noted_begin();
	caller = (struct ces_caller){.uid = 1000, .gid = 100, .n_groups = 2};
	caller.home = directory_path;
}

static void end(void)
{
	static const char *const names[] = {"x", "x/y"};

	for (size_t i = CES_COUNT(names); i-- > 0;)
		if (unlinkat(directory, names[i], AT_REMOVEDIR) < 0)
			(void)unlinkat(directory, names[i], 0);
	directory_end();
}

#define CALLER "caller 1000:100+2 "

START_TEST(a_directory_and_its_parent_are_opened_with_the_callers_rights)
{
	int parent = -1, fd = -1;
	struct stat st, own;

	ck_assert_int_eq(mkdirat(directory, "x", 0755), 0);
	noted->text[0] = '\0';
	ck_assert_int_eq(ces_caller_open(&caller, at("x"), false, &parent, &fd, &err), 0);
	NOTED(CALLER "opens /\n" CALLER "opens /x\n");
	ck_assert_str_eq(by(), "root");
	ck_assert_int_eq(fstat(parent, &st), 0);
	ck_assert_int_eq(fstat(directory, &own), 0);
	ck_assert_uint_eq(st.st_ino, own.st_ino);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(parent, F_GETFD), FD_CLOEXEC);
	/* (an fd by O_PATH would not have asked whether they may read it) */
	ck_assert_int_eq(fcntl(fd, F_GETFL) & (O_PATH | O_ACCMODE), O_RDONLY);
	close(parent);
	close(fd);
}
END_TEST

START_TEST(a_missing_directory_is_made_where_that_is_asked_for)
{
	int parent = -1, fd = -1;
	struct stat st;

	ck_assert_int_eq(ces_caller_open(&caller, at("x"), true, &parent, &fd, &err), 0);
	NOTED(CALLER "opens /\n" CALLER "opens /x\n" CALLER "makes x with 700\n" CALLER
		     "opens x\n");
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	close(parent);
	close(fd);
}
END_TEST

START_TEST(a_missing_directory_is_not_made_otherwise)
{
	int parent = -1, fd = -1, open = count_fds();

	if (_i == 0) {
		ck_assert_int_eq(ces_caller_open(&caller, at("x"), false, &parent, &fd, &err), -1);
		close(parent);
	} else {
		ck_assert_int_eq(ces_caller_open(&caller, at("x"), true, NULL, &fd, &err), -1);
	}
	ck_assert_int_eq(err.code, CES_E_NOTFOUND);
	ck_assert_int_eq(fd, -1);
	ck_assert_ptr_null(strstr(noted->text, "makes"));
	ck_assert_int_eq(count_fds(), open);
	ck_assert_str_eq(by(), "root");
}
END_TEST

START_TEST(no_parent_is_an_error_of_the_policy)
{
	static const char *const paths[] = {"/x", "/", "x", ""};
	int parent = -1, fd = -1;

	ck_assert_int_eq(ces_caller_open(&caller, paths[_i], true, &parent, &fd, &err), -1);
	ck_assert_int_eq(err.code, CES_E_POLICY);
	NOTED("");
}
END_TEST

START_TEST(a_missing_parent_is_not_made)
{
	int parent = -1, fd = -1;

	ck_assert_int_eq(ces_caller_open(&caller, at("x/y"), true, &parent, &fd, &err), -1);
	ck_assert_int_eq(err.code, CES_E_NOTFOUND);
	ck_assert_int_eq(parent, -1);
	NOTED(CALLER "opens /x\n");
	ck_assert_str_eq(by(), "root");
}
END_TEST

/* A link that anyone but root can have made is not followed. */
START_TEST(a_link_is_refused_and_nothing_is_made_behind_it)
{
	int parent = -1, fd = -1;

	ck_assert_int_eq(symlinkat("/nowhere", directory, "x"), 0);
	ck_assert_int_eq(ces_caller_open(&caller, at("x"), true, &parent, &fd, &err), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_int_eq(fd, -1);
	ck_assert_int_ne(faccessat(AT_FDCWD, "/nowhere", F_OK, 0), 0);
	close(parent);
}
END_TEST

START_TEST(a_file_is_no_directory)
{
	int fd = openat(directory, "x", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	close(fd);
	fd = -1;
	ck_assert_int_eq(ces_caller_open(&caller, at("x"), false, NULL, &fd, &err), -1);
	ck_assert_int_eq(err.code, CES_E_NOTFOUND);
	ck_assert_int_eq(fd, -1);
}
END_TEST

static const struct {
	int number;
	enum ces_code code;
	const char *says;
} errors[] = {
    /* one answer for what is not there and what they may not see */
    {ENOENT, CES_E_NOTFOUND, "/x does not exist or is not open to you"},
    {EACCES, CES_E_NOTFOUND, "/x does not exist or is not open to you"},
    {ENOTDIR, CES_E_NOTFOUND, "/x does not exist or is not open to you"},
    {ELOOP, CES_E_HOST, "a part of this path is a symbolic link"},
    {EXDEV, CES_E_HOST, "a part of this path is a symbolic link"},
    {EIO, CES_E_HOST, "/x: Input/output error"},
    {ESTALE, CES_E_HOST, "/x: Stale file handle"},
    {EMFILE, CES_E_HOST, "/x: Too many open files"},
};

START_TEST(what_went_wrong_is_said_and_nothing_stays_open)
{
	int fd = -1, parent = -1, open = count_fds();

	fails_with = errors[_i].number;
	ck_assert_int_eq(
	    ces_caller_open(&caller, at("x"), fails_with != ENOENT, &parent, &fd, &err), -1);
	ck_assert_ptr_null(strstr(noted->text, "makes"));
	close(parent);
	ck_assert_int_eq(err.code, errors[_i].code);
	ck_assert_ptr_nonnull(strstr(err.text, errors[_i].says));
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(count_fds(), open);
	ck_assert_str_eq(by(), "root");
}
END_TEST

START_TEST(a_file_system_that_a_caller_can_make_is_refused)
{
	static const char *const places[] = {"/proc", "/sys"};
	int fd = -1, open = count_fds();

	ck_assert_int_eq(ces_caller_open(&caller, places[_i], false, NULL, &fd, &err), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_ptr_nonnull(strstr(err.text, "is on a kind of file system"));
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(count_fds(), open);
}
END_TEST

/* ---- facts ---- */

START_TEST(facts_are_looked_at_with_the_callers_rights)
{
	char *names[] = {(char *)(uintptr_t) "safe_x", (char *)(uintptr_t) "safe_gone", NULL,
			 (char *)(uintptr_t) "other"};
	char *prefixes[] = {(char *)(uintptr_t) "safe_"};
	gid_t ids[] = {1, 2, 3, 4};
	struct ces_policy policy = {
	    .infer = _i == 0, .infer_base = directory_path, .infer_prefixes = {prefixes, 1}};
	struct ces_facts facts;
	int open = count_fds();

	caller.groups = ids;
	caller.group_names = names;
	caller.n_groups = 4;
	ck_assert_int_eq(mkdirat(directory, "x", 0700), 0);
	noted->text[0] = '\0';
	ces_facts_gather(&policy, &caller, &facts);
	ck_assert(!facts.home_data);
	ck_assert_uint_eq(facts.inferred.n, _i == 0 ? 1 : 0);
	if (_i == 0) {
		ck_assert_str_eq(facts.inferred.v[0], "x");
		NOTED("caller 1000:100+4 opens /x\ncaller 1000:100+4 opens /gone\n"
		      "caller 1000:100+4 opens /safe_data\n");
	} else {
		NOTED("caller 1000:100+4 opens /safe_data\n");
	}
	ck_assert_int_eq(count_fds(), open);
}
END_TEST

START_TEST(the_last_of_many_groups_is_looked_at_too)
{
	static char *names[70], text[70][16];
	static gid_t ids[70];
	char *prefixes[] = {(char *)(uintptr_t) "", (char *)(uintptr_t) "safe_"};
	struct ces_policy policy = {
	    .infer = true, .infer_base = directory_path, .infer_prefixes = {prefixes, 2}};
	struct ces_facts facts;

	for (size_t i = 0; i < 70; i++) {
		ck_assert_int_gt(snprintf(text[i], sizeof(text[i]), "safe_%zu", i), 0);
		names[i] = text[i];
	}
	caller.groups = ids;
	caller.group_names = names;
	caller.n_groups = 70;
	ck_assert_int_eq(mkdirat(directory, "69", 0700), 0);
	ces_facts_gather(&policy, &caller, &facts);
	ck_assert_uint_eq(facts.inferred.n, 1);
	ck_assert_str_eq(facts.inferred.v[0], "69");
	ck_assert_int_eq(unlinkat(directory, "69", AT_REMOVEDIR), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("caller");
	TCase *t = tcase_create("who"), *files = tcase_create("files");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(t, noted_begin, NULL);
	tcase_add_test(t, a_caller_is_what_the_database_says);
	tcase_add_test(t, root_is_no_caller);
	tcase_add_loop_test(t, a_uid_without_an_entry_is_no_caller, 0, 2);
	tcase_add_test(t, a_caller_has_at_most_1024_groups);
	tcase_add_test(t, rights_are_taken_on_and_left_whole);
	tcase_add_loop_test(t, a_process_with_unknown_rights_ends, 0, 2);
	tcase_add_checked_fixture(files, begin, end);
	tcase_add_test(files, a_directory_and_its_parent_are_opened_with_the_callers_rights);
	tcase_add_test(files, a_missing_directory_is_made_where_that_is_asked_for);
	tcase_add_loop_test(files, a_missing_directory_is_not_made_otherwise, 0, 2);
	tcase_add_loop_test(files, no_parent_is_an_error_of_the_policy, 0, 4);
	tcase_add_test(files, a_missing_parent_is_not_made);
	tcase_add_test(files, a_link_is_refused_and_nothing_is_made_behind_it);
	tcase_add_test(files, a_file_is_no_directory);
	tcase_add_loop_test(files, what_went_wrong_is_said_and_nothing_stays_open, 0,
			    CES_COUNT(errors));
	tcase_add_loop_test(files, a_file_system_that_a_caller_can_make_is_refused, 0, 2);
	tcase_add_loop_test(files, facts_are_looked_at_with_the_callers_rights, 0, 2);
	tcase_add_test(files, the_last_of_many_groups_is_looked_at_too);
	suite_add_tcase(suite, t);
	suite_add_tcase(suite, files);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
