/* The matrix of controls: a control of SATRE, how CES meets it, a command that shows it, and the
 * result now. A result must never claim what this report did not look at. Numbers, capabilities and
 * importance are those of the specification 2.0.1. */
#include <stdarg.h>

#include "common/cleanup.h"
#include "policy/tool/report_facts.h"
#include "policy/tool/tool.h"

#define RESULT (80 + CES_VERIFY_SAID)

struct satre {
	const struct ces_report *r;
	struct ces_report_facts f;
	char result[RESULT];
};

static void __attribute__((format(printf, 2, 3))) say(struct satre *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(s->result, sizeof(s->result), format, args);
	va_end(args);
}

/* Returns whether there is a journal, for what only a journal shows. */
static bool has_journal(struct satre *s)
{
	if (!s->r->runs.read)
		say(s, "not known: no journal was given");
	return s->r->runs.read;
}

static void file_mode(struct satre *s)
{
	const struct stat *st = &s->r->file;

	if (!s->r->host)
		say(s, "not checked (--no-host)");
	else
		say(s, "owner %s, mode %03o: %s", st->st_uid == 0 ? "root" : "not root",
		    (unsigned)st->st_mode & 0777,
		    st->st_uid == 0 && (st->st_mode & 022) == 0
			? "only root can change this file"
			: "others than root can change this file");
}

static void approval(struct satre *s)
{
	const struct ces_policy *p = s->r->policy;
	char on[16], review[16];

	say(s, "approved by %s on %s, to be reviewed by %s",
	    p->approved_by != NULL ? p->approved_by : "(not said)",
	    p->approved_on != 0 ? ces_tool_day(p->approved_on + 1, on) : "(not said)",
	    p->review_by != 0 ? ces_tool_day(p->review_by, review) : "(not said)");
}

static void made(struct satre *s)
{
	char day[16];

	say(s, "this page was made on %s", ces_tool_day(s->r->now + 1, day));
}

static void chain(struct satre *s)
{
	char notes[CES_VERIFY_SAID];

	if (!has_journal(s))
		return;
	ces_audit_say_notes(&s->r->chain, notes, sizeof(notes));
	if (s->r->chain.bad != NULL)
		say(s, "the journal is broken");
	else
		say(s, "intact, %llu records%s", (unsigned long long)s->r->chain.records, notes);
}

static void endings(struct satre *s)
{
	say(s, "%zu of %zu image rules have an end", s->f.rule_ends, s->f.rules);
}

static void project_ends(struct satre *s)
{
	say(s, "%zu of %zu projects%s have an end", s->f.project_ends, s->f.projects, s->f.counted);
}

static void members(struct satre *s)
{
	say(s, "%zu groups and %zu users are members of projects", s->f.groups, s->f.users);
}

static void users(struct satre *s)
{
	if (has_journal(s))
		say(s, "%llu users are in the journal", (unsigned long long)s->r->runs.users);
}

static void locked(struct satre *s)
{
	say(s, "%zu of %zu image rules are for one digest", s->f.locked, s->f.rules);
}

static void registries(struct satre *s)
{
	say(s, "registries in the policy: %zu", s->r->policy->n_registries);
}

static void approvals(struct satre *s)
{
	say(s, "%zu of %zu image rules name an approval", s->f.approved, s->f.rules);
}

static void separation(struct satre *s)
{
	if (s->f.overlaps + s->f.reaching > 0)
		say(s, "%zu project directories overlap", s->f.overlaps + s->f.reaching);
	else if (s->r->runs.read)
		say(s,
		    "no project directories overlap; %llu containers were compared with their "
		    "plan, %llu were ended",
		    (unsigned long long)s->r->runs.proofs,
		    (unsigned long long)s->r->runs.deviations);
	else
		say(s, "no project directories overlap");
}

static void gpus(struct satre *s)
{
	say(s, "%zu projects may use GPUs", s->f.gpus);
}

static void ports(struct satre *s)
{
	say(s, "%zu projects may publish ports to their own users", s->f.publish);
}

static void proxies(struct satre *s)
{
	say(s, "%zu projects have a proxy as a way out", s->f.proxies);
}

static void kernel(struct satre *s)
{
	if (s->r->host)
		say(s, "%zu of %zu kernel settings are as CES advises", s->f.settings_good,
		    s->f.settings_all);
	else
		say(s, "not checked (--no-host)");
}

static void usage(struct satre *s)
{
	if (has_journal(s))
		say(s, "%llu runs and %llu pulls were allowed", (unsigned long long)s->r->runs.runs,
		    (unsigned long long)s->r->runs.pulls);
}

static void accesses(struct satre *s)
{
	if (has_journal(s))
		say(s, "%llu runs have their directories on record",
		    (unsigned long long)s->r->runs.runs);
}

static void resources(struct satre *s)
{
	const struct ces_tally *hours = &s->r->runs.hours;
	char cpu[CES_TABLE_CELL], gpu[CES_TABLE_CELL];
	struct ces_tally_row sum = {0};

	if (!has_journal(s))
		return;
	for (size_t i = 0; i < hours->n; i++)
		ces_tally_add(&sum, &hours->v[i]);
	say(s, "%s CPU hours, %s GPU hours", ces_table_hours(sum.cpu_us / 1000000, cpu),
	    ces_table_hours(sum.gpu_seconds, gpu));
}

static void gaps(struct satre *s)
{
	say(s, "no errors; %zu high, %zu medium, %zu low gaps",
	    ces_report_gaps(s->r, CES_SEVERITY_HIGH), ces_report_gaps(s->r, CES_SEVERITY_MEDIUM),
	    ces_report_gaps(s->r, CES_SEVERITY_LOW));
}

static void by_hand(struct satre *s)
{
	say(s, "not part of this report: type the command");
}

static void denials(struct satre *s)
{
	uint64_t n = s->r->runs.unrecorded;

	for (size_t i = 0; i < s->r->runs.denied.n; i++)
		n += s->r->runs.denied.v[i].denied;
	if (has_journal(s))
		say(s, "%llu denials", (unsigned long long)n);
}

static void outputs(struct satre *s)
{
	say(s,
	    "outputs go to %s, unless a project says otherwise; %zu of %zu projects%s have them "
	    "checked by rules, %zu withhold them until they pass",
	    s->r->policy->defaults.outputs_source, s->f.checked, s->f.projects, s->f.counted,
	    s->f.withheld);
}

static void scratch(struct satre *s)
{
	say(s, "CES deletes scratch after a run in %zu of %zu projects%s", s->f.wiped,
	    s->f.projects, s->f.counted);
}

static void writable(struct satre *s)
{
	char but[80] = "";

	if (s->f.exposed > 0)
		snprintf(but, sizeof(but), "; %zu directories of outputs or scratch hold them",
			 s->f.exposed);
	say(s, "%zu of %zu projects%s have their data read-only%s", s->f.projects - s->f.writable,
	    s->f.projects, s->f.counted, but);
}

static void ways(struct satre *s)
{
	say(s,
	    "of %zu projects%s, %zu have a proxy, %zu may bind directories, %zu may open windows "
	    "on a display",
	    s->f.projects, s->f.counted, s->f.proxies, s->f.binds, s->f.displays);
}

static void projects(struct satre *s)
{
	say(s, "%zu projects%s, each with its own settings or the defaults", s->f.projects,
	    s->f.counted);
}

#define POLICY "/etc/ces/policy.json"
static const char quality[] = "Quality Management", study[] = "Study Management",
		  people[] = "Researcher Accreditation", desktop[] = "End User Computing",
		  machines[] = "Infrastructure Management", set_up[] = "Configuration Management",
		  security[] = "Information Security", life[] = "Data Lifecycle Management",
		  access_to[] = "Identity and Access Management";

static const struct control {
	const char *number, *capability, *importance, *safe, *how, *command;
	void (*result)(struct satre *);
} controls[] = {
    {"1.2.01", quality, "Mandatory", "Safe projects",
     "Only root may own or write the policy and the directories above it. Otherwise CES denies "
     "all.",
     "stat -c '%U %a' " POLICY, file_mode},
    {"1.2.02", quality, "Mandatory", "Safe projects",
     "The policy says who approved it, and each record names its digest.",
     "ces-policy check " POLICY, approval},
    {"1.2.03", quality, "Recommended", "Safe projects",
     "This report can be made for each month, and each project.",
     "ces-policy report --month 2026-11 " POLICY, made},
    {"1.2.04", quality, "Mandatory", "Safe settings",
     "Records form a chain of digests. An auditor sees whether one was changed or removed.",
     "ces-policy audit verify", chain},
    {"1.4.02", study, "Mandatory", "Safe projects",
     "An image rule allows nothing after its last day.", "ces-policy check " POLICY, endings},
    {"1.4.04", study, "Mandatory", "Safe projects", "A project allows nothing after its last day.",
     "ces-policy explain " POLICY, project_ends},
    {"1.5.03", people, "Mandatory", "Safe people",
     "Only members of a project have access. The user database says who they are.",
     "ces-policy explain --user NAME " POLICY, members},
    {"1.5.06", people, "Mandatory", "Safe people",
     "Each record has the uid that the kernel gave. Users cannot change records.",
     "ces-policy audit list --user NAME", users},
    {"2.1.11", desktop, "Recommended", "Safe settings",
     "Each run has the digest of its image on record, and can be exported as an RO-Crate.",
     "ces-policy audit export --crate DIRECTORY --run RUN", locked},
    {"2.1.12", desktop, "Optional", "Safe settings",
     "Images come from the registries that the policy lists, and from no other.",
     "ces-policy explain " POLICY, registries},
    {"2.1.13", desktop, "Optional", "Safe settings",
     "Only images that a rule allows can run. A rule names its approval.",
     "ces-policy explain --image IMAGE " POLICY, approvals},
    {"2.1.14", desktop, "Mandatory", "Safe people",
     "A run has one project's data. CES compares its mounts with the plan before it begins.",
     "ces-policy audit show RUN", separation},
    {"2.1.16", desktop, "Recommended", "Safe settings",
     "A project may have GPUs. The policy says how many, and whether runs share one.",
     "ces-policy explain --project P " POLICY, gpus},
    {"2.2.10", machines, "Mandatory", "Safe settings",
     "A run has a network of its own. Only its own user reaches a port that it publishes.",
     "ces-policy explain --project P " POLICY, ports},
    {"2.2.11", machines, "Mandatory", "Safe settings",
     "A run has no way out, unless the policy names a proxy for its project.",
     "ces-policy explain " POLICY, proxies},
    {"2.2.12", machines, "Recommended", "Safe settings",
     "CES checks the machine before it runs anything, and doctor says what is missing.",
     "ces-client doctor", kernel},
    {"2.2.13", machines, "Mandatory", "Safe settings",
     "Each decision and each end is on record before it takes effect.", "ces-policy audit list",
     usage},
    {"2.2.14", machines, "Recommended", "Safe data",
     "The record of a run has its user, its time, and each directory that it saw.",
     "ces-policy audit list --project P --format json", accesses},
    {"2.2.15", machines, "Recommended", "Safe settings",
     "The record of an end has processor time and memory. Hours by project are in this report.",
     "ces-policy report --csv DIRECTORY " POLICY, resources},
    {"2.4.03", set_up, "Recommended", "Safe settings",
     "A policy with an error is refused as a whole. Unwise parts are warnings.",
     "ces-policy check --strict " POLICY, gaps},
    {"2.4.04", set_up, "Recommended", "Safe settings",
     "A file of cases says what must be allowed and denied, and is tested with each change.",
     "ces-policy test --strict " POLICY " CASES", by_hand},
    {"2.5.03", security, "Mandatory", "Safe settings",
     "Denials, proofs that fail and strangers at a port are on record. A review says who looked.",
     "ces-policy audit review --from 2026-11-01 --to 2026-11-30", denials},
    {"3.1.05", life, "Mandatory", "Safe outputs",
     "The outputs of each run are in one directory, which is on record for the airlock.",
     "ces-policy audit show RUN", outputs},
    {"3.1.10", life, "Recommended", "Safe outputs",
     "A scratch directory of a run is deleted when the run ends.", "ces-policy explain " POLICY,
     scratch},
    {"3.1.11", life, "Recommended", "Safe data",
     "Data are read-only unless the policy says otherwise. The record says which they were.",
     "ces-policy explain " POLICY, writable},
    {"3.1.12", life, "Mandatory", "Safe data",
     "A run has no network and no directory but its project's. The policy names exceptions.",
     "ces-policy check " POLICY, ways},
    {"3.1.18", life, "Optional", "Safe settings", "Each project has its own rights and limits.",
     "ces-policy explain --project P " POLICY, projects},
    {"3.2.03", access_to, "Mandatory", "Safe data",
     "A run has the data of one project, of which its user is a member.",
     "ces-policy explain --user NAME " POLICY, separation},
};

void ces_report_satre(const struct ces_report *report)
{
	struct satre s = {.r = report, .f = ces_report_find_facts(report)};
	struct ces_table table;

	fputs("<section aria-labelledby=\"controls\">\n<h2 id=\"controls\">Controls of SATRE</h2>\n"
	      "<p>These are the controls of the SATRE specification 2.0.1 that CES helps to meet. "
	      "The site meets the others. The results are those of this policy, this machine and "
	      "this journal on the day of this page.</p>\n",
	      report->out);
	ces_table_begin(report, CES_TABLE_SATRE, &table);
	for (size_t i = 0; i < CES_COUNT(controls); i++) {
		const struct control *one = &controls[i];

		one->result(&s);
		ces_table_row(&table,
			      (const char *const[]){one->number, one->capability, one->importance,
						    one->safe, one->how, one->command, s.result});
	}
	ces_table_end(&table);
	fputs("</section>\n", report->out);
}
