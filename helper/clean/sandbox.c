/* Confines ces-clean. It starts as a user that nobody on the host is, with capabilities over a user
 * namespace. Every failure ends it.
 *
 * What is left to one that a tree has taken over: it can remove and rename what is in its two
 * directories, give it another owner of the namespace or another mode, and let a read-only
 * subvolume be written. It can read and write no file, make none, and name nothing elsewhere. Both
 * directories are mounts of their own, so that `..` leads nowhere. */
#include <fcntl.h>
#include <linux/btrfs.h>
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
#include "helper/clean/clean.h"
#include "helper/clean/tree.h"

/* readdir(3) has a buffer for each level of the walk, of 1 MiB at most. */
#define MEMORY_MAX ((CES_TREE_LEVELS + UINT64_C(64)) << 20)

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* The calls of the walk, and of memory for it. */
static const int calls[] = {SCMP_SYS(close),      SCMP_SYS(fstat),     SCMP_SYS(newfstatat),
			    SCMP_SYS(getdents64), SCMP_SYS(lseek),     SCMP_SYS(unlinkat),
			    SCMP_SYS(statx),      SCMP_SYS(renameat),  SCMP_SYS(getpid),
			    SCMP_SYS(brk),        SCMP_SYS(munmap),    SCMP_SYS(mremap),
			    SCMP_SYS(madvise),    SCMP_SYS(exit_group)};

/* Calls with one argument that has these bits as they are here. */
static const struct {
	int call;
	unsigned argument;
	scmp_datum_t mask, bits;
} parts[] = {
    /* the channel is all that it reads and writes */
    {SCMP_SYS(read), 0, UINT32_MAX, CES_CLEAN_CHANNEL},
    {SCMP_SYS(write), 0, UINT32_MAX, CES_CLEAN_CHANNEL},
    /* it makes no file, and cuts none */
    {SCMP_SYS(openat), 2, O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY), O_RDONLY},
    /* no mode under which a program gets another id */
    {SCMP_SYS(fchmod), 1, ~(scmp_datum_t)0777, 0},
    /* a subvolume that was set read-only can be removed after this */
    {SCMP_SYS(ioctl), 1, UINT32_MAX, BTRFS_IOC_SUBVOL_SETFLAGS},
    {SCMP_SYS(fcntl), 1, ~(scmp_datum_t)F_GETFL, 0}, /* flags, for fdopendir(3) */
    {SCMP_SYS(fchownat), 4, UINT32_MAX, AT_SYMLINK_NOFOLLOW},
};

static void load_filter(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	bool good = filter != NULL;

	for (size_t i = 0; good && i < CES_COUNT(calls); i++)
		good = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0) == 0;
	for (size_t i = 0; good && i < CES_COUNT(parts); i++)
		good = seccomp_rule_add(filter, SCMP_ACT_ALLOW, parts[i].call, 1,
					SCMP_CMP(parts[i].argument, SCMP_CMP_MASKED_EQ,
						 parts[i].mask, parts[i].bits)) == 0;
	/* memory, and no file in it */
	good = good &&
	       seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
				SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
				SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS)) == 0;
	/* the same modes, and through no link */
	good = good && seccomp_rule_add(filter, SCMP_ACT_ALLOW, CES_TREE_FCHMODAT2, 2,
					SCMP_A2(SCMP_CMP_MASKED_EQ, ~(scmp_datum_t)0777, 0),
					SCMP_A3(SCMP_CMP_EQ, AT_SYMLINK_NOFOLLOW)) == 0;
	good = good && seccomp_load(filter) == 0;
	seccomp_release(filter);
	ces_confine_unless(good);
}

void ces_clean_confine(const struct ces_clean_job *job)
{
	ces_confine_signals();
	ces_confine_unless(clearenv() == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 &&
			   prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
			   ces_confine_limit(RLIMIT_CORE, 0) &&
			   ces_confine_limit(RLIMIT_NOFILE, CES_TREE_LEVELS + 16) &&
			   (SANITIZED || ces_confine_limit(RLIMIT_AS, MEMORY_MAX)) &&
			   signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	ces_confine_owner(job->user, job->group);
	/* (/dev/null is no directory) */
	ces_confine_unless((fchdir(CES_CLEAN_OUTPUTS) == 0 || fchdir(CES_CLEAN_SCRATCH) == 0) &&
			   chroot(".") == 0 && chdir("/") == 0);
	ces_confine_capabilities(CES_CLEAN_WALKS);
	/* (a change of ids clears it) */
	ces_confine_unless(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && prctl(PR_SET_DUMPABLE, 0) == 0);
	if (!SANITIZED)
		load_filter();
}
