/* The system calls that a container's processes may make: the one table behind the BPF program that
 * crun loads and the JSON object that runc reads. A call that no rule names gets EPERM. */
#ifndef CES_HELPER_SECCOMP_POLICY_H
#define CES_HELPER_SECCOMP_POLICY_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define CES_SECCOMP_ARGS_MAX 3

/* The only comparison: (argument & mask) == value. The kernel reads most arguments as 32-bit
 * numbers. So a mask of their low half decides about the bits that the kernel looks at, whatever
 * the bits above are. */
struct ces_seccomp_arg {
	unsigned index;
	uint64_t mask, value;
};

/* Applies to a call if every argument matches. If a call has several rules, one match is enough. No
 * two overlap with different answers, so their order in a filter does not matter. */
struct ces_seccomp_rule {
	const char *name;
	unsigned n_args;
	struct ces_seccomp_arg args[CES_SECCOMP_ARGS_MAX];
};

/* A call newer than some libseccomp that CES is built with. Since Linux 5.1 a new call has the same
 * number on every architecture, so the number can take the name's place. */
struct ces_seccomp_number {
	const char *name;
	int number;
};

/* Allowed with any arguments. */
extern const char *const ces_seccomp_allowed[];
extern const size_t ces_seccomp_n_allowed;
extern const struct ces_seccomp_number ces_seccomp_allowed_new[];
extern const size_t ces_seccomp_n_allowed_new;

/* Allowed for some arguments. */
extern const struct ces_seccomp_rule ces_seccomp_rules[];
extern const size_t ces_seccomp_n_rules;

/* Answered with EPROTONOSUPPORT, as by a kernel without the family: programs that would end at
 * EPERM go on without it. */
extern const struct ces_seccomp_rule ces_seccomp_unsupported[];
extern const size_t ces_seccomp_n_unsupported;

/* Answered with ENOSYS: libraries then take the kernel for an older one and use the older call.
 * EPERM they would report to the user. */
extern const struct ces_seccomp_number ces_seccomp_absent[];
extern const size_t ces_seccomp_n_absent;

/* The numbers of calls that do not exist yet are also answered with ENOSYS. */
#define CES_SECCOMP_FUTURE_FIRST 470
#define CES_SECCOMP_FUTURE_LAST  511

/* Compiles the table for this architecture and writes the program, an array of struct sock_filter,
 * to fd. Returns 0, or -1 with err. */
int ces_seccomp_compile(int fd, struct ces_error *err);

/* Writes the same policy as the object `linux.seccomp` of the OCI runtime-spec (config-linux.md),
 * malloc'd. Future calls have no name and are not in it: runc itself answers ENOSYS for all numbers
 * above those that it knows. */
int ces_seccomp_json(char **ret, struct ces_error *err);

#endif
