/* ces-relay: carries connections to the published ports of one run inwards. It lives in the
 * container's network namespace, where it connects, and was given listeners of the host's, from
 * which it accepts; nothing leads the other way. Must not serve anyone but the run's own user. */
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/worker.h"
#include "helper/relay/peer.h"
#include "helper/relay/pump.h"
#include "helper/relay/sandbox.h"

#define PUMPS 128 /* six fds each; more connections wait to be accepted */

struct relay {
	uid_t owner;
	size_t n;
	in_port_t ports[CES_RELAY_PORTS]; /* of the host */
	const struct sockaddr_in *inside; /* sealed */
	struct ces_pump pumps[PUMPS];
};

static int take_job(struct relay *relay, struct ces_error *err)
{
	in_port_t inside[CES_RELAY_PORTS];
	struct ces_relay_job job;
	uint8_t frame[4096];
	ssize_t got = recv(CES_RELAY_CHANNEL, frame, sizeof(frame), 0);
	int result = -1;

	if (got <= 0)
		return ces_error_set(
		    err, CES_E_USAGE,
		    "ces-relay is started by ces-helper and does nothing by itself");
	if (ces_wire_decode(&ces_relay_job_schema, frame, (size_t)got, &job, err) < 0)
		return -1;
	relay->owner = (uid_t)job.uid;
	relay->n = job.host_ports.n;
	if (relay->n == 0 || relay->n > CES_RELAY_PORTS || relay->n != job.container_ports.n)
		result = ces_error_set(err, CES_E_INTERNAL, "not a list of ports");
	else
		result = 0;
	for (size_t i = 0; i < relay->n && result == 0; i++) {
		relay->ports[i] = (in_port_t)job.host_ports.v[i];
		inside[i] = (in_port_t)job.container_ports.v[i];
	}
	if (result == 0)
		result = ces_relay_seal(inside, relay->n, &relay->inside, err);
	ces_wire_free(&ces_relay_job_schema, &job);
	return result;
}

/* A helper that does not read loses reports, never holds the relay up. */
static void report(uint64_t port, uint64_t uid)
{
	const struct ces_relay_report report = {.port = port, .uid = uid};
	struct ces_error ignored;

	(void)ces_wire_send(CES_RELAY_CHANNEL, &ces_relay_report_schema, &report, 0, &ignored);
}

static struct ces_pump *free_pump(struct relay *relay)
{
	for (size_t i = 0; i < PUMPS; i++)
		if (!relay->pumps[i].used)
			return &relay->pumps[i];
	return NULL;
}

static void no_delay(int fd)
{
	int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* outside is the owner's. Takes it. */
static void connect_inwards(struct ces_pump *pump, int outside, const struct sockaddr_in *to)
{
	int inside = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (inside < 0 || (connect(inside, (const struct sockaddr *)to, sizeof(*to)) < 0 &&
			   errno != EINPROGRESS)) {
		ces_cleanup_close(&inside);
		close(outside);
		return;
	}
	no_delay(outside);
	no_delay(inside);
	(void)ces_pump_start(pump, outside, inside);
}

static void accept_one(struct relay *relay, size_t i)
{
	struct ces_pump *pump = free_pump(relay);
	struct sockaddr_in peer = {0};
	socklen_t length = sizeof(peer);
	uid_t uid = 0;
	int fd;

	if (pump == NULL)
		return;
	fd = accept4(CES_RELAY_LISTENER + (int)i, (struct sockaddr *)&peer, &length,
		     SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	if (ces_peer_find(CES_RELAY_DIAG, &peer, relay->ports[i], &uid) == CES_PEER_GONE) {
		close(fd);
	} else if (uid != relay->owner) {
		close(fd);
		report(relay->ports[i], uid);
	} else {
		connect_inwards(pump, fd, &relay->inside[i]);
	}
}

static void serve(struct relay *relay)
{
	static struct pollfd fds[1 + CES_RELAY_PORTS + 2 * PUMPS];
	struct pollfd *pumps = fds + 1 + CES_RELAY_PORTS;

	for (;;) {
		bool room = free_pump(relay) != NULL;

		/* for its end only: the helper's end is the relay's */
		fds[0] = (struct pollfd){.fd = CES_RELAY_CHANNEL};
		for (size_t i = 0; i < CES_RELAY_PORTS; i++)
			fds[1 + i] = (struct pollfd){
			    .fd = room && i < relay->n ? CES_RELAY_LISTENER + (int)i : -1,
			    .events = POLLIN};
		for (size_t i = 0; i < PUMPS; i++)
			ces_pump_poll(&relay->pumps[i], pumps + 2 * i);
		if (poll(fds, CES_COUNT(fds), -1) < 0 && errno != EINTR)
			return;
		if (fds[0].revents != 0)
			return;
		for (size_t i = 0; i < PUMPS; i++)
			ces_pump_step(&relay->pumps[i], pumps + 2 * i);
		for (size_t i = 0; i < relay->n; i++)
			if (fds[1 + i].revents != 0)
				accept_one(relay, i);
	}
}

int main(void)
{
	static struct relay relay;
	struct ces_error err = {0};

	(void)signal(SIGPIPE, SIG_IGN);
	if (take_job(&relay, &err) < 0 || ces_relay_confine(relay.inside, relay.n, &err) < 0) {
		(void)dprintf(STDERR_FILENO, "ces-relay: %s\n", err.text);
		_exit(1);
	}
	report(0, 0);
	serve(&relay);
	_exit(0);
}
