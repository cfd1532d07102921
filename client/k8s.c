/* Makes a manifest from options, and prints or writes it. It must not be taken for a permission:
 * the cluster's admission decides about what the user sends. */
#include "client/k8s.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/manifest.h"
#include "client/say.h"
#include "client/verbose.h"
#include "common/cleanup.h"
#include "common/event.h"
#include "common/io.h"
#include "common/paths.h"
#include "policy/evidence/store.h"

/* Refuses an option that a Job cannot express. */
static int check_request(const struct ces_request *request, struct ces_error *err)
{
	if (request->publish.n > 0)
		return ces_error_set(err, CES_E_USAGE,
				     "k8s: -p has no meaning in a job; leave it out");
	if (request->bind_sources.n > 0)
		return ces_error_set(
		    err, CES_E_USAGE,
		    "k8s: the cluster does not see this machine's directories; leave -v and --bind "
		    "out and use /safe_data and /safe_outputs");
	if (request->display > 0)
		return ces_error_set(err, CES_E_USAGE,
				     "k8s: a job reaches no display of this machine; leave "
				     "--display out");
	return 0;
}

/* Opt-files also serve runs on this machine. */
static void name_unused(const struct ces_request *request)
{
	const uint64_t unused =
	    CES_FLAG_DETACH | CES_FLAG_INTERACTIVE | CES_FLAG_TTY | CES_FLAG_WAIT;

	if ((request->flags & unused) != 0)
		ces_say("k8s: -d, -i, -t and --wait have no effect: the cluster starts the job, "
			"and kubectl logs shows its output");
}

/* The cluster runs what the manifest says. So the client checks here what a rule demands, with the
 * code of ces-admit and ces-parse. Layers that were never on this machine cannot prove a base. */
static int check_demands(struct ces_decision *decision, struct ces_error *err)
{
	const char *set = decision->approved_by[0] != '\0' ? decision->approved_by : NULL;
	struct ces_evidence_facts facts;
	CES_CLEANUP_FD int dir = -1;

	if (decision->bases.n > 0)
		return ces_error_rule(err, CES_E_DENIED, decision->rule,
				      "k8s: the rule of this image demands a base, which CES "
				      "cannot check on a cluster; run it on this machine");
	if (!ces_demand_any(&decision->demand))
		return 0;
	if (ces_store_open(CES_EVIDENCE_DIR, &dir, err) < 0 ||
	    ces_store_facts(dir, decision->locked_digest, set, &facts, err) < 0)
		return ces_error_context(err, "the evidence about this image cannot be used");
	return ces_decide_demand(decision, &facts, time(NULL), err);
}

static int prepare(const struct ces_local *local, struct ces_job *job, struct ces_error *err)
{
	if (local->policy->kubernetes.namespace == NULL)
		return ces_error_set(
		    err, CES_E_HOST,
		    "this site has no Kubernetes cluster: %s has no key \"kubernetes\"",
		    CES_POLICY_PATH);
	job->kubernetes = &local->policy->kubernetes;
	if (check_request(job->request, err) < 0 ||
	    ces_local_decide(local, job->request, &job->decision, job->user, err) < 0 ||
	    check_demands(&job->decision, err) < 0)
		return -1;
	/* a cluster pulls and runs whatever the tag names, and checks no signatures */
	if (job->decision.signed_by.n > 0)
		return ces_error_rule(err, CES_E_DENIED, job->decision.rule,
				      "k8s: the policy demands signatures of this image, which the "
				      "cluster does not check; run it on this machine");
	job->gid = getgid();
	if (job->decision.n_project_gids > 0)
		job->gid = job->decision.project_gids[0];
	return 0;
}

/* A setting may be a secret: only its owner may read a new file. */
static int write_file(const char *path, const char *text, size_t length, struct ces_error *err)
{
	CES_CLEANUP_FD int fd =
	    open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, S_IRUSR | S_IWUSR);

	if (fd < 0)
		return ces_error_errno(err, CES_E_USAGE, "cannot write %s", path);
	/* (a file server may refuse what was written only at the close) */
	if (ces_write_full(fd, text, length, -1) < 0 || close(ces_steal_fd(&fd)) < 0)
		return ces_error_errno(err, CES_E_HOST, "cannot write %s", path);
	return 0;
}

static int explain(const struct ces_options *options, const struct ces_job *job)
{
	char image[CES_REFERENCE_MAX];

	ces_reference_format(&job->decision.image, image, sizeof(image));
	printf("image %s, allowed by %s\n", image, job->decision.rule);
	printf("a job for it would be written to %s; nothing was written\n",
	       options->output != NULL ? options->output : "stdout");
	return 0;
}

static int deliver(const struct ces_options *options, const struct ces_job *job, const char *text,
		   size_t length, struct ces_error *err)
{
	if ((options->request.flags & CES_FLAG_EXPLAIN) != 0)
		return explain(options, job);
	if (options->output == NULL)
		return ces_write_full(STDOUT_FILENO, text, length, -1) == 0
			   ? 0
			   : ces_error_errno(err, CES_E_HOST, "cannot write stdout");
	if (write_file(options->output, text, length, err) < 0)
		return -1;
	ces_say("wrote %s: type kubectl create -f %s", options->output, options->output);
	return 0;
}

static int make(const struct ces_options *options, struct ces_job *job, struct ces_error *err)
{
	CES_CLEANUP_FREE char *text = NULL;
	size_t length = 0;
	int result;

	job->out = open_memstream(&text, &length);
	if (job->out == NULL)
		return ces_error_errno(err, CES_E_INTERNAL, "open_memstream");
	result = ces_manifest_put(job, err);
	if (fclose(job->out) != 0 && result == 0)
		result = ces_error_errno(err, CES_E_INTERNAL, "the manifest");
	return result == 0 ? deliver(options, job, text, length, err) : -1;
}

static void say(const struct ces_error *err, const struct ces_policy *policy)
{
	char text[CES_ERROR_TEXT], rule[CES_RULE_TEXT];
	struct ces_event_error event = {.code = err->code, .text = text, .rule = rule};

	snprintf(text, sizeof(text), "%s", err->text);
	snprintf(rule, sizeof(rule), "%s", err->rule);
	if (err->code == CES_E_DENIED && policy != NULL)
		event.contact = policy->contact;
	ces_say_refusal(&event);
}

int ces_k8s_print(struct ces_options *options)
{
	struct ces_job job = {.request = &options->request};
	struct ces_local local = {0};
	struct ces_error err = {0};
	int result;

	if (options->verbose)
		ces_verbose_request(&options->request);
	name_unused(&options->request);
	result = ces_local_load(CES_POLICY_PATH, &local, &err);
	if (result == 0)
		result = prepare(&local, &job, &err);
	if (result == 0)
		result = make(options, &job, &err);
	if (result < 0)
		say(&err, local.policy);
	ces_local_free(&local);
	return result == 0 ? ces_say_flushed(0) : CES_EXIT_REFUSED;
}
