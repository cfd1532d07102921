/* Mounts the overlay with no more power than it needs. The kernel checks the rights of the process
 * that asks; it keeps the credentials of the mounter, and later works on upper and lower files with
 * those. Must not be given a path that is not CES's own. */
#include "helper/launch/overlay.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#include "common/cleanup.h"
#include "helper/core/beneath.h"
#include "helper/core/capability.h"

#define OPAQUE       "trusted.overlay.opaque"
#define OPTIONS_SIZE 4096 /* mount(2): one page */

int ces_overlay_mark(int fs, const char *path, struct ces_error *err)
{
	CES_CLEANUP_FD int fd = ces_beneath_open(fs, path, O_RDONLY | O_DIRECTORY, 0);

	return fd < 0 || fsetxattr(fd, OPAQUE, "y", 1, 0) < 0
		   ? ces_error_errno(err, CES_E_HOST, "marking a directory of a layer")
		   : 0;
}

bool ces_overlay_is_bottom(int layer)
{
	char mark;

	return fgetxattr(layer, OPAQUE, &mark, 1) == 1 && mark == 'y';
}

/* The rights of the overlay when it acts for the container, long after. Not CAP_MKNOD: a whiteout
 * needs none (fs/namei.c, vfs_mknod), and no device is ever made through it. */
static const uint64_t kept =
    CES_CAPABILITY(CAP_SYS_ADMIN) |    /* to mount; to write its marks, trusted.* */
    CES_CAPABILITY(CAP_DAC_OVERRIDE) | /* to work in directories of the container's many ids */
    CES_CAPABILITY(CAP_CHOWN) |        /* a file copied up keeps its owner, */
    CES_CAPABILITY(CAP_FOWNER) |       /* its mode and its times */
    CES_CAPABILITY(CAP_FSETID);        /* (also where the owner's group is another) */

static int mount_with_few(const char *target, const char *options, struct ces_error *err)
{
	int result = 0;

	if (ces_capability_keep(UINT64_MAX, kept, err) < 0)
		return -1;
	if (mount("overlay", target, "overlay", MS_NODEV | MS_NOSUID, options) < 0)
		result = ces_error_errno(err, CES_E_HOST, "mounting the overlay");
	return ces_capability_keep(UINT64_MAX, UINT64_MAX, err) < 0 ? -1 : result;
}

/* A site's module parameters enable nothing: no file of a layer is ever a redirect to another, or
 * data without its metadata. */
int ces_overlay_mount(const char *root, const char *context, size_t n, struct ces_error *err)
{
	char options[OPTIONS_SIZE], target[64];
	/* in quotes, because of the comma between the categories */
	int used = snprintf(options, sizeof(options),
			    "%s%s%sredirect_dir=nofollow,metacopy=off,index=off,"
			    "upperdir=%s/u/u,workdir=%s/u/w,lowerdir=",
			    *context != '\0' ? "context=\"" : "", context,
			    *context != '\0' ? "\"," : "", root, root);

	for (size_t i = 0; i < n && (size_t)used < sizeof(options); i++)
		used +=
		    snprintf(options + used, sizeof(options) - (size_t)used, "%s/l/%zu:", root, i);
	if ((size_t)used < sizeof(options)) /* (an image may have no layer) */
		used += snprintf(options + used, sizeof(options) - (size_t)used, "%s/e", root);
	(void)snprintf(target, sizeof(target), "%s/m", root);
	return (size_t)used < sizeof(options)
		   ? mount_with_few(target, options, err)
		   : ces_error_set(err, CES_E_HOST, "mounting the overlay: too many layers");
}
