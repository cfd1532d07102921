/* Numbers about a policy that several sections of the report use. */
#ifndef CES_POLICY_TOOL_REPORT_FACTS_H
#define CES_POLICY_TOOL_REPORT_FACTS_H

#include "policy/tool/report.h"

struct ces_report_facts {
	/* projects, the inferred ones as one; those that have an end, which inferred ones never
	 * have */
	size_t projects, project_ends;
	const char *counted;           /* says so, or "" */
	size_t rules, rule_ends;       /* image rules; their own end or their project's */
	size_t approved, locked, wide; /* rules: name an approval, one digest, all of a path */
	size_t groups, users;          /* that are members */
	size_t writable, binds;        /* of the projects: write to their data, may bind */
	size_t publish, proxies, gpus, displays;
	size_t wiped;                       /* scratch is deleted after a run */
	size_t checked, withheld;           /* outputs are checked, withheld until they pass */
	size_t overlaps, reaching;          /* directories of projects that are not apart */
	size_t exposed;                     /* directories to write to that hold read-only data */
	size_t settings_good, settings_all; /* of this machine's kernel */
};

/* A kernel setting that CES relies on. */
struct ces_report_setting {
	const char *name, *file;
	int least;
};

/* NULL after the last one. */
const struct ces_report_setting *ces_report_setting(size_t index);

/* Its first digit, or '?'. */
int ces_report_setting_value(const struct ces_report_setting *setting);

struct ces_report_facts ces_report_find_facts(const struct ces_report *report);

#endif
