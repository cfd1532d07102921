/* Opens the policy file so that only root can have changed what is read. It must never resolve a
 * path twice, follow a symlink or wait for a writer. It does not look at the bytes. */
#include "policy/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/io.h"

#define POLICY_MAX (4 * 1024 * 1024)
#define FILE_FLAGS (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

static int fail(struct ces_error *err, const char *path, const char *what)
{
	if (errno == ELOOP || errno == ENOTDIR)
		return ces_error_set(err, CES_E_POLICY,
				     "%s: %s is a symbolic link, or not a directory", path, what);
	return ces_error_errno(err, CES_E_POLICY, "%s: cannot open %s", path, what);
}

/* Mode bits also cover POSIX ACLs: with an ACL the group bits are its mask, the most that it can
 * grant. */
static int check_owner(const struct stat *st, const char *path, const char *what,
		       struct ces_error *err)
{
	if (st->st_uid != 0)
		return ces_error_set(err, CES_E_POLICY, "%s: %s is not owned by root", path, what);
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return ces_error_set(err, CES_E_POLICY,
				     "%s: %s is writable by others than root (mode %04o)", path,
				     what, st->st_mode & 07777);
	return 0;
}

static int check_directory(int fd, const char *path, const char *name, struct ces_error *err)
{
	char what[300];
	struct stat st;

	snprintf(what, sizeof(what), "directory \"%.255s\"", name);
	if (fstat(fd, &st) != 0)
		return ces_error_errno(err, CES_E_POLICY, "%s: %s", path, what);
	return check_owner(&st, path, what, err);
}

static int check_plain(int fd, const char *path, struct stat *ret, struct ces_error *err)
{
	if (fstat(fd, ret) != 0)
		return ces_error_errno(err, CES_E_POLICY, "%s", path);
	if (!S_ISREG(ret->st_mode))
		return ces_error_set(err, CES_E_POLICY, "%s: not a regular file", path);
	return check_owner(ret, path, "it", err);
}

static int check_file(int fd, const char *path, struct ces_error *err)
{
	struct stat st;

	if (check_plain(fd, path, &st, err) != 0)
		return -1;
	/* A second name could be in a place where others than root can rename or replace it. */
	if (st.st_nlink != 1)
		return ces_error_set(err, CES_E_POLICY, "%s: has more than one hard link", path);
	if (st.st_size > POLICY_MAX)
		return ces_error_set(err, CES_E_POLICY, "%s: larger than 4 MiB", path);
	return 0;
}

/* Each directory is checked on the fd that the next step starts from, so nothing can be swapped
 * between the check and the step. O_NONBLOCK: a FIFO in the file's place answers at once and is
 * then refused. */
static int open_checked(const char *path, int last, int *ret_fd, struct ces_error *err)
{
	CES_CLEANUP_FD int dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const char *p = path;

	if (*p != '/' || p[strlen(p) - 1] == '/')
		return ces_error_set(err, CES_E_POLICY, "%s: not an absolute path of a file", path);
	if (dir < 0)
		return fail(err, path, "/");
	if (check_directory(dir, path, "/", err) != 0)
		return -1;
	for (;;) {
		char name[256];
		size_t length;
		int next;

		p += strspn(p, "/");
		length = strcspn(p, "/");
		if (length >= sizeof(name))
			return ces_error_set(err, CES_E_POLICY, "%s: a name is too long", path);
		memcpy(name, p, length);
		name[length] = '\0';
		p += length;
		next = openat(dir, name,
			      *p == '\0' ? last | FILE_FLAGS
					 : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			return fail(err, path, name);
		if (*p == '\0') {
			*ret_fd = next;
			return 0;
		}
		close(dir);
		dir = next;
		if (check_directory(dir, path, name, err) != 0)
			return -1;
	}
}

int ces_policy_open_trusted(const char *path, int *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int fd = -1;
	struct stat st;

	if (open_checked(path, 0, &fd, err) != 0 || check_plain(fd, path, &st, err) != 0)
		return -1;
	*ret = ces_steal_fd(&fd);
	return 0;
}

int ces_policy_open_directory(const char *path, int *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int fd = -1;

	if (open_checked(path, O_DIRECTORY, &fd, err) != 0)
		return err != NULL && err->sys == ENOENT ? 0 : -1;
	if (check_directory(fd, path, path, err) != 0)
		return -1;
	*ret = ces_steal_fd(&fd);
	return 0;
}

int ces_policy_open_closed(const char *path, int *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int fd = -1;
	struct stat st;

	if (ces_policy_open_directory(path, &fd, err) != 0)
		return -1;
	if (fd < 0 || fstat(fd, &st) != 0 || (st.st_mode & S_IRWXO) != 0)
		return ces_error_set(err, CES_E_POLICY,
				     "%s: not a directory of root's with mode 0750 or less", path);
	*ret = ces_steal_fd(&fd);
	return 0;
}

int ces_policy_read_in(int dir, const char *name, size_t max, char **ret, size_t *ret_length,
		       struct ces_error *err)
{
	CES_CLEANUP_FD int fd = openat(dir, name, FILE_FLAGS);
	struct stat st;

	if (fd < 0)
		return fail(err, name, "it");
	if (check_plain(fd, name, &st, err) != 0)
		return -1;
	if (ces_read_file(fd, max, ret, ret_length) != 0)
		return ces_error_errno(err, CES_E_POLICY, "%s: cannot read it", name);
	return 0;
}

int ces_policy_read(const char *path, char **ret, size_t *ret_length, struct ces_error *err)
{
	CES_CLEANUP_FD int fd = -1;

	if (open_checked(path, 0, &fd, err) != 0 || check_file(fd, path, err) != 0)
		return -1;
	if (ces_read_file(fd, POLICY_MAX, ret, ret_length) != 0)
		return ces_error_errno(err, CES_E_POLICY, "%s: cannot read it", path);
	return 0;
}
