/* Compares the system call filter of the held program with the one that CES was built with. Must
 * not take a filter that cannot be read for a right one: the record says what was not compared.
 *
 * Who controls what: the kernel gives the filter as it was loaded (ptrace(2),
 * PTRACE_SECCOMP_GET_FILTER; kernels with CONFIG_CHECKPOINT_RESTORE have it). A process may have
 * several filters, of which the strictest answer counts: one right filter is enough. */
#include "helper/audit/proof_filter.h"

#include <errno.h>
#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>

#include <nettle/base64.h>

#include "common/cleanup.h"

struct program {
	struct sock_filter v[BPF_MAXINSNS];
	size_t n;
};

static int decode(const char *text, struct program *ret, struct ces_error *err)
{
	struct base64_decode_ctx context;
	size_t length = strlen(text), used = sizeof(ret->v);

	base64_decode_init(&context);
	if (BASE64_DECODE_LENGTH(length) > sizeof(ret->v) ||
	    !base64_decode_update(&context, &used, (uint8_t *)ret->v, length, text) ||
	    !base64_decode_final(&context) || used % sizeof(ret->v[0]) != 0)
		return ces_error_set(err, CES_E_HOST, "the system call filter is damaged");
	ret->n = used / sizeof(ret->v[0]);
	return 0;
}

/* The which-th filter, the last one loaded first: 1; 0 when there are no more; -1 with errno. */
static int get(pid_t held, size_t which, struct program *ret)
{
	long n = ptrace(PTRACE_SECCOMP_GET_FILTER, held, which, NULL);

	if (n < 0)
		return errno == ENOENT ? 0 : -1;
	if ((size_t)n > CES_COUNT(ret->v)) {
		errno = EFBIG;
		return -1;
	}
	/* (only the process itself adds filters, and it is held) */
	n = ptrace(PTRACE_SECCOMP_GET_FILTER, held, which, ret->v);
	ret->n = n < 0 ? 0 : (size_t)n;
	return n < 0 ? -1 : 1;
}

/* 1: one is programs[0]; 0: none is; -1 with errno. */
static int find(pid_t held, struct program programs[2])
{
	const struct program *wanted = &programs[0], *its = &programs[1];
	int result;

	for (size_t i = 0; (result = get(held, i, &programs[1])) == 1; i++)
		if (its->n == wanted->n &&
		    memcmp(its->v, wanted->v, its->n * sizeof(its->v[0])) == 0)
			return 1;
	return result;
}

static int compare(const struct ces_plan *plan, pid_t held, const char **ret_word,
		   struct ces_error *err)
{
	CES_CLEANUP_FREE struct program *programs = calloc(2, sizeof(*programs));
	int found;

	if (programs == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	if (decode(plan->filter, &programs[0], err) < 0)
		return -1;
	found = find(held, programs);
	if (found > 0)
		return 0;
	if (found == 0) {
		*ret_word = "another";
		return ces_error_set(err, CES_E_HOST,
				     "its system call filter is not the one of this installation");
	}
	*ret_word = "cannot be read";
	/* a kernel without the request; or this process has a filter itself, as below a service
	 * manager that gave it one */
	return errno == EIO || errno == EACCES
		   ? 0
		   : ces_error_errno(err, CES_E_HOST, "reading its system call filter");
}

int ces_proof_filter(const struct ces_plan *plan, pid_t held, struct ces_json *record,
		     struct ces_error *err)
{
	/* runc compiles its own filter, from a description of the same calls */
	const char *word = plan->runc ? "the runtime's" : "as built";
	int result = plan->runc ? 0 : compare(plan, held, &word, err);

	ces_json_text(record, "seccomp_program", word);
	return result;
}
