/* Plays the part of the helper for ces-fetch, without any privilege: one order, one body at a time.
 * ces-fetch confines itself before the registry sends its first byte. It must not read a body, nor
 * believe that it is the requested one. */
#include "policy/conform/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/packet.h"
#include "common/packet_frame.h"
#include "common/paths.h"
#include "common/schema.h"
#include "helper/fetch/channel.h"

#define CHANNEL_OF_WORKER 3

struct ces_registry {
	int channel;
	pid_t pid;
	pthread_t listener;
	bool listens;
	int64_t deadline_ms;
	uint64_t last; /* the id of the last requested body */
	struct ces_error failed;

	/* under the lock */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t answered; /* up to this id */
	enum ces_fetch_state state;
	enum ces_manifest_type type;
	struct ces_error error;
	bool gone; /* ces-fetch has ended, and error says why */
};

/* ---- the listener ---- */

static void take_end(struct ces_registry *r, const struct ces_fetch_status *status)
{
	pthread_mutex_lock(&r->lock);
	r->answered = status->id;
	r->state = (enum ces_fetch_state)status->state;
	r->type = (enum ces_manifest_type)status->type;
	if (status->state != CES_FETCH_DONE)
		ces_error_set(&r->error,
			      status->code == CES_E_NOTFOUND || status->code == CES_E_HOST
				  ? (enum ces_code)status->code
				  : CES_E_REGISTRY,
			      "%s", status->text != NULL ? status->text : "the registry failed");
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

static void take_loss(struct ces_registry *r, enum ces_code code, const char *text)
{
	pthread_mutex_lock(&r->lock);
	r->gone = true;
	ces_error_set(&r->error, code, "%s", text);
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

/* -1 if there will be no other. */
static int listen_once(struct ces_registry *r)
{
	struct pollfd wait = {.fd = r->channel, .events = POLLIN};
	int64_t left = r->deadline_ms - ces_now_ms();
	uint8_t frame[CES_CHANNEL_PACKET_MAX];
	struct ces_fetch_status status;
	ssize_t n;

	if (left <= 0 || poll(&wait, 1, left > INT32_MAX ? INT32_MAX : (int)left) == 0) {
		/* (its pipe ends with it, and so does the reader's wait) */
		(void)kill(r->pid, SIGKILL);
		take_loss(r, CES_E_LIMIT, "the registry takes too long");
		return -1;
	}
	n = recv(r->channel, frame, sizeof(frame), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0 ||
	    ces_wire_decode(&ces_fetch_status_schema, frame, (size_t)n, &status, NULL) < 0) {
		take_loss(r, CES_E_HOST, "ces-fetch ended unexpectedly");
		return -1;
	}
	if (status.state != CES_FETCH_BYTES)
		take_end(r, &status);
	ces_wire_free(&ces_fetch_status_schema, &status);
	return 0;
}

/* The statuses must always be taken: if there is no room for the last one, ces-fetch gives up. */
static void *listen_always(void *context)
{
	while (listen_once(context) == 0)
		;
	return NULL;
}

/* ---- the order ---- */

/* Beside this program, as in a build, or where it is installed. Anybody who can put a program there
 * can replace this one. */
static void find_worker(char *ret, size_t size)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	if (slash != NULL) {
		*slash = '\0';
		if ((size_t)snprintf(ret, size, "%s/ces-fetch", self) < size &&
		    access(ret, X_OK) == 0)
			return;
	}
	(void)snprintf(ret, size, "%s", CES_FETCH_PATH);
}

static int spawn(struct ces_registry *r, int theirs, struct ces_error *err)
{
	static char *const argv[] = {(char *)(uintptr_t) "ces-fetch", NULL}, *const none[] = {NULL};
	posix_spawn_file_actions_t actions;
	char path[4200];
	int failed;

	find_worker(path, sizeof(path));
	if (posix_spawn_file_actions_init(&actions) != 0)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	failed = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (failed == 0)
		failed = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null",
							  O_WRONLY, 0);
	if (failed == 0)
		failed = posix_spawn_file_actions_adddup2(&actions, theirs, CHANNEL_OF_WORKER);
	if (failed == 0)
		failed = posix_spawn(&r->pid, path, &actions, NULL, argv, none);
	posix_spawn_file_actions_destroy(&actions);
	if (failed == 0)
		return 0;
	r->pid = -1;
	errno = failed;
	return ces_error_errno(
	    err, CES_E_HOST,
	    "to ask a registry, ces-policy needs ces-fetch, of the package ces: %.200s", path);
}

static int start(struct ces_registry *r, struct ces_error *err)
{
	CES_CLEANUP_FD int theirs = -1;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return ces_error_errno(err, CES_E_HOST, "socketpair");
	r->channel = pair[0];
	theirs = pair[1];
	if (spawn(r, theirs, err) < 0)
		return -1;
	if (pthread_create(&r->listener, NULL, listen_always, r) != 0)
		return ces_error_set(err, CES_E_HOST, "cannot start a thread");
	r->listens = true;
	return 0;
}

/* Copies text, or "" for NULL; false when it is too long. */
static bool fits(const char *text, char *ret, size_t size)
{
	return snprintf(ret, size, "%s", text != NULL ? text : "") < (int)size;
}

static int order(struct ces_registry *r, struct ces_registry_way *way, struct ces_error *err)
{
	const struct ces_strings hosts = {(char **)(uintptr_t)way->hosts, way->n_hosts};
	struct ces_registry_place place = {.endpoint = ""};
	struct ces_fetch_open open = {.ca = way->ca >= 0};
	int result;

	ces_registry_find(way, &place);
	if (!fits(place.endpoint, open.scheme_host_port, sizeof(open.scheme_host_port)) ||
	    !fits(place.repository, open.repository, sizeof(open.repository)) ||
	    !fits(way->username, open.username, sizeof(open.username)) ||
	    !fits(way->token, open.token, sizeof(open.token)) ||
	    !fits(way->proxy, open.proxy, sizeof(open.proxy)))
		return ces_error_set(err, CES_E_USAGE, "a name, token or address is too long");
	if (ces_decision_names(&hosts, "token_hosts", &open.hosts, err) < 0)
		return -1;
	result = ces_packet_send(r->channel, &open, sizeof(open), way->ca, 0);
	explicit_bzero(&open, sizeof(open));
	return result == 0 ? 0 : ces_error_errno(err, CES_E_HOST, "talking to ces-fetch");
}

int ces_registry_open(struct ces_registry_way *way, int64_t patience_ms, struct ces_registry **ret,
		      struct ces_error *err)
{
	struct ces_registry *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->changed, NULL);
	r->channel = -1;
	r->pid = -1;
	r->deadline_ms = ces_now_ms() + patience_ms;
	if (start(r, err) < 0 || order(r, way, err) < 0) {
		ces_registry_close(r);
		return -1;
	}
	*ret = r;
	return 0;
}

void ces_registry_close(struct ces_registry *registry)
{
	if (registry == NULL)
		return;
	if (registry->pid > 0)
		(void)kill(registry->pid, SIGKILL);
	if (registry->listens)
		(void)pthread_join(registry->listener, NULL);
	if (registry->pid > 0)
		(void)waitpid(registry->pid, NULL, 0);
	ces_cleanup_close(&registry->channel);
	pthread_cond_destroy(&registry->changed);
	pthread_mutex_destroy(&registry->lock);
	free(registry);
}

/* ---- bodies ---- */

static int get(struct ces_registry *r, enum ces_fetch_kind kind, const char *reference,
	       uint64_t size, int *ret_fd, struct ces_error *err)
{
	struct ces_fetch_get wanted = {.id = r->last + 1,
				       .kind = kind,
				       .reference = (char *)(uintptr_t)reference,
				       .size = size};
	CES_CLEANUP_FD int body = -1;
	CES_CLEANUP_FD int writes = -1;
	int ends[2];

	if (r->failed.code != CES_OK)
		return ces_registry_failed(r, err);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return ces_error_errno(err, CES_E_HOST, "pipe");
	body = ends[0];
	writes = ends[1];
	if (ces_packet_send_frame(r->channel, &ces_fetch_get_schema, &wanted, writes, "ces-fetch",
				  err) < 0)
		return -1;
	r->last++;
	*ret_fd = ces_steal_fd(&body);
	return 0;
}

int ces_registry_blob(struct ces_registry *registry, const char *digest, uint64_t size, int *ret_fd,
		      struct ces_error *err)
{
	return get(registry, CES_FETCH_BLOB, digest, size, ret_fd, err);
}

/* The texts of ces-fetch are for a pull, in which a policy names the hosts. */
static void remember(struct ces_registry *r, const struct ces_error *error)
{
	r->failed = *error;
	if (strstr(error->text, "not among this registry's token_hosts") != NULL)
		ces_error_set(&r->failed, error->code,
			      "%.400s; if you trust it, type --token-host HOST", error->text);
}

int ces_registry_end(struct ces_registry *registry, struct ces_error *err)
{
	struct ces_error error = {0};

	pthread_mutex_lock(&registry->lock);
	while (registry->answered != registry->last && !registry->gone)
		pthread_cond_wait(&registry->changed, &registry->lock);
	if (registry->answered != registry->last || registry->state == CES_FETCH_FAILED)
		error = registry->error;
	pthread_mutex_unlock(&registry->lock);
	if (error.code == CES_OK)
		return 0;
	remember(registry, &error);
	return ces_registry_failed(registry, err);
}

int ces_registry_failed(const struct ces_registry *registry, struct ces_error *err)
{
	if (registry->failed.code == CES_OK)
		return 0;
	return ces_error_set(err, registry->failed.code, "%s", registry->failed.text);
}

int ces_registry_manifest(struct ces_registry *registry, const char *reference, char **ret,
			  size_t *ret_length, struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	CES_CLEANUP_FD int fd = -1;
	size_t length = 0;

	if (get(registry, CES_FETCH_MANIFEST, reference, CES_MANIFEST_MAX, &fd, err) < 0)
		return -1;
	if (ces_read_file(fd, CES_MANIFEST_MAX, &bytes, &length) < 0)
		return ces_error_errno(err, CES_E_REGISTRY, "the manifest");
	ces_cleanup_close(&fd);
	if (ces_registry_end(registry, err) < 0)
		return -1;
	*ret = ces_steal_pointer(&bytes);
	*ret_length = length;
	return 0;
}

enum ces_manifest_type ces_registry_type(const struct ces_registry *registry)
{
	return registry->type;
}
