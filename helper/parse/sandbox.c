/* Confines ces-parse and ces-decode. It must not read anything if a restriction fails: that is an
 * error. */
#include "helper/parse/sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/paths.h"
#include "policy/parsed.h"

#define MEMORY_MAX (512u << 20)
#define SECONDS    60 /* (ces-admit or ces-session ends it long before) */

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static int check_identity(struct ces_error *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	if (syscall(SYS_capget, &header, data) < 0)
		return ces_error_errno(err, CES_E_INTERNAL, "identity");
	if (getuid() == 0 || geteuid() == 0 || (data[0].permitted | data[1].permitted) != 0)
		return ces_error_set(err, CES_E_INTERNAL, "this is started by CES only");
	return 0;
}

static int set_limits(struct ces_error *err)
{
	/* (poll(2) takes as many fds as may be open) */
	const struct rlimit none = {0, 0}, one = {1, 1}, memory = {MEMORY_MAX, MEMORY_MAX};

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    setrlimit(RLIMIT_CORE, &none) < 0 || setrlimit(RLIMIT_NPROC, &none) < 0 ||
	    setrlimit(RLIMIT_NOFILE, &one) < 0 || (!SANITIZED && setrlimit(RLIMIT_AS, &memory) < 0))
		return ces_error_errno(err, CES_E_INTERNAL, "limits");
	(void)alarm(SECONDS);
	return 0;
}

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#define LOAD(field)                                                                                \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, field))
#define RETURN(action)      BPF_STMT(BPF_RET | BPF_K, (action))
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (skip))
#define ALLOW(call)         UNLESS(SYS_##call, 1), RETURN(SECCOMP_RET_ALLOW)

/* Written by hand: a library would take longer than the rest of the request. */
static const struct sock_filter filter[] = {
    LOAD(arch),
    UNLESS(ARCHITECTURE, 1),
    BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
    RETURN(SECCOMP_RET_KILL_PROCESS),
    LOAD(nr),
    ALLOW(read),
    ALLOW(write),
#ifdef SYS_poll
    ALLOW(poll),
#endif
    ALLOW(ppoll),
    ALLOW(clock_gettime),
    ALLOW(brk),
    ALLOW(munmap),
    ALLOW(mremap),
    ALLOW(madvise),
    ALLOW(futex),
    ALLOW(getrandom),
    ALLOW(exit_group),
    ALLOW(rt_sigreturn),
    UNLESS(SYS_mmap, 3),
    LOAD(args[2]), /* the lower half, on these architectures */
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0),
    RETURN(SECCOMP_RET_ALLOW),
    RETURN(SECCOMP_RET_KILL_PROCESS),
};

static int confine(struct ces_error *err)
{
	const struct sock_fprog program = {CES_COUNT(filter),
					   (struct sock_filter *)(uintptr_t)filter};

	if (check_identity(err) < 0 || set_limits(err) < 0)
		return -1;
	/* (dates are in UTC; without this timegm(3) looks for a file) */
	if (clearenv() != 0 || setenv("TZ", "UTC0", 1) < 0)
		return ces_error_errno(err, CES_E_HOST, "environment");
	tzset();
	/* (not by seccomp(2), which the janitor's unit does not allow) */
	if (!SANITIZED && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return ces_error_errno(err, CES_E_INTERNAL, "the filter of system calls");
	return 0;
}

int ces_parse_serve(int (*work)(uint8_t **ret, size_t *ret_length, struct ces_error *err))
{
	struct ces_parse_answer answer = {.magic = CES_PARSE_MAGIC};
	uint8_t *block = NULL;
	size_t length = 0;

	if (confine(&answer.err) < 0 || work(&block, &length, &answer.err) < 0)
		length = 0;
	answer.length = length;
	return ces_write_full(CES_PARSE_ANSWER, &answer, sizeof(answer), -1) < 0 ||
		       ces_write_full(CES_PARSE_ANSWER, block, length, -1) < 0
		   ? CES_EXIT_REFUSED
		   : 0;
}
