/* Puts a driver's files into the container. Must not follow a symbolic link, on the host or in the
 * tree that it makes, nor run a program that a specification names: of hooks it makes only the
 * links that they would make. ces-parse gives the places, as it reads a specification.
 *
 * Who controls what: the specifications and the files are root's. The image and the caller control
 * nothing: the tree is CES's own. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/core/beneath.h"
#include "helper/launch/gpu.h"
#include "helper/session/mounts.h"
#include "policy/template.h"

static int refuse(struct ces_error *err, const char *path, const char *why)
{
	return ces_error_set(err, CES_E_HOST, "%s, a file of the GPU's driver: %s", path, why);
}

/* Most of a driver's files are in one or two directories, which the first file made. */
static int open_above(int base, const char *path)
{
	char above[CES_PATH_TEXT];

	(void)snprintf(above, sizeof(above), "%.*s", (int)(strrchr(path, '/') - path), path + 1);
	return ces_beneath_open(base, above, O_RDONLY | O_DIRECTORY, 0);
}

/* Makes the directories above path's last component, each in the one before. */
static int make_above(int base, const char *path, int *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int at = -1;
	const char *slash;

	*ret = open_above(base, path);
	if (*ret >= 0)
		return 0;
	at = ces_beneath_open(base, ".", O_RDONLY | O_DIRECTORY, 0);
	for (path++; at >= 0 && (slash = strchr(path, '/')) != NULL; path = slash + 1) {
		char name[256];
		int next;

		if ((size_t)(slash - path) >= sizeof(name))
			return refuse(err, path, "a name is too long");
		(void)snprintf(name, sizeof(name), "%.*s", (int)(slash - path), path);
		(void)mkdirat(at, name, 0755); /* (if it is there, the open says what it is) */
		next = ces_beneath_open(at, name, O_RDONLY | O_DIRECTORY, 0);
		close(at);
		at = next;
	}
	if (at < 0 || strchr(path, '/') != NULL)
		return ces_error_errno(err, CES_E_HOST, "a place for %s", path);
	*ret = ces_steal_fd(&at);
	return 0;
}

/* Makes ldconfig's link from a library's plain name to its file ("libcuda.so.1"), as the host has
 * it: programs ask for libraries by these names, and the image's ldconfig does not run. */
static void link_plain_name(const struct ces_cdi_mount *mount, int dir)
{
	const char *file = strrchr(mount->host_path, '/') + 1, *end = strstr(file, ".so.");
	CES_CLEANUP_FD int beside = -1;
	char path[CES_PATH_TEXT];

	(void)snprintf(path, sizeof(path), "%.*s", (int)(file - mount->host_path),
		       mount->host_path);
	beside = ces_beneath_open(CES_AT_ROOT, path, O_PATH | O_DIRECTORY, 0);
	for (unsigned i = 0; end != NULL && beside >= 0 && i < 10; i++) {
		char name[256], text[256];
		ssize_t n;

		(void)snprintf(name, sizeof(name), "%.*s.so.%u", (int)(end - file), file, i);
		n = readlinkat(beside, name, text, sizeof(text));
		if (n == (ssize_t)strlen(file) && memcmp(text, file, (size_t)n) == 0) {
			/* a file that has this name already stays */
			(void)!symlinkat(strrchr(mount->container_path, '/') + 1, dir, name);
			return;
		}
	}
}

static int open_file(const char *path, int *ret, struct stat *ret_st, struct ces_error *err)
{
	CES_CLEANUP_FD int fd = ces_beneath_open(CES_AT_ROOT, path, O_PATH, 0);

	if (fd < 0 && (errno == ELOOP || errno == EXDEV))
		return refuse(err, path, "it is, or is reached by, a symbolic link");
	if (fd < 0 || fstat(fd, ret_st) < 0)
		return ces_error_errno(err, CES_E_HOST, "%s, a file of the GPU's driver", path);
	*ret = ces_steal_fd(&fd);
	return 0;
}

/* Makes the mount point of the file or directory. */
static int make_point(int dir, const char *name, bool directory)
{
	CES_CLEANUP_FD int point = -1;

	if (directory)
		return mkdirat(dir, name, 0755);
	point = ces_beneath_open(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0444);
	return point < 0 ? -1 : 0;
}

static int mount_file(int tree, const struct ces_cdi_mount *mount, struct ces_error *err)
{
	const char *name;
	CES_CLEANUP_FD int file = -1;
	CES_CLEANUP_FD int dir = -1;
	CES_CLEANUP_FD int clone = -1;
	struct stat st;

	if (mount->place == CES_CDI_LEFT_OUT)
		return 0;
	if (mount->place == CES_CDI_REFUSED || !ces_path_valid(mount->container_path))
		return refuse(err, mount->container_path,
			      "CES does not put anything there in a container");
	name = strrchr(mount->container_path, '/') + 1;
	if (open_file(mount->host_path, &file, &st, err) < 0)
		return -1;
	if (S_ISSOCK(st.st_mode))
		return 0;
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return refuse(err, mount->host_path, "neither a file nor a directory");
	if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return refuse(err, mount->host_path, "not root's alone to write");
	if (make_above(tree, mount->container_path, &dir, err) < 0)
		return -1;
	if (make_point(dir, name, S_ISDIR(st.st_mode)) < 0)
		return errno == EEXIST ? 0
				       : ces_error_errno(err, CES_E_HOST, "a place for %s", name);
	if (ces_mount_clone(file, true, -1, &clone, err) < 0 ||
	    ces_mount_attach(clone, dir, name, err) < 0)
		return -1;
	if (mount->place == CES_CDI_LIBRARY && S_ISREG(st.st_mode))
		link_plain_name(mount, dir);
	return 0;
}

/* The target is text, which only the container will follow, below its own root. */
static int make_link(int tree, const struct ces_cdi_link *link, struct ces_error *err)
{
	CES_CLEANUP_FD int dir = -1;

	if (link->place == CES_CDI_LEFT_OUT)
		return 0;
	if (link->place == CES_CDI_REFUSED || !ces_path_valid(link->path))
		return refuse(err, link->target, "not a link that CES makes");
	if (make_above(tree, link->path, &dir, err) < 0)
		return -1;
	if (symlinkat(link->target, dir, strrchr(link->path, '/') + 1) < 0 && errno != EEXIST)
		return ces_error_errno(err, CES_E_HOST, "making the link %s", link->path);
	return 0;
}

int ces_gpu_files(const struct ces_gpus *gpus, int root, struct ces_error *err)
{
	CES_CLEANUP_FD int tree = -1;

	if (gpus->n_names == 0)
		return 0;
	if (mkdirat(root, "g", 0755) < 0 ||
	    (tree = ces_beneath_open(root, "g", O_RDONLY | O_DIRECTORY, 0)) < 0)
		return ces_error_errno(err, CES_E_HOST, "the directory of the GPU's driver");
	for (size_t i = 0; i < gpus->n_edits; i++) {
		const struct ces_cdi_edits *edits = gpus->edits[i];

		for (size_t j = 0; j < edits->n_mounts; j++)
			if (mount_file(tree, &edits->mounts[j], err) < 0)
				return -1;
		for (size_t j = 0; j < edits->n_links; j++)
			if (make_link(tree, &edits->links[j], err) < 0)
				return -1;
	}
	return 0;
}
