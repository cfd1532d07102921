/* Removes name below a directory, of any kind. */
#ifndef CES_TESTS_UNIT_REMOVE_TREE_H
#define CES_TESTS_UNIT_REMOVE_TREE_H

#include <fcntl.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/clean/tree.h"

static inline int remove_tree(int dirfd, const char *name)
{
	CES_CLEANUP_FD int fd = -1;

	if (unlinkat(dirfd, name, 0) == 0)
		return 0;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 || ces_tree_empty(fd) < 0 ? -1 : unlinkat(dirfd, name, AT_REMOVEDIR);
}

#endif
