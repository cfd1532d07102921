/* Tests how a worker comes to be: what its process gives up, in which order, and that the program
 * begins only if each step was done. The steps need root, so they are noted and not taken. */
/* links: helper/core/spawn.c */
#include "helper/core/spawn.h"

#include <check.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <pwd.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/paths.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/steps.h"

#define USERNS 901
#define NETNS  902

static struct ces_error err;

/* What the kernel says after the change, if it is not what was asked for. */
static uid_t kept_uid;
static gid_t kept_gid;
static int kept_groups;
static bool root_comes_back;
static struct passwd *entry;
static uint64_t namespaces; /* of the process that was cloned last */

/* ---- stand-ins ---- */

int prctl(int option, ...)
{
	va_list values;
	unsigned long value;

	va_start(values, option);
	value = va_arg(values, unsigned long);
	va_end(values);
	if (steps == NULL)
		return 0; /* (a library's, before main) */
	return step("prctl %s %lu",
		    option == PR_SET_NO_NEW_PRIVS ? "no new privileges"
		    : option == PR_SET_PDEATHSIG  ? "dies with its parent"
						  : "?",
		    value)
		   ? -1
		   : 0;
}

/* Makes the process without the namespaces, which need root. */
long syscall(long number, ...)
{
	const uint64_t spaces =
	    CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
	struct clone_args *arguments;
	va_list values;
	long v[5];

	va_start(values, number);
	for (size_t i = 0; i < CES_COUNT(v); i++)
		v[i] = va_arg(values, long);
	va_end(values);
	if (number == SYS_clone3) {
		arguments = (struct clone_args *)v[0]; /* NOLINT(performance-no-int-to-ptr) */
		namespaces = arguments->flags & ~(uint64_t)CLONE_PIDFD;
		arguments->flags &= ~spaces;
	}
	return real_syscall(number, v);
}

int setns(int fd, int kind)
{
	return step("setns %s %d", kind == CLONE_NEWUSER ? "user" : "net", fd) ? -1 : 0;
}

int unshare(int flags)
{
	return step("unshare %s", flags == CLONE_NEWNS ? "mounts" : "?") ? -1 : 0;
}

int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
	if (steps == NULL)
		return 0; /* (a sanitizer's, before main) */
	(void)step("setrlimit %s", resource == RLIMIT_NPROC && limit->rlim_max == RLIM_INFINITY
				       ? "any number of processes"
				       : "?");
	errno = EPERM;
	return -1;
}

int setgroups(size_t n, const gid_t *groups)
{
	(void)groups;
	return step("setgroups %zu", n) ? -1 : 0;
}

int setresgid(gid_t r, gid_t e, gid_t s)
{
	return step("setresgid %u %u %u", r, e, s) ? -1 : 0;
}

int setresuid(uid_t r, uid_t e, uid_t s)
{
	return step("setresuid %u %u %u", r, e, s) ? -1 : 0;
}

int getresuid(uid_t *r, uid_t *e, uid_t *s)
{
	*r = *e = 41;
	*s = kept_uid;
	return step("getresuid") ? -1 : 0;
}

int getresgid(gid_t *r, gid_t *e, gid_t *s)
{
	*r = *e = 42;
	*s = kept_gid;
	return step("getresgid") ? -1 : 0;
}

int getgroups(int n, gid_t *groups)
{
	(void)groups;
	(void)step("getgroups %d", n);
	return kept_groups;
}

int setuid(uid_t uid)
{
	(void)step("setuid %u", uid);
	return root_comes_back ? 0 : -1;
}

static const char *words(char *const *v)
{
	static char text[200];
	size_t used = 0;

	text[0] = '\0';
	for (; *v != NULL; v++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, " %s", *v);
	return text;
}

/* Notes what is open: the null device, another file, or nothing. */
static void note_fds(void)
{
	struct stat st, null;

	ck_assert_int_eq(stat("/dev/null", &null), 0);
	for (int fd = 0; fd < 8; fd++)
		if (fstat(fd, &st) == 0)
			(void)step("fd %d %s%s", fd, st.st_rdev == null.st_rdev ? "null" : "a file",
				   fcntl(fd, F_GETFD) == 0 ? "" : ", closed on exec");
	for (int fd = 8; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			(void)step("fd %d", fd);
}

int execve(const char *path, char *const *arguments, char *const *environment)
{
	char vector[200];

	(void)snprintf(vector, sizeof(vector), "%s", words(arguments));
	(void)step("execve %s:%s;%s", path, vector, words(environment));
	note_fds();
	errno = ENOENT;
	return -1;
}

struct passwd *getpwnam(const char *name)
{
	ck_assert_str_eq(name, "ces-parse");
	return entry;
}

/* ---- the tests ---- */

static int spawn(const struct ces_spawn *how, size_t failing)
{
	struct ces_process process = CES_PROCESS_NONE;

	steps_begin(failing, EPERM);
	ck_assert_int_eq(ces_spawn_worker(how, &process, &err), 0);
	return ces_process_end(&process, false);
}

static struct ces_spawn plain(void)
{
	return (struct ces_spawn){
	    .path = "/usr/libexec/ces/ces-some", .uid = 41, .gid = 42, .userns = -1};
}

static void begin(void)
{
	kept_uid = 41;
	kept_gid = 42;
	kept_groups = 0;
	root_comes_back = false;
}

static const char *const ordinary[] = {
    "setrlimit any number of processes",
    "prctl no new privileges 1",
    "setgroups 0",
    "setresgid 42 42 42",
    "setresuid 41 41 41",
    "getresuid",
    "getresgid",
    "getgroups 0",
    "setuid 0",
    "prctl dies with its parent 9",
    "execve /usr/libexec/ces/ces-some: ces-some; PATH=/usr/bin:/bin LC_ALL=C",
    "fd 0 null",
    "fd 1 null",
    "fd 2 null",
    NULL,
};
#define BEFORE_EXEC 10

START_TEST(a_worker_gives_up_its_rights_in_order_and_gets_constants_alone)
{
	const struct ces_spawn how = plain();

	/* (an execve that fails ends the process too) */
	ck_assert_int_eq(spawn(&how, 0), CES_EXIT_REFUSED);
	steps_check(ordinary, 0);
}
END_TEST

START_TEST(a_worker_without_one_of_these_steps_does_not_begin)
{
	const struct ces_spawn how = plain();
	/* (the limit may stay; setuid(0) is to fail; getgroups is asked below) */
	static const size_t failing[] = {2, 3, 4, 5, 6, 7, 10};

	for (size_t i = 0; i < CES_COUNT(failing); i++) {
		ck_assert_int_eq(spawn(&how, failing[i]), CES_EXIT_REFUSED);
		ck_assert_uint_eq(steps_count("execve"), 0);
		ck_assert_uint_eq(steps->n, failing[i]);
	}
}
END_TEST

START_TEST(a_worker_that_kept_an_id_a_group_or_a_way_back_does_not_begin)
{
	const struct ces_spawn how = plain();

	for (int what = 0; what < 5; what++) {
		begin();
		kept_uid = what == 0 ? 0 : 41;
		kept_gid = what == 1 ? 0 : 42;
		kept_groups = what == 2 ? 1 : what == 3 ? -1 : 0;
		root_comes_back = what == 4;
		ck_assert_int_eq(spawn(&how, 0), CES_EXIT_REFUSED);
		ck_assert_uint_eq(steps_count("execve"), 0);
	}
}
END_TEST

START_TEST(a_worker_has_its_own_descriptors_and_no_other)
{
	struct ces_spawn how = plain();
	int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC), other = dup(file);
	const int fds[] = {file, -1, file};
	static const char *const open_in_it[] = {
	    "fd 0 null", "fd 1 null", "fd 2 null", "fd 3 a file", "fd 4 null", "fd 5 a file", NULL};

	ck_assert_int_ge(other, 0);
	how.fds = fds;
	how.n_fds = CES_COUNT(fds);
	ck_assert_int_eq(spawn(&how, 0), CES_EXIT_REFUSED);
	ck_assert_uint_eq(steps->n, BEFORE_EXEC + 1 + 6);
	for (size_t i = 0; open_in_it[i] != NULL; i++)
		ck_assert_str_eq(steps->v[BEFORE_EXEC + 1 + i], open_in_it[i]);
	close(file);
	close(other);
}
END_TEST

/* Spawns, and compares the first steps. Each of the namespaces' steps fails once. */
static void enters(const struct ces_spawn *how, const char *const *expected, size_t last)
{
	ck_assert_int_eq(spawn(how, 0), CES_EXIT_REFUSED);
	ck_assert_uint_eq(steps_count("execve"), 1);
	for (size_t i = 0; expected[i] != NULL; i++)
		ck_assert_str_eq(steps->v[i], expected[i]);
	for (size_t failing = 2; failing <= last; failing++) {
		ck_assert_int_eq(spawn(how, failing), CES_EXIT_REFUSED);
		ck_assert_uint_eq(steps->n, failing);
	}
}

START_TEST(a_worker_enters_its_namespaces_before_it_has_the_ids_there)
{
	struct ces_spawn how = plain();
	static const char *const both[] = {"setrlimit any number of processes",
					   "setns user 901",
					   "unshare mounts",
					   "setns net 902",
					   "prctl no new privileges 1",
					   NULL};
	static const char *const user[] = {"setrlimit any number of processes", "setns user 901",
					   "unshare mounts", "prctl no new privileges 1", NULL};
	static const char *const mounts_first[] = {"setrlimit any number of processes",
						   "setns user 901", "prctl no new privileges 1",
						   NULL};
	static const char *const net[] = {"setrlimit any number of processes", "setns net 902",
					  "prctl no new privileges 1", NULL};
	const uint64_t own = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;

	how.userns = USERNS;
	how.netns = NETNS;
	enters(&how, both, 4);
	ck_assert_uint_eq(namespaces, own);
	how.netns = 0;
	enters(&how, user, 3);
	ck_assert_uint_eq(namespaces, own);
	how.same_pids = true; /* all but the processes' */
	enters(&how, user, 3);
	ck_assert_uint_eq(namespaces, own & ~(uint64_t)CLONE_NEWPID);
	how.same_pids = false;
	how.netns = -1;
	enters(&how, mounts_first, 2);
	ck_assert_uint_eq(namespaces, CLONE_NEWNS);
	how.userns = -1;
	how.netns = NETNS;
	enters(&how, net, 2);
	ck_assert_uint_eq(namespaces, 0);
}
END_TEST

START_TEST(an_account_that_is_missing_or_has_an_id_of_roots_is_none)
{
	struct passwd account = {.pw_uid = 5, .pw_gid = 6};
	uid_t uid = 1;
	gid_t gid = 1;

	entry = &account;
	ck_assert_int_eq(ces_worker_ids("ces-parse", &uid, &gid, &err), 0);
	ck_assert_uint_eq(uid, 5);
	ck_assert_uint_eq(gid, 6);
	account.pw_uid = 0;
	ck_assert_int_eq(ces_worker_ids("ces-parse", &uid, &gid, &err), -1);
	account = (struct passwd){.pw_uid = 5, .pw_gid = 0};
	ck_assert_int_eq(ces_worker_ids("ces-parse", &uid, &gid, &err), -1);
	entry = NULL;
	ck_assert_int_eq(ces_worker_ids("ces-parse", &uid, &gid, &err), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_ptr_nonnull(strstr(err.text, "the system user ces-parse is missing"));
	ck_assert_uint_eq(uid, 5);
	ck_assert_uint_eq(gid, 6);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("spawn");

	tcase_add_checked_fixture(t, begin, NULL);
	tcase_add_test(t, a_worker_gives_up_its_rights_in_order_and_gets_constants_alone);
	tcase_add_test(t, a_worker_without_one_of_these_steps_does_not_begin);
	tcase_add_test(t, a_worker_that_kept_an_id_a_group_or_a_way_back_does_not_begin);
	tcase_add_test(t, a_worker_has_its_own_descriptors_and_no_other);
	tcase_add_test(t, a_worker_enters_its_namespaces_before_it_has_the_ids_there);
	tcase_add_test(t, an_account_that_is_missing_or_has_an_id_of_roots_is_none);
	return run_suite("spawn", t);
}
