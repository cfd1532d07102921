/* Explains a policy in plain English to those who approve it. Every sentence comes from the parsed
 * policy, which decides; it must never read the file's text instead. */
#include <stdio.h>
#include <string.h>

#include "common/name.h"
#include "common/num.h"
#include "policy/demand.h"
#include "policy/demand_text.h"
#include "policy/template.h"
#include "policy/tool/explain.h"
#include "policy/tool/outputs.h"
#include "policy/tool/signers.h"
#include "policy/tool/tool.h"

static void print_list(const char *before, const struct ces_strings *list, const char *none)
{
	printf("%s", before);
	for (size_t i = 0; i < list->n; i++)
		printf("%s%s", i > 0 ? ", " : "", list->v[i]);
	printf("%s\n", list->n == 0 ? none : "");
}

static void print_rules(const struct ces_policy_image_rules *rules, time_t now)
{
	char day[16], demand[CES_DEMAND_TEXT], signers[CES_SIGNERS_TEXT];

	printf("  Images that may be pulled and run:%s\n", rules->n == 0 ? " none" : "");
	for (size_t i = 0; i < rules->n; i++) {
		const struct ces_policy_image_rule *rule = &rules->v[i];

		printf("    %s", rule->allow);
		if (rule->digest != NULL)
			printf(", only %s", rule->digest);
		if (rule->approval != NULL)
			printf(", approved by %s", rule->approval);
		if (rule->evidence != NULL)
			printf(" with evidence %.19s", rule->evidence);
		if (ces_demand_any(&rule->demand)) {
			ces_demand_say(&rule->demand, demand, sizeof(demand));
			printf(", demands %s", demand);
		}
		for (size_t j = 0; j < rule->base.n; j++)
			printf("%s %.19s...", j == 0 ? ", only on the base" : " or",
			       rule->base.v[j]);
		printf("%s", ces_signers_text(&rule->signed_by, ", only if ", signers));
		if (rule->expires != 0)
			printf(", %s %s", now < rule->expires ? "until" : "EXPIRED on",
			       ces_tool_day(rule->expires, day));
		printf("\n");
	}
}

static void print_limits(const struct ces_policy_limits *limits)
{
	char memory[32], time_text[32], shm[32], layer[32];

	ces_num_format_size(limits->memory, memory, sizeof(memory));
	ces_num_format_time(limits->time, time_text, sizeof(time_text));
	ces_num_format_size(limits->shm, shm, sizeof(shm));
	ces_num_format_size(limits->writable_layer, layer, sizeof(layer));
	printf("  Limits of one run: %g cpus, %s memory, %s, %llu processes, %s shared memory,\n"
	       "    %s of changes to the image's files. Runs at once for each user: %llu\n",
	       (double)limits->cpus / 1000, memory, time_text, (unsigned long long)limits->pids,
	       shm, layer, (unsigned long long)limits->runs);
}

static void print_retain(const struct ces_policy_settings *settings)
{
	char text[32];

	switch (settings->retain) {
	case CES_RETAIN_RUN:
		printf("  A user no longer has an image after the run that used it\n");
		break;
	case CES_RETAIN_TIME:
		ces_num_format_time(settings->retain_seconds, text, sizeof(text));
		printf("  Images are removed if nobody uses them for %s\n", text);
		break;
	case CES_RETAIN_ALWAYS:
		printf("  Images are kept\n");
		break;
	}
}

/* The project's name is known here, the user's is not. */
static void fill(const char *template, const char *project, char *ret, size_t size)
{
	const char *mark = strstr(template, "{project}");

	if (mark == NULL)
		snprintf(ret, size, "%s", template);
	else
		snprintf(ret, size, "%.*s%s%s", (int)(mark - template), template, project,
			 mark + strlen("{project}"));
}

static void print_gpus(const struct ces_policy_settings *settings)
{
	if (settings->gpus_max == 0) {
		printf("  GPUs: 0\n");
		return;
	}
	printf("  GPUs: at most %llu, %s\n", (unsigned long long)settings->gpus_max,
	       settings->gpu_exclusive ? "one run at a time on each" : "shared by several runs");
	print_list("  GPUs are of the kinds: ", &settings->gpu_kinds, "none");
	print_list("  GPUs are the devices: ", &settings->gpu_devices, "any");
}

static void print_outputs(const struct ces_policy_settings *settings)
{
	const struct ces_policy_manifest *most = &settings->manifest;
	char said[CES_CHECK_SAID], time[32], size[32];

	ces_num_format_time(most->time, time, sizeof(time));
	ces_num_format_size(most->size, size, sizeof(size));
	if (most->time < CES_MANIFEST_SECONDS || most->size < CES_MANIFEST_SIZE ||
	    most->files < CES_MANIFEST_FILES)
		printf("  Their list ends at %llu files, %s or %s\n",
		       (unsigned long long)most->files, size, time);
	if (settings->check == NULL)
		return;
	printf("  Outputs are checked for: %s\n", ces_check_say(settings, said));
	if (settings->withhold == NULL)
		printf("    CES reports what does not pass; the user keeps it\n");
	else
		printf("    Until all pass, they stay in %s, where their user cannot read them\n",
		       settings->withhold);
	printf("    This helps the people who check outputs, and does not replace them\n");
}

static void print_settings(const char *project, const struct ces_policy_settings *settings)
{
	char data[CES_PATH_TEXT + CES_NAME_MAX];

	fill(settings->data_source, project, data, sizeof(data));
	printf("  Data: %s%s, %s\n",
	       settings->data_home_override ? "~/safe_data where it exists, else " : "", data,
	       settings->data_access == CES_ACCESS_READ_WRITE ? "read-write" : "read-only");
	printf("  Outputs: %s; scratch: %s\n", settings->outputs_source, settings->scratch_source);
	print_outputs(settings);
	print_limits(&settings->limits);
	if (settings->proxy == NULL)
		printf("  Way out: none, a run has no network\n");
	else
		printf("  Way out: the proxy %s alone, which decides what it lets through\n",
		       settings->proxy);
	print_list("  Ports by which a user on the same machine may reach their own run: ",
		   &settings->publish, "none");
	print_list("  Other directories that a user may bring in: ", &settings->binds, "none");
	if (settings->display)
		printf("  Display: runs may open windows on their user's display\n");
	print_gpus(settings);
	printf("  In the container, the user is %s\n",
	       settings->identity == CES_IDENTITY_SAME_UID
		   ? "the same user"
		   : "root, and on this machine still the same user");
	print_retain(settings);
}

void ces_explain_project(const struct ces_policy_project *project, time_t now)
{
	char day[16];

	printf("\nProject %s%s%s\n", project->name, project->title != NULL ? ": " : "",
	       project->title != NULL ? project->title : "");
	if (project->expires != 0)
		printf("  %s %s\n", now < project->expires ? "Until" : "EXPIRED on",
		       ces_tool_day(project->expires, day));
	else
		printf("  No end\n");
	print_list("  Members of the groups: ", &project->member_groups, "none");
	print_list("  Users: ", &project->member_users, "none");
	print_rules(&project->images, now);
	print_settings(project->name, &project->settings);
}

void ces_explain_inferred(const struct ces_policy *policy, time_t now)
{
	printf("\nInferred projects: P, for the members of a group PREFIX + P, where %s/P exists\n",
	       policy->infer_base);
	printf("  Prefixes:");
	for (size_t i = 0; i < policy->infer_prefixes.n; i++)
		printf(" \"%s\"", policy->infer_prefixes.v[i]);
	printf("\n");
	print_rules(&policy->infer_images, now);
	print_settings("{project}", &policy->defaults);
}

static void print_registry(const struct ces_policy_registry *registry)
{
	static const char *const words[] = {
	    [CES_CREDENTIALS_REQUIRED] = "login required",
	    [CES_CREDENTIALS_OPTIONAL] = "login optional",
	    [CES_CREDENTIALS_NONE] = "no login",
	};

	printf("Registry %s: at %s%s%s, %s\n", registry->name, registry->endpoint,
	       registry->proxy != NULL ? " through the proxy " : "",
	       registry->proxy != NULL ? registry->proxy : "", words[registry->credentials]);
	if (registry->token_hosts.n > 0)
		print_list("  Tokens from: ", &registry->token_hosts, "");
}

static void print_kubernetes(const struct ces_policy_kubernetes *kubernetes)
{
	if (kubernetes->namespace == NULL)
		return;
	printf("Kubernetes: CES writes jobs for the namespace %s, queue %s\n",
	       kubernetes->namespace, kubernetes->queue);
	printf("  Data: claim %s, read-only; outputs: claim %s%s%s\n", kubernetes->data_claim,
	       kubernetes->outputs_claim,
	       kubernetes->pull_secret != NULL ? "; images are pulled with the secret " : "",
	       kubernetes->pull_secret != NULL ? kubernetes->pull_secret : "");
	if (kubernetes->gpu_product != NULL)
		printf("  Jobs with GPUs run on nodes that have the product %s\n",
		       kubernetes->gpu_product);
}

static void print_user_limits(const struct ces_policy_limits *total)
{
	char memory[32];

	if (total->cpus > 0)
		printf("All runs of one user together: %g cpus\n", (double)total->cpus / 1000);
	ces_num_format_size(total->memory, memory, sizeof(memory));
	if (total->memory > 0)
		printf("All runs of one user together: %s memory\n", memory);
	if (total->pids > 0)
		printf("All runs of one user together: %llu processes\n",
		       (unsigned long long)total->pids);
	if (total->runs > 0)
		printf("Runs at once for each user in all projects: %llu\n",
		       (unsigned long long)total->runs);
}

static void print_store(const struct ces_policy_store *store)
{
	char space[40] = "half of the disk", reserve[40];

	if (store->space > 0)
		ces_num_format_size(store->space, space, sizeof(space));
	ces_num_format_size(store->reserve, reserve, sizeof(reserve));
	printf("Images of one user: %llu, on %s at most; %llu pulls at once; %s stay free\n",
	       (unsigned long long)store->images, space, (unsigned long long)store->pulls, reserve);
}

void ces_explain_head(const struct ces_policy *policy)
{
	char day[16];

	if (policy->site != NULL)
		printf("Policy of %s\n", policy->site);
	if (policy->approved_by != NULL)
		printf("Approved by %s\n", policy->approved_by);
	if (policy->approved_on != 0)
		printf("Approved on %s\n", ces_tool_day(policy->approved_on + 1, day));
	if (policy->review_by != 0)
		printf("To be reviewed by %s\n", ces_tool_day(policy->review_by, day));
	if (policy->contact != NULL)
		printf("Questions go to %s\n", policy->contact);
	for (size_t i = 0; i < policy->n_registries; i++)
		print_registry(&policy->registries[i]);
	print_kubernetes(&policy->kubernetes);
	print_user_limits(&policy->user_limits);
	print_store(&policy->store);
}
