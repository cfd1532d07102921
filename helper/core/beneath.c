/* Opens CES's own directories. Must not take one that is not root's, or that others can read. */
#include "helper/core/beneath.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"

int ces_beneath_own_dir(int dirfd, const char *path, int *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int fd = ces_beneath_open(dirfd, path, O_RDONLY | O_DIRECTORY, 0);
	struct stat st;

	if (fd < 0 && errno == ENOENT) {
		while (*path == '/')
			path++;
		if (mkdirat(dirfd, path, 0700) < 0 && errno != EEXIST)
			return ces_error_errno(err, CES_E_HOST, "making %s", path);
		fd = ces_beneath_open(dirfd, path, O_RDONLY | O_DIRECTORY, 0);
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return ces_error_errno(err, CES_E_HOST, "opening %s", path);
	if (st.st_uid != 0 || (st.st_mode & 077) != 0)
		return ces_error_set(err, CES_E_HOST,
				     "%s must belong to root and be closed to others (mode 0700)",
				     path);
	*ret = ces_steal_fd(&fd);
	return 0;
}

int ces_beneath_each(int dirfd, void (*each)(int dirfd, const char *name, void *), void *context)
{
	CES_CLEANUP_DIR DIR *dir = NULL;
	const struct dirent *entry;
	int fd = ces_beneath_open(dirfd, ".", O_RDONLY | O_DIRECTORY, 0);

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL) {
		ces_cleanup_close(&fd);
		return -1;
	}
	for (;;) {
		errno = 0;
		entry = readdir(dir);
		if (entry == NULL)
			return errno == 0 ? 0 : -1;
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			each(dirfd, entry->d_name, context);
	}
}
