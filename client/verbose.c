/* Prints the content of a request. It must not print a token or the value of a setting: they may be
 * secrets, and the output ends in job logs. */
#include "client/verbose.h"

#include <string.h>

#include "client/say.h"
#include "common/num.h"

static void text(const char *what, const char *value)
{
	if (value != NULL)
		ces_say("%s: %s", what, value);
}

static void size(const char *what, uint64_t bytes)
{
	char buffer[32];

	ces_num_format_size(bytes, buffer, sizeof(buffer));
	if (bytes != 0)
		ces_say("%s: %s", what, buffer);
}

static void limits(const struct ces_request *request)
{
	char buffer[32];

	if (request->cpus != 0)
		ces_say("cpus: %g", (double)request->cpus / 1000);
	size("memory", request->memory_bytes);
	size("shared memory", request->shm_bytes);
	ces_num_format_time(request->time_seconds, buffer, sizeof(buffer));
	if (request->time_seconds != 0)
		ces_say("time: %s", buffer);
}

static void mounts(const struct ces_request *request)
{
	for (size_t i = 0; i < request->publish.n; i++)
		ces_say("port: %s", request->publish.v[i]);
	for (size_t i = 0; i < request->bind_sources.n; i++)
		ces_say("directory: %s at %s%s", request->bind_sources.v[i],
			request->bind_destinations.v[i],
			request->bind_read_only.v[i] != 0 ? ", read-only" : "");
	for (size_t i = 0; i < request->tmpfs_destinations.n; i++)
		ces_say("memory at: %s", request->tmpfs_destinations.v[i]);
}

void ces_verbose_request(const struct ces_request *request)
{
	text("image", request->image);
	text("project", request->project);
	text("name", request->name);
	text("user at the registry", request->username);
	if ((request->flags & CES_FLAG_SAME_UID) != 0)
		ces_say("identity: the same uid inside");
	limits(request);
	text("GPUs", request->gpu);
	if (request->display != 0)
		ces_say("display: :%llu", (unsigned long long)request->display - 1);
	mounts(request);
	for (size_t i = 0; i < request->env.n; i++)
		ces_say("setting: %.*s", (int)strcspn(request->env.v[i], "="), request->env.v[i]);
	if (request->args.n > 0)
		ces_say("words for the command: %zu", request->args.n);
}

void ces_verbose_chosen(const struct ces_options *options)
{
	const struct ces_strings *publish = &options->request.publish;

	for (size_t i = 0; i < publish->n && i < 32; i++)
		if ((options->chosen & (uint32_t)1 << i) != 0)
			ces_say("http://127.0.0.1:%.*s leads to port %s of the container",
				(int)strcspn(publish->v[i], ":"), publish->v[i],
				strchr(publish->v[i], ':') + 1);
}
