/* Confines ces-unpack. It starts as root of a user, mount, pid, network, ipc and uts namespace of
 * its own. Every failure here is fatal to the caller, which must not go on with half a sandbox. */
#include "helper/unpack/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "common/cleanup.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* The zstd window (128 MiB, twice while it moves), the ring, the list of a layer's directories. */
#define MEMORY_MAX (UINT64_C(1) << 30)

/* Processor time: a minimum, and a second more for each MiB of input. That is a thousand times the
 * usual. */
#define CPU_SECONDS 300

static int fail(struct ces_error *err, const char *what)
{
	return ces_error_errno(err, CES_E_HOST, "sandbox: cannot %s", what);
}

static int set_limit(__rlimit_resource_t resource, uint64_t value)
{
	struct rlimit limit = {value, value};

	return setrlimit(resource, &limit);
}

int ces_sandbox_begin(struct ces_error *err)
{
	if (clearenv() != 0)
		return fail(err, "clear the environment");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || set_limit(RLIMIT_CORE, 0) < 0)
		return fail(err, "set process attributes");
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return fail(err, "ignore SIGPIPE");
	/* One heap for both threads: arenas would reserve address space that counts against the
	 * limit. */
	mallopt(M_ARENA_MAX, 1);
	umask(0);
	return 0;
}

static int open_nowhere(void)
{
	CES_CLEANUP_FD int context = fsopen("tmpfs", FSOPEN_CLOEXEC);

	if (context < 0 || fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return fsmount(context, FSMOUNT_CLOEXEC,
		       MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			   MOUNT_ATTR_NOEXEC);
}

static int change_root(int root, struct ces_error *err)
{
	struct stat want, have, above;

	if (fstat(root, &want) < 0 || fchdir(root) < 0 || chroot(".") < 0 || chdir("/") < 0)
		return fail(err, "change its root");
	if (stat("/", &have) < 0 || stat("..", &above) < 0)
		return fail(err, "look at its root");
	if (have.st_dev != want.st_dev || have.st_ino != want.st_ino ||
	    above.st_dev != want.st_dev || above.st_ino != want.st_ino)
		return ces_error_set(err, CES_E_HOST, "sandbox: the root did not change");
	return 0;
}

/* Which capabilities (only over its own user namespace) each kind of job keeps, and why. */
static const struct {
	enum ces_unpack_kind kind;
	cap_value_t capability;
} kept[] = {
    {CES_UNPACK_LAYER, CAP_CHOWN}, /* owners as the tar says */
    {CES_UNPACK_LAYER,
     CAP_DAC_OVERRIDE}, /* to write below directories given to others, or of mode 0 */
    {CES_UNPACK_LAYER,
     CAP_FOWNER}, /* times and modes of files given to others; hard links to them */
    {CES_UNPACK_FIND_USER, CAP_DAC_READ_SEARCH}, /* /etc of an image may be closed to root */
};

static int drop_capabilities(enum ces_unpack_kind kind, struct ces_error *err)
{
	cap_t none = cap_init(), have;
	int failed = none == NULL;

	for (size_t i = 0; i < CES_COUNT(kept) && !failed; i++) {
		if (kept[i].kind == kind)
			failed =
			    cap_set_flag(none, CAP_PERMITTED, 1, &kept[i].capability, CAP_SET) <
				0 ||
			    cap_set_flag(none, CAP_EFFECTIVE, 1, &kept[i].capability, CAP_SET) < 0;
	}
	for (cap_value_t bit = 0; bit <= cap_max_bits() && !failed; bit++)
		failed = cap_get_bound(bit) > 0 && cap_drop_bound(bit) < 0;
	failed = failed || cap_reset_ambient() < 0 || cap_set_proc(none) < 0;
	have = failed ? NULL : cap_get_proc();
	failed = failed || have == NULL || cap_compare(have, none) != 0;
	cap_free(have);
	cap_free(none);
	return failed ? fail(err, "drop its capabilities") : 0;
}

int ces_sandbox_enter(enum ces_unpack_kind kind, int root, uint64_t size, struct ces_error *err)
{
	CES_CLEANUP_FD int nowhere = -1;

	if (root < 0) {
		nowhere = open_nowhere();
		if (nowhere < 0)
			return fail(err, "make an empty root");
		root = nowhere;
	}
	if (change_root(root, err) < 0 || drop_capabilities(kind, err) < 0)
		return -1;
	if (!SANITIZED && set_limit(RLIMIT_AS, MEMORY_MAX) < 0)
		return fail(err, "limit its memory");
	if (set_limit(RLIMIT_CPU, CPU_SECONDS + (size >> 20)) < 0)
		return fail(err, "limit its time");
	return 0;
}

/* For every kind: bytes in and out, memory, the thread that decompresses, and the end. */
static const int calls_all[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(close),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(fstat),
    SCMP_SYS(fstatfs),
    SCMP_SYS(newfstatat),
    SCMP_SYS(lseek),
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(getrandom),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(sched_yield),
    SCMP_SYS(rseq),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};
static const int calls_layer[] = {
    SCMP_SYS(openat),    SCMP_SYS(openat2),   SCMP_SYS(pwrite64),   SCMP_SYS(ftruncate),
    SCMP_SYS(mkdirat),   SCMP_SYS(symlinkat), SCMP_SYS(readlinkat), SCMP_SYS(unlinkat),
    SCMP_SYS(fchown),    SCMP_SYS(fchownat),  SCMP_SYS(fchmod),     SCMP_SYS(utimensat),
    SCMP_SYS(fsetxattr),
};
static const int calls_user[] = {SCMP_SYS(openat2), SCMP_SYS(fgetxattr)};

/* The address sanitizer's own calls, in builds for tests only. */
static const int calls_sanitizer[] = {SCMP_SYS(sigaltstack), SCMP_SYS(gettid), SCMP_SYS(getpid),
				      SCMP_SYS(sched_getaffinity)};

static int allow_all(scmp_filter_ctx filter, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0) < 0)
			return -1;
	}
	return 0;
}

/* Memory that is never both writable and executable; whiteouts, but no device; hard links that
 * follow nothing. */
static int allow_by_argument(scmp_filter_ctx filter, enum ces_unpack_kind kind)
{
	if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
			     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) < 0 ||
	    seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
			     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) < 0)
		return -1;
	if (kind != CES_UNPACK_LAYER)
		return 0;
	if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mknodat), 2,
			     SCMP_A2(SCMP_CMP_EQ, S_IFCHR), SCMP_A3(SCMP_CMP_EQ, 0)) < 0 ||
	    seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(linkat), 1, SCMP_A4(SCMP_CMP_EQ, 0)) <
		0)
		return -1;
	return 0;
}

static int build(scmp_filter_ctx filter, enum ces_unpack_kind kind)
{
	if (seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) < 0 ||
	    allow_all(filter, calls_all, CES_COUNT(calls_all)) < 0 ||
	    allow_by_argument(filter, kind) < 0)
		return -1;
	if (SANITIZED && allow_all(filter, calls_sanitizer, CES_COUNT(calls_sanitizer)) < 0)
		return -1;
	if (kind == CES_UNPACK_LAYER && allow_all(filter, calls_layer, CES_COUNT(calls_layer)) < 0)
		return -1;
	if (kind == CES_UNPACK_FIND_USER &&
	    allow_all(filter, calls_user, CES_COUNT(calls_user)) < 0)
		return -1;
	return seccomp_load(filter);
}

int ces_sandbox_close(enum ces_unpack_kind kind, struct ces_error *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int failed = filter == NULL || build(filter, kind) < 0;

	if (filter != NULL)
		seccomp_release(filter);
	return failed ? ces_error_set(err, CES_E_HOST, "sandbox: cannot filter system calls") : 0;
}
