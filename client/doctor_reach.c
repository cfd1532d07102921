/* doctor: what is found out by starting or reaching something: the runtime, the registries. It must
 * not send a byte to a registry, and must not wait for one longer than REACH_SECONDS. */
#include "client/doctor_checks.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"

#define REACH_SECONDS  3
#define RUNTIME_MS     5000
#define REGISTRIES_MAX 32
#define PROXIES_MAX    8

/* ---- the runtime ---- */

static const struct {
	const char *name;
	unsigned major, minor;
	const char *feature; /* in what it says of itself, or NULL */
} runtimes[] = {
    {"crun", 1, 8, "+SECCOMP"},
    {"runc", 1, 1, NULL},
};

/* What it prints for --version; it gets no environment, no input, and five seconds. */
static int ask_version(const char *runtime, char *ret, size_t size)
{
	char option[] = "--version", name[] = "runtime";
	char *const argv[] = {name, option, NULL}, *const environment[] = {NULL};
	int64_t deadline = ces_now_ms() + RUNTIME_MS;
	posix_spawn_file_actions_t actions;
	size_t length = 0;
	int ends[2], error;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_RDWR, 0);
	error = posix_spawn(&pid, runtime, &actions, NULL, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	while (error == 0 && length < size - 1 &&
	       ces_read_full(ends[0], ret + length, 1, deadline) == 0)
		length++;
	ret[length] = '\0';
	close(ends[0]);
	if (error != 0) {
		errno = error;
		return -1;
	}
	kill(pid, SIGKILL); /* has ended, or hangs */
	waitpid(pid, NULL, 0);
	return 0;
}

static void judge_version(struct ces_doctor *doctor, const char *runtime, char *text)
{
	for (size_t i = 0; i < CES_COUNT(runtimes); i++) {
		bool lacks =
		    runtimes[i].feature != NULL && strstr(text, runtimes[i].feature) == NULL;

		if (strncmp(text, runtimes[i].name, strlen(runtimes[i].name)) != 0)
			continue;
		text[strcspn(text, "\n")] = '\0';
		if (ces_doctor_version(text, runtimes[i].major, runtimes[i].minor) && !lacks) {
			ces_doctor_find(doctor, "runtime", CES_GRADE_OK, "%s: %s", runtime, text);
			return;
		}
		if (lacks)
			ces_doctor_find(doctor, "runtime", CES_GRADE_PROBLEM,
					"%s (%s) was built without seccomp", runtime, text);
		else
			ces_doctor_find(doctor, "runtime", CES_GRADE_PROBLEM, "%s is too old: %s",
					runtime, text);
		ces_doctor_remedy(doctor, "as root: install %s %u.%u or later", runtimes[i].name,
				  runtimes[i].major, runtimes[i].minor);
		return;
	}
	text[strcspn(text, "\n")] = '\0';
	ces_doctor_find(doctor, "runtime", CES_GRADE_WARNING,
			"%s is neither crun nor runc: it says '%s'", runtime, text);
	ces_doctor_remedy(doctor, "name crun or runc as host.runtime in the policy");
}

void ces_doctor_runtime(struct ces_doctor *doctor, const char *runtime)
{
	char text[4096] = "";
	struct stat st;

	if (stat(runtime, &st) < 0) {
		ces_doctor_find(doctor, "runtime", CES_GRADE_PROBLEM, "%s: %s", runtime,
				strerror(errno));
		ces_doctor_remedy(doctor, "as root: install crun, or name another host.runtime in "
					  "the policy");
	} else if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		ces_doctor_find(doctor, "runtime", CES_GRADE_PROBLEM,
				"%s can be changed by others than root", runtime);
		ces_doctor_remedy(doctor, "as root: chown root:root %s && chmod 755 %s", runtime,
				  runtime);
	} else if (ask_version(runtime, text, sizeof(text)) < 0) {
		ces_doctor_find(doctor, "runtime", CES_GRADE_PROBLEM, "%s cannot be started: %s",
				runtime, strerror(errno));
		ces_doctor_remedy(doctor, "as root: install crun 1.8 or later");
	} else {
		judge_version(doctor, runtime, text);
	}
}

/* ---- registries and proxies ---- */

enum reached { REACHED, NO_NAME, NO_CONNECTION };

/* "https://host[:port][/prefix]", "http://host:port" */
static void split_endpoint(const char *endpoint, char host[256], char port[8])
{
	const char *start = strchr(endpoint, '/') + 2;
	size_t length = strcspn(start, "/");
	const char *colon;

	snprintf(host, 256, "%.*s", (int)(length < 255 ? length : 255), start);
	colon = strrchr(host, ':');
	snprintf(port, 8, "%s", colon != NULL && strchr(colon, ']') == NULL ? colon + 1 : "443");
	if (colon != NULL && strchr(colon, ']') == NULL)
		host[colon - host] = '\0';
}

static enum reached reach(const char *host, const char *port)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found;

	if (getaddrinfo(host, port, &hints, &found) != 0)
		return NO_NAME;
	for (const struct addrinfo *one = found; one != NULL; one = one->ai_next) {
		int fd = socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd >= 0 && connect(fd, one->ai_addr, one->ai_addrlen) == 0)
			return REACHED;
	}
	return NO_CONNECTION;
}

/* In a process of its own, since nothing else bounds what a name server takes; all at once. */
static pid_t start_reaching(const char *endpoint)
{
	char host[256], port[8];
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	split_endpoint(endpoint, host, port);
	signal(SIGALRM, SIG_DFL);
	alarm(REACH_SECONDS);
	_exit((int)reach(host, port));
}

static const char *why(int status)
{
	if (WIFSIGNALED(status))
		return "no answer in 3 seconds";
	return WEXITSTATUS(status) == NO_NAME ? "its name is not known here"
					      : "nothing answers there";
}

/* Where a pull connects to: a forward proxy's host stands for what is behind it. */
static const char *way_to(const struct ces_policy_registry *registry)
{
	return registry->proxy != NULL ? registry->proxy : registry->endpoint;
}

void ces_doctor_registries(struct ces_doctor *doctor, const struct ces_policy *policy)
{
	size_t n = policy->n_registries < REGISTRIES_MAX ? policy->n_registries : REGISTRIES_MAX;
	int statuses[REGISTRIES_MAX];
	pid_t pids[REGISTRIES_MAX];
	bool any = false;

	fflush(stdout);
	for (size_t i = 0; i < n; i++)
		pids[i] = start_reaching(way_to(&policy->registries[i]));
	for (size_t i = 0; i < n; i++) {
		statuses[i] = -1;
		if (pids[i] > 0 && waitpid(pids[i], &statuses[i], 0) == pids[i])
			any = any || statuses[i] == 0;
	}
	for (size_t i = 0; i < n; i++) {
		const struct ces_policy_registry *registry = &policy->registries[i];

		if (statuses[i] == 0) {
			ces_doctor_find(doctor, "registries", CES_GRADE_OK, "%s is reached at %s",
					registry->name, way_to(registry));
			continue;
		}
		ces_doctor_find(doctor, "registries", any ? CES_GRADE_WARNING : CES_GRADE_PROBLEM,
				"%s is not reached at %s: %s", registry->name, way_to(registry),
				why(statuses[i]));
		ces_doctor_remedy(doctor,
				  "have the network and the endpoint in the policy looked at");
	}
}

static void add_proxy(const char *proxy, const char **list, size_t *n)
{
	for (size_t i = 0; i < *n; i++)
		if (proxy != NULL && strcmp(list[i], proxy) == 0)
			return;
	if (proxy != NULL && *n < PROXIES_MAX)
		list[(*n)++] = proxy;
}

void ces_doctor_proxies(struct ces_doctor *doctor, const struct ces_policy *policy)
{
	const char *proxies[PROXIES_MAX] = {NULL};
	size_t n = 0;

	if (policy->infer)
		add_proxy(policy->defaults.proxy, proxies, &n);
	for (size_t i = 0; i < policy->n_projects; i++)
		add_proxy(policy->projects[i].settings.proxy, proxies, &n);
	fflush(stdout);
	for (size_t i = 0; i < n; i++) {
		int status = -1;
		pid_t pid = start_reaching(proxies[i]);

		if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0) {
			ces_doctor_find(doctor, "proxy", CES_GRADE_OK, "%s is reached", proxies[i]);
			continue;
		}
		ces_doctor_find(doctor, "proxy", CES_GRADE_WARNING,
				"%s is not reached: %s; runs that have it get nowhere", proxies[i],
				why(status));
		ces_doctor_remedy(doctor,
				  "have the proxy and network.proxy in the policy looked at");
	}
}
