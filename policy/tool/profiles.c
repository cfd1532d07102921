/* Reads the run profiles beside a policy, and asks ces_decide about each. It must not judge by
 * itself. */
#include "policy/tool/profiles.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "policy/tool/cases.h"

#define MEMBER "member" /* (a project that names no user has a member of this name) */

int ces_profiles_open(const char *policy, int *ret_dir, struct ces_error *err)
{
	const char *slash = strrchr(policy, '/');
	CES_CLEANUP_FREE char *path = NULL;

	if (asprintf(&path, "%.*s" CES_PROFILES, slash != NULL ? (int)(slash + 1 - policy) : 0,
		     policy) < 0)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	*ret_dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_dir < 0 && errno != ENOENT ? ces_error_errno(err, CES_E_HOST, "%s", path) : 0;
}

static bool is_foreign(const struct stat *st)
{
	return st->st_uid != 0 || (st->st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

static void read_one(int dir, const char *file, struct ces_profiles_one *one)
{
	CES_CLEANUP_FD int fd = openat(dir, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	CES_CLEANUP_FREE char *bytes = NULL;
	struct ces_error err = {0};
	struct stat st;
	size_t length = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		(void)ces_error_errno(&err, CES_E_HOST, "it cannot be opened");
	else if (!S_ISREG(st.st_mode))
		(void)ces_error_set(&err, CES_E_HOST, "it is not a regular file");
	else if (ces_read_file(fd, CES_PROFILE_MAX, &bytes, &length) < 0)
		(void)ces_error_errno(&err, CES_E_HOST, "it cannot be read");
	else if (ces_profile_parse(bytes, length, &one->profile, &err) == 0)
		one->foreign = is_foreign(&st);
	memcpy(one->fault, err.text, sizeof(one->fault));
}

static int by_name(const void *left, const void *right)
{
	const struct ces_profiles_one *a = left, *b = right;

	return strcmp(a->name, b->name);
}

int ces_profiles_read(int dir, struct ces_profiles *ret, struct ces_error *err)
{
	struct ces_profiles profiles = {.v = calloc(CES_PROFILES_MAX, sizeof(*profiles.v))};
	char name[CES_PROFILE_NAME_MAX + 1];
	const struct dirent *entry;
	DIR *stream = fdopendir(fcntl(dir, F_DUPFD_CLOEXEC, 0));
	struct stat st;

	if (stream == NULL || profiles.v == NULL) {
		if (stream != NULL)
			closedir(stream);
		free(profiles.v);
		return ces_error_errno(err, CES_E_HOST, CES_PROFILES);
	}
	rewinddir(stream);
	while ((entry = readdir(stream)) != NULL && profiles.n < CES_PROFILES_MAX) {
		if (!ces_profile_name(entry->d_name, name))
			continue;
		memcpy(profiles.v[profiles.n].name, name, sizeof(name));
		read_one(dir, entry->d_name, &profiles.v[profiles.n++]);
	}
	closedir(stream);
	profiles.foreign = fstat(dir, &st) == 0 && is_foreign(&st);
	qsort(profiles.v, profiles.n, sizeof(*profiles.v), by_name);
	*ret = profiles;
	return 0;
}

void ces_profiles_free(struct ces_profiles *profiles)
{
	for (size_t i = 0; i < profiles->n; i++)
		ces_profile_free(&profiles->v[i].profile);
	free(profiles->v);
	*profiles = (struct ces_profiles){0};
}

/* The profile's lists, in the form of a case. It leaves out a mount that names the user by $,
 * because only its user knows where that leads. */
struct lists {
	char *binds[32], *ports[32], text[32][12], *groups[1], *directories[1];
	char group[192];
};

static void set_lists(const struct ces_profile *profile, struct lists *lists, struct ces_case *ret)
{
	ret->binds = (struct ces_strings){lists->binds, 0};
	ret->publish = (struct ces_strings){lists->ports, 0};
	for (size_t i = 0; i < profile->mounts.n && i < CES_COUNT(lists->binds); i++) {
		char *mount = profile->mounts.v[i];

		if (strchr(mount, '$') == NULL && strncmp(mount, "type=", 5) != 0)
			lists->binds[ret->binds.n++] = mount;
	}
	for (size_t i = 0; i < profile->publish.n && i < CES_COUNT(lists->ports); i++) {
		const char *colon = strrchr(profile->publish.v[i], ':');
		const char *port = colon != NULL ? colon + 1 : profile->publish.v[i];

		snprintf(lists->text[i], sizeof(lists->text[i]), "%.5s:%.5s", port, port);
		lists->ports[ret->publish.n++] = lists->text[i];
	}
}

/* A person who is in the project by the policy. */
static void set_member(const struct ces_policy *policy, const struct ces_policy_project *project,
		       struct lists *lists, struct ces_case *ret)
{
	static char member[] = MEMBER, inferred[] = "example";

	ret->user = member;
	if (project != NULL) {
		ret->project = project->name;
		ret->groups = project->member_groups;
		if (project->member_users.n > 0)
			ret->user = project->member_users.v[0];
		return;
	}
	snprintf(lists->group, sizeof(lists->group), "%.100s%s", policy->infer_prefixes.v[0],
		 inferred);
	lists->groups[0] = lists->group;
	lists->directories[0] = inferred;
	ret->groups = (struct ces_strings){lists->groups, 1};
	ret->directories = (struct ces_strings){lists->directories, 1};
	ret->directories_written = true;
}

bool ces_profiles_allowed(const struct ces_profile *profile, const struct ces_policy *policy,
			  const struct ces_policy_project *project, time_t now,
			  struct ces_error *err)
{
	struct lists lists = {0};
	struct ces_case one = {
	    .uid = 1000,
	    .verb = CES_CASE_RUN,
	    .image = profile->image,
	    .gpu = profile->gpu,
	    .display = profile->display,
	    .cpus = profile->cpus,
	    .memory = profile->memory_bytes,
	    .time = profile->time_seconds,
	    .shm = profile->shm_bytes,
	    .home_data = true,
	};

	if (project == NULL && policy->infer_prefixes.n == 0) {
		(void)ces_error_set(err, CES_E_DENIED, "no group infers a project");
		return false;
	}
	if (project != NULL && profile->project != NULL &&
	    strcmp(profile->project, project->name) != 0) {
		(void)ces_error_set(err, CES_E_DENIED, "it is for project %s", profile->project);
		return false;
	}
	if (profile->image == NULL)
		return project == NULL || project->expires == 0 || now < project->expires;
	set_lists(profile, &lists, &one);
	set_member(policy, project, &lists, &one);
	return ces_case_decide(policy, &one, now, err) == 0;
}
