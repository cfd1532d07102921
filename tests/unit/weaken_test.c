/* Tests what root can no longer do while it sets up a run, and while it watches one. */
/* links: helper/session/weaken.c helper/core/capability.c */
#include "helper/session/weaken.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/reboot.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"

/* Ends without a sanitizer's own _exit: that looks for leaks, by calls that a weakened process may
 * not make. */
static void end(int status)
{
	(void)syscall(SYS_exit_group, status);
}

/* Returns the errno of what a weakened child tried, or 0 if it succeeded. */
static int weakened(int (*weaken)(struct ces_error *), int (*attempt)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (weaken(NULL) < 0)
			end(255);
		end(attempt() < 0 ? errno : 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int execute(void)
{
	char *const argv[] = {(char *)(uintptr_t) "true", NULL};

	return execve("/bin/true", argv, NULL);
}

static int mount_one(void)
{
	return mount("none", "/", NULL, MS_REMOUNT | MS_BIND, NULL);
}

static int open_mount(void)
{
	return (int)syscall(SYS_open_tree, AT_FDCWD, "/", 1 /* OPEN_TREE_CLONE */);
}

static int new_root(void)
{
	return chroot("/");
}

static int leave_namespace(void)
{
	return unshare(CLONE_NEWNS);
}

static int child_elsewhere(void)
{
	return (int)syscall(SYS_clone, CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0);
}

static int trace(void)
{
	return (int)ptrace(PTRACE_SEIZE, getppid(), NULL, NULL);
}

static int read_memory(void)
{
	return (int)syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}

static int rob_fd(void)
{
	return (int)syscall(SYS_pidfd_getfd, 0, 0, 0);
}

static int make_socket(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int load_program(void)
{
	return (int)syscall(SYS_bpf, 0, NULL, 0);
}

static int load_module(void)
{
	return (int)syscall(SYS_finit_module, -1, "", 0);
}

static int start_kernel(void)
{
	return (int)syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
			    LINUX_REBOOT_CMD_CAD_OFF, NULL);
}

static int open_by_number(void)
{
	return (int)syscall(SYS_open_by_handle_at, AT_FDCWD, NULL, 0);
}

static int join_keyring(void)
{
	return (int)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
}

static int make_node(void)
{
	return (int)syscall(SYS_mknodat, AT_FDCWD, "/tmp/ces-weaken-test", S_IFCHR | 0600, 0);
}

static int type_for_others(void)
{
	char c = 'x';

	return ioctl(0, TIOCSTI, &c);
}

static int new_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
		       MAP_FAILED
		   ? -1
		   : 0;
}

static int code_of_data(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static int set_label(void)
{
	return (int)syscall(SYS_setxattr, "/tmp", "trusted.x", "y", 1, 0);
}

static int enter_namespace(void)
{
	return setns(open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC), CLONE_NEWUSER);
}

static int become_another(void)
{
	return setresuid(1, 1, 1);
}

static int give_away(void)
{
	return fchown(0, 1, 1);
}

static int open_to_all(void)
{
	return fchmod(0, 0777);
}

static const struct {
	const char *name;
	int (*attempt)(void);
} gone[] = {
    {"execve", execute},
    {"mount", mount_one},
    {"open_tree", open_mount},
    {"chroot", new_root},
    {"unshare", leave_namespace},
    {"clone with a namespace", child_elsewhere},
    {"ptrace", trace},
    {"process_vm_readv", read_memory},
    {"pidfd_getfd", rob_fd},
    {"socket", make_socket},
    {"bpf", load_program},
    {"finit_module", load_module},
    {"reboot", start_kernel},
    {"open_by_handle_at", open_by_number},
    {"keyctl", join_keyring},
    {"mknod", make_node},
    {"ioctl", type_for_others},
    {"new code", new_code},
    {"code of data", code_of_data},
    {"setxattr", set_label},
    {"setns", enter_namespace},
    {"setresuid", become_another},
    {"fchown", give_away},
    {"fchmod", open_to_all},
};

START_TEST(privileges_that_the_watcher_does_not_need_are_gone)
{
	if (geteuid() != 0) /* an ordinary user has nothing to give up */
		return;
	ck_assert_msg(weakened(ces_weaken_for_watch, gone[_i].attempt) == EPERM, "%s",
		      gone[_i].name);
}
END_TEST

static int child(void)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0)
		end(0);
	return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

static int files(void)
{
	CES_CLEANUP_FD int fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && mkdirat(fd, "ces-weaken-test", 0700) == 0 &&
		       unlinkat(fd, "ces-weaken-test", AT_REMOVEDIR) == 0
		   ? 0
		   : -1;
}

static int signals(void)
{
	return kill(getpid(), 0);
}

static int resize_terminal(void)
{
	const struct winsize size = {.ws_row = 33, .ws_col = 101};
	CES_CLEANUP_FD int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);

	return fd >= 0 ? ioctl(fd, TIOCSWINSZ, &size) : -1;
}

static int (*const kept[])(void) = {child, files, signals, resize_terminal};

START_TEST(privileges_that_the_watcher_needs_are_there)
{
	if (geteuid() == 0)
		ck_assert_int_eq(weakened(ces_weaken_for_watch, kept[_i]), 0);
}
END_TEST

/* Really sets the clock; the other calls fail in the kernel for lack of privilege. */
static int set_clock(void)
{
	struct timespec now;

	return clock_gettime(CLOCK_REALTIME, &now) < 0 || clock_settime(CLOCK_REALTIME, &now) < 0
		   ? -1
		   : 0;
}

static int holds_too_much(void)
{
	static const cap_value_t never[] = {CAP_SYS_MODULE, CAP_SYS_RAWIO,     CAP_SYS_TIME,
					    CAP_SYS_BOOT,   CAP_NET_ADMIN,     CAP_NET_RAW,
					    CAP_SYSLOG,     CAP_AUDIT_CONTROL, CAP_LEASE,
					    CAP_MAC_ADMIN,  CAP_SETFCAP};
	cap_t has = cap_get_proc();
	cap_flag_value_t value;

	for (size_t i = 0; i < CES_COUNT(never); i++)
		if (cap_get_flag(has, never[i], CAP_PERMITTED, &value) < 0 || value == CAP_SET)
			return 0;
	errno = EPERM;
	return -1;
}

START_TEST(set_up_has_no_rights_over_modules_clocks_or_packets)
{
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(weakened(ces_weaken_for_set_up, set_clock), EPERM);
	ck_assert_int_eq(weakened(ces_weaken_for_set_up, holds_too_much), EPERM);
}
END_TEST

/* A host whose root has less (a service's bounding set) is no failure, and root gets nothing
 * back. */
static int weaken_twice(struct ces_error *err)
{
	return ces_weaken_for_watch(err) < 0 ? -1 : ces_weaken_for_set_up(err);
}

static int has_no_more(void)
{
	cap_t has = cap_get_proc();
	cap_flag_value_t value = CAP_SET;

	errno = EPERM;
	return cap_get_flag(has, CAP_SYS_ADMIN, CAP_PERMITTED, &value) < 0 || value == CAP_SET ? 0
											       : -1;
}

START_TEST(a_privilege_that_was_given_up_does_not_come_back)
{
	if (geteuid() == 0)
		ck_assert_int_eq(weakened(weaken_twice, has_no_more), EPERM);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("weaken");
	TCase *tcase = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tcase, privileges_that_the_watcher_does_not_need_are_gone, 0,
			    (int)CES_COUNT(gone));
	tcase_add_loop_test(tcase, privileges_that_the_watcher_needs_are_there, 0,
			    (int)CES_COUNT(kept));
	tcase_add_test(tcase, set_up_has_no_rights_over_modules_clocks_or_packets);
	tcase_add_test(tcase, a_privilege_that_was_given_up_does_not_come_back);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
