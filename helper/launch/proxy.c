/* Opens the way out, on the helper's side. Must not resolve a name, connect, accept, or read a
 * byte.
 *
 * Who controls what: the policy gives the proxy's host and port. If the host is a name, its address
 * comes from this machine's DNS, as for a registry, but here no certificate proves it: a site that
 * does not trust its DNS writes an address. A worker looks the name up once for a run and then
 * ends: no later answer can turn a run's way somewhere else. A second worker sees nothing of
 * strangers' but this text. It checks what kind of address it is, and can from then on connect to
 * that and to nothing else (see helper/relay/outwards.c). The container controls when connections
 * come, and their bytes. */
#include "helper/launch/proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/paths.h"

static const char scheme[] = "http://";

/* An address, as text, of the proxy's host; "" if none came, which the next worker refuses. */
static int resolve(struct ces_relay_job *job, struct ces_error *err)
{
	struct ces_relay relay = CES_RELAY_NONE;
	struct ces_relay_report report;
	int result;

	job->kind = CES_RELAY_RESOLVE;
	result = ces_relay_start(-1, NULL, 0, job, &relay, err);
	if (result == 0)
		result = ces_relay_wait(&relay, &report, err);
	ces_relay_end(&relay);
	if (result == 0)
		memcpy(job->address, report.address, sizeof(job->address));
	return result;
}

/* A socket belongs to the network namespace it was made in. This process, which has one thread,
 * enters the container's only for this, while nothing of the image's runs there. If it cannot come
 * back, it must not go on. */
static int make_listener(const struct ces_container *container, int *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int there = -1;
	CES_CLEANUP_FD int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int result;

	if (here < 0)
		return ces_error_errno(err, CES_E_HOST, "network namespace");
	if (ces_relay_netns(container, &there, err) < 0)
		return -1;
	if (setns(there, CLONE_NEWNET) < 0)
		return ces_error_errno(err, CES_E_HOST, "the container's network namespace");
	result = ces_relay_listen(CES_PROXY_PORT, ret);
	if (result < 0)
		ces_error_errno(err, CES_E_HOST, "the proxy's port in the container");
	if (setns(here, CLONE_NEWNET) < 0)
		_exit(CES_EXIT_REFUSED);
	return result;
}

static int start(const struct ces_container *container, struct ces_relay_job *job,
		 struct ces_relay *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int listener = -1;

	job->kind = CES_RELAY_OUTWARDS;
	if (make_listener(container, &listener, err) < 0)
		return -1;
	return ces_relay_start(-1, (int[]){-1, listener}, 2, job, ret, err);
}

int ces_proxy_start(const struct ces_plan *plan, const struct ces_container *container,
		    struct ces_relay *ret, struct ces_error *err)
{
	const char *proxy = plan->decision->proxy + strlen(scheme);
	struct ces_relay_job job = {0};
	struct in_addr literal;
	int result = 0;

	if (plan->decision->proxy[0] == '\0')
		return 0;
	(void)snprintf(job.proxy, sizeof(job.proxy), "%s", proxy);
	(void)snprintf(job.address, sizeof(job.address), "%.*s", (int)strcspn(proxy, ":"), proxy);
	if (inet_pton(AF_INET, job.address, &literal) != 1)
		result = resolve(&job, err);
	if (result == 0)
		result = start(container, &job, ret, err);
	return result == 0 ? 0 : ces_error_context(err, "the proxy of the policy, %s", proxy);
}
