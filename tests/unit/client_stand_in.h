/* Runs a client as a process, with stdio of the test's choice, and a stand-in for the helper: a
 * test program that is started as ces-helper does what the image's name says. The tests in e2e/ try
 * the real helper. */
#ifndef CES_TESTS_CLIENT_STAND_IN_H
#define CES_TESTS_CLIENT_STAND_IN_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "client/run.h"
#include "client/say.h"
#include "client/session.h"
#include "common/cleanup.h"
#include "common/event.h"
#include "common/schema.h"
#include "common/io.h"
#include "common/wire_stream.h"

#define BIG        (3u << 20)
#define REQUEST_FD 3
#define EVENT_FD   4

/* ---- the stand-in for the helper ---- */

static void exited(unsigned status, const char *text)
{
	const struct ces_event_exited event = {
	    .status = status, .reason = (char[]){"exit"}, .text = (char *)text};

	ces_wire_send(EVENT_FD, &ces_event_exited_schema, &event, -1, NULL);
}

/* Before this the client passes on no output. */
static void began(void)
{
	const struct ces_event_started event = {.run = (char[]){"0123456789"}};

	ces_wire_send(EVENT_FD, &ces_event_started_schema, &event, -1, NULL);
}

static void write_pattern(int fd, size_t length)
{
	char buffer[4096];

	for (size_t done = 0; done < length; done += sizeof(buffer)) {
		for (size_t i = 0; i < sizeof(buffer); i++)
			buffer[i] = (char)((done + i) * 31 >> 3);
		if (ces_write_full(fd, buffer, sizeof(buffer), -1) < 0)
			return;
	}
}

static void play_bytes(void)
{
	pid_t pid;

	began();
	pid = fork();
	if (pid == 0) {
		write_pattern(STDERR_FILENO, BIG);
		_exit(0);
	}
	write_pattern(STDOUT_FILENO, BIG);
	waitpid(pid, NULL, 0);
	exited(0, NULL);
}

static void play_late(void)
{
	exited(3, NULL);
	write_pattern(STDOUT_FILENO, BIG);
}

static void play_cat(void)
{
	char buffer[1000];
	ssize_t n;

	began();
	while ((n = read(STDIN_FILENO, buffer, sizeof(buffer))) > 0)
		ces_write_full(STDOUT_FILENO, buffer, (size_t)n, -1);
	exited(0, NULL);
}

static void play_signals(void)
{
	struct ces_control control;

	began();
	ces_write_full(STDOUT_FILENO, "ready", 5, -1);
	if (ces_read_full(REQUEST_FD, &control, sizeof(control), -1) == 0)
		exited(128 + (unsigned)(unsigned char)control.value[0], NULL);
}

static void play_unread(void)
{
	signal(SIGPIPE, SIG_IGN);
	began();
	for (;;) {
		if (ces_write_full(STDOUT_FILENO, "y\n", 2, -1) < 0)
			break;
	}
	exited(errno == EPIPE ? 141 : 1, NULL);
}

/* Exits with 0 if exactly fds 0-4 are open, of the right kinds, with no environment and default
 * signals. */
static void play_hygiene(void)
{
	extern char **environ;
	unsigned wrong = environ[0] != NULL;
	struct sigaction action;
	struct stat st;
	sigset_t mask;

	for (int fd = 5; fd < 1024; fd++)
		wrong |= fcntl(fd, F_GETFD) >= 0 ? 2u : 0;
	for (int fd = 1; fd <= 4; fd++)
		wrong |= fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode) ? 4u : 0;
	wrong |= fstat(0, &st) < 0 || !S_ISCHR(st.st_mode) || isatty(0) ? 8u : 0;
	sigprocmask(SIG_BLOCK, NULL, &mask);
	wrong |= sigismember(&mask, SIGTERM) ? 16u : 0;
	sigaction(SIGPIPE, NULL, &action);
	wrong |= action.sa_handler != SIG_DFL ? 32u : 0;
	exited(wrong, NULL);
}

static void play_denial(void)
{
	const struct ces_event_error event = {
	    .code = CES_E_DENIED,
	    .rule = (char[]){"projects.p.images"},
	    .text = (char[]){"no rule allows ghcr.io/x/y"},
	    .contact = (char[]){"your research coordinator"},
	};

	ces_wire_send(EVENT_FD, &ces_event_error_schema, &event, -1, NULL);
}

static void play_started(void)
{
	const struct ces_event_started event = {.run = (char[]){"0123456789"},
						.outputs = (char[]){"/home/u/outputs"}};

	ces_wire_send(EVENT_FD, &ces_event_started_schema, &event, -1, NULL);
	exited(0, "the memory limit of 1 GiB was reached");
}

/* The program is faster than the helper's word that it began. Exits with 0 if its output waited. */
static void play_early(void)
{
	const int64_t end = ces_now_ms() + 5000;
	unsigned wrong = 0;
	int unread = 0;

	ces_write_full(STDOUT_FILENO, "early", 5, -1);
	(void)poll(NULL, 0, 200);
	wrong |= ioctl(STDOUT_FILENO, FIONREAD, &unread) < 0 || unread != 5 ? 1u : 0;
	began();
	while (ces_now_ms() < end && ioctl(STDOUT_FILENO, FIONREAD, &unread) == 0 && unread > 0)
		(void)poll(NULL, 0, 10);
	exited(unread > 0 ? wrong | 2u : wrong, NULL);
}

static void play_explain(void)
{
	const struct ces_event_text text = {.text = (char[]){"allowed by projects.p.images[0]"}};
	const struct ces_event_done done = {0};

	ces_wire_send(EVENT_FD, &ces_event_text_schema, &text, -1, NULL);
	ces_wire_send(EVENT_FD, &ces_event_done_schema, &done, -1, NULL);
}

/* Exits with 0 if it has a terminal of its own, with raw input unchanged and the size of the
 * caller's. */
static void play_terminal(void)
{
	struct winsize size = {0};
	char typed[2] = "";
	unsigned wrong = 0;

	for (int fd = 0; fd <= 2; fd++)
		wrong |= isatty(fd) ? 0 : 1u;
	wrong |=
	    ioctl(0, TIOCGWINSZ, &size) < 0 || size.ws_row != 33 || size.ws_col != 101 ? 2u : 0;
	began();
	ces_write_full(STDOUT_FILENO, "ready\n", 6, -1);
	wrong |= read(0, typed, 1) != 1 || typed[0] != 'x' ? 4u : 0;
	exited(wrong, NULL);
}

/* A clean-up of three seconds, after a program that says "bye". It ends with its client. */
static void play_cleaning(void)
{
	struct pollfd request = {.fd = REQUEST_FD, .events = POLLIN};
	const int64_t end = ces_now_ms() + 3000;
	struct ces_control control;

	began();
	ces_write_full(STDOUT_FILENO, "bye\n", 4, -1);
	for (int fd = 0; fd <= 2; fd++)
		close(fd);
	while (ces_now_ms() < end && poll(&request, 1, (int)(end - ces_now_ms())) > 0)
		if (ces_read_full(REQUEST_FD, &control, sizeof(control), -1) < 0)
			return;
	exited(5, NULL);
}

static void play_garbage(void)
{
	ces_write_full(EVENT_FD, "this is no frame, and never was one", 35, -1);
}

static void play_gone(void)
{
	const struct ces_event_error event = {.code = CES_E_NOTFOUND,
					      .text = (char[]){"you have no live run"}};

	ces_wire_send(EVENT_FD, &ces_event_error_schema, &event, -1, NULL);
}

static struct ces_request request;

/* Has no place at the first try. */
static void play_place(void)
{
	const struct ces_event_error event = {
	    .code = CES_E_DENIED, .ticket = 1, .position = 1, .text = (char[]){"no place"}};

	dprintf(STDOUT_FILENO, "%s\n", request.publish.v[0]);
	if (request.ticket == 0)
		ces_wire_send(EVENT_FD, &ces_event_error_schema, &event, -1, NULL);
	else
		exited(0, NULL);
}

static void play_nothing(void)
{
}

static int play_helper(void)
{
	static const struct {
		const char *image;
		void (*play)(void);
	} parts[] = {
	    {"bytes", play_bytes},       {"late", play_late},       {"cat", play_cat},
	    {"signals", play_signals},   {"unread", play_unread},   {"hygiene", play_hygiene},
	    {"denial", play_denial},     {"started", play_started}, {"explain", play_explain},
	    {"garbage", play_garbage},   {"nothing", play_nothing}, {"terminal", play_terminal},
	    {"cleaning", play_cleaning}, {"gone", play_gone},       {"place", play_place},
	    {"early", play_early},
	};
	struct ces_error err;

	if (ces_wire_receive(REQUEST_FD, &ces_request_schema, CES_WIRE_REQUEST_MAX, -1, &request,
			     &err) != 1)
		return 1;
	for (size_t i = 0; i < CES_COUNT(parts); i++) {
		if (strcmp(request.image, parts[i].image) == 0)
			parts[i].play();
	}
	ces_wire_free(&ces_request_schema, &request);
	return 0;
}

/* ---- the client, as a process with stdio of the test's choice ---- */

struct client {
	pid_t pid;
	int in, out, err; /* our ends */
};

static void make_pair(int type, int ret[2])
{
	if (type == SOCK_STREAM)
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret), 0);
	else
		ck_assert_int_eq(pipe2(ret, O_CLOEXEC), 0);
}

static const char *published; /* -p; NULL: nothing */

static struct client start_client(const char *image, uint64_t verb, uint64_t flags, int type)
{
	struct ces_options options = {
	    .request = {.verb = verb, .flags = flags, .image = (char *)image}};
	int in[2], out[2], err[2];
	pid_t pid;

	make_pair(0, in);
	make_pair(type, out);
	make_pair(0, err);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct ces_error error;

		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		/* No exec closes them: the client must not hold the other ends of its own stdio. */
		close(in[1]);
		close(out[0]);
		close(err[0]);
		signal(SIGPIPE, SIG_IGN);
		setenv("HOME", "/nonexistent", 1);
		/* (whose tests look at every byte) */
		ces_say_only_errors(strcmp(image, "bytes") == 0 || strcmp(image, "unread") == 0);
		dup2(STDERR_FILENO, 77); /* an fd of the caller's that no exec closes */
		if (ces_session_prepare_fds(&error) < 0 ||
		    (published != NULL && ces_mount_set_publish(&options, published, &error) < 0))
			_exit(99);
		exit(ces_run("/proc/self/exe", &options));
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	return (struct client){pid, in[1], out[0], err[0]};
}

struct outcome {
	int status;
	char *out, *err;
	size_t out_length, err_length;
};

static void take(int *fd, char *buffer, size_t *length)
{
	ssize_t n = read(*fd, buffer + *length, 2 * BIG - *length);

	if (n <= 0)
		ces_cleanup_close(fd);
	else
		*length += (size_t)n;
}

static struct outcome finish(struct client *client)
{
	struct outcome outcome = {.out = calloc(1, 2 * BIG + 1), .err = calloc(1, 2 * BIG + 1)};
	int status;

	ces_cleanup_close(&client->in);
	while (client->out >= 0 || client->err >= 0) {
		struct pollfd polled[2] = {{.fd = client->out, .events = POLLIN},
					   {.fd = client->err, .events = POLLIN}};

		poll(polled, 2, -1);
		if (polled[0].revents != 0)
			take(&client->out, outcome.out, &outcome.out_length);
		if (polled[1].revents != 0)
			take(&client->err, outcome.err, &outcome.err_length);
	}
	ck_assert_int_eq(waitpid(client->pid, &status, 0), client->pid);
	outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	return outcome;
}

static void drop(struct outcome *outcome)
{
	free(outcome->out);
	free(outcome->err);
}

static struct outcome run(const char *image)
{
	struct client client = start_client(image, CES_VERB_RUN, 0, 0);

	return finish(&client);
}

static bool is_pattern(const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] != (char)(i * 31 >> 3))
			return false;
	}
	return true;
}

#endif
