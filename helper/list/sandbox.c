/* Confines ces-list. It starts as a user that nobody on the host is, with capabilities over the
 * run's user namespace. Every failure ends it. */
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/confine.h"
#include "helper/list/list.h"

#define MEMORY_MAX (UINT64_C(256) << 20)

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* No socket, no process, no signal, no change of an id or an owner, and of a mode only that of the
 * outputs directory. It can make files below the root, which is that directory. */
static void load_filter(int outputs)
{
	static const int allowed[] = {
	    SCMP_SYS(read),          SCMP_SYS(write),      SCMP_SYS(close),
	    SCMP_SYS(openat),        SCMP_SYS(fstat),      SCMP_SYS(newfstatat),
	    SCMP_SYS(getdents64),    SCMP_SYS(lseek),      SCMP_SYS(fcntl),
	    SCMP_SYS(unlinkat),      SCMP_SYS(renameat2),  SCMP_SYS(poll),
	    SCMP_SYS(ppoll),         SCMP_SYS(brk),        SCMP_SYS(munmap),
	    SCMP_SYS(mremap),        SCMP_SYS(madvise),    SCMP_SYS(futex),
	    SCMP_SYS(getrandom),     SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn),
	    SCMP_SYS(clock_gettime), SCMP_SYS(sysinfo) /* qsort(3) */};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	bool good = filter != NULL;

	for (size_t i = 0; good && i < CES_COUNT(allowed); i++)
		good = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0) == 0;
	good = good && seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fchmod), 1,
					SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)outputs)) == 0;
	good = good && seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
					SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0;
	good = good && seccomp_load(filter) == 0;
	seccomp_release(filter);
	ces_confine_unless(good);
}

void ces_list_confine(const struct ces_list_job *job, int fd)
{
	ces_confine_signals();
	ces_confine_unless(
	    clearenv() == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 &&
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ces_confine_limit(RLIMIT_CORE, 0) &&
	    ces_confine_limit(RLIMIT_NOFILE, 2 * CES_LIST_LEVELS + 16) &&
	    ces_confine_limit(RLIMIT_FSIZE, CES_LIST_TEXT) &&
	    (SANITIZED || ces_confine_limit(RLIMIT_AS, MEMORY_MAX)) &&
	    signal(SIGPIPE, SIG_IGN) != SIG_ERR && signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	(void)umask(022);
	/* (files are theirs by now) */
	ces_confine_owner(job->user, job->group);
	ces_confine_unless(fchdir(fd) == 0 && chroot(".") == 0 && chdir("/") == 0);
	ces_confine_capabilities(0);
	/* (a change of ids clears it) */
	ces_confine_unless(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && prctl(PR_SET_DUMPABLE, 0) == 0);
	if (!SANITIZED)
		load_filter(fd);
}
