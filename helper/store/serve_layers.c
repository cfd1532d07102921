/* Root's steps for the layers of a pull. Must not look into a layer, nor take from a wish a name, a
 * path on the host or a descriptor.
 *
 * Who controls what: a hijacker of ces-resolve controls every field of a wish. Its layer is below
 * the number of layers (serve.c), and the digests of a layer were checked when it was named. What
 * is unpacked can change until its ces-unpack has ended, and is committed after that. */
#include <fcntl.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/event.h"
#include "helper/core/beneath.h"
#include "helper/launch/overlay.h"
#include "helper/session/mounts.h"
#include "helper/session/report.h"
#include "helper/store/clean.h"
#include "helper/store/quota.h"
#include "helper/store/serve_internal.h"

#define UNPACKERS_MAX     3
#define LAYER_ENTRIES_MAX 4000000ull

static bool is_here(const struct ces_pull *pull, size_t i)
{
	const struct ces_pull_layer *layer = &pull->layers[i];
	CES_CLEANUP_FD int fd = -1;

	return ces_store_layer_from(pull->store, layer->diff_id, layer->digest) &&
	       ces_store_open_layer(pull->store, layer->diff_id, &fd, NULL) == 0;
}

void ces_serve_here(const struct ces_pull *pull, size_t i, struct ces_wish_answer *ret)
{
	if (is_here(pull, i))
		ret->here[i / 64] |= 1ull << (i % 64);
}

int ces_serve_room(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	return ces_quota_room(s->pull->session, wish->size, err);
}

int ces_serve_claim(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	struct ces_pull_layer *layer = &s->pull->layers[wish->layer];
	struct ces_wish_answer taken = {0};

	taken.state = wish->number == 1 || layer->claim.held ||
		      ces_claim_take(s->pull->session->runs, layer->digest, &layer->claim);
	ces_serve_here(s->pull, wish->layer, &taken);
	return ces_serve_answer(s, &taken, -1, err);
}

int ces_serve_look(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	struct ces_pull_layer *layer = &s->pull->layers[wish->layer];
	struct ces_wish_answer seen = {0};

	if (layer->claim.fd < 0 || layer->claim.held)
		return ces_serve_refuse(err);
	seen.state =
	    ces_claim_look(s->pull->session->runs, layer->digest, &layer->claim, &seen.size);
	return ces_serve_answer(s, &seen, -1, err);
}

static size_t unpackers(const struct ces_pull *pull)
{
	size_t n = 0;

	for (size_t i = 0; i < pull->n; i++)
		n += pull->layers[i].unpacker.process.pid != 0;
	return n;
}

/* Root, and not ces-resolve, sets the limits of a layer. */
int ces_serve_unpack(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	struct ces_pull *pull = s->pull;
	struct ces_pull_layer *layer = &pull->layers[wish->layer];
	struct ces_unpack_job job = {
	    .kind = CES_UNPACK_LAYER,
	    .size = layer->size,
	    .compression = layer->compression,
	    .max_bytes = pull->left < CES_LAYER_BYTES_MAX ? pull->left : CES_LAYER_BYTES_MAX,
	    .max_entries = LAYER_ENTRIES_MAX,
	    .reserve = pull->session->host->store.reserve};
	CES_CLEANUP_FD int fs = -1;
	CES_CLEANUP_FD int mount = -1;

	memcpy(job.digest, layer->digest, sizeof(job.digest));
	memcpy(job.diff_id, layer->diff_id, sizeof(job.diff_id));
	if (layer->name[0] != '\0' || unpackers(pull) >= UNPACKERS_MAX)
		return ces_serve_refuse(err);
	if (ces_store_stage(pull->store, layer->name, &layer->staging, &fs, err) < 0 ||
	    ces_mount_clone(fs, false, pull->userns, &mount, err) < 0 ||
	    ces_unpacker_start(&job, pull->userns, &mount, 1, &layer->unpacker, err) < 0 ||
	    ces_serve_hand_out(s, &layer->unpacker.answer, err) < 0)
		return -1;
	return ces_serve_hand_out(s, &layer->unpacker.input, err);
}

/* Checks that the layer's ces-unpack did its job. It is dead from here on: nothing changes below fs
 * any more. Its exit, and not ces-resolve, says that the bytes were those of both digests. */
static int settled(struct ces_serving *s, size_t i, struct ces_error *err)
{
	struct ces_pull_layer *layer = &s->pull->layers[i];

	if (layer->staging < 0)
		return ces_serve_refuse(err);
	if (layer->unpacker.process.pid != 0)
		layer->whole = ces_unpacker_done(&layer->unpacker);
	return layer->whole ? 0 : ces_serve_refuse(err);
}

int ces_serve_opaque(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
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

int ces_serve_commit(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	const struct ces_store *store = s->pull->store;
	struct ces_pull_layer *layer = &s->pull->layers[wish->layer];

	if (settled(s, wish->layer, err) < 0 ||
	    ces_store_note_layer(layer->staging, wish->size, layer->digest, err) < 0 ||
	    ces_store_commit_layer(store, layer->name, layer->diff_id, err) < 0)
		return -1;
	/* (it is still there if another pull was first) */
	(void)ces_clean_tree(s->pull->session, store->staging, layer->name);
	s->pull->left -= wish->size < s->pull->left ? wish->size : s->pull->left;
	ces_cleanup_close(&layer->staging);
	layer->name[0] = '\0';
	ces_claim_drop(s->pull->session->runs, layer->digest, &layer->claim);
	s->fetched = true;
	return 0;
}

int ces_serve_progress(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	struct ces_pull_layer *layer = &s->pull->layers[wish->layer];
	struct ces_event_progress event = {.layer = wish->layer,
					   .layers = s->pull->n,
					   .state = wish->number,
					   .bytes = wish->size,
					   .size = layer->size,
					   .digest = layer->digest};

	if (wish->number < CES_PROGRESS_WAITING || wish->number > CES_PROGRESS_DONE)
		return ces_serve_refuse(err);
	if (wish->number == CES_PROGRESS_FETCHING)
		ces_claim_note(&layer->claim, wish->size);
	if (wish->number == CES_PROGRESS_DONE)
		ces_claim_drop(s->pull->session->runs, layer->digest, &layer->claim);
	ces_report_send(&ces_event_progress_schema, &event, wish->number != CES_PROGRESS_FETCHING);
	return 0;
}
