/* Counts the settings of a policy, once for all sections of the report. It must not judge: the
 * sections do. */
#include "policy/tool/report_facts.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "policy/template.h"

static const struct ces_report_setting settings[] = {
    {"kernel.yama.ptrace_scope", "/proc/sys/kernel/yama/ptrace_scope", '1'},
    {"kernel.unprivileged_bpf_disabled", "/proc/sys/kernel/unprivileged_bpf_disabled", '1'},
    {"kernel.kptr_restrict", "/proc/sys/kernel/kptr_restrict", '1'},
    {"kernel.dmesg_restrict", "/proc/sys/kernel/dmesg_restrict", '1'},
    {"fs.protected_symlinks", "/proc/sys/fs/protected_symlinks", '1'},
    {"fs.protected_hardlinks", "/proc/sys/fs/protected_hardlinks", '1'},
};

const struct ces_report_setting *ces_report_setting(size_t index)
{
	return index < CES_COUNT(settings) ? &settings[index] : NULL;
}

int ces_report_setting_value(const struct ces_report_setting *setting)
{
	CES_CLEANUP_FD int fd = open(setting->file, O_RDONLY | O_CLOEXEC);
	char value;

	return fd >= 0 && read(fd, &value, 1) == 1 ? value : '?';
}

static void count_settings(struct ces_report_facts *f)
{
	const struct ces_report_setting *one;

	for (; (one = ces_report_setting(f->settings_all)) != NULL; f->settings_all++) {
		int value = ces_report_setting_value(one);

		f->settings_good += value >= one->least && value <= '9';
	}
}

static void count_rules(const struct ces_policy *p, struct ces_report_facts *f)
{
	struct ces_rules_walk walk = {0};

	while (ces_rules_next(p, &walk)) {
		f->rules++;
		f->rule_ends += ces_rules_end(&walk) != 0;
		f->approved += walk.at->approval != NULL;
		f->locked += walk.at->digest != NULL;
		f->wide += strchr(walk.at->allow, '*') != NULL;
	}
}

static void count_rights(const struct ces_policy_settings *s, struct ces_report_facts *f)
{
	f->projects++;
	f->writable += s->data_access == CES_ACCESS_READ_WRITE;
	f->binds += s->binds.n > 0;
	f->checked += s->check != NULL;
	f->withheld += s->withhold != NULL;
	f->publish += s->publish.n > 0;
	f->proxies += s->proxy != NULL;
	f->gpus += s->gpus_max > 0;
	f->displays += s->display;
	f->wiped += ces_template_has_run(s->scratch_source);
}

static size_t count_gaps(const struct ces_report *report, const char *words)
{
	size_t n = 0;

	for (size_t i = 0; i < report->problems.n; i++)
		n += strstr(report->problems.v[i].text, words) != NULL;
	return n;
}

struct ces_report_facts ces_report_find_facts(const struct ces_report *report)
{
	const struct ces_policy *p = report->policy;
	struct ces_report_facts f = {.counted = ""};

	for (size_t i = 0; i < p->n_projects; i++) {
		const struct ces_policy_project *project = &p->projects[i];

		f.project_ends += project->expires != 0;
		f.groups += project->member_groups.n;
		f.users += project->member_users.n;
		count_rights(&project->settings, &f);
	}
	if (p->infer) {
		count_rights(&p->defaults, &f);
		f.counted = " (the inferred ones count as one)";
	}
	count_rules(p, &f);
	f.overlaps = count_gaps(report, "overlaps with the data of");
	f.reaching = count_gaps(report, "reaches the data of");
	f.exposed = count_gaps(report, "which are read-only: a run can write");
	if (report->host)
		count_settings(&f);
	return f;
}
