/* Differences in what a run gets. The kind depends on what a caller can do with it, and must never
 * depend on whether a number rose. */
#include <stdio.h>
#include <string.h>

#include "policy/tool/diff_policy.h"
#include "policy/tool/diff_settings.h"
#include "common/num.h"
#include "policy/template.h"
#include "policy/tool/outputs.h"
#include "policy/tool/tool.h"

typedef bool same_fn(const char *, const char *);

static bool has(const struct ces_strings *list, const char *text, same_fn *same)
{
	for (size_t i = 0; i < list->n; i++)
		if (same(list->v[i], text))
			return true;
	return false;
}

static const char *quoted(const char *text)
{
	return *text != '\0' ? text : "\"\"";
}

static void lists(struct ces_diff *diff, const char *who, const char *what,
		  const struct ces_strings *old, const struct ces_strings *new, same_fn *same)
{
	for (size_t i = 0; i < new->n; i++)
		if (!has(old, new->v[i], same))
			ces_diff_say(diff, CES_DIFF_WIDER, "%s gains %s %s", who, what,
				     quoted(new->v[i]));
	for (size_t i = 0; i < old->n; i++)
		if (!has(new, old->v[i], same))
			ces_diff_say(diff, CES_DIFF_NARROWER, "%s loses %s %s", who, what,
				     quoted(old->v[i]));
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

void ces_diff_lists(struct ces_diff *diff, const char *who, const char *what,
		    const struct ces_strings *old, const struct ces_strings *new)
{
	lists(diff, who, what, old, new, same_text);
}

/* Skips the default port of https if it comes next. */
static const char *skip_port(const char *at)
{
	return strncmp(at, ":443", 4) == 0 && (at[4] == '\0' || at[4] == '/') ? at + 4 : at;
}

bool ces_diff_same_host(const char *a, const char *b)
{
	for (;; a++, b++) {
		a = skip_port(a);
		b = skip_port(b);
		if (*a != *b || *a == '\0')
			return *a == *b;
	}
}

void ces_diff_hosts(struct ces_diff *diff, const char *who, const char *what,
		    const struct ces_strings *old, const struct ces_strings *new)
{
	lists(diff, who, what, old, new, ces_diff_same_host);
}

static void plain_number(uint64_t value, char *buffer, size_t size)
{
	snprintf(buffer, size, "%llu", (unsigned long long)value);
}

static void thousandths(uint64_t value, char *buffer, size_t size)
{
	snprintf(buffer, size, "%g", (double)value / 1000);
}

/* A higher limit is wider. */
static void limit(struct ces_diff *diff, const char *who, const char *what, uint64_t old,
		  uint64_t new, void (*format)(uint64_t, char *, size_t))
{
	char before[40], after[40];

	if (old == new)
		return;
	format(old, before, sizeof(before));
	format(new, after, sizeof(after));
	ces_diff_say(diff, new > old ? CES_DIFF_WIDER : CES_DIFF_NARROWER,
		     "%s: %s %s from %s to %s", who, what, new > old ? "rises" : "falls", before,
		     after);
}

static void limits(struct ces_diff *diff, const char *who, const struct ces_policy_limits *old,
		   const struct ces_policy_limits *new)
{
	limit(diff, who, "cpus of a run", old->cpus, new->cpus, thousandths);
	limit(diff, who, "memory of a run", old->memory, new->memory, ces_num_format_size);
	limit(diff, who, "processes of a run", old->pids, new->pids, plain_number);
	limit(diff, who, "time of a run", old->time, new->time, ces_num_format_time);
	limit(diff, who, "runs at once", old->runs, new->runs, plain_number);
	limit(diff, who, "shared memory of a run", old->shm, new->shm, ces_num_format_size);
	limit(diff, who, "changes to an image's files", old->writable_layer, new->writable_layer,
	      ces_num_format_size);
}

/* Totals, in which 0 is no limit and so the most. */
static void total(struct ces_diff *diff, const char *what, uint64_t old, uint64_t new,
		  void (*format)(uint64_t, char *, size_t))
{
	char value[40];

	if (old > 0 && new > 0) {
		limit(diff, "all runs of a user", what, old, new, format);
		return;
	}
	if (old == new)
		return;
	format(old > 0 ? old : new, value, sizeof(value));
	ces_diff_say(diff, new == 0 ? CES_DIFF_WIDER : CES_DIFF_NARROWER,
		     "all runs of a user: %s %s limited to %s", what,
		     new == 0 ? "is no longer" : "is now", value);
}

/* 0: not written, so half of the file system, whose size is unknown here and may be more than
 * anything. */
static void space(struct ces_diff *diff, const char *what, uint64_t old, uint64_t new, bool wider)
{
	char before[40] = "half of the file system", after[40] = "half of the file system";

	if (old == new)
		return;
	if (old > 0)
		ces_num_format_size(old, before, sizeof(before));
	if (new > 0)
		ces_num_format_size(new, after, sizeof(after));
	ces_diff_say(diff, wider || old == 0 || new == 0 ? CES_DIFF_WIDER : CES_DIFF_NARROWER,
		     "host: %s is %s instead of %s", what, after, before);
}

void ces_diff_store(struct ces_diff *diff, const struct ces_policy_store *old,
		    const struct ces_policy_store *new)
{
	limit(diff, "host", "the number of images of a user", old->images, new->images,
	      plain_number);
	limit(diff, "host", "the number of pulls of a user at once", old->pulls, new->pulls,
	      plain_number);
	space(diff, "space for a user's images", old->space, new->space, new->space > old->space);
	space(diff, "space that pulls leave free", old->reserve, new->reserve,
	      new->reserve < old->reserve);
}

void ces_diff_user_limits(struct ces_diff *diff, const struct ces_policy_limits *old,
			  const struct ces_policy_limits *new)
{
	total(diff, "the sum of cpus", old->cpus, new->cpus, thousandths);
	total(diff, "the sum of memory", old->memory, new->memory, ces_num_format_size);
	total(diff, "the sum of processes", old->pids, new->pids, plain_number);
	total(diff, "the number at once", old->runs, new->runs, plain_number);
}

/* An empty list is no list: any device. */
static void gpu_devices(struct ces_diff *diff, const char *who, const struct ces_strings *old,
			const struct ces_strings *new)
{
	if (old->n > 0 && new->n > 0)
		ces_diff_lists(diff, who, "the GPU", old, new);
	else if (old->n != new->n)
		ces_diff_say(diff, new->n == 0 ? CES_DIFF_WIDER : CES_DIFF_NARROWER,
			     "%s: GPUs are %s", who,
			     new->n == 0 ? "any of the machine's" : "limited to a list of devices");
}

static void proxy(struct ces_diff *diff, const char *who, const char *old, const char *new)
{
	if (old == NULL && new == NULL)
		return;
	if (new == NULL)
		ces_diff_say(diff, CES_DIFF_NARROWER, "%s: the proxy %s is no longer a way out",
			     who, old);
	else if (old == NULL || strcmp(old, new) != 0)
		ces_diff_say(diff, CES_DIFF_WIDER, "%s: the proxy %s is a way out%s%s", who, new,
			     old != NULL ? " instead of " : "", old != NULL ? old : "");
}

/* A directory below the old one is less. Any other holds something that was out of reach. */
static void source(struct ces_diff *diff, const struct ces_diff_who *who, const char *what,
		   const char *old, const char *new)
{
	char before[CES_TOOL_FILLED], after[CES_TOOL_FILLED];

	ces_tool_fill(old, who->project, before);
	ces_tool_fill(new, who->project, after);
	if (strcmp(before, after) != 0)
		ces_diff_say(diff,
			     ces_path_within(after, before) ? CES_DIFF_NARROWER : CES_DIFF_WIDER,
			     "%s: %s are in %s instead of %s", who->name, what, new, old);
}

/* Returns whether one of list is dir or above it. */
static bool reached(const struct ces_diff_who *who, const struct ces_strings *list, const char *dir)
{
	char path[CES_TOOL_FILLED], above[CES_TOOL_FILLED];

	ces_tool_fill(dir, who->project, path);
	for (size_t i = 0; i < list->n; i++) {
		ces_tool_fill(list->v[i], who->project, above);
		if (ces_path_within(path, above))
			return true;
	}
	return false;
}

/* Every directory below a bindable one is bindable. */
static void binds(struct ces_diff *diff, const struct ces_diff_who *who,
		  const struct ces_strings *old, const struct ces_strings *new)
{
	for (size_t i = 0; i < new->n; i++)
		if (!reached(who, old, new->v[i]))
			ces_diff_say(diff, CES_DIFF_WIDER, "%s gains the bindable directory %s",
				     who->name, new->v[i]);
	for (size_t i = 0; i < old->n; i++) {
		const struct ces_strings lost = {&old->v[i], 1};

		if (reached(who, new, old->v[i]))
			continue;
		ces_diff_say(diff, CES_DIFF_NARROWER, "%s loses the bindable directory %s",
			     who->name, old->v[i]);
		for (size_t j = 0; j < new->n; j++)
			if (reached(who, &lost, new->v[j]))
				ces_diff_say(diff, CES_DIFF_NARROWER, "%s keeps a part of it, %s",
					     who->name, new->v[j]);
	}
}

/* A bind within read-only data is read-only. What is no longer data can be bound for writing. */
static void left_open(struct ces_diff *diff, const struct ces_diff_who *who,
		      const struct ces_policy_settings *old, const struct ces_policy_settings *new)
{
	char before[CES_TOOL_FILLED], after[CES_TOOL_FILLED], bind[CES_TOOL_FILLED];

	ces_tool_fill(old->data_source, who->project, before);
	ces_tool_fill(new->data_source, who->project, after);
	if (old->data_access != CES_ACCESS_READ_ONLY || ces_path_within(before, after))
		return;
	for (size_t i = 0; i < new->binds.n; i++) {
		ces_tool_fill(new->binds.v[i], who->project, bind);
		if (ces_path_meets(bind, before))
			ces_diff_say(diff, CES_DIFF_WIDER,
				     "%s: %s was read-only, and can be bound for writing, by "
				     "the bindable directory %s",
				     who->name, before, new->binds.v[i]);
	}
}

/* How long an image stays is no right of its own. But it counts if an image was to be destroyed and
 * now is not. */
static void retain(struct ces_diff *diff, const char *who, const struct ces_policy_settings *old,
		   const struct ces_policy_settings *new)
{
	static const char *const words[] = {
	    [CES_RETAIN_RUN] = "until their run ends",
	    [CES_RETAIN_TIME] = "for a time",
	    [CES_RETAIN_ALWAYS] = "for ever",
	};
	char before[32], after[32];

	if (old->retain != new->retain) {
		ces_diff_say(diff, new->retain > old->retain ? CES_DIFF_WIDER : CES_DIFF_NARROWER,
			     "%s: images are kept %s instead of %s", who, words[new->retain],
			     words[old->retain]);
	} else if (old->retain == CES_RETAIN_TIME && old->retain_seconds != new->retain_seconds) {
		ces_num_format_time(old->retain_seconds, before, sizeof(before));
		ces_num_format_time(new->retain_seconds, after, sizeof(after));
		ces_diff_say(diff,
			     new->retain_seconds > old->retain_seconds ? CES_DIFF_WIDER
								       : CES_DIFF_NARROWER,
			     "%s: unused images are kept for %s instead of %s", who, after, before);
	}
}

void ces_diff_settings(struct ces_diff *diff, const struct ces_diff_who *whose,
		       const struct ces_policy_settings *old, const struct ces_policy_settings *new)
{
	const char *who = whose->name;

	if (old->data_access != new->data_access)
		ces_diff_say(
		    diff,
		    new->data_access == CES_ACCESS_READ_WRITE ? CES_DIFF_WIDER : CES_DIFF_NARROWER,
		    "%s: data becomes %s", who,
		    new->data_access == CES_ACCESS_READ_WRITE ? "read-write" : "read-only");
	source(diff, whose, "data", old->data_source, new->data_source);
	if (old->data_home_override != new->data_home_override)
		ces_diff_say(diff, new->data_home_override ? CES_DIFF_WIDER : CES_DIFF_NARROWER,
			     "%s: a user's ~/safe_data %s the data", who,
			     new->data_home_override ? "now replaces" : "no longer replaces");
	source(diff, whose, "outputs", old->outputs_source, new->outputs_source);
	ces_diff_outputs(diff, who, old, new);
	source(diff, whose, "scratch files", old->scratch_source, new->scratch_source);
	ces_diff_lists(diff, who, "the published port", &old->publish, &new->publish);
	proxy(diff, who, old->proxy, new->proxy);
	binds(diff, whose, &old->binds, &new->binds);
	left_open(diff, whose, old, new);
	if (old->display != new->display)
		ces_diff_say(diff, new->display ? CES_DIFF_WIDER : CES_DIFF_NARROWER,
			     "%s: runs may %s windows on their user's display", who,
			     new->display ? "open" : "no longer open");
	limit(diff, who, "GPUs of a run", old->gpus_max, new->gpus_max, plain_number);
	ces_diff_lists(diff, who, "the kind of device", &old->gpu_kinds, &new->gpu_kinds);
	gpu_devices(diff, who, &old->gpu_devices, &new->gpu_devices);
	if (old->gpu_exclusive != new->gpu_exclusive)
		ces_diff_say(diff, new->gpu_exclusive ? CES_DIFF_NARROWER : CES_DIFF_WIDER,
			     "%s: GPUs are %s", who,
			     new->gpu_exclusive ? "given to one run at a time" : "shared by runs");
	limits(diff, who, &old->limits, &new->limits);
	if (old->identity != new->identity)
		ces_diff_say(diff,
			     new->identity == CES_IDENTITY_ROOT_IS_USER ? CES_DIFF_WIDER
									: CES_DIFF_NARROWER,
			     "%s: inside, the user is %s", who,
			     new->identity == CES_IDENTITY_ROOT_IS_USER ? "root" : "the same user");
	retain(diff, who, old, new);
}

void ces_diff_new_settings(struct ces_diff *diff, const struct ces_diff_who *who,
			   const struct ces_policy_settings *least,
			   const struct ces_policy_settings *new)
{
	struct ces_diff all = {.no_memory = diff->no_memory};

	ces_diff_settings(&all, who, least, new);
	for (size_t i = 0; i < all.n; i++)
		if (all.v[i].kind == CES_DIFF_WIDER)
			ces_diff_say(diff, CES_DIFF_WIDER, "%s", all.v[i].text);
	diff->no_memory = diff->no_memory || all.no_memory;
	ces_diff_free(&all);
}
