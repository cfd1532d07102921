/* Turns the paths of a decision into open directories. Must not look a path up twice, nor open one
 * with root's rights.
 *
 * Who controls what: the decision gives the paths. The caller controls the files there, and may
 * change them at any moment. CES opens each path once, with the caller's rights, and uses the
 * descriptor from then on. */
#include "helper/launch/places.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/core/beneath.h"
#include "helper/core/caller_open.h"
#include "helper/launch/display.h"
#include "helper/session/caller_bind.h"

/* The place of the next mount, which counts only after it is opened. */
static struct ces_plan_mount *next_mount(struct ces_plan *plan,
					 const struct ces_decision_mount *mount)
{
	struct ces_plan_mount *to = &plan->mounts[plan->n_mounts];

	to->destination = mount->destination;
	to->read_only = mount->read_only;
	return to;
}

static int open_bind(struct ces_plan *plan, const struct ces_decision_mount *mount,
		     struct ces_error *err)
{
	struct ces_plan_mount *to = next_mount(plan, mount);

	if (ces_caller_open_bind(&plan->session->caller, &plan->map, mount->source, &to->file,
				 &to->fd, err) < 0)
		return -1;
	plan->n_mounts++;
	return 0;
}

static int open_mount(struct ces_plan *plan, const struct ces_decision_mount *mount,
		      const char *path, int *ret_parent, struct ces_error *err)
{
	struct ces_plan_mount *to = next_mount(plan, mount);

	if (ces_caller_open(&plan->session->caller, path, mount->create, ret_parent, &to->fd, err) <
	    0)
		return -1;
	plan->n_mounts++;
	return 0;
}

/* TMPDIR is for every user inside, as /tmp is, but must not let in any other user of the host. So
 * the directory that is open to all is inside the one that was made, which is open to the caller
 * alone. */
static int share_scratch(struct ces_plan *plan, struct ces_error *err)
{
	struct ces_plan_mount *mount = &plan->mounts[CES_PLAN_SCRATCH];

	plan->scratch_dir = mount->fd;
	mount->fd = -1;
	return ces_caller_open_common(&plan->session->caller, plan->scratch_dir,
				      CES_PLAN_SHARED + 1, &mount->fd, err);
}

/* Makes a directory of one run with that run's categories: another run's container cannot read it,
 * though it may have the same ids. */
static int open_scratch(struct ces_plan *plan, struct ces_error *err)
{
	const struct ces_decision_mount *scratch = &plan->decision->scratch;
	int result;

	if (scratch->per_run && ces_selinux_create_private(&plan->selinux, true) < 0)
		return ces_error_errno(err, CES_E_HOST, "SELinux context");
	result = open_mount(plan, scratch, plan->scratch, &plan->scratch_parent, err);
	if (result == 0 && scratch->per_run)
		result = share_scratch(plan, err);
	if (scratch->per_run && ces_selinux_create_private(&plan->selinux, false) < 0)
		return ces_error_errno(err, CES_E_HOST, "SELinux context");
	return result;
}

/* Makes a directory of the caller's in root's. */
static int make_waiting(const struct ces_plan *plan, const char *name, int *ret)
{
	const struct ces_caller *caller = &plan->session->caller;
	CES_CLEANUP_FD int fd = -1;

	if (mkdirat(plan->withheld, name, 0700) < 0)
		return -1;
	fd = ces_beneath_open(plan->withheld, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0 || fchown(fd, caller->uid, caller->gid) < 0)
		return -1;
	*ret = ces_steal_fd(&fd);
	return 0;
}

/* Outputs that may be withheld are written where the caller has no way to, from the start: what is
 * in a directory of theirs they could copy or move away before it was checked. The empty directory
 * at their path keeps its name free, and shows that they may make it.
 *
 * Outputs are given to them by one rename (helper/watch/finish.c), which fails between mounts, file
 * systems and some quotas. So it is done once here, with an empty directory, before anything runs.
 * That file says who controls what. */
static int open_withheld(struct ces_plan *plan, struct ces_error *err)
{
	const char *place = plan->decision->withhold;
	CES_CLEANUP_FD int tried = -1;
	char tried_name[CES_RUN_DIGITS + 5];
	int outputs = -1;

	(void)snprintf(tried_name, sizeof(tried_name), "%s.new", plan->run);
	if (ces_policy_open_closed(place, &plan->withheld, err) < 0)
		return -1;
	if (make_waiting(plan, tried_name, &tried) < 0 ||
	    renameat(plan->withheld, tried_name, plan->outputs_parent,
		     strrchr(plan->outputs, '/') + 1) < 0 ||
	    make_waiting(plan, plan->run, &outputs) < 0) {
		(void)ces_error_errno(err, CES_E_POLICY,
				      "outputs cannot go from %s to %s (both must be in one mount)",
				      place, plan->outputs);
		(void)unlinkat(plan->withheld, tried_name, AT_REMOVEDIR);
		return -1;
	}
	close(plan->mounts[CES_PLAN_OUTPUTS].fd);
	plan->mounts[CES_PLAN_OUTPUTS].fd = outputs;
	return 0;
}

int ces_places_open(struct ces_plan *plan, struct ces_error *err)
{
	const struct ces_decision *decision = plan->decision;

	if (open_mount(plan, &decision->data, decision->data.source, NULL, err) < 0)
		return ces_error_context(err, "project data");
	if (open_mount(plan, &decision->outputs, plan->outputs, &plan->outputs_parent, err) < 0)
		return ces_error_context(err, "outputs");
	if (decision->withhold[0] != '\0' && open_withheld(plan, err) < 0)
		return ces_error_context(err, "outputs.check.withhold");
	if (open_scratch(plan, err) < 0)
		return ces_error_context(err, "scratch");
	for (size_t i = 0; i < decision->n_binds; i++)
		if (open_bind(plan, &decision->binds[i], err) < 0)
			return -1;
	return ces_display_open(plan, err);
}
