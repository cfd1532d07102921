/* Reads the registry token. It must leave no copy of it behind: buffers are wiped, no core is
 * written. */
#include "client/token.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "client/say.h"
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
			    "the token holds a blank or a byte that is not printable");
	}
	return 0;
}

/* Reads to the end of file, or of the first line: a terminal has no end of file. */
static int read_line(int fd, char *buffer, size_t size, struct ces_error *err)
{
	size_t length = 0;

	while (memchr(buffer, '\n', length) == NULL) {
		ssize_t n;

		if (length == size - 1)
			return ces_error_set(err, CES_E_USAGE, "the token is longer than %d bytes",
					     TOKEN_MAX);
		n = read(fd, buffer + length, size - 1 - length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ces_error_errno(err, CES_E_USAGE, "cannot read the token");
		if (n == 0)
			break;
		length += (size_t)n;
	}
	buffer[length] = '\0';
	return 0;
}

static int from_fd(int fd, struct ces_options *options, struct ces_error *err)
{
	char buffer[TOKEN_MAX + 2] = "";
	int result = read_line(fd, buffer, sizeof(buffer), err);

	if (result == 0)
		result = ces_token_check(buffer, err);
	if (result == 0)
		result = ces_options_keep_text(options, buffer, &options->request.token, err);
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
		ces_say("others may read %s: type chmod 600 %s", path, path);
	if (from_fd(fd, options, err) < 0)
		return ces_error_context(err, "%s", path);
	return 0;
}

/* On the caller's terminal, not stdin, which may be anything. */
static int from_prompt(struct ces_options *options, struct ces_error *err)
{
	static const char prompt[] = "ces: token (it is not shown): ";
	CES_CLEANUP_FD int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct termios saved, silent;
	int result;

	if (tty < 0 || !isatty(STDERR_FILENO) || tcgetattr(tty, &saved) < 0)
		return ces_error_set(
		    err, CES_E_USAGE,
		    "--username needs a token: type --token-file F or --token-stdin");
	silent = saved;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
	silent.c_lflag |= ICANON | ECHONL;
	/* ISIG is off so that no signal can end the client with the echo still off; an empty line
	 * gives up. */
	if (ces_write_full(tty, prompt, sizeof(prompt) - 1, -1) < 0 ||
	    tcsetattr(tty, TCSAFLUSH, &silent) < 0)
		return ces_error_errno(err, CES_E_HOST, "the terminal");
	result = from_fd(tty, options, err);
	tcsetattr(tty, TCSAFLUSH, &saved);
	return result;
}

int ces_token_take(struct ces_options *options, struct ces_error *err)
{
	const struct rlimit no_core = {0, 0};

	if (options->token_stdin && options->token_file != NULL)
		return ces_error_set(err, CES_E_USAGE,
				     "--token-stdin and --token-file exclude each other: type one");
	if (options->request.username == NULL) {
		if (options->token_stdin || options->token_file != NULL)
			return ces_error_set(err, CES_E_USAGE,
					     "a token needs a user name: type --username U too");
		return 0;
	}
	if (setrlimit(RLIMIT_CORE, &no_core) < 0)
		return ces_error_errno(err, CES_E_HOST, "setrlimit");
	if (options->token_file != NULL)
		return from_file(options, err);
	if (options->token_stdin)
		return from_fd(STDIN_FILENO, options, err);
	return from_prompt(options, err);
}
