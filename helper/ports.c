/* Published ports, on the helper's side. Must not accept a connection or read a byte of one: the
 * listeners go to ces-relay, and this process forgets them. */
#include "helper/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/paths.h"
#include "helper/journal.h"
#include "helper/workers.h"

#define READY_MS  10000
#define RECORD_MS 10000
#define BACKLOG   128

_Static_assert(CES_PORTS_MAX <= CES_RELAY_PORTS, "ces-relay takes too few ports");

/* The host's loopback only, in the network namespace of the host, where this process still is. */
static int listen_on(uint16_t port, int *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int fd =
	    socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int on = 1;

	/* connections of an ended run that linger (TIME_WAIT) do not block its port; a listener
	 * does */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return ces_error_errno(err, CES_E_HOST, "port %u", port);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0)
		return errno == EADDRINUSE
			   ? ces_error_set(err, CES_E_LIMIT,
					   "port %u of this machine is in use; choose another: "
					   "-p HOST:CONTAINER with another HOST",
					   port)
			   : ces_error_errno(err, CES_E_HOST, "port %u", port);
	*ret = ces_steal_fd(&fd);
	return 0;
}

static int open_netns(const struct ces_container *container, int *ret, struct ces_error *err)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)container->process.pid);
	*ret = open(path, O_RDONLY | O_CLOEXEC);
	return *ret < 0 ? ces_error_errno(err, CES_E_HOST, "network namespace") : 0;
}

static int send_job(const struct ces_plan *plan, int channel, struct ces_error *err)
{
	uint64_t host[CES_PORTS_MAX], inside[CES_PORTS_MAX];
	size_t n = plan->decision->n_ports;
	struct ces_relay_job job = {
	    .uid = plan->session->uid, .host_ports = {host, n}, .container_ports = {inside, n}};

	for (size_t i = 0; i < n; i++) {
		host[i] = plan->decision->ports[i].host;
		inside[i] = plan->decision->ports[i].container;
	}
	return ces_wire_send(channel, &ces_relay_job_schema, &job, ces_now_ms() + READY_MS, err);
}

/* fds: [0] its end of the channel, [1] to ask who a peer is, then the listeners. */
static int spawn(const struct ces_container *container, const int *fds, size_t n_fds,
		 struct ces_ports *ports, struct ces_error *err)
{
	CES_CLEANUP_FD int netns = -1;
	struct ces_spawn how = {.path = CES_RELAY_PATH, .userns = -1, .fds = fds, .n_fds = n_fds};

	if (ces_worker_ids(CES_RELAY_USER, &how.uid, &how.gid, err) < 0 ||
	    open_netns(container, &netns, err) < 0)
		return -1;
	how.netns = netns;
	return ces_spawn_worker(&how, &ports->process, err);
}

int ces_ports_start(const struct ces_plan *plan, const struct ces_container *container,
		    struct ces_ports *ret, struct ces_error *err)
{
	int fds[2 + CES_PORTS_MAX], pair[2], result;
	size_t n = 2;

	if (plan->decision->n_ports == 0)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return ces_error_errno(err, CES_E_HOST, "socket pair");
	ret->channel = pair[0];
	fds[0] = pair[1];
	fds[1] = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	result = fds[1] < 0 ? ces_error_errno(err, CES_E_HOST, "sock_diag") : 0;
	for (size_t i = 0; i < plan->decision->n_ports && result == 0; i++, n += result == 0)
		result = listen_on(plan->decision->ports[i].host, &fds[n], err);
	if (result == 0)
		result = spawn(container, fds, n, ret, err);
	if (result == 0)
		result = send_job(plan, ret->channel, err);
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return result;
}

/* One report; 1, 0 when there is none now, -1 when there will be none. What a worker says is a
 * number or two, decoded strictly. */
static int receive(const struct ces_ports *ports, int flags, struct ces_relay_report *ret)
{
	struct ces_relay_report report;
	struct ces_error ignored;
	uint8_t frame[256];
	ssize_t n = recv(ports->channel, frame, sizeof(frame), flags);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0 ||
	    ces_wire_decode(&ces_relay_report_schema, frame, (size_t)n, &report, &ignored) < 0)
		return -1;
	ret->port = report.port;
	ret->uid = report.uid;
	ces_wire_free(&ces_relay_report_schema, &report);
	return 1;
}

int ces_ports_ready(struct ces_ports *ports, struct ces_error *err)
{
	struct timeval most = {.tv_sec = READY_MS / 1000};
	struct ces_relay_report report;

	if (ports->channel < 0)
		return 0;
	if (setsockopt(ports->channel, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most)) < 0 ||
	    receive(ports, 0, &report) <= 0 || report.port != 0)
		return ces_error_set(err, CES_E_HOST, "ces-relay did not start");
	return 0;
}

static void record(const struct ces_plan *plan, struct ces_ports *ports)
{
	const struct ces_session *session = plan->session;
	struct ces_error ignored;

	if (ports->refused == 0)
		return;
	(void)ces_journal_append(&session->journal,
				 ces_journal_stranger(session->uid, plan->run, ports->last.port,
						      ports->last.uid, ports->refused),
				 false, &ignored);
	ports->refused = 0;
	ports->next = ces_now_ms() + RECORD_MS;
}

void ces_ports_listen(const struct ces_plan *plan, struct ces_ports *ports)
{
	int got = receive(ports, MSG_DONTWAIT, &ports->last);

	if (got < 0)
		ces_cleanup_close(&ports->channel);
	else
		ports->refused += (uint64_t)got;
	if (ces_now_ms() >= ports->next)
		record(plan, ports);
}

void ces_ports_end(const struct ces_plan *plan, struct ces_ports *ports)
{
	(void)ces_process_end(&ports->process, true);
	ces_cleanup_close(&ports->channel);
	record(plan, ports);
}
