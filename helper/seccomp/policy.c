/* The system calls that a container gets. Must hold nothing but const tables.
 *
 * This is an allow-list: a call that is not here has not been thought about, and is refused. CES
 * leaves out these on purpose, though other container engines allow them: every call that makes or
 * enters a namespace or changes mounts (through them the flaws of user namespaces are reached),
 * chroot, keyrings (not namespaced), io_uring, bpf, userfaultfd and perf (large, often broken),
 * file handles (CVE-2014-3519 and kin), process_vm_* and pidfd_getfd, setting the clock, the kernel
 * log. */
#include "helper/seccomp/policy.h"

#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "common/cleanup.h"

/* clang-format off */
const char *const ces_seccomp_allowed[] = {
	/* Processes and threads. clone, personality: see the rules below. */
	"arch_prctl", "capget", "capset", "execve", "execveat", "exit", "exit_group", "fork",
	"futex", "get_robust_list", "get_thread_area", "getpgid", "getpgrp", "getpid", "getppid",
	"getsid", "gettid", "kill", "membarrier", "pause", "pidfd_open", "pidfd_send_signal",
	"prctl", "ptrace", "restart_syscall", "rseq", "seccomp", "set_robust_list",
	"set_thread_area", "set_tid_address", "setpgid", "setsid", "tgkill", "tkill", "vfork",
	"wait4", "waitid", "waitpid",

	/* Identity: inside the container's own id map only. */
	"getegid", "geteuid", "getgid", "getgroups", "getresgid", "getresuid", "getuid",
	"setfsgid", "setfsuid", "setgid", "setgroups", "setregid", "setresgid", "setresuid",
	"setreuid", "setuid", "umask",

	/* Signals. */
	"rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn",
	"rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo", "sigaltstack", "signalfd",
	"signalfd4",

	/* Scheduling and limits. */
	"getcpu", "getpriority", "getrlimit", "getrusage", "ioprio_get", "ioprio_set",
	"prlimit64", "sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity",
	"sched_getattr", "sched_getparam", "sched_getscheduler", "sched_rr_get_interval",
	"sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler",
	"sched_yield", "setpriority", "setrlimit",

	/* Memory. */
	"brk", "madvise", "memfd_create", "memfd_secret", "mincore", "mlock", "mlock2",
	"mlockall", "mmap", "mprotect", "mremap", "msync", "munlock", "munlockall", "munmap",
	"pkey_alloc", "pkey_free", "pkey_mprotect", "remap_file_pages",

	/* Time: read, wait, count; never set. */
	"alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "getitimer", "gettimeofday",
	"nanosleep", "setitimer", "time", "timer_create", "timer_delete", "timer_getoverrun",
	"timer_gettime", "timer_settime", "timerfd_create", "timerfd_gettime", "timerfd_settime",
	"times",

	/* Open files. ioctl: see the rules below. */
	"close", "close_range", "copy_file_range", "dup", "dup2", "dup3", "fadvise64",
	"fallocate", "fcntl", "fdatasync", "flock", "fsync", "ftruncate", "getdents",
	"getdents64", "lseek", "pipe", "pipe2", "pread64", "preadv", "preadv2", "pwrite64",
	"pwritev", "pwritev2", "read", "readahead", "readv", "sendfile", "splice", "sync",
	"sync_file_range", "sync_file_range2", "syncfs", "tee", "vmsplice", "write", "writev",

	/* Paths. The kernel itself refuses devices to mknod in a user namespace; FIFOs are useful. */
	"access", "chdir", "chmod", "chown", "creat", "faccessat", "faccessat2", "fchdir",
	"fchmod", "fchmodat", "fchown", "fchownat", "fstat", "fstatfs", "futimesat", "getcwd",
	"lchown", "link", "linkat", "lstat", "mkdir", "mkdirat", "mknod", "mknodat", "newfstatat",
	"open", "openat", "openat2", "readlink", "readlinkat", "rename", "renameat", "renameat2",
	"rmdir", "stat", "statfs", "statx", "symlink", "symlinkat", "truncate", "unlink",
	"unlinkat", "utime", "utimensat", "utimes",

	/* Extended attributes. */
	"fgetxattr", "flistxattr", "fremovexattr", "fsetxattr", "getxattr", "lgetxattr",
	"listxattr", "llistxattr", "lremovexattr", "lsetxattr", "removexattr", "setxattr",

	/* Waiting for several things. */
	"epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_wait", "eventfd",
	"eventfd2", "inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch",
	"io_cancel", "io_destroy", "io_getevents", "io_pgetevents", "io_setup", "io_submit",
	"poll", "ppoll", "pselect6", "select",

	/* Sockets that exist already. socket, socketpair: see the rules below. */
	"accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt",
	"listen", "recvfrom", "recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto",
	"setsockopt", "shutdown",

	/* System V and POSIX IPC: of the container's own namespace. */
	"mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedsend", "mq_unlink",
	"msgctl", "msgget", "msgrcv", "msgsnd", "semctl", "semget", "semop", "semtimedop",
	"shmat", "shmctl", "shmdt", "shmget",

	/* The machine. Landlock only ever takes rights away. */
	"getrandom", "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self",
	"sysinfo", "uname",
};
/* clang-format on */
const size_t ces_seccomp_n_allowed = CES_COUNT(ces_seccomp_allowed);

const struct ces_seccomp_number ces_seccomp_allowed_new[] = {
    {"epoll_pwait2", 441}, {"process_mrelease", 448}, {"futex_waitv", 449},
    {"cachestat", 451},    {"fchmodat2", 452},        {"map_shadow_stack", 453},
    {"futex_wake", 454},   {"futex_wait", 455},       {"futex_requeue", 456},
    {"mseal", 462},        {"setxattrat", 463},       {"getxattrat", 464},
    {"listxattrat", 465},  {"removexattrat", 466},    {"file_getattr", 468},
    {"file_setattr", 469},
};
const size_t ces_seccomp_n_allowed_new = CES_COUNT(ces_seccomp_allowed_new);

#define INT 0xffffffffu /* an int or unsigned argument: the kernel sees only the low half */

/* Every flag that makes a namespace, except CLONE_NEWTIME: in clone's flags that bit belongs to the
 * exit signal. */
#define NAMESPACES                                                                                 \
	((uint32_t)CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |   \
	 CLONE_NEWPID | CLONE_NEWNET)
_Static_assert(NAMESPACES == 0x7E020000u, "the namespace flags of clone(2)");

#if defined(__s390__)
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif

/* ioctl: all but TIOCSTI (types into the terminal) and TIOCLINUX (pastes into it). A list of
 * allowed values cannot say "all but", and setting a bit that the kernel ignores passes a
 * comparison of 64 bits (CVE-2017-5226, CVE-2019-10063). So the rules allow every value that
 * differs from both in some bit that they share, or from each in bits 0 to 3 (2 and 12). */
_Static_assert(TIOCSTI == 0x5412 && TIOCLINUX == 0x541C,
	       "the ioctl rules are made for these numbers");
/* clang-format off */
#define IOCTL(mask, value) {"ioctl", 1, {{1, mask, value}}}
#define SET(bit)           IOCTL(1u << (bit), 1u << (bit))
#define CLEAR(bit)         IOCTL(1u << (bit), 0)

#define PERSONALITY(value) {"personality", 1, {{0, INT, value}}}

/* Families, kinds and protocols of ordinary programs. All others load kernel modules that hardly
 * anyone has reviewed. The kind's other bits are SOCK_NONBLOCK and SOCK_CLOEXEC. */
#define KIND 0xfu
#define SOCKET(family, kind, protocol) \
	{"socket", 3, {{0, INT, family}, {1, KIND, kind}, {2, INT, protocol}}}

const struct ces_seccomp_rule ces_seccomp_rules[] = {
	{"clone", 1, {{CLONE_FLAGS, NAMESPACES, 0}}},

	/* The values that setarch and old programs ask for, without ADDR_NO_RANDOMIZE and
	 * READ_IMPLIES_EXEC. */
	PERSONALITY(0),
	PERSONALITY(0x8),        /* PER_LINUX32 */
	PERSONALITY(0x20000),    /* UNAME26 */
	PERSONALITY(0x20008),
	PERSONALITY(0xffffffff), /* changes nothing, returns the present value */

	{"socketpair", 1, {{0, INT, AF_UNIX}}},
	{"socket", 1, {{0, INT, AF_UNIX}}},
	SOCKET(AF_INET, SOCK_STREAM, 0),
	SOCKET(AF_INET, SOCK_STREAM, IPPROTO_TCP),
	SOCKET(AF_INET, SOCK_DGRAM, 0),
	SOCKET(AF_INET, SOCK_DGRAM, IPPROTO_UDP),
	SOCKET(AF_INET6, SOCK_STREAM, 0),
	SOCKET(AF_INET6, SOCK_STREAM, IPPROTO_TCP),
	SOCKET(AF_INET6, SOCK_DGRAM, 0),
	SOCKET(AF_INET6, SOCK_DGRAM, IPPROTO_UDP),
	SOCKET(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE),
	SOCKET(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE),

	SET(31), SET(30), SET(29), SET(28), SET(27), SET(26), SET(25), SET(24),
	SET(23), SET(22), SET(21), SET(20), SET(19), SET(18), SET(17), SET(16),
	SET(15), CLEAR(14), SET(13), CLEAR(12), SET(11), CLEAR(10), SET(9), SET(8),
	SET(7), SET(6), SET(5), CLEAR(4),
	IOCTL(0x1, 0x1), /* odd */
	IOCTL(0xc, 0x4), /* 4 to 7 */
	IOCTL(0xc, 0x8), /* 8 to 11 */
	IOCTL(0x6, 0x0), /* 0 and 8 */
	IOCTL(0x6, 0x6), /* 6 and 14 */
};
/* clang-format on */
const size_t ces_seccomp_n_rules = CES_COUNT(ces_seccomp_rules);

/* The container must not read or write the kernel's audit log. passwd, useradd and PAM end if audit
 * is refused, because they suspect an attack. They accept a kernel without audit. */
const struct ces_seccomp_rule ces_seccomp_unsupported[] = {
    {"socket", 2, {{0, INT, AF_NETLINK}, {2, INT, NETLINK_AUDIT}}},
};
const size_t ces_seccomp_n_unsupported = CES_COUNT(ces_seccomp_unsupported);

/* clone3 takes its flags from memory, where no filter can look. */
const struct ces_seccomp_number ces_seccomp_absent[] = {
    {"clone3", 435},
    {"statmount", 457},
    {"listmount", 458},
    {"lsm_get_self_attr", 459},
    {"lsm_set_self_attr", 460},
    {"lsm_list_modules", 461},
    {"open_tree_attr", 467},
};
const size_t ces_seccomp_n_absent = CES_COUNT(ces_seccomp_absent);
