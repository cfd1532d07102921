/* Tests the containers' system call filter call by call: a small interpreter runs the filter
 * itself, so that a refusal is the filter's and not the kernel's. Also tests that the JSON form
 * says the same. */
/* links: helper/seccomp/policy.c helper/seccomp/compile.c helper/seccomp/json.c */
#include <check.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <json-c/json.h>
#include <seccomp.h>

#include "tests/unit/seccomp.h"

#define ALLOW  SECCOMP_RET_ALLOW
#define REFUSE (SECCOMP_RET_ERRNO | EPERM)
#define ABSENT (SECCOMP_RET_ERRNO | ENOSYS)
#define HIGH   0x100000000u /* a bit that the kernel ignores in an int */

static struct sock_fprog program;
static uint32_t native_arch;

/* Runs one step of a classic BPF program: the instructions that seccomp allows and libseccomp
 * uses. */
static size_t step(const struct sock_filter *at, const uint8_t *data, uint32_t *a)
{
	switch (at->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		ck_assert_uint_le(at->k, sizeof(struct seccomp_data) - 4);
		memcpy(a, data + at->k, 4);
		return 1;
	case BPF_ALU | BPF_AND | BPF_K:
		*a &= at->k;
		return 1;
	case BPF_JMP | BPF_JA:
		return 1 + at->k;
	case BPF_JMP | BPF_JEQ | BPF_K:
		return 1 + (size_t)(*a == at->k ? at->jt : at->jf);
	case BPF_JMP | BPF_JGT | BPF_K:
		return 1 + (size_t)(*a > at->k ? at->jt : at->jf);
	case BPF_JMP | BPF_JGE | BPF_K:
		return 1 + (size_t)(*a >= at->k ? at->jt : at->jf);
	case BPF_JMP | BPF_JSET | BPF_K:
		return 1 + (size_t)((*a & at->k) != 0 ? at->jt : at->jf);
	default:
		ck_abort_msg("an instruction that the test does not know: %x", at->code);
	}
	return 0;
}

static uint32_t ask_data(const struct seccomp_data *data)
{
	uint32_t a = 0;
	size_t i = 0;

	while (i < program.len) {
		if (program.filter[i].code == (BPF_RET | BPF_K))
			return program.filter[i].k;
		i += step(&program.filter[i], (const uint8_t *)data, &a);
	}
	ck_abort_msg("the program runs off its end");
	return 0;
}

static uint32_t ask(int number, uint64_t a0, uint64_t a1, uint64_t a2)
{
	struct seccomp_data data = {.nr = number, .arch = native_arch, .args = {a0, a1, a2}};

	return ask_data(&data);
}

static int number_of(const char *name)
{
	return seccomp_syscall_resolve_name(name);
}

static void setup(void)
{
	size_t length;
	char *bytes = program_of(ces_seccomp_compile, &length);

	native_arch = seccomp_arch_native();
	ck_assert_uint_eq(length % sizeof(struct sock_filter), 0);
	program.filter = (struct sock_filter *)(void *)bytes;
	program.len = (unsigned short)(length / sizeof(struct sock_filter));
}

static void teardown(void)
{
	free(program.filter);
}

START_TEST(every_dangerous_call_is_refused)
{
	for (size_t i = 0; i < CES_COUNT(refused); i++) {
		int number = number_of(refused[i]);

		ck_assert_msg(number != __NR_SCMP_ERROR, "%s: no such call", refused[i]);
		if (number >= 0)
			ck_assert_msg(ask(number, 0, 0, 0) == REFUSE, "%s", refused[i]);
	}
}
END_TEST

START_TEST(every_allowance_is_a_real_call_and_answers_allow)
{
	for (size_t i = 0; i < ces_seccomp_n_allowed; i++) {
		const char *name = ces_seccomp_allowed[i];
		int number = number_of(name);

		ck_assert_msg(number != __NR_SCMP_ERROR, "%s: no such call", name);
		if (number >= 0)
			ck_assert_msg(ask(number, ~0ull, ~0ull, ~0ull) == ALLOW, "%s", name);
	}
}
END_TEST

static bool named(int number)
{
	for (size_t i = 0; i < ces_seccomp_n_allowed; i++)
		if (number_of(ces_seccomp_allowed[i]) == number)
			return true;
	for (size_t i = 0; i < ces_seccomp_n_rules; i++)
		if (number_of(ces_seccomp_rules[i].name) == number)
			return true;
	for (size_t i = 0; i < ces_seccomp_n_allowed_new; i++)
		if (ces_seccomp_allowed_new[i].number == number)
			return true;
	for (size_t i = 0; i < ces_seccomp_n_absent; i++)
		if (ces_seccomp_absent[i].number == number)
			return true;
	return number >= CES_SECCOMP_FUTURE_FIRST && number <= CES_SECCOMP_FUTURE_LAST;
}

START_TEST(a_call_that_nobody_named_is_refused)
{
	for (int number = 0; number < 2048; number++)
		if (!named(number))
			ck_assert_msg(ask(number, 0, 0, 0) == REFUSE, "call %d", number);
	ck_assert_uint_eq(ask(0x3fffffff, 0, 0, 0), REFUSE);
}
END_TEST

START_TEST(a_newer_call_has_the_number_that_libseccomp_knows)
{
	const struct ces_seccomp_number *lists[] = {ces_seccomp_allowed_new, ces_seccomp_absent};
	const size_t lengths[] = {ces_seccomp_n_allowed_new, ces_seccomp_n_absent};

	for (size_t list = 0; list < 2; list++)
		for (size_t i = 0; i < lengths[list]; i++) {
			int known = number_of(lists[list][i].name);

			ck_assert_uint_eq(ask(lists[list][i].number, 0, 0, 0),
					  list == 0 ? ALLOW : ABSENT);
			if (known != __NR_SCMP_ERROR)
				ck_assert_int_eq(known, lists[list][i].number);
		}
}
END_TEST

/* libseccomp 2.5.2, which is RHEL 9's, knows the calls up to memfd_secret, 447. */
START_TEST(a_call_is_listed_by_name_only_if_an_old_libseccomp_knows_it)
{
	for (size_t i = 0; i < ces_seccomp_n_allowed; i++)
		ck_assert_msg(number_of(ces_seccomp_allowed[i]) <= 447, "%s",
			      ces_seccomp_allowed[i]);
}
END_TEST

START_TEST(a_call_that_does_not_exist_yet_is_answered_as_an_older_kernel_would)
{
	for (int number = CES_SECCOMP_FUTURE_FIRST; number <= CES_SECCOMP_FUTURE_LAST; number++)
		ck_assert_uint_eq(ask(number, 0, 0, 0), ABSENT);
	ck_assert_uint_eq(ask(SYS_clone3, 0, 0, 0), ABSENT);
}
END_TEST

START_TEST(a_call_of_another_abi_ends_the_process)
{
	struct seccomp_data data = {.nr = 4, .arch = AUDIT_ARCH_I386};

	ck_assert_uint_eq(ask_data(&data), SECCOMP_RET_KILL_PROCESS);
	data.arch = AUDIT_ARCH_ARM;
	ck_assert_uint_eq(ask_data(&data), SECCOMP_RET_KILL_PROCESS);
	data.arch = 0;
	ck_assert_uint_eq(ask_data(&data), SECCOMP_RET_KILL_PROCESS);
#ifdef __x86_64__
	data.arch = native_arch; /* x32 */
	data.nr = 0x40000000 + SYS_read;
	ck_assert_uint_eq(ask_data(&data), SECCOMP_RET_KILL_PROCESS);
	data.nr = 0x40000000 + 520; /* execve of x32 */
	ck_assert_uint_eq(ask_data(&data), SECCOMP_RET_KILL_PROCESS);
#endif
}
END_TEST

START_TEST(clone_makes_threads_and_children_but_no_namespace)
{
	static const uint64_t flags[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
					 CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};
	const uint64_t thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
				CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
				CLONE_CHILD_CLEARTID;

	ck_assert_uint_eq(ask(SYS_clone, SIGCHLD, 0, 0), ALLOW);
	ck_assert_uint_eq(ask(SYS_clone, thread, 0, 0), ALLOW);
	ck_assert_uint_eq(ask(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0), ALLOW);
	for (size_t i = 0; i < CES_COUNT(flags); i++) {
		ck_assert_uint_eq(ask(SYS_clone, flags[i] | SIGCHLD, 0, 0), REFUSE);
		ck_assert_uint_eq(ask(SYS_clone, flags[i] | thread, 0, 0), REFUSE);
		ck_assert_uint_eq(ask(SYS_clone, flags[i] | HIGH, 0, 0), REFUSE);
	}
}
END_TEST

START_TEST(the_two_requests_that_type_into_a_terminal_are_the_only_ones_refused)
{
	static const uint64_t highs[] = {0, HIGH, 0xffffffff00000000u, 0x8000000000000000u};

	for (size_t h = 0; h < CES_COUNT(highs); h++) {
		ck_assert_uint_eq(ask(SYS_ioctl, 0, highs[h] | TIOCSTI, 0), REFUSE);
		ck_assert_uint_eq(ask(SYS_ioctl, 0, highs[h] | TIOCLINUX, 0), REFUSE);
		for (uint32_t bit = 0; bit < 32; bit++) {
			ck_assert_uint_eq(ask(SYS_ioctl, 0, highs[h] | (TIOCSTI ^ 1u << bit), 0),
					  ALLOW);
			ck_assert_uint_eq(ask(SYS_ioctl, 0, highs[h] | (TIOCLINUX ^ 1u << bit), 0),
					  ALLOW);
		}
	}
	for (uint64_t request = 0; request <= 0xffff; request++)
		if (request != TIOCSTI && request != TIOCLINUX)
			ck_assert_msg(ask(SYS_ioctl, 0, request, 0) == ALLOW, "ioctl %jx",
				      (uintmax_t)request);
}
END_TEST

START_TEST(sockets_are_of_the_listed_families_kinds_and_protocols_alone)
{
	const int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;

	for (uint64_t family = 0; family < 64; family++)
		for (uint64_t kind = 0; kind < 16; kind++)
			for (uint64_t protocol = 0; protocol < 300; protocol++) {
				bool inet = family == AF_INET || family == AF_INET6;
				bool good = family == AF_UNIX ||
					    (inet && kind == SOCK_STREAM &&
					     (protocol == 0 || protocol == 6)) ||
					    (inet && kind == SOCK_DGRAM &&
					     (protocol == 0 || protocol == 17)) ||
					    (family == AF_NETLINK && protocol == 0 &&
					     (kind == SOCK_RAW || kind == SOCK_DGRAM));
				/* the kernel's audit log answers as if the kernel lacked it */
				uint32_t refusal = family == AF_NETLINK && protocol == 9
						       ? SECCOMP_RET_ERRNO | EPROTONOSUPPORT
						       : REFUSE;
				uint32_t answer =
				    ask(SYS_socket, family, kind | (uint64_t)flags, protocol);

				ck_assert_msg(answer == (good ? ALLOW : refusal),
					      "socket(%ju, %ju, %ju)", (uintmax_t)family,
					      (uintmax_t)kind, (uintmax_t)protocol);
			}
	ck_assert_uint_eq(ask(SYS_socket, HIGH | AF_ALG, SOCK_SEQPACKET, 0), REFUSE);
	ck_assert_uint_eq(ask(SYS_socket, HIGH | AF_PACKET, HIGH | SOCK_RAW, 0), REFUSE);
	ck_assert_uint_eq(ask(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0), ALLOW);
	ck_assert_uint_eq(ask(SYS_socketpair, AF_INET, SOCK_STREAM, 0), REFUSE);
	ck_assert_uint_eq(ask(SYS_socketpair, 30 /* AF_TIPC */, SOCK_STREAM, 0), REFUSE);
}
END_TEST

START_TEST(personality_takes_the_usual_values_alone)
{
	static const uint64_t good[] = {0, 8, 0x20000, 0x20008, 0xffffffff, ~0ull};
	static const uint64_t bad[] = {0x0040000, 0x0400000, 0x0100000, 1, 4, HIGH | 0x400000};

	for (size_t i = 0; i < CES_COUNT(good); i++)
		ck_assert_uint_eq(ask(SYS_personality, good[i], 0, 0), ALLOW);
	for (size_t i = 0; i < CES_COUNT(bad); i++)
		ck_assert_uint_eq(ask(SYS_personality, bad[i], 0, 0), REFUSE);
}
END_TEST

START_TEST(the_program_fits_the_kernel_with_room)
{
	ck_assert_uint_gt(program.len, 200);
	ck_assert_uint_lt(program.len, BPF_MAXINSNS / 4);
}
END_TEST

/* ---- the other form ---- */

static struct json_object *member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	ck_assert_msg(json_object_object_get_ex(object, key, &value), "no %s", key);
	return value;
}

static unsigned args_of(struct json_object *entry, struct scmp_arg_cmp *args)
{
	struct json_object *list = NULL;
	unsigned n;

	if (!json_object_object_get_ex(entry, "args", &list))
		return 0;
	n = (unsigned)json_object_array_length(list);
	ck_assert_uint_le(n, CES_SECCOMP_ARGS_MAX);
	for (unsigned i = 0; i < n; i++) {
		struct json_object *arg = json_object_array_get_idx(list, i);

		ck_assert_str_eq(json_object_get_string(member(arg, "op")), "SCMP_CMP_MASKED_EQ");
		args[i] = SCMP_CMP64((unsigned)json_object_get_int(member(arg, "index")),
				     SCMP_CMP_MASKED_EQ,
				     (uint64_t)json_object_get_int64(member(arg, "value")),
				     (uint64_t)json_object_get_int64(member(arg, "valueTwo")));
	}
	return n;
}

/* Adds an entry as a runtime does: it skips a name that this libseccomp does not know. */
static void add_entry(scmp_filter_ctx filter, struct json_object *entry)
{
	struct scmp_arg_cmp args[CES_SECCOMP_ARGS_MAX];
	struct json_object *names = member(entry, "names"), *code = NULL;
	unsigned n_args = args_of(entry, args);
	bool allow = strcmp(json_object_get_string(member(entry, "action")), "SCMP_ACT_ALLOW") == 0;
	uint32_t action = SCMP_ACT_ALLOW;

	if (!allow) {
		ck_assert(json_object_object_get_ex(entry, "errnoRet", &code));
		action = SCMP_ACT_ERRNO((unsigned)json_object_get_int(code));
	}
	for (size_t i = 0; i < json_object_array_length(names); i++) {
		int number = number_of(json_object_get_string(json_object_array_get_idx(names, i)));

		if (number >= 0)
			ck_assert_int_eq(
			    seccomp_rule_add_exact_array(filter, action, number, n_args, args), 0);
	}
}

static int compile_json(int fd, struct ces_error *err)
{
	CES_CLEANUP_FREE char *text = NULL;
	struct json_object *policy, *calls;
	scmp_filter_ctx filter;
	int result;

	if (ces_seccomp_json(&text, err) < 0)
		return -1;
	policy = json_tokener_parse(text);
	ck_assert_ptr_nonnull(policy);
	ck_assert_str_eq(json_object_get_string(member(policy, "defaultAction")), "SCMP_ACT_ERRNO");
	filter = seccomp_init(
	    SCMP_ACT_ERRNO((unsigned)json_object_get_int(member(policy, "defaultErrnoRet"))));
	ck_assert_ptr_nonnull(filter);
	ck_assert_int_eq(seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2), 0);
	calls = member(policy, "syscalls");
	for (size_t i = 0; i < json_object_array_length(calls); i++)
		add_entry(filter, json_object_array_get_idx(calls, i));
	result = seccomp_export_bpf(filter, fd);
	seccomp_release(filter);
	json_object_put(policy);
	return result;
}

START_TEST(both_forms_give_the_same_answer_for_every_known_call)
{
	static const uint64_t args[][3] = {
	    {0, 0, 0},
	    {~0ull, ~0ull, ~0ull},
	    {CLONE_NEWUSER, TIOCSTI, 0},
	    {AF_UNIX, 1, 0},
	    {AF_INET, SOCK_STREAM, 6},
	    {AF_INET, SOCK_RAW, 1},
	    {AF_NETLINK, SOCK_RAW, 0},
	    {AF_NETLINK, SOCK_RAW, 9},
	    {8, TIOCLINUX, 17},
	    {AF_INET6, SOCK_DGRAM, 17},
	};
	struct sock_fprog compiled = program, from_json;
	size_t length;
	CES_CLEANUP_FREE char *bytes = program_of(compile_json, &length);
	int last = number_of("mount_setattr"); /* known to the oldest supported libseccomp */

	from_json.filter = (struct sock_filter *)(void *)bytes;
	from_json.len = (unsigned short)(length / sizeof(struct sock_filter));
	for (int number = 0; number <= last; number++)
		for (size_t i = 0; i < CES_COUNT(args); i++) {
			uint32_t answers[2];

			program = compiled;
			answers[0] = ask(number, args[i][0], args[i][1], args[i][2]);
			program = from_json;
			answers[1] = ask(number, args[i][0], args[i][1], args[i][2]);
			program = compiled;
			ck_assert_msg(answers[0] == answers[1], "call %d, arguments %zu", number,
				      i);
		}
}
END_TEST

START_TEST(the_json_names_this_architecture_and_every_call_of_the_table)
{
	struct ces_error err = {0};
	CES_CLEANUP_FREE char *text = NULL;

	ck_assert_int_eq(ces_seccomp_json(&text, &err), 0);
	ck_assert_ptr_nonnull(strstr(text, "\"architectures\":[\"SCMP_ARCH_"));
	for (size_t i = 0; i < ces_seccomp_n_allowed_new; i++)
		ck_assert_ptr_nonnull(strstr(text, ces_seccomp_allowed_new[i].name));
	for (size_t i = 0; i < ces_seccomp_n_absent; i++)
		ck_assert_ptr_nonnull(strstr(text, ces_seccomp_absent[i].name));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("seccomp");
	TCase *answers = tcase_create("answers");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_unchecked_fixture(answers, setup, teardown);
	tcase_set_timeout(answers, 60);
	tcase_add_test(answers, every_dangerous_call_is_refused);
	tcase_add_test(answers, every_allowance_is_a_real_call_and_answers_allow);
	tcase_add_test(answers, a_call_that_nobody_named_is_refused);
	tcase_add_test(answers, a_newer_call_has_the_number_that_libseccomp_knows);
	tcase_add_test(answers, a_call_is_listed_by_name_only_if_an_old_libseccomp_knows_it);
	tcase_add_test(answers,
		       a_call_that_does_not_exist_yet_is_answered_as_an_older_kernel_would);
	tcase_add_test(answers, a_call_of_another_abi_ends_the_process);
	tcase_add_test(answers, clone_makes_threads_and_children_but_no_namespace);
	tcase_add_test(answers,
		       the_two_requests_that_type_into_a_terminal_are_the_only_ones_refused);
	tcase_add_test(answers, sockets_are_of_the_listed_families_kinds_and_protocols_alone);
	tcase_add_test(answers, personality_takes_the_usual_values_alone);
	tcase_add_test(answers, the_program_fits_the_kernel_with_room);
	tcase_add_test(answers, both_forms_give_the_same_answer_for_every_known_call);
	tcase_add_test(answers, the_json_names_this_architecture_and_every_call_of_the_table);
	suite_add_tcase(suite, answers);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
