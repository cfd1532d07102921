/* One request to the helper: the process, its two pipes, and the container's stdio. The helper must
 * never get a terminal or an open file of the caller's, only pipes that are made here. */
#ifndef CES_CLIENT_SESSION_H
#define CES_CLIENT_SESSION_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/error.h"
#include "common/event.h"
#include "common/request.h"

struct ces_session {
	pid_t pid;
	int request; /* write end: the request, then control frames; closing it ends an attached run
		      */
	int events;  /* read end */
	int in;      /* our ends of the container's stdio, or -1 */
	int out;
	int err;
};

/* The helper's fds 0-2. */
struct ces_stdio {
	bool pipes;   /* out and err are pipes; else /dev/null */
	bool input;   /* with pipes: stdin too */
	int terminal; /* a pty's user side for all three, or -1; the caller closes it */
};
#define CES_STDIO_NONE ((struct ces_stdio){.terminal = -1})

/* Opens /dev/null on fds 0-4 if they are closed, and marks all other fds close-on-exec. Call it
 * first: otherwise a pipe could become fd 1, and be taken for the caller's stdout. */
int ces_session_prepare_fds(struct ces_error *err);

/* Says why this helper cannot work, with the remedy: it is missing, it is not setuid root, or
 * setuid has no effect here. */
int ces_session_check(const char *helper, struct ces_error *err);

/* Starts the helper with an empty environment, default signals and fds 0-4 alone. */
int ces_session_start(const char *helper, const struct ces_stdio *stdio, struct ces_session *ret,
		      struct ces_error *err);

/* Sends the request. A helper that has already answered and ended is no error: its answer is
 * waiting. */
int ces_session_send(struct ces_session *session, const struct ces_request *request,
		     struct ces_error *err);

/* Sends a control frame. It says nothing if the helper is gone. */
void ces_session_control(struct ces_session *session, enum ces_control_kind kind, uint64_t value);

struct ces_event {
	uint16_t type; /* enum ces_frame */
	union {
		struct ces_event_progress progress;
		struct ces_event_started started;
		struct ces_event_exited exited;
		struct ces_event_error error;
		struct ces_event_text text;
		struct ces_event_image image;
		struct ces_event_run run;
		struct ces_event_done done;
	};
};

/* The next event. 1; 0 if the helper is gone; -1 with err. Release it with ces_event_free. */
int ces_session_next(struct ces_session *session, struct ces_event *ret, struct ces_error *err);
void ces_event_free(struct ces_event *event);

/* Returns whether the event is the last one of its request. */
bool ces_event_is_final(const struct ces_event *event);

/* Closes everything and waits until the helper exits, which is all that the helper does after its
 * final event. So the parent of this process, or its reaper, finds no other process. It does not
 * wait longer than two seconds. */
void ces_session_end(struct ces_session *session);

#endif
