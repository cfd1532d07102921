/* A /dev in a temporary directory: a node is a file, and has the kind and number that it was made
 * with. */
#ifndef CES_TESTS_UNIT_DEVICES_SCENE_H
#define CES_TESTS_UNIT_DEVICES_SCENE_H

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
	if (S_ISREG(mode))
		return (int)syscall(SYS_mknodat, dir, path, mode, 0);
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

int fchownat(int dir, const char *path, uid_t uid, gid_t gid, int flags)
{
	struct stat st;

	ck_assert_int_eq(syscall(SYS_newfstatat, dir, path, &st, flags), 0);
	return step("chown %s %o %u:%u %x", path, st.st_mode, uid, gid, flags) ? -1 : 0;
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
				   "mknod console 100620 0:0",
				   "chown console 100620 201000:202000 100",
				   NULL};

static int make(void)
{
	return ces_devices_make(directory, 201000, 202000, GPU, &err);
}

#endif
