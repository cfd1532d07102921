/* ces-policy explain: who may run what on which data, until when, approved by whom. The deciding
 * functions also say which projects a user is in, and which rules cover an image. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/demand_text.h"
#include "policy/parse.h"
#include "policy/pattern.h"
#include "policy/evidence/store.h"
#include "policy/tool/explain.h"
#include "common/cleanup.h"
#include "policy/tool/input.h"
#include "policy/tool/member.h"
#include "policy/tool/met.h"
#include "policy/tool/signers.h"
#include "policy/tool/tool.h"

static const char help[] =
    "usage: ces-policy explain [--project P | --user U [--groups G,...]] [--image I] FILE\n"
    "Says in plain English what a policy allows: as a whole, for one project, for one user (by\n"
    "this machine's groups, or by those of --groups), or for one image.\n";

struct explain {
	const char *project, *user, *groups, *image;
	struct ces_reference reference; /* of image */
	time_t now;
	int evidence; /* the directory beside the policy; -1: none */
	const struct ces_policy *policy;
	/* the user, where one is asked about */
	struct ces_member member;
};

static bool covers(const struct explain *e, const struct ces_policy_image_rule *rule)
{
	return ces_pattern_match(rule->allow, e->reference.registry, e->reference.repository) &&
	       (rule->digest == NULL || e->reference.digest[0] == '\0' ||
		strcmp(rule->digest, e->reference.digest) == 0);
}

static bool any_covers(const struct explain *e, const struct ces_policy_image_rules *rules)
{
	for (size_t i = 0; i < rules->n; i++)
		if (covers(e, &rules->v[i]))
			return true;
	return false;
}

/* By the evidence beside the policy. */
static void print_demand(const struct explain *e, const char *where, size_t index,
			 const struct ces_policy_image_rule *rule)
{
	char demand[CES_DEMAND_TEXT], record[CES_DIGEST_LENGTH + 1], path[CES_NAME_MAX + 64];
	struct ces_error err = {0};
	bool met;

	for (size_t i = 0; i < rule->base.n; i++)
		printf("    %s %s\n", i == 0 ? "demands the base with ChainID" : "or",
		       rule->base.v[i]);
	if (!ces_demand_any(&rule->demand) || rule->digest == NULL)
		return;
	snprintf(path, sizeof(path), "%s.images[%zu]", where, index);
	met = ces_rule_met(e->evidence, path, rule, e->now, record, &err) == 0;
	ces_demand_say(&rule->demand, demand, sizeof(demand));
	printf("    demands %s: %s%s\n", demand, met ? "met by report " : "NOT MET, ",
	       met ? record : err.text);
}

/* The rule that decides is the first that covers the image and has not expired. */
static void print_image(const struct explain *e, const char *where,
			const struct ces_policy_image_rules *rules)
{
	bool decided = false;
	char day[16];

	for (size_t i = 0; i < rules->n; i++) {
		const struct ces_policy_image_rule *rule = &rules->v[i];
		bool over = rule->expires != 0 && e->now >= rule->expires;
		char signers[CES_SIGNERS_TEXT];

		if (!covers(e, rule))
			continue;
		printf("  %s.images[%zu] (%s) %s%s%s%s%s%s%s%s%s\n", where, i, rule->allow,
		       over      ? "covered it, but EXPIRED"
		       : decided ? "covers it too, but comes later"
				 : "allows it",
		       rule->digest != NULL ? ", only " : "",
		       rule->digest != NULL ? rule->digest : "",
		       rule->approval != NULL ? ", approved by " : ", no approval named",
		       rule->approval != NULL ? rule->approval : "",
		       rule->evidence != NULL ? ", with evidence" : "",
		       ces_signers_text(&rule->signed_by, ", only if ", signers),
		       rule->expires != 0 ? ", until " : ", no end",
		       rule->expires != 0 ? ces_tool_day(rule->expires, day) : "");
		if (!over)
			print_demand(e, where, i, rule);
		decided = decided || !over;
	}
}

static void print_registry(const struct explain *e)
{
	for (size_t i = 0; i < e->policy->n_registries; i++) {
		if (strcmp(e->policy->registries[i].name, e->reference.registry) != 0)
			continue;
		printf("%s comes from %s\n", e->image, e->policy->registries[i].endpoint);
		return;
	}
	printf("%s: nobody can pull it, its registry %s is not in the policy\n", e->image,
	       e->reference.registry);
}

/* Without a user: every project. Returns how many it printed. */
static size_t explain_projects(const struct explain *e)
{
	char where[CES_NAME_MAX + 16];
	size_t n = 0;

	for (size_t i = 0; i < e->policy->n_projects; i++) {
		const struct ces_policy_project *project = &e->policy->projects[i];

		if ((e->project != NULL && strcmp(project->name, e->project) != 0) ||
		    (e->image != NULL && !any_covers(e, &project->images)))
			continue;
		n++;
		ces_explain_project(project, e->now);
		snprintf(where, sizeof(where), "projects.%s", project->name);
		if (e->image != NULL)
			print_image(e, where, &project->images);
	}
	if (e->project != NULL || !e->policy->infer ||
	    (e->image != NULL && !any_covers(e, &e->policy->infer_images)))
		return n;
	ces_explain_inferred(e->policy, e->now);
	if (e->image != NULL)
		print_image(e, "infer_projects", &e->policy->infer_images);
	return n + 1;
}

static void print_way_in(const struct explain *e, const struct ces_rights *rights)
{
	struct ces_decision decision = {0};

	ces_rights_groups(e->policy, &e->member.caller, rights, &decision);
	printf("\n%s is in %s", e->user, rights->project);
	for (size_t i = 0; i < decision.n_project_gids; i++)
		printf("%s%s", i == 0 ? " by group " : ", ", decision.project_group_names[i]);
	if (decision.n_project_gids == 0)
		printf(" by name");
	printf("%s:\n", rights->expires != 0 && e->now >= rights->expires ? ", which is over" : "");
}

static int explain_user(struct explain *e, struct ces_error *err)
{
	CES_CLEANUP_FREE struct ces_rights *rights = NULL;
	size_t n = 0;

	if (ces_member_rights(&e->member, e->policy, &rights, &n, err) != 0)
		return -1;
	printf("%s has %zu project%s\n", e->user, n, n == 1 ? "" : "s");
	for (size_t i = 0; i < n; i++) {
		char where[CES_NAME_MAX + 16] = "infer_projects";

		if (rights[i].written != NULL)
			snprintf(where, sizeof(where), "projects.%s", rights[i].project);
		print_way_in(e, &rights[i]);
		if (e->image != NULL && !any_covers(e, rights[i].images))
			printf("  no rule covers %s\n", e->image);
		else if (e->image != NULL)
			print_image(e, where, rights[i].images);
		else if (rights[i].written != NULL)
			ces_explain_project(rights[i].written, e->now);
		else
			ces_explain_inferred(e->policy, e->now);
	}
	return 0;
}

static int explain(struct explain *e, struct ces_error *err)
{
	if (e->image != NULL && ces_reference_parse(e->image, &e->reference, err) != 0)
		return -1;
	if (e->image != NULL)
		print_registry(e);
	if (e->user != NULL) {
		if (ces_member_find(&e->member, e->user, e->groups, err) != 0)
			return -1;
		return explain_user(e, err);
	}
	if (e->image == NULL && e->project == NULL)
		ces_explain_head(e->policy);
	if (explain_projects(e) > 0)
		return 0;
	if (e->project != NULL)
		return ces_error_set(err, CES_E_NOTFOUND, "the policy has no project %s%s",
				     e->project, e->image != NULL ? " for this image" : "");
	puts(e->image != NULL ? "no project may run it"
			      : "The policy has no project: it allows nothing");
	return 0;
}

static int parse(int argc, char **argv, struct explain *e)
{
	static const struct option options[] = {
	    {"project", required_argument, NULL, 'p'}, {"user", required_argument, NULL, 'u'},
	    {"groups", required_argument, NULL, 'g'},  {"image", required_argument, NULL, 'i'},
	    {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 'p':
			e->project = optarg;
			break;
		case 'u':
			e->user = optarg;
			break;
		case 'g':
			e->groups = optarg;
			break;
		case 'i':
			e->image = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return 1;
		default:
			return -1;
		}
	}
	return argc - optind != 1 || (e->project != NULL && e->user != NULL) ||
		       (e->groups != NULL && e->user == NULL)
		   ? -1
		   : 0;
}

static int explain_file(struct explain *e, const char *path)
{
	CES_CLEANUP_FREE char *beside = ces_store_beside(path);
	struct ces_policy *policy = NULL;
	CES_CLEANUP_FD int dir = -1;
	struct ces_error err = {0};
	int status;

	/* before root is given up */
	if (beside != NULL && e->image != NULL)
		(void)ces_store_open(beside, &dir, NULL);
	e->evidence = dir;
	if (ces_input_policy(path, &policy, &err) != 0)
		return ces_tool_fail(&err);
	e->policy = policy;
	e->now = time(NULL);
	status = explain(e, &err) == 0 ? CES_TOOL_GOOD : ces_tool_fail(&err);
	ces_policy_free(policy);
	return ces_tool_finish(stdout, status);
}

int ces_tool_explain(int argc, char **argv)
{
	struct explain *e = calloc(1, sizeof(*e));
	int status = e == NULL ? -1 : parse(argc, argv, e);

	if (status != 0)
		status = status > 0 ? CES_TOOL_GOOD : ces_tool_usage("explain");
	else
		status = explain_file(e, argv[optind]);
	if (e != NULL)
		ces_member_free(&e->member);
	free(e);
	return status;
}
