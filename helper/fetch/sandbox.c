/* The sandboxes of ces-fetch and of its dialer. They parse what strangers send, in a million lines
 * of libcurl, OpenSSL and the resolver: assume that one will be taken over one day. Then ces-fetch
 * can only talk to the addresses of its pull. The dialer can connect but holds nothing that is
 * worth sending. Both may read a few of the files that any user may read, and write to their own
 * pipes. Must not weaken anything to make a test pass. */
#include "helper/fetch/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"

#define GROUPS_MAX 64

static int check_capabilities(struct ces_error *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	if (syscall(SYS_capget, &header, data) < 0)
		return ces_error_errno(err, CES_E_INTERNAL, "capget");
	for (size_t i = 0; i < CES_COUNT(data); i++)
		if ((data[i].effective | data[i].permitted | data[i].inheritable) != 0)
			return ces_error_set(err, CES_E_INTERNAL, "started with capabilities");
	return 0;
}

int ces_sandbox_check_identity(struct ces_error *err)
{
	uid_t uid[3];
	gid_t gid[3], groups[GROUPS_MAX];
	int n = getgroups(GROUPS_MAX, groups);

	if (n < 0 || getresuid(&uid[0], &uid[1], &uid[2]) < 0 ||
	    getresgid(&gid[0], &gid[1], &gid[2]) < 0)
		return ces_error_errno(err, CES_E_INTERNAL, "getresuid");
	for (size_t i = 0; i < 3; i++)
		if (uid[i] == 0 || gid[i] == 0 || uid[i] != uid[0] || gid[i] != gid[0])
			return ces_error_set(err, CES_E_INTERNAL,
					     "started as root, or as two users at once");
	for (int i = 0; i < n; i++)
		if (groups[i] == 0)
			return ces_error_set(err, CES_E_INTERNAL, "started with root's group");
	return check_capabilities(err);
}

int ces_sandbox_drop(struct ces_error *err)
{
	const struct rlimit none = {0, 0};

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return ces_error_errno(err, CES_E_INTERNAL, "prctl");
	/* RLIMIT_FSIZE does not affect pipes and sockets, and nothing else may be written to. */
	if (setrlimit(RLIMIT_CORE, &none) < 0 || setrlimit(RLIMIT_FSIZE, &none) < 0)
		return ces_error_errno(err, CES_E_INTERNAL, "setrlimit");
	return 0;
}

/* Allowed with any arguments. */
static const char *const allowed[] = {
    /* bytes and fds that are already there */
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "close",
    "lseek",
    "dup",
    "pipe2",
    "eventfd2",
    "poll",
    "ppoll",
    "select",
    "pselect6",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    /* looking at files: certificates, resolv.conf, hosts, services, name service modules */
    "fstat",
    "newfstatat",
    "stat",
    "lstat",
    "statx",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getdents64",
    "getcwd",
    "fstatfs",
    "statfs",
    "fadvise64",
    /* talking */
    "recvfrom",
    "recvmsg",
    "getsockname",
    "getpeername",
    "getsockopt",
    "shutdown",
    /* memory, time, luck */
    "brk",
    "munmap",
    "mremap",
    "madvise",
    "futex",
    "set_robust_list",
    "rseq",
    "set_tid_address",
    "sched_yield",
    "sched_getaffinity",
    /* giving up more */
    "landlock_create_ruleset",
    "landlock_add_rule",
    "landlock_restrict_self",
    "membarrier",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sigaltstack",
    "restart_syscall",
    "nanosleep",
    "clock_nanosleep",
    "clock_gettime",
    "clock_getres",
    "gettimeofday",
    "time",
    "getrandom",
    "uname",
    "sysinfo",
    "getpid",
    "gettid",
    "getppid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getrlimit",
    "exit",
    "exit_group",
};

/* This program calls none of these. With EPERM a payload could look for another way. */
static const char *const fatal[] = {
    "execve",
    "execveat",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "pidfd_getfd",
    "fork",
    "vfork",
    "unshare",
    "setns",
    "mount",
    "umount2",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsmount",
    "mount_setattr",
    "pivot_root",
    "chroot",
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setgroups",
    "setfsuid",
    "setfsgid",
    "capset",
    "keyctl",
    "add_key",
    "request_key",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "open_by_handle_at",
    "name_to_handle_at",
    "personality",
    "memfd_create",
    "kill",
    "tkill",
};

/* New in kernels or libraries: a program that gets ENOSYS uses the old call. clone3 keeps its flags
 * in memory, where a filter cannot look. */
static const char *const absent[] = {"clone3", "openat2", "epoll_pwait2", "futex_waitv",
				     "close_range"};

/* O_TMPFILE includes O_DIRECTORY, which a read may use. */
#define WRITES (O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY))
#define TYPE   0xf /* of socket(2)'s second argument; the rest are flags */
#define TCP    IPPROTO_TCP
#define UDP    IPPROTO_UDP

#define EQUALS(n, value)                                                                           \
	{                                                                                          \
		(n), SCMP_CMP_EQ, (scmp_datum_t)(value), 0                                         \
	}
#define MASKED(n, mask, value)                                                                     \
	{                                                                                          \
		(n), SCMP_CMP_MASKED_EQ, (scmp_datum_t)(mask), (scmp_datum_t)(value)               \
	}

#define DIALER CES_SANDBOX_DIALER
#define FETCH  CES_SANDBOX_FETCH
#define BOTH   (FETCH | DIALER)

/* Allowed with these arguments. If a call has several rows, one match is enough. */
static const struct {
	unsigned who;
	const char *name;
	unsigned n;
	struct scmp_arg_cmp arguments[3];
} conditional[] = {
    {BOTH, "open", 1, {MASKED(1, WRITES, 0)}},
    {BOTH, "openat", 1, {MASKED(2, WRITES, 0)}},
    /* No page is ever writable and executable; a name service module may still be loaded. */
    {BOTH, "mmap", 1, {MASKED(2, PROT_EXEC, 0)}},
    {BOTH, "mmap", 1, {MASKED(2, PROT_WRITE, 0)}},
    {BOTH, "mprotect", 1, {MASKED(2, PROT_EXEC, 0)}},
    /* Out to a registry, to DNS, to the machine's name service daemon. No netlink, no raw sockets.
     * Nothing can come in, because nothing can bind, listen or accept. */
    {DIALER, "socket", 3, {EQUALS(0, AF_INET), MASKED(1, TYPE, SOCK_STREAM), EQUALS(2, 0)}},
    {DIALER, "socket", 3, {EQUALS(0, AF_INET), MASKED(1, TYPE, SOCK_STREAM), EQUALS(2, TCP)}},
    {DIALER, "socket", 3, {EQUALS(0, AF_INET), MASKED(1, TYPE, SOCK_DGRAM), EQUALS(2, 0)}},
    {DIALER, "socket", 3, {EQUALS(0, AF_INET), MASKED(1, TYPE, SOCK_DGRAM), EQUALS(2, UDP)}},
    {DIALER, "socket", 3, {EQUALS(0, AF_INET6), MASKED(1, TYPE, SOCK_STREAM), EQUALS(2, 0)}},
    {DIALER, "socket", 3, {EQUALS(0, AF_INET6), MASKED(1, TYPE, SOCK_STREAM), EQUALS(2, TCP)}},
    {DIALER, "socket", 3, {EQUALS(0, AF_INET6), MASKED(1, TYPE, SOCK_DGRAM), EQUALS(2, 0)}},
    {DIALER, "socket", 3, {EQUALS(0, AF_INET6), MASKED(1, TYPE, SOCK_DGRAM), EQUALS(2, UDP)}},
    {DIALER, "socket", 2, {EQUALS(0, AF_UNIX), MASKED(1, TYPE, SOCK_STREAM)}},
    {DIALER, "connect", 0, {{0}}},
    {DIALER, "setsockopt", 0, {{0}}},
    {DIALER, "recvmmsg", 0, {{0}}},
    /* MSG_FASTOPEN would be a way to connect without asking Landlock (tcp(7)) */
    {DIALER, "sendto", 1, {MASKED(3, MSG_FASTOPEN, 0)}},
    {DIALER, "sendmsg", 1, {MASKED(2, MSG_FASTOPEN, 0)}},
    {DIALER, "sendmmsg", 1, {MASKED(3, MSG_FASTOPEN, 0)}},
    /* only to the peer of a connected socket, without an address */
    {FETCH, "sendto", 2, {MASKED(3, MSG_FASTOPEN, 0), EQUALS(4, 0)}},
    {FETCH, "wait4", 0, {{0}}}, /* for the dialer */
    {FETCH, "setsockopt", 2, {EQUALS(1, TCP), EQUALS(2, TCP_NODELAY)}},
    {BOTH, "ioctl", 1, {EQUALS(1, FIONREAD)}},
    {BOTH, "ioctl", 1, {EQUALS(1, FIONBIO)}},
    {BOTH, "fcntl", 1, {EQUALS(1, F_GETFD)}},
    {BOTH, "fcntl", 1, {EQUALS(1, F_SETFD)}},
    {BOTH, "fcntl", 1, {EQUALS(1, F_GETFL)}},
    {BOTH, "fcntl", 1, {EQUALS(1, F_SETFL)}},
    {BOTH, "fcntl", 1, {EQUALS(1, F_DUPFD_CLOEXEC)}},
    {BOTH, "fcntl", 1, {EQUALS(1, F_SETPIPE_SZ)}},
    {BOTH, "prlimit64", 1, {EQUALS(2, 0)}}, /* reads a limit, sets none */
};

static int add(scmp_filter_ctx filter, uint32_t action, const char *name, unsigned n,
	       const struct scmp_arg_cmp *arguments)
{
	int number = seccomp_syscall_resolve_name(name);

	/* This architecture or this libseccomp lacks the call: the default refuses it. */
	if (number == __NR_SCMP_ERROR)
		return 0;
	return seccomp_rule_add_array(filter, action, number, n, arguments);
}

static int add_names(scmp_filter_ctx filter, uint32_t action, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int result = add(filter, action, names[i], 0, NULL);

		if (result < 0)
			return result;
	}
	return 0;
}

static int add_conditional(scmp_filter_ctx filter, enum ces_sandbox who)
{
	for (size_t i = 0; i < CES_COUNT(conditional); i++) {
		int result = 0;

		if ((conditional[i].who & who) != 0)
			result = add(filter, SCMP_ACT_ALLOW, conditional[i].name, conditional[i].n,
				     conditional[i].arguments);
		if (result < 0)
			return result;
	}
	return 0;
}

static int build(scmp_filter_ctx filter, enum ces_sandbox who)
{
	int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	if (result == 0)
		result = add_names(filter, SCMP_ACT_ALLOW, allowed, CES_COUNT(allowed));
	if (result == 0)
		result = add_names(filter, SCMP_ACT_KILL_PROCESS, fatal, CES_COUNT(fatal));
	if (result == 0)
		result = add_names(filter, SCMP_ACT_ERRNO(ENOSYS), absent, CES_COUNT(absent));
	if (result == 0)
		result = add_conditional(filter, who);
	if (result == 0 && who == FETCH)
		result = add(filter, SCMP_ACT_ERRNO(EINPROGRESS), "connect", 0, NULL);
	return result;
}

int ces_sandbox_filter(enum ces_sandbox who, struct ces_error *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int result = filter != NULL ? build(filter, who) : -ENOMEM;

	if (result == 0)
		result = seccomp_load(filter);
	seccomp_release(filter);
	if (result < 0) {
		errno = -result;
		return ces_error_errno(err, CES_E_HOST, "the system call filter cannot be set up");
	}
	return 0;
}
