/* Moves bytes. It must not look at one, and must not wait. */
#include "helper/relay/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/relay/peer.h"

#define PIPE_BYTES                                                                                 \
	(256 * 1024)   /* (a pipe may be smaller if the user's pipes have used up their limit) */
#define TURN_ROUNDS 16 /* before the others get their turn */

static int start_flow(struct ces_flow *flow, int from, int to)
{
	*flow = (struct ces_flow){.from = from, .to = to, .pipe = {-1, -1}};
	if (pipe2(flow->pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	(void)fcntl(flow->pipe[1], F_SETPIPE_SZ, PIPE_BYTES);
	return 0;
}

static void stop(struct ces_pump *pump)
{
	ces_cleanup_close(&pump->in.pipe[0]);
	ces_cleanup_close(&pump->in.pipe[1]);
	ces_cleanup_close(&pump->out.pipe[0]);
	ces_cleanup_close(&pump->out.pipe[1]);
	ces_cleanup_close(&pump->accepted);
	ces_cleanup_close(&pump->connected);
	pump->used = false;
}

int ces_pump_start(struct ces_pump *pump, int accepted, int connected)
{
	*pump = (struct ces_pump){
	    .used = true, .connecting = true, .accepted = accepted, .connected = connected};
	pump->in.pipe[0] = pump->in.pipe[1] = pump->out.pipe[0] = pump->out.pipe[1] = -1;
	if (start_flow(&pump->in, accepted, connected) < 0 ||
	    start_flow(&pump->out, connected, accepted) < 0) {
		stop(pump);
		return -1;
	}
	return 0;
}

static short wanted(const struct ces_flow *reads, const struct ces_flow *writes)
{
	return (short)((!reads->end && !reads->full ? POLLIN : 0) |
		       (writes->held > 0 ? POLLOUT : 0));
}

/* Leaves out a socket from which nothing is wanted: poll would report its hang-up for ever. */
void ces_pump_poll(const struct ces_pump *pump, struct pollfd ret[2])
{
	short accepted = 0, connected = 0;

	if (pump->used && pump->connecting) {
		connected = POLLOUT;
	} else if (pump->used) {
		accepted = wanted(&pump->in, &pump->out);
		connected = wanted(&pump->out, &pump->in);
	}
	ret[0] = (struct pollfd){.fd = accepted != 0 ? pump->accepted : -1, .events = accepted};
	ret[1] = (struct pollfd){.fd = connected != 0 ? pump->connected : -1, .events = connected};
}

/* 1: something moved; 0: nothing can move now; -1: the connection is broken. */
static int fill(struct ces_flow *flow)
{
	ssize_t n;

	if (flow->end || flow->full)
		return 0;
	n = splice(flow->from, NULL, flow->pipe[1], NULL, PIPE_BYTES,
		   SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
	if (n > 0) {
		flow->held += (size_t)n;
		return 1;
	}
	if (n == 0) {
		flow->end = true;
		return 1;
	}
	if (errno != EAGAIN && errno != EINTR)
		return -1;
	/* the pipe is full or the socket empty; an empty pipe is never full */
	flow->full = flow->held > 0;
	return 0;
}

static int drain(struct ces_flow *flow)
{
	ssize_t n;

	if (flow->held == 0)
		return 0;
	n = splice(flow->pipe[0], NULL, flow->to, NULL, flow->held,
		   SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
	if (n <= 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	flow->held -= (size_t)n;
	flow->full = false;
	return 1;
}

static int move(struct ces_flow *flow)
{
	for (int i = 0; i < TURN_ROUNDS; i++) {
		int filled = fill(flow);
		int drained = filled < 0 ? -1 : drain(flow);

		if (drained < 0)
			return -1;
		if (filled == 0 && drained == 0)
			break;
	}
	if (flow->end && flow->held == 0 && !flow->done) {
		flow->done = true;
		(void)shutdown(flow->to, SHUT_WR);
	}
	return 0;
}

void ces_pump_step(struct ces_pump *pump, const struct pollfd ready[2])
{
	if (!pump->used || (ready[0].revents | ready[1].revents) == 0)
		return;
	if (pump->connecting && !ces_peer_sound(pump->connected)) {
		stop(pump);
		return;
	}
	pump->connecting = false;
	if (move(&pump->in) < 0 || move(&pump->out) < 0 || (pump->in.done && pump->out.done))
		stop(pump);
}
