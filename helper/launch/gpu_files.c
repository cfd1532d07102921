/* Puts a driver's files into the container. Must not follow a symbolic link, on the host or in the
 * tree that it makes, nor run a program that a specification names: of hooks it makes only the
 * links that they would make. ces-parse gives the places, as it reads a specification.
 *
 * Who controls what: the specifications and the files are root's. The image and the caller control
 * nothing: the tree is CES's own, and the top layer is filled before the container exists. */
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

struct where {
	int tree; /* what the container sees as CES_GPU_DIR */
	int top;  /* the layer above the image's */
	uid_t uid;
	gid_t gid; /* container root */
};

static int refuse(struct ces_error *err, const char *path, const char *why)
{
	return ces_error_set(err, CES_E_HOST, "%s, a file of the GPU's driver: %s", path, why);
}

/* Most of a driver's files are in one or two directories, which the first file made. */
static int open_above(int base, const char *path)
{
	char above[CES_PATH_TEXT + sizeof(CES_GPU_DIR)];

	(void)snprintf(above, sizeof(above), "%.*s", (int)(strrchr(path, '/') - path), path + 1);
	return ces_beneath_open(base, above, O_RDONLY | O_DIRECTORY, 0);
}

/* Makes the directories above path's last component, each in the one before. */
static int make_above(int base, const char *path, uid_t uid, gid_t gid, int *ret,
		      struct ces_error *err)
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
		bool made;

		if ((size_t)(slash - path) >= sizeof(name))
			return refuse(err, path, "a name is too long");
		(void)snprintf(name, sizeof(name), "%.*s", (int)(slash - path), path);
		made = mkdirat(at, name, 0755) == 0;
		next = ces_beneath_open(at, name, O_RDONLY | O_DIRECTORY, 0);
		close(at);
		at = next;
		if (made && at >= 0 && (fchown(at, uid, gid) < 0 || fchmod(at, 0755) < 0))
			break;
	}
	if (at < 0 || strchr(path, '/') != NULL)
		return ces_error_errno(err, CES_E_HOST, "a place for %s", path);
	*ret = ces_steal_fd(&at);
	return 0;
}

/* Makes the directory for a file in the tree, and its link in the top layer where it needs one. A
 * file that is there already (a mount of the caller's own) stays. */
static int make_place(const struct where *where, const char *path, uint64_t place, int *ret,
		      struct ces_error *err)
{
	const char *name = strrchr(path, '/') + 1;
	CES_CLEANUP_FD int top = -1;
	char text[CES_PATH_TEXT + sizeof(CES_GPU_DIR)];

	if (make_above(where->tree, path, 0, 0, ret, err) < 0)
		return -1;
	if (place == CES_CDI_LIBRARY)
		return 0;
	(void)snprintf(text, sizeof(text), CES_GPU_DIR "%s", path);
	if (make_above(where->top, path, where->uid, where->gid, &top, err) < 0 ||
	    (symlinkat(text, top, name) < 0 && errno != EEXIST)) {
		ces_cleanup_close(ret);
		return refuse(err, path, "no place for it in the container");
	}
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

static int mount_file(const struct where *where, const struct ces_cdi_mount *mount,
		      struct ces_error *err)
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
	if (make_place(where, mount->container_path, mount->place, &dir, err) < 0)
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
static int make_link(const struct where *where, const struct ces_cdi_link *link,
		     struct ces_error *err)
{
	CES_CLEANUP_FD int dir = -1;

	if (link->place == CES_CDI_LEFT_OUT)
		return 0;
	if (link->place == CES_CDI_REFUSED || !ces_path_valid(link->path))
		return refuse(err, link->target, "not a link that CES makes");
	if (make_place(where, link->path, link->place, &dir, err) < 0)
		return -1;
	if (symlinkat(link->target, dir, strrchr(link->path, '/') + 1) < 0 && errno != EEXIST)
		return ces_error_errno(err, CES_E_HOST, "making the link %s", link->path);
	return 0;
}

static int apply(const struct where *where, const struct ces_cdi_edits *edits,
		 struct ces_error *err)
{
	for (size_t i = 0; i < edits->n_mounts; i++)
		if (mount_file(where, &edits->mounts[i], err) < 0)
			return -1;
	for (size_t i = 0; i < edits->n_links; i++)
		if (make_link(where, &edits->links[i], err) < 0)
			return -1;
	return 0;
}

int ces_gpu_files(const struct ces_gpus *gpus, int root, const struct ces_idmap *map,
		  struct ces_error *err)
{
	CES_CLEANUP_FD int top = -1;
	CES_CLEANUP_FD int tree = -1;
	CES_CLEANUP_FD int point = -1;
	struct where where = {.uid = ces_idmap_host_uid(map, 0), .gid = ces_idmap_host_gid(map, 0)};

	if (gpus->n_names == 0)
		return 0;
	where.top = top = ces_beneath_open(root, "t", O_RDONLY | O_DIRECTORY, 0);
	if (top < 0 || mkdirat(root, "g", 0755) < 0 ||
	    (where.tree = tree = ces_beneath_open(root, "g", O_RDONLY | O_DIRECTORY, 0)) < 0 ||
	    fchmod(tree, 0755) < 0)
		return ces_error_errno(err, CES_E_HOST, "the directory of the GPU's driver");
	if (make_above(top, CES_GPU_DIR "/.", where.uid, where.gid, &point, err) < 0)
		return -1;
	for (size_t i = 0; i < gpus->n_edits; i++)
		if (apply(&where, gpus->edits[i], err) < 0)
			return -1;
	return 0;
}
