/* Reads what the helper also reads, with the caller's rights. It must not be taken for a decision:
 * a caller can change this program. */
#include "client/local.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/request.h"
#include "policy/parse.h"
#include "policy/rights.h"

#define CALLER_GROUPS 1024

/* ---- the policy ---- */

int ces_local_load(const char *path, struct ces_local *ret, struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	struct ces_local local = {0};
	size_t length;

	if (ces_policy_read(path, &bytes, &length, err) < 0)
		return -1;
	if (ces_policy_parse(bytes, length, &local.policy, err) < 0)
		return -1;
	*ret = local;
	return 0;
}

void ces_local_free(struct ces_local *local)
{
	ces_policy_free(local->policy);
	local->policy = NULL;
}

/* ---- the caller ---- */

struct me {
	struct ces_caller caller;
	gid_t groups[CALLER_GROUPS];
	char *group_names[CALLER_GROUPS];
	char (*candidates)[CES_NAME_MAX + 1];
	char **inferred;
	struct ces_facts facts;
};

static void free_me(struct me *me)
{
	for (size_t i = 0; i < me->caller.n_groups; i++)
		free(me->group_names[i]);
	free(me->caller.user);
	free(me->caller.home);
	free(me->candidates);
	free(me->inferred);
	free(me);
}

static int load_me(struct me *me, struct ces_error *err)
{
	struct ces_caller *caller = &me->caller;
	const struct passwd *entry = getpwuid(getuid());
	int n = CALLER_GROUPS;

	if (entry == NULL)
		return ces_error_set(err, CES_E_HOST, "uid %u is not in the user database",
				     (unsigned)getuid());
	caller->uid = entry->pw_uid;
	caller->gid = entry->pw_gid;
	caller->user = strdup(entry->pw_name);
	caller->home = strdup(entry->pw_dir);
	caller->groups = me->groups;
	caller->group_names = me->group_names;
	if (caller->user == NULL || caller->home == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	if (getgrouplist(caller->user, caller->gid, me->groups, &n) < 0)
		return ces_error_set(err, CES_E_HOST, "you are in more than %d groups",
				     CALLER_GROUPS);
	for (caller->n_groups = 0; caller->n_groups < (size_t)n; caller->n_groups++) {
		const struct group *group = getgrgid(me->groups[caller->n_groups]);

		me->group_names[caller->n_groups] = group != NULL ? strdup(group->gr_name) : NULL;
	}
	return 0;
}

static int gather_facts(const struct ces_policy *policy, struct me *me, struct ces_error *err)
{
	size_t max = me->caller.n_groups * policy->infer_prefixes.n + 1, n;
	struct ces_strings *inferred = &me->facts.inferred;
	CES_CLEANUP_FD int base = -1;
	CES_CLEANUP_FREE char *data = NULL;
	struct stat st;

	me->candidates = calloc(max, sizeof(*me->candidates));
	me->inferred = calloc(max, sizeof(*me->inferred));
	if (me->candidates == NULL || me->inferred == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	n = ces_decide_candidates(policy, &me->caller, me->candidates, max);
	if (n > 0)
		base = open(policy->infer_base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (asprintf(&data, "%s/safe_data", me->caller.home) < 0)
		data = NULL;
	me->facts.home_data = data != NULL && stat(data, &st) == 0 && S_ISDIR(st.st_mode);
	inferred->v = me->inferred;
	for (size_t i = 0; base >= 0 && i < n; i++) {
		if (fstatat(base, me->candidates[i], &st, 0) == 0 && S_ISDIR(st.st_mode))
			inferred->v[inferred->n++] = me->candidates[i];
	}
	return 0;
}

int ces_local_decide(const struct ces_local *local, const struct ces_request *request,
		     struct ces_decision *ret, char *ret_user, struct ces_error *err)
{
	struct ces_request asked = *request;
	struct me *me;
	int result = -1;

	if (request->image != NULL &&
	    ces_reference_parse(request->image, &asked.reference, err) < 0)
		return -1;
	me = calloc(1, sizeof(*me));
	if (me == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	if (load_me(me, err) == 0 && gather_facts(local->policy, me, err) == 0)
		result = ces_decide(local->policy, &me->caller, &asked, &me->facts, time(NULL), ret,
				    err);
	if (result == 0)
		snprintf(ret_user, CES_LOCAL_USER, "%s", me->caller.user);
	free_me(me);
	return result;
}

static void list_groups(const struct ces_caller *caller, char *ret, size_t size)
{
	size_t used = 0;

	*ret = '\0';
	for (size_t i = 0; i < caller->n_groups && used < size; i++)
		if (caller->group_names[i] != NULL)
			used += (size_t)snprintf(ret + used, size - used, "%s%s",
						 used > 0 ? ", " : "", caller->group_names[i]);
}

static void add_project(const struct me *me, const struct ces_rights *rights,
			struct ces_local_you *ret)
{
	const struct ces_policy_settings *settings = rights->settings;
	const char *data = settings->data_home_override && me->facts.home_data
			       ? "~/safe_data"
			       : settings->data_source;
	struct ces_local_project *to = &ret->projects[ret->n];

	if (ret->n == CES_LOCAL_PROJECTS)
		return;
	*to = (struct ces_local_project){.ended =
					     rights->expires != 0 && time(NULL) >= rights->expires};
	to->writable = settings->data_access == CES_ACCESS_READ_WRITE;
	snprintf(to->name, sizeof(to->name), "%s", rights->project);
	if (ces_template_expand(data, rights->project, me->caller.user, me->caller.home,
				to->data) == 0)
		ret->n++;
}

int ces_local_you(const struct ces_local *local, struct ces_local_you *ret, struct ces_error *err)
{
	CES_CLEANUP_FREE struct ces_rights *rights = NULL;
	struct me *me = calloc(1, sizeof(*me));
	int result = -1;
	size_t n = 0;

	*ret = (struct ces_local_you){0};
	if (me == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	if (load_me(me, err) == 0 && gather_facts(local->policy, me, err) == 0) {
		result =
		    ces_rights_collect(local->policy, &me->caller, &me->facts, &rights, &n, err);
		snprintf(ret->user, sizeof(ret->user), "%s", me->caller.user);
		snprintf(ret->home, sizeof(ret->home), "%s", me->caller.home);
		list_groups(&me->caller, ret->groups, sizeof(ret->groups));
	}
	for (size_t i = 0; i < n && result == 0; i++)
		add_project(me, &rights[i], ret);
	free_me(me);
	return result;
}
