/* Reads the registry token. It must leave no copy of it behind: it wipes buffers, and the process
 * writes no core. */
#include "client/token.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "client/say.h"
#include "client/signals.h"
#include "common/cleanup.h"
#include "common/io.h"

#define TOKEN_MAX 8192

int ces_token_check(char *text, struct ces_error *err)
{
	text[strcspn(text, "\r\n")] = '\0';
	if (*text == '\0')
		return ces_error_set(err, CES_E_USAGE, "the token is empty");
	for (const char *p = text; *p != '\0'; p++) {
		if (*p <= ' ' || *p > '~')
			return ces_error_set(
			    err, CES_E_USAGE,
			    "the token has a blank, or a byte that is not printable");
	}
	return 0;
}

/* Reads to the end of the file, or of the first line, because a terminal has no end of file. On a
 * terminal the byte `interrupt` also ends a line; otherwise it is a newline again. */
static int read_line(int fd, char interrupt, char *buffer, size_t size, struct ces_error *err)
{
	size_t length = 0;

	while (memchr(buffer, '\n', length) == NULL && memchr(buffer, interrupt, length) == NULL) {
		ssize_t n;

		if (length == size - 1)
			return ces_error_set(err, CES_E_USAGE, "longer than %zu bytes", size - 2);
		n = read(fd, buffer + length, size - 1 - length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ces_error_errno(err, CES_E_USAGE, "cannot read the login");
		if (n == 0)
			break;
		length += (size_t)n;
	}
	buffer[length] = '\0';
	return 0;
}

static int keep(char *text, struct ces_options *options, struct ces_error *err)
{
	if (ces_token_check(text, err) < 0)
		return -1;
	return ces_options_keep_text(options, text, &options->request.token, err);
}

static int from_fd(int fd, struct ces_options *options, struct ces_error *err)
{
	char buffer[TOKEN_MAX + 2] = "";
	int result = read_line(fd, '\n', buffer, sizeof(buffer), err);

	if (result == 0)
		result = keep(buffer, options, err);
	explicit_bzero(buffer, sizeof(buffer));
	return result;
}

static int from_file(struct ces_options *options, struct ces_error *err)
{
	const char *path = options->token_file;
	CES_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return ces_error_errno(err, CES_E_USAGE, "cannot open %s", path);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		ces_say("others can read %s: type chmod 600 %s", path, path);
	if (from_fd(fd, options, err) < 0)
		return ces_error_context(err, "%s", path);
	return 0;
}

/* The caller's terminal, not stdin, which may be anything; -1 when there is none. */
static int open_terminal(void)
{
	CES_CLEANUP_FD int tty =
	    isatty(STDERR_FILENO) ? open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY) : -1;

	if (tty < 0 || tcgetpgrp(tty) != getpgrp())
		return -1; /* a background job that asked would be stopped */
	return ces_steal_fd(&tty);
}

bool ces_token_may_ask(void)
{
	CES_CLEANUP_FD int tty = open_terminal();

	return tty >= 0;
}

/* Waits for a line, or for a signal from elsewhere: the old modes come back before it ends the
 * client. Returns the signal; 0: a line. */
static int wait_for_line(int tty, int signals)
{
	struct pollfd fds[] = {{.fd = tty, .events = POLLIN}, {.fd = signals, .events = POLLIN}};

	while (poll(fds, CES_COUNT(fds), -1) < 0 && errno == EINTR)
		;
	return fds[1].revents != 0 ? ces_signals_next(signals) : 0;
}

/* Reads one line from the terminal. ISIG is off, so that no key can end the client while the echo
 * is off. The key that would send a signal ends the line instead. */
static int ask(const char *prompt, bool echo, char *buffer, size_t size, struct ces_error *err)
{
	static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
	CES_CLEANUP_FD int tty = open_terminal();
	CES_CLEANUP_FD int signals = -1;
	struct termios saved, modes;
	char interrupt;
	sigset_t before;
	int result, number;

	if (tty < 0 || tcgetattr(tty, &saved) < 0)
		return ces_error_set(err, CES_E_USAGE,
				     "a user name needs a token, and there is no terminal to ask "
				     "on: type ces-client "
				     "pull --username USER with --token-file F or --token-stdin");
	modes = saved;
	modes.c_lflag &= ~(tcflag_t)(echo ? ISIG : ISIG | ECHO);
	modes.c_lflag |= ICANON | (echo ? ECHO : ECHONL);
	modes.c_cc[VEOL] = saved.c_cc[VINTR];
	/* (a user may have no such key) */
	interrupt = (char)saved.c_cc[VINTR];
	if (saved.c_cc[VINTR] == _POSIX_VDISABLE)
		interrupt = '\n';
	(void)sigprocmask(SIG_SETMASK, NULL, &before);
	signals = ces_signals_take(ending, CES_COUNT(ending));
	if (ces_write_full(tty, prompt, strlen(prompt), -1) < 0 ||
	    tcsetattr(tty, TCSAFLUSH, &modes) < 0)
		return ces_error_errno(err, CES_E_HOST, "the terminal");
	number = wait_for_line(tty, signals);
	result = number == 0 ? read_line(tty, interrupt, buffer, size, err) : 0;
	tcsetattr(tty, TCSAFLUSH, &saved);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	if (number != 0)
		(void)raise(number);
	if (result == 0 && (*buffer == '\n' || *buffer == '\0' ||
			    (interrupt != '\n' && strchr(buffer, interrupt) != NULL))) {
		if (strchr(buffer, '\n') == NULL)
			(void)ces_write_full(tty, "\n", 1, -1);
		return ces_error_set(err, CES_E_USAGE, "no login was given: nothing was done");
	}
	return result;
}

static int from_prompt(struct ces_options *options, struct ces_error *err)
{
	char buffer[TOKEN_MAX + 2] = "";
	int result = ask("ces: token (it is not shown): ", false, buffer, sizeof(buffer), err);

	if (result == 0)
		result = keep(buffer, options, err);
	explicit_bzero(buffer, sizeof(buffer));
	return result;
}

/* While a token is in memory there must be no core dump. (A limit of 0 would not keep one from a
 * program of the host's: core(5).) */
static int no_core_dump(struct ces_error *err)
{
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return ces_error_errno(err, CES_E_HOST, "prctl");
	return 0;
}

int ces_token_ask_login(struct ces_options *options, struct ces_error *err)
{
	char user[256 + 2] = "";

	ces_say_error("this registry wants a login (to give up, type an empty line)");
	if (ask("ces: user name: ", true, user, sizeof(user), err) < 0)
		return -1;
	user[strcspn(user, "\r\n")] = '\0';
	if (ces_options_keep_text(options, user, &options->request.username, err) < 0 ||
	    no_core_dump(err) < 0)
		return -1;
	return from_prompt(options, err);
}

int ces_token_give(struct ces_options *options, const char *user, char *token,
		   struct ces_error *err)
{
	if (no_core_dump(err) < 0 ||
	    ces_options_keep_text(options, user, &options->request.username, err) < 0)
		return -1;
	return keep(token, options, err);
}

int ces_token_take(struct ces_options *options, struct ces_error *err)
{
	if (options->token_stdin && options->token_file != NULL)
		return ces_error_set(err, CES_E_USAGE,
				     "--token-stdin and --token-file exclude each other: type one");
	if (options->request.username == NULL) {
		if (options->token_stdin || options->token_file != NULL)
			return ces_error_set(err, CES_E_USAGE,
					     "a token needs a user name: type --username U too");
		return 0;
	}
	if (options->request.token != NULL)
		return 0;
	if (no_core_dump(err) < 0)
		return -1;
	if (options->token_file != NULL)
		return from_file(options, err);
	if (options->token_stdin)
		return from_fd(STDIN_FILENO, options, err);
	return from_prompt(options, err);
}
