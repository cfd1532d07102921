/* Warns about what the policy names and this machine has, or lacks. A policy is often written
 * elsewhere: `check --no-host` leaves all of this out. It must look only at names and sizes. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/name.h"
#include "common/num.h"
#include "common/way.h"
#include "policy/tool/check.h"
#include "policy/tool/tool.h"

#define WARN(problems, severity, path, hint, ...)                                                  \
	ces_problems_add(problems, CES_SEVERITY_##severity, path, hint, __VA_ARGS__)

/* If this many are missing, the policy is for another machine, and each look costs time. */
#define MISSING_MAX 20

/* One list of names, of groups or users. It counts the missing ones. */
static void warn_names(struct ces_problems *problems, const char *project, const char *what,
		       const struct ces_strings *names, bool groups, size_t *missing)
{
	char path[CES_NAME_MAX + 64];

	for (size_t i = 0; i < names->n && *missing < MISSING_MAX; i++) {
		if (groups ? getgrnam(names->v[i]) != NULL : getpwnam(names->v[i]) != NULL)
			continue;
		snprintf(path, sizeof(path), "projects.%s.members.%ss[%zu]", project, what, i);
		WARN(problems, LOW, path, "correct the name, or check on the machine it is for",
		     "names the %s %s, which this machine does not have", what, names->v[i]);
		if (++*missing == MISSING_MAX)
			WARN(problems, LOW, "projects",
			     "check on the machine it is for, or with --no-host",
			     "names so many unknown members that the rest were not checked");
	}
}

static void warn_members(struct ces_problems *problems, const struct ces_policy *policy)
{
	size_t missing = 0;

	for (size_t i = 0; i < policy->n_projects; i++) {
		const struct ces_policy_project *project = &policy->projects[i];

		warn_names(problems, project->name, "group", &project->member_groups, true,
			   &missing);
		warn_names(problems, project->name, "user", &project->member_users, false,
			   &missing);
	}
}

/* Does not ask a file server, which may not answer. */
static bool exists(const char *path)
{
	struct statx st;

	return statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_TYPE, &st) == 0;
}

struct ids {
	uint64_t first, end; /* end: one past the last */
};

/* /etc/subuid: NAME:FIRST:COUNT, subuid(5). */
static void warn_subids(struct ces_problems *problems, const struct ids *ours, const char *file)
{
	FILE *in = fopen(file, "re");
	char line[512];

	while (in != NULL && fgets(line, sizeof(line), in) != NULL) {
		char *save = NULL, *name = strtok_r(line, ":\n", &save);
		const char *first = strtok_r(NULL, ":\n", &save);
		const char *count = strtok_r(NULL, ":\n", &save);
		uint64_t from, n;

		if (name == NULL || first == NULL || count == NULL ||
		    ces_num_parse(first, 0, UINT32_MAX, &from) != 0 ||
		    ces_num_parse(count, 0, UINT32_MAX, &n) != 0)
			continue;
		if (from < ours->end && from + n > ours->first)
			WARN(problems, HIGH, "host.subordinate_ids",
			     "choose a \"first\" beyond them",
			     "overlaps with the ids that %s gives to %s (%s, %s ids)", file, name,
			     first, count);
	}
	if (in != NULL)
		fclose(in);
}

/* Also checks the ids of the directory, if the directory can be listed. */
static void warn_ids(struct ces_problems *problems, const struct ces_policy *policy)
{
	const struct ids ours = {policy->subid_first,
				 policy->subid_first +
				     (policy->subid_users + 1) * policy->subid_per_user};
	const struct passwd *user;

	warn_subids(problems, &ours, "/etc/subuid");
	warn_subids(problems, &ours, "/etc/subgid");
	setpwent();
	while ((user = getpwent()) != NULL) {
		if (user->pw_uid < ours.first || user->pw_uid >= ours.end)
			continue;
		WARN(problems, HIGH, "host.subordinate_ids", "choose a \"first\" beyond it",
		     "holds the uid of a user of this machine, %s (%u)", user->pw_name,
		     (unsigned)user->pw_uid);
		break;
	}
	endpwent();
}

/* With a user's name in the path, nothing can be checked. */
static void warn_data(struct ces_problems *problems, const struct ces_policy *policy)
{
	char data[CES_TOOL_FILLED], path[CES_NAME_MAX + 32];

	for (size_t i = 0; i < policy->n_projects; i++) {
		const struct ces_policy_project *project = &policy->projects[i];
		CES_CLEANUP_FD int fd = -1;

		ces_tool_fill(project->settings.data_source, project->name, data);
		if (data[0] != '/' || strchr(data, '{') != NULL)
			continue;
		fd = ces_way_open(data, O_PATH);
		if (fd >= 0 || errno != ELOOP)
			continue;
		snprintf(path, sizeof(path), "projects.%s.data", project->name);
		WARN(problems, HIGH, path,
		     "name the directory that it leads to, or let root own the link and all "
		     "directories before it",
		     "%s is behind a symbolic link that others than root can set: no run gets its "
		     "data",
		     data);
	}
}

/* Outputs reach their user by a rename. With a user's name in their path, nothing can be
 * checked. */
static void warn_elsewhere(struct ces_problems *problems, const char *path,
			   const struct ces_policy_project *project)
{
	char outputs[CES_TOOL_FILLED], *slash;
	struct stat place, parent;

	if (project->settings.withhold == NULL)
		return;
	ces_tool_fill(project->settings.outputs_source, project->name, outputs);
	slash = strrchr(outputs, '/');
	if (outputs[0] != '/' || slash == outputs)
		return;
	*slash = '\0';
	if (stat(project->settings.withhold, &place) == 0 && stat(outputs, &parent) == 0 &&
	    place.st_dev != parent.st_dev)
		WARN(problems, MEDIUM, path, "name a directory on the file system of the outputs",
		     "%s is on another file system than %s: every run would be refused",
		     project->settings.withhold, outputs);
}

/* The directory for withheld outputs, if this process can see it. */
static void warn_withhold(struct ces_problems *problems, const char *path, const char *dir)
{
	struct stat st;

	if (dir == NULL)
		return;
	if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode)) {
		if (errno != EACCES)
			WARN(problems, LOW, path, "make it: install -d -m 750 -g GROUP DIRECTORY",
			     "%s is not on this machine: every run would be refused", dir);
		return;
	}
	if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IRWXO)) != 0)
		WARN(problems, HIGH, path, "let root own it, with mode 0750",
		     "%s is open to others than the airlock's group: every run would be refused",
		     dir);
	else if (st.st_gid == 0)
		WARN(problems, LOW, path, "give it the airlock's group",
		     "%s belongs to root's group: only root can read withheld outputs", dir);
}

static void warn_outputs(struct ces_problems *problems, const struct ces_policy *policy)
{
	char path[CES_NAME_MAX + 48];

	warn_withhold(problems, "defaults.outputs.check.withhold", policy->defaults.withhold);
	for (size_t i = 0; i < policy->n_projects; i++) {
		const struct ces_policy_project *project = &policy->projects[i];

		snprintf(path, sizeof(path), "projects.%s.outputs.check.withhold", project->name);
		if ((project->settings.own & CES_OWN_CHECK) != 0)
			warn_withhold(problems, path, project->settings.withhold);
		warn_elsewhere(problems, path, project);
	}
}

/* By the function that CES itself opens it with. */
static void warn_runtime(struct ces_problems *problems, const char *runtime)
{
	CES_CLEANUP_FD int fd = -1;
	struct ces_error err = {0};

	if (!exists(runtime))
		WARN(problems, LOW, "host.runtime", "install it, or correct the path",
		     "%s is not on this machine: every run would fail", runtime);
	else if (ces_policy_open_trusted(runtime, &fd, &err) != 0 && err.sys != EACCES)
		WARN(problems, MEDIUM, "host.runtime",
		     "name the file itself; let root own it and all directories above it",
		     "is a file that CES does not start, so it refuses every run: %s", err.text);
}

void ces_check_warn_host(struct ces_problems *problems, const struct ces_policy *policy)
{
	char path[320];

	warn_members(problems, policy);
	warn_data(problems, policy);
	warn_outputs(problems, policy);
	for (size_t i = 0; i < policy->n_registries; i++) {
		const struct ces_policy_registry *registry = &policy->registries[i];

		const char *layout = ces_endpoint_layout(registry->endpoint);

		snprintf(path, sizeof(path), "registries.%s.endpoint", registry->name);
		if (layout != NULL && !exists(layout))
			WARN(problems, LOW, path, "make the directory, or correct the path",
			     "%s is not on this machine: every pull would fail", layout);
		snprintf(path, sizeof(path), "registries.%s.ca_file", registry->name);
		if (registry->ca_file != NULL && !exists(registry->ca_file))
			WARN(problems, LOW, path, "put the certificate there, or correct the path",
			     "%s is not on this machine: every pull would fail", registry->ca_file);
	}
	warn_runtime(problems, policy->runtime);
	warn_ids(problems, policy);
}
