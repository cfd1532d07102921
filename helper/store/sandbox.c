/* Confines ces-store. It starts as root of a user, mount, network, ipc and uts namespace of
 * its own, in which there is nobody but itself, and is confined as a ces-unpack that reads a
 * document is, but for its list of system calls. It must not read anything if a restriction fails.
 *
 * From the directories that it has, no path leads out: each is below one of root's that it may not
 * enter, and its own root directory is empty. */
#include "helper/store/sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "common/cleanup.h"
#include "helper/unpack/sandbox.h"

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#define FILE_MAX (16u << 20) /* the largest file is a document */

static const int allowed[] = {
    /* sockets and pipes that are there */
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(close),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvmsg),
    SCMP_SYS(recvfrom),
    /* files below the directories that are there */
    SCMP_SYS(openat),
    SCMP_SYS(openat2),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(fstatfs),
    SCMP_SYS(getdents64),
    SCMP_SYS(lseek),
    SCMP_SYS(pread64),
    SCMP_SYS(pwrite64),
    SCMP_SYS(fcntl),
    SCMP_SYS(flock),
    SCMP_SYS(fdatasync),
    SCMP_SYS(syncfs),
    SCMP_SYS(mkdirat),
    SCMP_SYS(unlinkat),
    SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
    SCMP_SYS(utimensat),
    /* memory, time, luck */
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(getrandom),
    SCMP_SYS(getpid),
    SCMP_SYS(alarm),
    SCMP_SYS(setitimer),
    SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(exit_group),
};

static int build(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp not_executable[] = {{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}};
	int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	for (size_t i = 0; i < CES_COUNT(allowed) && result == 0; i++)
		result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	return result == 0 ? seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
						    not_executable)
			   : result;
}

static int load_filter(struct ces_error *err)
{
	/* a sanitizer makes system calls of its own */
	scmp_filter_ctx filter = seccomp_init(SANITIZED ? SCMP_ACT_LOG : SCMP_ACT_KILL_PROCESS);
	int result = filter != NULL ? build(filter) : -ENOMEM;

	if (result == 0)
		result = seccomp_load(filter);
	seccomp_release(filter);
	if (result == 0)
		return 0;
	errno = -result;
	return ces_error_errno(err, CES_E_HOST, "the system call filter cannot be set up");
}

int ces_store_confine(struct ces_error *err)
{
	const struct rlimit file = {FILE_MAX, FILE_MAX}, none = {0, 0};

	if (ces_sandbox_begin(err) < 0 || ces_sandbox_enter(CES_UNPACK_MANIFEST, -1, 0, err) < 0)
		return -1;
	if (setrlimit(RLIMIT_FSIZE, &file) < 0 || setrlimit(RLIMIT_NPROC, &none) < 0)
		return ces_error_errno(err, CES_E_HOST, "setrlimit");
	return load_filter(err);
}
