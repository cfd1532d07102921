/* Opens what the command line names. Unlike the policy in force, a draft may be anywhere and belong
 * to anyone. So it must never be parsed with root's rights. */
#include "policy/tool/input.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "policy/parse.h"

#define NOBODY     65534
#define POLICY_MAX (4 * 1024 * 1024)

/* Drops groups, gid, uid; then proves that there is no way back. */
int ces_input_drop(struct ces_error *err)
{
	if (geteuid() != 0 && getuid() != 0)
		return 0;
	if (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return ces_error_errno(err, CES_E_HOST, "cannot give up root");
	if (setuid(0) == 0 || geteuid() == 0)
		return ces_error_set(err, CES_E_HOST, "giving up root did not last");
	return 0;
}

/* O_NONBLOCK: a FIFO answers at once and is then refused. */
int ces_input_open(const char *path, int *ret_fd, struct ces_error *err)
{
	CES_CLEANUP_FD int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		return ces_error_errno(err, CES_E_NOTFOUND, "%s", path);
	if (!S_ISREG(st.st_mode))
		return ces_error_set(err, CES_E_USAGE, "%s: not a regular file", path);
	*ret_fd = ces_steal_fd(&fd);
	return 0;
}

int ces_input_beside(const char *path)
{
	const char *slash = strrchr(path, '/');
	CES_CLEANUP_FREE char *dir =
	    slash != NULL ? strndup(path, (size_t)(slash + 1 - path)) : strdup(".");

	return dir != NULL ? open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
}

int ces_input_take(int fd, const char *path, char **ret, size_t *ret_length, struct ces_error *err)
{
	if (ces_input_drop(err) != 0)
		return -1;
	if (ces_read_file(fd, POLICY_MAX, ret, ret_length) == 0)
		return 0;
	if (errno == EFBIG)
		return ces_error_set(err, CES_E_POLICY, "%s: larger than 4 MiB", path);
	return ces_error_errno(err, CES_E_POLICY, "%s", path);
}

int ces_input_read(const char *path, char **ret, size_t *ret_length, struct ces_error *err)
{
	CES_CLEANUP_FD int fd = -1;

	if (ces_input_open(path, &fd, err) != 0)
		return -1;
	return ces_input_take(fd, path, ret, ret_length, err);
}

int ces_input_policy(const char *path, struct ces_policy **ret, struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	size_t length = 0;

	if (ces_input_read(path, &bytes, &length, err) != 0)
		return -1;
	if (ces_policy_parse(bytes, length, ret, err) != 0)
		return ces_error_context(err, "%s", path);
	return 0;
}

int ces_input_pair(const char *path, struct ces_policy **ret, const char *other, char **ret_other,
		   size_t *ret_length, struct ces_error *err)
{
	CES_CLEANUP_FD int fd = -1;
	struct ces_policy *policy = NULL;

	if (ces_input_open(other, &fd, err) != 0 || ces_input_policy(path, &policy, err) != 0)
		return -1;
	if (ces_input_take(fd, other, ret_other, ret_length, err) != 0) {
		ces_policy_free(policy);
		return -1;
	}
	*ret = policy;
	return 0;
}
