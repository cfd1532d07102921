/* Fits an image made for root to a user. Must not read the image's files, except the last byte of
 * two, nor follow a link.
 *
 * Who controls what: the image chose the files at /etc/passwd, /etc/group and its working
 * directory. Nothing of it has run yet, and nobody else sees this mount, so nothing changes
 * meanwhile. A child in the run's user namespace does the work, with power over the run's own ids
 * only. Wherever the image leads it, it can do no more than root of the container could a moment
 * later. */
#include "helper/launch/settle.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/image.h"
#include "helper/core/beneath.h"
#include "helper/session/userns.h"

#define SECONDS 10
#define TREE    3 /* the fd, in the child */

struct lines {
	char passwd[1400], group[300];
	const char *workdir; /* absolute */
	uid_t uid;
	gid_t gid;
};

/* Appends the line: an entry of the image's own with the same name or number comes first. */
static int add_line(const char *path, const char *line)
{
	CES_CLEANUP_FD int fd =
	    ces_beneath_open(TREE, path, O_RDWR | O_APPEND | O_NONBLOCK | O_NOCTTY, 0);
	struct stat st;
	char last = '\n';

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    (st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) != 1) ||
	    (last != '\n' && write(fd, "\n", 1) != 1))
		return -1;
	return write(fd, line, strlen(line)) == (ssize_t)strlen(line) ? 0 : -1;
}

/* Gives the user the directory itself, not its content, whatever user of the image owns it: many
 * images have a user of their own, who is nobody here. */
static int give_workdir(const struct lines *lines)
{
	CES_CLEANUP_FD int dir = ces_beneath_open(TREE, lines->workdir, O_RDONLY | O_DIRECTORY, 0);
	struct stat st;

	if (dir < 0 || lines->workdir[strspn(lines->workdir, "/")] == '\0')
		return 0;
	return fstat(dir, &st) < 0 ||
		       (st.st_uid != lines->uid && fchown(dir, lines->uid, lines->gid) < 0)
		   ? -1
		   : 0;
}

static int work(const void *context)
{
	const struct lines *lines = context;

	return add_line("etc/passwd", lines->passwd) | add_line("etc/group", lines->group) |
	       give_workdir(lines);
}

void ces_settle(const struct ces_plan *plan, int userns, int root)
{
	const struct ces_caller *caller = &plan->session->caller;
	struct lines lines = {.uid = plan->uid, .gid = plan->gid};
	CES_CLEANUP_FD int tree = -1;

	if (plan->decision->identity != CES_IDENTITY_SAME_UID)
		return;
	tree = ces_beneath_open(root, "m", O_RDONLY | O_DIRECTORY, 0);
	if (tree < 0)
		return;
	lines.workdir = plan->image->workdir != NULL ? plan->image->workdir : "/";
	(void)snprintf(lines.passwd, sizeof(lines.passwd), "%s:x:%u:%u::%s:/bin/sh\n", caller->user,
		       plan->uid, plan->gid, plan->decision->home);
	(void)snprintf(lines.group, sizeof(lines.group), "%s:x:%u:\n", caller->user, plan->gid);
	(void)ces_userns_call(userns, plan->uid, plan->gid, SECONDS, &tree, 1, work, &lines);
}
