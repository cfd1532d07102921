/* The shared parts of the two suites about the system call filter. */
#ifndef CES_TESTS_UNIT_SECCOMP_H
#define CES_TESTS_UNIT_SECCOMP_H

#include <check.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "helper/seccomp/policy.h"

/* clang-format off */
static const char *const refused[] = {
	"mount", "umount2", "pivot_root", "fsopen", "fsconfig", "fsmount", "fspick", "open_tree",
	"move_mount", "mount_setattr", "chroot", "setns", "unshare", "bpf", "perf_event_open",
	"userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "keyctl",
	"add_key", "request_key", "kexec_load", "kexec_file_load", "init_module", "finit_module",
	"delete_module", "open_by_handle_at", "name_to_handle_at", "process_vm_readv",
	"process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp", "quotactl", "quotactl_fd",
	"swapon", "swapoff", "acct", "clock_settime", "clock_adjtime", "adjtimex", "settimeofday",
	"iopl", "ioperm", "syslog", "lookup_dcookie", "sethostname", "setdomainname", "reboot",
	"vhangup", "modify_ldt", "fanotify_init", "move_pages", "migrate_pages", "uselib",
	"sysfs", "ustat", "nfsservctl", "_sysctl",
};
/* clang-format on */

/* Returns the bytes of a compiled filter, from a function that writes them to an fd. */
static inline char *program_of(int (*compile)(int, struct ces_error *), size_t *ret_length)
{
	struct ces_error err = {0};
	CES_CLEANUP_FD int fd = memfd_create("filter", MFD_CLOEXEC);
	char *bytes;

	ck_assert_int_ge(fd, 0);
	ck_assert_msg(compile(fd, &err) == 0, "%s", err.text);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_int_eq(ces_read_file(fd, 1 << 20, &bytes, ret_length), 0);
	return bytes;
}

#endif
