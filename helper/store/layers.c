/* Layers in parallel: for each missing one a pipe from ces-fetch into a ces-unpack of its own. Must
 * not touch what is unpacked: staging directories are moved whole.
 *
 * A layer that is here is taken only if the registry of this pull has it for this caller: it is
 * asked for the blob, with their credential. The digests alone prove nothing: they are in manifests
 * that others may have seen, and a registry that the caller has filled themselves serves any
 * manifest.
 */
#include "helper/store/layers.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/event.h"
#include "common/io.h"
#include "common/num.h"
#include "helper/core/beneath.h"
#include "helper/core/order.h"
#include "helper/launch/overlay.h"
#include "helper/session/mounts.h"
#include "helper/session/report.h"
#include "helper/session/runs.h"
#include "helper/store/claim.h"
#include "helper/store/documents.h"
#include "helper/store/quota.h"

#define AT_ONCE           3
#define PIPE_BYTES        (1 << 20)
#define LAYER_BYTES_MAX   (64ull << 30)
#define LAYER_ENTRIES_MAX 4000000ull

#define LOOK_MS 300 /* at what another pull fetches */

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
	size_t twin; /* an earlier layer with the same diff_id, or its own index */
	char name[32];
	int staging; /* locked directory */
	struct ces_unpacker unpacker;
	uint64_t id; /* of the fetch */
	struct ces_claim claim;
	bool found;   /* here, before anything was fetched */
	bool asked;   /* the registry, whether this caller may have it: */
	bool allowed; /* it said so */
	bool alone;   /* fetched without a claim: the other is too slow */
};

struct job {
	struct ces_pull *pull;
	struct layer *layers;
	size_t n;
	bool shared; /* another pull has fetched some of it meanwhile */
};

static void report(const struct job *job, size_t i, uint64_t state, uint64_t bytes)
{
	const struct ces_unpack_manifest *manifest = &job->pull->parsed;
	struct ces_event_progress event = {.layer = i,
					   .layers = job->n,
					   .state = state,
					   .bytes = bytes,
					   .size = manifest->layer_sizes.v[i],
					   .digest = manifest->layer_digests.v[i]};

	ces_report_send(&ces_event_progress_schema, &event, state != CES_PROGRESS_FETCHING);
}

static bool is_here(const struct job *job, size_t i)
{
	const char *diff_id = job->pull->record.diff_ids.v[i];
	CES_CLEANUP_FD int fd = -1;
	struct ces_error ignored;

	return ces_store_layer_from(job->pull->store, diff_id,
				    job->pull->parsed.layer_digests.v[i]) &&
	       ces_store_open_layer(job->pull->store, diff_id, &fd, &ignored) == 0;
}

/* Which layers are there, which are written twice in the manifest. */
static void survey(struct job *job)
{
	char **diff_ids = job->pull->record.diff_ids.v;

	for (size_t i = 0; i < job->n; i++) {
		size_t twin = 0;

		while (strcmp(diff_ids[twin], diff_ids[i]) != 0)
			twin++;
		job->layers[i] = (struct layer){.state = LAYER_WAITING,
						.twin = twin,
						.staging = -1,
						.unpacker = {CES_PROCESS_NONE, -1},
						.claim = CES_CLAIM_NONE};
		if (twin < i)
			job->layers[i].state = LAYER_PRESENT;
		else if (is_here(job, i)) {
			job->layers[i].found = true;
			job->layers[i].state = LAYER_ASKED;
		}
	}
}

static int ask(struct job *job, size_t i, struct ces_error *err)
{
	struct ces_pull *pull = job->pull;

	job->layers[i].asked = true;
	return ces_fetcher_get(&pull->fetcher, CES_FETCH_CHECK, pull->parsed.layer_digests.v[i],
			       pull->parsed.layer_sizes.v[i], -1, &job->layers[i].id, err);
}

/* All at once: ces-fetch has as many on the wire as it wants. */
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
		    __builtin_add_overflow(needed, job->pull->parsed.layer_sizes.v[i], &needed))
			return ces_error_set(err, CES_E_IMAGE, "the image's layers have no size");
	return ces_quota_room(job->pull->session, needed, err);
}

static int start_unpacker(struct ces_pull *pull, size_t i, struct layer *layer, int input,
			  struct ces_error *err)
{
	struct ces_unpack_job order = {.kind = CES_UNPACK_LAYER,
				       .digest = pull->parsed.layer_digests.v[i],
				       .size = pull->parsed.layer_sizes.v[i],
				       .compression = pull->parsed.layer_compressions.v[i],
				       .diff_id = pull->record.diff_ids.v[i],
				       .max_bytes = pull->left < LAYER_BYTES_MAX ? pull->left
										 : LAYER_BYTES_MAX,
				       .max_entries = LAYER_ENTRIES_MAX,
				       .reserve = pull->session->host->store.reserve};
	CES_CLEANUP_FD int fs = -1;
	CES_CLEANUP_FD int mount = -1;

	if (ces_store_stage(pull->store, layer->name, &layer->staging, &fs, err) < 0 ||
	    ces_mount_clone(fs, false, pull->userns, &mount, err) < 0)
		return -1;
	return ces_unpacker_start(&order, pull->userns, input, &mount, 1, &layer->unpacker, err);
}

static int start(struct job *job, size_t i, struct ces_error *err)
{
	struct ces_pull *pull = job->pull;
	struct layer *layer = &job->layers[i];
	CES_CLEANUP_FD int read_end = -1;
	CES_CLEANUP_FD int write_end = -1;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return ces_error_errno(err, CES_E_HOST, "pipe");
	read_end = ends[0];
	write_end = ends[1];
	(void)fcntl(write_end, F_SETPIPE_SZ,
		    PIPE_BYTES); /* fewer wake-ups; the default works too */
	layer->state = LAYER_ACTIVE;
	if (start_unpacker(pull, i, layer, read_end, err) < 0)
		return -1;
	report(job, i, CES_PROGRESS_FETCHING, 0);
	return ces_fetcher_get(&pull->fetcher, CES_FETCH_BLOB, pull->parsed.layer_digests.v[i],
			       pull->parsed.layer_sizes.v[i], write_end, &layer->id, err);
}

/* It is here, and this caller may have it. */
static void have(struct job *job, size_t i)
{
	job->layers[i].state = LAYER_PRESENT;
	job->shared = true;
	report(job, i, CES_PROGRESS_DONE, job->pull->parsed.layer_sizes.v[i]);
	ces_claim_drop(job->pull->session->runs, job->pull->parsed.layer_digests.v[i],
		       &job->layers[i].claim);
}

/* 1: it is to be fetched here. 0: another pull does, or did since it was last looked for; but
 * nobody hears of one that they may not have, so the registry is asked first. What it denies is
 * fetched, and that fails with the reason. */
static int claim(struct job *job, size_t i, struct ces_error *err)
{
	struct layer *layer = &job->layers[i];
	bool taken = layer->alone || layer->claim.held ||
		     ces_claim_take(job->pull->session->runs, job->pull->parsed.layer_digests.v[i],
				    &layer->claim);

	if ((layer->asked && !layer->allowed) || (taken && !is_here(job, i)))
		return 1;
	if (!layer->asked) {
		layer->state = LAYER_ASKED;
		return ask(job, i, err);
	}
	if (taken)
		have(job, i);
	else
		layer->state = LAYER_ELSEWHERE;
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

/* What another has fetched is here now; what it gave up, or is too slow with, is fetched here. */
static void look_elsewhere(struct job *job)
{
	int runs = job->pull->session->runs;

	for (size_t i = 0; i < job->n; i++) {
		struct layer *layer = &job->layers[i];
		const char *digest = job->pull->parsed.layer_digests.v[i];

		if (layer->state != LAYER_ELSEWHERE)
			continue;
		switch (ces_claim_look(runs, digest, job->pull->parsed.layer_sizes.v[i],
				       &layer->claim)) {
		case CES_CLAIM_MOVED:
			report(job, i, CES_PROGRESS_FETCHING, layer->claim.bytes);
			break;
		case CES_CLAIM_STALLED:
			layer->alone = true;
			layer->state = LAYER_WAITING;
			break;
		case CES_CLAIM_FREE:
			layer->state = LAYER_WAITING;
			break;
		case CES_CLAIM_WAIT:
		default:
			break;
		}
	}
}

static int mark_opaque(int staging, const struct ces_strings *paths, struct ces_error *err)
{
	CES_CLEANUP_FD int fs = ces_beneath_open(staging, "fs", O_RDONLY | O_DIRECTORY, 0);

	return fs < 0 ? ces_error_errno(err, CES_E_HOST, "staging directory")
		      : ces_overlay_mark(fs, paths, err);
}

static int finish_layer(struct job *job, size_t i, struct ces_error *err)
{
	struct layer *layer = &job->layers[i];
	struct ces_unpack_layer answer;
	int result = ces_unpacker_finish(&layer->unpacker, ces_now_ms() + 10000,
					 &ces_unpack_layer_schema, &answer, err);
	char left[32];

	ces_num_format_size(job->pull->left, left, sizeof(left));
	if (result < 0)
		return err->code != CES_E_LIMIT || job->pull->left >= LAYER_BYTES_MAX
			   ? -1
			   : ces_error_context(err,
					       "%s are left of the space for your images "
					       "(host.user_limits.store)",
					       left);
	if (strcmp(answer.diff_id, job->pull->record.diff_ids.v[i]) != 0)
		result =
		    ces_error_set(err, CES_E_IMAGE, "a layer is not what the configuration says");
	/* the unpacker is dead: nothing changes below fs any more */
	if (result == 0)
		result = mark_opaque(layer->staging, &answer.opaque, err);
	if (result == 0)
		result = ces_store_note_layer(layer->staging, answer.bytes,
					      job->pull->parsed.layer_digests.v[i], err);
	ces_wire_free(&ces_unpack_layer_schema, &answer);
	/* whole and verified: others who wait for it have it from here, and if this pull fails the
	 * collector takes it when nobody needs it */
	if (result == 0)
		result = ces_store_commit_layer(job->pull->store, layer->name,
						job->pull->record.diff_ids.v[i], err);
	if (result == 0)
		layer->name[0] = '\0';
	ces_claim_drop(job->pull->session->runs, job->pull->parsed.layer_digests.v[i],
		       &layer->claim);
	layer->state = LAYER_DONE;
	report(job, i, CES_PROGRESS_DONE, job->pull->parsed.layer_sizes.v[i]);
	return result;
}

/* The answer for a layer that was asked for: why it may not be had from there does not matter,
 * since it is fetched then, and that fails with the reason. */
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

	if (ces_pull_status(&job->pull->fetcher, &status, err) < 0)
		return -1;
	if (!answered(job, &status))
		result = ces_pull_failed(&status, err);
	for (size_t i = 0; i < job->n; i++)
		if (job->layers[i].state == LAYER_ACTIVE && job->layers[i].id == status.id &&
		    status.state == CES_FETCH_BYTES) {
			report(job, i, CES_PROGRESS_FETCHING, status.bytes);
			ces_claim_note(&job->layers[i].claim, status.bytes);
		}
	ces_wire_free(&ces_fetch_status_schema, &status);
	return result;
}

/* When one side of a layer's pipe fails the other fails too, a moment later: whose words explain
 * more? The cause is the side that did not merely lose its partner; such a loss is CES_E_INTERNAL
 * from ces-fetch (nobody reads) and an input that ended early from ces-unpack. */
static void prefer_fetch_error(struct job *job, struct ces_error *err)
{
	struct pollfd fd = {.fd = job->pull->fetcher.socket, .events = POLLIN};
	struct ces_error reported;

	if (err->code == CES_E_HOST || err->code == CES_E_LIMIT)
		return;
	while (poll(&fd, 1, 300) > 0)
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
		struct pollfd fd = {.fd = job->layers[i].unpacker.answer, .events = POLLIN};

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
	struct pollfd fds[2 + CES_LAYERS_MAX];

	fds[0] = (struct pollfd){.fd = job->pull->fetcher.socket, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = CES_FD_REQUEST, .events = POLLIN};
	for (size_t i = 0; i < job->n; i++)
		fds[2 + i] = (struct pollfd){.fd = job->layers[i].state == LAYER_ACTIVE
						       ? job->layers[i].unpacker.answer
						       : -1,
					     .events = POLLIN};
	if (poll(fds, 2 + job->n, any(job, LAYER_ELSEWHERE) ? LOOK_MS : -1) < 0)
		return errno == EINTR ? 0 : ces_error_errno(err, CES_E_HOST, "poll");
	if (fds[1].revents != 0 && ces_pull_cancelled(err) < 0)
		return -1;
	if (fds[0].revents != 0 && take_status(job, err) < 0) {
		prefer_unpack_error(job, err);
		return -1;
	}
	for (size_t i = 0; i < job->n; i++)
		if (fds[2 + i].revents != 0 && finish_layer(job, i, err) < 0) {
			prefer_fetch_error(job, err);
			return -1;
		}
	return 0;
}

/* Not before the registry has answered for those that are here: nobody hears of one that they may
 * not have. */
static void report_all(const struct job *job)
{
	for (size_t i = 0; i < job->n; i++)
		report(job, i,
		       job->layers[i].state == LAYER_PRESENT ? CES_PROGRESS_EXISTS
							     : CES_PROGRESS_WAITING,
		       0);
}

/* The layers that are there already stay, by the pull's entry, and those that come by the locks on
 * their staging directories. */
static int fetch_all(struct job *job, struct ces_error *err)
{
	int result = ask_all(job, err);

	while (result == 0 && any(job, LAYER_ASKED))
		result = step(job, err);
	if (result == 0 && any(job, LAYER_WAITING))
		report_all(job);
	if (result == 0)
		result = check_room(job, err);
	while (result == 0 && !is_over(job)) {
		result = start_more(job, err);
		if (result == 0 && !is_over(job))
			result = step(job, err);
		look_elsewhere(job);
	}
	return result;
}

static void sum_up(struct job *job)
{
	job->pull->up_to_date = !any(job, LAYER_DONE) && !job->shared;
	for (size_t i = 0; i < job->n; i++)
		job->pull->bytes +=
		    ces_store_layer_size(job->pull->store, job->pull->record.diff_ids.v[i]);
}

int ces_pull_layers(struct ces_pull *pull, struct ces_error *err)
{
	struct job job = {.pull = pull,
			  .layers = calloc(pull->record.diff_ids.n + 1, sizeof(struct layer)),
			  .n = pull->record.diff_ids.n};
	int result;

	if (job.layers == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	result = ces_runs_need(pull->entry, pull->digest, &pull->record.diff_ids, err);
	if (result == 0)
		result = ces_store_await_collector(pull->store, err);
	if (result == 0) {
		survey(&job);
		result = fetch_all(&job, err);
	}
	if (result == 0)
		sum_up(&job);
	for (size_t i = 0; i < job.n; i++) {
		ces_claim_drop(pull->session->runs, pull->parsed.layer_digests.v[i],
			       &job.layers[i].claim);
		ces_unpacker_kill(&job.layers[i].unpacker);
		ces_cleanup_close(&job.layers[i].staging);
		if (job.layers[i].name[0] != '\0')
			ces_store_unstage(pull->store, job.layers[i].name);
	}
	free(job.layers);
	return result;
}
