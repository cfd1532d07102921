/* Builds the file tree of a run. Must not open anything inside a layer, a data directory or an
 * output directory: it mounts them by the fds that were opened for them.
 *
 * Who controls what: layers are root's store, their content the image's. The caller controls the
 * content of the data directories, and may change it at any moment. This matters nowhere, since no
 * code here walks a path below them. */
#include "helper/launch/rootfs.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/image.h"
#include "common/paths.h"
#include "helper/core/beneath.h"
#include "helper/launch/devices.h"
#include "helper/launch/overlay.h"
#include "helper/session/mounts.h"

#define ROOT_BYTES  (16u << 20)
#define ROOT_INODES 8192u

int ces_rootfs_unshare(struct ces_error *err)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return ces_error_errno(err, CES_E_HOST, "private mount namespace");
	return 0;
}

/* Makes a directory that belongs to the root of the container. */
static int make_theirs(int root, const char *path, const struct ces_plan *plan,
		       struct ces_error *err)
{
	return mkdirat(root, path, 0755) < 0 ||
		       fchownat(root, path, ces_idmap_host_uid(&plan->map, 0),
				ces_idmap_host_gid(&plan->map, 0), AT_SYMLINK_NOFOLLOW) < 0
		   ? ces_error_errno(err, CES_E_HOST, "making %s", path)
		   : 0;
}

/* The directories of the tree itself belong to root, whom the container cannot be. */
static int make_skeleton(int root, const struct ces_plan *plan, struct ces_error *err)
{
	static const char *const own[] = {"l", "e", "u", "m", "d", "dev", "proc", "sys", "usr"};
	static const char *const links[] = {"lib", "lib64", "bin", "sbin"};

	for (size_t i = 0; i < CES_COUNT(own); i++)
		if (mkdirat(root, own[i], 0755) < 0)
			return ces_error_errno(err, CES_E_HOST, "making %s", own[i]);
	/* the runtime keeps its state and its log in the first, and ces-inside writes config.json
	 * into the other */
	if (make_theirs(root, "run", plan, err) < 0 || make_theirs(root, "bundle", plan, err) < 0)
		return -1;
	for (size_t i = 0; i < CES_COUNT(links); i++) {
		char target[32];

		(void)snprintf(target, sizeof(target), "usr/%s", links[i]);
		if (symlinkat(target, root, links[i]) < 0)
			return ces_error_errno(err, CES_E_HOST, "making %s", links[i]);
	}
	return 0;
}

static int attach_new(int root, int mount, const char *path, struct ces_error *err)
{
	int result = ces_mount_attach(mount, root, path, err);

	close(mount);
	return result;
}

static int attach_copy(int root, int fd, bool read_only, int userns, const char *path,
		       struct ces_error *err)
{
	int mount;

	return ces_mount_clone(fd, read_only, userns, &mount, err) < 0
		   ? -1
		   : attach_new(root, mount, path, err);
}

/* An image may have a layer twice. A lower copy adds nothing to the higher one, and the kernel
 * refuses an overlay that has one directory twice (fs/overlayfs/super.c, ovl_setup_trap). */
static bool is_above(const struct ces_strings *diff_ids, size_t i)
{
	for (size_t above = i + 1; above < diff_ids->n; above++)
		if (strcmp(diff_ids->v[above], diff_ids->v[i]) == 0)
			return true;
	return false;
}

/* Attaches the layers at l/0, l/1 and so on, from the top down to the lowest visible one. */
static int attach_layers(int root, const struct ces_plan *plan, int userns, size_t *ret_n,
			 struct ces_error *err)
{
	bool bottom = false;

	*ret_n = 0;
	for (size_t i = plan->image->diff_ids.n; i-- > 0 && !bottom;) {
		CES_CLEANUP_FD int layer = -1;
		char path[32];

		if (is_above(&plan->image->diff_ids, i))
			continue;
		(void)snprintf(path, sizeof(path), "l/%zu", (*ret_n)++);
		if (ces_store_open_layer(&plan->session->store, plan->image->diff_ids.v[i], &layer,
					 err) < 0)
			return -1;
		if (mkdirat(root, path, 0755) < 0)
			return ces_error_errno(err, CES_E_HOST, "making %s", path);
		if (attach_copy(root, layer, true, userns, path, err) < 0)
			return -1;
		bottom = ces_overlay_is_bottom(layer);
	}
	return 0;
}

static int attach_data(int root, const struct ces_plan *plan, struct ces_error *err)
{
	for (size_t i = 0; i < plan->n_mounts; i++) {
		const struct ces_plan_mount *mount = &plan->mounts[i];
		char path[32];

		(void)snprintf(path, sizeof(path), "d/%zu", i);
		if ((mount->file ? mknodat(root, path, S_IFREG | 0644, 0)
				 : mkdirat(root, path, 0755)) < 0)
			return ces_error_errno(err, CES_E_HOST, "making %s", path);
		if (attach_copy(root, mount->fd, mount->read_only, -1, path, err) < 0)
			return -1;
	}
	return 0;
}

/* The upper and the work directory belong to the root of the container. They are on a tmpfs of the
 * size that the policy gives. */
static int attach_upper(int root, const struct ces_plan *plan, struct ces_error *err)
{
	uint64_t bytes = plan->decision->limits.writable_layer;
	int mount;

	return ces_mount_tmpfs(bytes, bytes / 4096 + 8192, false, &mount, err) < 0 ||
		       attach_new(root, mount, "u", err) < 0 ||
		       make_theirs(root, "u/u", plan, err) < 0
		   ? -1
		   : make_theirs(root, "u/w", plan, err);
}

/* Binds one directory of the host, which the runtime sees and the container does not. proc and
 * sysfs must be there and not read-only, or the kernel refuses the container's own
 * (mount_too_revealing, fs/namespace.c). */
static int attach_host(int root, const char *source, const char *path, struct ces_error *err)
{
	int mount = open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	return mount < 0 ? ces_error_errno(err, CES_E_HOST, "%s", source)
			 : attach_new(root, mount, path, err);
}

static int attach_runtime_view(int root, const struct ces_cgroup *cgroup, struct ces_error *err)
{
	CES_CLEANUP_FD int usr = open("/usr", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (usr < 0)
		return ces_error_errno(err, CES_E_HOST, "/usr");
	if (attach_copy(root, usr, true, -1, "usr", err) < 0 ||
	    attach_host(root, "/proc", "proc", err) < 0 ||
	    attach_host(root, "/sys", "sys", err) < 0)
		return -1;
	/* runtimes look for a cgroup2 here: they see the run's own, read-only, and nothing else */
	return attach_copy(root, cgroup->dir[CES_HIERARCHY_V2], true, -1, "sys/fs/cgroup", err);
}

static int make_devices(int root, const struct ces_plan *plan, struct ces_error *err)
{
	CES_CLEANUP_FD int dev = ces_beneath_open(root, "dev", O_RDONLY | O_DIRECTORY, 0);

	if (dev < 0)
		return ces_error_errno(err, CES_E_HOST, "/dev");
	return ces_devices_make(dev, ces_idmap_host_uid(&plan->map, plan->uid),
				ces_idmap_host_gid(&plan->map, plan->gid), plan->gpus.nodes,
				plan->gpus.n_nodes, err);
}

int ces_rootfs_build(const struct ces_plan *plan, int userns, const struct ces_cgroup *cgroup,
		     int *ret_root, struct ces_error *err)
{
	CES_CLEANUP_FD int root = -1;
	char context[CES_SELINUX_CONTEXT];
	size_t n;

	/* files made here get exactly the mode that is asked for; see ces_rootfs_enter */
	(void)umask(0);
	ces_selinux_file_context(&plan->selinux, context);
	if (ces_mount_tmpfs(ROOT_BYTES, ROOT_INODES, true, &root, err) < 0)
		return -1;
	/* attached over CES's own run directory, a mount point that surely exists; only this
	 * namespace sees it */
	if (ces_mount_attach(root, AT_FDCWD, CES_RUN_DIR, err) < 0)
		return -1;
	if (make_skeleton(root, plan, err) < 0 || make_devices(root, plan, err) < 0 ||
	    ces_gpu_files(&plan->gpus, root, err) < 0 ||
	    attach_layers(root, plan, userns, &n, err) < 0 || attach_upper(root, plan, err) < 0 ||
	    ces_overlay_mount(CES_RUN_DIR, context, n, err) < 0 ||
	    attach_data(root, plan, err) < 0 || attach_runtime_view(root, cgroup, err) < 0)
		return -1;
	*ret_root = ces_steal_fd(&root);
	return 0;
}

int ces_rootfs_enter(int root, struct ces_error *err)
{
	(void)umask(077);
	/* pivot_root(2), NOTES: with "." for both, the old root covers the new one and is then
	 * detached */
	if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return ces_error_errno(err, CES_E_HOST, "entering the new root");
	return 0;
}
