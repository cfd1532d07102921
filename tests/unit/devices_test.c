/* Tests the device nodes of a run: which are made, which the auditor takes, and the program
 * that the kernel runs at each use of a device, here by an interpreter of its instructions. */
/* links: helper/launch/devices.c helper/audit/proof_nodes.c helper/session/json.c */
#include "helper/audit/proof_nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/unit/directory.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/steps.h"

#define PROGRAM_FD 900

static struct ces_error err;

/* A node is a file here, and these are the numbers of the files that stand for nodes. */
static struct {
	ino_t inode;
	mode_t mode;
	dev_t number;
} nodes[300];
static size_t n_nodes;
static bool mounted; /* something is mounted at pts */

static void remember(int dir, const char *path, mode_t mode, dev_t number)
{
	CES_CLEANUP_FD int fd = openat(dir, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct stat st;

	ck_assert_msg(fd >= 0 && syscall(SYS_fstat, fd, &st) == 0, "%s", path);
	nodes[n_nodes].inode = st.st_ino;
	nodes[n_nodes].mode = mode;
	nodes[n_nodes++].number = number;
}

int mknodat(int dir, const char *path, mode_t mode, dev_t number)
{
	if (step("mknod %s %o %u:%u", path, mode, major(number), minor(number)))
		return -1;
	remember(dir, path, mode, number);
	return 0;
}

int fstatat(int dir, const char *restrict path, struct stat *restrict st, int flags)
{
	if (step("stat %s %x", path, flags) ||
	    syscall(SYS_newfstatat, dir, path, st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	st->st_dev += mounted && strcmp(path, "pts") == 0;
	for (size_t i = 0; i < n_nodes; i++)
		if (nodes[i].inode == st->st_ino) {
			st->st_mode = nodes[i].mode;
			st->st_rdev = nodes[i].number;
		}
	return 0;
}

int symlinkat(const char *target, int dir, const char *path)
{
	return step("link %s %s", path, target) ? -1
						: (int)syscall(SYS_symlinkat, target, dir, path);
}

int mkdirat(int dir, const char *path, mode_t mode)
{
	return step("mkdir %s %o", path, mode) ? -1 : (int)syscall(SYS_mkdirat, dir, path, mode);
}

int fchown(int fd, uid_t uid, gid_t gid)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	return step("chown %o %u:%u", st.st_mode, uid, gid) ? -1 : 0;
}

static struct bpf_insn program[1000];
static size_t n_program;

long syscall(long number, ...)
{
	va_list rest;
	long v[5];

	va_start(rest, number);
	for (size_t i = 0; i < CES_COUNT(v); i++)
		v[i] = va_arg(rest, long);
	va_end(rest);
	if (number == SYS_bpf && v[0] == BPF_PROG_LOAD) {
		const union bpf_attr *attr = (const void *)(uintptr_t)v[1];

		if (step("load %u %s", attr->prog_type, (const char *)(uintptr_t)attr->license))
			return -1;
		ck_assert_int_eq(v[2], sizeof(*attr));
		n_program = attr->insn_cnt;
		ck_assert_uint_le(n_program, CES_COUNT(program));
		memcpy(program, (const void *)(uintptr_t)attr->insns, n_program * sizeof(*program));
		return dup3(directory, PROGRAM_FD, O_CLOEXEC);
	}
	if (number == SYS_bpf) {
		const union bpf_attr *attr = (const void *)(uintptr_t)v[1];

		ck_assert_int_eq(v[0], BPF_PROG_ATTACH);
		ck_assert_uint_eq(attr->attach_bpf_fd, PROGRAM_FD);
		return step("attach %u %u %x", attr->target_fd, attr->attach_type,
			    attr->attach_flags)
			   ? -1
			   : 0;
	}
	return real_syscall(number, v);
}

static void set_up(void)
{
	directory_begin();
	(void)umask(0);
	n_nodes = 0;
	mounted = false;
	err = (struct ces_error){0};
	steps_begin(0, 0);
}

static void tear_down(void)
{
	clear_directory(directory_path);
	directory_end();
}

static const struct ces_device gpu[] = {{"nvidia0", 195, 0, false},
					{"dri/renderD128", 226, 128, false},
					{"dri/renderD129", 226, 129, true},
					{"nvidia-caps/nvidia-cap3", 240, 3, true}};
#define GPU gpu, CES_COUNT(gpu)

static const char *const made[] = {"mknod null 20666 1:3",
				   "mknod zero 20666 1:5",
				   "mknod full 20666 1:7",
				   "mknod random 20666 1:8",
				   "mknod urandom 20666 1:9",
				   "mknod tty 20666 5:0",
				   "mknod nvidia0 20666 195:0",
				   "mkdir dri 755",
				   "mknod dri/renderD128 20666 226:128",
				   "mkdir dri 755",
				   "mknod dri/renderD129 20666 226:129",
				   "mkdir nvidia-caps 755",
				   "mknod nvidia-caps/nvidia-cap3 20666 240:3",
				   "link fd /proc/self/fd",
				   "link stdin /proc/self/fd/0",
				   "link stdout /proc/self/fd/1",
				   "link stderr /proc/self/fd/2",
				   "link ptmx pts/ptmx",
				   "mkdir pts 755",
				   "mkdir shm 1777",
				   "mkdir mqueue 755",
				   "chown 100620 201000:202000",
				   NULL};

static int make(void)
{
	return ces_devices_make(directory, 201000, 202000, GPU, &err);
}

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
static const char *check(const struct ces_device *more, size_t n, int expected)
{
	static struct ces_json found;
	size_t before = open_fds();

	ces_json_free(&found);
	ces_json_list(&found, NULL);
	steps_begin(0, 0);
	err = (struct ces_error){0};
	ck_assert_msg(ces_proof_nodes(directory, more, n, &found, &err) == expected, "%s",
		      err.text);
	ck_assert_uint_eq(open_fds(), before);
	for (size_t i = 0; i < steps->n; i++) /* never a link's target */
		ck_assert_msg(strstr(steps->v[i], " 100") != NULL, "%s", steps->v[i]);
	return ces_json_end(&found);
}

START_TEST(what_was_made_passes_the_check_and_is_listed)
{
	const char *found;

	ck_assert_int_eq(make(), 0);
	found = check(GPU, 0);
	for (size_t i = 0; i < CES_COUNT(gpu); i++)
		ck_assert_msg(strstr(found, gpu[i].path) != NULL, "%s", found);
	for (size_t i = 0; i < 6; i++) {
		char name[20];

		(void)sscanf(made[i], "mknod %19s", name);
		ck_assert_ptr_nonnull(strstr(found, name));
	}
	ck_assert_ptr_null(strstr(found, "stdin"));
	ck_assert_ptr_null(strstr(found, "console")); /* it is a file */
}
END_TEST

START_TEST(a_terminal_is_at_the_console_and_nowhere_else)
{
	ck_assert_int_eq(make(), 0);
	ck_assert_int_eq(unlinkat(directory, "console", 0), 0);
	remember(directory, "console", S_IFCHR | 0620, makedev(136, 7));
	ck_assert_ptr_nonnull(strstr(check(GPU, 0), "console"));
	nodes[n_nodes - 1].number = makedev(5, 1);
	(void)check(GPU, -1);
	ck_assert_str_eq(err.text, "it has a device /dev/console");
	nodes[n_nodes - 1].number = makedev(136, 7);
	nodes[n_nodes - 1].mode = S_IFBLK | 0620;
	(void)check(GPU, -1);
	nodes[n_nodes - 1].mode = S_IFCHR | 0620;
	remember(directory, "tty1", S_IFCHR | 0620, makedev(136, 7));
	(void)check(GPU, -1);
}
END_TEST

static const struct {
	const char *path;
	mode_t mode;
	unsigned major, minor;
	const char *shown;
} wrong[] = {
    {"sda", S_IFBLK, 8, 0, "sda"},
    {"mem", S_IFCHR, 1, 1, "mem"},
    {"null2", S_IFCHR, 1, 3, "null2"}, /* a good number, a name that no table has */
    {"dri/card0", S_IFCHR, 226, 0, "dri/card0"},
    {"dri/null", S_IFCHR, 1, 3, "dri/null"},
    {"pts/x", S_IFCHR, 1, 1, "pts/x"}, /* (if no devpts hides the directory) */
    {".x", S_IFCHR, 1, 1, ".x"},
    {"a\nb\x1b", S_IFBLK, 1, 1, "a?b?"},
};

START_TEST(a_node_more_is_found_and_named)
{
	char expected[80], *found;

	ck_assert_int_eq(make(), 0);
	remember(directory, wrong[_i].path, wrong[_i].mode | 0600,
		 makedev(wrong[_i].major, wrong[_i].minor));
	found = strdup(check(GPU, -1));
	(void)snprintf(expected, sizeof(expected), "it has a device /dev/%s", wrong[_i].shown);
	ck_assert_str_eq(err.text, expected);
	(void)snprintf(expected, sizeof(expected), "\"%s\"]", wrong[_i].shown);
	ck_assert_msg(strstr(found, expected) != NULL, "%s", found);
	free(found);
}
END_TEST

START_TEST(what_the_containers_own_mounts_hold_is_not_of_this_dev)
{
	ck_assert_int_eq(make(), 0);
	remember(directory, "pts/0", S_IFCHR | 0620, makedev(136, 0));
	mounted = true;
	(void)check(GPU, 0);
	mounted = false;
	(void)check(GPU, -1);
}
END_TEST

START_TEST(a_node_with_another_number_or_kind_is_found)
{
	/* the first six are every container's, the rest the run's own */
	ck_assert_int_eq(make(), 0);
	for (size_t i = 0; i < n_nodes; i++) {
		dev_t number = nodes[i].number;

		nodes[i].number = makedev(major(number), minor(number) + 1);
		(void)check(GPU, -1);
		nodes[i].number = makedev(major(number) + 1, minor(number));
		(void)check(GPU, -1);
		nodes[i].number = number;
		nodes[i].mode ^= S_IFCHR ^ S_IFBLK;
		(void)check(GPU, -1);
		nodes[i].mode ^= S_IFCHR ^ S_IFBLK;
	}
	(void)check(GPU, 0);
}
END_TEST

START_TEST(a_node_that_is_missing_is_noticed)
{
	ck_assert_int_eq(make(), 0);
	(void)check(gpu, 3, -1); /* one more than granted */
	ck_assert_str_eq(err.text, "it has a device /dev/nvidia-caps/nvidia-cap3");
	ck_assert_int_eq(unlinkat(directory, "dri/renderD129", 0), 0);
	(void)check(GPU, -1);
	ck_assert_str_eq(err.text, "a device is missing in /dev");
}
END_TEST

START_TEST(a_directory_that_cannot_be_read_is_an_error)
{
	CES_CLEANUP_FD int file = -1;
	struct ces_json found = {0};

	ck_assert_int_eq(make(), 0);
	steps_begin(3, EIO);
	ck_assert_int_lt(ces_proof_nodes(directory, GPU, &found, &err), 0);
	ck_assert_int_eq(err.sys, EIO);
	ck_assert_int_lt(ces_proof_nodes(-1, GPU, &found, &err), 0);
	ck_assert_int_eq(err.sys, EBADF);
	file = openat(directory, "null", O_RDONLY | O_CLOEXEC);
	ck_assert_int_lt(ces_proof_nodes(file, GPU, &found, &err), 0);
	ck_assert_int_eq(err.sys, ENOTDIR);
	ces_json_free(&found);
}
END_TEST

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
	tcase_add_test(t, what_was_made_passes_the_check_and_is_listed);
	tcase_add_test(t, a_terminal_is_at_the_console_and_nowhere_else);
	tcase_add_loop_test(t, a_node_more_is_found_and_named, 0, CES_COUNT(wrong));
	tcase_add_test(t, what_the_containers_own_mounts_hold_is_not_of_this_dev);
	tcase_add_test(t, a_node_with_another_number_or_kind_is_found);
	tcase_add_test(t, a_node_that_is_missing_is_noticed);
	tcase_add_test(t, a_directory_that_cannot_be_read_is_an_error);
	tcase_add_test(t, the_program_allows_the_granted_nodes_to_be_opened_and_nothing_else);
	tcase_add_test(t, without_devices_of_its_own_a_run_has_the_standard_ones);
	tcase_add_test(t, the_longest_program_fits_and_its_last_rule_holds);
	tcase_add_test(t, the_program_is_attached_beside_those_of_others);
	tcase_add_test(t, a_run_whose_program_does_not_load_or_attach_is_refused);
	return run_suite("devices", t);
}
