/* Starts workers. Must not read anything that they send. */
#include "helper/pull/workers.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/packet.h"
#include "common/paths.h"
#include "common/request.h"
#include "common/store.h"
#include "helper/resolve/wish.h"
#include "helper/session/account.h"
#include "helper/session/userns.h"

#define END_MS     10000 /* for a worker that has answered */
#define PIPE_BYTES (1 << 20)

static int open_ca(const struct ces_decision *decision, int *ret, struct ces_error *err)
{
	struct stat st;

	*ret = -1;
	if (decision->ca_file[0] == '\0')
		return 0;
	*ret = open(decision->ca_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	/* a user who can write here can pass for the registry */
	if (*ret >= 0 && (fstat(*ret, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != 0 ||
			  (st.st_mode & 022) != 0))
		return ces_error_set(err, CES_E_POLICY, "ca_file %s is not a file of root's alone",
				     decision->ca_file);
	return *ret < 0 ? ces_error_errno(err, CES_E_POLICY, "ca_file %s", decision->ca_file) : 0;
}

static int send_open(const struct ces_session *session, const struct ces_decision *decision,
		     int socket_fd, struct ces_error *err)
{
	const struct ces_request *request = session->request;
	struct ces_fetch_open order = {.hosts = decision->token_hosts};
	CES_CLEANUP_FD int ca = -1;
	char *path = NULL;
	int result;

	memcpy(order.scheme_host_port, decision->endpoint, sizeof(order.scheme_host_port));
	memcpy(order.repository, decision->image.repository, sizeof(order.repository));
	memcpy(order.proxy, decision->proxy, sizeof(order.proxy));
	/* a registry that takes no login gets none, even if the caller gave one */
	if (decision->credentials != CES_CREDENTIALS_NONE && request->username != NULL) {
		(void)snprintf(order.username, sizeof(order.username), "%s", request->username);
		(void)snprintf(order.token, sizeof(order.token), "%s",
			       request->token != NULL ? request->token : "");
	}
	if (ces_endpoint_layout(decision->endpoint) != NULL)
		memcpy(order.prefix, decision->image.registry, sizeof(decision->image.registry));
	else if ((path = strchr(order.scheme_host_port + strlen("https://"), '/')) != NULL)
		(void)snprintf(order.prefix, sizeof(order.prefix), "%s", path);
	if (path != NULL)
		*path = '\0';
	if (open_ca(decision, &ca, err) < 0)
		return -1;
	order.ca = ca >= 0;
	result = ces_packet_send(socket_fd, &order, sizeof(order), ca, 0);
	explicit_bzero(&order, sizeof(order));
	return result == 0 ? 0 : ces_error_errno(err, CES_E_HOST, "talking to ces-fetch");
}

/* Starts a worker of an account of its own, in the host's namespaces. Its end of the socket is its
 * fd 3, and beside, unless -1, its fd 4. */
static int start(const struct ces_session *session, enum ces_account account, const char *path,
		 int beside, struct ces_worker *ret, struct ces_error *err)
{
	struct ces_spawn how = {.path = path, .userns = -1, .n_fds = beside < 0 ? 1 : 2};
	CES_CLEANUP_FD int theirs = -1;
	int fds[2], pair[2];

	if (ces_account_take(session->runs, account, &how.uid, &how.gid, err) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return ces_error_errno(err, CES_E_HOST, "socket pair");
	ret->socket = pair[0];
	theirs = pair[1];
	fds[0] = theirs;
	fds[1] = beside;
	how.fds = fds;
	return ces_spawn_worker(&how, &ret->process, err);
}

int ces_store_start(const struct ces_store *store, const struct ces_store_order *order, int event,
		    struct ces_worker *ret, struct ces_error *err)
{
	const struct ces_idmap map = {.uid = {{{0, store->uid, 1}}, 1},
				      .gid = {{{0, store->gid, 1}}, 1}};
	struct ces_spawn how = {.path = CES_STORE_PATH,
				.n_fds = CES_STORE_FDS - CES_STORE_SESSION,
				.same_pids = true}; /* for its locks, see lock.h */
	CES_CLEANUP_FD int theirs = -1;
	CES_CLEANUP_FD int userns = -1;
	int pair[2];

	if (ces_userns_make(&map, &userns, err) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return ces_error_errno(err, CES_E_HOST, "socket pair");
	ret->socket = pair[0];
	theirs = pair[1];
	how.userns = userns;
	how.fds = (const int[]){theirs,        event,          store->layers, store->images,
				store->grants, store->staging, store->trash,  store->locks};
	if (ces_spawn_worker(&how, &ret->process, err) < 0)
		return -1;
	return ces_packet_send(ret->socket, order, sizeof(*order), -1, MSG_DONTWAIT) == 0
		   ? 0
		   : ces_error_errno(err, CES_E_HOST, "talking to ces-store");
}

int ces_fetcher_start(const struct ces_session *session, const struct ces_decision *decision,
		      struct ces_worker *ret, struct ces_error *err)
{
	const char *layout = ces_endpoint_layout(decision->endpoint);

	return start(session, CES_ACCOUNT_FETCH, layout != NULL ? CES_LAYOUT_PATH : CES_FETCH_PATH,
		     -1, ret, err) < 0
		   ? -1
		   : send_open(session, decision, ret->socket, err);
}

int ces_resolver_start(const struct ces_session *session, const struct ces_decision *decision,
		       struct ces_worker *fetcher, struct ces_worker *ret, struct ces_error *err)
{
	const struct ces_reference *image = &decision->image;
	const char *layout = ces_endpoint_layout(decision->endpoint);
	struct ces_resolve_order order = {.signatures = decision->signed_by.n > 0};
	int result =
	    start(session, CES_ACCOUNT_RESOLVE, CES_RESOLVE_PATH, fetcher->socket, ret, err);

	ces_cleanup_close(&fetcher->socket);
	if (result < 0)
		return -1;
	(void)snprintf(order.reference, sizeof(order.reference), "%s",
		       image->digest[0] != '\0' ? image->digest : image->tag);
	(void)snprintf(order.layout, sizeof(order.layout), "%s", layout != NULL ? layout : "");
	return ces_packet_send(ret->socket, &order, sizeof(order), -1, MSG_DONTWAIT) == 0
		   ? 0
		   : ces_error_errno(err, CES_E_HOST, "talking to ces-resolve");
}

void ces_worker_stop(struct ces_worker *worker)
{
	ces_cleanup_close(&worker->socket);
	(void)ces_process_end(&worker->process, true);
}

int ces_unpacker_userns(const struct ces_session *session, int *ret, struct ces_error *err)
{
	struct ces_idmap map;
	uid_t uid = 0;
	gid_t gid = 0;

	if (ces_account_take(session->runs, CES_ACCOUNT_UNPACK, &uid, &gid, err) < 0 ||
	    ces_idmap_worker(uid, gid, (uint32_t)session->host->subid_first, &map, err) < 0)
		return -1;
	return ces_userns_make(&map, ret, err);
}

/* Closes ces-unpack's ends of the pipes on return. Its job is in the pipe before that. */
int ces_unpacker_start(const struct ces_unpack_job *job, int userns, const int *dirs, size_t n_dirs,
		       struct ces_unpacker *ret, struct ces_error *err)
{
	int order[2] = {-1, -1}, answer[2] = {-1, -1}, input[2] = {-1, -1};
	int fds[3 + CES_LAYERS_MAX];
	struct ces_spawn how = {
	    .path = CES_UNPACK_PATH, .userns = userns, .fds = fds, .n_fds = 3 + n_dirs};
	CES_CLEANUP_FD int order_read = -1;
	CES_CLEANUP_FD int order_write = -1;
	CES_CLEANUP_FD int answer_write = -1;
	CES_CLEANUP_FD int input_read = -1;

	if (n_dirs > CES_LAYERS_MAX)
		return ces_error_set(err, CES_E_INTERNAL, "too many layers");
	if (pipe2(order, O_CLOEXEC) < 0 || pipe2(answer, O_CLOEXEC) < 0 ||
	    pipe2(input, O_CLOEXEC) < 0)
		return ces_error_errno(err, CES_E_HOST, "pipe");
	order_read = order[0];
	answer_write = answer[1];
	input_read = input[0];
	fds[0] = order_read;
	fds[1] = answer_write;
	fds[2] = input_read;
	order_write = order[1];
	*ret = (struct ces_unpacker){CES_PROCESS_NONE, answer[0], input[1]};
	/* fewer wake-ups; the default works too */
	(void)fcntl(ret->input, F_SETPIPE_SZ, PIPE_BYTES);
	if (n_dirs > 0)
		memcpy(fds + 3, dirs, n_dirs * sizeof(int));
	if (ces_spawn_worker(&how, &ret->process, err) < 0)
		return -1;
	return ces_write_full(order_write, job, sizeof(*job), -1) == 0
		   ? 0
		   : ces_error_errno(err, CES_E_HOST, "talking to ces-unpack");
}

void ces_unpacker_kill(struct ces_unpacker *unpacker)
{
	ces_cleanup_close(&unpacker->answer);
	ces_cleanup_close(&unpacker->input);
	(void)ces_process_end(&unpacker->process, true);
}

bool ces_unpacker_done(struct ces_unpacker *unpacker)
{
	struct pollfd ended = {.fd = unpacker->process.pidfd, .events = POLLIN};

	ces_cleanup_close(&unpacker->answer);
	ces_cleanup_close(&unpacker->input);
	(void)poll(&ended, 1, END_MS);
	return ces_process_end(&unpacker->process, ended.revents == 0) == 0;
}
