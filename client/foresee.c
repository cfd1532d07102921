/* Looks at what a run would get, without starting it. It must not be taken for a decision, nor open
 * what it looks at. */
#include "client/foresee.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "client/doctor_checks.h"
#include "client/local.h"
#include "common/cleanup.h"
#include "common/paths.h"
#include "common/way.h"
#include "policy/template.h"

/* The texts are the helper's (helper/core/caller_open.c). */
static int look(const char *path, struct ces_error *err)
{
	CES_CLEANUP_FD int fd = ces_way_open(path, O_PATH);

	if (fd < 0 && errno == ELOOP)
		return ces_error_set(err, CES_E_HOST,
				     "%s: a part of this path is a symbolic link that others than "
				     "root can set, which CES does not follow",
				     path);
	if (fd < 0)
		return ces_error_set(err, CES_E_NOTFOUND, "%s does not exist or is not open to you",
				     path);
	return 0;
}

/* If CES makes the directory for the run, only its parent must exist. */
static int look_at_mount(const struct ces_decision_mount *mount, struct ces_error *err)
{
	char path[CES_PATH_TEXT], *slash;

	snprintf(path, sizeof(path), "%s", mount->source);
	slash = strrchr(path, '/');
	if ((mount->per_run || mount->create) && slash != NULL && slash != path)
		*slash = '\0';
	return look(path, err);
}

static int look_at_gpus(const struct ces_policy *policy, const struct ces_decision *decision,
			struct ces_error *err)
{
	size_t there = decision->gpus > 0 ? ces_doctor_count_gpus(policy, decision) : 0;

	if (there >= decision->gpus || (decision->gpus_all && there > 0))
		return 0;
	return ces_error_set(err, CES_E_HOST,
			     "this machine has %zu of the GPUs that are allowed, and %llu %s asked "
			     "for; ces-client doctor says more",
			     there, (unsigned long long)decision->gpus,
			     decision->gpus == 1 ? "is" : "are");
}

static int look_at_all(const struct ces_policy *policy, const struct ces_decision *decision,
		       struct ces_error *err)
{
	if (look_at_mount(&decision->data, err) < 0 || look_at_mount(&decision->outputs, err) < 0 ||
	    look_at_mount(&decision->scratch, err) < 0)
		return -1;
	for (size_t i = 0; i < decision->n_binds; i++)
		if (look(decision->binds[i].source, err) < 0)
			return -1;
	if (decision->display > 0) {
		char path[64];

		snprintf(path, sizeof(path), CES_DISPLAY_DIR "/X%llu",
			 (unsigned long long)decision->display - 1);
		if (look(path, err) < 0)
			return -1;
	}
	return look_at_gpus(policy, decision, err);
}

int ces_foresee(const struct ces_options *options, struct ces_error *err)
{
	static struct ces_decision decision;
	struct ces_local local = {0};
	struct ces_error ignored = {0};
	char user[CES_LOCAL_USER];
	int result = 0;

	if (ces_local_load(CES_POLICY_PATH, &local, &ignored) < 0)
		return 0;
	if (ces_local_decide(&local, &options->request, &decision, user, &ignored) == 0)
		result = look_at_all(local.policy, &decision, err);
	ces_local_free(&local);
	return result;
}
