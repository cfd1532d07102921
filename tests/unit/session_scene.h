/* What the suites of helper/session share: a user namespace of the test's own, where the test is
 * root as far as files go, and a journal in it. */
#ifndef CES_TESTS_UNIT_SESSION_SCENE_H
#define CES_TESTS_UNIT_SESSION_SCENE_H

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "helper/clean/tree.h"
#include "tests/unit/directory.h"

static inline void write_text(const char *path, const char *text)
{
	CES_CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_msg(fd >= 0 && ces_write_full(fd, text, strlen(text), -1) == 0, "%s: %s", path,
		      strerror(errno));
}

/* Gives this process a user namespace, with a mount namespace, where its own uid has this number.
 * A kernel that gives a user none fails the test: a suite without one would test nothing. */
static inline void become(unsigned inside)
{
	char map[64];
	unsigned uid = geteuid(), gid = getegid();

	ck_assert_msg(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0,
		      "this test needs a user namespace: %s", strerror(errno));
	(void)snprintf(map, sizeof(map), "%u %u 1", inside, uid);
	write_text("/proc/self/uid_map", map);
	write_text("/proc/self/setgroups", "deny");
	(void)snprintf(map, sizeof(map), "%u %u 1", inside, gid);
	write_text("/proc/self/gid_map", map);
	ck_assert_uint_eq(geteuid(), inside);
	ck_assert_int_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
}

static inline size_t open_fds(void)
{
	CES_CLEANUP_DIR DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir) != NULL)
		n++;
	return n;
}

static inline mode_t mode_of(const char *path)
{
	struct stat st;

	ck_assert_msg(lstat(path, &st) == 0, "%s: %s", path, strerror(errno));
	return st.st_mode;
}

/* Returns the bytes of a file, malloc'd. (gcc takes what it inlines here for a fault.) */
static __attribute__((noinline, unused)) char *content(const char *path)
{
	CES_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *bytes = NULL;
	size_t length;

	ck_assert_msg(fd >= 0 && ces_read_file(fd, 64 << 20, &bytes, &length) == 0, "%s: %s", path,
		      strerror(errno));
	return bytes;
}

/* A directory, which is the working directory too: there CES_AT_ROOT is, and the paths that CES has
 * built in are below it. */
static inline void scene_begin(void)
{
	directory_begin();
	become(0);
	ck_assert_int_eq(chdir(directory_path), 0);
	ck_assert_int_eq(mkdir("var", 0755), 0);
	ck_assert_int_eq(mkdir("var/log", 0755), 0);
	ck_assert_int_eq(mkdir("run", 0755), 0);
}

static inline void scene_end(void)
{
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(ces_tree_empty(directory), 0);
	directory_end();
}

/* Gives the namespace a /dev without anything but a log, and returns the end that hears it. */
static inline int hear_syslog(void)
{
	const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(mount("none", "/dev", "tmpfs", 0, NULL), 0);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

#endif
