/* ces-fetch: talks to the one registry that the helper names, through sockets that its dialer
 * connects, and writes what it gets into the pipes that the helper gives. Runs as a user of its own
 * that owns nothing, or for `ces-policy conform` as the user who typed it. Must not read the
 * policy, any other file of CES, its environment, or arguments. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/fetch/sandbox.h"
#include "helper/fetch/session.h"

#define CHANNEL 3

/* Fills fds 0 to 2, so that no later open gets an fd that code prints to. */
static int fill_standard_fds(struct ces_error *err)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= 2);
	if (fd < 0)
		return ces_error_errno(err, CES_E_INTERNAL, "/dev/null");
	close(fd);
	return 0;
}

/* Fd 3 must be the helper's socket pair, and there must be no other fd. */
static int check_fds(struct ces_error *err)
{
	int type = 0;
	socklen_t length = sizeof(type);

	if (getsockopt(CHANNEL, SOL_SOCKET, SO_TYPE, &type, &length) < 0 || type != SOCK_SEQPACKET)
		return ces_error_set(
		    err, CES_E_USAGE,
		    "ces-fetch is started by ces-helper and does nothing by itself");
	if (fcntl(CHANNEL, F_SETFD, FD_CLOEXEC) < 0)
		return ces_error_errno(err, CES_E_INTERNAL, "fcntl");
	/* (missing before kernel 5.9; the helper leaves nothing open, so this is the second
	 * lock) */
	(void)syscall(SYS_close_range, CHANNEL + 1, ~0U, 0);
	return 0;
}

/* Clears the environment. The helper passes a constant one, and even that is not needed. Libraries
 * look there for proxies, key logs, resolver options and configuration files. */
static int forget_surroundings(struct ces_error *err)
{
	if (clearenv() != 0 || chdir("/") < 0)
		return ces_error_errno(err, CES_E_INTERNAL, "chdir");
	(void)umask(077);
	(void)signal(SIGPIPE, SIG_IGN);
	return 0;
}

static int start(struct ces_session *session, struct ces_error *err)
{
	struct ces_dialer dialer;

	if (fill_standard_fds(err) < 0 || check_fds(err) < 0 || forget_surroundings(err) < 0)
		return -1;
	if (ces_sandbox_check_identity(err) < 0 || ces_sandbox_drop(err) < 0)
		return -1;
	/* Forks before this process has anything that the dialer should not have. */
	if (ces_dialer_start(CHANNEL, &dialer, err) < 0)
		return -1;
	/* (OpenSSL reads its configuration now) */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return ces_error_set(err, CES_E_INTERNAL, "libcurl does not start");
	if (ces_session_init(session, CHANNEL, &dialer, err) < 0)
		return -1;
	if (ces_sandbox_hide_files(CES_SANDBOX_FETCH, err) < 0)
		return -1;
	return ces_sandbox_filter(CES_SANDBOX_FETCH, err);
}

int main(void)
{
	struct ces_session session;
	struct ces_error err = {0};
	int result;

	/* If the helper died before the death signal was set, its end is closed. The first look at
	 * fd 3 shows that, so that an orphan never goes on. */
	if (start(&session, &err) < 0) {
		(void)dprintf(STDERR_FILENO, "ces-fetch: %s\n", err.text);
		_exit(1);
	}
	result = ces_session_run(&session, &err);
	ces_session_end(&session);
	if (result < 0)
		(void)dprintf(STDERR_FILENO, "ces-fetch: %s\n", err.text);
	_exit(result < 0 ? 1 : 0);
}
