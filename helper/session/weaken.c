/* Gives up capabilities and system calls. Must not give up fewer if something fails: each error
 * ends the request.
 *
 * Who controls what: nobody but this file; there is no input. Why it is worth it: the process that
 * watches a run lives as long as the run, reads bytes of its client and of the container's ports,
 * and is root. An attacker who takes it over can end runs and work on files as root, but loads no
 * module, mounts nothing, traces nobody, opens no socket and executes no program. */
#include "helper/session/weaken.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/core/capability.h"

static const uint64_t set_up =
    /* clang-format off */
    CES_CAPABILITY(CAP_SYS_ADMIN) |       /* mounts, namespaces, the device program, the image's marks */
    CES_CAPABILITY(CAP_SETUID) |          /* the caller's rights, the workers' users, the id maps */
    CES_CAPABILITY(CAP_SETGID) |          /* the same */
    CES_CAPABILITY(CAP_SETPCAP) |         /* to take capabilities from what the runtime inherits */
    CES_CAPABILITY(CAP_DAC_OVERRIDE) |    /* cgroups and layers, which have many owners */
    CES_CAPABILITY(CAP_DAC_READ_SEARCH) | /* the same */
    CES_CAPABILITY(CAP_CHOWN) |           /* staging, the container's own directories */
    CES_CAPABILITY(CAP_FOWNER) |          /* the same */
    CES_CAPABILITY(CAP_FSETID) |          /* the overlay's work, see helper/launch/overlay.c */
    CES_CAPABILITY(CAP_MKNOD) |           /* the nodes of the container's /dev */
    CES_CAPABILITY(CAP_KILL) |            /* workers, relays and containers, which have other users */
    CES_CAPABILITY(CAP_SYS_PTRACE) |      /* to hold a container and to read what the kernel says of it */
    CES_CAPABILITY(CAP_SYS_RESOURCE) |    /* the workers' own limits */
    CES_CAPABILITY(CAP_SYS_NICE) |        /* a cgroup that has cpus of its own, see cgroup.c */
    CES_CAPABILITY(CAP_SYS_CHROOT);       /* entering a mount namespace, setns(2) */
/* clang-format on */

static const uint64_t watch =
    /* clang-format off */
    CES_CAPABILITY(CAP_KILL) |         /* the run's processes and its relays */
    CES_CAPABILITY(CAP_SETUID) |       /* to remove a run's directory with the caller's rights */
    CES_CAPABILITY(CAP_SETGID) |       /* the same */
    CES_CAPABILITY(CAP_DAC_OVERRIDE) | /* a cgroup of the caller's session; the place that outputs are given to; the run's grant, which is ces-store's */
    CES_CAPABILITY(CAP_FOWNER);        /* the same place, if it has the sticky bit */
/* clang-format on */

int ces_weaken_for_set_up(struct ces_error *err)
{
	return ces_capability_keep(set_up, set_up, err);
}

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#define NAMESPACES                                                                                 \
	(CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | \
	 CLONE_NEWCGROUP)
#define YES SECCOMP_RET_ALLOW
#define NO  (SECCOMP_RET_ERRNO | EPERM)

#define RETURN(action)   BPF_STMT(BPF_RET | BPF_K, (action))
#define LOAD(member)     BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define UNLESS(value, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (n)) /* skips n */
#define IF_SET(bits, n)  BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (bits), (n), 0) /* the same */

/* Allows a call; or a call if none of these bits is set in the lower half of an argument. */
#define ALLOW(call) UNLESS(SYS_##call, 1), RETURN(YES)
#define ALLOW_WITHOUT(call, argument, bits)                                                        \
	UNLESS(SYS_##call, 4), LOAD(args[argument]), IF_SET(bits, 1), RETURN(YES), RETURN(NO)

/* Begins n values of an argument with which the call is allowed. RETURN(NO) ends them. */
#define ALLOW_WITH(call, argument, n) UNLESS(SYS_##call, 2 * (n) + 2), LOAD(args[argument])
#define VALUE(value)                  UNLESS(value, 1), RETURN(YES)

/* The filter allows files, pipes and time, and also ending processes and starting the collector. It
 * allows nothing that gives a file another owner or mode. clone3 keeps its flags where a filter
 * cannot look. It could make a user namespace, but that gives nothing without mount(2) and its
 * like. Any other call answers EPERM. */
static const struct sock_filter filter[] = {
    /* clang-format off */
    LOAD(arch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0), RETURN(SECCOMP_RET_KILL_PROCESS),
    LOAD(nr),
    ALLOW(read), ALLOW(write), ALLOW(readv), ALLOW(writev), ALLOW(pread64), ALLOW(pwrite64), ALLOW(close),
    ALLOW(close_range), ALLOW(lseek), ALLOW(dup), ALLOW(dup3), ALLOW(fcntl), ALLOW(flock), ALLOW(fsync),
    ALLOW(fdatasync), ALLOW(ftruncate), ALLOW(fallocate), ALLOW(ppoll), ALLOW(pipe2), ALLOW(signalfd4),
    ALLOW(sendto), ALLOW(recvfrom), ALLOW(recvmsg), ALLOW(openat), ALLOW(openat2), ALLOW(fstat), ALLOW(newfstatat),
    ALLOW(statx), ALLOW(statfs), ALLOW(fstatfs), ALLOW(faccessat2), ALLOW(readlinkat), ALLOW(getdents64),
    ALLOW(mkdirat), ALLOW(unlinkat), ALLOW(renameat), ALLOW(renameat2), ALLOW(utimensat), ALLOW(wait4), ALLOW(waitid),
    ALLOW(pidfd_send_signal), ALLOW(kill), ALLOW(clone3), ALLOW(setgroups), ALLOW(setfsuid), ALLOW(setfsgid),
    ALLOW(capget), ALLOW(capset),
    ALLOW(prctl), ALLOW(getpid), ALLOW(gettid), ALLOW(getppid), ALLOW(getuid), ALLOW(geteuid), ALLOW(getgid),
    ALLOW(getegid), ALLOW(getresuid), ALLOW(getresgid), ALLOW(getgroups), ALLOW(umask), ALLOW(brk), ALLOW(munmap),
    ALLOW(mremap), ALLOW(madvise), ALLOW(futex), ALLOW(set_robust_list), ALLOW(rseq), ALLOW(set_tid_address),
    ALLOW(getrandom), ALLOW(sched_yield), ALLOW(prlimit64), ALLOW(rt_sigaction), ALLOW(rt_sigprocmask),
    ALLOW(rt_sigtimedwait), ALLOW(rt_sigreturn), ALLOW(setitimer), ALLOW(nanosleep), ALLOW(clock_nanosleep),
    ALLOW(clock_gettime), ALLOW(gettimeofday), ALLOW(restart_syscall), ALLOW(exit), ALLOW(exit_group),
    ALLOW_WITHOUT(mmap, 2, PROT_EXEC), ALLOW_WITHOUT(mprotect, 2, PROT_EXEC), ALLOW_WITHOUT(clone, 0, NAMESPACES),
    /* to detach from a process that was traced to hold it */
    ALLOW_WITH(ptrace, 0, 3), VALUE(PTRACE_DETACH), VALUE(PTRACE_INTERRUPT), VALUE(PTRACE_GETEVENTMSG), RETURN(NO),
    /* the size of the container's terminal, see helper/watch/supervise.c */
    ALLOW_WITH(ioctl, 1, 1), VALUE(TIOCSWINSZ), RETURN(NO),
#ifdef __x86_64__ /* older forms of some of these, which other architectures never had */
    ALLOW(open), ALLOW(stat), ALLOW(lstat), ALLOW(access), ALLOW(readlink), ALLOW(mkdir), ALLOW(rmdir),
    ALLOW(unlink), ALLOW(rename), ALLOW(dup2), ALLOW(poll), ALLOW(alarm), ALLOW(getrlimit), ALLOW(time),
#endif
    RETURN(NO),
    /* clang-format on */
};

static int load_filter(void)
{
	const struct sock_fprog program = {CES_COUNT(filter),
					   (struct sock_filter *)(uintptr_t)filter};

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
			    &program);
}

int ces_weaken_for_watch(struct ces_error *err)
{
	if (ces_capability_keep(watch, watch, err) < 0)
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || load_filter() < 0)
		return ces_error_errno(err, CES_E_HOST, "the filter of the watching process");
	return 0;
}
