/* The helper's side of ces-fetch and ces-unpack. Must not parse anything that they read. */
#include "helper/store/workers.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/paths.h"
#include "common/request.h"
#include "helper/session/account.h"
#include "helper/session/userns.h"

#define ANSWER_MS 30000
#define FRAME_MAX 65536

/* One packet with at most one fd. */
static int send_packet(int socket_fd, const struct ces_wire_schema *schema, const void *object,
		       int fd, struct ces_error *err)
{
	CES_CLEANUP_FREE uint8_t *frame = NULL;
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec part;
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	size_t length;
	ssize_t sent;

	if (ces_wire_encode(schema, object, &frame, &length, err) < 0)
		return -1;
	part = (struct iovec){frame, length};
	if (fd >= 0) {
		struct cmsghdr *header = &control.align;

		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &fd, sizeof(int));
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
	}
	sent = sendmsg(socket_fd, &message, MSG_NOSIGNAL);
	explicit_bzero(frame, length); /* the token may be in it */
	return sent == (ssize_t)length ? 0
				       : ces_error_errno(err, CES_E_HOST, "talking to ces-fetch");
}

static int open_ca(const struct ces_decision *decision, int *ret, struct ces_error *err)
{
	struct stat st;

	*ret = -1;
	if (decision->ca_file[0] == '\0')
		return 0;
	*ret = open(decision->ca_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	/* who can write here can pass for the registry */
	if (*ret >= 0 && (fstat(*ret, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != 0 ||
			  (st.st_mode & 022) != 0))
		return ces_error_set(err, CES_E_POLICY, "ca_file %s is not a file of root's alone",
				     decision->ca_file);
	return *ret < 0 ? ces_error_errno(err, CES_E_POLICY, "ca_file %s", decision->ca_file) : 0;
}

static int send_open(const struct ces_session *session, const struct ces_decision *decision,
		     int socket_fd, struct ces_error *err)
{
	char endpoint[sizeof(decision->endpoint)], repository[sizeof(decision->image.repository)];
	char *hosts[CES_DECISION_NAMES];
	char proxy[sizeof(decision->proxy)];
	/* a registry that takes no login gets none, whatever the caller gave */
	bool login = decision->credentials != CES_CREDENTIALS_NONE;
	struct ces_fetch_open order = {.scheme_host_port = endpoint,
				       .repository = repository,
				       .hosts = ces_decision_list(&decision->token_hosts, hosts),
				       .username = login ? session->request->username : NULL,
				       .token = login ? session->request->token : NULL};
	CES_CLEANUP_FD int ca = -1;
	char prefix[sizeof(endpoint)];
	char *path;

	memcpy(proxy, decision->proxy, sizeof(proxy));
	order.proxy = proxy[0] != '\0' ? proxy : NULL;
	memcpy(endpoint, decision->endpoint, sizeof(endpoint));
	memcpy(repository, decision->image.repository, sizeof(repository));
	path = strchr(endpoint + strlen("https://"), '/');
	if (path != NULL) {
		memcpy(prefix, path, strlen(path) + 1);
		order.prefix = prefix;
		*path = '\0';
	}
	if (open_ca(decision, &ca, err) < 0)
		return -1;
	order.ca = ca >= 0;
	return send_packet(socket_fd, &ces_fetch_open_schema, &order, ca, err);
}

int ces_fetcher_start(const struct ces_session *session, const struct ces_decision *decision,
		      struct ces_fetcher *ret, struct ces_error *err)
{
	struct ces_fetcher fetcher = {CES_PROCESS_NONE, -1, 1, 0};
	struct ces_spawn how = {.path = CES_FETCH_PATH, .userns = -1, .n_fds = 1};
	CES_CLEANUP_FD int theirs = -1;
	int pair[2];

	if (ces_account_take(session->runs, CES_ACCOUNT_FETCH, &how.uid, &how.gid, err) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return ces_error_errno(err, CES_E_HOST, "socket pair");
	fetcher.socket = pair[0];
	theirs = pair[1];
	how.fds = &theirs;
	if (ces_spawn_worker(&how, &fetcher.process, err) < 0 ||
	    send_open(session, decision, fetcher.socket, err) < 0) {
		ces_fetcher_stop(&fetcher);
		return -1;
	}
	*ret = fetcher;
	return 0;
}

void ces_fetcher_stop(struct ces_fetcher *fetcher)
{
	ces_cleanup_close(&fetcher->socket);
	(void)ces_process_end(&fetcher->process, true);
}

int ces_fetcher_get(struct ces_fetcher *fetcher, enum ces_fetch_kind kind, const char *reference,
		    uint64_t size, int body_fd, uint64_t *ret_id, struct ces_error *err)
{
	struct ces_fetch_get get = {.id = fetcher->next_id,
				    .kind = kind,
				    .reference = (char *)(uintptr_t)reference,
				    .size = size};

	if (send_packet(fetcher->socket, &ces_fetch_get_schema, &get, body_fd, err) < 0)
		return -1;
	*ret_id = fetcher->next_id++;
	return 0;
}

int ces_fetcher_status(struct ces_fetcher *fetcher, struct ces_fetch_status *ret,
		       struct ces_error *err)
{
	uint8_t frame[FRAME_MAX];
	ssize_t n;

	do
		n = recv(fetcher->socket, frame, sizeof(frame), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return ces_error_errno(err, CES_E_HOST, "listening to ces-fetch");
	if (n == 0)
		return 0;
	if (ces_wire_decode(&ces_fetch_status_schema, frame, (size_t)n, ret, err) < 0)
		return -1;
	if (ret->state == CES_FETCH_DONE)
		fetcher->type = ret->type;
	return 1;
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

int ces_unpacker_start(const struct ces_unpack_job *job, int userns, int input, const int *dirs,
		       size_t n_dirs, struct ces_unpacker *ret, struct ces_error *err)
{
	int order[2] = {-1, -1}, answer[2] = {-1, -1}, fds[3 + CES_LAYERS_MAX];
	struct ces_spawn how = {
	    .path = CES_UNPACK_PATH, .userns = userns, .fds = fds, .n_fds = 3 + n_dirs};
	CES_CLEANUP_FD int order_read = -1;
	CES_CLEANUP_FD int order_write = -1;
	CES_CLEANUP_FD int answer_write = -1;
	struct ces_unpacker unpacker = {CES_PROCESS_NONE, -1};

	if (n_dirs > CES_LAYERS_MAX)
		return ces_error_set(err, CES_E_INTERNAL, "too many layers");
	if (pipe2(order, O_CLOEXEC) < 0 || pipe2(answer, O_CLOEXEC) < 0)
		return ces_error_errno(err, CES_E_HOST, "pipe");
	order_read = order[0];
	order_write = order[1];
	unpacker.answer = answer[0];
	answer_write = answer[1];
	fds[0] = order_read;
	fds[1] = answer_write;
	fds[2] = input;
	if (n_dirs > 0)
		memcpy(fds + 3, dirs, n_dirs * sizeof(int));
	if (ces_spawn_worker(&how, &unpacker.process, err) < 0 ||
	    ces_wire_send(order_write, &ces_unpack_job_schema, job, ces_now_ms() + ANSWER_MS, err) <
		0) {
		ces_unpacker_kill(&unpacker);
		return -1;
	}
	*ret = unpacker;
	return 0;
}

void ces_unpacker_kill(struct ces_unpacker *unpacker)
{
	ces_cleanup_close(&unpacker->answer);
	(void)ces_process_end(&unpacker->process, true);
}

/* An answer is what was asked for, or an error in the worker's words (which the codec keeps
 * printable). */
static int take_answer(const uint8_t *frame, size_t length, const struct ces_wire_schema *schema,
		       void *ret, struct ces_error *err)
{
	struct ces_unpack_error failure;
	enum ces_code code;

	if (ces_wire_type(frame, length) == schema->type)
		return ces_wire_decode(schema, frame, length, ret, err);
	if (ces_wire_decode(&ces_unpack_error_schema, frame, length, &failure, err) < 0)
		return -1;
	code = failure.code == CES_E_HOST || failure.code == CES_E_LIMIT
		   ? (enum ces_code)failure.code
		   : CES_E_IMAGE;
	ces_error_set(err, code, "%s", failure.text);
	ces_wire_free(&ces_unpack_error_schema, &failure);
	return -1;
}

int ces_unpacker_finish(struct ces_unpacker *unpacker, int64_t deadline_ms,
			const struct ces_wire_schema *schema, void *ret, struct ces_error *err)
{
	CES_CLEANUP_FREE uint8_t *frame = NULL;
	uint16_t type;
	size_t length;
	int got = ces_wire_read(unpacker->answer, CES_WIRE_RECORD_MAX, deadline_ms, &frame, &length,
				&type, err);

	ces_unpacker_kill(unpacker);
	if (got == 0)
		return ces_error_set(
		    err, CES_E_IMAGE,
		    "unpacking ended without an answer: it ran out of memory or time, "
		    "or was stopped by its sandbox");
	if (got < 0)
		return ces_error_context(err, "unpacking");
	return take_answer(frame, length, schema, ret, err);
}
