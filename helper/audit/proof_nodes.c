/* Checks the nodes in a container's /dev. Must not open one: it only looks at them.
 *
 * The list below is the auditor's own. The nodes were made from another one
 * (helper/launch/devices.c): a node that is added there by mistake ends the run here. */
#include "helper/audit/proof_nodes.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "common/cleanup.h"

#define PTY_MAJOR 136 /* Documentation/admin-guide/devices.txt */

/* The set that the OCI runtime-spec demands (config-linux.md, "Default Devices"). */
static const struct ces_device standard[] = {
    {"null", 1, 3, false},   {"zero", 1, 5, false},    {"full", 1, 7, false},
    {"random", 1, 8, false}, {"urandom", 1, 9, false}, {"tty", 5, 0, false},
};

struct inventory {
	const struct ces_device *more;
	size_t n, count;
	dev_t file_system; /* that of /dev: a mount below it holds no nodes of CES's */
	struct ces_json *found;
};

static bool is_one_of(const struct ces_device *nodes, size_t n, const char *path, dev_t number)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(nodes[i].path, path) == 0)
			return makedev(nodes[i].major, nodes[i].minor) == number;
	return false;
}

static bool is_planned(const struct inventory *of, const char *path, const struct stat *st)
{
	return S_ISCHR(st->st_mode) &&
	       (is_one_of(standard, CES_COUNT(standard), path, st->st_rdev) ||
		is_one_of(of->more, of->n, path, st->st_rdev) ||
		(strcmp(path, "console") == 0 && major(st->st_rdev) == PTY_MAJOR));
}

/* Lists one directory; prefix: "" or "dri/". */
static int take_inventory(struct inventory *of, int dir, const char *prefix, struct ces_error *err)
{
	CES_CLEANUP_DIR DIR *list = NULL;
	const struct dirent *entry;
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	list = copy < 0 ? NULL : fdopendir(copy);
	if (list == NULL) {
		ces_cleanup_close(&copy);
		return ces_error_errno(err, CES_E_HOST, "/dev");
	}
	while ((entry = readdir(list)) != NULL) {
		char path[sizeof(of->more->path) + NAME_MAX];
		struct stat st;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		(void)snprintf(path, sizeof(path), "%s%s", prefix, entry->d_name);
		if (fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return ces_error_errno(err, CES_E_HOST, "/dev/%s", path);
		if (S_ISDIR(st.st_mode) && st.st_dev == of->file_system && prefix[0] == '\0') {
			CES_CLEANUP_FD int below = openat(
			    dir, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			char more[sizeof(path) + 1];

			(void)snprintf(more, sizeof(more), "%s/", path);
			if (take_inventory(of, below, more, err) < 0)
				return -1;
		}
		if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
			continue;
		ces_text_clean(path);
		ces_json_text(of->found, NULL, path);
		if (!is_planned(of, path, &st))
			return ces_error_set(err, CES_E_HOST, "it has a device /dev/%s", path);
		of->count += strcmp(path, "console") != 0;
	}
	return 0;
}

int ces_proof_nodes(int dev, const struct ces_device *more, size_t n, struct ces_json *found,
		    struct ces_error *err)
{
	struct inventory of = {.more = more, .n = n, .found = found};
	struct stat st;

	if (fstat(dev, &st) < 0)
		return ces_error_errno(err, CES_E_HOST, "/dev");
	of.file_system = st.st_dev;
	if (take_inventory(&of, dev, "", err) < 0)
		return -1;
	return of.count == CES_COUNT(standard) + n
		   ? 0
		   : ces_error_set(err, CES_E_HOST, "a device is missing in /dev");
}
