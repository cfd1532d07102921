/* An attached run: one poll loop over the events, the signals and the three streams. The helper
 * decides everything. This loop must not end before it has passed on everything that the container
 * wrote. */
#include "client/run.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "client/advice.h"
#include "client/ask.h"
#include "client/detach.h"
#include "client/kept.h"
#include "client/listen.h"
#include "client/missing.h"
#include "client/outputs.h"
#include "client/relay.h"
#include "client/say.h"
#include "client/sif.h"
#include "client/signals.h"
#include "client/terminal.h"
#include "client/turn.h"
#include "client/verbose.h"
#include "common/cleanup.h"
#include "common/event.h"
#include "common/io.h"
#include "common/paths.h"

#define CLEANING_MS 2000 /* a clean-up that takes longer is mentioned */

enum { EVENTS, SIGNALS, OUT, ERR, IN, POLLED };

struct run {
	struct ces_options *options;
	struct ces_turn turn;
	bool waits; /* --wait: stdin is not read before the run starts */
	bool again; /* there was no place, so ask again */
	struct ces_session session;
	struct ces_terminal terminal;
	struct ces_stream out, err, in;
	int signals;
	int signal;      /* the last that came; 0: none */
	int64_t silent;  /* when the program's output ended; 0: it has not */
	bool announced;  /* the user knows that CES is cleaning up */
	unsigned wishes; /* signals that ask to end, since then */
	bool left;       /* the user does not wait for the clean-up */
	bool final;      /* the helper has sent its last event */
	bool missing;    /* the image is not here */
	int status;
	struct ces_kept kept;
	int held; /* the file that says that this process lives (client/kept.h) */
	struct ces_outputs outputs;
};

static int take_signals(void)
{
	static const int forwarded[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,
					SIGUSR1, SIGUSR2, SIGWINCH};

	return ces_signals_take(forwarded, CES_COUNT(forwarded));
}

static void announce(struct run *run)
{
	if (!run->announced)
		ces_say("the program has ended or writes no more, and CES is cleaning up; a second "
			"Ctrl-C leaves that to the helper");
	run->announced = true;
}

/* The clean-up may take minutes, and the helper reads no signal then. It goes on without a client.
 * Returns whether to leave. */
static bool leave(struct run *run, int number)
{
	if (run->silent == 0 || number == SIGUSR1 || number == SIGUSR2)
		return false;
	run->left = run->wishes++ > 0;
	if (run->left)
		run->status = 128 + number;
	else
		announce(run);
	return run->left;
}

static void on_signal(struct run *run)
{
	int number = ces_signals_next(run->signals);

	if (number == 0)
		return;
	if (number == SIGWINCH) {
		uint64_t window = ces_terminal_resize(&run->terminal);

		if (window != 0)
			ces_session_control(&run->session, CES_CONTROL_WINDOW, window);
		return;
	}
	run->signal = number;
	if (!run->final && leave(run, number))
		return;
	if (!run->final) {
		ces_session_control(&run->session, CES_CONTROL_SIGNAL, (uint64_t)number);
		return;
	}
	/* Nothing is left to signal: the reader of our output is slow, and the user wants to
	 * stop. */
	ces_stream_close(&run->out);
	ces_stream_close(&run->err);
}

/* Begins to read stdin. With --wait it must not begin before the run has started: everything that
 * it reads is the program's. */
static void open_input(struct run *run)
{
	bool terminal = run->terminal.master >= 0;

	if ((run->options->request.flags & CES_FLAG_INTERACTIVE) == 0)
		return;
	ces_terminal_raw(&run->terminal);
	ces_stream_start(&run->in, STDIN_FILENO, false,
			 terminal ? run->terminal.master : ces_steal_fd(&run->session.in),
			 !terminal);
}

/* For ps -a, wait and logs. If the home cannot be written, it stays silent. */
static void keep(struct run *run)
{
	CES_CLEANUP_FD int dir = -1;
	struct ces_error ignored;

	if (ces_kept_open(true, &dir, &ignored) == 0 &&
	    ces_kept_write(dir, &run->kept, &run->held, &ignored) == 0 && run->kept.ended != 0)
		ces_kept_prune(dir);
}

static void on_started(void *context, const struct ces_event_started *started)
{
	struct run *run = context;

	if (run->waits)
		open_input(run);
	ces_kept_begin(&run->kept, &run->options->request, started);
	keep(run);
	ces_outputs_begin(&run->outputs, &run->options->request, started);
	ces_outputs_say(started);
	ces_verbose_chosen(run->options);
	ces_sif_compare(run->options, started);
}

static void on_exited(void *context, const struct ces_event_exited *exited)
{
	struct run *run = context;
	struct ces_kept *kept = &run->kept;

	ces_kept_end(kept, exited);
	run->status = kept->status;
	if (run->status == CES_EXIT_NOTFOUND && strcmp(kept->reason, "not found") == 0)
		/* (the runtime has said the rest) */
		ces_advice_command(&run->options->request, kept->text);
	else if (kept->text[0] != '\0')
		ces_say_error("%s", kept->text);
	else if (strstr(kept->reason, "limit") != NULL)
		ces_say_error("the run was ended: %s", kept->reason);
	ces_outputs_word(exited, kept);
	if (kept->check[0] != '\0')
		ces_say_error("%s", kept->check);
	ces_outputs_settle(&run->outputs, kept, exited);
	keep(run);
}

static void on_error(void *context, const struct ces_event_error *error)
{
	struct run *run = context;

	run->again = ces_turn_take(&run->turn, run->options, error);
	if (run->again)
		return;
	ces_advice_refusal(error, run->options);
	run->missing = error->code == CES_E_NOTFOUND && error->text != NULL &&
		       strncmp(error->text, "you have no image", strlen("you have no image")) == 0;
}

static void on_text(void *context, const struct ces_event_text *text)
{
	(void)context;
	ces_say("%s", text->text);
}

static void on_done(void *context, const struct ces_event_done *done)
{
	struct run *run = context;

	(void)done;
	run->status = 0;
}

static const struct ces_listener listener = {.started = on_started,
					     .exited = on_exited,
					     .error = on_error,
					     .text = on_text,
					     .done = on_done};

/* When nobody has the container's terminal any more, the user has theirs again: what they type is
 * for their shell, and Ctrl-C is a signal. */
static void notice_silence(struct run *run)
{
	if (run->silent != 0 || ces_stream_open(&run->out) || ces_stream_open(&run->err))
		return;
	run->silent = ces_now_ms();
	if (run->terminal.master < 0)
		return;
	ces_stream_close(&run->in);
	ces_terminal_restore(&run->terminal);
}

/* In milliseconds; -1: until something happens. */
static int time_to_announce(struct run *run)
{
	int64_t left;

	if (run->terminal.master < 0 || run->silent == 0 || run->announced || run->final)
		return -1;
	left = run->silent + CLEANING_MS - ces_now_ms();
	if (left > 0)
		return (int)left;
	announce(run);
	return -1;
}

/* The line about a run comes before its output: it would break up what the program has on the
 * terminal. The helper sends it when the program begins. */
static struct pollfd poll_output(const struct run *run, const struct ces_stream *stream)
{
	if (run->kept.started == 0 && !run->final)
		return (struct pollfd){.fd = -1};
	return ces_stream_poll(stream);
}

static void loop(struct run *run)
{
	while (!run->left &&
	       (!run->final || ces_stream_open(&run->out) || ces_stream_open(&run->err))) {
		struct pollfd polled[POLLED] = {
		    [EVENTS] = {.fd = run->final ? -1 : run->session.events, .events = POLLIN},
		    [SIGNALS] = {.fd = run->signals, .events = POLLIN},
		    [OUT] = poll_output(run, &run->out),
		    [ERR] = poll_output(run, &run->err),
		    [IN] = ces_stream_poll(&run->in),
		};

		if (poll(polled, POLLED, time_to_announce(run)) < 0) {
			if (errno == EINTR)
				continue;
			return;
		}
		if (polled[SIGNALS].revents != 0)
			on_signal(run);
		if (polled[OUT].revents != 0)
			ces_stream_step(&run->out);
		if (polled[ERR].revents != 0)
			ces_stream_step(&run->err);
		if (polled[IN].revents != 0)
			ces_stream_step(&run->in);
		/* the user's terminal is gone, and its HUP has not ended the program: the helper
		 * then ends the run, as it does when this process is gone */
		if (run->terminal.master >= 0 &&
		    (run->out.failed || (polled[IN].revents != 0 && !ces_stream_open(&run->in))))
			ces_cleanup_close(&run->session.request);
		notice_silence(run);
		if (polled[EVENTS].revents != 0)
			run->final = !ces_listen(&run->session, &listener, run);
		if (run->final)
			ces_stream_close(&run->in);
	}
}

/* Hands the session's stdio to the streams. */
static void connect_streams(struct run *run)
{
	struct ces_session *session = &run->session;

	ces_stream_none(&run->out);
	ces_stream_none(&run->err);
	ces_stream_none(&run->in);
	if (run->terminal.master >= 0) {
		ces_stream_start(&run->out, run->terminal.master, false, STDOUT_FILENO, false);
		return;
	}
	ces_stream_start(&run->out, ces_steal_fd(&session->out), true, STDOUT_FILENO, false);
	ces_stream_start(&run->err, ces_steal_fd(&session->err), true, STDERR_FILENO, false);
}

static int start(const char *helper, struct run *run, struct ces_options *options,
		 struct ces_error *err)
{
	struct ces_stdio stdio = {.pipes = true, .terminal = -1};
	int result;

	stdio.input = (options->request.flags & CES_FLAG_INTERACTIVE) != 0;
	if ((options->request.flags & CES_FLAG_TTY) != 0 &&
	    ces_terminal_open(&run->terminal, err) < 0)
		return -1;
	if (run->terminal.master >= 0)
		stdio = (struct ces_stdio){.terminal = run->terminal.slave};
	result = ces_session_start(helper, &stdio, &run->session, err);
	ces_cleanup_close(&run->terminal.slave);
	if (result < 0)
		return -1;
	connect_streams(run);
	if (ces_session_send(&run->session, &options->request, err) < 0) {
		ces_session_end(&run->session);
		return -1;
	}
	return 0;
}

/* A program that ended well, and whose results did not arrive, has not ended well for a script. */
static void tell_lost_output(struct run *run, const struct ces_stream *stream, const char *name)
{
	if (!stream->failed)
		return;
	ces_say_error("cannot write %s: %s", name, strerror(stream->error));
	if (run->status == 0)
		run->status = CES_EXIT_REFUSED;
}

/* Opt-files that also serve batch jobs ask for a terminal where there is none. The run then goes on
 * without one, as with other engines. */
static void adapt_terminal(struct ces_options *options)
{
	if ((options->request.flags & CES_FLAG_TTY) == 0 ||
	    (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)))
		return;
	ces_say("-t has no effect: there is no terminal here");
	options->request.flags &= ~(uint64_t)CES_FLAG_TTY;
}

static void run_once(const char *helper, struct run *run)
{
	struct ces_options *options = run->options;
	struct ces_error err;
	bool asked = run->again;

	run->final = run->again = run->announced = false;
	run->silent = 0;
	if ((asked && ces_mount_choose_again(options, &err) < 0) ||
	    start(helper, run, options, &err) < 0) {
		ces_say_failure(&err);
		ces_terminal_close(&run->terminal);
		return;
	}
	if (!run->waits)
		open_input(run);
	loop(run);
	tell_lost_output(run, &run->out, "stdout");
	tell_lost_output(run, &run->err, "stderr");
	ces_session_end(&run->session);
	ces_terminal_close(&run->terminal);
}

/* Returns whether to ask again. It does not after a signal, which may have come while the helper
 * was asked. */
static bool pause_between(struct run *run)
{
	int number = run->signal;

	if (number == 0 && (ces_turn_pause(run->signals, &number) || number == SIGWINCH))
		return true;
	run->status = 128 + number;
	return false;
}

int ces_run(const char *helper, struct ces_options *options)
{
	struct run run = {.options = options,
			  .status = CES_EXIT_REFUSED,
			  .terminal = CES_TERMINAL_NONE,
			  .held = -1,
			  .kept.attached = true};

	if ((options->request.flags & CES_FLAG_EXPLAIN) != 0)
		return ces_ask(helper, options);
	if ((options->request.flags & CES_FLAG_DETACH) != 0)
		return ces_detach(helper, options);
	adapt_terminal(options);
	run.signals = take_signals();
	if (run.signals < 0) {
		ces_say_error("cannot receive signals: %s", strerror(errno));
		return CES_EXIT_REFUSED;
	}
	run.waits = (options->request.flags & CES_FLAG_WAIT) != 0;
	ces_turn_begin(&run.turn, options);
	do
		run_once(helper, &run);
	while (run.again && pause_between(&run));
	close(run.signals);
	if (run.missing)
		ces_missing_image(options->request.image);
	return run.status;
}
