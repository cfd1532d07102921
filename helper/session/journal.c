/* Makes the records of the journal, as JSON. Must not take over a text from outside before it has
 * bounded and cleaned the text: it is made printable ASCII, and escaped. */
#include "helper/session/journal.h"

#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/request.h"
#include "helper/session/runs.h"
#include "helper/session/session.h"

static void put(struct ces_json *to, const char *key, const char *text)
{
	char clean[1100];

	if (text == NULL || text[0] == '\0')
		return;
	(void)snprintf(clean, sizeof(clean), "%s", text);
	ces_text_clean(clean);
	ces_json_text(to, key, clean);
}

static const char *verb_name(uint64_t verb)
{
	static const char *const names[] = {"",     "pull", "run",     "images", "remove",
					    "runs", "stop", "inspect", "clean"};

	return verb < CES_COUNT(names) ? names[verb] : "";
}

void ces_journal_fill(const struct ces_decision_mount *of, const char *run, char *ret, size_t size)
{
	const char *source = of->source, *mark = of->per_run ? strstr(source, "{run}") : NULL;

	if (mark == NULL)
		(void)snprintf(ret, size, "%s", source);
	else
		(void)snprintf(ret, size, "%.*s%s%s", (int)(mark - source), source, run,
			       mark + strlen("{run}"));
}

void ces_journal_path(struct ces_json *to, const char *key, const char *path)
{
	char text[4 * 1100] = "";
	size_t used = 0;

	for (; *path != '\0' && used + 4 < sizeof(text); path++)
		if (*path >= ' ' && *path <= '~' && *path != '\\')
			text[used++] = *path;
		else
			used += (size_t)snprintf(text + used, 5, "\\%03o", (unsigned char)*path);
	if (used > 0)
		ces_json_text(to, key, text);
}

static void put_mount(struct ces_json *mounts, const struct ces_decision_mount *mount,
		      const char *run)
{
	char source[1100];

	ces_journal_fill(mount, run, source, sizeof(source));
	ces_json_object(mounts, NULL);
	ces_journal_path(mounts, "source", source);
	ces_journal_path(mounts, "destination", mount->destination);
	put(mounts, "access", mount->read_only ? "read-only" : "read-write");
	ces_json_close(mounts);
}

/* Writes the ports as they are requested: "HOST:CONTAINER". */
static void put_ports(struct ces_json *record, const struct ces_decision *decision)
{
	char one[32];

	ces_json_list(record, "published");
	for (size_t i = 0; i < decision->n_ports; i++) {
		(void)snprintf(one, sizeof(one), "%u:%u", decision->ports[i].host,
			       decision->ports[i].container);
		ces_json_text(record, NULL, one);
	}
	ces_json_close(record);
}

static void put_run(struct ces_json *record, const struct ces_decision *decision, const char *run)
{
	ces_json_list(record, "mounts");
	put_mount(record, &decision->data, run);
	put_mount(record, &decision->outputs, run);
	put_mount(record, &decision->scratch, run);
	for (size_t i = 0; i < decision->n_binds; i++)
		put_mount(record, &decision->binds[i], run);
	ces_json_close(record);
	ces_json_object(record, "limits");
	ces_json_number(record, "cpus_milli", decision->limits.cpus);
	ces_json_number(record, "memory", decision->limits.memory);
	ces_json_number(record, "pids", decision->limits.pids);
	ces_json_number(record, "time", decision->limits.time);
	ces_json_close(record);
	ces_json_number(record, "gpus", decision->gpus);
	ces_json_number(record, "ports", decision->n_ports);
	put_ports(record, decision);
	if (decision->display > 0) {
		char display[32];

		(void)snprintf(display, sizeof(display), ":%llu",
			       (unsigned long long)decision->display - 1);
		put(record, "display", display);
	}
}

static struct ces_json begin(const char *event)
{
	struct ces_json record = {0};

	ces_json_object(&record, NULL);
	put(&record, "event", event);
	return record;
}

struct ces_json ces_journal_decision(const struct ces_session *session,
				     const struct ces_decision *decision, const char *run,
				     const char *digest, const struct ces_strings *devices,
				     const struct ces_error *why)
{
	const struct ces_request *request = session->request;
	struct ces_json record = begin("decision");

	put(&record, "outcome", why == NULL ? "allowed" : "denied");
	ces_json_number(&record, "uid", session->uid);
	put(&record, "user", session->caller.user);
	if (request != NULL) {
		put(&record, "verb", verb_name(request->verb));
		put(&record, "image", request->image);
		put(&record, "project", decision != NULL ? decision->project : request->project);
		ces_json_number(&record, "args", request->args.n);
		ces_json_number(&record, "env", request->env.n);
	}
	put(&record, "run", run);
	put(&record, "digest", digest);
	put(&record, "policy", session->host->digest);
	if (decision != NULL) {
		put(&record, "rule", decision->rule);
		put(&record, "approval", decision->approval);
		put(&record, "evidence", decision->evidence);
		if (decision->verb == CES_VERB_RUN)
			put_run(&record, decision, run);
		put(&record, "proxy", decision->proxy);
		if (devices != NULL && devices->n > 0) {
			ces_json_list(&record, "devices");
			for (size_t i = 0; i < devices->n; i++)
				ces_json_text(&record, NULL, devices->v[i]);
			ces_json_close(&record);
		}
	}
	if (why != NULL) {
		put(&record, "code", ces_code_name(why->code));
		put(&record, "rule", why->rule);
		put(&record, "reason", why->text);
	}
	return record;
}

void ces_journal_signers(struct ces_json *record, const struct ces_signers *signers)
{
	if (signers->n == 0)
		return;
	ces_json_list(record, "signed_by");
	for (size_t i = 0; i < signers->n; i++) {
		ces_json_object(record, NULL);
		put(record, "name", signers->v[i].name);
		put(record, "key", signers->v[i].key);
		put(record, "digest", signers->v[i].digest);
		ces_json_close(record);
	}
	ces_json_close(record);
}

struct ces_json ces_journal_stranger(uid_t uid, const char *run, uint64_t port, uint64_t stranger,
				     uint64_t count)
{
	struct ces_json record = begin("stranger");

	put(&record, "verb", "port");
	put(&record, "outcome", "refused");
	ces_json_number(&record, "uid", uid);
	put(&record, "run", run);
	ces_json_number(&record, "port", port);
	ces_json_number(&record, "stranger", stranger);
	ces_json_number(&record, "count", count);
	return record;
}

struct ces_json ces_journal_denials(uid_t uid, uint64_t count)
{
	struct ces_json record = begin("denials");

	put(&record, "outcome", "denied");
	ces_json_number(&record, "uid", uid);
	ces_json_number(&record, "count", count);
	put(&record, "reason", "too many to be recorded one by one");
	return record;
}

static const char *entry_key(const char *entry)
{
	return entry != NULL && ces_runs_is_pull(entry) ? "pull" : "run";
}

static void put_subject(struct ces_json *record, const struct ces_journal_subject *about)
{
	ces_json_number(record, "uid", about->uid);
	put(record, "user", about->user);
	put(record, "project", about->project);
	put(record, entry_key(about->run), about->run);
	put(record, "image", about->image);
	put(record, "digest", about->digest);
}

struct ces_json ces_journal_end(const char *verb, const struct ces_journal_subject *about,
				uint64_t status, const char *reason, uint64_t peak_memory,
				uint64_t cpu_us)
{
	struct ces_json record = begin("end");

	put(&record, "verb", verb);
	put_subject(&record, about);
	ces_json_number(&record, "status", status);
	put(&record, "reason", reason);
	if (peak_memory > 0)
		ces_json_number(&record, "peak_memory", peak_memory);
	if (cpu_us > 0)
		ces_json_number(&record, "cpu_us", cpu_us);
	return record;
}

struct ces_json ces_journal_proof(const struct ces_journal_subject *about,
				  const struct ces_json *found, const char *deviation)
{
	struct ces_json record = begin("proof");

	put(&record, "verb", "run");
	put(&record, "outcome", deviation == NULL ? "as planned" : "deviates");
	put_subject(&record, about);
	put(&record, "reason", deviation);
	ces_json_members(&record, found);
	return record;
}
