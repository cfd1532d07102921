/* The decision, first half: the caller, the project, the image and the registry. It must never make
 * a system call, read a clock, or keep anything between calls. It must never say more about a
 * foreign project than about one that does not exist. */
#include "policy/decide.h"

#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/request.h"
#include "policy/pattern.h"
#include "policy/rights.h"
#include "policy/template.h"

/* "a, b, c", cut off with "..." at the end of the buffer. */
struct list {
	char text[256];
	size_t used;
};

static void list_add(struct list *list, const char *item)
{
	size_t room = sizeof(list->text) - list->used;
	int n;

	if (item == NULL || room < 8)
		return;
	n = snprintf(list->text + list->used, room, "%s%s", list->used > 0 ? ", " : "", item);
	if (n > 0 && (size_t)n < room - 5) {
		list->used += (size_t)n;
		return;
	}
	snprintf(list->text + list->used, room, "%s...", list->used > 0 ? ", " : "");
	list->used = sizeof(list->text);
}

/* Checks the user name and the home. Both come from the user database, which may be a directory
 * that others write. A brace would later be taken for a template, and a slash or ".." would lead
 * out of a source. */
static int check_caller(const struct ces_policy *policy, const struct ces_caller *caller,
			struct ces_error *err)
{
	char as_path[CES_PATH_TEXT];
	uint64_t first = policy->subid_first;
	uint64_t end = first + (policy->subid_users + 1) * policy->subid_per_user;

	if (caller->uid == 0 || caller->uid == (uid_t)-1 || caller->gid == 0 ||
	    caller->gid == (gid_t)-1)
		return ces_error_set(err, CES_E_HOST,
				     "CES serves ordinary users: not root, nor members of root's "
				     "primary group");
	if ((caller->uid >= first && caller->uid < end) ||
	    (caller->gid >= first && caller->gid < end))
		return ces_error_set(err, CES_E_HOST,
				     "your user or group number is in host.subordinate_ids");
	if (caller->user == NULL || strchr(caller->user, '/') != NULL ||
	    strpbrk(caller->user, "{}") != NULL ||
	    snprintf(as_path, sizeof(as_path), "/%s", caller->user) >= (int)sizeof(as_path) ||
	    !ces_path_valid(as_path))
		return ces_error_set(err, CES_E_HOST,
				     "your user name is not one that CES can use in a path");
	if (!ces_path_valid(caller->home) || strpbrk(caller->home, "{}") != NULL)
		return ces_error_set(
		    err, CES_E_HOST,
		    "your home directory is not an absolute path that CES can use");
	return 0;
}

static bool expired(time_t expires, time_t now)
{
	return expires != 0 && now >= expires;
}

static int deny_expired_project(const struct ces_rights *rights, struct ces_error *err)
{
	char rule[CES_RULE_TEXT];

	snprintf(rule, sizeof(rule), "projects.%s.expires", rights->project);
	return ces_error_rule(err, CES_E_DENIED, rule, "project %s has expired", rights->project);
}

static int no_project(const struct ces_policy *policy, const struct ces_caller *caller,
		      struct ces_error *err)
{
	struct list groups = {0};

	for (size_t i = 0; i < caller->n_groups; i++)
		list_add(&groups, caller->group_names[i]);
	return ces_error_rule(
	    err, CES_E_NOTFOUND, "projects",
	    "no project: you are in none of the groups that the policy lists%s%s (your groups: %s)",
	    policy->infer ? ", or your project has no directory in " : "",
	    policy->infer ? policy->infer_base : "", groups.text);
}

static int ambiguous(const struct ces_rights *rights, size_t n, struct ces_error *err)
{
	struct list projects = {0};

	for (size_t i = 0; i < n; i++)
		list_add(&projects, rights[i].project);
	return ces_error_set(err, CES_E_USAGE,
			     "you are in several projects, name one with --project: %s",
			     projects.text);
}

/* Keeps in rights[0..*n) the rights that the request can mean. */
static int narrow(const struct ces_policy *policy, const struct ces_caller *caller,
		  const struct ces_request *request, time_t now, struct ces_rights *rights,
		  size_t *n, struct ces_error *err)
{
	struct ces_rights gone = {0};
	size_t kept = 0;

	for (size_t i = 0; i < *n; i++) {
		if (request->project != NULL && strcmp(rights[i].project, request->project) != 0)
			continue;
		if (!expired(rights[i].expires, now))
			rights[kept++] = rights[i];
		else if (gone.settings == NULL)
			gone = rights[i];
	}
	*n = kept;
	if (kept == 0 && gone.settings != NULL)
		return deny_expired_project(&gone, err);
	if (kept == 0 && request->project != NULL)
		return ces_error_rule(err, CES_E_DENIED, "projects", "you have no project %s",
				      request->project);
	if (kept == 0)
		return no_project(policy, caller, err);
	if (kept > 1 && request->verb == CES_VERB_RUN)
		return ambiguous(rights, kept, err);
	return 0;
}

static const struct ces_policy_registry *find_registry(const struct ces_policy *policy,
						       const char *name)
{
	for (size_t i = 0; i < policy->n_registries; i++)
		if (strcmp(policy->registries[i].name, name) == 0)
			return &policy->registries[i];
	return NULL;
}

int ces_decision_names(const struct ces_strings *names, const char *key,
		       struct ces_decision_names *ret, struct ces_error *err)
{
	for (ret->n = 0; ret->n < names->n; ret->n++)
		if (ret->n == CES_COUNT(ret->v) ||
		    snprintf(ret->v[ret->n], sizeof(*ret->v), "%s", names->v[ret->n]) >=
			(int)sizeof(*ret->v))
			return ces_error_set(err, CES_E_POLICY, "%s has too many or too long names",
					     key);
	return 0;
}

static int set_registry(const struct ces_policy *policy, uint64_t verb, struct ces_decision *ret,
			struct ces_error *err)
{
	const struct ces_policy_registry *registry = find_registry(policy, ret->image.registry);
	struct list names = {0};

	if (registry == NULL) {
		for (size_t i = 0; i < policy->n_registries; i++)
			list_add(&names, policy->registries[i].name);
		return ces_error_rule(err, CES_E_DENIED, "registries",
				      "%s is not an allowed registry (%s)", ret->image.registry,
				      names.text);
	}
	snprintf(ret->endpoint, sizeof(ret->endpoint), "%s", registry->endpoint);
	snprintf(ret->ca_file, sizeof(ret->ca_file), "%s",
		 registry->ca_file != NULL ? registry->ca_file : "");
	ret->credentials = registry->credentials;
	if (verb == CES_VERB_PULL && registry->proxy != NULL)
		snprintf(ret->proxy, sizeof(ret->proxy), "%s", registry->proxy);
	return ces_decision_names(&registry->token_hosts, "token_hosts", &ret->token_hosts, err);
}

static void name_image_rule(const struct ces_rights *rights, size_t index, const char *key,
			    char ret[CES_RULE_TEXT])
{
	if (rights->written != NULL)
		snprintf(ret, CES_RULE_TEXT, "projects.%s.images[%zu]%s", rights->project, index,
			 key);
	else
		snprintf(ret, CES_RULE_TEXT, "infer_projects.images[%zu]%s", index, key);
}

static void set_signers(const struct ces_policy_signers *signers, struct ces_decision_signers *ret)
{
	*ret = (struct ces_decision_signers){.at_least = signers->at_least};
	for (; ret->n < signers->keys.n && ret->n < CES_SIGNERS_MAX; ret->n++)
		snprintf(ret->v[ret->n], CES_SIGNER_PATH, "%s", signers->keys.v[ret->n]);
}

enum match { MATCH_NONE, MATCH_DENIED, MATCH_ALLOWED };

/* The first rule that covers the image and is valid decides. If none is valid, reports the first
 * that covers the image. */
static enum match match_image(const struct ces_rights *rights, time_t now, struct ces_decision *ret,
			      struct ces_error *ret_denial)
{
	const struct ces_reference *image = &ret->image;
	enum match found = MATCH_NONE;

	for (size_t i = 0; i < rights->images->n; i++) {
		const struct ces_policy_image_rule *rule = &rights->images->v[i];
		bool old = expired(rule->expires, now);
		bool other = rule->digest != NULL && image->digest[0] != '\0' &&
			     strcmp(rule->digest, image->digest) != 0;

		if (!ces_pattern_match(rule->allow, image->registry, image->repository))
			continue;
		if (!old && !other) {
			name_image_rule(rights, i, "", ret->rule);
			snprintf(ret->approval, sizeof(ret->approval), "%s",
				 rule->approval != NULL ? rule->approval : "");
			snprintf(ret->locked_digest, sizeof(ret->locked_digest), "%s",
				 rule->digest != NULL ? rule->digest : "");
			snprintf(ret->approved_by, sizeof(ret->approved_by), "%s",
				 rule->evidence != NULL ? rule->evidence : "");
			ret->demand = rule->demand;
			ces_decision_bases(&rule->base, &ret->bases);
			set_signers(&rule->signed_by, &ret->signed_by);
			return MATCH_ALLOWED;
		}
		if (found == MATCH_DENIED)
			continue;
		found = MATCH_DENIED;
		ces_error_rule(ret_denial, CES_E_DENIED, "", "%s",
			       old ? "the approval of this image has expired"
				   : "another digest is approved, not this one");
		name_image_rule(rights, i, old ? ".expires" : ".digest", ret_denial->rule);
	}
	return found;
}

static int deny_image(const struct ces_rights *rights, size_t n, const struct ces_reference *image,
		      struct ces_error *err)
{
	char rule[CES_RULE_TEXT] = "projects";
	struct list projects = {0};

	for (size_t i = 0; i < n; i++)
		list_add(&projects, rights[i].project);
	if (n == 1 && rights->written == NULL)
		snprintf(rule, sizeof(rule), "infer_projects.images");
	else if (n == 1)
		snprintf(rule, sizeof(rule), "projects.%s.images", rights->project);
	return ces_error_rule(err, CES_E_DENIED, rule, "no image rule of %s %s allows %s/%s",
			      n == 1 ? "project" : "your projects", projects.text, image->registry,
			      image->repository);
}

/* The first project, in the order of the policy, whose rules allow the image. NULL with err set. */
static const struct ces_rights *choose(const struct ces_rights *rights, size_t n, time_t now,
				       struct ces_decision *ret, struct ces_error *err)
{
	struct ces_error denial = {0};

	for (size_t i = 0; i < n; i++) {
		struct ces_error here = {0};
		enum match found = match_image(&rights[i], now, ret, &here);

		if (found == MATCH_ALLOWED)
			return &rights[i];
		if (found == MATCH_DENIED && denial.code == CES_OK)
			denial = here;
	}
	if (denial.code == CES_OK)
		deny_image(rights, n, &ret->image, err);
	else
		ces_error_rule(err, denial.code, denial.rule, "%s", denial.text);
	return NULL;
}

/* Checks that there is a login if the policy wants one, so that the registry is not asked in vain.
 * The registry decides whether it is valid. A question needs no login. */
static int check_login(const struct ces_request *request, const struct ces_decision *decision,
		       struct ces_error *err)
{
	if (request->verb != CES_VERB_PULL || (request->flags & CES_FLAG_EXPLAIN) != 0 ||
	    decision->credentials != CES_CREDENTIALS_REQUIRED || request->token != NULL)
		return 0;
	return ces_error_rule(
	    err, CES_E_DENIED, "registries.credentials",
	    "%s wants a login: type ces-client pull --username USER --token-stdin IMAGE",
	    decision->image.registry);
}

static int decide(const struct ces_policy *policy, const struct ces_caller *caller,
		  const struct ces_request *request, const struct ces_facts *facts, time_t now,
		  struct ces_decision *ret, struct ces_error *err)
{
	CES_CLEANUP_FREE struct ces_rights *rights = NULL;
	const struct ces_rights *chosen;
	size_t n;

	if (check_caller(policy, caller, err) != 0)
		return -1;
	if (request->image == NULL)
		return ces_error_set(err, CES_E_USAGE, "no image is named");
	if (!ces_reference_is(&request->reference, request->image))
		return ces_error_set(err, CES_E_USAGE, CES_REFERENCE_ERROR, request->image);
	ret->image = request->reference;
	if (ces_rights_collect(policy, caller, facts, &rights, &n, err) != 0 ||
	    narrow(policy, caller, request, now, rights, &n, err) != 0 ||
	    set_registry(policy, request->verb, ret, err) != 0)
		return -1;
	chosen = choose(rights, n, now, ret, err);
	if (chosen == NULL || check_login(request, ret, err) != 0)
		return -1;
	ret->verb = request->verb;
	ret->uid = caller->uid;
	snprintf(ret->project, sizeof(ret->project), "%s", chosen->project);
	if (chosen->written != NULL && chosen->written->title != NULL)
		snprintf(ret->title, sizeof(ret->title), "%s", chosen->written->title);
	ces_rights_groups(policy, caller, chosen, ret);
	ret->retain = chosen->settings->retain;
	ret->retain_seconds = chosen->settings->retain_seconds;
	return request->verb == CES_VERB_RUN
		   ? ces_decide_run(policy, caller, request, facts, chosen, ret, err)
		   : 0;
}

int ces_decide(const struct ces_policy *policy, const struct ces_caller *caller,
	       const struct ces_request *request, const struct ces_facts *facts, time_t now,
	       struct ces_decision *ret, struct ces_error *err)
{
	struct ces_decision decision = {0};
	struct ces_caller tidy = *caller;
	char home[CES_PATH_TEXT];

	if (request->verb != CES_VERB_PULL && request->verb != CES_VERB_RUN)
		return ces_error_set(err, CES_E_USAGE,
				     "only a pull or a run is decided by the policy");
	ces_path_copy(caller->home != NULL ? caller->home : "", home, sizeof(home));
	tidy.home = home;
	if (decide(policy, &tidy, request, facts, now, &decision, err) != 0)
		return -1;
	*ret = decision;
	return 0;
}
