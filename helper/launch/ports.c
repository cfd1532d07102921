/* Publishes ports, on the helper's side. Must not accept a connection or read a byte of one: the
 * listeners go to ces-relay, and this process forgets them. */
#include "helper/launch/ports.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "helper/session/journal.h"

#define RECORD_MS 10000

_Static_assert(CES_PORTS_MAX <= CES_RELAY_PORTS, "ces-relay takes too few ports");

/* Keeps the port of ::1, which programs that are given "localhost" may try first: another user's
 * server there would get this run's connections. Nobody listens, so they try 127.0.0.1 next. */
static int hold(uint16_t port, struct ces_ports *ports)
{
	const struct sockaddr_in6 address = {
	    .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);

	if (fd < 0)
		return errno == EAFNOSUPPORT ? 0 : -1;
	ports->held[ports->n_held++] = fd;
	return bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ||
		       errno == EADDRNOTAVAIL
		   ? 0
		   : -1;
}

/* In the network namespace of the host, where this process still is. */
static int listen_on(uint16_t port, struct ces_ports *ports, int *ret, struct ces_error *err)
{
	if (ces_relay_listen(port, ret) < 0 || hold(port, ports) < 0)
		return errno == EADDRINUSE
			   ? ces_error_set(err, CES_E_LIMIT,
					   "port %u of this machine is in use; choose another: "
					   "-p HOST:CONTAINER with another HOST",
					   port)
			   : ces_error_errno(err, CES_E_HOST, "port %u", port);
	return 0;
}

static int start_relay(const struct ces_plan *plan, const struct ces_container *container,
		       const int *fds, size_t n_fds, struct ces_relay *ret, struct ces_error *err)
{
	struct ces_relay_job job = {.kind = CES_RELAY_INWARDS,
				    .uid = plan->session->uid,
				    .n_ports = plan->decision->n_ports};
	CES_CLEANUP_FD int netns = -1;

	for (size_t i = 0; i < job.n_ports; i++) {
		job.host_ports[i] = plan->decision->ports[i].host;
		job.container_ports[i] = plan->decision->ports[i].container;
	}
	if (ces_relay_netns(container, &netns, err) < 0)
		return -1;
	return ces_relay_start(netns, fds, n_fds, &job, ret, err);
}

int ces_ports_start(const struct ces_plan *plan, const struct ces_container *container,
		    struct ces_ports *ret, struct ces_error *err)
{
	int fds[1 + CES_PORTS_MAX], result;
	size_t n = 1;

	if (plan->decision->n_ports == 0)
		return 0;
	/* for asking who a peer is */
	fds[0] = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	result = fds[0] < 0 ? ces_error_errno(err, CES_E_HOST, "sock_diag") : 0;
	for (size_t i = 0; i < plan->decision->n_ports && result == 0; i++, n++) {
		fds[n] = -1;
		result = listen_on(plan->decision->ports[i].host, ret, &fds[n], err);
	}
	if (result == 0)
		result = start_relay(plan, container, fds, n, &ret->relay, err);
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return result;
}

static void record(const struct ces_plan *plan, struct ces_ports *ports)
{
	const struct ces_session *session = plan->session;
	struct ces_error ignored;

	if (ports->refused == 0)
		return;
	if (ces_journal_append(&session->journal,
			       ces_journal_stranger(session->uid, plan->run, ports->port,
						    ports->uid, ports->refused),
			       false, &ignored) == 0)
		ports->refused = 0;
	ports->next = ces_now_ms() + RECORD_MS;
}

void ces_ports_listen(const struct ces_plan *plan, struct ces_ports *ports)
{
	struct ces_relay_report report;
	int got = ces_relay_receive(&ports->relay, MSG_DONTWAIT, &report);

	if (got < 0)
		ces_cleanup_close(&ports->relay.channel);
	if (got > 0) {
		ports->refused++;
		ports->port = report.port;
		ports->uid = report.uid;
	}
	if (ces_now_ms() >= ports->next)
		record(plan, ports);
}

void ces_ports_end(const struct ces_plan *plan, struct ces_ports *ports)
{
	ces_relay_end(&ports->relay);
	while (ports->n_held > 0)
		ces_cleanup_close(&ports->held[--ports->n_held]);
	record(plan, ports);
}
