/* The controls of SATRE (Standard Architecture for Trusted Research Environments, specification
 * 2.0.1, whose numbers these are) that CES can evidence, grouped by the Five Safes: question,
 * answer, evidence. An answer must never claim what the policy, this machine or the journal does
 * not show; what CES does for every run, whatever the policy, is said to be so. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "policy/tool/outputs.h"
#include "policy/tool/report_facts.h"
#include "policy/tool/tool.h"
#include "policy/tool/where.h"

enum answer { YES, PARTLY, NO };

static void vtext(FILE *out, const char *format, va_list args)
{
	char text[1500];

	vsnprintf(text, sizeof(text), format, args);
	ces_report_text(out, text);
}

static void __attribute__((format(printf, 5, 6)))
begin(const struct ces_report *r, const char *numbers, const char *question, enum answer answer,
      const char *format, ...)
{
	static const char *const words[] = {"Yes", "Partly", "No"};
	static const char *const classes[] = {"yes", "partly", "no"};
	va_list args;

	fprintf(r->out,
		"<article>\n<h3>%s <span class=\"number\">SATRE %s</span></h3>\n<p><span "
		"class=\"answer %s\">%s</span>",
		question, numbers, classes[answer], words[answer]);
	va_start(args, format);
	vtext(r->out, format, args);
	va_end(args);
	fputs("</p>\n<ul class=\"evidence\">\n", r->out);
}

static void __attribute__((format(printf, 2, 3)))
evidence(const struct ces_report *r, const char *format, ...)
{
	va_list args;

	fputs("<li>", r->out);
	va_start(args, format);
	vtext(r->out, format, args);
	va_end(args);
	fputs("</li>\n", r->out);
}

/* A rule of the policy, with its line. */
static void rule(const struct ces_report *r, const char *path, const char *what)
{
	size_t line, column;

	ces_where_find(r->where, path, &line, &column);
	evidence(r, "%s (line %zu): %s", path, line, what);
}

static void end(const struct ces_report *r)
{
	fputs("</ul>\n</article>\n", r->out);
}

static void section(const struct ces_report *r, const char *id, const char *title)
{
	fprintf(r->out, "<section aria-labelledby=\"%s\">\n<h2 id=\"%s\">%s</h2>\n", id, id, title);
}

static void no_journal(const struct ces_report *r)
{
	if (!r->runs.read)
		evidence(r, "This report was made without a journal.");
}

static void change_of_policy(const struct ces_report *r)
{
	begin(r, "1.2.01", "Can only trusted people change the policy?", YES,
	      "Only root may own or write the policy and each directory on the way to it. If "
	      "anybody else can, CES serves nobody.");
	evidence(r, "The helper checks this before every request. This page is about %s.", r->path);
	end(r);
}

static void versions(const struct ces_report *r)
{
	const struct ces_policy *p = r->policy;
	bool said = p->approved_by != NULL && p->approved_on != 0 && p->review_by != 0;
	bool late = p->review_by != 0 && r->now >= p->review_by;
	char day[16];

	begin(r, "1.2.02", "Is it known which version applied when, and who approved it?",
	      said && !late ? YES : PARTLY, "%s",
	      late   ? "The day for its review has passed."
	      : said ? "The policy says who approved it, when, and when it is to be reviewed."
		     : "The policy lacks approved_by, approved_on or review_by.");
	if (p->approved_by != NULL)
		rule(r, "approved_by", p->approved_by);
	if (p->review_by != 0)
		rule(r, "review_by", ces_tool_day(p->review_by, day));
	evidence(r, "Each record of the journal names the policy that decided by its digest.");
	if (r->runs.read)
		evidence(r,
			 "Policies that decided in this journal: %llu. This one is %samong them.",
			 (unsigned long long)r->runs.policies, r->runs.this_policy ? "" : "not ");
	end(r);
}

static void endings(const struct ces_report *r)
{
	const struct ces_report_facts f = ces_report_find_facts(r);

	begin(r, "1.4.02, 1.4.04", "Do permissions end by themselves?",
	      f.rule_ends == f.rules && f.project_ends == f.projects ? YES
	      : f.rule_ends + f.project_ends > 0                     ? PARTLY
								     : NO,
	      "%zu of %zu projects%s have an end. %zu of %zu image rules have an end, by their own "
	      "date or their project's.",
	      f.project_ends, f.projects, f.counted, f.rule_ends, f.rules);
	evidence(r, "A rule or project whose day has passed denies what it covers.");
	end(r);
}

static void members(const struct ces_report *r)
{
	const struct ces_policy *p = r->policy;
	const struct ces_report_facts f = ces_report_find_facts(r);

	begin(r, "1.5.03", "Does access depend on identity, and is it the least that is needed?",
	      YES,
	      "Only members of a project have access. The policy names %zu groups and %zu "
	      "users%s. CES denies what is not listed.",
	      f.groups, f.users, p->infer ? ", and groups imply projects" : "");
	evidence(r, "For each request CES asks the user database who is a member. It does not ask "
		    "the process.");
	if (p->infer)
		rule(r, "infer_projects", "members of a group have the project it is named after");
	end(r);
}

static void unique_users(const struct ces_report *r)
{
	begin(r, "1.5.06", "Is each action traced to one person?", r->runs.read ? YES : PARTLY,
	      "Each record holds the uid that the kernel gave and the user's name.");
	no_journal(r);
	if (r->runs.read)
		evidence(r, "Users in the journal: %llu.", (unsigned long long)r->runs.users);
	end(r);
}

static void own_data(const struct ces_report *r)
{
	const struct ces_report_facts f = ces_report_find_facts(r);

	begin(r, "3.2.03, 2.1.14", "Does a run see the data of one project only?",
	      f.overlaps + f.reaching == 0 ? YES : NO, "%s",
	      f.overlaps + f.reaching == 0
		  ? "One run serves one project, and no two projects of the "
		    "policy share a directory."
		  : "Some projects of the policy can see others' data; see Gaps.");
	evidence(r,
		 "Directories that overlap: %zu. Directories to bind that reach another "
		 "project: %zu.",
		 f.overlaps, f.reaching);
	if (r->policy->infer)
		evidence(r, "The data of each project that a group infers are %s.",
			 r->policy->defaults.data_source);
	if (r->runs.read)
		evidence(r,
			 "CES read the mounts of %llu containers from the kernel, before their "
			 "program began. It ended %llu because they were not as planned.",
			 (unsigned long long)r->runs.proofs,
			 (unsigned long long)r->runs.deviations);
	end(r);
}

static void approved_images(const struct ces_report *r)
{
	const struct ces_policy *p = r->policy;
	const struct ces_report_facts f = ces_report_find_facts(r);

	begin(r, "2.1.12, 2.1.13", "Is the software that comes in controlled?",
	      f.approved == f.rules ? YES : PARTLY,
	      "%zu of %zu image rules name an approval. %zu are for one digest only, and %zu are "
	      "for all images under a path.",
	      f.approved, f.rules, f.locked, f.wide);
	for (size_t i = 0; i < p->n_registries && i < 20; i++) {
		const struct ces_policy_registry *registry = &p->registries[i];
		char path[300], said[900];

		snprintf(path, sizeof(path), "registries.%s", registry->name);
		snprintf(said, sizeof(said), "%s%s%s", registry->endpoint,
			 registry->proxy != NULL ? ", through the proxy " : "",
			 registry->proxy != NULL ? registry->proxy : "");
		rule(r, path, said);
	}
	evidence(r, "CES asks no other registry, and checks each layer against its digest.");
	end(r);
}

static void list_proxies(const struct ces_report *r)
{
	const struct ces_policy *p = r->policy;
	char path[CES_NAME_MAX + 48];

	for (size_t i = 0, n = 0; i < p->n_projects && n < 20; i++) {
		const char *proxy = p->projects[i].settings.proxy;

		snprintf(path, sizeof(path), "projects.%s.network.proxy", p->projects[i].name);
		n += proxy != NULL;
		if (proxy != NULL)
			rule(r, path, proxy);
	}
	if (p->infer && p->defaults.proxy != NULL)
		rule(r, "defaults.network.proxy", "for inferred projects");
	evidence(r, "A relay carries bytes to the one address of the proxy, and can connect to no "
		    "other. The proxy decides where they go. Only the proxy can record it.");
}

static void outbound(const struct ces_report *r)
{
	const struct ces_policy *p = r->policy;
	size_t ports = 0, proxies = ces_report_find_facts(r).proxies;

	begin(r, "2.2.10, 2.2.11", "Is the way to the network closed?", proxies == 0 ? YES : PARTLY,
	      "A run has no network. The exceptions are the ports into a run, below%s",
	      proxies == 0 ? ". No rule opens a way out."
			   : ", and the proxies that some runs have.");
	if (proxies > 0)
		list_proxies(r);
	for (size_t i = 0; i < p->n_projects && ports < 20; i++) {
		const struct ces_strings *publish = &p->projects[i].settings.publish;
		char path[CES_NAME_MAX + 48], list[128] = "";

		for (size_t j = 0; j < publish->n && strlen(list) < 100; j++)
			snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s",
				 j > 0 ? ", " : "", publish->v[j]);
		snprintf(path, sizeof(path), "projects.%s.network.publish", p->projects[i].name);
		ports += publish->n > 0;
		if (publish->n > 0)
			rule(r, path, list);
	}
	if (p->infer && p->defaults.publish.n > 0)
		rule(r, "defaults.network.publish", "for inferred projects");
	if (ports == 0 && !(p->infer && p->defaults.publish.n > 0))
		evidence(r, "No project may publish a port.");
	evidence(r,
		 "Only the run's own user reaches a published port, from the same machine only.");
	end(r);
}

static void machine(const struct ces_report *r)
{
	const struct ces_report_facts f = ces_report_find_facts(r);
	const struct ces_report_setting *one;

	if (!r->host)
		return;
	begin(r, "2.2.12, 2.4.03", "Is the kernel of this machine set up carefully?",
	      f.settings_good == f.settings_all ? YES : PARTLY,
	      "%zu of %zu settings are as CES advises. They are a second wall: CES does not depend "
	      "on them.",
	      f.settings_good, f.settings_all);
	for (size_t i = 0; (one = ces_report_setting(i)) != NULL; i++)
		evidence(r, "%s = %c (advised: %c or more)", one->name,
			 ces_report_setting_value(one), one->least);
	end(r);
}

static void usage(const struct ces_report *r)
{
	bool good = r->runs.read && r->chain.bad == NULL;

	begin(r, "2.2.13, 2.2.14, 2.2.15",
	      "Is it recorded who used which data, when, and with what?",
	      good           ? YES
	      : r->runs.read ? NO
			     : PARTLY,
	      "%s",
	      good           ? "Each decision and each end is on record, in an unbroken chain."
	      : r->runs.read ? "The chain of the journal is broken."
			     : "CES keeps a journal that users cannot change. This report was made "
			       "without it.");
	if (r->runs.read)
		evidence(
		    r,
		    "The journal has %llu records, and %llu runs were allowed. Each run has its "
		    "data, image digest, limits and peak memory on record.",
		    (unsigned long long)r->runs.records, (unsigned long long)r->runs.runs);
	if (r->chain.restarts > 0)
		evidence(r, "%llu files begin a chain of their own.",
			 (unsigned long long)r->chain.restarts);
	rule(r, "host.audit_syslog",
	     r->policy->audit_syslog ? "a copy of each record goes to syslog"
				     : "no copy goes to syslog");
	rule(r, "host.audit_key",
	     r->policy->audit_key != NULL ? "the head of the journal is signed every day"
					  : "nobody signs the head of the journal");
	end(r);
}

static void read_only(const struct ces_report *r)
{
	const struct ces_policy *p = r->policy;
	const struct ces_report_facts f = ces_report_find_facts(r);

	begin(r, "3.1.11", "Are data unchanged, or changes to them recorded?",
	      f.writable + f.exposed == 0 ? YES : PARTLY,
	      "%zu of %zu projects%s have their data read-only. Where data are read-write, CES "
	      "records that a run could write, not what it wrote.",
	      f.projects - f.writable, f.projects, f.counted);
	if (f.exposed > 0)
		evidence(r,
			 "Directories of outputs or scratch that hold read-only data: %zu; see "
			 "Gaps.",
			 f.exposed);
	for (size_t i = 0, n = 0; i < p->n_projects && n < 20; i++) {
		char path[CES_NAME_MAX + 32];

		if (p->projects[i].settings.data_access != CES_ACCESS_READ_WRITE)
			continue;
		snprintf(path, sizeof(path), "projects.%s.data.access", p->projects[i].name);
		rule(r, path, "read-write");
		n++;
	}
	if (p->infer && p->defaults.data_access == CES_ACCESS_READ_WRITE)
		rule(r, "defaults.data.access", "read-write, for inferred projects");
	end(r);
}

/* The directories to bind, and the display. where: "projects.p". */
static void ways_of(const struct ces_report *r, const char *where,
		    const struct ces_policy_settings *settings)
{
	char path[CES_NAME_MAX + 32], list[1200] = "";
	size_t used = 0;

	for (size_t i = 0; i < settings->binds.n && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
					 i > 0 ? ", " : "", settings->binds.v[i]);
	snprintf(path, sizeof(path), "%s.binds", where);
	if (used > 0)
		rule(r, path, list);
	snprintf(path, sizeof(path), "%s.display", where);
	if (settings->display)
		rule(r, path, "runs may open windows on their user's display");
}

static void ways_in_and_out(const struct ces_report *r)
{
	const struct ces_policy *p = r->policy;
	const struct ces_report_facts f = ces_report_find_facts(r);

	begin(r, "3.1.12", "Are unauthorised ways in and out prevented?",
	      f.binds + f.proxies + f.displays == 0 ? YES : PARTLY,
	      "A run has no network%s, and no directory but the project's own%s. %zu of %zu "
	      "projects%s may open windows on a display.",
	      f.proxies == 0 ? "" : " but the proxies above",
	      f.binds == 0 ? "" : " and those that users may bind, below", f.displays, f.projects,
	      f.counted);
	for (size_t i = 0, listed = 0; i < p->n_projects && listed < 20; i++) {
		const struct ces_policy_settings *settings = &p->projects[i].settings;
		char where[CES_NAME_MAX + 16];

		snprintf(where, sizeof(where), "projects.%s", p->projects[i].name);
		listed += settings->binds.n > 0 || settings->display;
		ways_of(r, where, settings);
	}
	if (p->infer)
		ways_of(r, "defaults", &p->defaults);
	evidence(r, "CES opens a bind with the user's own rights.");
	end(r);
}

static void check_of(const struct ces_report *r, const char *path,
		     const struct ces_policy_settings *settings)
{
	char said[CES_CHECK_SAID];

	if (settings->check == NULL)
		return;
	rule(r, path, ces_check_say(settings, said));
	if (settings->withhold != NULL)
		evidence(r, "%s: outputs are withheld in %s until they pass", path,
			 settings->withhold);
}

static void outputs(const struct ces_report *r)
{
	begin(r, "3.1.05", "Are outputs confined to declared places?", YES,
	      "A run writes to its outputs directory, which is kept for checking. It can write to "
	      "no other place that lasts, except where this page says read-write or bind.");
	rule(r, "defaults.outputs.source", r->policy->defaults.outputs_source);
	for (size_t i = 0, n = 0; i < r->policy->n_projects && n < 20; i++) {
		const struct ces_policy_project *project = &r->policy->projects[i];
		char path[CES_NAME_MAX + 32];

		if (strcmp(project->settings.outputs_source, r->policy->defaults.outputs_source) ==
		    0)
			continue;
		snprintf(path, sizeof(path), "projects.%s.outputs.source", project->name);
		rule(r, path, project->settings.outputs_source);
		n++;
	}
	check_of(r, "defaults.outputs.check", &r->policy->defaults);
	for (size_t i = 0, n = 0; i < r->policy->n_projects && n < 20; i++) {
		const struct ces_policy_project *project = &r->policy->projects[i];
		char path[CES_NAME_MAX + 32];

		if ((project->settings.own & CES_OWN_CHECK) == 0)
			continue;
		snprintf(path, sizeof(path), "projects.%s.outputs.check", project->name);
		check_of(r, path, &project->settings);
		n++;
	}
	evidence(r, "A check by rules helps the people who check outputs for disclosure. It does "
		    "not replace them.");
	end(r);
}

static void scratch(const struct ces_report *r)
{
	const struct ces_policy *p = r->policy;
	const struct ces_report_facts f = ces_report_find_facts(r);

	begin(r, "3.1.10", "Is scratch wiped?",
	      f.wiped == f.projects ? YES
	      : f.wiped > 0         ? PARTLY
				    : NO,
	      "In %zu of %zu projects%s each run has a scratch directory of its own, which CES "
	      "deletes when the run ends. In other projects scratch lasts, and CES does not empty "
	      "it.",
	      f.wiped, f.projects, f.counted);
	rule(r, "defaults.scratch.source", p->defaults.scratch_source);
	for (size_t i = 0, n = 0; i < p->n_projects && n < 20; i++) {
		const char *source = p->projects[i].settings.scratch_source;
		char path[CES_NAME_MAX + 32];

		if (strcmp(source, p->defaults.scratch_source) == 0)
			continue;
		snprintf(path, sizeof(path), "projects.%s.scratch.source", p->projects[i].name);
		rule(r, path, source);
		n++;
	}
	end(r);
}

void ces_report_controls(const struct ces_report *r)
{
	static const struct {
		const char *id, *title;
		void (*controls[6])(const struct ces_report *);
	} safes[] = {
	    {"projects-safe", "Safe projects", {change_of_policy, versions, endings}},
	    {"people", "Safe people", {members, unique_users, own_data}},
	    {"settings", "Safe settings", {approved_images, outbound, usage, machine}},
	    {"data", "Safe data", {read_only, ways_in_and_out}},
	    {"outputs", "Safe outputs", {outputs, scratch}},
	};

	for (size_t i = 0; i < CES_COUNT(safes); i++) {
		section(r, safes[i].id, safes[i].title);
		for (size_t j = 0; safes[i].controls[j] != NULL; j++)
			safes[i].controls[j](r);
		fputs("</section>\n", r->out);
	}
}
