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
    CES_CAPABILITY(CAP_DAC_OVERRIDE) | /* a cgroup of the caller's session; layers of an image that goes */
    CES_CAPABILITY(CAP_FOWNER);        /* files of these with the sticky bit */
/* clang-format on */

int ces_weaken_for_set_up(struct ces_error *err)
{
	return ces_capability_keep(set_up, set_up, err);
}

/* The filter allows files, pipes and time, and also ending processes and the ones that clean up (a
 * child in the run's user namespace, with the ids of one user of it). clone3 keeps its flags where
 * a filter cannot look. It could make a user namespace, but that gives nothing without mount(2) and
 * its like. Any other call answers EPERM. */
static const unsigned allowed[] = {
    /* clang-format off */
    SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pread64, SYS_pwrite64, SYS_close, SYS_close_range,
    SYS_lseek, SYS_dup, SYS_dup3, SYS_fcntl, SYS_flock, SYS_fsync, SYS_fdatasync, SYS_ftruncate, SYS_fallocate,
    SYS_ppoll, SYS_pipe2, SYS_signalfd4, SYS_sendto, SYS_recvfrom, SYS_recvmsg,
    SYS_openat, SYS_openat2, SYS_fstat, SYS_newfstatat, SYS_statx, SYS_statfs, SYS_fstatfs, SYS_faccessat2,
    SYS_readlinkat, SYS_getdents64, SYS_mkdirat, SYS_unlinkat, SYS_renameat, SYS_renameat2, SYS_linkat,
    SYS_fchmod, SYS_fchmodat, SYS_fchown, SYS_fchownat, SYS_utimensat,
    SYS_wait4, SYS_waitid, SYS_pidfd_send_signal, SYS_kill, SYS_clone3, SYS_setns,
    SYS_setuid, SYS_setresuid, SYS_setresgid, SYS_setgroups, SYS_setfsuid, SYS_setfsgid, SYS_capget,
    SYS_capset, SYS_prctl, SYS_getpid, SYS_gettid, SYS_getppid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid,
    SYS_getresuid, SYS_getresgid, SYS_getgroups, SYS_umask,
    SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise, SYS_futex, SYS_set_robust_list,
    SYS_rseq, SYS_set_tid_address, SYS_getrandom, SYS_sched_yield, SYS_prlimit64,
    SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigtimedwait, SYS_rt_sigreturn, SYS_setitimer,
    SYS_nanosleep, SYS_clock_nanosleep, SYS_clock_gettime, SYS_gettimeofday, SYS_restart_syscall,
    SYS_exit, SYS_exit_group,
#ifdef __x86_64__ /* older forms of some of these, which other architectures never had */
    SYS_open, SYS_stat, SYS_lstat, SYS_access, SYS_readlink, SYS_mkdir, SYS_rmdir, SYS_unlink, SYS_rename,
    SYS_dup2, SYS_poll, SYS_alarm, SYS_getrlimit, SYS_time,
#endif
    /* clang-format on */
};

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#define NAMESPACES                                                                                 \
	(CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | \
	 CLONE_NEWCGROUP)
#define DENY (SECCOMP_RET_ERRNO | EPERM)

struct program {
	struct sock_filter code[2 * CES_COUNT(allowed) + 40];
	unsigned short n;
};

static void add(struct program *program, unsigned short code, unsigned k, unsigned char yes,
		unsigned char no)
{
	program->code[program->n++] = (struct sock_filter)BPF_JUMP(code, k, yes, no);
}

static void add_load(struct program *program, size_t offset)
{
	add(program, BPF_LD | BPF_W | BPF_ABS, (unsigned)offset, 0, 0);
}

static void add_return_if(struct program *program, unsigned value, unsigned action)
{
	add(program, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
	add(program, BPF_RET | BPF_K, action, 0, 0);
}

/* Allows the call with this number if none of these bits is set in the lower half of an
 * argument. */
static void add_without(struct program *program, unsigned number, size_t argument, unsigned bits)
{
	add(program, BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4);
	add_load(program, offsetof(struct seccomp_data, args) + argument * sizeof(__u64));
	add(program, BPF_JMP | BPF_JSET | BPF_K, bits, 1, 0);
	add(program, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
	add(program, BPF_RET | BPF_K, DENY, 0, 0);
}

/* Allows the call with this number if an argument is one of these values. */
static void add_with(struct program *program, unsigned number, size_t argument,
		     const unsigned *values, size_t n)
{
	add(program, BPF_JMP | BPF_JEQ | BPF_K, number, 0, (unsigned char)(2 + 2 * n));
	add_load(program, offsetof(struct seccomp_data, args) + argument * sizeof(__u64));
	for (size_t i = 0; i < n; i++)
		add_return_if(program, values[i], SECCOMP_RET_ALLOW);
	add(program, BPF_RET | BPF_K, DENY, 0, 0);
}

/* to detach from a process that was traced to hold it */
static const unsigned traces[] = {PTRACE_DETACH, PTRACE_INTERRUPT, PTRACE_GETEVENTMSG};
/* the size of the container's terminal, see helper/watch/supervise.c */
static const unsigned controls[] = {TIOCSWINSZ};

static int load_filter(void)
{
	struct program program = {.n = 0};
	struct sock_fprog loaded;

	add_load(&program, offsetof(struct seccomp_data, arch));
	add(&program, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
	add(&program, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
	add_load(&program, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < CES_COUNT(allowed); i++)
		add_return_if(&program, allowed[i], SECCOMP_RET_ALLOW);
	add_without(&program, SYS_mmap, 2, PROT_EXEC);
	add_without(&program, SYS_mprotect, 2, PROT_EXEC);
	add_without(&program, SYS_clone, 0, NAMESPACES);
	add_with(&program, SYS_ptrace, 0, traces, CES_COUNT(traces));
	add_with(&program, SYS_ioctl, 1, controls, CES_COUNT(controls));
	add(&program, BPF_RET | BPF_K, DENY, 0, 0);
	loaded = (struct sock_fprog){program.n, program.code};
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW,
			    &loaded);
}

int ces_weaken_for_watch(struct ces_error *err)
{
	if (ces_capability_keep(watch, watch, err) < 0)
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || load_filter() < 0)
		return ces_error_errno(err, CES_E_HOST, "the filter of the watching process");
	return 0;
}
