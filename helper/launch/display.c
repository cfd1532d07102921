/* Opens the display. Must not speak to the X server, nor read the caller's own keys.
 *
 * Who controls what: the caller gives the number and the key; CES makes the path from the number.
 * Another user, or the caller, controls /tmp/.X11-unix and so the file at the path. CES opens it
 * once, and then has a descriptor. CES refuses a socket of another user's. A socket of the caller's
 * may lead to any program of theirs, and so may the streams of the run. */
#include "helper/launch/display.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/verb.h"
#include "common/way.h"
#include "helper/core/caller.h"

int ces_display_open(struct ces_plan *plan, struct ces_error *err)
{
	struct ces_plan_mount *to = &plan->mounts[plan->n_mounts];
	CES_CLEANUP_FD int fd = -1;
	struct stat st;

	if (plan->decision->display == 0)
		return 0;
	/* a container's categories, like the user's, keep it from any process with others */
	if (plan->selinux.on)
		return ces_error_set(
		    err, CES_E_HOST,
		    "leave out --display: SELinux is on here, and lets no run use a display");
	(void)snprintf(plan->display, sizeof(plan->display), CES_DISPLAY_DIR "/X%llu",
		       (unsigned long long)plan->decision->display - 1);
	ces_caller_enter(&plan->session->caller);
	fd = ces_way_open(plan->display, O_PATH);
	ces_caller_leave();
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode) ||
	    (st.st_uid != plan->session->uid && st.st_uid != 0))
		return ces_error_set(err, CES_E_NOTFOUND, "%s is not the socket of your display",
				     plan->display);
	*to = (struct ces_plan_mount){
	    .fd = ces_steal_fd(&fd), .destination = plan->display, .read_only = true, .file = true};
	plan->n_mounts++;
	return 0;
}
