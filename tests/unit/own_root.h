/* A root directory of the test's own: an empty tmpfs in a user namespace, in which its files are
 * root's. It goes with the process. Where the kernel refuses that to an ordinary user, the test
 * fails, since it would prove nothing. */
#ifndef CES_TESTS_UNIT_OWN_ROOT_H
#define CES_TESTS_UNIT_OWN_ROOT_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* (A sanitizer would look for leaks in /proc, which is not there; and root's programs free nothing
 * that their next exec discards.) */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static inline void own_root_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	ck_assert_msg(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s: %s",
		      path, strerror(errno));
	close(fd);
}

static inline void own_root(void)
{
	char users[32], groups[32];

	(void)snprintf(users, sizeof(users), "0 %u 1", geteuid());
	(void)snprintf(groups, sizeof(groups), "0 %u 1", getegid());
	ck_assert_msg(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0,
		      "this test needs a user namespace of its own: %s", strerror(errno));
	own_root_write("/proc/self/setgroups", "deny");
	own_root_write("/proc/self/uid_map", users);
	own_root_write("/proc/self/gid_map", groups);
	ck_assert_int_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mount("none", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755"), 0);
	ck_assert_int_eq(chroot("/tmp"), 0);
	ck_assert_int_eq(chdir("/"), 0);
	(void)umask(022);
}

static inline void own_root_file(const char *path, const void *bytes, size_t length, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	ck_assert_int_eq(write(fd, bytes, length), (ssize_t)length);
	close(fd);
}

static inline int own_root_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

#endif
