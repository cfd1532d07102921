/* libFuzzer entry: takes any bytes for a policy. It is refused with every fault reported, or it can
 * be used: the walk over it finds that every string ends and every list is as long as it says. */
/* links: policy/tool/where.c */
/* parses: policy/parse.c policy/outputs.c policy/field.c policy/scan.c policy/valid.c policy/tool/where.c */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/parse.h"
#include "policy/policy.h"
#include "policy/scan.h"
#include "policy/tool/where.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static size_t touch(const char *text)
{
	return text != NULL ? strlen(text) : 0;
}

static int count(void *context, const char *path, const char *text)
{
	if (path == NULL || touch(text) == 0)
		abort();
	++*(size_t *)context;
	return 0;
}

/* Checks that reporting every error finds one exactly when reporting the first does. */
static void check_problems(const char *bytes, size_t length, bool good)
{
	struct ces_error err = {0};
	size_t faults = 0;

	if (ces_policy_problems(bytes, length, count, &faults, &err) != 0)
		faults++;
	if ((faults == 0) != good)
		abort();
}

/* Checks that all JSON has lines, and that each path has one. */
static void check_lines(const char *bytes, size_t length)
{
	struct ces_where *where;
	size_t line = 0, column = 0;

	if (ces_scan_check(bytes, length, NULL) != 0)
		return;
	where = ces_where_new(bytes, length);
	ces_where_find(where, "projects.p.images[0].allow", &line, &column);
	if (line == 0 || column == 0 || line > length + 1 || column > length + 1)
		abort();
	ces_where_free(where);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct ces_policy *policy = NULL;
	struct ces_error err = {0};
	volatile size_t sum = 0;

	check_lines((const char *)bytes, length);
	if (ces_policy_parse((const char *)bytes, length, &policy, &err) != 0) {
		if (policy != NULL || err.code == CES_OK || err.text[0] == '\0')
			abort();
		check_problems((const char *)bytes, length, false);
		return 0;
	}
	check_problems((const char *)bytes, length, true);
	for (size_t i = 0; i < policy->n_projects; i++) {
		const struct ces_policy_project *project = &policy->projects[i];

		sum += touch(project->name) + touch(project->settings.data_source);
		for (size_t j = 0; j < project->images.n; j++)
			sum +=
			    touch(project->images.v[j].allow) + touch(project->images.v[j].digest);
		for (size_t j = 0; j < project->settings.binds.n; j++)
			sum += touch(project->settings.binds.v[j]);
	}
	for (size_t i = 0; i < policy->n_registries; i++)
		sum += touch(policy->registries[i].endpoint);
	ces_policy_free(policy);
	return 0;
}
