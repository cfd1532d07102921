/* Writes files of evidence, with the caller's own rights, which may be root's. The bytes come from
 * a process that read foreign text, and are opaque here: only their digest and that of the image
 * are checked. It must never follow a link below the given directory, nor replace a file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/io.h"
#include "policy/evidence/store.h"
#include "policy/evidence/store_names.h"

/* A directory that every user may read: it is read without privilege later. */
static int make_folder(int dir, const char *name, const char *shown, int *ret,
		       struct ces_error *err)
{
	bool made = mkdirat(dir, name, 0755) == 0;
	int fd;

	if (!made && errno != EEXIST)
		return ces_error_errno(err, CES_E_HOST, "%s", shown);
	fd = openat(dir, name,
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC | (dir == AT_FDCWD ? 0 : O_NOFOLLOW));
	if (fd < 0 || (made && fchmod(fd, 0755) != 0)) {
		(void)ces_error_errno(err, CES_E_HOST, "%s", shown);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*ret = fd;
	return 0;
}

/* (under another name first: a file with the right name is whole) */
static int write_file(int folder, const char *name, const char *bytes, size_t length,
		      struct ces_error *err)
{
	char temporary[32];
	CES_CLEANUP_FD int fd = -1;
	int result = 0;

	snprintf(temporary, sizeof(temporary), ".new-%ld", (long)getpid());
	(void)unlinkat(folder, temporary, 0);
	fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return ces_error_errno(err, CES_E_HOST, "%s", name);
	if (ces_write_full(fd, bytes, length, -1) != 0 || fchmod(fd, 0644) != 0 || fsync(fd) != 0 ||
	    (linkat(folder, temporary, folder, name, 0) != 0 && errno != EEXIST) ||
	    fsync(folder) != 0)
		result = ces_error_errno(err, CES_E_HOST, "%s", name);
	(void)unlinkat(folder, temporary, 0);
	return result;
}

int ces_store_put(const char *path, const char *digest, const char *kind, const char *bytes,
		  size_t length, bool *ret_new, struct ces_error *err)
{
	char folder_name[CES_STORE_NAME], name[CES_STORE_NAME], own[CES_DIGEST_LENGTH + 1];
	CES_CLEANUP_FD int dir = -1, folder = -1;
	struct stat st;

	if (!ces_digest_valid(digest))
		return ces_error_set(err, CES_E_INTERNAL, "what was read names no image");
	ces_digest_of(bytes, length, own);
	ces_store_folder(digest, folder_name);
	ces_store_name(kind, own, name);
	if (make_folder(AT_FDCWD, path, path, &dir, err) != 0 ||
	    make_folder(dir, folder_name, folder_name, &folder, err) != 0)
		return -1;
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (!S_ISREG(st.st_mode))
			return ces_error_set(err, CES_E_HOST, "%s: not a regular file", name);
		*ret_new = false;
		return 0;
	}
	*ret_new = true;
	return write_file(folder, name, bytes, length, err);
}
