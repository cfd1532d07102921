/* Makes the key to the caller's X display. It must not give the caller's own key to a container: a
 * program with that key can read every window and type into a terminal of the host. */
#include "client/display.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"

#define XAUTH_MS  10000
#define KEY_BYTES ((size_t)8 * CES_COOKIE_WORDS)
#define FILE_MAX  4096
#define UNUSED_UNTIL                                                                               \
	"86400" /* seconds without a program that uses the key until the server forgets it */

extern char **environ;

static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

/* Kills xauth after ten seconds: its server may hang. */
static bool ended_well(pid_t pid)
{
	struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
	int status = 0;

	if (end.fd < 0 || poll(&end, 1, XAUTH_MS) <= 0)
		(void)kill(pid, SIGKILL);
	ces_cleanup_close(&end.fd);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* xauth's own messages do not help: they differ by version. */
static int run_xauth(const char *file, const char *display, const sigset_t *signals,
		     struct ces_error *err)
{
	char *const argv[] = {"xauth",
			      "-qf",
			      (char *)(uintptr_t)file,
			      "generate",
			      (char *)(uintptr_t)display,
			      "MIT-MAGIC-COOKIE-1",
			      "untrusted",
			      "timeout",
			      UNUSED_UNTIL,
			      NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	pid_t pid = -1;
	int error;

	posix_spawn_file_actions_init(&actions);
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, signals);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	error = posix_spawnp(&pid, argv[0], &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	if (error == ENOENT)
		return ces_error_set(err, CES_E_HOST,
				     "--display: the program xauth is missing; as root: apt-get "
				     "install xauth, or dnf install xauth");
	if (error != 0 || !ended_well(pid))
		return ces_error_set(err, CES_E_HOST,
				     "--display: the display %s makes no key for programs that it "
				     "does not trust; it must be your own, with the X Security "
				     "extension (type: xdpyinfo | grep SECURITY)",
				     display);
	return 0;
}

/* The file holds one key alone, and ends with the key's bytes (Xau(3)). */
static int read_key(const char *file, struct ces_request *request, struct ces_error *err)
{
	CES_CLEANUP_FD int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	CES_CLEANUP_FREE char *bytes = NULL;
	size_t length = 0;
	const uint8_t *key;

	if (fd < 0 || ces_read_file(fd, FILE_MAX, &bytes, &length) < 0)
		return ces_error_errno(err, CES_E_HOST, "--display: the key that xauth made");
	key = (const uint8_t *)bytes + (length < KEY_BYTES + 2 ? 0 : length - KEY_BYTES);
	if (length < KEY_BYTES + 2 || key[-2] != 0 || key[-1] != KEY_BYTES)
		return ces_error_set(err, CES_E_HOST, "--display: xauth made no key");
	for (size_t i = 0; i < CES_COOKIE_WORDS; i++) {
		uint64_t word = 0;

		for (size_t j = 0; j < 8; j++)
			word = word << 8 | key[8 * i + j];
		if (ces_u64s_append(&request->cookie, word, err) < 0)
			return -1;
	}
	return 0;
}

/* Removes the file, and any file that xauth leaves beside it. */
static void remove_file(const char *file)
{
	static const char *const suffixes[] = {"", "-c", "-l", "-n"};
	char path[80];

	for (size_t i = 0; i < CES_COUNT(suffixes); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", file, suffixes[i]);
		(void)unlink(path);
	}
}

int ces_display_make_key(struct ces_request *request, struct ces_error *err)
{
	char file[64], display[32];
	uint64_t random[2];
	sigset_t ends, before;
	int result;

	if (request->display == 0)
		return 0;
	/* a name that nobody can guess. xauth makes the file; in a directory of ours SELinux may
	 * not let it */
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return ces_error_errno(err, CES_E_HOST, "--display: random bytes");
	(void)snprintf(file, sizeof(file), "/tmp/ces-display-%016llx%016llx",
		       (unsigned long long)random[0], (unsigned long long)random[1]);
	(void)snprintf(display, sizeof(display), ":%llu", (unsigned long long)request->display - 1);
	/* a signal that ends the client must not leave the file: it arrives when that is gone */
	sigemptyset(&ends);
	for (size_t i = 0; i < CES_COUNT(ending); i++)
		sigaddset(&ends, ending[i]);
	(void)sigprocmask(SIG_BLOCK, &ends, &before);
	result = run_xauth(file, display, &before, err);
	if (result == 0)
		result = read_key(file, request, err);
	remove_file(file);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return result;
}
