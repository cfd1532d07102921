/* Tests the cage of ces-store from inside: what a ces-store that was taken over can still do. Each
 * case is a child in namespaces of its own, as ces-store is. */
/* links: helper/store/sandbox.c helper/unpack/sandbox.c */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/way.h"
#include "helper/store/sandbox.h"
#include "tests/unit/directory.h"

#define ALL (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)

static int set(const char *path, const char *text)
{
	CES_CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

static int confine(void)
{
	unsigned uid = geteuid(), gid = getegid();
	char users[64], groups[64];
	struct ces_error err;

	(void)snprintf(users, sizeof(users), "0 %u 1", uid);
	(void)snprintf(groups, sizeof(groups), "0 %u 1", gid);
	return unshare(ALL) < 0 || set("/proc/self/setgroups", "deny") < 0 ||
		       set("/proc/self/uid_map", users) < 0 ||
		       set("/proc/self/gid_map", groups) < 0 || ces_store_confine(&err) < 0
		   ? -1
		   : 0;
}

/* Returns the wait status of a child that does this in the cage. */
static int caged(void (*act)(void))
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		if (confine() < 0)
			syscall(SYS_exit_group, 98);
		act();
		syscall(SYS_exit_group, 0);
	}
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

#define CALL(name, ...)                                                                            \
	static __attribute__((unused)) void name(void)                                             \
	{                                                                                          \
		(void)!(__VA_ARGS__);                                                              \
	}
CALL(start_program, syscall(SYS_execve, "/bin/true", NULL, NULL))
CALL(start_program_by_fd, syscall(SYS_execveat, 3, "x", NULL, NULL, 0))
CALL(make_process, syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))
CALL(make_process_anew, syscall(SYS_clone3, NULL, 0))
CALL(make_socket, socket(AF_INET, SOCK_STREAM, 0))
CALL(make_unix_socket, socket(AF_UNIX, SOCK_STREAM, 0))
CALL(make_pair, socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){0, 0}))
CALL(connect_out, connect(3, NULL, 0))
CALL(wait_for_others, listen(3, 1))
CALL(kill_others, kill(-1, SIGKILL))
CALL(trace, ptrace(PTRACE_ATTACH, 1, NULL, NULL))
CALL(be_another, setuid(0))
CALL(take_capabilities, syscall(SYS_capset, NULL, NULL))
CALL(mount_something, mount("none", "/", "tmpfs", 0, NULL))
CALL(clone_mount, syscall(SYS_open_tree, 3, "", 1))
CALL(change_root, chroot("/"))
CALL(enter_namespace, setns(3, 0))
CALL(make_namespace, unshare(CLONE_NEWUSER))
CALL(give_away, fchown(3, 1, 1))
CALL(open_to_others, fchmod(3, 0777))
CALL(make_device, mknodat(3, "x", S_IFCHR, makedev(1, 3)))
CALL(make_fifo, mknodat(3, "x", S_IFIFO, 0))
CALL(make_link, symlinkat("/etc", 3, "x"))
CALL(make_second_name, linkat(3, "x", 3, "y", 0))
CALL(mark, fsetxattr(3, "trusted.overlay.opaque", "y", 1, 0))
CALL(open_by_handle, syscall(SYS_open_by_handle_at, 3, NULL, 0))
CALL(take_memory_file, syscall(SYS_memfd_create, "x", 0))
CALL(load_program, syscall(SYS_bpf, 0, NULL, 0))
CALL(use_ring, syscall(SYS_io_uring_setup, 1, NULL))
CALL(keep_key, syscall(SYS_add_key, NULL, NULL, NULL, 0, 0))
CALL(control_device, syscall(SYS_ioctl, 0, 0x5401, NULL))
CALL(map_executable, syscall(SYS_mmap, NULL, 4096, 5 /* read, execute */,
			     0x22 /* private, anonymous */, -1, 0) == 0)
CALL(make_executable, syscall(SYS_mprotect, NULL, 4096, 5))

static void (*const deadly[])(void) = {
    start_program,
    start_program_by_fd,
    make_process,
    make_process_anew,
    make_socket,
    make_unix_socket,
    make_pair,
    connect_out,
    wait_for_others,
    kill_others,
    trace,
    be_another,
    take_capabilities,
    mount_something,
    clone_mount,
    change_root,
    enter_namespace,
    make_namespace,
    give_away,
    open_to_others,
    make_device,
    make_fifo,
    make_link,
    make_second_name,
    mark,
    open_by_handle,
    take_memory_file,
    load_program,
    use_ring,
    keep_key,
    control_device,
    map_executable,
    make_executable,
};

#ifndef __SANITIZE_ADDRESS__
START_TEST(any_other_call_ends_the_process)
{
	int status = caged(deadly[_i]);

	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "case %d: status %x", _i,
		      (unsigned)status);
}
END_TEST
#endif

static void check(bool good, int number)
{
	if (!good)
		syscall(SYS_exit_group, number);
}

static void work_of_its_own(void)
{
	int fd = ces_beneath_open(directory, "file", O_RDWR | O_CREAT, 0600);
	struct stat st;

	check(fd >= 0 && write(fd, "x", 1) == 1 && fdatasync(fd) == 0, 1);
	check(flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && st.st_uid == 0, 2);
	check(mkdirat(directory, "one", 0700) == 0 && mkdirat(directory, "two", 0700) == 0, 3);
	check(renameat(directory, "file", directory, "one/file") == 0, 4);
	check(renameat2(directory, "one", directory, "two", 1 /* no replace */) < 0, 5);
	check(unlinkat(directory, "one/file", 0) == 0, 6);
	check(unlinkat(directory, "one", AT_REMOVEDIR) == 0, 7);
	check(unlinkat(directory, "two", AT_REMOVEDIR) == 0, 8);
	check(syncfs(directory) == 0 && futimens(fd, NULL) == 0, 9);
}

START_TEST(files_below_its_directories_are_left)
{
	ck_assert_int_eq(caged(work_of_its_own), 0);
}
END_TEST

static void look_around(void)
{
	check(open("/etc/passwd", O_RDONLY) < 0 && errno == ENOENT, 1);
	check(open("/proc/self/exe", O_RDONLY) < 0 && errno == ENOENT, 2);
	check(mkdirat(AT_FDCWD, "/x", 0700) < 0 && errno == EROFS, 3);
	/* a directory of another user's: here of nobody in this namespace */
	check(openat(directory, "closed/inside", O_RDONLY) < 0 && errno == EACCES, 4);
	check(openat(directory, "closed", O_RDONLY) < 0 && errno == EACCES, 5);
	check(renameat(directory, "closed", directory, "other/closed") < 0 && errno == EACCES, 6);
	check(renameat(directory, "closed", directory, "moved") == 0, 7);
}

/* (to make a directory of another user's, the test must be root) */
START_TEST(no_file_of_the_host_is_there_and_a_directory_of_roots_is_closed)
{
	pid_t pid;
	int status;

	if (geteuid() != 0)
		return;
	ck_assert_int_eq(fchown(directory, 65534, 65534), 0);
	ck_assert_int_eq(mkdirat(directory, "closed", 0700), 0);
	ck_assert_int_eq(mkdirat(directory, "closed/inside", 0700), 0);
	ck_assert_int_eq(mkdirat(directory, "other", 0777), 0);
	ck_assert_int_eq(fchownat(directory, "other", 65534, 65534, 0), 0);
	pid = fork();
	if (pid == 0) {
		check(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0,
		      97);
		check(prctl(PR_SET_DUMPABLE, 1) == 0 && confine() == 0, 98);
		look_around();
		syscall(SYS_exit_group, 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(unlinkat(directory, "moved/inside", AT_REMOVEDIR), 0);
	ck_assert_int_eq(unlinkat(directory, "moved", AT_REMOVEDIR), 0);
	ck_assert_int_eq(unlinkat(directory, "other", AT_REMOVEDIR), 0);
}
END_TEST

START_TEST(outside_of_namespaces_of_its_own_it_does_not_begin)
{
	pid_t pid = fork();
	struct ces_error err;
	int status = -1;

	if (pid == 0) {
		if (geteuid() == 0)
			check(setresuid(65534, 65534, 65534) == 0, 97);
		syscall(SYS_exit_group, ces_store_confine(&err) < 0 ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_sandbox");
	TCase *tests = tcase_create("cage");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, directory_begin, directory_end);
#ifndef __SANITIZE_ADDRESS__
	tcase_add_loop_test(tests, any_other_call_ends_the_process, 0, CES_COUNT(deadly));
#else
	(void)deadly;
#endif
	tcase_add_test(tests, files_below_its_directories_are_left);
	tcase_add_test(tests, no_file_of_the_host_is_there_and_a_directory_of_roots_is_closed);
	tcase_add_test(tests, outside_of_namespaces_of_its_own_it_does_not_begin);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
