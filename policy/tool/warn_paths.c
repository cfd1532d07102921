/* Warns about projects whose directories overlap. It compares templates as text after filling in
 * {project}: where {user} and ~ lead is unknown here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/rights.h"
#include "policy/tool/check.h"
#include "policy/tool/tool.h"

struct place {
	char path[CES_TOOL_FILLED];
	const struct ces_policy_project *project;
};

struct places {
	struct place *v;
	size_t n;
};

/* Sorts as text, but '/' before all else, so that all paths below a directory follow it at once. */
static int rank(char c)
{
	return c == '/' ? 1 : (unsigned char)c;
}

static int by_path(const void *left, const void *right)
{
	const char *a = ((const struct place *)left)->path;
	const char *b = ((const struct place *)right)->path;

	while (*a != '\0' && *a == *b)
		a++, b++;
	return rank(*a) - rank(*b);
}

static void say_overlap(struct ces_problems *problems, const struct place *inner,
			const struct place *outer)
{
	char path[CES_NAME_MAX + 32];

	snprintf(path, sizeof(path), "projects.%s.data", inner->project->name);
	ces_problems_add(problems, CES_SEVERITY_HIGH, path,
			 "give each project a directory of its own",
			 "overlaps with the data of project %s (%s, %s)", outer->project->name,
			 inner->path, outer->path);
}

/* places are sorted. The stack holds the directories that the next one may be in. */
static void find_overlaps(struct ces_problems *problems, const struct places *places)
{
	const struct place **stack = calloc(places->n + 1, sizeof(void *));
	size_t depth = 0;

	if (stack == NULL) {
		problems->no_memory = true;
		return;
	}
	for (size_t i = 0; i < places->n; i++) {
		const struct place *place = &places->v[i];

		while (depth > 0 && !ces_path_within(place->path, stack[depth - 1]->path))
			depth--;
		if (depth > 0)
			say_overlap(problems, place, stack[depth - 1]);
		stack[depth++] = place;
	}
	free(stack);
}

/* The first project, in the order of paths, other than `own`, whose data dir can reach. */
static const struct place *reached(const struct places *places, const char *dir,
				   const struct ces_policy_project *own)
{
	for (size_t i = 0; i < places->n; i++)
		if (places->v[i].project != own && ces_path_meets(places->v[i].path, dir))
			return &places->v[i];
	return NULL;
}

/* The project that dir would be of, if defaults.data.source were its data; a written one, such as
 * `own`, is not inferred. */
static bool implied(const struct ces_policy *policy, const struct ces_policy_project *own,
		    const char *dir, char ret[CES_NAME_MAX + 1])
{
	static const char word[] = "{project}";
	const char *data = policy->defaults.data_source, *mark = strstr(data, word);
	size_t before = mark == NULL ? 0 : (size_t)(mark - data), after, length;

	if (mark == NULL || strncmp(data, dir, before) != 0)
		return false;
	after = strcspn(mark + strlen(word), "/");
	length = strcspn(dir + before, "/");
	if (length <= after || length - after > CES_NAME_MAX)
		return false;
	snprintf(ret, CES_NAME_MAX + 1, "%.*s", (int)(length - after), dir + before);
	return ces_project_valid(ret) && (own == NULL || strcmp(ret, own->name) != 0) &&
	       !ces_rights_written(policy, ret);
}

/* project: whose directory it is; NULL: any inferred one's. */
static void check_implied(struct ces_problems *problems, const struct ces_policy *policy,
			  const struct ces_policy_project *project, const char *path,
			  const char *dir)
{
	const char *data = policy->defaults.data_source;
	char name[CES_NAME_MAX + 1], filled[CES_TOOL_FILLED];
	bool each = strstr(data, "{project}") != NULL;

	if (!policy->infer || (!each && (project == NULL || data[0] != '/')))
		return;
	if (ces_path_within(data, dir) || (!each && ces_path_within(dir, data))) {
		ces_problems_add(problems, CES_SEVERITY_HIGH, path,
				 "name a directory of the project's own",
				 "%s reaches the data of every inferred project (%s)", dir, data);
		return;
	}
	if (!implied(policy, project, dir, name))
		return;
	ces_tool_fill(data, name, filled);
	if (ces_path_meets(dir, filled))
		ces_problems_add(problems, CES_SEVERITY_HIGH, path,
				 "name a directory of the project's own, or write that project "
				 "into \"projects\"",
				 "%s reaches the data of project %s, which a group can infer (%s)",
				 dir, name, filled);
}

static bool check_bind(struct ces_problems *problems, const struct ces_policy *policy,
		       const struct places *places, const struct ces_policy_project *project,
		       size_t index)
{
	char dir[CES_TOOL_FILLED], path[CES_NAME_MAX + 48];
	const struct place *other;

	ces_tool_fill(project->settings.binds.v[index], project->name, dir);
	other = reached(places, dir, project);
	snprintf(path, sizeof(path), "projects.%s.binds[%zu]", project->name, index);
	if (other != NULL)
		ces_problems_add(problems, CES_SEVERITY_HIGH, path,
				 "bind a directory of the project's own",
				 "%s reaches the data of project %s (%s)", dir,
				 other->project->name, other->path);
	else if ((project->settings.own & CES_OWN_BINDS) != 0)
		check_implied(problems, policy, project, path, dir);
	return other != NULL;
}

/* A bind is the same for all inferred projects, unless it has their name. */
static void check_inferred(struct ces_problems *problems, const struct ces_policy *policy)
{
	const struct ces_strings *binds = &policy->defaults.binds;
	char path[48];

	for (size_t i = 0; i < binds->n; i++) {
		snprintf(path, sizeof(path), "defaults.binds[%zu]", i);
		if (strstr(binds->v[i], "{project}") == NULL)
			check_implied(problems, policy, NULL, path, binds->v[i]);
	}
}

/* Checks binds that the defaults give to all only once: with the first project, whose own data they
 * may reach, and then with another. */
static void check_binds(struct ces_problems *problems, const struct ces_policy *policy,
			const struct places *places)
{
	size_t defaults = 0;

	for (size_t i = 0; i < policy->n_projects; i++) {
		const struct ces_policy_project *project = &policy->projects[i];
		bool own = (project->settings.own & CES_OWN_BINDS) != 0, told = false;

		if (!own && defaults >= 2)
			continue;
		for (size_t j = 0; j < project->settings.binds.n; j++)
			if (project->settings.binds.v[j][0] == '/' &&
			    check_bind(problems, policy, places, project, j))
				told = true;
		if (!own)
			defaults += told ? 2 : 1;
	}
	check_inferred(problems, policy);
}

/* A run can write to these two, whatever its access to the data is. */
static void check_written(struct ces_problems *problems, const struct ces_policy *policy,
			  const struct places *places, const struct ces_policy_project *project,
			  const struct ces_policy_settings *settings, bool outputs)
{
	const char *name = project != NULL ? project->name : NULL;
	char dir[CES_TOOL_FILLED], data[CES_TOOL_FILLED], path[CES_NAME_MAX + 48];
	static const char own[] = "~/safe_data";
	const char *held = NULL;
	const struct place *other;

	ces_tool_fill(outputs ? settings->outputs_source : settings->scratch_source, name, dir);
	ces_tool_fill(settings->data_source, name, data);
	snprintf(path, sizeof(path), "%s%s.%s.source", name != NULL ? "projects." : "defaults",
		 name != NULL ? name : "", outputs ? "outputs" : "scratch");
	other = dir[0] == '/' ? reached(places, dir, project) : NULL;
	if (ces_path_within(data, dir))
		held = data;
	else if (settings->data_home_override && ces_path_within(own, dir))
		held = own;
	if (settings->data_access == CES_ACCESS_READ_ONLY && held != NULL)
		ces_problems_add(problems, CES_SEVERITY_HIGH, path,
				 "name a directory that does not hold the data",
				 "%s holds the data, %s, which are read-only: a run can write to "
				 "them there",
				 dir, held);
	else if (other != NULL)
		ces_problems_add(problems, CES_SEVERITY_HIGH, path,
				 "name a directory of the project's own",
				 "%s reaches the data of project %s (%s)", dir,
				 other->project->name, other->path);
	else if (dir[0] == '/')
		check_implied(problems, policy, project, path, dir);
}

static void check_all_written(struct ces_problems *problems, const struct ces_policy *policy,
			      const struct places *places)
{
	for (size_t i = 0; i < policy->n_projects + policy->infer; i++) {
		const struct ces_policy_project *project =
		    i < policy->n_projects ? &policy->projects[i] : NULL;
		const struct ces_policy_settings *settings =
		    project != NULL ? &project->settings : &policy->defaults;

		check_written(problems, policy, places, project, settings, true);
		check_written(problems, policy, places, project, settings, false);
	}
}

void ces_check_warn_paths(struct ces_problems *problems, const struct ces_policy *policy)
{
	char path[CES_NAME_MAX + 32];
	struct places places = {calloc(policy->n_projects + 1, sizeof(*places.v)), 0};

	if (places.v == NULL) {
		problems->no_memory = true;
		return;
	}
	for (size_t i = 0; i < policy->n_projects; i++) {
		const struct ces_policy_project *project = &policy->projects[i];

		ces_tool_fill(project->settings.data_source, project->name,
			      places.v[places.n].path);
		places.v[places.n].project = project;
		snprintf(path, sizeof(path), "projects.%s.data", project->name);
		check_implied(problems, policy, project, path, places.v[places.n++].path);
	}
	if (places.n > 0)
		qsort(places.v, places.n, sizeof(*places.v), by_path);
	find_overlaps(problems, &places);
	check_binds(problems, policy, &places);
	check_all_written(problems, policy, &places);
	free(places.v);
}
