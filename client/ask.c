/* Sends one request and shows the answer. It must not decide what the answer means: the last event
 * does. */
#include "client/ask.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client/advice.h"
#include "client/listen.h"
#include "client/progress.h"
#include "client/say.h"
#include "client/signals.h"
#include "client/table.h"
#include "common/cleanup.h"
#include "common/event.h"
#include "common/io.h"
#include "common/paths.h"

#define TICK_MS 500

struct answer {
	struct ces_options *options;
	struct ces_session session;
	struct ces_progress progress;
	struct ces_table table;
	int status;
	int interrupted; /* the signal that ended a pull; 0: none */
};

static void on_progress(void *context, const struct ces_event_progress *event)
{
	struct answer *answer = context;

	ces_progress_update(&answer->progress, event, ces_now_ms());
}

static void on_text(void *context, const struct ces_event_text *event)
{
	(void)context;
	printf("%s\n", event->text);
}

static void on_image(void *context, const struct ces_event_image *event)
{
	struct answer *answer = context;

	ces_table_add_image(&answer->table, event);
}

/* the answer to inspect RUN */
static void on_run(void *context, const struct ces_event_run *event)
{
	struct answer *answer = context;

	ces_table_add_run(&answer->table, event);
}

static void on_exited(void *context, const struct ces_event_exited *event)
{
	struct answer *answer = context;

	answer->status = (int)(event->status & 0xff);
}

static void on_done(void *context, const struct ces_event_done *done)
{
	struct answer *answer = context;
	const struct ces_request *request = &answer->options->request;

	ces_progress_end(&answer->progress);
	answer->status = 0;
	if ((request->flags & CES_FLAG_EXPLAIN) != 0)
		return;
	if (done->digest != NULL)
		(void)snprintf(answer->options->digest, sizeof(answer->options->digest), "%s",
			       done->digest);
	if (request->verb == CES_VERB_PULL && done->up_to_date != 0)
		ces_say("%s is up to date (%s)", request->image,
			done->digest != NULL ? done->digest : "?");
	else if (request->verb == CES_VERB_PULL)
		ces_say("pulled %s (%s)", request->image,
			done->digest != NULL ? done->digest : "?");
	else if (request->verb == CES_VERB_REMOVE)
		ces_say("removed %s", request->image);
	else if (request->verb == CES_VERB_STOP)
		ces_say("run %s has ended", request->run);
}

/* Says where the refused login came from. */
static void tell_token(const struct ces_options *options)
{
	char day[16] = "";
	struct tm parts;
	struct stat st;

	if (options->token_file == NULL || stat(options->token_file, &st) < 0 ||
	    !S_ISREG(st.st_mode) || localtime_r(&st.st_mtime, &parts) == NULL ||
	    strftime(day, sizeof(day), "%Y-%m-%d", &parts) == 0)
		return;
	ces_say_error("the token is from %s, written on %s", options->token_file, day);
}

/* Says where to make a token. Repository hosts are known by their names. */
static void tell_how(const char *image)
{
	static const struct {
		const char *host, *how;
	} known[] = {
	    {"ghcr.io",
	     "GitHub: Settings, Developer settings, Personal access tokens (classic), with "
	     "the scope read:packages"},
	    {"docker.io", "Docker Hub: Account settings, Personal access tokens, read-only"},
	    {"quay.io", "Quay: a robot account of the organisation, with the right to read"},
	    {"git", "GitLab: the project's Settings, Repository, Deploy tokens, with the scope "
		    "read_registry"},
	};
	struct ces_reference reference;
	struct ces_error ignored;

	if (image == NULL || ces_reference_parse(image, &reference, &ignored) < 0)
		return;
	for (size_t i = 0; i < CES_COUNT(known); i++)
		if (strncmp(reference.registry, known[i].host, strlen(known[i].host)) == 0) {
			ces_say_error("make a token at %s", known[i].how);
			return;
		}
	ces_say_error("ask those who run %s for a token that may read this image",
		      reference.registry);
}

static void on_error(void *context, const struct ces_event_error *error)
{
	struct answer *answer = context;
	struct ces_options *options = answer->options;
	struct ces_event_error refusal = *error;
	bool login = error->rule != NULL && strcmp(error->rule, "registries.credentials") == 0;

	ces_progress_end(&answer->progress);
	/* (it ended by itself after stop --all had listed it) */
	if (options->request.verb == CES_VERB_STOP && options->all &&
	    error->code == CES_E_NOTFOUND) {
		answer->status = 0;
		return;
	}
	if (options->may_ask_login && login) {
		options->login_wanted = true;
		return;
	}
	if (login)
		refusal.contact = NULL; /* has no token to give */
	ces_advice_refusal(&refusal, options);
	if (login) {
		tell_token(options);
		tell_how(options->request.image);
	}
}

static void on_lost(void *context, const struct ces_error *err)
{
	struct answer *answer = context;

	ces_progress_end(&answer->progress);
	ces_say_failure(err);
}

static const struct ces_listener listener = {.progress = on_progress,
					     .text = on_text,
					     .image = on_image,
					     .run = on_run,
					     .exited = on_exited,
					     .error = on_error,
					     .done = on_done,
					     .lost = on_lost};

/* The helper ends the pull, and answers when nothing of the pull is left. A user who interrupts
 * again does not want to wait for that: closing the pipe ends the pull as well. */
static bool interrupt(struct answer *answer, int number)
{
	bool again = answer->interrupted != 0;

	if (number == 0)
		return true;
	answer->interrupted = number;
	ces_progress_end(&answer->progress);
	if (!again)
		ces_session_control(&answer->session, CES_CONTROL_SIGNAL, (uint64_t)number);
	return !again;
}

static void follow(struct answer *answer, int signals)
{
	bool more = true;

	while (more) {
		struct pollfd fds[] = {{.fd = answer->session.events, .events = POLLIN},
				       {.fd = signals, .events = POLLIN}};

		if (poll(fds, CES_COUNT(fds), TICK_MS) == 0 && answer->interrupted == 0)
			ces_progress_tick(&answer->progress, ces_now_ms());
		if (fds[1].revents != 0)
			more = interrupt(answer, ces_signals_next(signals));
		if (fds[0].revents != 0 && more)
			more = ces_listen(&answer->session, &listener, answer);
	}
}

/* Takes over the signals of a pull: a pull that dies at once leaves files behind. */
static int take_signals(const struct ces_options *options)
{
	static const int interrupts[] = {SIGINT, SIGTERM, SIGHUP};

	if (options->request.verb != CES_VERB_PULL)
		return -1;
	return ces_signals_take(interrupts, CES_COUNT(interrupts));
}

static enum ces_table_kind table_kind(const struct ces_options *options)
{
	switch ((enum ces_verb)options->request.verb) {
	case CES_VERB_IMAGES:
		return options->json    ? CES_TABLE_JSON
		       : options->quiet ? CES_TABLE_NAMES
					: CES_TABLE_IMAGES;
	case CES_VERB_INSPECT:
		return CES_TABLE_JSON;
	case CES_VERB_PULL:
	case CES_VERB_RUN:
	case CES_VERB_RUNS: /* ces_ps asks by itself */
	case CES_VERB_REMOVE:
	case CES_VERB_STOP:
	case CES_VERB_CLEAN:
	default:
		return CES_TABLE_NONE;
	}
}

int ces_ask(const char *helper, struct ces_options *options)
{
	struct answer answer = {.options = options,
				.table.kind = table_kind(options),
				.table.digests = options->digests,
				.status = CES_EXIT_REFUSED};
	CES_CLEANUP_FD int signals = -1;
	struct ces_error err;

	ces_progress_start(&answer.progress, !options->quiet, STDERR_FILENO);
	signals = take_signals(options);
	if (ces_session_start(helper, &CES_STDIO_NONE, &answer.session, &err) < 0) {
		ces_say_failure(&err);
		return CES_EXIT_REFUSED;
	}
	if (ces_session_send(&answer.session, &options->request, &err) < 0)
		ces_say_failure(&err);
	else
		follow(&answer, signals);
	ces_session_end(&answer.session);
	if (answer.status == 0)
		ces_table_print(&answer.table);
	else if (answer.interrupted != 0)
		answer.status = 128 + answer.interrupted;
	ces_table_free(&answer.table);
	ces_progress_free(&answer.progress);
	return ces_say_flushed(answer.status);
}
