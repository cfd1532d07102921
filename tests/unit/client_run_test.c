/* What a user sees of a run: bytes, lines and the exit status. This program is also the helper's
 * stand-in: when it is started as ces-helper, it does what the image's name says. The real helper
 * is tried by the tests in e2e/. */
/* links: client/run.c client/ask.c client/relay.c client/session.c client/terminal.c */
/* links: client/progress.c client/table.c client/say.c client/detach.c client/kept.c */
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
#include "common/io.h"

#define BIG        (3u << 20)
#define REQUEST_FD 3
#define EVENT_FD   4

/* ---- the helper's stand-in ---- */

static void exited(unsigned status, const char *text)
{
	const struct ces_event_exited event = {
	    .status = status, .reason = (char[]){"exit"}, .text = (char *)text};

	ces_wire_send(EVENT_FD, &ces_event_exited_schema, &event, -1, NULL);
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
	pid_t pid = fork();

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

	while ((n = read(STDIN_FILENO, buffer, sizeof(buffer))) > 0)
		ces_write_full(STDOUT_FILENO, buffer, (size_t)n, -1);
	exited(0, NULL);
}

static void play_signals(void)
{
	struct ces_control control;
	struct ces_error err;

	ces_write_full(STDOUT_FILENO, "ready", 5, -1);
	if (ces_wire_receive(REQUEST_FD, &ces_control_schema, 4096, -1, &control, &err) == 1)
		exited(128 + (unsigned)control.value, NULL);
}

static void play_unread(void)
{
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		if (ces_write_full(STDOUT_FILENO, "y\n", 2, -1) < 0)
			break;
	}
	exited(errno == EPIPE ? 141 : 1, NULL);
}

/* Exit status 0: exactly fds 0-4, of the right kinds, no environment, default signals. */
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

static void play_explain(void)
{
	const struct ces_event_text text = {.text = (char[]){"allowed by projects.p.images[0]"}};
	const struct ces_event_done done = {0};

	ces_wire_send(EVENT_FD, &ces_event_text_schema, &text, -1, NULL);
	ces_wire_send(EVENT_FD, &ces_event_done_schema, &done, -1, NULL);
}

/* Exit status 0: a terminal of its own, raw input unchanged, the window of the caller's. */
static void play_terminal(void)
{
	struct winsize size = {0};
	char typed[2] = "";
	unsigned wrong = 0;

	for (int fd = 0; fd <= 2; fd++)
		wrong |= isatty(fd) ? 0 : 1u;
	wrong |=
	    ioctl(0, TIOCGWINSZ, &size) < 0 || size.ws_row != 33 || size.ws_col != 101 ? 2u : 0;
	ces_write_full(STDOUT_FILENO, "ready\n", 6, -1);
	wrong |= read(0, typed, 1) != 1 || typed[0] != 'x' ? 4u : 0;
	exited(wrong, NULL);
}

static void play_garbage(void)
{
	ces_write_full(EVENT_FD, "this is no frame, and never was one", 35, -1);
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
	    {"bytes", play_bytes},     {"late", play_late},       {"cat", play_cat},
	    {"signals", play_signals}, {"unread", play_unread},   {"hygiene", play_hygiene},
	    {"denial", play_denial},   {"started", play_started}, {"explain", play_explain},
	    {"garbage", play_garbage}, {"nothing", play_nothing}, {"terminal", play_terminal},
	};
	struct ces_request request;
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

/* ---- the client, as a process with stdio of our choice ---- */

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
		/* There is no exec to close them: the client must not hold the other ends of its
		 * own stdio. */
		close(in[1]);
		close(out[0]);
		close(err[0]);
		signal(SIGPIPE, SIG_IGN);
		dup2(STDERR_FILENO, 77); /* an fd of the caller's that no exec would close */
		if (ces_session_prepare_fds(&error) < 0)
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

static const int stdout_types[] = {0, SOCK_STREAM};

START_TEST(stdout_and_stderr_pass_unchanged_and_in_full)
{
	struct client client = start_client("bytes", CES_VERB_RUN, 0, stdout_types[_i]);
	struct outcome o = finish(&client);

	ck_assert_int_eq(o.status, 0);
	ck_assert_uint_eq(o.out_length, BIG);
	ck_assert_uint_eq(o.err_length, BIG);
	ck_assert(is_pattern(o.out, BIG));
	ck_assert(is_pattern(o.err, BIG));
	drop(&o);
}
END_TEST

static const int file_flags[] = {O_TRUNC, O_APPEND};

START_TEST(stdout_may_be_a_file_also_one_that_is_appended_to)
{
	char path[] = "/tmp/ces-client-test-XXXXXX";
	char *bytes = malloc(BIG);
	struct ces_options options = {.request = {.verb = CES_VERB_RUN, .image = (char[]){"late"}}};
	int fd, status;
	pid_t pid;

	close(mkstemp(path));
	pid = fork();
	if (pid == 0) {
		dup2(open(path, O_WRONLY | file_flags[_i]), STDOUT_FILENO);
		_exit(ces_run("/proc/self/exe", &options));
	}
	waitpid(pid, &status, 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	unlink(path);
	ck_assert_int_eq(WEXITSTATUS(status), 3);
	ck_assert_int_eq(ces_read_full(fd, bytes, BIG, -1), 0);
	ck_assert(is_pattern(bytes, BIG));
	close(fd);
	free(bytes);
}
END_TEST

START_TEST(output_that_arrives_after_the_end_is_not_lost)
{
	struct outcome o = run("late");

	ck_assert_int_eq(o.status, 3);
	ck_assert_uint_eq(o.out_length, BIG);
	drop(&o);
}
END_TEST

START_TEST(stdin_reaches_the_container_with_i)
{
	struct client client = start_client("cat", CES_VERB_RUN, CES_FLAG_INTERACTIVE, 0);
	struct outcome o;

	ck_assert_int_eq(ces_write_full(client.in, "a\0b\xff", 4, -1), 0);
	o = finish(&client);
	ck_assert_int_eq(o.status, 0);
	ck_assert_uint_eq(o.out_length, 4);
	ck_assert_mem_eq(o.out, "a\0b\xff", 4);
	drop(&o);
}
END_TEST

START_TEST(stdin_does_not_reach_the_container_without_i)
{
	struct client client = start_client("cat", CES_VERB_RUN, 0, 0);
	struct outcome o;

	ck_assert_int_eq(ces_write_full(client.in, "secret", 6, -1), 0);
	o = finish(&client);
	ck_assert_int_eq(o.status, 0);
	ck_assert_uint_eq(o.out_length, 0);
	drop(&o);
}
END_TEST

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

START_TEST(a_signal_is_passed_on)
{
	struct client client = start_client("signals", CES_VERB_RUN, 0, 0);
	struct outcome o;
	char ready[5];

	ck_assert_int_eq(ces_read_full(client.out, ready, sizeof(ready), -1), 0);
	kill(client.pid, signals[_i]);
	o = finish(&client);
	ck_assert_int_eq(o.status, 128 + signals[_i]);
	drop(&o);
}
END_TEST

START_TEST(an_ignored_signal_stays_ignored)
{
	struct client client;
	struct outcome o;
	char ready[5];

	signal(SIGHUP, SIG_IGN);
	client = start_client("signals", CES_VERB_RUN, 0, 0);
	ck_assert_int_eq(ces_read_full(client.out, ready, sizeof(ready), -1), 0);
	kill(client.pid, SIGHUP);
	kill(client.pid, SIGTERM);
	o = finish(&client);
	ck_assert_int_eq(o.status, 128 + SIGTERM);
	drop(&o);
}
END_TEST

START_TEST(a_writer_that_nobody_reads_gets_a_broken_pipe)
{
	struct client client = start_client("unread", CES_VERB_RUN, 0, 0);
	struct outcome o;
	char some[2];

	ck_assert_int_eq(ces_read_full(client.out, some, sizeof(some), -1), 0);
	ces_cleanup_close(&client.out);
	o = finish(&client);
	ck_assert_int_eq(o.status, 141);
	ck_assert_uint_eq(o.err_length, 0);
	drop(&o);
}
END_TEST

START_TEST(the_helper_gets_five_fds_and_nothing_else_of_the_callers)
{
	struct outcome o = run("hygiene");

	ck_assert_int_eq(o.status, 0);
	drop(&o);
}
END_TEST

/* Bit n of the loop's number: fd n is closed when the client starts. */
START_TEST(closed_fds_do_not_send_bytes_astray)
{
	struct ces_options options = {
	    .request = {.verb = CES_VERB_RUN, .image = (char[]){"hygiene"}}};
	struct ces_error err;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		for (int fd = 0; fd < 5; fd++) {
			if ((_i >> fd & 1) != 0)
				close(fd);
		}
		if (ces_session_prepare_fds(&err) < 0)
			_exit(99);
		_exit(ces_run("/proc/self/exe", &options));
	}
	waitpid(pid, &status, 0);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

START_TEST(a_denial_says_what_by_which_rule_and_whom_to_ask)
{
	struct outcome o = run("denial");

	ck_assert_int_eq(o.status, 125);
	ck_assert_str_eq(o.err, "ces: denied: no rule allows ghcr.io/x/y (rule projects.p.images)\n"
				"ces: ask your research coordinator\n");
	drop(&o);
}
END_TEST

START_TEST(a_run_tells_its_number_its_outputs_and_why_it_ended)
{
	struct outcome o = run("started");

	ck_assert_int_eq(o.status, 0);
	ck_assert_str_eq(o.err, "ces: run 0123456789, outputs in /home/u/outputs\n"
				"ces: the memory limit of 1 GiB was reached\n");
	drop(&o);
}
END_TEST

START_TEST(a_helper_that_ends_without_an_answer_is_told)
{
	struct outcome o = run("nothing");

	ck_assert_int_eq(o.status, 125);
	ck_assert_str_eq(o.err, "ces: the helper ended without an answer\n");
	drop(&o);
}
END_TEST

START_TEST(a_helper_that_talks_garbage_is_a_failure)
{
	struct outcome o = run("garbage");

	ck_assert_int_eq(o.status, 125);
	ck_assert_int_eq(strncmp(o.err, "ces: ", 5), 0);
	drop(&o);
}
END_TEST

START_TEST(an_explanation_goes_to_stdout)
{
	struct client client = start_client("explain", CES_VERB_RUN, CES_FLAG_EXPLAIN, 0);
	struct outcome o = finish(&client);

	ck_assert_int_eq(o.status, 0);
	ck_assert_str_eq(o.out, "allowed by projects.p.images[0]\n");
	ck_assert_uint_eq(o.err_length, 0);
	drop(&o);
}
END_TEST

static int open_terminal(int *ret_slave)
{
	const struct winsize size = {.ws_row = 33, .ws_col = 101};
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	ck_assert_int_ge(master, 0);
	grantpt(master);
	unlockpt(master);
	*ret_slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	ioctl(master, TIOCSWINSZ, &size);
	return master;
}

START_TEST(a_terminal_is_the_containers_own_and_the_callers_is_left_as_it_was)
{
	const uint64_t flags = CES_FLAG_INTERACTIVE | CES_FLAG_TTY;
	struct ces_options options = {
	    .request = {.verb = CES_VERB_RUN, .flags = flags, .image = (char[]){"terminal"}}};
	struct termios before, during, after;
	int slave, status;
	int master = open_terminal(&slave);
	char text[256] = "";
	size_t length = 0;
	pid_t pid;

	tcgetattr(slave, &before);
	pid = fork();
	if (pid == 0) {
		dup2(slave, STDIN_FILENO);
		dup2(slave, STDOUT_FILENO);
		_exit(ces_run("/proc/self/exe", &options));
	}
	while (strstr(text, "ready") == NULL && length < sizeof(text) - 1)
		length += (size_t)read(master, text + length, sizeof(text) - 1 - length);
	tcgetattr(slave, &during);
	ck_assert_int_eq(write(master, "x\n", 2), 2);
	waitpid(pid, &status, 0);
	tcgetattr(slave, &after);
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	ck_assert_uint_eq(during.c_lflag & ISIG, 0);
	ck_assert_uint_eq(after.c_lflag, before.c_lflag);
	ck_assert_uint_eq(after.c_iflag, before.c_iflag);
}
END_TEST

START_TEST(a_terminal_that_is_not_there_is_left_out)
{
	struct client client = start_client("hygiene", CES_VERB_RUN, CES_FLAG_TTY, 0);
	struct outcome o = finish(&client);

	ck_assert_int_eq(o.status, 0);
	ck_assert_str_eq(o.err, "ces: -t is left out: there is no terminal here\n");
	drop(&o);
}
END_TEST

static int run_tests(void)
{
	Suite *suite = suite_create("client run");
	TCase *tc = tcase_create("run");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, stdout_and_stderr_pass_unchanged_and_in_full, 0,
			    CES_COUNT(stdout_types));
	tcase_add_loop_test(tc, stdout_may_be_a_file_also_one_that_is_appended_to, 0,
			    CES_COUNT(file_flags));
	tcase_add_test(tc, output_that_arrives_after_the_end_is_not_lost);
	tcase_add_test(tc, stdin_reaches_the_container_with_i);
	tcase_add_test(tc, stdin_does_not_reach_the_container_without_i);
	tcase_add_loop_test(tc, a_signal_is_passed_on, 0, CES_COUNT(signals));
	tcase_add_test(tc, an_ignored_signal_stays_ignored);
	tcase_add_test(tc, a_writer_that_nobody_reads_gets_a_broken_pipe);
	tcase_add_test(tc, the_helper_gets_five_fds_and_nothing_else_of_the_callers);
	tcase_add_loop_test(tc, closed_fds_do_not_send_bytes_astray, 0, 32);
	tcase_add_test(tc, a_denial_says_what_by_which_rule_and_whom_to_ask);
	tcase_add_test(tc, a_run_tells_its_number_its_outputs_and_why_it_ended);
	tcase_add_test(tc, a_helper_that_ends_without_an_answer_is_told);
	tcase_add_test(tc, a_helper_that_talks_garbage_is_a_failure);
	tcase_add_test(tc, an_explanation_goes_to_stdout);
	tcase_add_test(tc, a_terminal_is_the_containers_own_and_the_callers_is_left_as_it_was);
	tcase_add_test(tc, a_terminal_that_is_not_there_is_left_out);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 1 && strcmp(argv[0], "ces-helper") == 0)
		return play_helper();
	return run_tests();
}
