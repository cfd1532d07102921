/* Explains an allowed decision in plain English, for explain, dry run and the policy's readers. It
 * must never say more than the decision holds: what is not in it does not happen. */
#include "policy/demand.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/num.h"
#include "policy/demand_text.h"
#include "policy/explain.h"

struct out {
	void (*emit)(void *, const char *);
	void *context;
};

static void __attribute__((format(printf, 2, 3)))
say(const struct out *out, const char *format, ...)
{
	char line[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	out->emit(out->context, line);
}

static void say_mount(const struct out *out, const struct ces_decision_mount *mount,
		      const char *note)
{
	say(out, "  %s is %s, %s%s", mount->destination, mount->source,
	    mount->read_only ? "read-only" : "read-write", note);
}

static const char *const credentials_text[] = {
    [CES_CREDENTIALS_REQUIRED] = "a login is required",
    [CES_CREDENTIALS_OPTIONAL] = "a login is optional",
    [CES_CREDENTIALS_NONE] = "without a login",
};

static void say_signers(const struct out *out, const struct ces_decision_signers *signers)
{
	if (signers->n == 1)
		say(out, "  only if signed by %s", signers->v[0]);
	if (signers->n <= 1)
		return;
	say(out, "  only if at least %llu of these %zu keys signed it:",
	    (unsigned long long)signers->at_least, signers->n);
	for (size_t i = 0; i < signers->n; i++)
		say(out, "    %s", signers->v[i]);
}

static void say_image(const struct out *out, const struct ces_decision *d)
{
	char reference[CES_REFERENCE_MAX], time[32], demand[CES_DEMAND_TEXT];

	ces_reference_format(&d->image, reference, sizeof(reference));
	say(out, "image %s, allowed by %s%s%s", reference, d->rule,
	    d->approval[0] != '\0' ? ", approval " : "", d->approval);
	if (d->locked_digest[0] != '\0')
		say(out, "  only with digest %s", d->locked_digest);
	if (ces_demand_any(&d->demand)) {
		ces_demand_say(&d->demand, demand, sizeof(demand));
		say(out, "  demands %s; met by report %.19s...", demand, d->evidence);
	}
	for (size_t i = 0; i < d->bases.n; i++)
		say(out, "  %s %s", i == 0 ? "only on the base with ChainID" : "or", d->bases.v[i]);
	say_signers(out, &d->signed_by);
	if (d->verb == CES_VERB_PULL)
		say(out, "  from %s%s%s, %s", d->endpoint,
		    d->proxy[0] != '\0' ? " through the proxy " : "", d->proxy,
		    credentials_text[d->credentials]);
	switch (d->retain) {
	case CES_RETAIN_RUN:
		say(out, "  removed from your images after the run that uses it");
		break;
	case CES_RETAIN_TIME:
		ces_num_format_time(d->retain_seconds, time, sizeof(time));
		say(out, "  removed if nobody uses it for %s", time);
		break;
	case CES_RETAIN_ALWAYS:
		say(out, "  kept until it is removed");
		break;
	}
}

static void say_limits(const struct out *out, const struct ces_policy_limits *limits)
{
	char memory[32], time[32], shm[32], layer[32];

	ces_num_format_size(limits->memory, memory, sizeof(memory));
	ces_num_format_time(limits->time, time, sizeof(time));
	ces_num_format_size(limits->shm, shm, sizeof(shm));
	ces_num_format_size(limits->writable_layer, layer, sizeof(layer));
	say(out, "limits: %g cpus, %s memory, %s, %llu processes", (double)limits->cpus / 1000,
	    memory, time, (unsigned long long)limits->pids);
	say(out, "  %s shared memory, %s for changes to the image's files, %llu runs at once", shm,
	    layer, (unsigned long long)limits->runs);
}

static void say_user_limits(const struct out *out, const struct ces_policy_limits *total)
{
	char memory[32];

	if (total->cpus > 0)
		say(out, "  all your runs together: %g cpus", (double)total->cpus / 1000);
	ces_num_format_size(total->memory, memory, sizeof(memory));
	if (total->memory > 0)
		say(out, "  all your runs together: %s memory", memory);
	if (total->pids > 0)
		say(out, "  all your runs together: %llu processes",
		    (unsigned long long)total->pids);
	if (total->runs > 0)
		say(out, "  in all projects: %llu runs at once", (unsigned long long)total->runs);
}

static void say_network(const struct out *out, const struct ces_decision *d)
{
	if (d->proxy[0] == '\0')
		say(out, "network: none");
	else
		say(out,
		    "network: none, except the proxy %s, which is 127.0.0.1:%d in the container "
		    "(CES sets http_proxy and https_proxy, and -e cannot change them)",
		    d->proxy, CES_PROXY_PORT);
	for (size_t i = 0; i < d->n_ports; i++)
		say(out,
		    "  port %u of this machine, for you alone, leads to port %u of the container",
		    d->ports[i].host, d->ports[i].container);
}

static void say_run(const struct out *out, const struct ces_caller *caller,
		    const struct ces_decision *d)
{
	char size[32];

	say(out, "directories in the container:");
	say_mount(out, &d->data, "");
	say_mount(out, &d->outputs, ", kept");
	if (d->check[0] != '\0')
		say(out, "    checked at the end by the project's rules%s",
		    d->withhold[0] != '\0' ? ", and moved there only if they pass" : "");
	say_mount(out, &d->scratch, d->scratch.per_run ? ", deleted at the end" : ", kept");
	for (size_t i = 0; i < d->n_binds; i++)
		say_mount(out, &d->binds[i], "");
	for (size_t i = 0; i < d->n_tmpfs; i++) {
		ces_num_format_size(d->tmpfs[i].size, size, sizeof(size));
		say(out, "  %s is an empty directory in memory, at most %s",
		    d->tmpfs[i].destination, size);
	}
	say(out, "  the image's own files are %s",
	    d->read_only ? "read-only" : "writable, changes are lost at the end");
	say_limits(out, &d->limits);
	say_user_limits(out, &d->together);
	say_network(out, d);
	if (d->display > 0)
		say(out, "display: :%llu of this machine, which does not trust the run's programs",
		    (unsigned long long)d->display - 1);
	if (d->gpus == 0)
		say(out, "GPUs: none");
	else
		say(out, "GPUs: %s%llu%s%s%s", d->gpus_all ? "up to " : "",
		    (unsigned long long)d->gpus, d->gpu_id[0] != '\0' ? ", device " : "", d->gpu_id,
		    d->gpu_exclusive ? "" : ", may be shared with other runs");
	if (d->identity == CES_IDENTITY_SAME_UID)
		say(out, "identity: you are %s (%u) inside too, with your home in %s", caller->user,
		    (unsigned)caller->uid, d->home);
	else if (d->own_ids)
		say(out, "identity: uid %u inside is %s outside, files belong to %s",
		    (unsigned)caller->uid, caller->user, caller->user);
	else
		say(out, "identity: root inside is %s (%u) outside, files belong to %s",
		    caller->user, (unsigned)caller->uid, caller->user);
}

void ces_decision_explain(const struct ces_caller *caller, const struct ces_decision *decision,
			  void (*emit)(void *, const char *), void *context)
{
	const struct out out = {emit, context};
	const char *title = decision->title;

	say(&out, "allowed: %s by %s (%u)", decision->verb == CES_VERB_PULL ? "pull" : "run",
	    caller->user, (unsigned)caller->uid);
	say(&out, "project %s%s%s%s", decision->project, title[0] != '\0' ? " (" : "", title,
	    title[0] != '\0' ? ")" : "");
	for (size_t i = 0; i < decision->n_project_gids; i++)
		say(&out, "  through group %s (%u)", decision->project_group_names[i],
		    (unsigned)decision->project_gids[i]);
	say_image(&out, decision);
	if (decision->verb == CES_VERB_RUN)
		say_run(&out, caller, decision);
}
