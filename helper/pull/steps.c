/* Serves a ces-store. Must not take from it a descriptor or a path, nor decide by what it says of
 * an image: what runs is checked again before each run (helper/launch/run.c).
 *
 * Who controls what: an attacker who has taken ces-resolve over, and then ces-store, controls every
 * field of a step, its time, and all that is ces-store's in the store. A step is a copy in this
 * process's memory. Its name is 16 hex digits, opened once. Digests are checked for form. The
 * content of a layer is in a directory that this process makes, and that nobody but root can make
 * or enter (helper/session/store_open.c). */
#include "helper/pull/steps.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/packet.h"
#include "common/request.h"
#include "helper/core/beneath.h"
#include "helper/pull/layers.h"
#include "helper/session/clean.h"
#include "helper/session/frames.h"
#include "helper/session/mounts.h"
#include "helper/session/runs.h"
#include "helper/session/signed.h"
#include "policy/base.h"

int ces_steps_refuse(struct ces_error *err)
{
	return ces_error_set(err, CES_E_INTERNAL, "ces-store asked for what it may not have");
}

static int answer_with(const struct ces_steps *s, uint64_t state, int fd, struct ces_error *err)
{
	const struct ces_step_answer what = {.state = state};

	/* does not wait for a ces-store that reads no answers */
	return ces_packet_send(s->worker.socket, &what, offsetof(struct ces_step_answer, digests),
			       fd, MSG_DONTWAIT) < 0
		   ? ces_error_errno(err, CES_E_HOST, "talking to ces-store")
		   : 0;
}

int ces_steps_answer(const struct ces_steps *s, uint64_t state, struct ces_error *err)
{
	return answer_with(s, state, -1, err);
}

int ces_steps_hand_out(const struct ces_steps *s, int *fd, struct ces_error *err)
{
	int result = answer_with(s, 1, *fd, err);

	ces_cleanup_close(fd);
	return result;
}

static int start(struct ces_steps *s, const struct ces_step *step, struct ces_error *err)
{
	(void)step;
	s->turn = CES_TURN_LOOK;
	if (ces_unpacker_userns(s->session, &s->userns, err) < 0 ||
	    ces_fetcher_start(s->session, s->decision, &s->fetcher, err) < 0 ||
	    ces_resolver_start(s->session, s->decision, &s->fetcher, &s->resolver, err) < 0)
		return -1;
	return ces_steps_hand_out(s, &s->resolver.socket, err);
}

static int start_reader(struct ces_steps *s, const struct ces_unpack_job *job, const int *dirs,
			size_t n, struct ces_error *err)
{
	ces_unpacker_kill(&s->reader);
	return ces_unpacker_start(job, s->userns, dirs, n, &s->reader, err) < 0
		   ? -1
		   : ces_steps_hand_out(s, &s->reader.answer, err);
}

static int read_document(struct ces_steps *s, const struct ces_step *step, struct ces_error *err)
{
	struct ces_unpack_job job = {
	    .kind = step->number, .size = step->size, .layers = step->layers, .type = step->type};

	if (step->number != (s->turn == CES_TURN_LOOK   ? CES_UNPACK_MANIFEST
			     : s->turn == CES_TURN_SIGN ? CES_UNPACK_SIGNATURES
							: CES_UNPACK_CONFIG) ||
	    (step->digest[0] != '\0' && !ces_digest_valid(step->digest)))
		return ces_steps_refuse(err);
	memcpy(job.digest, step->digest, sizeof(job.digest));
	return start_reader(s, &job, NULL, 0, err) < 0
		   ? -1
		   : ces_steps_hand_out(s, &s->reader.input, err);
}

/* Is this the image that the caller named, and that was approved? ces-store has made the digests of
 * the bytes that it stored; a run compares its grant again. */
static int found(struct ces_steps *s, const struct ces_step *step, struct ces_error *err)
{
	const struct ces_decision *decision = s->decision;
	const char *named = decision->image.digest, *locked = decision->locked_digest;

	if (!ces_digest_valid(step->digest) || !ces_digest_valid(step->top) ||
	    (named[0] != '\0' && strcmp(named, step->top) != 0))
		return ces_steps_refuse(err);
	memcpy(s->digest, step->digest, sizeof(s->digest));
	memcpy(s->top_digest, step->top, sizeof(s->top_digest));
	s->turn = decision->signed_by.n > 0 ? CES_TURN_SIGN : CES_TURN_CONFIGURE;
	if (locked[0] != '\0' && strcmp(locked, s->digest) != 0 &&
	    strcmp(locked, s->top_digest) != 0)
		return ces_error_rule(
		    err, CES_E_DENIED, decision->rule,
		    "the registry's image is not the one that was approved (%.19s)", locked);
	return ces_steps_answer(s, 1, err);
}

/* Nothing of the image is fetched before enough keys have signed it. If they have not, the reason
 * may be that the registry did not hand the signatures out: ces-resolve says why. */
static int check_signed(struct ces_steps *s, const struct ces_step *step, struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	struct ces_bytes bag = {0};
	char path[32];

	memcpy(s->bag, step->name, sizeof(s->bag));
	(void)snprintf(path, sizeof(path), "%s/bag", s->bag);
	if (ces_store_read(s->store->staging, path, CES_BAG_MAX, &bytes, &bag.length) < 0)
		return ces_error_errno(err, CES_E_HOST, "reading what may hold signatures");
	bag.bytes = bytes;
	s->turn = CES_TURN_CONFIGURE;
	if (ces_signed_check(s->decision, s->digest, s->top_digest, &bag, &s->session->signers,
			     err) == 0)
		return ces_steps_answer(s, 1, err);
	return step->length > 0 && err->code == CES_E_DENIED
		   ? ces_error_context(err, "not all signatures could be read (%.*s)",
				       step->length < 120 ? (int)step->length : 120, step->bytes)
		   : -1;
}

/* Names the layers in the pull's entry before ces-store looks for them, so that the collector
 * leaves them. */
static int need(struct ces_steps *s, const struct ces_step *step, struct ces_error *err)
{
	struct ces_strings diff_ids = {s->diff_ids, step->length / sizeof(s->layers[0])};

	/* (none, or too many) */
	if (step->length % sizeof(s->layers[0]) != 0 || step->length - 1 >= sizeof(s->layers))
		return ces_steps_refuse(err);
	memcpy(s->layers, step->bytes, step->length);
	for (s->n = 0; s->n < diff_ids.n; s->n++) {
		s->diff_ids[s->n] = s->layers[s->n];
		if (s->layers[s->n][CES_DIGEST_LENGTH] != '\0' ||
		    !ces_digest_valid(s->layers[s->n]))
			return ces_steps_refuse(err);
	}
	if (ces_base_check(s->decision, &diff_ids, err) < 0 ||
	    ces_runs_need(s->entry, s->digest, &diff_ids, err) < 0)
		return -1;
	s->turn = CES_TURN_FETCH;
	return ces_steps_answer(s, 1, err);
}

/* Finds the image's user in its own passwd file: ces-unpack reads it through read-only id-mapped
 * mounts. */
static int find_user(struct ces_steps *s, const struct ces_step *step, struct ces_error *err)
{
	struct ces_unpack_job job = {.kind = CES_UNPACK_FIND_USER};
	int mounts[CES_LAYERS_MAX];
	size_t n = 0;
	int result = 0;

	if (step->length >= sizeof(job.user))
		return ces_steps_refuse(err);
	memcpy(job.user, step->bytes, step->length);
	for (; n < s->n && result == 0; n += result == 0) {
		CES_CLEANUP_FD int layer = -1;

		result = ces_store_open_layer(s->store, s->diff_ids[n], &layer, err);
		if (result == 0)
			result = ces_mount_clone(layer, true, s->userns, &mounts[n], err);
	}
	if (result == 0)
		result = start_reader(s, &job, mounts, n, err);
	for (size_t i = 0; i < n; i++)
		close(mounts[i]);
	return result;
}

struct listing {
	const struct ces_steps *s;
	struct ces_step_answer *part;
	bool failed, unknown; /* unknown: the layers of a run */
};

static void send_part(struct listing *listing)
{
	struct ces_step_answer *part = listing->part;

	listing->failed |= ces_packet_send(listing->s->worker.socket, part,
					   offsetof(struct ces_step_answer, digests) +
					       part->n * sizeof(part->digests[0]),
					   -1, 0) < 0;
	part->n = 0;
}

static void add_busy(struct listing *listing, const char *digest)
{
	struct ces_step_answer *part = listing->part;

	if (part->n == CES_STEP_DIGESTS)
		send_part(listing);
	(void)snprintf(part->digests[part->n++], sizeof(part->digests[0]), "%s", digest);
}

static void entry_seen(const struct ces_run_record *record, bool alive, void *context)
{
	struct listing *listing = context;

	(void)alive;
	if (record->digest != NULL)
		add_busy(listing, record->digest);
	/* (a run that an older CES has entered) */
	listing->unknown |= record->digest != NULL && record->layers.n == 0;
	for (size_t i = 0; i < record->layers.n; i++)
		add_busy(listing, record->layers.v[i]);
}

static int list_busy(struct ces_steps *s, const struct ces_step *step, struct ces_error *err)
{
	static struct ces_step_answer part;
	struct listing listing = {.s = s, .part = &part};
	int result;

	(void)step;
	part = (struct ces_step_answer){.state = CES_BUSY_MORE};
	result =
	    ces_runs_each(s->session->runs, CES_EACH_PULL | CES_EACH_RUN, entry_seen, &listing);
	part.state = result < 0 || listing.unknown ? CES_BUSY_UNKNOWN : CES_BUSY_ALL;
	send_part(&listing);
	return listing.failed ? ces_error_errno(err, CES_E_HOST, "talking to ces-store") : 0;
}

/* Removes one thing of the trash; or all of it, for a collector, where nothing has that name.
 *
 * Who controls what: the images chose every name below a layer, and ces-store those above; both,
 * and a ces-unpack that an image has taken over, may change them meanwhile. ces-clean sees one
 * mount, of that directory. The mount shows owners as they are on the disk, as ids of the namespace
 * of workers (helper/session/idmap.h). So ces-clean has power over everything in there, and over
 * nothing else of any owner. Its own uid is none of the workers' accounts: if another request has
 * the same account, its workers have no right over this ces-clean. */
static void remove_trash(const struct ces_steps *s, const char *name)
{
	struct ces_cleaner cleaner = CES_CLEANER_NONE;
	int trash = s->store->trash;
	CES_CLEANUP_FD int one = ces_beneath_open(trash, name, O_RDONLY | O_DIRECTORY, 0);
	CES_CLEANUP_FD int userns = -1;
	struct ces_error ignored;

	if ((one < 0 && s->turn != CES_TURN_COLLECT) ||
	    ces_unpacker_userns(s->session, &userns, &ignored) < 0)
		return;
	ces_cleaner_start(userns, &(const struct ces_clean_job){0}, -1, one >= 0 ? one : trash,
			  true, &cleaner);
	(void)ces_cleaner_ask(&cleaner, CES_CLEAN_DISCARD);
	ces_cleaner_end(&cleaner);
	(void)unlinkat(trash, name, AT_REMOVEDIR);
}

static int empty(struct ces_steps *s, const struct ces_step *step, struct ces_error *err)
{
	ces_layers_forget(s, step->name);
	remove_trash(s, step->name);
	return ces_steps_answer(s, 1, err);
}

static int announce_grant(struct ces_steps *s, const struct ces_step *step, struct ces_error *err)
{
	(void)step;
	s->turn = CES_TURN_GRANT;
	return ces_steps_answer(s, 1, err);
}

static int end(struct ces_steps *s, const struct ces_step *step, struct ces_error *err)
{
	(void)err;
	s->up_to_date = (step->number & CES_END_UP_TO_DATE) != 0;
	s->settled = (step->number & CES_END_SETTLED) != 0;
	s->done = true;
	return 0;
}

static int failed(struct ces_steps *s, const struct ces_step *step, struct ces_error *err)
{
	static const char *const rules[CES_STEP_RULES] = CES_STEP_RULE_NAMES;

	s->turn =
	    CES_TURN_OTHER; /* no grant of this pull is there: that step is ces-store's last */
	if (step->size >= CES_STEP_RULES)
		return ces_steps_refuse(err);
	switch (step->number) {
	case CES_E_USAGE:
	case CES_E_NOTFOUND:
	case CES_E_REGISTRY:
	case CES_E_IMAGE:
	case CES_E_HOST:
	case CES_E_LIMIT:
	case CES_E_INTERNAL:
		return ces_error_rule(err, (enum ces_code)step->number, rules[step->size], "%.*s",
				      (int)step->length, step->bytes);
	default:
		return ces_steps_refuse(err);
	}
}

#define READS (CES_TURN_LOOK | CES_TURN_SIGN | CES_TURN_CONFIGURE)
#define ENDS  (CES_TURN_GRANT | CES_TURN_COLLECT | CES_TURN_OTHER)
#define ANY   255

/* The client can end a pull until its grant is written. From then on nothing need be taken back. */
#define INTERRUPTIBLE (CES_TURN_BEGIN | READS | CES_TURN_FETCH)

static const struct {
	int (*serve)(struct ces_steps *s, const struct ces_step *step, struct ces_error *err);
	unsigned turns;
	bool named; /* its name is one */
} steps[CES_STEP_KINDS] = {
    [CES_STEP_START] = {start, CES_TURN_BEGIN, false},
    [CES_STEP_READ] = {read_document, READS, false},
    [CES_STEP_FOUND] = {found, CES_TURN_LOOK, false},
    [CES_STEP_SIGNED] = {check_signed, CES_TURN_SIGN, true},
    [CES_STEP_NEED] = {need, CES_TURN_CONFIGURE, false},
    [CES_STEP_UNPACK] = {ces_layers_unpack, CES_TURN_FETCH, true},
    [CES_STEP_UNPACKED] = {ces_layers_unpacked, CES_TURN_FETCH, true},
    [CES_STEP_MARK] = {ces_layers_mark, CES_TURN_FETCH, true},
    [CES_STEP_COMMIT] = {ces_layers_commit, CES_TURN_FETCH, true},
    [CES_STEP_USER] = {find_user, CES_TURN_FETCH, false},
    [CES_STEP_GRANT] = {announce_grant, CES_TURN_FETCH, false},
    [CES_STEP_BUSY] = {list_busy, CES_TURN_COLLECT, false},
    [CES_STEP_EMPTY] = {empty, READS | CES_TURN_FETCH | CES_TURN_COLLECT, true},
    [CES_STEP_END] = {end, ENDS, false},
    [CES_STEP_FAILED] = {failed, ANY, false},
};

static bool is_name(const char *name)
{
	return strlen(name) == CES_STEP_NAME && strspn(name, "0123456789abcdef") == CES_STEP_NAME;
}

int ces_steps_serve_one(struct ces_steps *s, struct ces_error *err)
{
	static struct ces_step step;
	ssize_t n = recv(s->worker.socket, &step, sizeof(step), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return ces_error_set(err, CES_E_HOST, "ces-store ended unexpectedly");
	if ((size_t)n < offsetof(struct ces_step, bytes) ||
	    step.length != (size_t)n - offsetof(struct ces_step, bytes) ||
	    step.kind >= CES_STEP_KINDS || (steps[step.kind].turns & s->turn) == 0)
		return ces_steps_refuse(err);
	step.name[CES_STEP_NAME] = step.digest[CES_DIGEST_LENGTH] = '\0';
	step.diff_id[CES_DIGEST_LENGTH] = step.top[CES_DIGEST_LENGTH] = '\0';
	if (steps[step.kind].named && !is_name(step.name))
		return ces_steps_refuse(err);
	return steps[step.kind].serve(s, &step, err);
}

static int cancelled(struct ces_error *err)
{
	enum ces_control_kind kind;
	uint64_t value;

	if (ces_control_receive(CES_FD_REQUEST, &kind, &value) == 0 && kind == CES_CONTROL_WINDOW)
		return 0;
	return ces_error_set(err, CES_E_USAGE, "the pull was interrupted; nothing was kept");
}

int ces_steps_serve(struct ces_steps *s, struct ces_error *err)
{
	struct pollfd fds[2] = {{.fd = s->worker.socket, .events = POLLIN}, {.events = POLLIN}};
	int result = 0;

	while (result == 0 && !s->done) {
		fds[1].fd = (s->turn & INTERRUPTIBLE) != 0 ? CES_FD_REQUEST : -1;
		if (poll(fds, 2, -1) < 0) {
			if (errno != EINTR)
				return ces_error_errno(err, CES_E_HOST, "poll");
			continue;
		}
		if (fds[1].revents != 0)
			result = cancelled(err);
		if (result == 0 && fds[0].revents != 0)
			result = ces_steps_serve_one(s, err);
	}
	return result;
}

void ces_steps_begin(struct ces_steps *s, struct ces_session *session, enum ces_turn turn)
{
	const struct ces_staged none = {.own = -1, .unpacker = CES_UNPACKER_NONE};

	*s = (struct ces_steps){.session = session,
				.store = &session->store,
				.turn = turn,
				.worker = CES_WORKER_NONE,
				.entry = -1,
				.userns = -1,
				.fetcher = CES_WORKER_NONE,
				.resolver = CES_WORKER_NONE,
				.reader = CES_UNPACKER_NONE};
	for (size_t i = 0; i < CES_STAGED_MAX; i++)
		s->staged[i] = none;
}

/* Removes a staged thing. No ces-store is there any more. */
static void give_up(struct ces_steps *s, const char *staged)
{
	char name[CES_STEP_NAME + 1];

	memcpy(name, staged, sizeof(name));
	ces_layers_forget(s, name);
	/* (ces-store may have moved it before it was stopped) */
	if (name[0] != '\0' && (renameat(s->store->staging, name, s->store->trash, name) == 0 ||
				faccessat(s->store->trash, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0))
		remove_trash(s, name);
}

void ces_steps_end(struct ces_steps *s)
{
	ces_worker_stop(&s->worker);
	ces_worker_stop(&s->resolver);
	ces_worker_stop(&s->fetcher);
	ces_unpacker_kill(&s->reader);
	give_up(s, s->bag);
	for (size_t i = 0; i < CES_STAGED_MAX; i++)
		give_up(s, s->staged[i].name);
	ces_cleanup_close(&s->userns);
}
