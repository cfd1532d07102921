/* seccomp-generate: prints the containers' system call filter, at build time, in one of two forms:
 *   bpf   base64 of the compiled program, as crun takes it in the annotation
 * run.oci.seccomp_bpf_data: compiling it at each start would cost more than the rest of the start
 * together; json  the same policy as `linux.seccomp` of the OCI runtime-spec (config-linux.md), for
 * runc. Is never installed, never runs with privilege, reads nothing. For the architecture it was
 * built for. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>
#include <nettle/base64.h>
#include <seccomp.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "helper/seccomp/policy.h"

#define BPF_MAX (4096u * 8u) /* BPF_MAXINSNS of struct sock_filter */

static int fail(const char *what, int code)
{
	fprintf(stderr, "seccomp-generate: %s: %s\n", what, strerror(code));
	return -1;
}

/* The number of a call here; 0 and above. -1: this architecture has no such call. A name that
 * nobody knows stops the build: a misspelt allowance would be a silent refusal. */
static int resolve(const char *name, int number, int *ret)
{
	int found = seccomp_syscall_resolve_name(name);

	if (found == __NR_SCMP_ERROR && number < 0)
		return fail(name, ENOENT);
	if (found == __NR_SCMP_ERROR)
		found = number;
	*ret = found < 0 ? -1 : found;
	return 0;
}

static int add(scmp_filter_ctx filter, uint32_t action, const char *name, int number,
	       const struct ces_seccomp_rule *rule)
{
	struct scmp_arg_cmp args[CES_SECCOMP_ARGS_MAX];
	unsigned n_args = rule == NULL ? 0 : rule->n_args;
	int found, result;

	if (resolve(name, number, &found) < 0)
		return -1;
	if (found < 0)
		return 0;
	for (unsigned i = 0; i < n_args; i++)
		args[i] = SCMP_CMP64(rule->args[i].index, SCMP_CMP_MASKED_EQ, rule->args[i].mask,
				     rule->args[i].value);
	result = seccomp_rule_add_exact_array(filter, action, found, n_args, args);
	return result < 0 ? fail(name, -result) : 0;
}

static int add_all(scmp_filter_ctx filter)
{
	for (size_t i = 0; i < ces_seccomp_n_allowed; i++)
		if (add(filter, SCMP_ACT_ALLOW, ces_seccomp_allowed[i], -1, NULL) < 0)
			return -1;
	for (size_t i = 0; i < ces_seccomp_n_allowed_new; i++)
		if (add(filter, SCMP_ACT_ALLOW, ces_seccomp_allowed_new[i].name,
			ces_seccomp_allowed_new[i].number, NULL) < 0)
			return -1;
	for (size_t i = 0; i < ces_seccomp_n_rules; i++)
		if (add(filter, SCMP_ACT_ALLOW, ces_seccomp_rules[i].name, -1,
			&ces_seccomp_rules[i]) < 0)
			return -1;
	for (size_t i = 0; i < ces_seccomp_n_absent; i++)
		if (add(filter, SCMP_ACT_ERRNO(ENOSYS), ces_seccomp_absent[i].name,
			ces_seccomp_absent[i].number, NULL) < 0)
			return -1;
	for (int number = CES_SECCOMP_FUTURE_FIRST; number <= CES_SECCOMP_FUTURE_LAST; number++)
		if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), number, 0) < 0)
			return fail("a future call", EINVAL);
	return 0;
}

static int compile(int fd)
{
	scmp_filter_ctx filter;
	int result;

	/* Level 3 (Linux 4.14) has KILL_PROCESS. Said, not probed: the kernel of the build machine
	 * must not change the program. */
	seccomp_api_set(3);
	filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (filter == NULL)
		return fail("seccomp_init", ENOMEM);
	result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (result == 0)
		result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (result < 0)
		fail("seccomp_attr_set", -result);
	else
		result = add_all(filter);
	if (result == 0) {
		result = seccomp_export_bpf(filter, fd);
		if (result < 0)
			fail("seccomp_export_bpf", -result);
	}
	seccomp_release(filter);
	return result < 0 ? -1 : 0;
}

static int print_bpf(void)
{
	CES_CLEANUP_FD int fd = memfd_create("seccomp", MFD_CLOEXEC);
	CES_CLEANUP_FREE char *program = NULL;
	CES_CLEANUP_FREE char *text = NULL;
	size_t length = 0;

	if (fd < 0)
		return fail("memfd_create", errno);
	if (compile(fd) < 0)
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0 || ces_read_file(fd, BPF_MAX, &program, &length) < 0)
		return fail("reading the program", errno);
	text = malloc(BASE64_ENCODE_RAW_LENGTH(length));
	if (text == NULL)
		return fail("malloc", ENOMEM);
	base64_encode_raw(text, length, (const uint8_t *)program);
	if (ces_write_full(STDOUT_FILENO, text, BASE64_ENCODE_RAW_LENGTH(length), -1) < 0)
		return fail("writing", errno);
	return 0;
}

/* One entry of `syscalls`; takes names and args over. */
static struct json_object *json_entry(struct json_object *names, const char *action, int code,
				      struct json_object *args)
{
	struct json_object *entry = json_object_new_object();

	json_object_object_add(entry, "names", names);
	json_object_object_add(entry, "action", json_object_new_string(action));
	if (code != 0)
		json_object_object_add(entry, "errnoRet", json_object_new_int(code));
	if (args != NULL)
		json_object_object_add(entry, "args", args);
	return entry;
}

static struct json_object *json_names(const struct ces_seccomp_number *numbers, size_t n)
{
	struct json_object *names = json_object_new_array();

	for (size_t i = 0; i < n; i++)
		json_object_array_add(names, json_object_new_string(numbers[i].name));
	return names;
}

static struct json_object *json_rule(const struct ces_seccomp_rule *rule)
{
	struct json_object *names = json_object_new_array();
	struct json_object *args = json_object_new_array();

	json_object_array_add(names, json_object_new_string(rule->name));
	for (unsigned i = 0; i < rule->n_args; i++) {
		struct json_object *arg = json_object_new_object();

		json_object_object_add(arg, "index", json_object_new_int((int)rule->args[i].index));
		/* With MASKED_EQ `value` is the mask and `valueTwo` what must be left. */
		json_object_object_add(arg, "value",
				       json_object_new_int64((int64_t)rule->args[i].mask));
		json_object_object_add(arg, "valueTwo",
				       json_object_new_int64((int64_t)rule->args[i].value));
		json_object_object_add(arg, "op", json_object_new_string("SCMP_CMP_MASKED_EQ"));
		json_object_array_add(args, arg);
	}
	return json_entry(names, "SCMP_ACT_ALLOW", 0, args);
}

static const char *json_architecture(void)
{
	switch (seccomp_arch_native()) {
	case SCMP_ARCH_X86_64:
		return "SCMP_ARCH_X86_64";
	case SCMP_ARCH_AARCH64:
		return "SCMP_ARCH_AARCH64";
	case SCMP_ARCH_PPC64LE:
		return "SCMP_ARCH_PPC64LE";
	case SCMP_ARCH_S390X:
		return "SCMP_ARCH_S390X";
	default:
		return NULL;
	}
}

static struct json_object *json_syscalls(void)
{
	struct json_object *calls = json_object_new_array();
	struct json_object *names = json_object_new_array();

	for (size_t i = 0; i < ces_seccomp_n_allowed; i++)
		json_object_array_add(names, json_object_new_string(ces_seccomp_allowed[i]));
	json_object_array_add(calls, json_entry(names, "SCMP_ACT_ALLOW", 0, NULL));
	names = json_names(ces_seccomp_allowed_new, ces_seccomp_n_allowed_new);
	json_object_array_add(calls, json_entry(names, "SCMP_ACT_ALLOW", 0, NULL));
	for (size_t i = 0; i < ces_seccomp_n_rules; i++)
		json_object_array_add(calls, json_rule(&ces_seccomp_rules[i]));
	names = json_names(ces_seccomp_absent, ces_seccomp_n_absent);
	json_object_array_add(calls, json_entry(names, "SCMP_ACT_ERRNO", ENOSYS, NULL));
	return calls;
}

/* The calls without a name are not in it: runc answers ENOSYS by itself for numbers above all it
 * knows. */
static int print_json(void)
{
	const char *architecture = json_architecture();
	struct json_object *policy, *architectures;
	int written;

	if (architecture == NULL)
		return fail("this architecture", ENOTSUP);
	architectures = json_object_new_array();
	json_object_array_add(architectures, json_object_new_string(architecture));
	policy = json_object_new_object();
	json_object_object_add(policy, "defaultAction", json_object_new_string("SCMP_ACT_ERRNO"));
	json_object_object_add(policy, "defaultErrnoRet", json_object_new_int(EPERM));
	json_object_object_add(policy, "architectures", architectures);
	json_object_object_add(policy, "syscalls", json_syscalls());
	written = printf("%s\n", json_object_to_json_string_ext(policy, JSON_C_TO_STRING_PLAIN));
	json_object_put(policy);
	return written < 0 || fflush(stdout) != 0 ? fail("writing", EIO) : 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "bpf") == 0)
		return print_bpf() < 0;
	if (argc == 2 && strcmp(argv[1], "json") == 0)
		return print_json() < 0;
	fprintf(stderr, "usage: seccomp-generate bpf|json\n");
	return 2;
}
