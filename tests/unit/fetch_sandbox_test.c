/* Tests what a ces-fetch that was taken over can still do: read, and use its fds. Its dialer can
 * also connect out. */
/* links: helper/fetch/sandbox.c helper/fetch/readable.c */
#include "tests/unit/fetch_cage.h"

static int open_write(void)
{
	return opened(open("/dev/null", O_WRONLY | O_CLOEXEC));
}

static int open_both(void)
{
	return opened(open("/dev/null", O_RDWR | O_CLOEXEC));
}

static int open_create(void)
{
	return opened(open("/tmp/ces-sandbox-test", O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int open_temporary(void)
{
	return opened(openat(AT_FDCWD, "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
}

static int make_directory(void)
{
	return mkdir("/tmp/ces-sandbox-test", 0700);
}

static int remove_file(void)
{
	return unlink("/tmp/ces-sandbox-test");
}

static int make_link(void)
{
	return symlink("/etc/passwd", "/tmp/ces-sandbox-test");
}

static int change_mode(void)
{
	return chmod("/tmp/ces-sandbox-test", 0777);
}

static int raw_socket(void)
{
	return opened(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
}

static int netlink_socket(void)
{
	return opened(socket(AF_NETLINK, SOCK_DGRAM, 0));
}

static int packet_socket(void)
{
	return opened(socket(AF_PACKET, SOCK_DGRAM, 0));
}

static int bind_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	return bind(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), (struct sockaddr *)&address,
		    sizeof(address));
}

/* Listens on a socket without an address: Linux binds it to a free port by itself. */
static int listen_anywhere(void)
{
	return listen(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), 1);
}

static int writable_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? -1 : 0;
}

static int code_of_data(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static int plain_clone(void)
{
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return pid < 0 ? -1 : 0;
}

static int signal_parent(void)
{
	return (int)syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static int raise_limit(void)
{
	const struct rlimit limit = {1, 1};

	return setrlimit(RLIMIT_CORE, &limit);
}

static int inject_terminal(void)
{
	char c = 'x';

	return ioctl(0, TIOCSTI, &c);
}

static int thread(void)
{
	long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
	static char stack[4096];
	long id = syscall(SYS_clone, flags, stack + sizeof(stack), 0, 0, 0);

	return id < 0 ? -1 : 0;
}

/* Calls that the filter answers with EPERM: they do nothing, and a library that tries them goes
 * on. */
static const struct {
	const char *name;
	int (*attempt)(void);
} refused[] = {
    {"open for writing", open_write}, {"open for both", open_both},
    {"create", open_create},          {"temporary file", open_temporary},
    {"mkdir", make_directory},        {"unlink", remove_file},
    {"symlink", make_link},           {"chmod", change_mode},
    {"raw socket", raw_socket},       {"netlink", netlink_socket},
    {"packet socket", packet_socket}, {"bind", bind_port},
    {"listen", listen_anywhere},      {"writable code", writable_code},
    {"code of data", code_of_data},   {"a child", plain_clone},
    {"a signal", signal_parent},      {"a limit", raise_limit},
    {"TIOCSTI", inject_terminal},     {"a thread", thread},
};

static int run_program(void)
{
	char *const argv[] = {(char *)(uintptr_t) "true", NULL};

	return execve("/bin/true", argv, NULL);
}

static int trace_parent(void)
{
	return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int become_root(void)
{
	return setuid(0);
}

static int new_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static int mount_something(void)
{
	return mount("x", "/tmp", "tmpfs", 0, NULL);
}

static int join_keyring(void)
{
	return (int)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
}

static int kill_parent(void)
{
	return kill(getppid(), 0);
}

static const struct {
	const char *name;
	int (*attempt)(void);
} fatal[] = {
    {"execve", run_program},    {"ptrace", trace_parent},   {"setuid", become_root},
    {"unshare", new_namespace}, {"mount", mount_something}, {"keyctl", join_keyring},
    {"kill", kill_parent},
};

static int read_users(void)
{
	return opened(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int list_homes(void)
{
	return opened(open("/home", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int list_root(void)
{
	return opened(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int read_kernel(void)
{
	return opened(open("/proc/version", O_RDONLY | O_CLOEXEC));
}

static int read_hosts(void)
{
	return opened(open("/etc/hosts", O_RDONLY | O_CLOEXEC));
}

static int (*const hidden[])(void) = {read_users, list_homes, list_root, read_kernel, read_hosts};

START_TEST(files_that_anyone_may_read_are_hidden)
{
	if (syscall(444, NULL, 0, 1) < 1) /* landlock_create_ruleset: this kernel has no Landlock */
		return;
	ck_assert_int_eq(hidden[_i](), 0); /* (outside the cage they work) */
	ck_assert_int_eq(caged(CES_SANDBOX_FETCH, hidden[_i]), EACCES);
	if (hidden[_i] != read_hosts)
		ck_assert_int_eq(caged(CES_SANDBOX_DIALER, hidden[_i]), EACCES);
}
END_TEST

START_TEST(a_call_that_is_not_needed_is_refused)
{
	ck_assert_msg(caged(CES_SANDBOX_FETCH, refused[_i].attempt) == EPERM, "%s",
		      refused[_i].name);
	ck_assert_msg(caged(CES_SANDBOX_DIALER, refused[_i].attempt) == EPERM, "%s",
		      refused[_i].name);
}
END_TEST

START_TEST(a_call_that_only_an_intruder_makes_kills_the_process)
{
	ck_assert_msg(caged(CES_SANDBOX_FETCH, fatal[_i].attempt) == 1000 + SIGSYS, "%s",
		      fatal[_i].name);
	ck_assert_msg(caged(CES_SANDBOX_DIALER, fatal[_i].attempt) == 1000 + SIGSYS, "%s",
		      fatal[_i].name);
}
END_TEST

static int rejected(void)
{
	return ces_sandbox_check_identity(NULL) < 0 ? 0 : -1;
}

/* Tries each in a child with root's rights: the test must find what is left of root there. */
static int root_by_user(void)
{
	return rejected();
}

static int root_by_saved_user(void)
{
	return setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
		       setresuid(NOBODY, NOBODY, 0) == 0
		   ? rejected()
		   : -1;
}

static int root_by_group(void)
{
	return setgroups(0, NULL) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0 ? rejected() : -1;
}

static int root_by_supplementary_group(void)
{
	return setgroups(1, &(gid_t){0}) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
		       setresuid(NOBODY, NOBODY, NOBODY) == 0
		   ? rejected()
		   : -1;
}

static int (*const roots[])(void) = {root_by_user, root_by_saved_user, root_by_group,
				     root_by_supplementary_group};

START_TEST(root_in_any_form_is_refused)
{
	int status;
	pid_t pid;

	if (geteuid() != 0)
		return;
	pid = fork();
	if (pid == 0)
		_exit(roots[_i]() == 0 ? 0 : 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fetch_sandbox");
	TCase *tcase = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tcase, a_call_that_is_not_needed_is_refused, 0,
			    (int)CES_COUNT(refused));
	tcase_add_loop_test(tcase, a_call_that_only_an_intruder_makes_kills_the_process, 0,
			    (int)CES_COUNT(fatal));
	tcase_add_loop_test(tcase, files_that_anyone_may_read_are_hidden, 0,
			    (int)CES_COUNT(hidden));
	tcase_add_loop_test(tcase, root_in_any_form_is_refused, 0, (int)CES_COUNT(roots));
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
