/* Confines ces-list. It starts as a user that nobody on the host is, with capabilities over the
 * run's user namespace. Every failure ends it. */
#include <fcntl.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/list/list.h"

#define MEMORY_MAX (UINT64_C(256) << 20)

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static void give_up_unless(bool good)
{
	if (!good)
		_exit(2);
}

static bool set_limit(__rlimit_resource_t resource, uint64_t value)
{
	const struct rlimit limit = {value, value};

	return setrlimit(resource, &limit) == 0;
}

/* Files are the caller's by now, and file servers see the caller's uid. */
static void become(const struct ces_list_job *job)
{
	(void)setfsuid(job->user);
	/* (an impossible id changes nothing, and the call returns the current id) */
	give_up_unless(setfsuid((uid_t)-1) == (int)job->user && getgroups(0, NULL) == 0 &&
		       getegid() == job->group && geteuid() != job->user);
}

static void drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0}, have[2];

	for (int bit = 0; prctl(PR_CAPBSET_READ, bit) >= 0; bit++)
		give_up_unless(prctl(PR_CAPBSET_DROP, bit) == 0);
	give_up_unless(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
		       syscall(SYS_capset, &header, none) == 0 &&
		       syscall(SYS_capget, &header, have) == 0 &&
		       (have[0].permitted | have[1].permitted | have[0].inheritable |
			have[1].inheritable) == 0);
}

/* No socket, no process, no signal, no change of an id or an owner, and of a mode only that of the
 * outputs directory. It can make files below the root, which is that directory. */
static void load_filter(int outputs)
{
	static const int allowed[] = {
	    SCMP_SYS(read),       SCMP_SYS(write),        SCMP_SYS(close),
	    SCMP_SYS(openat),     SCMP_SYS(fstat),        SCMP_SYS(newfstatat),
	    SCMP_SYS(getdents64), SCMP_SYS(lseek),        SCMP_SYS(fcntl),
	    SCMP_SYS(unlinkat),   SCMP_SYS(poll),         SCMP_SYS(ppoll),
	    SCMP_SYS(brk),        SCMP_SYS(munmap),       SCMP_SYS(mremap),
	    SCMP_SYS(madvise),    SCMP_SYS(futex),        SCMP_SYS(getrandom),
	    SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn), SCMP_SYS(clock_gettime),
	    SCMP_SYS(sysinfo) /* qsort(3) */};
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
	give_up_unless(good);
}

void ces_list_confine(const struct ces_list_job *job, int fd)
{
	give_up_unless(clearenv() == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 &&
		       prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && set_limit(RLIMIT_CORE, 0) &&
		       set_limit(RLIMIT_NOFILE, 2 * CES_LIST_LEVELS + 16) &&
		       set_limit(RLIMIT_FSIZE, CES_LIST_TEXT) &&
		       (SANITIZED || set_limit(RLIMIT_AS, MEMORY_MAX)) &&
		       signal(SIGPIPE, SIG_IGN) != SIG_ERR && signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	(void)umask(022);
	become(job);
	give_up_unless(fchdir(fd) == 0 && chroot(".") == 0 && chdir("/") == 0);
	drop_capabilities();
	/* (a change of ids clears it) */
	give_up_unless(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && prctl(PR_SET_DUMPABLE, 0) == 0);
	if (!SANITIZED)
		load_filter(fd);
}
