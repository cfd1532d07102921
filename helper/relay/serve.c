/* The relay's loop. Must not serve anyone but the run's own user on a port of the host's, and must
 * not wait for any one connection. */
#include "helper/relay/serve.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "helper/relay/peer.h"
#include "helper/relay/pump.h"

#define PUMPS 128 /* six fds each; more connections wait to be accepted */

static struct ces_pump pumps[PUMPS];

/* A helper that does not read loses reports. It must never delay the relay. */
static void report_stranger(uint64_t port, uint64_t uid)
{
	const struct ces_relay_report report = {.port = port, .uid = uid};

	(void)ces_write_full(CES_RELAY_CHANNEL, &report, sizeof(report), 0);
}

static struct ces_pump *free_pump(void)
{
	for (size_t i = 0; i < PUMPS; i++)
		if (!pumps[i].used)
			return &pumps[i];
	return NULL;
}

static void set(int fd, int level, int option, int value)
{
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

/* The kernel keeps the deadlines (tcp(7)): 15 seconds to connect, and two minutes for a peer that
 * has vanished. */
static void set_deadlines(int fd)
{
	set(fd, IPPROTO_TCP, TCP_SYNCNT, 3);
	set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
	set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 15);
	set(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
}

/* Takes the accepted connection. */
static void carry(struct ces_pump *pump, int accepted, const union ces_relay_address *to)
{
	int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		set_deadlines(fd);
	if (fd < 0 ||
	    (connect(fd, &to->any, ces_relay_address_size(to)) < 0 && errno != EINPROGRESS)) {
		ces_cleanup_close(&fd);
		close(accepted);
		return;
	}
	set(accepted, IPPROTO_TCP, TCP_NODELAY, 1);
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	(void)ces_pump_start(pump, accepted, fd);
}

/* Returns whether to serve the peer, and reports a stranger. */
static bool is_welcome(const struct ces_serve *serve, size_t i, int accepted,
		       const struct sockaddr_in *peer)
{
	uid_t uid = 0;

	if (!serve->owned)
		return true;
	if (ces_peer_find(CES_RELAY_DIAG, accepted, peer, serve->ports[i], &uid) == CES_PEER_GONE)
		return false;
	if (uid == serve->owner)
		return true;
	report_stranger(serve->ports[i], uid);
	return false;
}

static void accept_one(const struct ces_serve *serve, size_t i)
{
	struct ces_pump *pump = free_pump();
	struct sockaddr_in peer = {0};
	socklen_t length = sizeof(peer);
	int fd;

	if (pump == NULL)
		return;
	fd = accept4(CES_RELAY_LISTENER + (int)i, (struct sockaddr *)&peer, &length,
		     SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	if (is_welcome(serve, i, fd, &peer))
		carry(pump, fd, &serve->to[i]);
	else
		close(fd);
}

void ces_serve_run(const struct ces_serve *serve)
{
	static struct pollfd fds[1 + CES_RELAY_PORTS + 2 * PUMPS];
	struct pollfd *of_pumps = fds + 1 + CES_RELAY_PORTS;

	for (;;) {
		bool room = free_pump() != NULL;

		/* (polled only for its end: the relay ends with the helper) */
		fds[0] = (struct pollfd){.fd = CES_RELAY_CHANNEL};
		for (size_t i = 0; i < CES_RELAY_PORTS; i++)
			fds[1 + i] = (struct pollfd){
			    .fd = room && i < serve->n ? CES_RELAY_LISTENER + (int)i : -1,
			    .events = POLLIN};
		for (size_t i = 0; i < PUMPS; i++)
			ces_pump_poll(&pumps[i], of_pumps + 2 * i);
		if (poll(fds, CES_COUNT(fds), -1) < 0 && errno != EINTR)
			return;
		if (fds[0].revents != 0)
			return;
		for (size_t i = 0; i < PUMPS; i++)
			ces_pump_step(&pumps[i], of_pumps + 2 * i);
		for (size_t i = 0; i < serve->n; i++)
			if (fds[1 + i].revents != 0)
				accept_one(serve, i);
	}
}
