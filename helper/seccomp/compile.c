/* Compiles the table of policy.c with libseccomp. It must not decide about any call itself. */
#include "helper/seccomp/policy.h"

#include <errno.h>
#include <string.h>

#include <seccomp.h>

static int fail(struct ces_error *err, const char *what, int code)
{
	return ces_error_set(err, CES_E_INTERNAL, "%s: %s", what, strerror(code));
}

/* The number of a call here, 0 or above. -1: this architecture has no such call. An unknown name
 * stops the build: with a misspelt name a call would be refused without a word. */
static int resolve(const char *name, int number, int *ret, struct ces_error *err)
{
	int found = seccomp_syscall_resolve_name(name);

	if (found == __NR_SCMP_ERROR && number < 0)
		return fail(err, name, ENOENT);
	if (found == __NR_SCMP_ERROR)
		found = number;
	*ret = found < 0 ? -1 : found;
	return 0;
}

static int add(scmp_filter_ctx filter, uint32_t action, const char *name, int number,
	       const struct ces_seccomp_rule *rule, struct ces_error *err)
{
	struct scmp_arg_cmp args[CES_SECCOMP_ARGS_MAX];
	unsigned n_args = rule == NULL ? 0 : rule->n_args;
	int found = -1, result;

	if (resolve(name, number, &found, err) < 0)
		return -1;
	if (found < 0)
		return 0;
	for (unsigned i = 0; i < n_args; i++)
		args[i] = SCMP_CMP64(rule->args[i].index, SCMP_CMP_MASKED_EQ, rule->args[i].mask,
				     rule->args[i].value);
	result = seccomp_rule_add_exact_array(filter, action, found, n_args, args);
	return result < 0 ? fail(err, name, -result) : 0;
}

static int add_numbers(scmp_filter_ctx filter, uint32_t action,
		       const struct ces_seccomp_number *calls, size_t n, struct ces_error *err)
{
	for (size_t i = 0; i < n; i++)
		if (add(filter, action, calls[i].name, calls[i].number, NULL, err) < 0)
			return -1;
	return 0;
}

static int add_future(scmp_filter_ctx filter, struct ces_error *err)
{
	for (int number = CES_SECCOMP_FUTURE_FIRST; number <= CES_SECCOMP_FUTURE_LAST; number++) {
		int result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), number, 0);

		if (result < 0)
			return fail(err, "a call that does not exist yet", -result);
	}
	return 0;
}

static int add_all(scmp_filter_ctx filter, struct ces_error *err)
{
	for (size_t i = 0; i < ces_seccomp_n_allowed; i++)
		if (add(filter, SCMP_ACT_ALLOW, ces_seccomp_allowed[i], -1, NULL, err) < 0)
			return -1;
	for (size_t i = 0; i < ces_seccomp_n_rules; i++)
		if (add(filter, SCMP_ACT_ALLOW, ces_seccomp_rules[i].name, -1,
			&ces_seccomp_rules[i], err) < 0)
			return -1;
	for (size_t i = 0; i < ces_seccomp_n_unsupported; i++)
		if (add(filter, SCMP_ACT_ERRNO(EPROTONOSUPPORT), ces_seccomp_unsupported[i].name,
			-1, &ces_seccomp_unsupported[i], err) < 0)
			return -1;
	if (add_numbers(filter, SCMP_ACT_ALLOW, ces_seccomp_allowed_new, ces_seccomp_n_allowed_new,
			err) < 0)
		return -1;
	if (add_numbers(filter, SCMP_ACT_ERRNO(ENOSYS), ces_seccomp_absent, ces_seccomp_n_absent,
			err) < 0)
		return -1;
	return add_future(filter, err);
}

static int fill_and_export(scmp_filter_ctx filter, int fd, struct ces_error *err)
{
	int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	/* 2: a binary tree of numbers and not a list of two hundred comparisons. */
	if (result == 0)
		result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (result < 0)
		return fail(err, "seccomp_attr_set", -result);
	if (add_all(filter, err) < 0)
		return -1;
	result = seccomp_export_bpf(filter, fd);
	return result < 0 ? fail(err, "seccomp_export_bpf", -result) : 0;
}

int ces_seccomp_compile(int fd, struct ces_error *err)
{
	scmp_filter_ctx filter;
	int result;

	/* Level 3 (Linux 4.14) has KILL_PROCESS. It is set, not probed: the kernel of the build
	 * machine must not change the program. */
	seccomp_api_set(3);
	filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (filter == NULL)
		return fail(err, "seccomp_init", ENOMEM);
	result = fill_and_export(filter, fd, err);
	seccomp_release(filter);
	return result;
}
