/* Confines ces-resolve. It must not read anything if a restriction fails: that is an error. */
#include "helper/resolve/sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "common/cleanup.h"
#include "helper/fetch/sandbox.h"

#define MEMORY_MAX (512u << 20)

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static const int allowed[] = {
    SCMP_SYS(read),          SCMP_SYS(write),           SCMP_SYS(close),
    SCMP_SYS(poll),          SCMP_SYS(ppoll),           SCMP_SYS(pipe2),
    SCMP_SYS(sendmsg),       SCMP_SYS(recvmsg),         SCMP_SYS(recvfrom),
    SCMP_SYS(brk),           SCMP_SYS(munmap),          SCMP_SYS(mremap),
    SCMP_SYS(madvise),       SCMP_SYS(futex),           SCMP_SYS(getrandom),
    SCMP_SYS(clock_gettime), SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(exit_group)};

static int build(scmp_filter_ctx filter, const int *also, size_t n)
{
	const struct scmp_arg_cmp not_executable[] = {{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}};
	int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	for (size_t i = 0; i < CES_COUNT(allowed) && result == 0; i++)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; i < n && result == 0; i++)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, also[i], 0);
	return result == 0 ? seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
						    not_executable)
			   : result;
}

static int load_filter(const int *also, size_t n, struct ces_error *err)
{
	/* a sanitizer makes system calls of its own */
	scmp_filter_ctx filter = seccomp_init(SANITIZED ? SCMP_ACT_LOG : SCMP_ACT_KILL_PROCESS);
	int result = filter != NULL ? build(filter, also, n) : -ENOMEM;

	if (result == 0)
		result = seccomp_load(filter);
	seccomp_release(filter);
	if (result == 0)
		return 0;
	errno = -result;
	return ces_error_errno(err, CES_E_HOST, "the system call filter cannot be set up");
}

int ces_resolve_confine(const int *also, size_t n, struct ces_error *err)
{
	const struct rlimit memory = {MEMORY_MAX, MEMORY_MAX}, none = {0, 0};

	if (ces_sandbox_check_identity(err) < 0 || ces_sandbox_drop(err) < 0)
		return -1;
	if (setrlimit(RLIMIT_NPROC, &none) < 0 || (!SANITIZED && setrlimit(RLIMIT_AS, &memory) < 0))
		return ces_error_errno(err, CES_E_INTERNAL, "setrlimit");
	return load_filter(also, n, err);
}
