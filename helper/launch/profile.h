/* What every container has, with any image, caller or runtime. helper/inside/config.c asks the
 * runtime for it, and helper/audit/proof.c checks it. */
#ifndef CES_HELPER_LAUNCH_PROFILE_H
#define CES_HELPER_LAUNCH_PROFILE_H

#include <stddef.h>
#include <stdint.h>

/* A mount that is the same in every container. */
struct ces_profile_mount {
	const char *destination, *type, *source;
	unsigned long flags; /* MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC */
	const char *more;    /* other options, separated by ','; or NULL */
};
extern const struct ces_profile_mount ces_profile_mounts[];
extern const size_t ces_profile_n_mounts;

/* Lists of paths, ended by NULL: those that the container cannot see (a directory is empty, a file
 * is /dev/null), and those that it cannot write. Paths that a kernel does not have are skipped. */
extern const char *const ces_profile_masked[];
extern const char *const ces_profile_read_only[];

/* The capabilities that container root has, and the bound for everybody. */
struct ces_profile_capability {
	const char *name;
	int number; /* linux/capability.h */
};
extern const struct ces_profile_capability ces_profile_capabilities[];
extern const size_t ces_profile_n_capabilities;

/* As /proc/PID/status shows a set: bit n is capability n. */
uint64_t ces_profile_capability_mask(void);

#endif
