/* Tests what code that has taken over ces-unpack can still do: next to nothing. */
/* links: helper/unpack/sandbox.c */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/unpack/sandbox.h"

#define ALL                                                                                        \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)

static char base[64];
static struct ces_error err;

static void setup(void)
{
	strcpy(base, "/tmp/ces-sandbox-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", base);
	ck_assert_int_eq(system(command), 0);
}

static int set(const char *path, const char *text)
{
	CES_CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

static int become_unpack(enum ces_unpack_kind kind)
{
	unsigned uid = geteuid(), gid = getegid();
	char users[64], groups[64];
	int root = kind == CES_UNPACK_LAYER ? open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	snprintf(users, sizeof(users), "0 %u 1", uid);
	snprintf(groups, sizeof(groups), "0 %u 1", gid);
	if (unshare(ALL) < 0 || set("/proc/self/setgroups", "deny") < 0 ||
	    set("/proc/self/uid_map", users) < 0 || set("/proc/self/gid_map", groups) < 0)
		return -1;
	return ces_sandbox_begin(&err) < 0 || ces_sandbox_enter(kind, root, 0, &err) < 0 ? -1
											 : root;
}

/* Runs `inside` in a child in the closed sandbox. It returns NULL, or a text that says what is
 * wrong. */
static void in_sandbox(enum ces_unpack_kind kind, const char *(*inside)(int root))
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		int root = become_unpack(kind);
		const char *wrong = NULL;

		if ((kind == CES_UNPACK_LAYER && root < 0) || ces_sandbox_close(kind, &err) < 0)
			wrong = err.text[0] != '\0' ? err.text : "no user namespace";
		else
			wrong = inside(root);
		if (wrong != NULL)
			dprintf(2, "%s (%s)\n", wrong, strerror(errno));
		_exit(wrong != NULL);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

static const struct {
	const char *name;
	long number, arguments[5];
} forbidden[] = {
    {"socket", SYS_socket, {AF_INET, SOCK_STREAM}},
    {"socketpair", SYS_socketpair, {AF_UNIX, SOCK_STREAM}},
    {"execve", SYS_execve, {0}},
    {"execveat", SYS_execveat, {0}},
    {"clone", SYS_clone, {SIGCHLD}},
    {"a thread", SYS_clone, {CLONE_VM | CLONE_THREAD | CLONE_SIGHAND}},
    {"clone3", SYS_clone3, {0}},
    {"ptrace", SYS_ptrace, {0}},
    {"process_vm_readv", SYS_process_vm_readv, {1}},
    {"kill", SYS_kill, {1, 0}},
    {"mount", SYS_mount, {0}},
    {"fsopen", SYS_fsopen, {0}},
    {"open_tree", SYS_open_tree, {0}},
    {"chroot", SYS_chroot, {0}},
    {"pivot_root", SYS_pivot_root, {0}},
    {"setns", SYS_setns, {0}},
    {"unshare", SYS_unshare, {CLONE_NEWUSER}},
    {"setuid", SYS_setuid, {0}},
    {"capset", SYS_capset, {0}},
    {"prctl", SYS_prctl, {PR_SET_DUMPABLE, 1}},
    {"keyctl", SYS_keyctl, {0}},
    {"add_key", SYS_add_key, {0}},
    {"bpf", SYS_bpf, {0}},
    {"perf_event_open", SYS_perf_event_open, {0}},
    {"io_uring_setup", SYS_io_uring_setup, {1}},
    {"userfaultfd", SYS_userfaultfd, {0}},
    {"open_by_handle_at", SYS_open_by_handle_at, {0}},
    {"memfd_create", SYS_memfd_create, {0}},
    {"setrlimit", SYS_prlimit64, {0}},
    {"ioctl", SYS_ioctl, {0}},
    {"setxattr by path", SYS_setxattr, {0}},
    {"a device", SYS_mknodat, {0, 0, S_IFCHR | 0666, 0x103}},
    {"a fifo", SYS_mknodat, {0, 0, S_IFIFO | 0666, 0}},
    {"a link that follows", SYS_linkat, {0, 0, 0, 0, AT_SYMLINK_FOLLOW}},
    {"memory to run", SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1}},
    {"memory made to run", SYS_mprotect, {0, 4096, PROT_READ | PROT_EXEC}},
};

static const char *try_forbidden(int root)
{
	(void)root;
	for (size_t i = 0; i < CES_COUNT(forbidden); i++) {
		const long *a = forbidden[i].arguments;

		errno = 0;
		if (syscall(forbidden[i].number, a[0], a[1], a[2], a[3], a[4], 0) != -1 ||
		    errno != EPERM)
			return forbidden[i].name;
	}
	return NULL;
}

static const enum ces_unpack_kind kinds[] = {CES_UNPACK_MANIFEST, CES_UNPACK_CONFIG,
					     CES_UNPACK_LAYER, CES_UNPACK_FIND_USER};

START_TEST(the_system_calls_of_an_attack_are_refused)
{
	in_sandbox(kinds[_i], try_forbidden);
}
END_TEST

/* Tries what a document job does not need: it is refused, although a layer job may do it. */
static const char *try_files(int root)
{
	struct open_how how = {.flags = O_RDONLY};

	(void)root;
	if (open("/", O_RDONLY) >= 0 || errno != EPERM)
		return "open";
	if (syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof(how)) >= 0 || errno != EPERM)
		return "openat2";
	return mkdir("/x", 0755) == 0 || errno != EPERM ? "mkdir" : NULL;
}

START_TEST(a_document_job_opens_no_file_at_all)
{
	in_sandbox(kinds[_i], try_files);
}
END_TEST

static const char *look_around(int root)
{
	struct stat st, top;

	if (open("/etc/passwd", O_RDONLY) >= 0 || errno != ENOENT)
		return "/etc/passwd is there";
	if (open("/proc/self/exe", O_RDONLY) >= 0 || errno != ENOENT)
		return "/proc is there";
	if (fstatat(root, "../..", &st, 0) < 0 || fstatat(root, ".", &top, 0) < 0 ||
	    st.st_ino != top.st_ino)
		return "the root can be left";
	if (mknodat(root, "hidden", S_IFCHR, 0) < 0)
		return "no whiteout can be made";
	return NULL;
}

START_TEST(a_layer_job_sees_its_directory_and_nothing_above)
{
	in_sandbox(CES_UNPACK_LAYER, look_around);
}
END_TEST

/* Reads the process's attributes before the filter, which refuses such questions. */
static const char *attributes(enum ces_unpack_kind kind, const char *capabilities)
{
	struct rlimit core;
	cap_t have;
	char *text;

	setenv("CES_CANARY", "1", 1);
	if (become_unpack(kind) < 0 && kind == CES_UNPACK_LAYER)
		return err.text;
	if (environ != NULL && environ[0] != NULL)
		return "the environment is not empty";
	if (prctl(PR_GET_DUMPABLE) != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return "it is dumpable or may gain privileges";
	if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_max != 0)
		return "it may dump core";
	if (prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) != 0 || prctl(PR_CAPBSET_READ, CAP_CHOWN) != 0)
		return "its bounding set is not empty";
	have = cap_get_proc();
	text = cap_to_text(have, NULL);
	return text == NULL || strcmp(text, capabilities) != 0 ? (text != NULL ? text : "?") : NULL;
}

static const struct {
	enum ces_unpack_kind kind;
	const char *text;
} capabilities[] = {
    {CES_UNPACK_MANIFEST, "="},
    {CES_UNPACK_CONFIG, "="},
    {CES_UNPACK_LAYER, "cap_chown,cap_dac_override,cap_fowner=ep"},
    {CES_UNPACK_FIND_USER, "cap_dac_read_search=ep"},
};

START_TEST(each_kind_of_job_holds_its_few_capabilities_and_nothing_else)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		const char *wrong = attributes(capabilities[_i].kind, capabilities[_i].text);

		if (wrong != NULL)
			dprintf(2, "%s\n", wrong);
		_exit(wrong != NULL);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("unpack_sandbox");
	TCase *tests = tcase_create("sandbox");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, the_system_calls_of_an_attack_are_refused, 0, CES_COUNT(kinds));
	tcase_add_loop_test(tests, a_document_job_opens_no_file_at_all, 0, 2);
	tcase_add_test(tests, a_layer_job_sees_its_directory_and_nothing_above);
	tcase_add_loop_test(tests, each_kind_of_job_holds_its_few_capabilities_and_nothing_else, 0,
			    CES_COUNT(capabilities));
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
