/* The kernel's cgroups, played by a temporary directory: a directory that is made there has the
 * files of a cgroup, and one without children and processes can be removed. Each change is a step.
 */
#ifndef CES_TESTS_UNIT_CGROUP_SCENE_H
#define CES_TESTS_UNIT_CGROUP_SCENE_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/launch/cgroup.h"
#include "tests/unit/directory.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/steps.h"

#define MOUNT "/sys/fs/cgroup"

static bool hybrid;          /* four hierarchies, not one */
static const char *no_swap;  /* "": the machine does not account for swap */
static const char *own = ""; /* /proc/self/cgroup */
static size_t slept;
static size_t busy; /* so often a cgroup cannot be removed yet */

static const char *const v2_files[] = {"cgroup.procs",
				       "cgroup.kill",
				       "cgroup.subtree_control",
				       "memory.max",
				       "memory.swap.max",
				       "memory.peak",
				       "pids.events",
				       "memory.events",
				       "pids.max",
				       "memory.events.local",
				       "cpu.max",
				       "cpu.stat",
				       "pids.peak",
				       NULL};
static const char *const memory_files[] = {"tasks",
					   "memory.limit_in_bytes",
					   "memory.memsw.limit_in_bytes",
					   "memory.max_usage_in_bytes",
					   "memory.oom_control",
					   NULL};
static const char *const cpu_files[] = {"tasks", "cpu.cfs_quota_us", NULL};
static const char *const pids_files[] = {"tasks", "pids.max", "pids.events", "pids.peak", NULL};

static const char *path_at(int fd)
{
	return path_below(directory_path, fd);
}

static const char *const *files_of(const char *path)
{
	if (!hybrid || strncmp(path, "unified", 7) == 0)
		return v2_files;
	if (strncmp(path, "memory", 6) == 0)
		return memory_files;
	return strncmp(path, "cpu", 3) == 0 ? cpu_files : pids_files;
}

/* Fills a new cgroup. */
static void populate(int dir)
{
	for (const char *const *file = files_of(path_at(dir)); *file != NULL; file++)
		if (no_swap == NULL || strstr(*file, "swap") == NULL)
			close(openat(dir, *file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
}

int open(const char *path, int flags, ...)
{
	va_list rest;
	mode_t mode;

	va_start(rest, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
	va_end(rest);
	if (strcmp(path, "/proc/self/cgroup") == 0)
		path = "self";
	else if (strncmp(path, MOUNT, strlen(MOUNT)) == 0)
		path = path[strlen(MOUNT)] == '\0' ? "." : path + sizeof(MOUNT);
	return openat(directory, path, flags, mode);
}

int fstatfs(int fd, struct statfs *ret)
{
	bool v2 = strcmp(path_at(fd), hybrid ? "unified" : ".") == 0;

	memset(ret, 0, sizeof(*ret));
	if (v2)
		ret->f_type = CGROUP2_SUPER_MAGIC;
	else
		ret->f_type = strchr(path_at(fd), '.') != NULL ? TMPFS_MAGIC : CGROUP_SUPER_MAGIC;
	return 0;
}

/* (all of it is root's) */
int fstat(int fd, struct stat *st)
{
	int result = (int)syscall(SYS_fstat, fd, st);

	st->st_uid = 0;
	st->st_mode &= ~(mode_t)022;
	return result;
}

int mkdirat(int dir, const char *path, mode_t mode)
{
	CES_CLEANUP_FD int fd = -1;
	char at[300];

	(void)snprintf(at, sizeof(at), "%.299s", path_at(dir));
	if (step("mkdir %s:%s %o", at, path, mode) || syscall(SYS_mkdirat, dir, path, 0755) < 0)
		return -1;
	fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	populate(fd);
	return 0;
}

ssize_t write(int fd, const void *bytes, size_t n)
{
	const char *path = path_at(fd);

	if (path[0] == '/' || strchr(path, ':') != NULL) /* (Check's own) */
		return syscall(SYS_write, fd, bytes, n);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	if (step("write %s %.*s", path, (int)n, (const char *)bytes))
		return -1;
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	return syscall(SYS_pwrite64, fd, bytes, n, 0);
}

int fchmod(int fd, mode_t mode)
{
	return step("mode %s %o", path_at(fd), mode) ? -1 : 0;
}

static bool empty(int dir)
{
	char byte;
	CES_CLEANUP_FD int procs = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	CES_CLEANUP_DIR DIR *list = fdopendir(dup(dir));
	const struct dirent *entry;

	if (procs >= 0 && read(procs, &byte, 1) == 1 && byte != '0')
		return false;
	while ((entry = readdir(list)) != NULL)
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			return false;
	return true;
}

int unlinkat(int dir, const char *path, int flags)
{
	CES_CLEANUP_FD int fd = -1;
	char at[300];

	(void)snprintf(at, sizeof(at), "%.299s", path_at(dir));
	ck_assert_int_eq(flags, AT_REMOVEDIR);
	if (step("rmdir %s:%s", at, path))
		return -1;
	fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (busy > 0 || !empty(fd)) {
		busy -= busy > 0;
		errno = EBUSY;
		return -1;
	}
	for (const char *const *file = files_of(path_at(fd)); *file != NULL; file++)
		(void)syscall(SYS_unlinkat, fd, *file, 0);
	return (int)syscall(SYS_unlinkat, dir, path, flags);
}

int usleep(useconds_t us)
{
	(void)us;
	slept++;
	return 0;
}

/* What a file of the scene says. */
static inline const char *text_of(const char *path)
{
	static char text[200];
	CES_CLEANUP_FD int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = '\0';
	return n < 0 ? "(none)" : text;
}

static void put_text(const char *path, const char *text)
{
	CES_CLEANUP_FD int fd =
	    openat(directory, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ck_assert_msg(fd >= 0, "%s", path);
	ck_assert_int_eq(syscall(SYS_write, fd, text, strlen(text)), (long)strlen(text));
}

static inline bool there(const char *path)
{
	return faccessat(directory, path, F_OK, 0) == 0;
}

static void scene_begin(void)
{
	directory_begin();
	put_text("self", own);
	hybrid = false;
	no_swap = NULL;
	slept = busy = 0;
	populate(directory);
	steps_begin(0, 0);
}

/* Turns the scene into one with four hierarchies. */
static void scene_hybrid(void)
{
	static const char *const names[] = {"unified", "memory", "cpu", "pids"};

	hybrid = true;
	for (size_t i = 0; i < CES_COUNT(names); i++) {
		CES_CLEANUP_FD int fd = -1;

		ck_assert_int_eq(syscall(SYS_mkdirat, directory, names[i], 0755), 0);
		fd = openat(directory, names[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		populate(fd);
	}
	steps_begin(0, 0);
}

static void scene_end(void)
{
	clear_directory(directory_path);
	directory_end();
}

#endif
