/* Opens what the caller binds, and makes CES's directories in theirs. Must not open anything of
 * theirs as root, except what their own containers gave away. */
#include "helper/session/caller_bind.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/core/beneath.h"
#include "helper/core/caller_open.h"

/* Opens a directory with root's rights, but only if the caller may walk to it and if it is theirs
 * by the map. Nothing can come between check and use. The fd holds the directory, and root or the
 * caller's own containers, who alone could change its owner, cannot give it an id of anybody
 * else. */
static int open_given(const struct ces_idmap *map, int path_fd)
{
	struct stat st;

	if (fstat(path_fd, &st) < 0)
		return -1;
	if (!S_ISDIR(st.st_mode) || !ces_idmap_holds(map, st.st_uid, st.st_gid)) {
		errno = EACCES;
		return -1;
	}
	return openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int ces_caller_open_bind(const struct ces_caller *caller, const struct ces_idmap *map,
			 const char *path, bool *ret_file, int *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int way = -1;
	struct stat st = {0};
	int fd, saved;

	ces_caller_enter(caller);
	/* not blocking: it may be a FIFO, which nobody will open at the other end */
	fd = ces_way_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	saved = errno;
	if (fd < 0 && saved == EACCES)
		way = ces_way_open(path, O_PATH);
	ces_caller_leave();
	errno = saved;
	if (way >= 0)
		fd = open_given(map, way);
	if (fd >= 0 && (fstat(fd, &st) < 0 || !(S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)))) {
		close(fd);
		return ces_error_set(err, CES_E_NOTFOUND,
				     "%s is neither a directory nor an ordinary file", path);
	}
	if (ces_caller_opened(path, fd, ret, err) < 0)
		return -1;
	*ret_file = S_ISREG(st.st_mode);
	return 0;
}

int ces_caller_open_common(const struct ces_caller *caller, int dirfd, const char *name, int *ret,
			   struct ces_error *err)
{
	CES_CLEANUP_FD int fd = -1;
	int saved;

	ces_caller_enter(caller);
	if (mkdirat(dirfd, name, 0700) == 0 || errno == EEXIST)
		fd = ces_beneath_open(dirfd, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd >= 0 && fchmod(fd, 01777) < 0)
		ces_cleanup_close(&fd);
	saved = errno;
	ces_caller_leave();
	errno = saved;
	if (fd < 0)
		return ces_error_errno(err, CES_E_HOST, "making %s", name);
	*ret = ces_steal_fd(&fd);
	return 0;
}
