/* Records of the journal, as JSON. Must not take over a text from outside that it has not bounded
 * and cleaned: it is made printable ASCII, and json-c escapes it. */
#include "helper/session/journal.h"

#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"

static void put(struct json_object *object, const char *key, const char *text)
{
	char clean[1100];

	if (text == NULL || text[0] == '\0')
		return;
	(void)snprintf(clean, sizeof(clean), "%s", text);
	ces_text_clean(clean);
	(void)json_object_object_add(object, key, json_object_new_string(clean));
}

static void put_number(struct json_object *object, const char *key, uint64_t value)
{
	(void)json_object_object_add(object, key, json_object_new_uint64(value));
}

static const char *verb_name(uint64_t verb)
{
	static const char *const names[] = {"",     "pull", "run",     "images", "remove",
					    "runs", "stop", "inspect", "clean"};

	return verb < CES_COUNT(names) ? names[verb] : "";
}

void ces_journal_fill_run(const char *source, const char *run, char *buffer, size_t size)
{
	const char *mark = strstr(source, "{run}");

	if (mark == NULL)
		(void)snprintf(buffer, size, "%s", source);
	else
		(void)snprintf(buffer, size, "%.*s%s%s", (int)(mark - source), source, run,
			       mark + strlen("{run}"));
}

/* A path exactly, in ASCII: other bytes and the backslash as the kernel writes them in mountinfo.
 */
static void put_path(struct json_object *object, const char *key, const char *path)
{
	char text[4 * 1100];
	size_t used = 0;

	for (; *path != '\0' && used + 4 < sizeof(text); path++)
		if (*path >= ' ' && *path <= '~' && *path != '\\')
			text[used++] = *path;
		else
			used += (size_t)snprintf(text + used, 5, "\\%03o", (unsigned char)*path);
	text[used] = '\0';
	if (used > 0)
		(void)json_object_object_add(object, key, json_object_new_string(text));
}

static void put_mount(struct json_object *mounts, const struct ces_decision_mount *mount,
		      const char *run)
{
	struct json_object *one = json_object_new_object();
	char source[1100];

	ces_journal_fill_run(mount->source, run, source, sizeof(source));
	put_path(one, "source", source);
	put_path(one, "destination", mount->destination);
	put(one, "access", mount->read_only ? "read-only" : "read-write");
	(void)json_object_array_add(mounts, one);
}

static void put_list(struct json_object *record, const char *key, const struct ces_strings *list)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < list->n; i++)
		(void)json_object_array_add(array, json_object_new_string(list->v[i]));
	(void)json_object_object_add(record, key, array);
}

/* As they are asked for: "HOST:CONTAINER". */
static void put_ports(struct json_object *record, const struct ces_decision *decision)
{
	struct json_object *array = json_object_new_array();
	char one[32];

	for (size_t i = 0; i < decision->n_ports; i++) {
		(void)snprintf(one, sizeof(one), "%u:%u", decision->ports[i].host,
			       decision->ports[i].container);
		(void)json_object_array_add(array, json_object_new_string(one));
	}
	(void)json_object_object_add(record, "published", array);
}

static void put_run(struct json_object *record, const struct ces_decision *decision,
		    const char *run)
{
	struct json_object *mounts = json_object_new_array(), *limits = json_object_new_object();

	put_mount(mounts, &decision->data, run);
	put_mount(mounts, &decision->outputs, run);
	put_mount(mounts, &decision->scratch, run);
	for (size_t i = 0; i < decision->n_binds; i++)
		put_mount(mounts, &decision->binds[i], run);
	(void)json_object_object_add(record, "mounts", mounts);
	put_number(limits, "cpus_milli", decision->limits.cpus);
	put_number(limits, "memory", decision->limits.memory);
	put_number(limits, "pids", decision->limits.pids);
	put_number(limits, "time", decision->limits.time);
	(void)json_object_object_add(record, "limits", limits);
	put_number(record, "gpus", decision->gpus);
	put_number(record, "ports", decision->n_ports);
	put_ports(record, decision);
}

struct json_object *ces_journal_decision(const char *policy, const struct ces_caller *caller,
					 uid_t uid, const struct ces_asked *asked,
					 const struct ces_decision *decision, const char *run,
					 const char *digest, const struct ces_strings *devices,
					 const struct ces_error *why)
{
	struct json_object *record = json_object_new_object();

	put(record, "event", "decision");
	put(record, "outcome", why == NULL ? "allowed" : "denied");
	put_number(record, "uid", uid);
	if (caller != NULL)
		put(record, "user", caller->user);
	if (asked != NULL) {
		put(record, "verb", verb_name(asked->verb));
		put(record, "image", asked->image);
		put(record, "project", decision != NULL ? decision->project : asked->project);
		put_number(record, "args", asked->n_args);
		put_number(record, "env", asked->n_env);
	}
	put(record, "run", run);
	put(record, "digest", digest);
	put(record, "policy", policy);
	if (decision != NULL) {
		put(record, "rule", decision->rule);
		put(record, "approval", decision->approval);
		if (decision->verb == CES_VERB_RUN)
			put_run(record, decision, run);
		put(record, "proxy", decision->proxy);
		if (devices != NULL && devices->n > 0)
			put_list(record, "devices", devices);
	}
	if (why != NULL) {
		put(record, "code", ces_code_name(why->code));
		put(record, "rule", why->rule);
		put(record, "reason", why->text);
	}
	return record;
}

struct json_object *ces_journal_stranger(uid_t uid, const char *run, uint64_t port,
					 uint64_t stranger, uint64_t count)
{
	struct json_object *record = json_object_new_object();

	put(record, "event", "stranger");
	put(record, "verb", "port");
	put(record, "outcome", "refused");
	put_number(record, "uid", uid);
	put(record, "run", run);
	put_number(record, "port", port);
	put_number(record, "stranger", stranger);
	put_number(record, "count", count);
	return record;
}

struct json_object *ces_journal_denials(uid_t uid, uint64_t count)
{
	struct json_object *record = json_object_new_object();

	put(record, "event", "denials");
	put(record, "outcome", "denied");
	put_number(record, "uid", uid);
	put_number(record, "count", count);
	put(record, "reason", "too many to be recorded one by one");
	return record;
}

static void put_subject(struct json_object *record, const struct ces_journal_subject *about)
{
	put_number(record, "uid", about->uid);
	put(record, "user", about->user);
	put(record, "project", about->project);
	put(record, "run", about->run);
	put(record, "image", about->image);
	put(record, "digest", about->digest);
}

struct json_object *ces_journal_end(const char *verb, const struct ces_journal_subject *about,
				    uint64_t status, const char *reason, uint64_t peak_memory,
				    uint64_t cpu_us)
{
	struct json_object *record = json_object_new_object();

	put(record, "event", "end");
	put(record, "verb", verb);
	put_subject(record, about);
	put_number(record, "status", status);
	put(record, "reason", reason);
	if (peak_memory > 0)
		put_number(record, "peak_memory", peak_memory);
	if (cpu_us > 0)
		put_number(record, "cpu_us", cpu_us);
	return record;
}

struct json_object *ces_journal_proof(const struct ces_journal_subject *about,
				      struct json_object *found, const char *deviation)
{
	struct json_object *record = json_object_new_object();

	put(record, "event", "proof");
	put(record, "verb", "run");
	put(record, "outcome", deviation == NULL ? "as planned" : "deviates");
	put_subject(record, about);
	put(record, "reason", deviation);
	json_object_object_foreach(found, key, value)
	{
		(void)json_object_object_add(record, key, json_object_get(value));
	}
	json_object_put(found);
	return record;
}
