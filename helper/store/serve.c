/* Root's side of ces-resolve. Must not look into a document, nor take from it a name, a path on the
 * host or a descriptor.
 *
 * Who controls what: the registry controls the documents, and a hijacker of ces-resolve controls
 * every field of a wish. A digest is checked before it becomes a name, a layer's number is below
 * the number of layers, and a wish out of its phase ends the pull. The digests that the reference
 * names and that were approved are compared with digests that are made here, of the stored bytes.
 * Nothing changes between check and use: a wish is a copy in this process's memory. */
#include "helper/store/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/event.h"
#include "common/io.h"
#include "common/packet.h"
#include "common/request.h"
#include "helper/core/beneath.h"
#include "helper/core/order.h"
#include "helper/launch/overlay.h"
#include "helper/resolve/wish.h"
#include "helper/session/frames.h"
#include "helper/session/idmap.h"
#include "helper/session/mounts.h"
#include "helper/session/report.h"
#include "helper/session/runs.h"
#include "helper/store/quota.h"

#define UNPACKERS_MAX     3
#define LAYER_ENTRIES_MAX 4000000ull

/* One bit for each phase. */
enum phase { LOOKING = 1, CONFIGURING = 2, FETCHING = 4, ASSEMBLING = 8, ENDING = 16, ANY = 31 };

struct serving {
	struct ces_pull *pull;
	enum phase phase;
	struct ces_bytes documents[CES_WISH_DOCUMENTS];
	struct ces_unpacker reader; /* of a document */
	bool fetched;               /* a layer was fetched */
	bool done;
};

static int refused(struct ces_error *err)
{
	return ces_error_set(err, CES_E_INTERNAL, "ces-resolve asked for what it may not have");
}

static int answer(const struct serving *s, const struct ces_wish_answer *what, int fd,
		  struct ces_error *err)
{
	/* does not wait for a ces-resolve that reads no answers */
	return ces_packet_send(s->pull->resolver.socket, what, sizeof(*what), fd, MSG_DONTWAIT) < 0
		   ? ces_error_errno(err, CES_E_HOST, "talking to ces-resolve")
		   : 0;
}

static int hand_out(const struct serving *s, int *fd, struct ces_error *err)
{
	const struct ces_wish_answer ready = {.state = 1};
	int result = answer(s, &ready, *fd, err);

	ces_cleanup_close(fd);
	return result;
}

static bool is_here(const struct ces_pull *pull, size_t i)
{
	const struct ces_pull_layer *layer = &pull->layers[i];
	CES_CLEANUP_FD int fd = -1;
	struct ces_error ignored;

	return ces_store_layer_from(pull->store, layer->diff_id, layer->digest) &&
	       ces_store_open_layer(pull->store, layer->diff_id, &fd, &ignored) == 0;
}

static void set_here(const struct ces_pull *pull, size_t i, struct ces_wish_answer *ret)
{
	if (is_here(pull, i))
		ret->here[i / 64] |= 1ull << (i % 64);
}

static int take_bytes(struct serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	static const enum phase when[] = {[CES_WISH_TOP] = LOOKING,
					  [CES_WISH_CHOSEN] = LOOKING,
					  [CES_WISH_CONFIG] = CONFIGURING,
					  [CES_WISH_RECORD] = ASSEMBLING};
	struct ces_bytes *document;
	char *bigger;

	if (wish->number >= CES_WISH_DOCUMENTS || when[wish->number] != s->phase)
		return refused(err);
	document = &s->documents[wish->number];
	if (wish->length > CES_MANIFEST_MAX - document->length)
		return refused(err);
	bigger = realloc(document->bytes, document->length + wish->length + 1);
	if (bigger == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	document->bytes = bigger;
	memcpy(bigger + document->length, wish->bytes, wish->length);
	document->length += wish->length;
	return 0;
}

static int start_reader(struct serving *s, const struct ces_unpack_job *job, const int *dirs,
			size_t n, struct ces_error *err)
{
	ces_unpacker_kill(&s->reader);
	return ces_unpacker_start(job, s->pull->userns, dirs, n, &s->reader, err) < 0
		   ? -1
		   : hand_out(s, &s->reader.answer, err);
}

static int parse(struct serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	const struct ces_unpack_job job = {
	    .kind = wish->number,
	    .digest = wish->digest[0] != '\0' ? (char *)(uintptr_t)wish->digest : NULL,
	    .size = wish->size,
	    .layers = wish->layers,
	    .type = wish->type};

	if (wish->number != (s->phase == LOOKING ? CES_UNPACK_MANIFEST : CES_UNPACK_CONFIG) ||
	    (job.digest != NULL && !ces_digest_valid(job.digest)))
		return refused(err);
	return start_reader(s, &job, NULL, 0, err) < 0 ? -1 : hand_out(s, &s->reader.input, err);
}

static const struct ces_bytes *manifest(const struct serving *s)
{
	return &s->documents[s->documents[CES_WISH_CHOSEN].length > 0 ? CES_WISH_CHOSEN
								      : CES_WISH_TOP];
}

static bool is_approved(const struct ces_pull *pull)
{
	const char *locked = pull->decision->locked_digest;

	return locked[0] == '\0' || strcmp(locked, pull->digest) == 0 ||
	       strcmp(locked, pull->top_digest) == 0;
}

/* Checks that this is the image that the caller named, and that was approved. */
static int found(struct serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	const struct ces_bytes *top = &s->documents[CES_WISH_TOP];
	const char *named = s->pull->decision->image.digest;
	struct ces_pull *pull = s->pull;

	(void)wish;
	ces_digest_of(top->bytes, top->length, pull->top_digest);
	ces_digest_of(manifest(s)->bytes, manifest(s)->length, pull->digest);
	if (named[0] != '\0' && strcmp(named, pull->top_digest) != 0)
		return refused(err);
	s->phase = CONFIGURING;
	return is_approved(pull)
		   ? 0
		   : ces_error_rule(err, CES_E_DENIED, pull->decision->rule,
				    "the registry's image is not the one that was approved (%.19s)",
				    pull->decision->locked_digest);
}

static int add_layer(struct serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	struct ces_pull *pull = s->pull;
	struct ces_pull_layer *layer = &pull->layers[pull->n];

	if (pull->n >= CES_LAYERS_MAX || !ces_digest_valid(wish->digest) ||
	    !ces_digest_valid(wish->diff_id))
		return refused(err);
	*layer = (struct ces_pull_layer){.size = wish->size,
					 .compression = wish->number,
					 .staging = -1,
					 .unpacker = CES_UNPACKER_NONE,
					 .claim = CES_CLAIM_NONE};
	memcpy(layer->digest, wish->digest, sizeof(layer->digest));
	memcpy(layer->diff_id, wish->diff_id, sizeof(layer->diff_id));
	pull->diff_ids[pull->n++] = layer->diff_id;
	return 0;
}

/* Names the layers in the pull's entry before it looks for them, so that the collector leaves
 * them. */
static int need_layers(struct serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	struct ces_pull *pull = s->pull;
	const struct ces_strings diff_ids = {pull->diff_ids, pull->n};
	struct ces_wish_answer here = {0};

	(void)wish;
	if (ces_runs_need(pull->entry, pull->digest, &diff_ids, err) < 0 ||
	    ces_store_await_collector(pull->store, err) < 0)
		return -1;
	for (size_t i = 0; i < pull->n; i++)
		set_here(pull, i, &here);
	s->phase = FETCHING;
	return answer(s, &here, -1, err);
}

static int check_room(struct serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	return ces_quota_room(s->pull->session, wish->size, err);
}

static int claim(struct serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	struct ces_pull_layer *layer = &s->pull->layers[wish->layer];
	struct ces_wish_answer taken = {0};

	taken.state = wish->number == 1 || layer->claim.held ||
		      ces_claim_take(s->pull->session->runs, layer->digest, &layer->claim);
	set_here(s->pull, wish->layer, &taken);
	return answer(s, &taken, -1, err);
}

static int look(struct serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	struct ces_pull_layer *layer = &s->pull->layers[wish->layer];
	struct ces_wish_answer seen = {0};

	if (layer->claim.fd < 0 || layer->claim.held)
		return refused(err);
	seen.state =
	    ces_claim_look(s->pull->session->runs, layer->digest, layer->size, &layer->claim);
	seen.size = layer->claim.bytes;
	return answer(s, &seen, -1, err);
}

static size_t unpackers(const struct ces_pull *pull)
{
	size_t n = 0;

	for (size_t i = 0; i < pull->n; i++)
		n += pull->layers[i].unpacker.process.pid != 0;
	return n;
}

/* Root, and not ces-resolve, sets the limits of a layer. */
static int unpack(struct serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	struct ces_pull *pull = s->pull;
	struct ces_pull_layer *layer = &pull->layers[wish->layer];
	const struct ces_unpack_job job = {
	    .kind = CES_UNPACK_LAYER,
	    .digest = layer->digest,
	    .size = layer->size,
	    .compression = layer->compression,
	    .diff_id = layer->diff_id,
	    .max_bytes = pull->left < CES_LAYER_BYTES_MAX ? pull->left : CES_LAYER_BYTES_MAX,
	    .max_entries = LAYER_ENTRIES_MAX,
	    .reserve = pull->session->host->store.reserve};
	CES_CLEANUP_FD int fs = -1;
	CES_CLEANUP_FD int mount = -1;

	if (layer->name[0] != '\0' || unpackers(pull) >= UNPACKERS_MAX)
		return refused(err);
	if (ces_store_stage(pull->store, layer->name, &layer->staging, &fs, err) < 0 ||
	    ces_mount_clone(fs, false, pull->userns, &mount, err) < 0 ||
	    ces_unpacker_start(&job, pull->userns, &mount, 1, &layer->unpacker, err) < 0 ||
	    hand_out(s, &layer->unpacker.answer, err) < 0)
		return -1;
	return hand_out(s, &layer->unpacker.input, err);
}

/* Checks that the layer's ces-unpack did its job. It is dead from here on: nothing changes below fs
 * any more. Its exit, and not ces-resolve, says that the bytes were those of both digests. */
static int settled(struct serving *s, size_t i, struct ces_error *err)
{
	struct ces_pull_layer *layer = &s->pull->layers[i];

	if (layer->staging < 0)
		return refused(err);
	if (layer->unpacker.process.pid != 0)
		layer->whole = ces_unpacker_done(&layer->unpacker);
	return layer->whole ? 0 : refused(err);
}

static int mark_opaque(struct serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	char path[CES_WISH_BYTES_MAX + 1];
	CES_CLEANUP_FD int fs = -1;

	if (settled(s, wish->layer, err) < 0)
		return -1;
	memcpy(path, wish->bytes, wish->length);
	path[wish->length] = '\0';
	fs =
	    ces_beneath_open(s->pull->layers[wish->layer].staging, "fs", O_RDONLY | O_DIRECTORY, 0);
	return fs < 0 ? ces_error_errno(err, CES_E_HOST, "staging directory")
		      : ces_overlay_mark(fs, path, err);
}

static int commit_layer(struct serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	const struct ces_store *store = s->pull->store;
	struct ces_pull_layer *layer = &s->pull->layers[wish->layer];

	if (settled(s, wish->layer, err) < 0 ||
	    ces_store_note_layer(layer->staging, wish->size, layer->digest, err) < 0 ||
	    ces_store_commit_layer(store, layer->name, layer->diff_id, err) < 0)
		return -1;
	ces_cleanup_close(&layer->staging);
	layer->name[0] = '\0';
	ces_claim_drop(s->pull->session->runs, layer->digest, &layer->claim);
	s->fetched = true;
	return 0;
}

static int progress(struct serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	struct ces_pull_layer *layer = &s->pull->layers[wish->layer];
	struct ces_event_progress event = {.layer = wish->layer,
					   .layers = s->pull->n,
					   .state = wish->number,
					   .bytes = wish->size,
					   .size = layer->size,
					   .digest = layer->digest};

	if (wish->number < CES_PROGRESS_WAITING || wish->number > CES_PROGRESS_DONE)
		return refused(err);
	if (wish->number == CES_PROGRESS_FETCHING)
		ces_claim_note(&layer->claim, wish->size);
	if (wish->number == CES_PROGRESS_DONE)
		ces_claim_drop(s->pull->session->runs, layer->digest, &layer->claim);
	ces_report_send(&ces_event_progress_schema, &event, wish->number != CES_PROGRESS_FETCHING);
	return 0;
}

/* Grants no image that is over the user's limit; the collector then has its layers. */
static int have_layers(struct serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	struct ces_pull *pull = s->pull;
	const struct ces_strings diff_ids = {pull->diff_ids, pull->n};
	struct ces_wish_answer known = {0};
	struct ces_image_record record;
	struct ces_error unknown;

	for (size_t i = 0; i < pull->n; i++)
		pull->bytes += ces_store_layer_size(pull->store, pull->layers[i].diff_id);
	if (ces_quota_check(pull->session, pull->reference, &diff_ids, &pull->left, err) < 0)
		return -1;
	known.state = ces_store_load_image(pull->store, pull->digest, &record, &unknown) == 0;
	if (known.state == 1)
		ces_image_record_free(&record);
	pull->up_to_date = known.state == 1 && !s->fetched && wish->number == 0;
	s->phase = known.state == 1 ? ENDING : ASSEMBLING;
	return answer(s, &known, -1, err);
}

/* Finds the image's user in its own passwd file: ces-unpack reads it through read-only id-mapped
 * mounts. */
static int find_user(struct serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	char user[CES_WISH_BYTES_MAX + 1];
	const struct ces_unpack_job job = {.kind = CES_UNPACK_FIND_USER,
					   .user = wish->length > 0 ? user : NULL};
	int mounts[CES_LAYERS_MAX];
	size_t n = 0;
	int result = 0;

	memcpy(user, wish->bytes, wish->length);
	user[wish->length] = '\0';
	for (; n < s->pull->n && result == 0; n += result == 0) {
		CES_CLEANUP_FD int layer = -1;

		result = ces_store_open_layer(s->pull->store, s->pull->diff_ids[n], &layer, err);
		if (result == 0)
			result = ces_mount_clone(layer, true, s->pull->userns, &mounts[n], err);
	}
	if (result == 0)
		result = start_reader(s, &job, mounts, n, err);
	for (size_t i = 0; i < n; i++)
		close(mounts[i]);
	return result;
}

static bool same_layers(const struct ces_pull *pull, const struct ces_image_record *record)
{
	bool same = record->diff_ids.n == pull->n;

	for (size_t i = 0; same && i < pull->n; i++)
		same = strcmp(record->diff_ids.v[i], pull->diff_ids[i]) == 0;
	return same;
}

static int commit_image(const struct serving *s, struct ces_error *err)
{
	const struct ces_bytes *frame = &s->documents[CES_WISH_RECORD];
	const struct ces_bytes *config = &s->documents[CES_WISH_CONFIG];
	char config_digest[CES_DIGEST_LENGTH + 1];
	struct ces_image_record record, whole;
	int result;

	if (ces_image_record_decode(frame->bytes, frame->length, &record, err) < 0)
		return -1;
	whole = record;
	whole.digest = s->pull->digest;
	whole.config_digest = config_digest;
	whole.size = s->pull->bytes;
	ces_digest_of(config->bytes, config->length, config_digest);
	if (!same_layers(s->pull, &record))
		result = refused(err);
	else if (record.uid >= CES_IDMAP_SPAN || record.gid >= CES_IDMAP_SPAN)
		result = ces_error_set(err, CES_E_IMAGE, "the image's user has an id above 65535");
	else
		result = ces_store_commit_image(s->pull->store, &whole, manifest(s), config, err);
	ces_image_record_free(&record);
	return result;
}

static int end(struct serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	(void)wish;
	s->done = true;
	return s->phase == ASSEMBLING ? commit_image(s, err) : 0;
}

static int failed(struct serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	static const char *const login = "registries.credentials";

	(void)s;
	switch (wish->number) {
	case CES_E_NOTFOUND:
	case CES_E_REGISTRY:
	case CES_E_IMAGE:
	case CES_E_HOST:
	case CES_E_LIMIT:
	case CES_E_INTERNAL:
		return ces_error_rule(err, (enum ces_code)wish->number,
				      wish->size == 1 ? login : "", "%.*s", (int)wish->length,
				      wish->bytes);
	default:
		return refused(err);
	}
}

static const struct {
	int (*serve)(struct serving *s, const struct ces_wish *wish, struct ces_error *err);
	unsigned phases;
} wishes[CES_WISH_KINDS] = {
    [CES_WISH_BYTES] = {take_bytes, LOOKING | CONFIGURING | ASSEMBLING},
    [CES_WISH_PARSE] = {parse, LOOKING | CONFIGURING},
    [CES_WISH_MANIFEST] = {found, LOOKING},
    [CES_WISH_LAYER] = {add_layer, CONFIGURING},
    [CES_WISH_NEED] = {need_layers, CONFIGURING},
    [CES_WISH_ROOM] = {check_room, FETCHING},
    [CES_WISH_CLAIM] = {claim, FETCHING},
    [CES_WISH_LOOK] = {look, FETCHING},
    [CES_WISH_UNPACK] = {unpack, FETCHING},
    [CES_WISH_OPAQUE] = {mark_opaque, FETCHING},
    [CES_WISH_COMMIT] = {commit_layer, FETCHING},
    [CES_WISH_PROGRESS] = {progress, FETCHING},
    [CES_WISH_IMAGE] = {have_layers, FETCHING},
    [CES_WISH_USER] = {find_user, ASSEMBLING},
    [CES_WISH_DONE] = {end, ASSEMBLING | ENDING},
    [CES_WISH_FAILED] = {failed, ANY},
};

static bool names_a_layer(uint64_t kind)
{
	return kind >= CES_WISH_CLAIM && kind <= CES_WISH_PROGRESS;
}

static int serve_one(struct serving *s, struct ces_error *err)
{
	static struct ces_wish wish;
	ssize_t n = recv(s->pull->resolver.socket, &wish, sizeof(wish), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return ces_error_set(err, CES_E_HOST, "ces-resolve ended unexpectedly");
	if ((size_t)n < offsetof(struct ces_wish, bytes) ||
	    wish.length != (size_t)n - offsetof(struct ces_wish, bytes) ||
	    wish.kind >= CES_WISH_KINDS || (wishes[wish.kind].phases & s->phase) == 0 ||
	    (names_a_layer(wish.kind) && wish.layer >= s->pull->n))
		return refused(err);
	wish.digest[CES_DIGEST_LENGTH] = wish.diff_id[CES_DIGEST_LENGTH] = '\0';
	return wishes[wish.kind].serve(s, &wish, err);
}

static int cancelled(struct ces_error *err)
{
	struct ces_control frame;
	struct ces_error ignored;
	int got = ces_control_receive(CES_FD_REQUEST, &frame, &ignored);

	if (got > 0 && frame.kind == CES_CONTROL_WINDOW)
		return 0;
	return ces_error_set(err, CES_E_USAGE, "the pull was interrupted; nothing was kept");
}

static int step(struct serving *s, struct ces_error *err)
{
	struct pollfd fds[2] = {{.fd = s->pull->resolver.socket, .events = POLLIN},
				{.fd = CES_FD_REQUEST, .events = POLLIN}};

	if (poll(fds, 2, -1) < 0)
		return errno == EINTR ? 0 : ces_error_errno(err, CES_E_HOST, "poll");
	if (fds[1].revents != 0 && cancelled(err) < 0)
		return -1;
	return fds[0].revents != 0 ? serve_one(s, err) : 0;
}

static void clear(struct serving *s)
{
	struct ces_pull *pull = s->pull;

	for (size_t i = 0; i < pull->n; i++) {
		struct ces_pull_layer *layer = &pull->layers[i];

		ces_claim_drop(pull->session->runs, layer->digest, &layer->claim);
		ces_unpacker_kill(&layer->unpacker);
		ces_cleanup_close(&layer->staging);
		if (layer->name[0] != '\0')
			ces_store_unstage(pull->store, layer->name);
	}
	ces_unpacker_kill(&s->reader);
	for (size_t i = 0; i < CES_WISH_DOCUMENTS; i++)
		free(s->documents[i].bytes);
}

int ces_serve_pull(struct ces_pull *pull, struct ces_error *err)
{
	struct serving s = {.pull = pull, .phase = LOOKING, .reader = CES_UNPACKER_NONE};
	int result = 0;

	while (result == 0 && !s.done)
		result = step(&s, err);
	clear(&s);
	return result;
}
