/* A machine with GPUs, played by a temporary directory, which is "/" here: /dev, /proc/devices, the
 * driver's files and the specifications. A node is a file, and has the kind and number that the
 * test gives it. */
#ifndef CES_TESTS_UNIT_GPU_SCENE_H
#define CES_TESTS_UNIT_GPU_SCENE_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/launch/gpu.h"
#include "tests/unit/directory.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/steps.h"

static struct {
	ino_t inode;
	mode_t mode;
	dev_t number;
	uid_t uid;
	bool closed; /* to the caller's cgroup */
} files[300];
static size_t n_files;

int open(const char *path, int flags, ...)
{
	static const char *const machine[] = {"/dev", "/proc/devices", "/etc/cdi", "/run/cdi"};
	bool here = strcmp(path, "/") == 0;
	va_list rest;
	mode_t mode;

	va_start(rest, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
	va_end(rest);
	for (size_t i = 0; i < CES_COUNT(machine); i++)
		here = here || strncmp(path, machine[i], strlen(machine[i])) == 0;
	if (here)
		path += strspn(path, "/");
	return openat(here ? directory : AT_FDCWD, *path == '\0' ? "." : path, flags, mode);
}

static size_t file_of(int fd)
{
	struct stat st;
	size_t i = 0;

	ck_assert_int_eq(syscall(SYS_fstat, fd, &st), 0);
	while (i < n_files && files[i].inode != st.st_ino)
		i++;
	return i;
}

/* (all is root's but what the test says is not) */
int fstat(int fd, struct stat *st)
{
	size_t i;

	if (syscall(SYS_fstat, fd, st) < 0)
		return -1;
	st->st_uid = 0;
	if (S_ISDIR(st->st_mode))
		st->st_mode &= ~(mode_t)022;
	i = file_of(fd);
	if (i < n_files) {
		st->st_mode = files[i].mode;
		st->st_rdev = files[i].number;
		st->st_uid = files[i].uid;
	}
	return 0;
}

long syscall(long number, ...)
{
	va_list rest;
	long v[5];

	va_start(rest, number);
	for (size_t i = 0; i < CES_COUNT(v); i++)
		v[i] = va_arg(rest, long);
	va_end(rest);
	if (number == SYS_faccessat2) {
		size_t i = file_of((int)v[0]);

		ck_assert_int_eq(v[3], AT_EMPTY_PATH);
		ck_assert_str_eq((const char *)(uintptr_t)v[1], "");
		(void)step("access %s %lx", path_below(directory_path, (int)v[0]), v[2]);
		errno = i < n_files && files[i].closed ? EPERM : EACCES;
		return -1;
	}
	return real_syscall(number, v);
}

/* Makes the directories above a path. */
static void make_way(const char *path)
{
	char way[400];

	(void)snprintf(way, sizeof(way), "%s", path);
	for (char *slash = strchr(way, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdirat(directory, way, 0755);
		*slash = '/';
	}
}

/* Makes a file, or replaces it; returns its number in the table. */
static size_t put(const char *path, mode_t mode, unsigned major_number, unsigned minor_number)
{
	CES_CLEANUP_FD int fd = -1;
	size_t i;

	make_way(path);
	fd = openat(directory, path, O_RDONLY | O_CREAT | O_CLOEXEC, 0644);
	ck_assert_msg(fd >= 0, "%s", path);
	i = file_of(fd);
	if (i == n_files) {
		struct stat st;

		ck_assert_int_eq(syscall(SYS_fstat, fd, &st), 0);
		ck_assert_uint_lt(n_files, CES_COUNT(files));
		files[n_files++].inode = st.st_ino;
	}
	files[i].mode = mode;
	files[i].number = makedev(major_number, minor_number);
	files[i].uid = 0;
	files[i].closed = false;
	return i;
}

static size_t put_node(const char *path, unsigned major_number, unsigned minor_number)
{
	return put(path, S_IFCHR | 0666, major_number, minor_number);
}

static inline void put_words(const char *path, const char *text)
{
	CES_CLEANUP_FD int fd = -1;

	make_way(path);
	fd = openat(directory, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

#define DEVICES                                                                                    \
	"Character devices:\n  1 mem\n195 nvidia\n226 drm\n235 kfd\n240 nvidia-caps\n"             \
	"241 nvidia-uvm\n\nBlock devices:\n  8 sd\n"

static void gpu_scene_begin(void)
{
	directory_begin();
	n_files = 0;
	(void)umask(0);
	ck_assert_int_eq(mkdirat(directory, "dev", 0755), 0);
	ck_assert_int_eq(mkdirat(directory, "proc", 0755), 0);
	ck_assert_int_eq(fchdir(directory), 0); /* CES_AT_ROOT */
	steps_begin(0, 0);
}

static void gpu_scene_end(void)
{
	ck_assert_int_eq(chdir("/"), 0);
	clear_directory(directory_path);
	directory_end();
}

#endif
