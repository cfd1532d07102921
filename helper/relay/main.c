/* ces-relay: carries connections across the border of one container's network namespace, in one
 * direction. Inwards: it runs in the container's namespace, connects to published ports there, and
 * has listeners of the host's. Outwards: it runs in the host's namespace, connects to the policy's
 * proxy, and has a listener of the container's. Must not do both at once. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/worker.h"
#include "helper/relay/outwards.h"
#include "helper/relay/sandbox.h"
#include "helper/relay/serve.h"

static int take_job(struct ces_relay_job *ret, struct ces_error *err)
{
	if (recv(CES_RELAY_CHANNEL, ret, sizeof(*ret), MSG_TRUNC) != (ssize_t)sizeof(*ret))
		return ces_error_set(
		    err, CES_E_USAGE,
		    "ces-relay is started by ces-helper and does nothing by itself");
	ret->proxy[sizeof(ret->proxy) - 1] = ret->address[sizeof(ret->address) - 1] = '\0';
	return 0;
}

static void report(const struct ces_relay_report *report)
{
	(void)ces_write_full(CES_RELAY_CHANNEL, report, sizeof(*report), 0);
}

static int seal_inwards(const struct ces_relay_job *job, struct ces_serve *ret,
			struct ces_error *err)
{
	union ces_relay_address inside[CES_RELAY_PORTS] = {0};

	ret->n = job->n_ports;
	if (ret->n == 0 || ret->n > CES_RELAY_PORTS)
		return ces_error_set(err, CES_E_INTERNAL, "not a list of ports");
	ret->owned = true;
	ret->owner = (uid_t)job->uid;
	for (size_t i = 0; i < ret->n; i++) {
		ret->ports[i] = job->host_ports[i];
		inside[i].v4 = (struct sockaddr_in){.sin_family = AF_INET,
						    .sin_port = htons(job->container_ports[i]),
						    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	}
	return ces_relay_seal(inside, ret->n, &ret->to, err);
}

static int seal_outwards(const struct ces_relay_job *job, struct ces_serve *ret,
			 struct ces_error *err)
{
	union ces_relay_address proxy = {0};

	if (ces_outwards_address(job->proxy, job->address, &proxy, err) < 0)
		return -1;
	ret->n = 1;
	return ces_relay_seal(&proxy, 1, &ret->to, err);
}

static int serve(const struct ces_relay_job *job, struct ces_error *err)
{
	static struct ces_serve serve;
	int result = job->kind == CES_RELAY_INWARDS ? seal_inwards(job, &serve, err)
						    : seal_outwards(job, &serve, err);

	/* a report that the helper has no room for is lost, and does not hold this up */
	if (result == 0 && fcntl(CES_RELAY_CHANNEL, F_SETFL, O_NONBLOCK) < 0)
		result = ces_error_errno(err, CES_E_INTERNAL, "fcntl");
	if (result < 0 || ces_relay_confine(serve.to, serve.n, err) < 0)
		return -1;
	report(&(struct ces_relay_report){0});
	ces_serve_run(&serve);
	return 0;
}

static int resolve(const struct ces_relay_job *job, struct ces_error *err)
{
	struct ces_relay_report found = {0};
	char address[CES_OUTWARDS_TEXT];

	if (ces_outwards_resolve(job->proxy, address, err) < 0)
		return -1;
	(void)snprintf(found.address, sizeof(found.address), "%s", address);
	report(&found);
	return 0;
}

static int work(struct ces_error *err)
{
	struct ces_relay_job job;

	if (take_job(&job, err) < 0)
		return -1;
	switch (job.kind) {
	case CES_RELAY_INWARDS:
	case CES_RELAY_OUTWARDS:
		return serve(&job, err);
	case CES_RELAY_RESOLVE:
		return resolve(&job, err);
	default:
		return ces_error_set(err, CES_E_INTERNAL, "not a job for ces-relay");
	}
}

int main(void)
{
	struct ces_relay_report failed = {0};
	struct ces_error err = {0};

	(void)signal(SIGPIPE, SIG_IGN);
	if (work(&err) < 0) {
		(void)dprintf(STDERR_FILENO, "ces-relay: %s\n", err.text);
		memcpy(failed.text, err.text, sizeof(failed.text));
		report(&failed);
		_exit(1);
	}
	_exit(0);
}
