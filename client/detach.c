/* The log keeper of a detached run: a child of the client, with the caller's own rights. It writes
 * the run's output and last event to files. The run is the helper's, and does not depend on the
 * keeper: if the keeper is killed (by a logout, say), the run goes on. The helper then reads and
 * drops what the run writes. */
#include "client/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/advice.h"
#include "client/kept.h"
#include "client/listen.h"
#include "client/outputs.h"
#include "client/say.h"
#include "client/sif.h"
#include "client/turn.h"
#include "client/verbose.h"
#include "common/cleanup.h"
#include "common/event.h"
#include "common/io.h"
#include "common/paths.h"

#define FD_DIR    3
#define FD_ANSWER 4
#define TIMES_MS  100

struct keeper {
	struct ces_session session;
	struct ces_kept kept;
	struct ces_outputs outputs;
	struct ces_turn turn;
	bool again; /* there was no place, so ask again */
	const struct ces_request *request;
	struct ces_options *options;
	int held;      /* the file that says that this process lives (client/kept.h) */
	int log;       /* -1: none yet, or it cannot be written */
	int times;     /* of the log; -1: none */
	int64_t noted; /* when the last was noted */
	size_t size;   /* of the log */
	unsigned logs; /* begun */
	bool started;  /* the log may be written */
	bool answered; /* the user who typed the command has their answer */
	bool final;    /* the helper has sent its last event */
	char bytes[65536];
};

/* Lets the foreground process take the exit status and end. From here on this process is in the
 * background, and holds no fd that another process could wait for. */
static void answer(struct keeper *keeper, int status)
{
	CES_CLEANUP_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	unsigned char byte = (unsigned char)status;

	if (keeper->answered)
		return;
	keeper->answered = true;
	(void)fflush(stdout);
	for (int fd = 0; fd <= STDERR_FILENO && null >= 0; fd++)
		(void)dup2(null, fd);
	(void)!write(FD_ANSWER, &byte, 1);
	(void)close(FD_ANSWER);
}

/* Ten times a second is often enough for people, and limits how fast a run can make this file
 * grow. */
static void note_time(struct keeper *keeper)
{
	struct timespec now;
	int64_t ms;

	clock_gettime(CLOCK_REALTIME, &now);
	ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	if (keeper->times < 0 || (ms >= keeper->noted && ms - keeper->noted < TIMES_MS))
		return;
	keeper->noted = ms;
	if (keeper->size == 0)
		(void)dprintf(keeper->times, "0 %lld %u\n", (long long)ms, keeper->logs);
	else
		(void)dprintf(keeper->times, "%zu %lld\n", keeper->size, (long long)ms);
}

static void open_log(struct keeper *keeper)
{
	keeper->log = ces_kept_log(FD_DIR, keeper->kept.run, false, O_WRONLY | O_CREAT | O_TRUNC);
	ces_cleanup_close(&keeper->times);
	keeper->times =
	    ces_kept_times(FD_DIR, keeper->kept.run, false, O_WRONLY | O_CREAT | O_TRUNC);
	keeper->noted = 0;
	keeper->size = 0;
	keeper->logs++;
	if (keeper->log < 0) {
		if (!keeper->answered)
			ces_say_error("CES keeps no log of this run: %s", strerror(errno));
		keeper->kept.lost = true;
	}
	note_time(keeper);
}

static void note(struct keeper *keeper)
{
	struct ces_error err;

	if (ces_kept_write(FD_DIR, &keeper->kept, &keeper->held, &err) < 0 && !keeper->answered)
		ces_say_failure(&err);
}

static void on_started(void *context, const struct ces_event_started *event)
{
	struct keeper *keeper = context;

	ces_kept_begin(&keeper->kept, keeper->request, event);
	ces_outputs_begin(&keeper->outputs, keeper->request, event);
	keeper->started = true;
	open_log(keeper);
	note(keeper);
	ces_outputs_say(event);
	ces_verbose_chosen(keeper->options);
	ces_sif_compare(keeper->options, event);
}

static void on_done(void *context, const struct ces_event_done *done)
{
	const char *run = done->run != NULL ? done->run : "?";
	int status;

	(void)printf("%s\n", run);
	status = ces_say_flushed(0);
	if (status != 0)
		ces_say_error("run %s goes on: to end it, type ces-client stop %s", run, run);
	answer(context, status);
}

/* Until it is DONE, no program has started. */
static void on_exited(void *context, const struct ces_event_exited *exited)
{
	struct keeper *keeper = context;

	ces_kept_end(&keeper->kept, exited);
	ces_outputs_word(exited, &keeper->kept);
	ces_outputs_settle(&keeper->outputs, &keeper->kept, exited);
	keeper->final = true;
	if (!keeper->answered && keeper->kept.text[0] != '\0')
		ces_say_error("%s", keeper->kept.text);
	if (!keeper->answered && keeper->kept.status == CES_EXIT_NOTFOUND)
		ces_advice_command(keeper->request, keeper->kept.text);
}

/* It was refused, or the helper died. */
static void on_failure(struct keeper *keeper, const char *reason, const char *text)
{
	struct ces_event_exited exited = {.status = CES_EXIT_REFUSED,
					  .reason = (char *)(uintptr_t)reason,
					  .text = (char *)(uintptr_t)text};

	ces_kept_end(&keeper->kept, &exited);
	keeper->final = true;
}

static void on_error(void *context, const struct ces_event_error *error)
{
	struct keeper *keeper = context;

	keeper->again = !keeper->started && ces_turn_take(&keeper->turn, keeper->options, error);
	keeper->final = true;
	if (keeper->again)
		return;
	if (!keeper->answered)
		ces_advice_refusal(error, keeper->options);
	on_failure(keeper, "refused", error->text);
}

static void on_lost(void *context, const struct ces_error *err)
{
	struct keeper *keeper = context;

	if (!keeper->answered)
		ces_say_failure(err);
	on_failure(keeper, "helper died", NULL);
}

static const struct ces_listener listener = {.started = on_started,
					     .exited = on_exited,
					     .error = on_error,
					     .done = on_done,
					     .lost = on_lost};

/* A log that cannot be written must not stop the run: the run's output is dropped, and `logs` says
 * so. */
static void append(struct keeper *keeper, size_t length)
{
	if (keeper->log >= 0 && keeper->size + length > CES_KEPT_LOG_BYTES) {
		close(keeper->log);
		ces_kept_rotate(FD_DIR, keeper->kept.run);
		open_log(keeper);
	}
	note_time(keeper);
	if (keeper->log < 0 || ces_write_full(keeper->log, keeper->bytes, length, -1) < 0)
		keeper->kept.lost = true;
	else
		keeper->size += length;
}

static void take(struct keeper *keeper, int *from)
{
	ssize_t n = read(*from, keeper->bytes, sizeof(keeper->bytes));

	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0)
		ces_cleanup_close(from);
	else
		append(keeper, (size_t)n);
}

static void keep(struct keeper *keeper)
{
	struct ces_session *session = &keeper->session;

	while (!keeper->final || (keeper->started && (session->out >= 0 || session->err >= 0))) {
		struct pollfd fds[] = {
		    {.fd = keeper->final ? -1 : session->events, .events = POLLIN},
		    {.fd = keeper->started ? session->out : -1, .events = POLLIN},
		    {.fd = keeper->started ? session->err : -1, .events = POLLIN},
		};

		if (poll(fds, CES_COUNT(fds), -1) < 0 && errno != EINTR)
			return;
		if (fds[1].revents != 0)
			take(keeper, &session->out);
		if (fds[2].revents != 0)
			take(keeper, &session->err);
		if (fds[0].revents != 0)
			(void)ces_listen(session, &listener, keeper);
	}
}

/* Closes every fd that the client had open, except the two that the keeper needs. These move to 3
 * and 4, so that no pipe to the helper gets their numbers (ces_session_start). */
static int enter_background(int dir, int to)
{
	if (setsid() < 0 || dup2(dir, FD_DIR) < 0 || dup2(to, FD_ANSWER) < 0 ||
	    close_range(FD_ANSWER + 1, ~0U, 0) < 0 || chdir("/") < 0)
		return -1;
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGQUIT, SIG_IGN);
	return 0;
}

/* Returns whether the foreground process still waits for the answer. */
static bool is_awaited(void)
{
	struct pollfd answer = {.fd = FD_ANSWER};

	return poll(&answer, 1, 0) == 0;
}

static void be_keeper(const char *helper, struct ces_options *options, int dir, int to)
{
	static struct keeper keeper = {.held = -1, .log = -1, .times = -1};
	const struct ces_stdio stdio = {.pipes = true, .terminal = -1};
	struct ces_error err = {0};
	int signal_number;

	keeper.request = &options->request;
	keeper.options = options;
	if (enter_background(dir, to) < 0) {
		ces_say_error("cannot go to the background: %s", strerror(errno));
		return;
	}
	ces_turn_begin(&keeper.turn, options);
	do {
		bool asked = keeper.again;

		keeper.final = keeper.again = false;
		if ((asked && ces_mount_choose_again(options, &err) < 0) ||
		    ces_session_start(helper, &stdio, &keeper.session, &err) < 0 ||
		    ces_session_send(&keeper.session, &options->request, &err) < 0) {
			ces_say_failure(&err);
			return;
		}
		keep(&keeper);
		if (keeper.again)
			ces_session_end(&keeper.session);
	} while (keeper.again && ces_turn_pause(-1, &signal_number) && is_awaited());
	if (keeper.started) {
		note(&keeper);
		ces_kept_prune(FD_DIR);
	}
	answer(&keeper, keeper.kept.ended != 0 ? keeper.kept.status : CES_EXIT_REFUSED);
}

static int wait_for_answer(int from)
{
	unsigned char status;

	return ces_read_full(from, &status, 1, -1) == 0 ? status : CES_EXIT_REFUSED;
}

int ces_detach(const char *helper, struct ces_options *options)
{
	uint64_t attached = CES_FLAG_INTERACTIVE | CES_FLAG_TTY;
	CES_CLEANUP_FD int dir = -1;
	CES_CLEANUP_FD int from = -1;
	struct ces_error err;
	int ends[2];
	pid_t pid;

	if (ces_kept_open(true, &dir, &err) < 0) {
		ces_say_failure(&err);
		return CES_EXIT_REFUSED;
	}
	if ((options->request.flags & attached) != 0)
		ces_say("-i and -t have no effect: a detached run has no input and no terminal");
	options->request.flags &= ~attached;
	pid = pipe2(ends, O_CLOEXEC) < 0 ? -1 : fork();
	if (pid < 0) {
		ces_say_error("cannot go to the background: %s", strerror(errno));
		return CES_EXIT_REFUSED;
	}
	if (pid == 0) {
		be_keeper(helper, options, dir, ends[1]);
		_exit(CES_EXIT_REFUSED);
	}
	from = ends[0];
	close(ends[1]);
	return wait_for_answer(from);
}
