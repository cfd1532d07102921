/* Starts the helper and speaks its protocol. It must not decide anything, and must not give the
 * helper an fd that it did not make itself. */
#include "client/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/event.h"
#include "common/frame.h"
#include "common/io.h"
#include "common/schema.h"
#include "common/wire_stream.h"

#define HELPER_FDS 5
#define SEND_MS    15000 /* (longer than the helper waits for a whole request) */
#define EXIT_MS    2000

int ces_session_prepare_fds(struct ces_error *err)
{
	for (int fd = 0; fd < HELPER_FDS; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		/* This is the lowest free number, because all below are open. */
		if (open("/dev/null", O_RDWR | (fd > STDERR_FILENO ? O_CLOEXEC : 0)) != fd)
			return ces_error_errno(err, CES_E_HOST, "cannot open /dev/null");
	}
	if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return ces_error_errno(err, CES_E_HOST, "close_range");
	return 0;
}

int ces_session_check(const char *helper, struct ces_error *err)
{
	struct statvfs fs;
	struct stat st;

	if (stat(helper, &st) < 0)
		return ces_error_errno(err, CES_E_HOST, "cannot use %s (install CES again)",
				       helper);
	if (geteuid() == 0)
		return 0;
	if (st.st_uid != 0 || (st.st_mode & S_ISUID) == 0)
		return ces_error_set(
		    err, CES_E_HOST,
		    "%s is not setuid root: as root, type: chown root:root %s && chmod "
		    "4755 %s",
		    helper, helper, helper);
	if (statvfs(helper, &fs) == 0 && (fs.f_flag & ST_NOSUID) != 0)
		return ces_error_set(err, CES_E_HOST,
				     "%s is on a file system mounted nosuid: your administrator "
				     "must install CES elsewhere, or mount it without nosuid",
				     helper);
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return ces_error_set(
		    err, CES_E_HOST,
		    "this session may not start setuid programs (no_new_privs is set): use "
		    "another login or terminal");
	return 0;
}

/* The ends of every pipe, ours and the helper's: [0] to read, [1] to write. */
struct pipes {
	int request[2], events[2], in[2], out[2], err[2];
	int null;
};

static void close_both(int pair[2])
{
	ces_cleanup_close(&pair[0]);
	ces_cleanup_close(&pair[1]);
}

static void close_pipes(struct pipes *pipes)
{
	close_both(pipes->request);
	close_both(pipes->events);
	close_both(pipes->in);
	close_both(pipes->out);
	close_both(pipes->err);
	ces_cleanup_close(&pipes->null);
}

static int make_pipes(const struct ces_stdio *stdio, struct pipes *pipes, struct ces_error *err)
{
	*pipes = (struct pipes){{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}, -1};
	if (pipe2(pipes->request, O_CLOEXEC) < 0 || pipe2(pipes->events, O_CLOEXEC) < 0 ||
	    (stdio->pipes &&
	     (pipe2(pipes->out, O_CLOEXEC) < 0 || pipe2(pipes->err, O_CLOEXEC) < 0)) ||
	    (stdio->pipes && stdio->input && pipe2(pipes->in, O_CLOEXEC) < 0))
		return ces_error_errno(err, CES_E_HOST, "cannot make a pipe");
	pipes->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (pipes->null < 0)
		return ces_error_errno(err, CES_E_HOST, "cannot open /dev/null");
	return 0;
}

static int or_null(int fd, const struct ces_stdio *stdio, const struct pipes *pipes)
{
	if (stdio->terminal >= 0)
		return stdio->terminal;
	return fd >= 0 ? fd : pipes->null;
}

/* All sources are above fd 4 (by ces_session_prepare_fds), so no dup2 can overwrite the source of
 * another. */
static int spawn(const char *helper, const struct ces_stdio *stdio, const struct pipes *pipes,
		 pid_t *ret)
{
	static char name[] = "ces-helper";
	char *const argv[] = {name, NULL};
	char *const environment[] = {NULL};
	const int fds[HELPER_FDS] = {
	    or_null(pipes->in[0], stdio, pipes),
	    or_null(pipes->out[1], stdio, pipes),
	    or_null(pipes->err[1], stdio, pipes),
	    pipes->request[0],
	    pipes->events[1],
	};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t all, none;
	int error;

	sigfillset(&all);
	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	for (int fd = 0; fd < HELPER_FDS; fd++)
		posix_spawn_file_actions_adddup2(&actions, fds[fd], fd);
	error = posix_spawn(ret, helper, &actions, &attributes, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return error;
}

int ces_session_start(const char *helper, const struct ces_stdio *stdio, struct ces_session *ret,
		      struct ces_error *err)
{
	struct pipes pipes;
	pid_t pid;
	int error;

	if (make_pipes(stdio, &pipes, err) < 0) {
		close_pipes(&pipes);
		return -1;
	}
	error = spawn(helper, stdio, &pipes, &pid);
	if (error != 0) {
		close_pipes(&pipes);
		errno = error;
		return ces_error_errno(err, CES_E_HOST, "cannot start %s", helper);
	}
	*ret = (struct ces_session){
	    .pid = pid,
	    .request = ces_steal_fd(&pipes.request[1]),
	    .events = ces_steal_fd(&pipes.events[0]),
	    .in = ces_steal_fd(&pipes.in[1]),
	    .out = ces_steal_fd(&pipes.out[0]),
	    .err = ces_steal_fd(&pipes.err[0]),
	};
	close_pipes(&pipes);
	/* A helper that hangs must not hang the client at a full pipe. */
	fcntl(ret->request, F_SETFL, O_WRONLY | O_NONBLOCK);
	return 0;
}

int ces_session_send(struct ces_session *session, const struct ces_request *request,
		     struct ces_error *err)
{
	uint8_t *frame;
	size_t length;
	int result;

	if (ces_wire_encode(&ces_request_schema, request, &frame, &length, err) < 0)
		return -1;
	result = ces_write_full(session->request, frame, length, ces_now_ms() + SEND_MS);
	explicit_bzero(frame, length);
	free(frame);
	if (result < 0 && errno != EPIPE)
		return ces_error_errno(err, CES_E_HOST, "the helper does not accept the request");
	return 0;
}

void ces_session_control(struct ces_session *session, enum ces_control_kind kind, uint64_t value)
{
	const uint64_t kind_bytes = htole64(kind), value_bytes = htole64(value);
	struct ces_control control;

	memcpy(control.head, CES_CONTROL_HEAD, sizeof(control.head));
	memcpy(control.kind, &kind_bytes, sizeof(control.kind));
	memcpy(control.between, CES_CONTROL_BETWEEN, sizeof(control.between));
	memcpy(control.value, &value_bytes, sizeof(control.value));
	if (session->request < 0)
		return;
	if (ces_write_full(session->request, &control, sizeof(control), ces_now_ms() + 100) < 0)
		return; /* it is gone, or it hangs: the event pipe shows which */
}

static const struct ces_wire_schema *schema_of(uint16_t type)
{
	static const struct ces_wire_schema *const schemas[] = {
	    &ces_event_progress_schema, &ces_event_started_schema, &ces_event_exited_schema,
	    &ces_event_error_schema,    &ces_event_text_schema,    &ces_event_image_schema,
	    &ces_event_run_schema,      &ces_event_done_schema,
	};

	for (size_t i = 0; i < CES_COUNT(schemas); i++) {
		if (schemas[i]->type == type)
			return schemas[i];
	}
	return NULL;
}

int ces_session_next(struct ces_session *session, struct ces_event *ret, struct ces_error *err)
{
	CES_CLEANUP_FREE uint8_t *frame = NULL;
	const struct ces_wire_schema *schema;
	size_t length;
	uint16_t type;
	int result;

	result =
	    ces_wire_read(session->events, CES_WIRE_REQUEST_MAX, -1, &frame, &length, &type, err);
	if (result <= 0)
		return result;
	schema = schema_of(type);
	if (schema == NULL)
		return ces_error_set(
		    err, CES_E_INTERNAL,
		    "the helper sent an unknown event %u: client and helper are of "
		    "different versions",
		    type);
	/* All event structs begin with `memory`, and the union is as large as the largest. */
	if (ces_wire_decode(schema, frame, length, &ret->progress, err) < 0)
		return -1;
	ret->type = type;
	return 1;
}

void ces_event_free(struct ces_event *event)
{
	const struct ces_wire_schema *schema = schema_of(event->type);

	if (schema != NULL)
		ces_wire_free(schema, &event->progress);
	event->type = 0;
}

bool ces_event_is_final(const struct ces_event *event)
{
	return event->type == CES_FRAME_EXITED || event->type == CES_FRAME_DONE ||
	       event->type == CES_FRAME_ERROR;
}

static void reap(pid_t pid)
{
	CES_CLEANUP_FD int helper = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd ended = {.fd = helper, .events = POLLIN};

	if (helper >= 0 && poll(&ended, 1, EXIT_MS) > 0)
		(void)waitpid(pid, NULL, 0);
}

void ces_session_end(struct ces_session *session)
{
	ces_cleanup_close(&session->in);
	ces_cleanup_close(&session->out);
	ces_cleanup_close(&session->err);
	ces_cleanup_close(&session->request);
	ces_cleanup_close(&session->events);
	reap(session->pid);
}
