/* Tests user namespaces: that one is made with its map or not at all, and what a program
 * gives up, and in which order, before it works in one. The steps that need more ids than a user's
 * own are noted, and as root they are really taken too. */
/* links: helper/session/userns.c helper/core/spawn.c */
#include "common/clean.h"
#include "common/paths.h"
#include "helper/session/userns.h"

#include <check.h>
#include <dlfcn.h>
#include <grp.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/unit/policy_fixture.h"
#include "tests/unit/session_scene.h"
#include "tests/unit/session_steps.h"

static struct ces_error err;
static bool real;
static int map_result;
static unsigned map_ids = 1;

/* A map of the id that the test has, or of ids that nobody has. (helper/session/idmap.c needs
 * root.) */
int ces_idmap_write(pid_t pid, const struct ces_idmap *map, struct ces_error *error)
{
	char path[64], text[64];

	ck_assert_uint_eq(map->user, 77);
	if (map_result == -2)
		(void)kill(getpid(), SIGKILL);
	if (map_result < 0)
		return ces_error_set(error, CES_E_HOST, "no map");
	(void)snprintf(text, sizeof(text), "0 %u %u", map_ids == 1 ? geteuid() : 100000, map_ids);
	(void)snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	write_text(path, text);
	if (map_ids == 1) {
		(void)snprintf(path, sizeof(path), "/proc/%d/setgroups", pid);
		write_text(path, "deny");
	}
	(void)snprintf(text, sizeof(text), "0 %u %u", map_ids == 1 ? getegid() : 100000, map_ids);
	(void)snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	write_text(path, text);
	return 0;
}

static const struct ces_idmap map = {.user = 77};

/* ---- stand-ins ---- */

int setns(int fd, int kind)
{
	if (!real && step("setns%s", kind == CLONE_NEWUSER ? " user" : "") < 0)
		return -1;
	return (int)syscall(SYS_setns, fd, kind);
}

int prctl(int option, ...)
{
	unsigned long value, which = 0;
	va_list rest;

	va_start(rest, option);
	value = va_arg(rest, unsigned long) & UINT32_MAX; /* (the callers pass int) */
	if (option == PR_CAP_AMBIENT)
		which = va_arg(rest, unsigned long) & UINT32_MAX;
	va_end(rest);
	if (!real && step("prctl %d %lu", option, option == PR_CAP_AMBIENT ? which : value) < 0)
		return -1;
	return (int)syscall(SYS_prctl, option, value, which, 0, 0);
}

/* Only root can make a mount namespace of the host's: the test does without. */
long syscall(long number, ...)
{
	static long (*the_real)(long, ...);
	struct clone_args *arguments;
	va_list values;
	long v[5];

	if (the_real == NULL)
		*(void **)&the_real = dlsym(RTLD_NEXT, "syscall");
	va_start(values, number);
	for (size_t i = 0; i < CES_COUNT(v); i++)
		v[i] = va_arg(values, long);
	va_end(values);
	if (number == SYS_clone3) {
		arguments = (struct clone_args *)v[0]; /* NOLINT(performance-no-int-to-ptr) */
		arguments->flags &= ~(uint64_t)CLONE_NEWNS;
	}
	return the_real(number, v[0], v[1], v[2], v[3], v[4]);
}

/* What the program would have. */
int execve(const char *path, char *const arguments[], char *const environment[])
{
	static const char *const sets[] = {"\nCapInh:\t", "\nCapPrm:\t", "\nCapEff:\t",
					   "\nCapAmb:\t"};
	CES_CLEANUP_FREE char *status = content("/proc/self/status");
	struct stat st;

	uid_t ids[3];

	(void)step("execve %s %s %s", path, arguments[0], environment[0]);
	if (real &&
	    (getresuid(&ids[0], &ids[1], &ids[2]) < 0 || ids[0] != 65534 || ids[1] != 65534 ||
	     ids[2] != 65534 || getegid() != 5 || getgroups(0, NULL) != 0))
		_exit(3);
	for (size_t i = 0; i < CES_COUNT(sets); i++) {
		const char *at = strstr(status, sets[i]);

		if (at == NULL ||
		    strtoull(at + strlen(sets[i]), NULL, 16) != CES_CLEAN_CAPABILITIES)
			_exit(1);
	}
	_exit(fstat(3, &st) < 0 || !S_ISDIR(st.st_mode) || fcntl(4, F_GETFD) >= 0 ? 2 : 0);
}

int setgroups(size_t n, const gid_t *groups)
{
	return real ? (int)syscall(SYS_setgroups, n, groups) : step("setgroups %zu", n);
}

int setresgid(gid_t r, gid_t e, gid_t s)
{
	return real ? (int)syscall(SYS_setresgid, r, e, s) : step("setresgid %u %u %u", r, e, s);
}

int setresuid(uid_t r, uid_t e, uid_t s)
{
	return real ? (int)syscall(SYS_setresuid, r, e, s) : step("setresuid %u %u %u", r, e, s);
}

static void set_up(void)
{
	directory_begin();
	steps_begin(0, EPERM);
	map_result = 0;
	map_ids = 1;
	real = false;
}

static void tear_down(void)
{
	directory_end();
}

/* ---- making one ---- */

static void no_child_is_left(void)
{
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}

static int make(void)
{
	int fd = -1;

	ck_assert_msg(ces_userns_make(&map, &fd, &err) == 0, "%s", err.text);
	return fd;
}

START_TEST(a_namespace_with_its_map_is_made_and_nothing_runs_in_it)
{
	size_t fds = open_fds();
	int fd = make();

	ck_assert_int_eq(ioctl(fd, NS_GET_NSTYPE), CLONE_NEWUSER);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_uint_eq(open_fds(), fds + 1);
	no_child_is_left();
	close(fd);
}
END_TEST

START_TEST(without_its_map_there_is_no_namespace)
{
	size_t fds = open_fds();
	int fd = -7;

	map_result = -1;
	ck_assert_int_eq(ces_userns_make(&map, &fd, &err), -1);
	ck_assert_str_eq(err.text, "no map");
	ck_assert_int_eq(fd, -7);
	ck_assert_uint_eq(open_fds(), fds);
	no_child_is_left();
}
END_TEST

/* (the kernel makes none for a process with another root) */
START_TEST(a_host_without_user_namespaces_is_an_error)
{
	int fd = -7, status;
	pid_t pid = fork();

	if (pid == 0) {
		become(0);
		_exit(chroot("/tmp") < 0 || ces_userns_make(&map, &fd, &err) != -1 ||
		      err.code != CES_E_HOST || err.sys != EPERM || fd != -7);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* Kills the maker. Then the pipe has no writer left: no copy of it holds its locks. (This process
 * gets the copy as its child, and takes its end.) */
static void ends_with_its_maker(void (*make_it)(int end))
{
	int ends[2], status;
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(syscall(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		make_it(ends[1]);
		_exit(1);
	}
	close(ends[1]);
	if (read(ends[0], &byte, 1) == 1) { /* it is at work */
		ck_assert_int_eq(kill(pid, SIGKILL), 0);
		ck_assert_int_eq(read(ends[0], &byte, 1), 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_gt(wait(&status), 0);
	close(ends[0]);
}

static void die_while_making(int end)
{
	int fd;

	(void)end;
	map_result = -2;
	(void)ces_userns_make(&map, &fd, &err);
}

START_TEST(a_namespace_in_the_making_ends_with_its_maker)
{
	ends_with_its_maker(die_while_making);
}
END_TEST

START_TEST(a_namespace_of_a_process_is_opened_by_its_name)
{
	const struct ces_process self = {getpid(), -1}, nobody = {0, -1};
	int fd = -1;

	ck_assert_int_eq(ces_process_namespace(&self, "net", &fd, &err), 0);
	ck_assert_int_eq(ioctl(fd, NS_GET_NSTYPE), CLONE_NEWNET);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	ck_assert_int_eq(ces_process_namespace(&nobody, "user", &fd, &err), -1);
	ck_assert_str_eq(err.text, "user namespace: No such file or directory");
}
END_TEST

/* ---- a program in one, with capabilities ---- */

#define PROGRAM                                                                                    \
	"setns user\nprctl 38 1\nsetgroups 0\nsetresgid 5 5 5\n"                                   \
	"setresuid 65534 65534 65534\nprctl 1 9\nprctl 47 0\nprctl 47 1\nprctl 47 3\n"             \
	"prctl 47 7\nprctl 47 8\nprctl 47 18\nexecve /usr/libexec/x x PATH=/usr/bin:/bin\n"

static int spawn(int userns)
{
	const struct ces_spawn how = {.path = "/usr/libexec/x",
				      .uid = 65534,
				      .gid = 5,
				      .userns = userns,
				      .netns = -1,
				      .fds = &directory,
				      .n_fds = 1,
				      .capabilities = CES_CLEAN_CAPABILITIES};
	struct ces_process process = CES_PROCESS_NONE;

	ck_assert_int_eq(ces_spawn_worker(&how, &process, &err), 0);
	return ces_process_end(&process, false);
}

/* It never has the uid of the namespace's root, who may be the caller. */
START_TEST(a_program_gets_its_capabilities_without_being_root_of_the_namespace)
{
	int userns = make();
	unsigned n;

	steps_begin(0, 0);
	ck_assert_int_eq(spawn(userns), 0);
	steps_are(PROGRAM, 0);
	n = steps->n;
	for (unsigned fail = 1; fail < n; fail++) {
		steps_begin(fail, EPERM);
		ck_assert_int_eq(spawn(userns), CES_EXIT_REFUSED);
		steps_are(PROGRAM, fail);
	}
	close(userns);
}
END_TEST

START_TEST(as_root_the_program_really_has_them_and_an_id_of_nobodys)
{
	int userns;

	if (geteuid() != 0) /* (an ordinary user has one id) */
		return;
	real = true;
	map_ids = 65536;
	userns = make();
	ck_assert_int_eq(spawn(userns), 0);
	close(userns);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("userns");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_namespace_with_its_map_is_made_and_nothing_runs_in_it);
	tcase_add_test(t, without_its_map_there_is_no_namespace);
	tcase_add_test(t, a_host_without_user_namespaces_is_an_error);
	tcase_add_test(t, a_namespace_in_the_making_ends_with_its_maker);
	tcase_add_test(t, a_namespace_of_a_process_is_opened_by_its_name);
	tcase_add_test(t, a_program_gets_its_capabilities_without_being_root_of_the_namespace);
	tcase_add_test(t, as_root_the_program_really_has_them_and_an_id_of_nobodys);
	return run_suite("userns", t);
}
