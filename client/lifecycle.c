/* ps, inspect and wait. It must not decide which runs are the caller's: the helper answers for live
 * runs, and the files of ended runs are the caller's own. */
#include "client/lifecycle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/follow.h"
#include "client/kept.h"
#include "client/live.h"
#include "client/perform.h"
#include "client/say.h"
#include "client/table.h"
#include "common/cleanup.h"
#include "common/event.h"
#include "common/paths.h"

struct listing {
	const struct ces_strings *filters;
	struct ces_table table;
	char (*live)[CES_RUN_DIGITS + 1];
	size_t n;
};

/* Returns whether a run passes one filter. A part of a name or an image is enough, as in podman. */
static bool is_wanted(const char *filter, const char *name, const char *image, const char *project,
		      const char *status)
{
	const char *value = strchr(filter, '=') + 1;

	if (strncmp(filter, "name=", 5) == 0)
		return name != NULL && strstr(name, value) != NULL;
	if (strncmp(filter, "project=", 8) == 0)
		return project != NULL && strcmp(project, value) == 0;
	if (strncmp(filter, "status=", 7) == 0)
		return strcmp(status, value) == 0 ||
		       (strcmp(status, "ended") == 0 && strcmp(value, "exited") == 0);
	return image != NULL && strstr(image, value) != NULL;
}

static bool all_want(const struct ces_strings *filters, const char *name, const char *image,
		     const char *project, const char *status)
{
	for (size_t i = 0; i < filters->n; i++)
		if (!is_wanted(filters->v[i], name, image, project, status))
			return false;
	return true;
}

/* Whether a filter asks for runs that -a alone lists. */
static bool wants_ended(const struct ces_strings *filters)
{
	for (size_t i = 0; i < filters->n; i++)
		if (strncmp(filters->v[i], "status=", 7) == 0 &&
		    strcmp(filters->v[i] + 7, "running") != 0)
			return true;
	return false;
}

static void add_live(const struct ces_event_run *run, void *context)
{
	struct listing *listing = context;
	char(*grown)[CES_RUN_DIGITS + 1] =
	    reallocarray(listing->live, listing->n + 1, sizeof(*grown));

	if (all_want(listing->filters, run->name, run->image, run->project, "running"))
		ces_table_add_run(&listing->table, run);
	if (grown == NULL)
		return;
	listing->live = grown;
	(void)snprintf(listing->live[listing->n++], sizeof(*grown), "%s", run->run);
}

static void add_ended(const struct ces_kept *kept, void *context)
{
	struct listing *listing = context;

	for (size_t i = 0; i < listing->n; i++)
		if (strcmp(listing->live[i], kept->run) == 0)
			return;
	if (all_want(listing->filters, kept->name, kept->image, kept->project,
		     ces_table_state(kept)))
		ces_table_add_kept(&listing->table, kept);
}

int ces_ps(struct ces_options *options)
{
	struct listing listing = {.filters = &options->filters,
				  .table.kind = options->json    ? CES_TABLE_JSON
						: options->quiet ? CES_TABLE_NAMES
								 : CES_TABLE_RUNS};
	CES_CLEANUP_FD int dir = -1;
	struct ces_error ignored;
	int status = CES_EXIT_REFUSED;

	if (ces_live_each(add_live, &listing) == 0) {
		if ((options->all || wants_ended(&options->filters)) &&
		    ces_kept_open(false, &dir, &ignored) == 0)
			ces_kept_each(dir, add_ended, &listing);
		ces_table_print(&listing.table);
		status = ces_perform_printed();
	}
	ces_table_free(&listing.table);
	free(listing.live);
	return status;
}

/* Shows an ended run by its keeper's notes, and a live run or an image by the helper's report. */
int ces_inspect(struct ces_options *options)
{
	struct ces_table table = {.kind = CES_TABLE_JSON};
	const char *wanted = options->request.run;
	char run[CES_RUN_DIGITS + 1];
	CES_CLEANUP_FD int dir = -1;
	struct ces_error ignored;
	struct ces_kept kept;
	int live = wanted != NULL ? ces_live_find(wanted, false, run) : 1;

	if (live < 0)
		return CES_EXIT_REFUSED;
	if (live > 0)
		return ces_perform(options);
	if (ces_kept_open(false, &dir, &ignored) < 0 || !ces_kept_find(dir, wanted, &kept)) {
		ces_say_error("you have no run %s; ces-client ps -a lists yours; for an image, "
			      "type its whole name",
			      wanted);
		return CES_EXIT_REFUSED;
	}
	ces_table_add_kept(&table, &kept);
	ces_table_print(&table);
	ces_table_free(&table);
	return ces_perform_printed();
}

static int tell_end(const struct ces_kept *kept)
{
	if (kept->text[0] != '\0')
		ces_say("%s", kept->text);
	if (kept->check[0] != '\0')
		ces_say_error("%s", kept->check);
	printf("%d\n", kept->status);
	return ces_perform_printed();
}

int ces_wait(struct ces_options *options)
{
	CES_CLEANUP_FD int dir = -1;
	struct ces_follow follow = CES_FOLLOW_NONE;
	struct ces_error ignored;
	struct ces_kept kept = {0};
	char run[CES_RUN_DIGITS + 1] = "";
	int live, status = CES_EXIT_REFUSED;

	ces_say_only_errors(options->quiet);
	live = ces_live_find(options->request.run, false, run);
	(void)ces_kept_open(false, &dir, &ignored);
	if (live == 0 && (dir < 0 || !ces_kept_find(dir, options->request.run, &kept)))
		ces_say_error("you have no run %s; ces-client ps -a lists yours",
			      options->request.run);
	else if (live == 0)
		(void)snprintf(run, sizeof(run), "%s", kept.run);
	if (run[0] == '\0')
		return CES_EXIT_REFUSED;
	ces_follow_start(&follow, dir, run);
	while ((live = ces_follow_next(&follow, &kept)) > 0)
		;
	if (live == 0 && kept.ended != 0)
		status = tell_end(&kept);
	else if (live == 0 && kept.elsewhere)
		ces_say_error(
		    "run %s runs on %s, or has ended there: type ces-client wait %s there", run,
		    kept.host, run);
	else if (live == 0)
		ces_say_error("run %s has ended; the process that notes how was killed, or could "
			      "not write to ~/.local/state/ces",
			      run);
	ces_follow_end(&follow);
	return status;
}

struct port_search {
	const char *wanted;
	bool found;
};

static void print_ports(const struct ces_event_run *run, void *context)
{
	struct port_search *search = context;

	if (strcmp(run->run, search->wanted) != 0 &&
	    (run->name == NULL || strcmp(run->name, search->wanted) != 0))
		return;
	search->found = true;
	for (size_t i = 0; i < run->ports.n; i++)
		printf("%u/tcp -> 127.0.0.1:%u\n", (unsigned)(run->ports.v[i] & 0xffff),
		       (unsigned)(run->ports.v[i] >> 16 & 0xffff));
}

int ces_port(struct ces_options *options)
{
	struct port_search search = {options->request.run, false};

	if (ces_live_each(print_ports, &search) < 0)
		return CES_EXIT_REFUSED;
	if (!search.found) {
		ces_say_error("you have no live run %s; ces-client ps lists yours", search.wanted);
		return CES_EXIT_REFUSED;
	}
	return ces_perform_printed();
}
