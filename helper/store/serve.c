/* Root's side of ces-resolve. Must not look into a document, nor take from it a name, a path on the
 * host or a descriptor.
 *
 * Who controls what: the registry controls the documents, and a hijacker of ces-resolve controls
 * every field of a wish. A digest is checked before it becomes a name, a layer's number is below
 * the number of layers, and a wish out of its phase ends the pull. The digests that the reference
 * names and that were approved are compared with digests that are made here, of the stored bytes.
 * Nothing changes between check and use: a wish is a copy in this process's memory. */
#include "helper/store/serve_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/packet.h"
#include "common/request.h"
#include "helper/core/order.h"
#include "helper/session/frames.h"
#include "helper/session/idmap.h"
#include "helper/session/mounts.h"
#include "helper/session/runs.h"
#include "helper/store/clean.h"
#include "helper/store/quota.h"
#include "helper/store/signed.h"
#include "policy/base.h"

int ces_serve_refuse(struct ces_error *err)
{
	return ces_error_set(err, CES_E_INTERNAL, "ces-resolve asked for what it may not have");
}

int ces_serve_answer(const struct ces_serving *s, const struct ces_wish_answer *what, int fd,
		     struct ces_error *err)
{
	/* does not wait for a ces-resolve that reads no answers */
	return ces_packet_send(s->pull->resolver.socket, what, sizeof(*what), fd, MSG_DONTWAIT) < 0
		   ? ces_error_errno(err, CES_E_HOST, "talking to ces-resolve")
		   : 0;
}

int ces_serve_hand_out(const struct ces_serving *s, int *fd, struct ces_error *err)
{
	const struct ces_wish_answer ready = {.state = 1};
	int result = ces_serve_answer(s, &ready, *fd, err);

	ces_cleanup_close(fd);
	return result;
}

static int take_bytes(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	static const enum ces_phase when[] = {[CES_WISH_TOP] = CES_LOOKING,
					      [CES_WISH_CHOSEN] = CES_LOOKING,
					      [CES_WISH_CONFIG] = CES_CONFIGURING,
					      [CES_WISH_RECORD] = CES_ASSEMBLING,
					      [CES_WISH_SIGNATURES] = CES_SIGNING};
	struct ces_bytes *document;
	char *bigger;

	if (wish->number >= CES_WISH_DOCUMENTS || when[wish->number] != s->phase)
		return ces_serve_refuse(err);
	document = &s->documents[wish->number];
	if (wish->length > CES_MANIFEST_MAX - document->length)
		return ces_serve_refuse(err);
	bigger = realloc(document->bytes, document->length + wish->length + 1);
	if (bigger == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	document->bytes = bigger;
	memcpy(bigger + document->length, wish->bytes, wish->length);
	document->length += wish->length;
	return 0;
}

static int start_reader(struct ces_serving *s, const struct ces_unpack_job *job, const int *dirs,
			size_t n, struct ces_error *err)
{
	ces_unpacker_kill(&s->reader);
	return ces_unpacker_start(job, s->pull->userns, dirs, n, &s->reader, err) < 0
		   ? -1
		   : ces_serve_hand_out(s, &s->reader.answer, err);
}

static int parse(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	struct ces_unpack_job job = {
	    .kind = wish->number, .size = wish->size, .layers = wish->layers, .type = wish->type};

	if (wish->number != (s->phase == CES_LOOKING   ? CES_UNPACK_MANIFEST
			     : s->phase == CES_SIGNING ? CES_UNPACK_SIGNATURES
						       : CES_UNPACK_CONFIG) ||
	    (wish->digest[0] != '\0' && !ces_digest_valid(wish->digest)))
		return ces_serve_refuse(err);
	memcpy(job.digest, wish->digest, sizeof(job.digest));
	return start_reader(s, &job, NULL, 0, err) < 0
		   ? -1
		   : ces_serve_hand_out(s, &s->reader.input, err);
}

static const struct ces_bytes *manifest(const struct ces_serving *s)
{
	return &s->documents[s->documents[CES_WISH_CHOSEN].length > 0 ? CES_WISH_CHOSEN
								      : CES_WISH_TOP];
}

/* Does a document hold this digest as text? Every index, manifest and configuration has those of
 * its parts in it. So the bytes that were approved lead to their own parts alone, whatever
 * ces-resolve says is in them, and root need not read them. One that never came has no bytes. */
static bool names(const struct ces_bytes *document, const char *digest)
{
	return memmem(document->bytes ?: "", document->length, digest, CES_DIGEST_LENGTH) != NULL;
}

static bool is_approved(const struct ces_pull *pull)
{
	const char *locked = pull->decision->locked_digest;

	return locked[0] == '\0' || strcmp(locked, pull->digest) == 0 ||
	       strcmp(locked, pull->top_digest) == 0;
}

/* Checks that this is the image that the caller named, and that was approved. */
static int found(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	const struct ces_bytes *top = &s->documents[CES_WISH_TOP];
	const char *named = s->pull->decision->image.digest;
	struct ces_pull *pull = s->pull;

	(void)wish;
	ces_digest_of(top->bytes, top->length, pull->top_digest);
	ces_digest_of(manifest(s)->bytes, manifest(s)->length, pull->digest);
	if ((named[0] != '\0' && strcmp(named, pull->top_digest) != 0) ||
	    (manifest(s) != top && !names(top, pull->digest)))
		return ces_serve_refuse(err);
	s->phase = pull->decision->signed_by.n > 0 ? CES_SIGNING : CES_CONFIGURING;
	return is_approved(pull)
		   ? 0
		   : ces_error_rule(err, CES_E_DENIED, pull->decision->rule,
				    "the registry's image is not the one that was approved (%.19s)",
				    pull->decision->locked_digest);
}

/* Nothing of the image is fetched before enough keys have signed it. If they have not, the reason
 * may be that the registry did not hand the signatures out: ces-resolve says why. */
static int check_signed(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	const struct ces_pull *pull = s->pull;

	s->phase = CES_CONFIGURING;
	if (ces_signed_check(pull->decision, pull->digest, pull->top_digest,
			     &s->documents[CES_WISH_SIGNATURES], pull->signers, err) == 0)
		return 0;
	return wish->length > 0 && err->code == CES_E_DENIED
		   ? ces_error_context(err, "not all signatures could be read (%.*s)",
				       wish->length < 120 ? (int)wish->length : 120, wish->bytes)
		   : -1;
}

static int add_layer(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	struct ces_pull *pull = s->pull;
	struct ces_pull_layer *layer = &pull->layers[pull->n];

	if (pull->n >= CES_LAYERS_MAX || !ces_digest_valid(wish->digest) ||
	    !ces_digest_valid(wish->diff_id) || !names(manifest(s), wish->digest) ||
	    !names(&s->documents[CES_WISH_CONFIG], wish->diff_id))
		return ces_serve_refuse(err);
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
static int need_layers(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	struct ces_pull *pull = s->pull;
	const struct ces_strings diff_ids = {pull->diff_ids, pull->n};
	const struct ces_bytes *config = &s->documents[CES_WISH_CONFIG];
	struct ces_wish_answer here = {0};

	(void)wish;
	ces_digest_of(config->bytes, config->length, pull->config_digest);
	if (!names(manifest(s), pull->config_digest))
		return ces_serve_refuse(err);
	/* These layers, in this order, are what is committed (same_layers), whatever ces-resolve
	 * read in the configuration. */
	if (ces_base_check(pull->decision, &diff_ids, err) < 0)
		return -1;
	if (ces_runs_need(pull->entry, pull->digest, &diff_ids, err) < 0 ||
	    ces_store_await_collector(pull->store, err) < 0)
		return -1;
	for (size_t i = 0; i < pull->n; i++)
		ces_serve_here(pull, i, &here);
	s->phase = CES_FETCHING;
	return ces_serve_answer(s, &here, -1, err);
}

/* Grants no image that is over the user's limit; the collector then has its layers. */
static int have_layers(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
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
	s->phase = known.state == 1 ? CES_ENDING : CES_ASSEMBLING;
	return ces_serve_answer(s, &known, -1, err);
}

/* Finds the image's user in its own passwd file: ces-unpack reads it through read-only id-mapped
 * mounts. */
static int find_user(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	struct ces_unpack_job job = {.kind = CES_UNPACK_FIND_USER};
	int mounts[CES_LAYERS_MAX];
	size_t n = 0;
	int result = 0;

	if (wish->length >= sizeof(job.user))
		return ces_serve_refuse(err);
	memcpy(job.user, wish->bytes, wish->length);
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

static int commit_image(const struct ces_serving *s, struct ces_error *err)
{
	const struct ces_bytes *frame = &s->documents[CES_WISH_RECORD];
	const struct ces_bytes *config = &s->documents[CES_WISH_CONFIG];
	struct ces_image_record record, whole;
	int result;

	if (ces_image_record_decode(frame->bytes, frame->length, &record, err) < 0)
		return -1;
	whole = record;
	whole.digest = s->pull->digest;
	whole.config_digest = s->pull->config_digest;
	whole.size = s->pull->bytes;
	if (!same_layers(s->pull, &record))
		result = ces_serve_refuse(err);
	else if (record.uid >= CES_IDMAP_SPAN || record.gid >= CES_IDMAP_SPAN)
		result = ces_error_set(err, CES_E_IMAGE, "the image's user has an id above 65535");
	else
		result = ces_store_commit_image(s->pull->store, &whole, manifest(s), config, err);
	ces_image_record_free(&record);
	return result;
}

static int end(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	(void)wish;
	s->done = true;
	if (s->phase == CES_ASSEMBLING && commit_image(s, err) < 0)
		return -1;
	return ces_signed_keep(s->pull->store, s->pull->decision, s->pull->digest,
			       &s->documents[CES_WISH_SIGNATURES], err);
}

static int failed(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	(void)s;
	switch (wish->number) {
	case CES_E_NOTFOUND:
	case CES_E_REGISTRY:
	case CES_E_IMAGE:
	case CES_E_HOST:
	case CES_E_LIMIT:
	case CES_E_INTERNAL:
		return ces_error_rule(err, (enum ces_code)wish->number,
				      wish->size == 1 ? "registries.credentials" : "", "%.*s",
				      (int)wish->length, wish->bytes);
	default:
		return ces_serve_refuse(err);
	}
}

static const struct {
	int (*serve)(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err);
	unsigned phases;
} wishes[CES_WISH_KINDS] = {
    [CES_WISH_BYTES] = {take_bytes, CES_LOOKING | CES_SIGNING | CES_CONFIGURING | CES_ASSEMBLING},
    [CES_WISH_PARSE] = {parse, CES_LOOKING | CES_SIGNING | CES_CONFIGURING},
    [CES_WISH_MANIFEST] = {found, CES_LOOKING},
    [CES_WISH_SIGNED] = {check_signed, CES_SIGNING},
    [CES_WISH_LAYER] = {add_layer, CES_CONFIGURING},
    [CES_WISH_NEED] = {need_layers, CES_CONFIGURING},
    [CES_WISH_ROOM] = {ces_serve_room, CES_FETCHING},
    [CES_WISH_CLAIM] = {ces_serve_claim, CES_FETCHING},
    [CES_WISH_LOOK] = {ces_serve_look, CES_FETCHING},
    [CES_WISH_UNPACK] = {ces_serve_unpack, CES_FETCHING},
    [CES_WISH_OPAQUE] = {ces_serve_opaque, CES_FETCHING},
    [CES_WISH_COMMIT] = {ces_serve_commit, CES_FETCHING},
    [CES_WISH_PROGRESS] = {ces_serve_progress, CES_FETCHING},
    [CES_WISH_IMAGE] = {have_layers, CES_FETCHING},
    [CES_WISH_USER] = {find_user, CES_ASSEMBLING},
    [CES_WISH_DONE] = {end, CES_ASSEMBLING | CES_ENDING},
    [CES_WISH_FAILED] = {failed, CES_ANY_PHASE},
};

static bool names_a_layer(uint64_t kind)
{
	return kind >= CES_WISH_CLAIM && kind <= CES_WISH_PROGRESS;
}

static int serve_one(struct ces_serving *s, struct ces_error *err)
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
		return ces_serve_refuse(err);
	wish.digest[CES_DIGEST_LENGTH] = wish.diff_id[CES_DIGEST_LENGTH] = '\0';
	return wishes[wish.kind].serve(s, &wish, err);
}

static int cancelled(struct ces_error *err)
{
	enum ces_control_kind kind;
	uint64_t value;

	if (ces_control_receive(CES_FD_REQUEST, &kind, &value) == 0 && kind == CES_CONTROL_WINDOW)
		return 0;
	return ces_error_set(err, CES_E_USAGE, "the pull was interrupted; nothing was kept");
}

static int step(struct ces_serving *s, struct ces_error *err)
{
	struct pollfd fds[2] = {{.fd = s->pull->resolver.socket, .events = POLLIN},
				{.fd = CES_FD_REQUEST, .events = POLLIN}};

	if (poll(fds, 2, -1) < 0)
		return errno == EINTR ? 0 : ces_error_errno(err, CES_E_HOST, "poll");
	if (fds[1].revents != 0 && cancelled(err) < 0)
		return -1;
	return fds[0].revents != 0 ? serve_one(s, err) : 0;
}

static void clear(struct ces_serving *s)
{
	struct ces_pull *pull = s->pull;

	for (size_t i = 0; i < pull->n; i++) {
		struct ces_pull_layer *layer = &pull->layers[i];

		ces_claim_drop(pull->session->runs, layer->digest, &layer->claim);
		ces_unpacker_kill(&layer->unpacker);
		ces_cleanup_close(&layer->staging);
		if (layer->name[0] != '\0')
			(void)ces_clean_tree(pull->session, pull->store->staging, layer->name);
	}
	ces_unpacker_kill(&s->reader);
	for (size_t i = 0; i < CES_WISH_DOCUMENTS; i++)
		free(s->documents[i].bytes);
}

int ces_serve_pull(struct ces_pull *pull, struct ces_error *err)
{
	struct ces_serving s = {.pull = pull, .phase = CES_LOOKING, .reader = CES_UNPACKER_NONE};
	int result = 0;

	while (result == 0 && !s.done)
		result = step(&s, err);
	clear(&s);
	return result;
}
