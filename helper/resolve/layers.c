/* Fetches layers in parallel: each missing one has a pipe from ces-fetch into a ces-unpack of its
 * own. Must not touch the unpacked files: they are in staging directories of root's.
 *
 * A layer that is here is taken only if the registry of this pull has it for this caller: the
 * registry is asked for the blob, with their credential. The digests alone prove nothing: they are
 * in manifests that others may have seen, and a registry that the caller has filled themselves
 * serves any manifest. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/event.h"
#include "common/io.h"
#include "common/schema.h"
#include "helper/resolve/image.h"
#include "helper/resolve/patience.h"

#define AT_ONCE 3
#define LOOK_MS 300 /* between two looks at a layer that another pull fetches */
#define WHY_MS  300 /* for the reason of ces-fetch, which goes on with the other layers */

enum layer_state {
	LAYER_PRESENT,
	LAYER_ASKED,
	LAYER_WAITING,
	LAYER_ELSEWHERE, /* another pull fetches it */
	LAYER_ACTIVE,
	LAYER_DONE
};

struct layer {
	enum layer_state state;
	int answer;   /* of its ces-unpack */
	uint64_t id;  /* of the fetch */
	bool held;    /* the claim on it */
	bool found;   /* here, before anything was fetched */
	bool asked;   /* the registry was asked whether this caller may have it: */
	bool allowed; /* the registry said so */
	bool alone;   /* fetched without a claim: the other pull is too slow */
	struct ces_patience patience;
};

struct job {
	const struct ces_unpack_manifest *manifest;
	const struct ces_strings *diff_ids;
	struct layer *layers;
	size_t n;
	bool shared; /* another pull has fetched some of it */
};

/* A wish about one layer. */
static struct ces_wish *about(size_t i, enum ces_wish_kind kind, uint64_t number, uint64_t size)
{
	static struct ces_wish wish;

	wish = (struct ces_wish){.kind = kind, .layer = i, .number = number, .size = size};
	return &wish;
}

static int report(size_t i, uint64_t state, uint64_t bytes, struct ces_error *err)
{
	return ces_talk_wish(about(i, CES_WISH_PROGRESS, state, bytes), NULL, 0, NULL, err);
}

static bool is_here(const struct ces_wish_answer *answer, size_t i)
{
	return ((answer->here[i / 64] >> (i % 64)) & 1) != 0;
}

static int name_layers(const struct job *job, struct ces_error *err)
{
	for (size_t i = 0; i < job->n; i++) {
		struct ces_wish *wish =
		    about(i, CES_WISH_LAYER, job->manifest->layer_compressions.v[i],
			  job->manifest->layer_sizes.v[i]);

		memcpy(wish->digest, job->manifest->layer_digests.v[i], sizeof(wish->digest));
		memcpy(wish->diff_id, job->diff_ids->v[i], sizeof(wish->diff_id));
		if (ces_talk_wish(wish, NULL, 0, NULL, err) < 0)
			return -1;
	}
	return 0;
}

/* Finds out which layers are there, and which are written twice in the manifest. */
static int survey(struct job *job, struct ces_error *err)
{
	struct ces_wish_answer answer;
	char **diff_ids = job->diff_ids->v;

	if (name_layers(job, err) < 0 ||
	    ces_talk_wish(about(0, CES_WISH_NEED, 0, 0), NULL, 0, &answer, err) < 0)
		return -1;
	for (size_t i = 0; i < job->n; i++) {
		size_t twin = 0;

		while (strcmp(diff_ids[twin], diff_ids[i]) != 0)
			twin++;
		job->layers[i] = (struct layer){.state = LAYER_WAITING, .answer = -1};
		if (twin < i)
			job->layers[i].state = LAYER_PRESENT;
		else if (is_here(&answer, i)) {
			job->layers[i].found = true;
			job->layers[i].state = LAYER_ASKED;
		}
	}
	return 0;
}

static int ask(struct job *job, size_t i, struct ces_error *err)
{
	job->layers[i].asked = true;
	return ces_talk_fetch(CES_FETCH_CHECK, job->manifest->layer_digests.v[i],
			      job->manifest->layer_sizes.v[i], -1, &job->layers[i].id, err);
}

/* Asks for all at once: ces-fetch limits how many are on the wire. */
static int ask_all(struct job *job, struct ces_error *err)
{
	for (size_t i = 0; i < job->n; i++)
		if (job->layers[i].state == LAYER_ASKED && ask(job, i, err) < 0)
			return -1;
	return 0;
}

static int check_room(const struct job *job, struct ces_error *err)
{
	uint64_t needed = 0;

	for (size_t i = 0; i < job->n; i++)
		if (job->layers[i].state == LAYER_WAITING &&
		    __builtin_add_overflow(needed, job->manifest->layer_sizes.v[i], &needed))
			return ces_error_set(err, CES_E_IMAGE, "the image's layers have no size");
	return ces_talk_wish(about(0, CES_WISH_ROOM, 0, needed), NULL, 0, NULL, err);
}

static int start(struct job *job, size_t i, struct ces_error *err)
{
	struct layer *layer = &job->layers[i];
	CES_CLEANUP_FD int input = -1;

	layer->state = LAYER_ACTIVE;
	if (ces_talk_unpack(about(i, CES_WISH_UNPACK, 0, 0), NULL, 0, &layer->answer, &input, err) <
		0 ||
	    report(i, CES_PROGRESS_FETCHING, 0, err) < 0)
		return -1;
	return ces_talk_fetch(CES_FETCH_BLOB, job->manifest->layer_digests.v[i],
			      job->manifest->layer_sizes.v[i], input, &layer->id, err);
}

/* Takes a layer that is here and that this caller may have. */
static int have(struct job *job, size_t i, struct ces_error *err)
{
	job->layers[i].state = LAYER_PRESENT;
	job->layers[i].held = false;
	job->shared = true;
	return report(i, CES_PROGRESS_DONE, job->manifest->layer_sizes.v[i], err);
}

/* Returns 1 if the layer is to be fetched here. 0: another pull fetches it, or has fetched it since
 * the last look. But nobody may hear of a layer that they may not have, so the registry is asked
 * first. A layer that the registry denies is fetched, and that fails with the reason. */
static int claim(struct job *job, size_t i, struct ces_error *err)
{
	struct layer *layer = &job->layers[i];
	struct ces_wish_answer answer;

	if (ces_talk_wish(about(i, CES_WISH_CLAIM, layer->alone || layer->held, 0), NULL, 0,
			  &answer, err) < 0)
		return -1;
	if ((layer->asked && !layer->allowed) || (answer.state != 0 && !is_here(&answer, i)))
		return 1;
	layer->held = answer.state != 0 && !layer->alone;
	if (!layer->asked) {
		layer->state = LAYER_ASKED;
		return ask(job, i, err);
	}
	if (answer.state != 0)
		return have(job, i, err);
	layer->state = LAYER_ELSEWHERE;
	ces_patience_begin(&layer->patience, ces_now_ms());
	return 0;
}

static int start_more(struct job *job, struct ces_error *err)
{
	size_t active = 0;

	for (size_t i = 0; i < job->n; i++)
		active += job->layers[i].state == LAYER_ACTIVE;
	for (size_t i = 0; i < job->n && active < AT_ONCE; i++)
		if (job->layers[i].state == LAYER_WAITING) {
			int taken = claim(job, i, err);

			if (taken < 0 || (taken > 0 && start(job, i, err) < 0))
				return -1;
			active += taken > 0;
		}
	return 0;
}

/* Looks at the layers that other pulls fetch. A layer that another has fetched is here now. If the
 * other gave it up, or is too slow, the layer is fetched here. */
static int look_elsewhere(struct job *job, struct ces_error *err)
{
	for (size_t i = 0; i < job->n; i++) {
		struct layer *layer = &job->layers[i];
		struct ces_wish_answer answer;
		uint64_t before;

		if (layer->state != LAYER_ELSEWHERE)
			continue;
		if (ces_talk_wish(about(i, CES_WISH_LOOK, 0, 0), NULL, 0, &answer, err) < 0)
			return -1;
		before = layer->patience.bytes;
		layer->held = answer.state == 1;
		layer->alone = !layer->held &&
			       ces_patience_ends(&layer->patience, job->manifest->layer_sizes.v[i],
						 answer.size, ces_now_ms());
		if (layer->held || layer->alone)
			layer->state = LAYER_WAITING;
		else if (layer->patience.bytes > before &&
			 report(i, CES_PROGRESS_FETCHING, layer->patience.bytes, err) < 0)
			return -1;
	}
	return 0;
}

static int mark_opaque(size_t i, const struct ces_strings *paths, struct ces_error *err)
{
	for (size_t k = 0; k < paths->n; k++)
		if (ces_talk_wish(about(i, CES_WISH_OPAQUE, 0, 0), paths->v[k], strlen(paths->v[k]),
				  NULL, err) < 0)
			return -1;
	return 0;
}

/* Commits a whole and verified layer. Other pulls that wait for it get it from here. If this pull
 * fails, the collector removes the layer unless another needs it. */
static int commit(struct job *job, size_t i, const struct ces_unpack_layer *answer,
		  struct ces_error *err)
{
	if (strcmp(answer->diff_id, job->diff_ids->v[i]) != 0)
		return ces_error_set(err, CES_E_IMAGE,
				     "a layer is not what the configuration says");
	if (mark_opaque(i, &answer->opaque, err) < 0 ||
	    ces_talk_wish(about(i, CES_WISH_COMMIT, 0, answer->bytes), NULL, 0, NULL, err) < 0)
		return -1;
	return report(i, CES_PROGRESS_DONE, job->manifest->layer_sizes.v[i], err);
}

static int finish_layer(struct job *job, size_t i, struct ces_error *err)
{
	struct layer *layer = &job->layers[i];
	struct ces_unpack_layer answer;
	int result;

	if (ces_talk_unpacked(&layer->answer, ces_now_ms() + 10000, &ces_unpack_layer_schema,
			      &answer, err) < 0)
		return -1;
	result = commit(job, i, &answer, err);
	ces_wire_free(&ces_unpack_layer_schema, &answer);
	layer->state = LAYER_DONE;
	return result;
}

/* Takes the registry's answer for a layer. The reason of a refusal does not matter here: the layer
 * is then fetched, and that fails with the reason. */
static bool answered(struct job *job, const struct ces_fetch_status *status)
{
	for (size_t i = 0; i < job->n; i++) {
		struct layer *layer = &job->layers[i];

		if (layer->state != LAYER_ASKED || layer->id != status->id)
			continue;
		layer->allowed = status->state == CES_FETCH_DONE;
		layer->state = layer->allowed && layer->found ? LAYER_PRESENT : LAYER_WAITING;
		return true;
	}
	return false;
}

static int take_status(struct job *job, struct ces_error *err)
{
	struct ces_fetch_status status;
	int result = 0;

	if (ces_talk_status(&status, err) < 0)
		return -1;
	if (!answered(job, &status))
		result = ces_talk_fetch_failed(&status, err);
	for (size_t i = 0; i < job->n; i++)
		if (job->layers[i].state == LAYER_ACTIVE && job->layers[i].id == status.id &&
		    status.state == CES_FETCH_BYTES && result == 0)
			result = report(i, CES_PROGRESS_FETCHING, status.bytes, err);
	ces_wire_free(&ces_fetch_status_schema, &status);
	return result;
}

/* Chooses the error that explains more. When one side of a layer's pipe fails the other fails too,
 * a moment later. The cause is the side that did not merely lose its partner. Such a loss is
 * CES_E_INTERNAL from ces-fetch (nobody reads) and an input that ended early from ces-unpack. */
static void prefer_fetch_error(struct job *job, struct ces_error *err)
{
	struct pollfd fd = {.fd = CES_RESOLVE_FETCH, .events = POLLIN};
	int64_t left, end = ces_now_ms() + WHY_MS;
	struct ces_error reported;

	if (err->code == CES_E_HOST || err->code == CES_E_LIMIT)
		return;
	while ((left = end - ces_now_ms()) > 0 && poll(&fd, 1, (int)left) > 0)
		if (take_status(job, &reported) < 0) {
			if (reported.code != CES_E_INTERNAL)
				*err = reported;
			return;
		}
}

static void prefer_unpack_error(struct job *job, struct ces_error *err)
{
	struct ces_error reported;

	if (err->code != CES_E_INTERNAL)
		return;
	for (size_t i = 0; i < job->n; i++) {
		struct pollfd fd = {.fd = job->layers[i].answer, .events = POLLIN};

		if (job->layers[i].state == LAYER_ACTIVE && poll(&fd, 1, 1000) > 0 &&
		    finish_layer(job, i, &reported) < 0) {
			*err = reported;
			return;
		}
	}
}

static bool any(const struct job *job, enum layer_state state)
{
	for (size_t i = 0; i < job->n; i++)
		if (job->layers[i].state == state)
			return true;
	return false;
}

static bool is_over(const struct job *job)
{
	return !any(job, LAYER_WAITING) && !any(job, LAYER_ACTIVE) && !any(job, LAYER_ASKED) &&
	       !any(job, LAYER_ELSEWHERE);
}

static int step(struct job *job, struct ces_error *err)
{
	struct pollfd fds[1 + CES_LAYERS_MAX];

	fds[0] = (struct pollfd){.fd = CES_RESOLVE_FETCH, .events = POLLIN};
	for (size_t i = 0; i < job->n; i++)
		fds[1 + i] = (struct pollfd){
		    .fd = job->layers[i].state == LAYER_ACTIVE ? job->layers[i].answer : -1,
		    .events = POLLIN};
	if (poll(fds, 1 + job->n, any(job, LAYER_ELSEWHERE) ? LOOK_MS : -1) < 0)
		return errno == EINTR ? 0 : ces_error_errno(err, CES_E_HOST, "poll");
	if (fds[0].revents != 0 && take_status(job, err) < 0) {
		prefer_unpack_error(job, err);
		return -1;
	}
	for (size_t i = 0; i < job->n; i++)
		if (fds[1 + i].revents != 0 && finish_layer(job, i, err) < 0) {
			prefer_fetch_error(job, err);
			return -1;
		}
	return 0;
}

/* Reports the layers, but not before the registry has answered for those that are here: nobody may
 * learn of a layer that they may not have. */
static int report_all(const struct job *job, struct ces_error *err)
{
	for (size_t i = 0; i < job->n; i++)
		if (report(i,
			   job->layers[i].state == LAYER_PRESENT ? CES_PROGRESS_EXISTS
								 : CES_PROGRESS_WAITING,
			   0, err) < 0)
			return -1;
	return 0;
}

/* Fetches the missing layers. The pull's entry keeps the layers that are there already, and the
 * locks on their staging directories keep those that come. */
static int fetch_all(struct job *job, struct ces_error *err)
{
	int result = ask_all(job, err);

	while (result == 0 && any(job, LAYER_ASKED))
		result = step(job, err);
	if (result == 0 && any(job, LAYER_WAITING))
		result = report_all(job, err);
	if (result == 0)
		result = check_room(job, err);
	while (result == 0 && !is_over(job)) {
		result = start_more(job, err);
		if (result == 0 && !is_over(job))
			result = step(job, err);
		if (result == 0)
			result = look_elsewhere(job, err);
	}
	return result;
}

int ces_resolve_layers(const struct ces_unpack_manifest *manifest,
		       const struct ces_strings *diff_ids, bool *ret_shared, struct ces_error *err)
{
	struct job job = {.manifest = manifest,
			  .diff_ids = diff_ids,
			  .layers = calloc(diff_ids->n + 1, sizeof(struct layer)),
			  .n = diff_ids->n};
	int result;

	if (job.layers == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	result = survey(&job, err);
	if (result == 0)
		result = fetch_all(&job, err);
	*ret_shared = job.shared;
	free(job.layers);
	return result;
}
