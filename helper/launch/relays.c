/* Starts ces-relay and reads its reports. Must not believe more of it than a number, an address
 * that another process checks, and a line for people. */
#include "helper/launch/relays.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "common/cleanup.h"
#include "common/paths.h"
#include "helper/session/userns.h"

#define READY_MS 10000
#define BACKLOG  128

int ces_relay_listen(uint16_t port, int *ret)
{
	CES_CLEANUP_FD int fd =
	    socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int on = 1;

	/* connections of an ended run that linger (TIME_WAIT) do not block its port; a listener
	 * does */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0)
		return -1;
	*ret = ces_steal_fd(&fd);
	return 0;
}

int ces_relay_netns(const struct ces_container *container, int *ret, struct ces_error *err)
{
	return ces_container_ready(container, err) < 0
		   ? -1
		   : ces_process_namespace(&container->process, "net", ret, err);
}

int ces_relay_start(int netns, const int *fds, size_t n_fds, const struct ces_relay_job *job,
		    struct ces_relay *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int theirs = -1;
	int all[2 + CES_RELAY_PORTS], pair[2];
	struct ces_spawn how = {.path = CES_RELAY_PATH,
				.userns = -1,
				.netns = netns > 0 ? netns : 0,
				.fds = all,
				.n_fds = 1 + n_fds};

	if (n_fds >= CES_COUNT(all))
		return ces_error_set(err, CES_E_INTERNAL, "too many fds for ces-relay");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return ces_error_errno(err, CES_E_HOST, "socket pair");
	ret->channel = pair[0];
	theirs = pair[1];
	all[0] = theirs;
	for (size_t i = 0; i < n_fds; i++)
		all[1 + i] = fds[i];
	if (ces_worker_ids(CES_RELAY_USER, &how.uid, &how.gid, err) < 0 ||
	    ces_spawn_worker(&how, &ret->process, err) < 0)
		return -1;
	return send(ret->channel, job, sizeof(*job), MSG_NOSIGNAL) == (ssize_t)sizeof(*job)
		   ? 0
		   : ces_error_errno(err, CES_E_HOST, "talking to ces-relay");
}

int ces_relay_receive(const struct ces_relay *relay, int flags, struct ces_relay_report *ret)
{
	ssize_t n = recv(relay->channel, ret, sizeof(*ret), flags);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n != (ssize_t)sizeof(*ret))
		return -1;
	ret->address[sizeof(ret->address) - 1] = ret->text[sizeof(ret->text) - 1] = '\0';
	return 1;
}

int ces_relay_wait(const struct ces_relay *relay, struct ces_relay_report *ret,
		   struct ces_error *err)
{
	struct timeval most = {.tv_sec = READY_MS / 1000};
	int got = -1;

	if (setsockopt(relay->channel, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most)) == 0)
		got = ces_relay_receive(relay, 0, ret);
	if (got == 0)
		return ces_error_set(err, CES_E_HOST, "no answer within %d seconds",
				     READY_MS / 1000);
	if (got < 0)
		return ces_error_set(err, CES_E_HOST, "ces-relay did not start");
	return ret->text[0] == '\0' ? 0 : ces_error_set(err, CES_E_HOST, "%s", ret->text);
}

int ces_relay_ready(const struct ces_relay *relay, const char *what, struct ces_error *err)
{
	struct ces_relay_report report;

	if (relay->channel < 0)
		return 0;
	return ces_relay_wait(relay, &report, err) < 0 ? ces_error_context(err, "%s", what) : 0;
}

void ces_relay_end(struct ces_relay *relay)
{
	(void)ces_process_end(&relay->process, true);
	ces_cleanup_close(&relay->channel);
}
