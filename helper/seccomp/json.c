/* Writes the table of policy.c as JSON of the OCI runtime-spec. It must not decide about any call
 * itself. */
#include "helper/seccomp/policy.h"

#include <errno.h>
#include <string.h>

#include <json-c/json.h>
#include <seccomp.h>

/* Makes one entry of `syscalls`. It takes over names and args. */
static struct json_object *entry_of(struct json_object *names, const char *action, int code,
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

static struct json_object *names_of(const struct ces_seccomp_number *numbers, size_t n)
{
	struct json_object *names = json_object_new_array();

	for (size_t i = 0; i < n; i++)
		json_object_array_add(names, json_object_new_string(numbers[i].name));
	return names;
}

static struct json_object *rule_of(const struct ces_seccomp_rule *rule, const char *action,
				   int code)
{
	struct json_object *names = json_object_new_array();
	struct json_object *args = json_object_new_array();

	json_object_array_add(names, json_object_new_string(rule->name));
	for (unsigned i = 0; i < rule->n_args; i++) {
		struct json_object *arg = json_object_new_object();

		json_object_object_add(arg, "index", json_object_new_int((int)rule->args[i].index));
		/* With MASKED_EQ, `value` is the mask, and `valueTwo` is the result. */
		json_object_object_add(arg, "value",
				       json_object_new_int64((int64_t)rule->args[i].mask));
		json_object_object_add(arg, "valueTwo",
				       json_object_new_int64((int64_t)rule->args[i].value));
		json_object_object_add(arg, "op", json_object_new_string("SCMP_CMP_MASKED_EQ"));
		json_object_array_add(args, arg);
	}
	return entry_of(names, action, code, args);
}

static const char *architecture_name(void)
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

static struct json_object *syscalls_of_policy(void)
{
	struct json_object *calls = json_object_new_array();
	struct json_object *names = json_object_new_array();

	for (size_t i = 0; i < ces_seccomp_n_allowed; i++)
		json_object_array_add(names, json_object_new_string(ces_seccomp_allowed[i]));
	json_object_array_add(calls, entry_of(names, "SCMP_ACT_ALLOW", 0, NULL));
	names = names_of(ces_seccomp_allowed_new, ces_seccomp_n_allowed_new);
	json_object_array_add(calls, entry_of(names, "SCMP_ACT_ALLOW", 0, NULL));
	for (size_t i = 0; i < ces_seccomp_n_rules; i++)
		json_object_array_add(calls, rule_of(&ces_seccomp_rules[i], "SCMP_ACT_ALLOW", 0));
	for (size_t i = 0; i < ces_seccomp_n_unsupported; i++)
		json_object_array_add(
		    calls, rule_of(&ces_seccomp_unsupported[i], "SCMP_ACT_ERRNO", EPROTONOSUPPORT));
	names = names_of(ces_seccomp_absent, ces_seccomp_n_absent);
	json_object_array_add(calls, entry_of(names, "SCMP_ACT_ERRNO", ENOSYS, NULL));
	return calls;
}

int ces_seccomp_json(char **ret, struct ces_error *err)
{
	const char *architecture = architecture_name();
	struct json_object *policy, *architectures;
	char *text;

	if (architecture == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "no OCI name for this architecture");
	architectures = json_object_new_array();
	json_object_array_add(architectures, json_object_new_string(architecture));
	policy = json_object_new_object();
	json_object_object_add(policy, "defaultAction", json_object_new_string("SCMP_ACT_ERRNO"));
	json_object_object_add(policy, "defaultErrnoRet", json_object_new_int(EPERM));
	json_object_object_add(policy, "architectures", architectures);
	json_object_object_add(policy, "syscalls", syscalls_of_policy());
	text = strdup(json_object_to_json_string_ext(policy, JSON_C_TO_STRING_PLAIN));
	json_object_put(policy);
	if (text == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	*ret = text;
	return 0;
}
