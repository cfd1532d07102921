/* Sends manifests and blobs of an image layout into the pipes that come with each question. Must
 * not look into a blob, nor wait for one reader while another is ready. */
#include "helper/layout/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/frame.h"
#include "common/io.h"
#include "common/schema.h"
#include "common/wire_field.h"
#include "helper/fetch/channel.h"
#include "helper/layout/index.h"
#include "policy/policy.h"

#define TRANSFERS_MAX (CES_LAYERS_MAX + 1)
#define PIECE         (1u << 20)
#define REPORT_MS     100
#define STUCK_SECONDS 60

struct transfer {
	uint64_t id, sent, size;
	int64_t reported;
	int file, pipe;
	bool unread; /* its reader is gone, and says why */
};

struct serving {
	int channel;
	struct ces_error broken; /* code is set when the layout cannot be read */
	struct ces_index index;
	struct transfer v[TRANSFERS_MAX];
	size_t n;
};

static void answer(const struct serving *s, uint64_t id, enum ces_fetch_state state,
		   const struct ces_error *err)
{
	const struct ces_fetch_status status = {.id = id, .state = state};

	ces_channel_report(s->channel, &status, err, true);
}

/* Ends transfer i. The last takes its place. */
static void finish(struct serving *s, size_t i, const struct ces_error *err)
{
	uint64_t id = s->v[i].id;
	enum ces_fetch_state state = err == NULL      ? CES_FETCH_DONE
				     : s->v[i].unread ? CES_FETCH_UNREAD
						      : CES_FETCH_FAILED;

	close(s->v[i].file);
	close(s->v[i].pipe); /* its reader sees the end before the answer */
	s->v[i] = s->v[--s->n];
	answer(s, id, state, err);
}

/* Finds what is asked for. A list of referrers is none of a layout's files: ces-resolve asks for
 * the tag that has it then. */
static int find(struct serving *s, const struct ces_fetch_get *get, int *ret_file,
		uint64_t *ret_size, struct ces_error *err)
{
	bool manifest = get->kind == CES_FETCH_MANIFEST || get->kind == CES_FETCH_SIGNATURES;
	char digest[CES_DIGEST_LENGTH + 1];

	if (s->broken.code != CES_OK) {
		*err = s->broken;
		return -1;
	}
	if (get->kind == CES_FETCH_REFERRERS)
		return ces_error_set(err, CES_E_NOTFOUND, "an image layout lists no referrers");
	if (!manifest && !ces_digest_valid(get->reference))
		return ces_error_set(err, CES_E_INTERNAL, "a blob without a digest");
	if (ces_index_find(&s->index, get->reference, get->kind == CES_FETCH_MANIFEST, digest,
			   err) < 0 ||
	    ces_index_blob(&s->index, digest, ret_file, ret_size, err) < 0)
		return -1;
	if (manifest ? *ret_size > get->size : *ret_size != get->size)
		return ces_error_set(err, CES_E_REGISTRY,
				     "%.19s in the image layout has %llu bytes, not %llu", digest,
				     (unsigned long long)*ret_size, (unsigned long long)get->size);
	return manifest ? ces_index_note(&s->index, *ret_file, err) : 0;
}

static bool is_write_end(int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) && flags >= 0 &&
	       (flags & O_ACCMODE) == O_WRONLY && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

static int start(struct serving *s, const struct ces_fetch_get *get, int *pipe,
		 struct ces_error *err)
{
	CES_CLEANUP_FD int file = -1;
	struct ces_error missing = {0};
	uint64_t size = 0;

	if (s->n == TRANSFERS_MAX ||
	    (get->kind == CES_FETCH_CHECK ? *pipe >= 0 : *pipe < 0 || !is_write_end(*pipe)))
		return ces_error_set(err, CES_E_INTERNAL, "a FETCH_GET that does not fit");
	if (find(s, get, &file, &size, &missing) < 0) {
		ces_cleanup_close(pipe);
		answer(s, get->id, CES_FETCH_FAILED, &missing);
	} else if (get->kind == CES_FETCH_CHECK) {
		answer(s, get->id, CES_FETCH_DONE, NULL);
	} else {
		s->v[s->n++] = (struct transfer){.id = get->id,
						 .size = size,
						 .file = ces_steal_fd(&file),
						 .pipe = ces_steal_fd(pipe)};
	}
	return 0;
}

static int take_get(struct serving *s, const void *frame, size_t length, int *fd,
		    struct ces_error *err)
{
	struct ces_fetch_get get = {0};
	int result;

	if (ces_wire_decode(&ces_fetch_get_schema, frame, length, &get, err) < 0)
		return -1;
	result = start(s, &get, fd, err);
	ces_wire_free(&ces_fetch_get_schema, &get);
	return result;
}

/* Takes one packet: 1, 0 when the other end is closed, -1. */
static int take_packet(struct serving *s, struct ces_error *err)
{
	static uint8_t buffer[CES_CHANNEL_PACKET_MAX];
	CES_CLEANUP_FD int fd = -1;
	size_t length = 0;
	int result = ces_channel_receive(s->channel, buffer, sizeof(buffer), &length, &fd, err);

	if (result != 1 || length == 0)
		return result;
	if (ces_wire_type(buffer, length) != CES_FRAME_FETCH_GET)
		return ces_error_set(err, CES_E_INTERNAL, "an unknown packet");
	return take_get(s, buffer, length, &fd, err) < 0 ? -1 : 1;
}

/* Moves as much as the pipe takes now. Returns 1 while there is more. */
static int move(struct transfer *t, struct ces_error *err)
{
	uint64_t left = t->size - t->sent;
	ssize_t n = left == 0 ? 0 : sendfile(t->pipe, t->file, NULL, left < PIECE ? left : PIECE);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 1;
	t->unread = n < 0 && errno == EPIPE;
	if (t->unread)
		return ces_error_set(err, CES_E_INTERNAL, "nobody takes the bytes of a blob");
	if (n < 0)
		return ces_error_errno(err, CES_E_HOST, "reading the image layout");
	if (n == 0 && left > 0)
		return ces_error_set(err, CES_E_HOST,
				     "a file of the image layout became shorter while it was read");
	t->sent += (uint64_t)n;
	return t->sent < t->size;
}

static void go_on(struct serving *s, size_t i)
{
	struct transfer *t = &s->v[i];
	struct ces_error err = {0};
	int64_t now = ces_now_ms();
	int result = move(t, &err);

	if (result < 1) {
		finish(s, i, result < 0 ? &err : NULL);
		return;
	}
	if (now - t->reported < REPORT_MS)
		return;
	t->reported = now;
	ces_channel_report(s->channel,
			   &(const struct ces_fetch_status){
			       .id = t->id, .state = CES_FETCH_BYTES, .bytes = t->sent},
			   NULL, false);
}

/* The policy names the directory, and the rule for it is the policy's own: only root can put
 * another in its place. The index and the blobs are opened below this fd. */
static int open_directory(const struct ces_fetch_open *names, int *ret, struct ces_error *err)
{
	const char *path = ces_endpoint_layout(names->scheme_host_port);

	if (path == NULL || names->prefix[0] == '\0')
		return ces_error_set(err, CES_E_INTERNAL, "no directory is named");
	if (ces_policy_open_directory(path, ret, err) < 0) {
		err->code = CES_E_HOST; /* (ces-resolve passes this on) */
		return ces_error_context(err, "the registry's endpoint");
	}
	return *ret < 0 ? ces_error_set(err, CES_E_HOST, "%s: no such directory", path) : 0;
}

int ces_layout_take_order(int channel, struct ces_layout_order *ret, struct ces_error *err)
{
	uint8_t frame[CES_CHANNEL_PACKET_MAX];
	ssize_t n = recv(channel, frame, sizeof(frame), 0);

	*ret = (struct ces_layout_order){.dir = -1};
	if (n <= 0 || ces_channel_order(frame, (size_t)n, &ret->names) < 0)
		return ces_error_set(err, CES_E_USAGE,
				     "ces-layout is started by CES and does nothing by itself");
	(void)alarm(STUCK_SECONDS);
	(void)open_directory(&ret->names, &ret->dir, &ret->broken);
	return 0;
}

int ces_layout_serve(int channel, const struct ces_layout_order *order, struct ces_error *err)
{
	static struct serving s;
	struct pollfd fds[1 + TRANSFERS_MAX];
	int result = 1;

	s = (struct serving){.channel = channel, .broken = order->broken};
	if (s.broken.code == CES_OK)
		(void)ces_index_open(order->dir, order->names.prefix, order->names.repository,
				     &s.index, &s.broken);
	while (result == 1) {
		fds[0] = (struct pollfd){.fd = channel, .events = POLLIN};
		for (size_t i = 0; i < s.n; i++)
			fds[i + 1] = (struct pollfd){.fd = s.v[i].pipe, .events = POLLOUT};
		(void)alarm(0);
		if (poll(fds, s.n + 1, -1) < 0 && errno != EINTR)
			return ces_error_errno(err, CES_E_INTERNAL, "poll");
		(void)alarm(
		    STUCK_SECONDS); /* kills, also in a wait on a file server that is gone */
		/* from the last, since one that ends gives its place to the last */
		for (size_t i = s.n; i-- > 0;)
			if (fds[i + 1].revents != 0)
				go_on(&s, i);
		if (fds[0].revents != 0)
			result = take_packet(&s, err);
	}
	return result;
}
