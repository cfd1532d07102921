/* What ces-parse gives up. A wall that does not stand is an error, and nothing is read. */
#include "helper/parse/sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"

#define MEMORY_MAX (512u << 20)
#define SECONDS    10

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
		return ces_error_set(err, CES_E_INTERNAL, "ces-parse is started by CES only");
	return 0;
}

static int set_limits(struct ces_error *err)
{
	const struct rlimit none = {0, 0}, memory = {MEMORY_MAX, MEMORY_MAX};

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    setrlimit(RLIMIT_CORE, &none) < 0 || setrlimit(RLIMIT_NPROC, &none) < 0 ||
	    setrlimit(RLIMIT_NOFILE, &none) < 0 ||
	    (!SANITIZED && setrlimit(RLIMIT_AS, &memory) < 0))
		return ces_error_errno(err, CES_E_INTERNAL, "limits");
	(void)alarm(SECONDS);
	return 0;
}

static const int allowed[] = {
    SCMP_SYS(read),       SCMP_SYS(write),        SCMP_SYS(brk),   SCMP_SYS(munmap),
    SCMP_SYS(mremap),     SCMP_SYS(madvise),      SCMP_SYS(futex), SCMP_SYS(getrandom),
    SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn),
};

int ces_parse_confine(struct ces_error *err)
{
	const struct scmp_arg_cmp data = {2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0};
	scmp_filter_ctx filter;
	int failed;

	if (check_identity(err) < 0 || set_limits(err) < 0)
		return -1;
	/* dates are UTC's; without this timegm(3) looks for a file */
	if (clearenv() != 0 || setenv("TZ", "UTC0", 1) < 0)
		return ces_error_errno(err, CES_E_HOST, "environment");
	tzset();
	if (SANITIZED)
		return 0;
	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	failed = filter == NULL;
	for (size_t i = 0; i < CES_COUNT(allowed) && !failed; i++)
		failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0) < 0;
	failed = failed || seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, data) < 0 ||
		 seccomp_load(filter) < 0;
	seccomp_release(filter);
	return failed ? ces_error_set(err, CES_E_INTERNAL, "the filter of system calls") : 0;
}
