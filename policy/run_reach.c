/* Decides what a run reaches beside files: ports, the policy's proxy, GPUs. It must not allow what
 * no key of the policy lists. */
#include <stdio.h>
#include <string.h>

#include "common/num.h"
#include "common/request.h"
#include "policy/run_asked.h"

static bool port_listed(const struct ces_strings *publish, uint64_t port)
{
	for (size_t i = 0; i < publish->n; i++) {
		uint64_t listed;

		if (ces_num_parse(publish->v[i], 1, 65535, &listed) == 0 && listed == port)
			return true;
	}
	return false;
}

static int set_port(const struct ces_run_asked *run, const char *text)
{
	struct ces_decision *ret = run->ret;
	const char *colon = strchr(text, ':');
	uint64_t host, container;
	char left[8];

	snprintf(left, sizeof(left), "%.*s", (int)strcspn(text, ":"), text);
	if (colon == NULL || colon - text >= (ptrdiff_t)sizeof(left) ||
	    ces_num_parse(left, 1, 65535, &host) != 0 ||
	    ces_num_parse(colon + 1, 1, 65535, &container) != 0)
		return USAGE(run, "-p %s: write -p HOST:CONTAINER, two port numbers", text);
	if (host < 1024)
		return USAGE(run, "-p %s: the host's port must be 1024 or above", text);
	if (container == CES_PROXY_PORT && ret->proxy[0] != '\0')
		return USAGE(run,
			     "-p %s: port %d of the container is CES's own, it leads to the proxy",
			     text, CES_PROXY_PORT);
	if (!port_listed(&run->rights->settings->publish, container))
		return ces_run_deny(run, CES_OWN_PUBLISH, "network.publish",
				    "port %u of the container is not one that may be published",
				    (unsigned)container);
	for (size_t i = 0; i < ret->n_ports; i++)
		if (ret->ports[i].host == host)
			return USAGE(
			    run,
			    "-p %s: two ports of the container would use this port of the host",
			    text);
	ret->ports[ret->n_ports++] =
	    (struct ces_decision_port){.host = (uint16_t)host, .container = (uint16_t)container};
	return 0;
}

/* No network is the lesser right of the two, so a caller may always ask for it. */
void ces_run_proxy(const struct ces_run_asked *run)
{
	const char *proxy = run->rights->settings->proxy;

	if (proxy != NULL && (run->request->flags & CES_FLAG_NO_PROXY) == 0)
		snprintf(run->ret->proxy, sizeof(run->ret->proxy), "%s", proxy);
}

int ces_run_ports(const struct ces_run_asked *run)
{
	if (run->request->publish.n > CES_PORTS_MAX)
		return USAGE(run, "more than %d published ports", CES_PORTS_MAX);
	for (size_t i = 0; i < run->request->publish.n; i++)
		if (set_port(run, run->request->publish.v[i]) != 0)
			return -1;
	return 0;
}

/* "2", "all" (as many as the policy allows), or one device by the driver's name for it. */
int ces_run_gpus(const struct ces_run_asked *run)
{
	const struct ces_policy_settings *settings = run->rights->settings;
	struct ces_decision *ret = run->ret;
	const char *gpu = run->request->gpu;
	uint64_t allowed = settings->gpus_max, asked = 1;

	if (ces_decision_names(&settings->gpu_kinds, "gpus.kinds", &ret->gpu_kinds, run->err) !=
		0 ||
	    ces_decision_names(&settings->gpu_devices, "gpus.devices", &ret->gpu_devices,
			       run->err) != 0)
		return -1;
	ret->gpu_exclusive = settings->gpu_exclusive;
	if (gpu == NULL)
		return 0;
	ret->gpus_all = strcmp(gpu, "all") == 0;
	if (ret->gpus_all)
		asked = allowed > 0 ? allowed : 1;
	else if (ces_device_valid(gpu) && gpu[strspn(gpu, "0123456789")] != '\0')
		snprintf(ret->gpu_id, sizeof(ret->gpu_id), "%s", gpu);
	else if (ces_num_parse(gpu, 0, UINT32_MAX, &asked) != 0)
		return USAGE(run, "--gpu=%s: write a number, \"all\" or a device's name", gpu);
	if (allowed == 0)
		return ces_run_deny(run, CES_OWN_GPUS, "gpus.max",
				    "this project may not use a GPU; leave out --gpu");
	if (asked > allowed)
		return ces_run_deny(run, CES_OWN_GPUS, "gpus.max",
				    "%llu GPUs are more than the %llu that are allowed",
				    (unsigned long long)asked, (unsigned long long)allowed);
	if (ret->gpu_id[0] != '\0' && settings->gpu_devices.n > 0 &&
	    !ces_listed(&settings->gpu_devices, gpu))
		return ces_run_deny(run, CES_OWN_GPU_DEVICES, "gpus.devices",
				    "the device %s is not one that may be used", gpu);
	ret->gpus = asked;
	return 0;
}
