/* Serves ces-resolve's wishes about the layers of a pull. Must not take from a wish a name or a
 * path.
 *
 * Who controls what: a hijacker of ces-resolve controls every field of a wish. Its layer is below
 * the number of layers (serve.c), and the digests of a layer were checked when it was named. What
 * is unpacked can change until its ces-unpack has ended, and is committed after that. */
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/event.h"
#include "common/worker_order.h"
#include "helper/session/report.h"
#include "helper/store/quota.h"
#include "helper/store/serve_internal.h"

#define STAGED_MAX 3 /* at once; root has no more */

static bool is_here(const struct ces_pull *pull, size_t i)
{
	const struct ces_pull_layer *layer = &pull->layers[i];

	return ces_store_layer_from(pull->store, layer->diff_id, layer->digest) &&
	       !ces_store_is_torn(pull->store, layer->diff_id);
}

void ces_serve_here(const struct ces_pull *pull, size_t i, struct ces_wish_answer *ret)
{
	if (is_here(pull, i))
		ret->here[i / 64] |= 1ull << (i % 64);
}

int ces_serve_room(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	return ces_quota_room(s->pull->store, s->pull->order->reserve, wish->size, "missing layers",
			      err);
}

int ces_serve_claim(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	struct ces_pull_layer *layer = &s->pull->layers[wish->layer];
	struct ces_wish_answer taken = {0};

	taken.state = wish->number == 1 || layer->claim.held ||
		      ces_claim_take(s->pull->store->locks, layer->digest, &layer->claim);
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
	    ces_claim_look(s->pull->store->locks, layer->digest, &layer->claim, &seen.size);
	return ces_serve_answer(s, &seen, -1, err);
}

static size_t staged(const struct ces_pull *pull)
{
	size_t n = 0;

	for (size_t i = 0; i < pull->n; i++)
		n += pull->layers[i].name[0] != '\0';
	return n;
}

/* A step of root's about a layer. */
static struct ces_step *step_of(enum ces_step_kind kind, const struct ces_pull_layer *layer)
{
	static struct ces_step step;

	step = (struct ces_step){.kind = kind};
	memcpy(step.name, layer->name, sizeof(step.name));
	return &step;
}

/* Root, and not ces-resolve, sets the limits of a layer. */
int ces_serve_unpack(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	struct ces_pull_layer *layer = &s->pull->layers[wish->layer];
	char name[CES_STEP_NAME + 1];
	struct ces_step *step;

	if (layer->name[0] != '\0' || staged(s->pull) >= STAGED_MAX)
		return ces_serve_refuse(err);
	if (ces_store_stage(s->pull->store, name, &layer->staging, err) < 0)
		return -1;
	memcpy(layer->name, name, sizeof(layer->name));
	layer->ended = layer->whole = false;
	step = step_of(CES_STEP_UNPACK, layer);
	step->size = layer->size;
	step->number = layer->compression;
	step->left = s->pull->left;
	memcpy(step->digest, layer->digest, sizeof(step->digest));
	memcpy(step->diff_id, layer->diff_id, sizeof(step->diff_id));
	return ces_serve_two(s, step, err);
}

/* Checks that the layer's ces-unpack did its job. It is dead from here on. Its exit, and not
 * ces-resolve, says that the bytes were those of both digests. */
static int settled(struct ces_serving *s, size_t i, struct ces_error *err)
{
	struct ces_pull_layer *layer = &s->pull->layers[i];
	struct ces_step_answer answer;

	if (layer->staging < 0)
		return ces_serve_refuse(err);
	if (!layer->ended) {
		if (ces_root_ask(step_of(CES_STEP_UNPACKED, layer), NULL, 0, &answer, NULL, err) <
		    0)
			return -1;
		layer->ended = true;
		layer->whole = answer.state == 1;
	}
	return layer->whole ? 0 : ces_serve_refuse(err);
}

int ces_serve_opaque(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	return settled(s, wish->layer, err) < 0
		   ? -1
		   : ces_root_ask(step_of(CES_STEP_MARK, &s->pull->layers[wish->layer]),
				  wish->bytes, wish->length, NULL, NULL, err);
}

int ces_serve_commit(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err)
{
	const struct ces_store *store = s->pull->store;
	struct ces_pull_layer *layer = &s->pull->layers[wish->layer];

	if (wish->size > CES_LAYER_BYTES_MAX)
		return ces_serve_refuse(err);
	if (settled(s, wish->layer, err) < 0 ||
	    ces_store_note_layer(layer->staging, wish->size, layer->digest, err) < 0 ||
	    ces_root_ask(step_of(CES_STEP_COMMIT, layer), NULL, 0, NULL, NULL, err) < 0 ||
	    ces_store_commit_layer(store, layer->name, layer->diff_id, err) < 0)
		return -1;
	s->pull->left -= wish->size < s->pull->left ? wish->size : s->pull->left;
	ces_cleanup_close(&layer->staging);
	layer->name[0] = '\0';
	ces_claim_drop(s->pull->store->locks, layer->digest, &layer->claim);
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
		ces_claim_drop(s->pull->store->locks, layer->digest, &layer->claim);
	ces_report_send(&ces_event_progress_schema, &event, wish->number != CES_PROGRESS_FETCHING);
	return 0;
}
