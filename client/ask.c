/* Sends one request and shows the answer. It must not decide what the answer means: the last event
 * does. */
#include "client/ask.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/progress.h"
#include "client/say.h"
#include "client/session.h"
#include "client/table.h"
#include "common/cleanup.h"
#include "common/io.h"
#include "common/paths.h"

#define TICK_MS 500

struct answer {
	struct ces_options *options;
	struct ces_progress *progress;
	struct ces_table *table;
	int status;
};

static void on_done(struct answer *answer, const struct ces_event_done *done)
{
	const struct ces_request *request = &answer->options->request;

	answer->status = 0;
	if ((request->flags & CES_FLAG_EXPLAIN) != 0)
		return;
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

static void on_error(struct answer *answer, const struct ces_event_error *error)
{
	ces_progress_end(answer->progress);
	if (answer->options->may_ask_login && error->rule != NULL &&
	    strcmp(error->rule, "registries.credentials") == 0)
		answer->options->login_wanted = true;
	else
		ces_say_refusal(error);
}

static void on_event(struct answer *answer, struct ces_event *event)
{
	switch ((enum ces_frame)event->type) {
	case CES_FRAME_PROGRESS:
		ces_progress_update(answer->progress, &event->progress, ces_now_ms());
		break;
	case CES_FRAME_TEXT:
		ces_text_clean(event->text.text);
		printf("%s\n", event->text.text);
		break;
	case CES_FRAME_IMAGE:
		ces_table_add_image(answer->table, &event->image);
		break;
	case CES_FRAME_RUN:
		ces_table_add_run(answer->table, &event->run);
		break;
	case CES_FRAME_EXITED:
		answer->status = (int)(event->exited.status & 0xff);
		break;
	case CES_FRAME_ERROR:
		on_error(answer, &event->error);
		break;
	case CES_FRAME_DONE:
		ces_progress_end(answer->progress);
		on_done(answer, &event->done);
		break;
	case CES_FRAME_STARTED:
	case CES_FRAME_REQUEST:
	case CES_FRAME_CONTROL:
	case CES_FRAME_FETCH_OPEN:
	case CES_FRAME_FETCH_GET:
	case CES_FRAME_FETCH_STATUS:
	case CES_FRAME_UNPACK_JOB:
	case CES_FRAME_UNPACK_MANIFEST:
	case CES_FRAME_UNPACK_LAYER:
	case CES_FRAME_UNPACK_ERROR:
	case CES_FRAME_RELAY_JOB:
	case CES_FRAME_RELAY_REPORT:
	case CES_FRAME_IMAGE_RECORD:
	case CES_FRAME_GRANT:
	case CES_FRAME_RUN_RECORD:
	default:
		break;
	}
}

/* An event never comes in parts: the helper writes each in one go, so reading it does not wait. */
static void await_event(struct ces_session *session, struct ces_progress *progress)
{
	struct pollfd events = {.fd = session->events, .events = POLLIN};

	while (poll(&events, 1, TICK_MS) == 0)
		ces_progress_tick(progress, ces_now_ms());
}

static void follow(struct ces_session *session, struct answer *answer)
{
	bool final = false;

	while (!final) {
		struct ces_event event = {0};
		struct ces_error err;
		int result;

		await_event(session, answer->progress);
		result = ces_session_next(session, &event, &err);
		if (result <= 0) {
			ces_progress_end(answer->progress);
			if (result < 0)
				ces_say_failure(&err);
			else
				ces_say_error("the helper ended without an answer");
			return;
		}
		on_event(answer, &event);
		final = ces_event_is_final(&event);
		ces_event_free(&event);
	}
}

static enum ces_table_kind table_kind(const struct ces_options *options)
{
	switch ((enum ces_verb)options->request.verb) {
	case CES_VERB_IMAGES:
		return options->json ? CES_TABLE_JSON : CES_TABLE_IMAGES;
	case CES_VERB_RUNS:
		return options->json ? CES_TABLE_JSON : CES_TABLE_RUNS;
	case CES_VERB_INSPECT:
		return CES_TABLE_JSON;
	case CES_VERB_PULL:
	case CES_VERB_RUN:
	case CES_VERB_REMOVE:
	case CES_VERB_STOP:
	default:
		return CES_TABLE_NONE;
	}
}

/* A listing that did not arrive is a failure, unless its reader simply stopped reading. */
static int finish_stdout(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (errno != EPIPE)
		ces_say_error("cannot write stdout: %s", strerror(errno));
	return CES_EXIT_REFUSED;
}

int ces_ask(const char *helper, struct ces_options *options)
{
	struct ces_progress progress = {0};
	struct ces_table table = {.kind = table_kind(options)};
	struct answer answer = {options, &progress, &table, CES_EXIT_REFUSED};
	struct ces_session session;
	struct ces_error err;

	ces_progress_start(&progress, !options->quiet, STDERR_FILENO);
	if (ces_session_start(helper, &CES_STDIO_NONE, &session, &err) < 0) {
		ces_say_failure(&err);
		return CES_EXIT_REFUSED;
	}
	if (ces_session_send(&session, &options->request, &err) < 0)
		ces_say_failure(&err);
	else
		follow(&session, &answer);
	ces_session_end(&session);
	if (answer.status == 0)
		ces_table_print(&table);
	ces_table_free(&table);
	ces_progress_free(&progress);
	return finish_stdout(answer.status);
}
