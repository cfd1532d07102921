/* Tests the device nodes of a run: which are made, and the program that the kernel runs at each use
 * of a device, here by an interpreter of its instructions. */
/* links: helper/launch/devices.c helper/audit/proof_nodes.c helper/session/json.c */
#include "tests/unit/devices_scene.h"

START_TEST(a_dev_has_these_nodes_links_and_mount_points)
{
	size_t before = open_fds();

	ck_assert_int_eq(make(), 0);
	steps_check(made, 0);
	ck_assert_uint_eq(open_fds(), before);
}
END_TEST

START_TEST(a_step_that_fails_ends_the_making_and_is_named)
{
	const char *name = made[_i] + strcspn(made[_i], " ") + 1;
	size_t before = open_fds();
	char expected[60];

	steps_begin((size_t)_i + 1, EROFS);
	ck_assert_int_lt(make(), 0);
	steps_check(made, (size_t)_i + 1);
	(void)snprintf(expected, sizeof(expected), "/dev/%.*s: ", (int)strcspn(name, " "), name);
	if (strncmp(made[_i], "chown", 5) == 0)
		strcpy(expected, "/dev/console: ");
	ck_assert_msg(strncmp(err.text, expected, strlen(expected)) == 0, "%s", err.text);
	ck_assert_int_eq(err.sys, EROFS);
	ck_assert_uint_eq(open_fds(), before);
}
END_TEST

START_TEST(a_console_that_is_there_already_is_not_taken)
{
	ck_assert_int_eq(symlinkat("elsewhere", directory, "console"), 0);
	ck_assert_int_lt(make(), 0);
	ck_assert_int_eq(err.sys, EEXIST);
	ck_assert_int_lt(faccessat(directory, "elsewhere", F_OK, 0), 0);
}
END_TEST

/* Checks the directory, and returns the names that were found, as JSON. */
/* Runs the program as the kernel would, for one use of a device. It refuses what the kernel's
 * verifier refuses: a register that was not set, a jump backwards or out of the program, an end
 * that is no exit. Returns R0. */
static uint64_t interpret(unsigned access, unsigned type, unsigned major_number,
			  unsigned minor_number)
{
	const uint32_t context[] = {access << 16 | type, major_number, minor_number};
	uint64_t r[11] = {0};
	bool set[11] = {[1] = true};

	for (size_t at = 0; at < n_program; at++) {
		const struct bpf_insn *i = &program[at];
		bool jump = false;

		ck_assert_uint_lt(i->dst_reg, 10);
		switch (i->code) {
		case BPF_LDX | BPF_MEM | BPF_W:
			ck_assert(i->src_reg == 1 && i->off >= 0 && i->off <= 8 && i->off % 4 == 0);
			r[i->dst_reg] = context[i->off / 4];
			set[i->dst_reg] = true;
			continue;
		case BPF_ALU64 | BPF_MOV | BPF_X:
			ck_assert(set[i->src_reg] && i->src_reg != 1);
			r[i->dst_reg] = r[i->src_reg];
			set[i->dst_reg] = true;
			continue;
		case BPF_ALU64 | BPF_MOV | BPF_K:
			r[i->dst_reg] = (uint64_t)(int64_t)i->imm;
			set[i->dst_reg] = true;
			continue;
		case BPF_ALU64 | BPF_AND | BPF_K:
			ck_assert(set[i->dst_reg]);
			r[i->dst_reg] &= (uint64_t)(int64_t)i->imm;
			continue;
		case BPF_JMP | BPF_EXIT:
			ck_assert(set[0]);
			return r[0];
		case BPF_JMP | BPF_JNE | BPF_K:
			jump = r[i->dst_reg] != (uint64_t)(int64_t)i->imm;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			jump = r[i->dst_reg] == (uint64_t)(int64_t)i->imm;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			jump = (r[i->dst_reg] & (uint64_t)(int64_t)i->imm) != 0;
			break;
		default:
			ck_abort_msg("instruction %zu has the code %x", at, i->code);
		}
		ck_assert(set[i->dst_reg] && i->off >= 0 && at + 1 + (size_t)i->off < n_program);
		at += jump ? (size_t)i->off : 0;
	}
	ck_abort_msg("the program has no end");
}

static void load(const struct ces_device *more, size_t n)
{
	size_t before = open_fds();

	steps_begin(0, 0);
	ck_assert_msg(ces_devices_confine(directory, more, n, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(open_fds(), before);
}

enum { CHAR = BPF_DEVCG_DEV_CHAR, BLOCK = BPF_DEVCG_DEV_BLOCK };
enum { MKNOD = BPF_DEVCG_ACC_MKNOD, R = BPF_DEVCG_ACC_READ, W = BPF_DEVCG_ACC_WRITE };

/* Says whether the table of this test allows the use. */
static bool allowed(unsigned access, unsigned type, unsigned maj, unsigned min)
{
	static const unsigned standard[][2] = {{1, 3}, {1, 5}, {1, 7}, {1, 8},
					       {1, 9}, {5, 0}, {5, 2}};

	if (type != CHAR || (access & MKNOD) != 0)
		return false;
	for (size_t i = 0; i < CES_COUNT(standard); i++)
		if (standard[i][0] == maj && standard[i][1] == min)
			return true;
	for (size_t i = 0; i < CES_COUNT(gpu); i++)
		if (gpu[i].major == maj && gpu[i].minor == min)
			return !gpu[i].read_only || (access & W) == 0;
	return maj == 136;
}

static const unsigned numbers[] = {0,   1,    2,       3,          4,          5,         6,   7,
				   8,   9,    10,      64,         127,        128,       129, 130,
				   135, 136,  137,     195,        226,        240,       241, 255,
				   256, 4095, 0xfffff, 0x7fffffff, 0x80000000, 0xffffffff};

START_TEST(the_program_allows_the_granted_nodes_to_be_opened_and_nothing_else)
{
	load(GPU);
	for (unsigned access = 0; access < 8; access++)
		for (unsigned type = 0; type < 5; type++)
			for (size_t i = 0; i < CES_COUNT(numbers); i++)
				for (size_t j = 0; j < CES_COUNT(numbers); j++) {
					unsigned maj = numbers[i], min = numbers[j];
					uint64_t got = interpret(access, type, maj, min);

					ck_assert_msg(got == allowed(access, type, maj, min),
						      "access %u type %u %u:%u: %llu", access, type,
						      maj, min, (unsigned long long)got);
				}
}
END_TEST

START_TEST(without_devices_of_its_own_a_run_has_the_standard_ones)
{
	load(NULL, 0);
	ck_assert_uint_eq(interpret(R | W, CHAR, 1, 3), 1);
	ck_assert_uint_eq(interpret(R | W, CHAR, 136, 1048575), 1);
	ck_assert_uint_eq(interpret(R, CHAR, 195, 0), 0);
	ck_assert_uint_eq(interpret(R, BLOCK, 1, 3), 0);
	ck_assert_uint_eq(interpret(R | MKNOD, CHAR, 1, 3), 0);
}
END_TEST

START_TEST(the_longest_program_fits_and_its_last_rule_holds)
{
	static struct ces_device many[128];

	for (size_t i = 0; i < CES_COUNT(many); i++)
		many[i] = (struct ces_device){"x", 500, (unsigned)i, i % 2 == 1};
	load(many, CES_COUNT(many));
	ck_assert_uint_eq(interpret(R, CHAR, 500, 127), 1);
	ck_assert_uint_eq(interpret(R | W, CHAR, 500, 127), 0);
	ck_assert_uint_eq(interpret(R | W, CHAR, 500, 126), 1);
	ck_assert_uint_eq(interpret(R, CHAR, 500, 128), 0);
}
END_TEST

START_TEST(the_program_is_attached_beside_those_of_others)
{
	char attach[40];
	const char *const expected[] = {"load 15 Apache-2.0", attach, NULL};

	/* BPF_PROG_TYPE_CGROUP_DEVICE 15, BPF_CGROUP_DEVICE 6, BPF_F_ALLOW_MULTI 2 */
	(void)snprintf(attach, sizeof(attach), "attach %d 6 2", directory);
	load(GPU);
	steps_check(expected, 0);
}
END_TEST

START_TEST(a_run_whose_program_does_not_load_or_attach_is_refused)
{
	static const char *const texts[] = {"loading the device program: ",
					    "attaching the device program: "};
	size_t before = open_fds();

	for (size_t i = 0; i < 2; i++) {
		steps_begin(i + 1, EPERM);
		ck_assert_int_lt(ces_devices_confine(directory, GPU, &err), 0);
		ck_assert_msg(strncmp(err.text, texts[i], strlen(texts[i])) == 0, "%s", err.text);
		ck_assert_int_eq(err.sys, EPERM);
		ck_assert_uint_eq(steps->n, i + 1);
		ck_assert_uint_eq(open_fds(), before);
	}
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("devices");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_dev_has_these_nodes_links_and_mount_points);
	tcase_add_loop_test(t, a_step_that_fails_ends_the_making_and_is_named, 0,
			    CES_COUNT(made) - 1);
	tcase_add_test(t, a_console_that_is_there_already_is_not_taken);
	tcase_add_test(t, the_program_allows_the_granted_nodes_to_be_opened_and_nothing_else);
	tcase_add_test(t, without_devices_of_its_own_a_run_has_the_standard_ones);
	tcase_add_test(t, the_longest_program_fits_and_its_last_rule_holds);
	tcase_add_test(t, the_program_is_attached_beside_those_of_others);
	tcase_add_test(t, a_run_whose_program_does_not_load_or_attach_is_refused);
	return run_suite("devices", t);
}
