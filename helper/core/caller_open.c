/* Opens the caller's paths with the caller's rights. Must not open any of their files as root. */
#include "helper/core/caller_open.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "helper/core/beneath.h"

static int check_file_system(int fd, const char *path, struct ces_error *err)
{
	unsigned kind = 0;

	if (ces_way_holds_data(fd, &kind))
		return 0;
	return ces_error_set(err, CES_E_HOST,
			     "%s is on a kind of file system (0x%x) that CES does not use", path,
			     kind);
}

/* O_RDONLY, not O_PATH: an O_PATH open does not check the permission of the last component. */
static int open_directory(const char *path)
{
	return ces_way_open(path, O_RDONLY | O_DIRECTORY);
}

/* Makes the directory in its parent if it is missing, unless parent is -1. */
static int open_or_make(const char *path, int parent)
{
	const char *name = strrchr(path, '/');
	int fd = open_directory(path);

	if (fd >= 0 || errno != ENOENT || parent < 0)
		return fd;
	if (mkdirat(parent, name + 1, 0700) < 0 && errno != EEXIST)
		return -1;
	return ces_beneath_open(parent, name + 1, O_RDONLY | O_DIRECTORY, 0);
}

int ces_caller_opened(const char *path, int fd, int *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int own = fd;

	if (fd < 0 && (errno == ELOOP || errno == EXDEV))
		return ces_error_set(
		    err, CES_E_HOST,
		    "%s: a part of this path is a symbolic link that others than root can set, "
		    "which CES does not follow; name the path without it",
		    path);
	/* absent and forbidden paths get the same message: the answer is no oracle */
	if (fd < 0 && (errno == ENOENT || errno == EACCES || errno == ENOTDIR))
		return ces_error_set(err, CES_E_NOTFOUND, "%s does not exist or is not open to you",
				     path);
	if (fd < 0)
		return ces_error_errno(err, CES_E_HOST, "%s", path);
	if (check_file_system(fd, path, err) < 0)
		return -1;
	*ret = ces_steal_fd(&own);
	return 0;
}

int ces_caller_open(const struct ces_caller *caller, const char *path, bool create, int *ret_parent,
		    int *ret, struct ces_error *err)
{
	const char *name = strrchr(path, '/');
	CES_CLEANUP_FREE char *upper = NULL;
	int fd = -1, saved, result = 0;

	if (ret_parent != NULL && (name == NULL || name == path))
		return ces_error_set(err, CES_E_POLICY, "%s has no parent", path);
	if (ret_parent != NULL && (upper = strndup(path, (size_t)(name - path))) == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	ces_caller_enter(caller);
	if (upper != NULL)
		result = ces_caller_opened(upper, open_directory(upper), ret_parent, err);
	if (result == 0)
		fd = open_or_make(path, create && ret_parent != NULL ? *ret_parent : -1);
	saved = errno;
	ces_caller_leave();
	errno = saved;
	return result < 0 ? -1 : ces_caller_opened(path, fd, ret, err);
}
