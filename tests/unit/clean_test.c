/* Tests ces-clean: that it does the tasks that it is asked for, on its two directories, and that
 * code which has taken it over can do no more than its walk. Each child is confined as ces-clean
 * is, in a user namespace with the one id that an ordinary user may have there. */
/* links: helper/clean/sandbox.c helper/clean/tree.c */
#include <check.h>
#include <errno.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/directory.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/steps.h"

int clean_main(void);
#define main clean_main
#include "helper/clean/main.c"
#undef main

#include "common/cleanup.h"

/* ---- what one id cannot show: the process is another than the owner, and has no groups ---- */

#ifdef __SANITIZE_ADDRESS__ /* it has no filter then */
#define FILTERED 0
#else
#define FILTERED 1
#endif

static bool confined;
static uid_t own = 7;

uid_t geteuid(void)
{
	return confined ? own : (uid_t)syscall(SYS_geteuid);
}

int getgroups(int n, gid_t *groups)
{
	return confined ? 0 : (int)syscall(SYS_getgroups, n, groups);
}

/* ---- the scene ---- */

static int channel; /* the end that root has */
static pid_t child;

static void put(const char *path, const char *text)
{
	CES_CLEANUP_FD int fd = openat(directory, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void set_up(void)
{
	directory_begin();
	ck_assert_int_eq(mkdirat(directory, "outputs", 0700), 0);
	ck_assert_int_eq(mkdirat(directory, "scratch", 0700), 0);
	put("outside", "others' words");
	put("outputs/result", "42");
	ck_assert_int_eq(mkdirat(directory, "scratch/d", 0700), 0);
	put("scratch/d/file", "x");
}

static void tear_down(void)
{
	struct stat st;

	ck_assert_int_eq(fstatat(directory, "outside", &st, 0), 0);
	ck_assert_int_eq(st.st_size, 13);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0600);
	clear_directory(directory_path);
	directory_end();
}

static void set(const char *path, const char *text)
{
	CES_CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		_exit(100);
}

/* A mount of its own, as helper/session/clean.c makes it; or /dev/null. */
static void arrange(const char *name, int target)
{
	int fd = name == NULL ? open("/dev/null", O_RDWR)
			      : open_tree(directory, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0 || dup2(fd, target) != target)
		_exit(101);
}

static void enter(const char *outputs, const char *scratch, int end)
{
	char users[32], groups[32];
	int high = fcntl(end, F_DUPFD, 20);

	(void)snprintf(users, sizeof(users), "0 %u 1", geteuid());
	(void)snprintf(groups, sizeof(groups), "0 %u 1", getegid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		_exit(102);
	set("/proc/self/setgroups", "deny");
	set("/proc/self/uid_map", users);
	set("/proc/self/gid_map", groups);
	close(directory); /* (it is of the namespace before) */
	directory = fcntl(open(directory_path, O_RDONLY | O_DIRECTORY), F_DUPFD, 20);
	arrange(outputs, CES_CLEAN_OUTPUTS);
	arrange(scratch, CES_CLEAN_SCRATCH);
	if (dup2(high, CES_CLEAN_CHANNEL) < 0 || close_range(CES_CLEAN_CHANNEL + 1, ~0U, 0) < 0)
		_exit(103);
	confined = true;
}

/* Starts the program, whose end is the child's exit status. */
static void start(const char *outputs, const char *scratch)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	channel = pair[0];
	child = fork();
	if (child == 0) {
		close(pair[0]);
		enter(outputs, scratch, pair[1]);
		_exit(clean_main());
	}
	close(pair[1]);
}

static void give_job(uid_t user)
{
	const struct ces_clean_job job = {.user = user};

	ck_assert_int_eq(send(channel, &job, sizeof(job), MSG_NOSIGNAL), sizeof(job));
}

/* The answer; -1: none. */
static int ask(unsigned char task)
{
	return send(channel, &task, 1, MSG_NOSIGNAL) == 1 && read(channel, &task, 1) == 1 ? task
											  : -1;
}

/* 1000 and a signal's number, where one has ended it. */
static int ended(void)
{
	int status;

	close(channel);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

static bool is_there(const char *path)
{
	return faccessat(directory, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* ---- tasks ---- */

START_TEST(it_does_what_it_is_asked_until_its_channel_ends)
{
	struct stat st;

	start("outputs", "scratch");
	give_job(0);
	ck_assert_int_eq(ask(CES_CLEAN_GIVE), 0);
	ck_assert(is_there("scratch/d/file") && is_there("outputs/result"));
	ck_assert_int_eq(ask(CES_CLEAN_SHARE), 0);
	ck_assert_int_eq(fstatat(directory, "outputs/result", &st, 0), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0644);
	ck_assert_int_eq(ask(CES_CLEAN_EMPTY), 0);
	ck_assert(is_there("scratch") && !is_there("scratch/d") && is_there("outputs/result"));
	put("scratch/late", "");
	ck_assert_int_eq(ask(CES_CLEAN_EMPTY), 0);
	ck_assert(!is_there("scratch/late"));
	put("scratch/later", "");
	ck_assert_int_eq(ask(CES_CLEAN_DISCARD), 0);
	ck_assert(is_there("scratch") && !is_there("scratch/later"));
	ck_assert_int_eq(ended(), 0);
}
END_TEST

START_TEST(a_task_that_nobody_knows_is_not_done)
{
	start("outputs", "scratch");
	give_job(0);
	ck_assert_int_eq(ask(CES_CLEAN_TASKS), 1);
	ck_assert_int_eq(ask(255), 1);
	ck_assert(is_there("scratch/d/file"));
	ck_assert_int_eq(ended(), 0);
}
END_TEST

START_TEST(a_directory_that_it_does_not_have_is_not_cleaned_and_the_other_is)
{
	start(_i == 0 ? NULL : "outputs", _i == 0 ? "scratch" : NULL);
	give_job(0);
	ck_assert_int_eq(ask(CES_CLEAN_GIVE), _i == 0);
	ck_assert_int_eq(ask(CES_CLEAN_SHARE), _i == 0);
	ck_assert_int_eq(ask(CES_CLEAN_EMPTY), _i == 1);
	ck_assert_int_eq(is_there("scratch/d/file"), _i == 1);
	ck_assert_int_eq(ended(), 0);
}
END_TEST

/* No job, half of one, no directory, an owner that is not in the namespace, an owner that it is
 * itself: it does not work so. */
START_TEST(without_all_that_it_needs_it_ends)
{
	own = _i == 4 ? 0 : 7;
	start(_i == 2 ? NULL : "outputs", _i == 2 ? NULL : "scratch");
	if (_i == 1)
		ck_assert_int_eq(send(channel, "half", 4, MSG_NOSIGNAL), 4);
	if (_i >= 2)
		give_job(_i == 3 ? 4321 : 0);
	if (_i < 2)
		ck_assert_int_eq(shutdown(channel, SHUT_WR), 0);
	else
		ck_assert_int_eq(ask(CES_CLEAN_EMPTY), -1);
	ck_assert(is_there("scratch/d/file"));
	ck_assert_int_eq(ended(), _i < 2 ? 1 : 2);
}
END_TEST

/* ---- one that was taken over ---- */

static int opened(int fd)
{
	return fd < 0 ? -1 : 0;
}

static int open_file(int flags)
{
	return opened(openat(CES_CLEAN_OUTPUTS, "result", flags | O_CLOEXEC));
}

static int write_file(void)
{
	return open_file(O_WRONLY);
}

static int write_and_read_file(void)
{
	return open_file(O_RDWR);
}

static int cut_file(void)
{
	return open_file(O_RDONLY | O_TRUNC);
}

static int make_file(void)
{
	return opened(openat(CES_CLEAN_OUTPUTS, "new", O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int make_temporary(void)
{
	return opened(openat(CES_CLEAN_OUTPUTS, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
}

static int read_file(void)
{
	int fd = openat(CES_CLEAN_OUTPUTS, "result", O_RDONLY | O_CLOEXEC);
	char byte;

	return fd < 0 ? 0 : (int)read(fd, &byte, 1);
}

static int see_file(void)
{
	int fd = openat(CES_CLEAN_OUTPUTS, "result", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? 0 : mmap(NULL, 2, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0;
}

static int write_elsewhere(void)
{
	return (int)write(2, "x", 1);
}

static int make_program_of_another(void)
{
	return fchmod(openat(CES_CLEAN_OUTPUTS, "result", O_RDONLY | O_CLOEXEC), 04755);
}

static int give_through_a_link(void)
{
	return fchownat(CES_CLEAN_OUTPUTS, "result", 0, 0, 0);
}

static int lock_file(void)
{
	struct flock lock = {.l_type = F_RDLCK};

	return fcntl(CES_CLEAN_OUTPUTS, F_SETLK, &lock);
}

static int make_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0) == MAP_FAILED
		   ? -1
		   : 0;
}

static int (*const attempts[])(void) = {write_file, write_and_read_file, cut_file,
					make_file,  make_temporary,      read_file,
					see_file,   write_elsewhere,     make_code,
					lock_file,  give_through_a_link, make_program_of_another};

static const struct {
	long number, arguments[5];
} calls_not[] = {
    {SYS_socket, {AF_INET, SOCK_STREAM}},
    {SYS_socketpair, {AF_UNIX, SOCK_STREAM}},
    {SYS_sendmsg, {CES_CLEAN_CHANNEL}},
    {SYS_recvmsg, {CES_CLEAN_CHANNEL}},
    {SYS_execve, {0}},
    {SYS_execveat, {0}},
    {SYS_clone, {SIGCHLD}},
    {SYS_clone3, {0}},
    {SYS_kill, {1, 0}},
    {SYS_tgkill, {1, 1, 0}},
    {SYS_ptrace, {PTRACE_TRACEME}},
    {SYS_process_vm_readv, {1}},
    {SYS_pidfd_open, {1}},
    {SYS_mount, {0}},
    {SYS_fsopen, {0}},
    {SYS_open_tree, {0}},
    {SYS_move_mount, {0}},
    {SYS_setns, {0}},
    {SYS_unshare, {CLONE_NEWUSER}},
    {SYS_chroot, {0}},
    {SYS_fchdir, {CES_CLEAN_OUTPUTS}},
    {SYS_setuid, {0}},
    {SYS_setresuid, {0}},
    {SYS_setfsuid, {0}},
    {SYS_setgroups, {0}},
    {SYS_capset, {0}},
    {SYS_prctl, {PR_SET_DUMPABLE, 1}},
    {SYS_openat2, {CES_CLEAN_OUTPUTS}},
    {SYS_mkdirat, {CES_CLEAN_OUTPUTS}},
    {SYS_mknodat, {CES_CLEAN_OUTPUTS}},
    {SYS_linkat, {CES_CLEAN_OUTPUTS}},
    {SYS_symlinkat, {0}},
    {SYS_fchown, {CES_CLEAN_OUTPUTS}},
    {SYS_fchmodat, {CES_CLEAN_OUTPUTS}},
    {CES_TREE_FCHMODAT2, {CES_CLEAN_OUTPUTS, 0, 0700, 0}},
    {CES_TREE_FCHMODAT2, {CES_CLEAN_OUTPUTS, 0, 04700, AT_SYMLINK_NOFOLLOW}},
    {SYS_fsetxattr, {CES_CLEAN_OUTPUTS}},
    {SYS_ioctl, {CES_CLEAN_OUTPUTS}},
    {SYS_ioctl, {CES_CLEAN_OUTPUTS, FS_IOC_SETFLAGS}},
    {SYS_ftruncate, {CES_CLEAN_OUTPUTS}},
    {SYS_pread64, {CES_CLEAN_OUTPUTS}},
    {SYS_sendfile, {CES_CLEAN_CHANNEL, CES_CLEAN_OUTPUTS}},
    {SYS_splice, {0}},
    {SYS_mprotect, {0, 0, PROT_EXEC}},
    {SYS_bpf, {0}},
    {SYS_io_uring_setup, {1}},
    {SYS_keyctl, {0}},
    {SYS_perf_event_open, {0}},
};

/* Runs what in a child that is confined, and returns its status. */
static int caged(int (*what)(void), int call)
{
	int status, pair[2];
	pid_t pid;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	if (pid == 0) {
		enter("outputs", "scratch", pair[1]);
		ces_clean_confine(&(const struct ces_clean_job){0});
		if (what != NULL)
			status = what();
		else
			status = (int)syscall(
			    calls_not[call].number, calls_not[call].arguments[0],
			    calls_not[call].arguments[1], calls_not[call].arguments[2],
			    calls_not[call].arguments[3], calls_not[call].arguments[4]);
		_exit(status < 0 ? errno : 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	close(pair[0]);
	close(pair[1]);
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

START_TEST(one_that_was_taken_over_reads_and_makes_no_file)
{
	ck_assert_int_eq(caged(attempts[_i], 0), 1000 + SIGSYS);
	ck_assert(is_there("outputs/result") && !is_there("outputs/new"));
}
END_TEST

START_TEST(one_that_was_taken_over_has_no_other_call)
{
	ck_assert_int_eq(caged(NULL, _i), 1000 + SIGSYS);
}
END_TEST

static int leave_by_name(void)
{
	return opened(openat(AT_FDCWD, "/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int same(int fd, const char *name, int other)
{
	struct stat one, two;

	return fstatat(fd, name, &one, 0) == 0 && fstat(other, &two) == 0 &&
	       one.st_ino == two.st_ino && one.st_dev == two.st_dev;
}

/* The way up from either directory, and from the root, ends there. */
static int leave_upwards(void)
{
	return same(CES_CLEAN_OUTPUTS, "..", CES_CLEAN_OUTPUTS) &&
		       same(CES_CLEAN_SCRATCH, "..", CES_CLEAN_SCRATCH) &&
		       same(CES_CLEAN_SCRATCH, "../../..", CES_CLEAN_SCRATCH) &&
		       same(CES_CLEAN_SCRATCH, "/", CES_CLEAN_OUTPUTS) &&
		       same(AT_FDCWD, "..", CES_CLEAN_OUTPUTS)
		   ? 0
		   : -1;
}

static int move_between(void)
{
	return renameat(CES_CLEAN_OUTPUTS, "result", CES_CLEAN_SCRATCH, "result");
}

START_TEST(one_that_was_taken_over_does_not_leave_its_directories)
{
	ck_assert_int_eq(caged(leave_by_name, 0), ENOENT);
	ck_assert_int_eq(caged(leave_upwards, 0), 0);
	ck_assert_int_eq(caged(move_between, 0), EXDEV);
	ck_assert(is_there("outputs/result"));
}
END_TEST

static int remains(void)
{
	int fd = openat(CES_CLEAN_OUTPUTS, "result", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 && fchmod(fd, 0777) == 0 &&
		       syscall(CES_TREE_FCHMODAT2, CES_CLEAN_OUTPUTS, "result", 0700,
			       AT_SYMLINK_NOFOLLOW) == 0 &&
		       fchownat(CES_CLEAN_OUTPUTS, "result", 0, 0, AT_SYMLINK_NOFOLLOW) == 0 &&
		       renameat(CES_CLEAN_OUTPUTS, "result", CES_CLEAN_OUTPUTS, "other") == 0 &&
		       unlinkat(CES_CLEAN_OUTPUTS, "other", 0) == 0
		   ? 0
		   : -1;
}

START_TEST(what_remains_to_it_is_its_walk)
{
	ck_assert_int_eq(caged(remains, 0), 0);
	ck_assert(!is_there("outputs/result"));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("clean");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, it_does_what_it_is_asked_until_its_channel_ends);
	tcase_add_test(t, a_task_that_nobody_knows_is_not_done);
	tcase_add_loop_test(t, a_directory_that_it_does_not_have_is_not_cleaned_and_the_other_is, 0,
			    2);
	tcase_add_loop_test(t, without_all_that_it_needs_it_ends, 0, 5);
	tcase_add_loop_test(t, one_that_was_taken_over_reads_and_makes_no_file, 0,
			    FILTERED * CES_COUNT(attempts));
	tcase_add_loop_test(t, one_that_was_taken_over_has_no_other_call, 0,
			    FILTERED * CES_COUNT(calls_not));
	tcase_add_test(t, one_that_was_taken_over_does_not_leave_its_directories);
	tcase_add_test(t, what_remains_to_it_is_its_walk);
	return run_suite("clean", t);
}
