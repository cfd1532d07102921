/* Serves ces-resolve. Must not take from a document a name or a path.
 *
 * Who controls what: the registry controls the documents, and a hijacker of ces-resolve controls
 * every field of a wish. A digest is checked before it becomes a name, a layer's number is below
 * the number of layers, and a wish out of its phase ends the pull. The digests that the reference
 * names and that were approved are compared with digests that are made here, of the stored bytes.
 * Nothing changes between check and use: a wish is a copy in this process's memory. */
#include "helper/store/serve_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/packet.h"
#include "common/schema.h"
#include "common/worker_order.h"
#include "helper/session/frames.h"
#include "helper/store/quota.h"

#define IDS 65536u /* that an image may use */

int ces_serve_refuse(struct ces_error *err)
{
	return ces_error_set(err, CES_E_INTERNAL, "ces-resolve asked for what it may not have");
}

int ces_serve_answer(const struct ces_serving *s, const struct ces_wish_answer *what, int fd,
		     struct ces_error *err)
{
	/* does not wait for a ces-resolve that reads no answers */
	return ces_packet_send(s->pull->resolver, what, sizeof(*what), fd, MSG_DONTWAIT) < 0
		   ? ces_error_errno(err, CES_E_HOST, "talking to ces-resolve")
		   : 0;
}

int ces_serve_two(const struct ces_serving *s, struct ces_step *step, struct ces_error *err)
{
	int fd = -1;

	if (ces_root_ask(step, NULL, 0, NULL, &fd, err) < 0 || ces_serve_hand_out(s, &fd, err) < 0)
		return -1;
	return ces_root_take(NULL, &fd, err) < 0 ? -1 : ces_serve_hand_out(s, &fd, err);
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

static int parse(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	static struct ces_step step;

	step = (struct ces_step){.kind = CES_STEP_READ,
				 .number = wish->number,
				 .size = wish->size,
				 .layers = wish->layers,
				 .type = wish->type};
	if (wish->number != (s->phase == CES_LOOKING   ? CES_UNPACK_MANIFEST
			     : s->phase == CES_SIGNING ? CES_UNPACK_SIGNATURES
						       : CES_UNPACK_CONFIG) ||
	    (wish->digest[0] != '\0' && !ces_digest_valid(wish->digest)))
		return ces_serve_refuse(err);
	memcpy(step.digest, wish->digest, sizeof(step.digest));
	return ces_serve_two(s, &step, err);
}

static const struct ces_bytes *manifest(const struct ces_serving *s)
{
	return &s->documents[s->documents[CES_WISH_CHOSEN].length > 0 ? CES_WISH_CHOSEN
								      : CES_WISH_TOP];
}

/* Does a document hold this digest as text? Every index, manifest and configuration has those of
 * its parts in it. So the bytes that were approved lead to their own parts alone, whatever
 * ces-resolve says is in them, and nobody here need read them. One that never came has no bytes. */
static bool names(const struct ces_bytes *document, const char *digest)
{
	return memmem(document->bytes ?: "", document->length, digest, CES_DIGEST_LENGTH) != NULL;
}

/* Checks that this is the image that the caller named; root compares it with the one that was
 * approved. */
static int found(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	static struct ces_step step;
	const struct ces_bytes *top = &s->documents[CES_WISH_TOP];
	struct ces_pull *pull = s->pull;
	const char *named = pull->order->named;

	(void)wish;
	ces_digest_of(top->bytes, top->length, pull->top_digest);
	ces_digest_of(manifest(s)->bytes, manifest(s)->length, pull->digest);
	if ((named[0] != '\0' && strcmp(named, pull->top_digest) != 0) ||
	    (manifest(s) != top && !names(top, pull->digest)))
		return ces_serve_refuse(err);
	s->phase = pull->order->signers[0] != '\0' ? CES_SIGNING : CES_CONFIGURING;
	step = (struct ces_step){.kind = CES_STEP_FOUND};
	memcpy(step.digest, pull->digest, sizeof(step.digest));
	memcpy(step.top, pull->top_digest, sizeof(step.top));
	return ces_root_ask(&step, NULL, 0, NULL, NULL, err);
}

/* Nothing of the image is fetched before enough keys have signed it: root asks ces-verify about the
 * documents, with the policy's keys. wish: why not all documents could be read, if so. */
static int check_signed(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	const struct ces_bytes *bag = &s->documents[CES_WISH_SIGNATURES];
	static struct ces_step step;

	s->phase = CES_CONFIGURING;
	if (ces_store_stage(s->pull->store, s->bag_name, &s->bag, err) < 0) {
		s->bag_name[0] = '\0';
		return -1;
	}
	step = (struct ces_step){.kind = CES_STEP_SIGNED};
	memcpy(step.name, s->bag_name, sizeof(step.name));
	return ces_quota_room(s->pull->store, s->pull->order->reserve, bag->length, "signatures",
			      err) < 0 ||
		       ces_store_write_file(s->bag, "bag", bag->bytes, bag->length, err) < 0
		   ? -1
		   : ces_root_ask(&step, wish->bytes, wish->length, NULL, NULL, err);
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
					 .claim = CES_CLAIM_NONE};
	memcpy(layer->digest, wish->digest, sizeof(layer->digest));
	memcpy(layer->diff_id, wish->diff_id, sizeof(layer->diff_id));
	pull->diff_ids[pull->n++] = layer->diff_id;
	return 0;
}

/* Has root name the layers in the pull's entry before it looks for them, so that the collector
 * leaves them. */
static int need_layers(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	static char diff_ids[CES_LAYERS_MAX][CES_DIGEST_LENGTH + 1];
	static struct ces_step step;
	struct ces_pull *pull = s->pull;
	const struct ces_bytes *config = &s->documents[CES_WISH_CONFIG];
	struct ces_wish_answer here = {0};

	(void)wish;
	ces_digest_of(config->bytes, config->length, pull->config_digest);
	if (!names(manifest(s), pull->config_digest))
		return ces_serve_refuse(err);
	/* These layers, in this order, are what is committed (commit_image), whatever ces-resolve
	 * read in the configuration. Root compares them with the bases that the rule allows. */
	for (size_t i = 0; i < pull->n; i++)
		memcpy(diff_ids[i], pull->diff_ids[i], sizeof(diff_ids[i]));
	step = (struct ces_step){.kind = CES_STEP_NEED};
	if (ces_root_ask(&step, diff_ids, pull->n * sizeof(diff_ids[0]), NULL, NULL, err) < 0 ||
	    ces_store_await_collector(pull->store, err) < 0)
		return -1;
	for (size_t i = 0; i < pull->n; i++)
		ces_serve_here(pull, i, &here);
	s->phase = CES_FETCHING;
	return ces_serve_answer(s, &here, -1, err);
}

/* Grants no image that is over the user's limit; the collector then has its layers. What earlier
 * pulls said of the same image does not count: this one puts its record together anew. */
static int have_layers(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	struct ces_pull *pull = s->pull;
	const struct ces_image_record wanted = {.digest = pull->digest,
						.config_digest = pull->config_digest,
						.diff_ids = {pull->diff_ids, pull->n}};

	for (size_t i = 0; i < pull->n; i++)
		pull->bytes += ces_store_layer_size(pull->store, pull->layers[i].diff_id);
	if (ces_quota_check(pull->order, pull->store, &wanted, &pull->left, err) < 0)
		return -1;
	pull->up_to_date =
	    !s->fetched && wish->number == 0 && ces_store_proves(pull->store, &wanted);
	s->phase = CES_ASSEMBLING;
	return 0;
}

/* Root has ces-unpack find the image's user in its own passwd file. */
static int find_user(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	static struct ces_step step;
	int fd = -1;

	step = (struct ces_step){.kind = CES_STEP_USER};
	if (wish->length >= sizeof(((struct ces_unpack_job *)NULL)->user))
		return ces_serve_refuse(err);
	return ces_root_ask(&step, wish->bytes, wish->length, NULL, &fd, err) < 0
		   ? -1
		   : ces_serve_hand_out(s, &fd, err);
}

static bool same_layers(const struct ces_pull *pull, const struct ces_strings *diff_ids)
{
	bool same = diff_ids->n == pull->n;

	for (size_t i = 0; same && i < pull->n; i++)
		same = strcmp(diff_ids->v[i], pull->diff_ids[i]) == 0;
	return same;
}

static int commit_image(const struct ces_serving *s, struct ces_error *err)
{
	const struct ces_bytes *frame = &s->documents[CES_WISH_RECORD];
	const struct ces_bytes *config = &s->documents[CES_WISH_CONFIG];
	struct ces_image_record *image = &s->pull->image;

	if (ces_wire_decode(&ces_image_record_schema, frame->bytes, frame->length, image, err) < 0)
		return -1;
	image->digest = s->pull->digest;
	image->config_digest = s->pull->config_digest;
	image->size = s->pull->bytes;
	if (!same_layers(s->pull, &image->diff_ids))
		return ces_serve_refuse(err);
	if (image->uid >= IDS || image->gid >= IDS)
		return ces_error_set(err, CES_E_IMAGE, "the image's user has an id above 65535");
	if (!ces_store_proves(s->pull->store, image) &&
	    ces_quota_room(s->pull->store, s->pull->order->reserve,
			   manifest(s)->length + config->length, "manifest and configuration",
			   err) < 0)
		return -1;
	return ces_store_commit_image(s->pull->store, image, manifest(s), config, err);
}

/* Keeps the documents that may hold signatures beside the image, in place of those kept before. A
 * run that reads at the same time has the old ones whole or the new ones. Torn by a power cut, they
 * hold fewer signatures, and the image is to be pulled again. */
static int keep_bag(const struct ces_serving *s, struct ces_error *err)
{
	const struct ces_pull *pull = s->pull;
	char place[160];

	if (pull->order->signers[0] == '\0')
		return 0;
	(void)snprintf(place, sizeof(place), "%s/signed-%s", ces_store_hex(pull->digest),
		       ces_store_hex(pull->order->signers));
	return renameat(s->bag, "bag", pull->store->images, place) < 0
		   ? ces_error_errno(err, CES_E_HOST, "writing %s", place + 65)
		   : 0;
}

static int end(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	(void)wish;
	s->done = true;
	return commit_image(s, err) < 0 ? -1 : keep_bag(s, err);
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
    [CES_WISH_DONE] = {end, CES_ASSEMBLING},
    [CES_WISH_FAILED] = {failed, CES_ANY_PHASE},
};

static bool names_a_layer(uint64_t kind)
{
	return kind >= CES_WISH_CLAIM && kind <= CES_WISH_PROGRESS;
}

static int serve_one(struct ces_serving *s, struct ces_error *err)
{
	static struct ces_wish wish;
	ssize_t n = recv(s->pull->resolver, &wish, sizeof(wish), 0);

	if (n < 0 && errno == EINTR)
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

static void clear(struct ces_serving *s)
{
	struct ces_pull *pull = s->pull;

	for (size_t i = 0; i < pull->n; i++) {
		struct ces_pull_layer *layer = &pull->layers[i];

		ces_claim_drop(pull->store->locks, layer->digest, &layer->claim);
		ces_cleanup_close(&layer->staging);
		if (layer->name[0] != '\0')
			ces_store_drop(pull->store, layer->name);
	}
	ces_cleanup_close(&s->bag);
	if (s->bag_name[0] != '\0')
		ces_store_drop(pull->store, s->bag_name);
	for (size_t i = 0; i < CES_WISH_DOCUMENTS; i++)
		free(s->documents[i].bytes);
}

int ces_serve_pull(struct ces_pull *pull, struct ces_error *err)
{
	struct ces_serving s = {.pull = pull, .phase = CES_LOOKING, .bag = -1};
	int result = 0;

	while (result == 0 && !s.done)
		result = serve_one(&s, err);
	clear(&s);
	return result;
}
