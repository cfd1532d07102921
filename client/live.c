/* Asks the helper which runs live. */
#include "client/live.h"

#include <stdio.h>
#include <string.h>

#include "client/listen.h"
#include "client/say.h"
#include "common/event.h"
#include "common/paths.h"

struct live {
	void (*each)(const struct ces_event_run *, void *);
	void *context;
	bool quiet;
	int status;
};

static void on_run(void *context, const struct ces_event_run *run)
{
	const struct live *live = context;

	live->each(run, live->context);
}

static void on_error(void *context, const struct ces_event_error *error)
{
	const struct live *live = context;

	if (!live->quiet)
		ces_say_refusal(error);
}

static void on_lost(void *context, const struct ces_error *err)
{
	const struct live *live = context;

	if (!live->quiet)
		ces_say_failure(err);
}

static void on_done(void *context, const struct ces_event_done *done)
{
	struct live *live = context;

	(void)done;
	live->status = 0;
}

static int ask(struct live *live)
{
	static const struct ces_listener listener = {
	    .run = on_run, .error = on_error, .done = on_done, .lost = on_lost};
	const struct ces_request request = {.verb = CES_VERB_RUNS};
	struct ces_error err;

	if (ces_session_check(CES_HELPER_PATH, &err) < 0 ||
	    ces_listen_to(CES_HELPER_PATH, &request, &listener, live, &err) < 0)
		on_lost(live, &err);
	return live->status;
}

int ces_live_each(void (*each)(const struct ces_event_run *, void *), void *context)
{
	struct live live = {.each = each, .context = context, .status = -1};

	return ask(&live);
}

struct search {
	const char *wanted;
	char *run;
	bool found;
};

static void look(const struct ces_event_run *run, void *context)
{
	struct search *search = context;

	if (strcmp(run->run, search->wanted) != 0 &&
	    (run->name == NULL || strcmp(run->name, search->wanted) != 0))
		return;
	(void)snprintf(search->run, CES_RUN_DIGITS + 1, "%s", run->run);
	search->found = true;
}

int ces_live_find(const char *run, bool quiet, char ret[CES_RUN_DIGITS + 1])
{
	struct search search = {run, ret, false};
	struct live live = {.each = look, .context = &search, .quiet = quiet, .status = -1};

	return ask(&live) < 0 ? -1 : search.found;
}
