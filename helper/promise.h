/* What every container has, whatever image, caller or runtime: helper/config.c asks the runtime for
 * it, helper/proof.c holds the runtime to it. */
#ifndef CES_HELPER_PROMISE_H
#define CES_HELPER_PROMISE_H

#include <stddef.h>
#include <stdint.h>

/* A mount that is the same in every container. */
struct ces_promise_mount {
	const char *destination, *type, *source;
	unsigned long flags; /* MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC */
	const char *more;    /* other options, ',' between; or NULL */
};
extern const struct ces_promise_mount ces_promise_mounts[];
extern const size_t ces_promise_n_mounts;

/* Lists of paths, ended by NULL: what cannot be seen (a directory is empty, a file is /dev/null),
 * and what cannot be written. Those that a kernel does not have need no care. */
extern const char *const ces_promise_masked[];
extern const char *const ces_promise_read_only[];

/* The capabilities that container root has, and the bound for everybody. */
struct ces_promise_capability {
	const char *name;
	int number; /* linux/capability.h */
};
extern const struct ces_promise_capability ces_promise_capabilities[];
extern const size_t ces_promise_n_capabilities;

/* As /proc/PID/status shows a set of them: bit n is capability n. */
uint64_t ces_promise_capability_mask(void);

#endif
