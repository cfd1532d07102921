/* The decision, second half: what one run gets. It starts from the project's settings, which a
 * request can only reduce or choose from. It refuses what no rule allows, and must never trim it to
 * fit. */
#include "policy/run_asked.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/num.h"
#include "common/request.h"
#include "policy/template.h"

/* Denies by the rule where somebody wrote it: in the project, or in what it inherits. */
int ces_run_deny(const struct ces_run_asked *run, unsigned own, const char *key, const char *format,
		 ...)
{
	char rule[CES_RULE_TEXT], text[CES_ERROR_TEXT];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if ((run->total & own) != 0)
		snprintf(rule, sizeof(rule), "host.user_%s", key);
	else if (run->rights->written != NULL && (run->rights->settings->own & own) != 0)
		snprintf(rule, sizeof(rule), "projects.%s.%s", run->rights->project, key);
	else
		snprintf(rule, sizeof(rule), "defaults.%s", key);
	return ces_error_rule(run->err, CES_E_DENIED, rule, "%s", text);
}

static int expand(const struct ces_run_asked *run, const char *template, char ret[CES_PATH_TEXT])
{
	if (ces_template_expand(template, run->rights->project, run->caller->user,
				run->caller->home, ret) != 0)
		return ces_error_set(
		    run->err, CES_E_HOST,
		    "%s becomes too long with your user name and project filled in", template);
	return 0;
}

static int set_mount(const struct ces_run_asked *run, const char *template, const char *destination,
		     bool read_only, bool create, struct ces_decision_mount *ret)
{
	snprintf(ret->destination, sizeof(ret->destination), "%s", destination);
	ret->read_only = read_only;
	ret->create = create;
	ret->per_run = ces_template_has_run(template);
	return expand(run, template, ret->source);
}

static int set_mounts(const struct ces_run_asked *run, const struct ces_facts *facts)
{
	const struct ces_policy_settings *s = run->rights->settings;
	const char *data =
	    s->data_home_override && facts->home_data ? "~/safe_data" : s->data_source;
	bool read_only = s->data_access != CES_ACCESS_READ_WRITE;

	if (set_mount(run, data, "/safe_data", read_only, false, &run->ret->data) != 0 ||
	    set_mount(run, s->outputs_source, "/safe_outputs", false, true, &run->ret->outputs) !=
		0)
		return -1;
	return set_mount(run, s->scratch_source, "/scratch", false, true, &run->ret->scratch);
}

/* Outputs that must pass a check before the caller gets them cannot go to a directory of the
 * caller's. */
static int set_check(const struct ces_run_asked *run)
{
	const struct ces_policy_settings *s = run->rights->settings;
	struct ces_decision *ret = run->ret;

	ret->manifest = s->manifest;
	if (s->check != NULL)
		snprintf(ret->check, sizeof(ret->check), "%s", s->check);
	if (s->withhold == NULL)
		return 0;
	snprintf(ret->withhold, sizeof(ret->withhold), "%s", s->withhold);
	if (ret->outputs.per_run)
		return 0;
	return ces_run_deny(run, CES_OWN_CHECK, "outputs.check",
			    "outputs are checked before you get them, so each run writes to a "
			    "directory of its own; mount nothing at /safe_outputs");
}

static void format_cpus(uint64_t value, char *buffer, size_t size)
{
	if (value % 1000 == 0)
		snprintf(buffer, size, "%llu", (unsigned long long)value / 1000);
	else
		snprintf(buffer, size, "%llu.%03llu", (unsigned long long)value / 1000,
			 (unsigned long long)value % 1000);
}

struct limit {
	const char *key, *say;
	unsigned own;
	void (*format)(uint64_t value, char *buffer, size_t size);
};
static const struct limit cpus = {"limits.cpus", "cpus", CES_OWN_CPUS, format_cpus};
static const struct limit memory = {"limits.memory", "memory", CES_OWN_MEMORY, ces_num_format_size};
static const struct limit run_time = {"limits.time", "time", CES_OWN_TIME, ces_num_format_time};
static const struct limit shm = {"limits.shm", "shared memory", CES_OWN_SHM, ces_num_format_size};

/* Lowers *value to the requested one, if there is one. */
static int lower(const struct ces_run_asked *run, const struct limit *limit, uint64_t asked,
		 uint64_t *value)
{
	char asked_text[32], value_text[32];

	if (asked > *value) {
		limit->format(asked, asked_text, sizeof(asked_text));
		limit->format(*value, value_text, sizeof(value_text));
		if (strcmp(asked_text, value_text) == 0) { /* (rounded) */
			snprintf(asked_text, sizeof(asked_text), "%llu", (unsigned long long)asked);
			snprintf(value_text, sizeof(value_text), "%llu",
				 (unsigned long long)*value);
		}
		return ces_run_deny(run, limit->own, limit->key,
				    "%s: %s is more than the %s that is allowed", limit->say,
				    asked_text, value_text);
	}
	if (asked != 0)
		*value = asked;
	return 0;
}

/* One run never gets more than all the user's runs may have together. */
static unsigned fit(uint64_t total, uint64_t *value, unsigned own)
{
	if (total == 0 || *value <= total)
		return 0;
	*value = total;
	return own;
}

static void set_most(struct ces_run_asked *run, const struct ces_policy_limits *total)
{
	struct ces_policy_limits *most = &run->ret->most;

	*most = run->rights->settings->limits;
	run->total = fit(total->cpus, &most->cpus, CES_OWN_CPUS) |
		     fit(total->memory, &most->memory, CES_OWN_MEMORY) |
		     fit(total->pids, &most->pids, 0);
}

static int set_limits(const struct ces_run_asked *run)
{
	const struct ces_request *asked = run->request;
	struct ces_policy_limits *limits = &run->ret->limits;

	*limits = run->ret->most;
	if (lower(run, &cpus, asked->cpus, &limits->cpus) != 0 ||
	    lower(run, &memory, asked->memory_bytes, &limits->memory) != 0 ||
	    lower(run, &run_time, asked->time_seconds, &limits->time) != 0)
		return -1;
	return lower(run, &shm, asked->shm_bytes, &limits->shm);
}

/* Paths where CES itself mounts something, and paths that would change the container from outside
 * of its image. */
static const struct {
	const char *path;
	bool below; /* and everything below it */
} reserved[] = {
    {"/proc", true},       {"/sys", true},           {"/dev", true},      {"/etc", false},
    {"/safe_data", false}, {"/safe_outputs", false}, {"/scratch", false},
};

static bool destination_taken(const struct ces_decision *decision, const char *destination)
{
	for (size_t i = 0; i < decision->n_binds; i++)
		if (strcmp(decision->binds[i].destination, destination) == 0)
			return true;
	for (size_t i = 0; i < decision->n_tmpfs; i++)
		if (strcmp(decision->tmpfs[i].destination, destination) == 0)
			return true;
	return false;
}

static int set_destination(const struct ces_run_asked *run, const char *text,
			   char ret[CES_DESTINATION])
{
	if (strlen(text) >= CES_DESTINATION || !ces_container_path_valid(text))
		return USAGE(run, "%s: nothing can be mounted at this path", text);
	ces_path_copy(text, ret, CES_DESTINATION);
	if (strcmp(ret, "/") == 0)
		return USAGE(run, "/: nothing can be mounted over the whole image");
	for (size_t i = 0; i < CES_COUNT(reserved); i++)
		if (reserved[i].below ? ces_path_within(ret, reserved[i].path)
				      : strcmp(ret, reserved[i].path) == 0)
			return USAGE(run, "%s: %s is CES's own", text, reserved[i].path);
	if (destination_taken(run->ret, ret))
		return USAGE(run, "%s: two mounts have this destination", text);
	return 0;
}

static int check_source(const struct ces_run_asked *run, const struct ces_decision_mount *bind)
{
	const struct ces_strings *binds = &run->rights->settings->binds;
	const struct ces_decision_mount *data = &run->ret->data;
	char filled[CES_PATH_TEXT];
	size_t i = 0;

	for (; i < binds->n; i++) {
		if (expand(run, binds->v[i], filled) != 0)
			return -1;
		if (ces_path_within(bind->source, filled))
			break;
	}
	if (i == binds->n)
		return ces_run_deny(
		    run, CES_OWN_BINDS, "binds",
		    "you may not bind %s: it is in no directory that the policy lists",
		    bind->source);
	/* Data that IG made read-only must not come in again, writable, by another name. A caller's
	 * ~/safe_data takes the place of these at /safe_data, and protects them no less. */
	if (expand(run, run->rights->settings->data_source, filled) != 0)
		return -1;
	if (data->read_only && !bind->read_only &&
	    (ces_path_meets(bind->source, data->source) || ces_path_meets(bind->source, filled)))
		return ces_run_deny(
		    run, CES_OWN_ACCESS, "data.access",
		    "%s holds the project's data, which is read-only: bind it with :ro",
		    bind->source);
	return 0;
}

/* Returns 1 for a bind onto one of CES's own three places. A bind of what is there without it can
 * only make it read-only: the guides bind the project's data by hand. An existing directory takes
 * the place of a new one for outputs or scratch, and then nobody removes it. Refuses other data
 * than the project's. */
static int set_place(const struct ces_run_asked *run, const char *destination,
		     const struct ces_decision_mount *bind)
{
	struct ces_decision *ret = run->ret;
	struct ces_decision_mount *const places[] = {&ret->data, &ret->outputs, &ret->scratch};
	struct ces_decision_mount *place = NULL;
	char at[CES_PATH_TEXT];

	ces_path_copy(destination, at, sizeof(at));
	for (size_t i = 0; i < CES_COUNT(places); i++)
		if (strcmp(at, places[i]->destination) == 0)
			place = places[i];
	if (place == NULL)
		return 0;
	if (strcmp(bind->source, place->source) == 0) {
		place->read_only |= bind->read_only;
		return 1;
	}
	if (place == &ret->data)
		return USAGE(run, "/safe_data is %s, the project's data: bind %s somewhere else",
			     place->source, bind->source);
	if (!place->create)
		return USAGE(run, "%s: two mounts have this destination", at);
	if (check_source(run, bind) != 0)
		return -1;
	memcpy(place->source, bind->source, sizeof(place->source));
	place->read_only = bind->read_only;
	place->create = place->per_run = false;
	return 1;
}

static int set_binds(const struct ces_run_asked *run)
{
	const struct ces_request *request = run->request;
	size_t n = request->bind_sources.n;

	if (request->bind_destinations.n != n || request->bind_read_only.n != n)
		return USAGE(run, "binds: sources and destinations do not pair up");
	if (n > CES_BINDS_MAX)
		return USAGE(run, "more than %d binds", CES_BINDS_MAX);
	for (size_t i = 0; i < n; i++) {
		struct ces_decision_mount *bind = &run->ret->binds[run->ret->n_binds];
		const char *source = request->bind_sources.v[i];
		int place;

		ces_path_copy(source, bind->source, sizeof(bind->source));
		if (!ces_path_valid(bind->source))
			return USAGE(run,
				     "%s: not an absolute path without \"..\" that can be bound",
				     source);
		bind->read_only = request->bind_read_only.v[i] != 0;
		place = set_place(run, request->bind_destinations.v[i], bind);
		if (place < 0)
			return -1;
		if (place > 0)
			continue;
		if (set_destination(run, request->bind_destinations.v[i], bind->destination) != 0 ||
		    check_source(run, bind) != 0)
			return -1;
		run->ret->n_binds++;
	}
	return 0;
}

/* Their pages count as the run's memory, which bounds them. */
static int set_tmpfs(const struct ces_run_asked *run)
{
	const struct ces_request *request = run->request;
	const struct ces_policy_limits *limits = &run->ret->limits;
	size_t n = request->tmpfs_destinations.n;

	if (request->tmpfs_sizes.n != n)
		return USAGE(run, "tmpfs: destinations and sizes do not pair up");
	if (n > CES_TMPFS_MAX - 1)
		return USAGE(run, "more than %d tmpfs", CES_TMPFS_MAX - 1);
	for (size_t i = 0; i < n; i++) {
		struct ces_decision_tmpfs *tmpfs = &run->ret->tmpfs[i];
		uint64_t size = limits->memory, asked = request->tmpfs_sizes.v[i];

		if (asked == 0 && limits->writable_layer < size)
			size = limits->writable_layer;
		if (set_destination(run, request->tmpfs_destinations.v[i], tmpfs->destination) !=
			0 ||
		    lower(run, &memory, asked, &size) != 0)
			return -1;
		tmpfs->size = size;
		run->ret->n_tmpfs++;
	}
	return 0;
}

/* Returns whether source has the caller's own key to their display. With that key a program could
 * read every window and type into any: it must not come in beside the socket. */
static bool holds_key(const struct ces_run_asked *run, const char *source)
{
	char key[CES_PATH_TEXT];

	return snprintf(key, sizeof(key), "%s/.Xauthority", run->caller->home) >=
		   (int)sizeof(key) ||
	       ces_path_within(key, source);
}

/* The display's socket is mounted below /tmp. Nothing else may then be mounted there: it would hide
 * the socket, or the mount point would be made in a directory of the caller's. */
static bool display_is_covered(const struct ces_decision *decision, uint64_t display)
{
	char socket[sizeof(CES_DISPLAY_DIR) + 24];

	(void)snprintf(socket, sizeof(socket), CES_DISPLAY_DIR "/X%llu",
		       (unsigned long long)display - 1);
	return destination_taken(decision, "/tmp") ||
	       destination_taken(decision, CES_DISPLAY_DIR) || destination_taken(decision, socket);
}

static int set_display(const struct ces_run_asked *run)
{
	const struct ces_request *request = run->request;
	struct ces_decision *ret = run->ret;

	if (request->display == 0)
		return 0;
	if (!run->rights->settings->display)
		return ces_run_deny(run, CES_OWN_DISPLAY, "display",
				    "this project may not use a display; leave out --display");
	if (request->display > CES_DISPLAY_MAX)
		return USAGE(run, "--display: there is no display of this number");
	if ((request->flags & CES_FLAG_EXPLAIN) == 0 && request->cookie.n != CES_COOKIE_WORDS)
		return USAGE(run, "--display: the key to the display is missing");
	if (display_is_covered(ret, request->display))
		return USAGE(run,
			     "--display: the display's socket is below /tmp; mount nothing there");
	for (size_t i = 0; i < ret->n_binds + 3; i++) {
		const struct ces_decision_mount *const places[] = {&ret->data, &ret->outputs,
								   &ret->scratch};
		const char *source = i < 3 ? places[i]->source : ret->binds[i - 3].source;

		if (holds_key(run, source))
			return USAGE(run,
				     "--display: %s holds your own key to the display, "
				     ".Xauthority; bind a directory below it",
				     source);
	}
	for (size_t i = 0; i < request->cookie.n && i < CES_COOKIE_WORDS; i++)
		ret->cookie[i] = request->cookie.v[i];
	ret->display = request->display;
	return 0;
}

/* A caller who keeps their uid has a home that they can write to, as with Apptainer: an image made
 * for root has none for them. Its path is that of their own; it is empty memory, unless they bind
 * something there. Where that path cannot be used it is /scratch. */
static void set_home(const struct ces_run_asked *run)
{
	struct ces_decision *ret = run->ret;
	struct ces_decision_tmpfs *tmpfs = &ret->tmpfs[ret->n_tmpfs];
	struct ces_run_asked quiet = *run;
	struct ces_error ignored;
	const char *home = run->caller->home; /* (a path, as check_caller in decide.c has found) */

	if (ret->identity != CES_IDENTITY_SAME_UID)
		return;
	(void)snprintf(ret->home, sizeof(ret->home), "/scratch");
	quiet.err = &ignored;
	if (strcmp(home, "/root") == 0 || strlen(home) >= sizeof(ret->home))
		return;
	if (!destination_taken(ret, home)) {
		if (set_destination(&quiet, home, tmpfs->destination) != 0)
			return;
		tmpfs->size = ret->limits.memory < ret->limits.writable_layer
				  ? ret->limits.memory
				  : ret->limits.writable_layer;
		ret->n_tmpfs++;
	}
	memcpy(ret->home, home, strlen(home) + 1);
}

/* Returns whether CES itself sets this for a driver's libraries. NVIDIA_TF32_OVERRIDE is a setting
 * of arithmetic. */
static bool env_reserved(const char *entry)
{
	return strncmp(entry, "NVIDIA_", 7) == 0 &&
	       strncmp(entry, "NVIDIA_TF32_OVERRIDE=", 21) != 0;
}

/* The syntax of values that go to the container unchanged. */
static int check_words(const struct ces_run_asked *run)
{
	const struct ces_request *request = run->request;

	for (size_t i = 0; i < request->env.n; i++)
		if (!ces_env_name_valid(request->env.v[i], strcspn(request->env.v[i], "=")) ||
		    strchr(request->env.v[i], '=') == NULL)
			return USAGE(run, "-e: write NAME=value (entry %zu)", i + 1);
	for (size_t i = 0; i < request->env.n; i++)
		if (env_reserved(request->env.v[i]))
			return USAGE(run, "-e %.*s: CES sets this itself; choose GPUs with --gpu",
				     (int)strcspn(request->env.v[i], "="), request->env.v[i]);
	if (request->workdir != NULL && !ces_container_path_valid(request->workdir))
		return USAGE(run, "-w %s: not an absolute path", request->workdir);
	if (request->name != NULL && !ces_run_name_valid(request->name))
		return USAGE(run,
			     "--name %s: write letters, digits, '.', '_', '-', and not ten digits",
			     request->name);
	return 0;
}

int ces_decide_run(const struct ces_policy *policy, const struct ces_caller *caller,
		   const struct ces_request *request, const struct ces_facts *facts,
		   const struct ces_rights *rights, struct ces_decision *ret, struct ces_error *err)
{
	struct ces_run_asked run = {caller, request, rights, ret, err, 0};

	ces_run_proxy(&run);
	ret->together = policy->user_limits;
	set_most(&run, &policy->user_limits);
	if (check_words(&run) != 0 || set_mounts(&run, facts) != 0 || set_limits(&run) != 0 ||
	    ces_run_ports(&run) != 0 || set_binds(&run) != 0 || set_check(&run) != 0 ||
	    set_tmpfs(&run) != 0 || set_display(&run) != 0 || ces_run_gpus(&run) != 0)
		return -1;
	/* The caller's own uid is the lesser right of the two, so they may always ask for it. */
	ret->identity = (request->flags & CES_FLAG_SAME_UID) != 0 ? CES_IDENTITY_SAME_UID
								  : rights->settings->identity;
	ret->own_ids =
	    ret->identity == CES_IDENTITY_ROOT_IS_USER && (request->flags & CES_FLAG_OWN_IDS) != 0;
	ret->read_only = (request->flags & CES_FLAG_READ_ONLY) != 0;
	set_home(&run);
	return 0;
}
