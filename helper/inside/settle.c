/* Fits an image to its user here. Must not read the image's files, except the last byte of
 * two, nor follow a link.
 *
 * Who controls what: the image chose the files at /etc/passwd, /etc/group and its working
 * directory. Nothing of it has run yet, and nobody else sees this mount, so nothing changes
 * meanwhile. Wherever the image leads this process, it can do no more than root of the container
 * could a moment later. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/way.h"
#include "helper/inside/inside.h"
#include "helper/session/idmap.h"

/* Appends the line: an entry of the image's own with the same name or number comes first. */
static void add_line(int tree, const char *path, const char *line)
{
	CES_CLEANUP_FD int fd =
	    ces_beneath_open(tree, path, O_RDWR | O_APPEND | O_NONBLOCK | O_NOCTTY, 0);
	struct stat st;
	char last = '\n';

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    (st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) != 1) ||
	    (last != '\n' && write(fd, "\n", 1) != 1))
		return;
	(void)!write(fd, line, strlen(line));
}

/* Gives the user the directory itself, not its content, whatever user of the image owns it: many
 * images have a user of their own, who is nobody here. */
static void give_workdir(int tree, const char *workdir, uid_t uid, gid_t gid)
{
	CES_CLEANUP_FD int dir = ces_beneath_open(tree, workdir, O_RDONLY | O_DIRECTORY, 0);
	struct stat st;

	if (dir >= 0 && workdir[strspn(workdir, "/")] != '\0' && fstat(dir, &st) == 0 &&
	    st.st_uid != uid)
		(void)!fchown(dir, uid, gid);
}

/* The project's groups. A program that logs a user in takes the user's groups from this file
 * (initgroups(3)), and without these it could not read the data. */
static void add_groups(int tree, const struct ces_inside_order *order, const char *user)
{
	char line[400];

	for (uint32_t i = 0; i < order->n_gids; i++) {
		if (order->gids[i] < CES_IDMAP_PROJECT_GID)
			continue;
		(void)snprintf(line, sizeof(line), "project%u:x:%u:%s\n", order->gids[i],
			       order->gids[i], user);
		add_line(tree, "etc/group", line);
	}
}

void ces_inside_settle(const struct ces_inside *inside)
{
	const struct ces_inside_order *order = &inside->order;
	const char *user = ces_inside_text(inside, CES_INSIDE_USER);
	CES_CLEANUP_FD int tree = -1;
	char line[1400];

	if (!order->same_uid && order->uid != 0)
		return;
	tree = open("/m", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (tree < 0)
		return;
	add_groups(tree, order, order->same_uid ? user : "root");
	if (!order->same_uid)
		return;
	(void)snprintf(line, sizeof(line), "%s:x:%u:%u::%s:/bin/sh\n", user, order->uid, order->gid,
		       ces_inside_text(inside, CES_INSIDE_HOME));
	add_line(tree, "etc/passwd", line);
	(void)snprintf(line, sizeof(line), "%s:x:%u:\n", user, order->gid);
	add_line(tree, "etc/group", line);
	give_workdir(tree, ces_inside_text(inside, CES_INSIDE_WORKDIR), order->uid, order->gid);
}
