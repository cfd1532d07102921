/* What a taken-over ces-fetch could still do: nothing but read, and use the fds it has. Its dialer:
 * connect out as well. */
/* links: helper/fetch/sandbox.c helper/fetch/readable.c */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/fetch/sandbox.h"

#define NOBODY 65534

static int opened(int fd)
{
	return fd < 0 ? -1 : 0;
}

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

/* Linux binds an unbound socket to a free port by itself. */
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

/* Answered with EPERM: it cannot be done, and a library that tries gets along. */
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

static int read_file(void)
{
	char c;
	CES_CLEANUP_FD int fd = open("/etc/hosts", O_RDONLY | O_CLOEXEC);

	return read(fd, &c, 1) == 1 ? 0 : -1;
}

static int resolve(void)
{
	struct addrinfo *list = NULL,
			hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	int result = getaddrinfo("localhost", "443", &hints, &list);

	if (result == 0)
		freeaddrinfo(list);
	return result == 0 ? 0 : -1;
}

static int connect_out(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9)};

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return connect(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), (struct sockaddr *)&address,
		       sizeof(address));
}

static int read_libraries(void)
{
	char c;
	CES_CLEANUP_FD int fd = open("/etc/ld.so.cache", O_RDONLY | O_CLOEXEC);

	return read(fd, &c, 1) == 1 ? 0 : -1;
}

/* a connection that was there before */
static int given = -1;

static int talk(void)
{
	int one = 1;

	return setsockopt(given, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0 &&
		       send(given, "x", 1, MSG_NOSIGNAL) == 1
		   ? 0
		   : -1;
}

static const struct {
	enum ces_sandbox who;
	const char *name;
	int (*attempt)(void);
} needed[] = {{CES_SANDBOX_DIALER, "read", read_file},
	      {CES_SANDBOX_DIALER, "resolve", resolve},
	      {CES_SANDBOX_DIALER, "connect", connect_out},
	      {CES_SANDBOX_FETCH, "libraries", read_libraries},
	      {CES_SANDBOX_FETCH, "talk", talk}};

static void become_nobody(void)
{
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
			       setresuid(NOBODY, NOBODY, NOBODY) < 0))
		_exit(100);
}

/* Exit status of a caged child: 0 done, otherwise errno; or 1000 plus the signal that killed it. */
static int caged(enum ces_sandbox who, int (*attempt)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		become_nobody();
		if (ces_sandbox_check_identity(NULL) < 0 || ces_sandbox_drop(NULL) < 0 ||
		    ces_sandbox_hide_files(who, NULL) < 0 || ces_sandbox_filter(who, NULL) < 0)
			_exit(101);
		_exit(attempt() == 0 ? 0 : errno);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

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
	ck_assert_int_eq(hidden[_i](), 0); /* they are there */
	ck_assert_int_eq(caged(CES_SANDBOX_FETCH, hidden[_i]), EACCES);
	if (hidden[_i] != read_hosts)
		ck_assert_int_eq(caged(CES_SANDBOX_DIALER, hidden[_i]), EACCES);
}
END_TEST

/* Of two listeners of this machine one is on a port of the pull's. */
static uint16_t ports[2];

static int listen_on(uint16_t *ret_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 5), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static int reach(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);

	return connect(fd, (struct sockaddr *)&address, sizeof(address));
}

static int confine_ports(void)
{
	struct ces_hosts hosts = {.endpoint.port = ports[0]};

	return ces_sandbox_ports(&hosts, NULL);
}

static int reach_registry(void)
{
	return confine_ports() < 0 ? -1 : reach(ports[0]);
}

static int reach_service(void)
{
	return confine_ports() < 0 ? -1 : reach(ports[1]);
}

static int reach_service_again(void)
{
	struct ces_hosts all = {.endpoint.port = ports[1]};

	return confine_ports() < 0 || ces_sandbox_ports(&all, NULL) < 0 ? -1 : reach(ports[1]);
}

/* connects without connect(2) */
static int reach_by_sending(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(ports[1]),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&address, sizeof(address)) < 0
		   ? -1
		   : 0;
}

static int other_stream(void)
{
	return opened(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 262 /* IPPROTO_MPTCP */));
}

START_TEST(a_service_on_another_port_is_out_of_reach)
{
	int registry = listen_on(&ports[0]), service = listen_on(&ports[1]);

	ck_assert_int_eq(reach(ports[1]), 0);
	ck_assert_int_eq(caged(CES_SANDBOX_DIALER, reach_registry), 0);
	if (syscall(444, NULL, 0, 1) >= 4) { /* older kernels have no rules for ports */
		ck_assert_int_eq(caged(CES_SANDBOX_DIALER, reach_service), EACCES);
		ck_assert_int_eq(caged(CES_SANDBOX_DIALER, reach_service_again), EACCES);
	}
	ck_assert_int_eq(caged(CES_SANDBOX_DIALER, reach_by_sending), EPERM);
	ck_assert_int_eq(caged(CES_SANDBOX_DIALER, other_stream), EPERM);
	close(registry);
	close(service);
}
END_TEST

/* Each way to an address that tcp(7), udp(7) and unix(7) know. */
static int stream_socket(void)
{
	return opened(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int stream_socket6(void)
{
	return opened(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
}

static int datagram_socket(void)
{
	return opened(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

static int unix_socket(void)
{
	return opened(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int unix_pair(void)
{
	int pair[2];

	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
}

static struct sockaddr_in loopback = {.sin_family = AF_INET};

static int send_to_address(void)
{
	return (int)sendto(given, "x", 1, 0, (struct sockaddr *)&loopback, sizeof(loopback));
}

static int send_message(void)
{
	struct iovec part = {(char *)(uintptr_t) "x", 1};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	return (int)sendmsg(given, &message, 0);
}

static int send_at_once(void)
{
	return (int)sendto(given, "x", 1, MSG_FASTOPEN, NULL, 0);
}

static int bind_to_device(void)
{
	return setsockopt(given, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2);
}

/* connect(2) to AF_UNSPEC dissolves a connection, after which the socket could have another */
static int connect_again(void)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};

	if (connect(given, &none, sizeof(none)) == 0 || errno != EINPROGRESS)
		return 0;
	if (connect(given, (struct sockaddr *)&loopback, sizeof(loopback)) == 0 ||
	    errno != EINPROGRESS || talk() < 0)
		return 0;
	errno = EPERM;
	return -1;
}

static const struct {
	const char *name;
	int (*attempt)(void);
} ways[] = {
    {"a TCP socket", stream_socket}, {"over IPv6", stream_socket6},
    {"UDP", datagram_socket},        {"a UNIX socket", unix_socket},
    {"a pair", unix_pair},           {"sending to an address", send_to_address},
    {"sendmsg", send_message},       {"TCP fast open", send_at_once},
    {"a device", bind_to_device},    {"connecting again", connect_again},
};

START_TEST(there_is_no_way_from_ces_fetch_to_another_address)
{
	int fd = listen_on(&ports[0]);

	loopback.sin_port = htons(ports[0]);
	loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	given = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(given, (struct sockaddr *)&loopback, sizeof(loopback)), 0);
	ck_assert_msg(caged(CES_SANDBOX_FETCH, ways[_i].attempt) == EPERM, "%s", ways[_i].name);
	close(given);
	close(fd);
}
END_TEST

START_TEST(what_is_not_needed_is_refused)
{
	ck_assert_msg(caged(CES_SANDBOX_FETCH, refused[_i].attempt) == EPERM, "%s",
		      refused[_i].name);
	ck_assert_msg(caged(CES_SANDBOX_DIALER, refused[_i].attempt) == EPERM, "%s",
		      refused[_i].name);
}
END_TEST

START_TEST(what_only_an_intruder_calls_kills)
{
	ck_assert_msg(caged(CES_SANDBOX_FETCH, fatal[_i].attempt) == 1000 + SIGSYS, "%s",
		      fatal[_i].name);
	ck_assert_msg(caged(CES_SANDBOX_DIALER, fatal[_i].attempt) == 1000 + SIGSYS, "%s",
		      fatal[_i].name);
}
END_TEST

START_TEST(what_fetching_needs_works)
{
	int fd = listen_on(&ports[0]);

	loopback.sin_port = htons(ports[0]);
	loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	given = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(given, (struct sockaddr *)&loopback, sizeof(loopback)), 0);
	ck_assert_msg(caged(needed[_i].who, needed[_i].attempt) == 0, "%s", needed[_i].name);
	close(given);
	close(fd);
}
END_TEST

static int rejected(void)
{
	return ces_sandbox_check_identity(NULL) < 0 ? 0 : -1;
}

/* Each in a child, with root's rights: what is left of root there must be found. */
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

	tcase_add_loop_test(tcase, what_is_not_needed_is_refused, 0, (int)CES_COUNT(refused));
	tcase_add_loop_test(tcase, what_only_an_intruder_calls_kills, 0, (int)CES_COUNT(fatal));
	tcase_add_loop_test(tcase, there_is_no_way_from_ces_fetch_to_another_address, 0,
			    (int)CES_COUNT(ways));
	tcase_add_loop_test(tcase, what_fetching_needs_works, 0, (int)CES_COUNT(needed));
	tcase_add_loop_test(tcase, files_that_anyone_may_read_are_hidden, 0,
			    (int)CES_COUNT(hidden));
	tcase_add_test(tcase, a_service_on_another_port_is_out_of_reach);
	tcase_add_loop_test(tcase, root_in_any_form_is_refused, 0, (int)CES_COUNT(roots));
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
