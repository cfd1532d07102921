/* Makes the rest of the container, as root of its user namespace. Must not touch the host: the
 * host's tree is gone, this process has only the caller's ordinary ids there, and its only
 * privileges are over its own namespaces.
 *
 * Who controls what: the tree is root's, and the image's below /m and /l. Nothing of the image has
 * run yet. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/way.h"
#include "helper/inside/inside.h"

/* No user namespace inside: most local kernel exploits begin with one. */
static void forbid_namespaces(void)
{
	CES_CLEANUP_FD int fd = open("/proc/sys/user/max_user_namespaces", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "0", 1) < 0)
		ces_inside_fail(CES_STEP_USERNS);
}

/* Gives a directory of CES's top layer the owner and mode of the image's directory of that path, if
 * there is one. This process looks into the layers, not the helper: it sees them with the
 * container's ids, and every file open to it will be open to the container too. It works through
 * the overlay, since the layers under a mounted overlay must not change. */
static void take_attributes(uint32_t layers, const char *path)
{
	CES_CLEANUP_FD int whole = open("/m", O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (uint32_t i = layers; i > 0; i--) {
		CES_CLEANUP_FD int layer = -1;
		CES_CLEANUP_FD int directory = -1;
		char name[32];
		struct stat st;

		(void)snprintf(name, sizeof(name), "/l/%u", i - 1);
		layer = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		directory = ces_beneath_open(layer, path, O_PATH | O_DIRECTORY, 0);
		if (directory < 0 || fstat(directory, &st) < 0)
			continue;
		if (fchownat(whole, path, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
		    fchmodat(whole, path, st.st_mode & 07777, 0) < 0)
			ces_inside_fail(CES_STEP_PARENTS);
		return;
	}
}

/* The directories above a mount point were made with it (helper/launch/rootfs.c) and hide the
 * image's. Without this function, a bind into a user's home would take the home from that user. */
static void keep_parents(uint32_t layers, const struct ces_strings *destinations)
{
	for (size_t i = 0; i < destinations->n; i++) {
		char path[300];

		(void)snprintf(path, sizeof(path), "%s", destinations->v[i] + 1);
		for (char *slash = strchr(path, '/'); slash != NULL;
		     slash = strchr(slash + 1, '/')) {
			*slash = '\0';
			take_attributes(layers, path);
			*slash = '/';
		}
	}
}

void ces_inside_set_up(const struct ces_inside *inside)
{
	const char *hostname = ces_inside_text(inside, CES_INSIDE_HOSTNAME);

	if (chdir("/") < 0 || unshare(CLONE_NEWNS) < 0)
		ces_inside_fail(CES_STEP_MOUNTS);
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL) < 0)
		ces_inside_fail(CES_STEP_PROC);
	if (sethostname(hostname, strlen(hostname)) < 0)
		ces_inside_fail(CES_STEP_HOSTNAME);
	forbid_namespaces();
	keep_parents(inside->order.layers, &inside->rows[CES_INSIDE_ROW_MOUNTS]);
	keep_parents(inside->order.layers, &inside->rows[CES_INSIDE_ROW_TMPFS]);
}
