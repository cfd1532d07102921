/* The run profiles of the site: what each asks for, and which projects may run it. */
#include <stdio.h>
#include <string.h>

#include "policy/tool/profiles.h"
#include "policy/tool/report.h"

#define CELL 1024

/* A list of words in a cell. It counts what does not fit. */
struct words {
	char text[CELL];
	size_t used, left_out;
};

static void add(struct words *words, const char *name, const char *value)
{
	size_t room = sizeof(words->text) - words->used, more = strlen(name) + strlen(value) + 2;

	if (more + 24 >= room) {
		words->left_out++;
		return;
	}
	words->used += (size_t)snprintf(words->text + words->used, room, "%s%s%s",
					words->used > 0 ? ", " : "", name, value);
}

static const char *ended(struct words *words, const char *none)
{
	if (words->left_out > 0)
		snprintf(words->text + words->used, sizeof(words->text) - words->used,
			 ", and %zu more", words->left_out);
	return words->used > 0 || words->left_out > 0 ? words->text : none;
}

/* Names of settings, never their values: somebody may have left a secret in a value. */
static void add_setting(struct words *words, const char *pair)
{
	char name[128];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(pair, "="), pair);
	add(words, "setting ", name);
}

static void asks_for(const struct ces_profile *profile, struct words *ret)
{
	if (profile->gpu != NULL)
		add(ret, "GPUs ", profile->gpu);
	if (profile->display)
		add(ret, "display", "");
	for (size_t i = 0; i < profile->publish.n; i++)
		add(ret, "port ", profile->publish.v[i]);
	for (size_t i = 0; i < profile->mounts.n; i++)
		add(ret, "mount ", profile->mounts.v[i]);
	for (size_t i = 0; i < profile->env.n; i++)
		add_setting(ret, profile->env.v[i]);
}

static void may_run(const struct ces_report *report, const struct ces_profile *profile,
		    struct words *ret)
{
	const struct ces_policy *policy = report->policy;
	struct ces_error err;

	for (size_t i = 0; i < policy->n_projects; i++)
		if (ces_report_about(report, policy->projects[i].name) &&
		    ces_profiles_allowed(profile, policy, &policy->projects[i], report->now, &err))
			add(ret, policy->projects[i].name, "");
	if (policy->infer && ces_profiles_allowed(profile, policy, NULL, report->now, &err))
		add(ret, "(inferred)", "");
}

static void row(const struct ces_report *report, struct ces_table *table,
		const struct ces_profiles_one *one)
{
	const struct ces_profile *profile = &one->profile;
	struct words asks = {0}, projects = {0};

	if (one->fault[0] != '\0') {
		ces_table_row(table, (const char *const[]){one->name, "ces-client refuses it", "",
							   "", "none"});
		return;
	}
	asks_for(profile, &asks);
	may_run(report, profile, &projects);
	ces_table_row(table,
		      (const char *const[]){
			  one->name, profile->description != NULL ? profile->description : "",
			  profile->image != NULL ? profile->image : "the user's choice",
			  ended(&asks, "nothing more"), ended(&projects, "none")});
}

void ces_report_profiles(const struct ces_report *report)
{
	struct ces_table table;

	fputs("<section aria-labelledby=\"profiles\">\n<h2 id=\"profiles\">Run profiles</h2>\n"
	      "<p>A profile keeps the options of a run under a name. It gives no right: the policy "
	      "decides about each run as if its user had typed them.</p>\n",
	      report->out);
	ces_table_begin(report, CES_TABLE_PROFILES, &table);
	for (size_t i = 0; i < report->profiles.n; i++)
		row(report, &table, &report->profiles.v[i]);
	ces_table_end(&table);
	fputs("</section>\n", report->out);
}
