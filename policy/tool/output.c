/* Makes directories and files for the output of ces-policy, before root's rights are given up. It
 * must never replace an existing file, nor follow a link. */
#include <fcntl.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "policy/tool/tool.h"

int ces_tool_make_dir(const char *path, int *ret_dir, struct ces_error *err)
{
	if (mkdir(path, 0755) != 0)
		return ces_error_errno(err, CES_E_HOST, "%s", path);
	*ret_dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *ret_dir >= 0 ? 0 : ces_error_errno(err, CES_E_HOST, "%s", path);
}

FILE *ces_tool_make_file(int dir, const char *name)
{
	CES_CLEANUP_FD int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	if (file != NULL)
		(void)ces_steal_fd(&fd);
	return file;
}
