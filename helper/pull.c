/* A pull: manifest, configuration, missing layers, commit. Must not look into any of them: the
 * workers do, and their answers are numbers, digests and flat records.
 *
 * Who controls what: the registry controls every byte that ces-fetch delivers; the caller controls
 * the reference (already decided) and the credential. A digest is checked before the bytes behind
 * it are used: manifest and configuration here (they are small and opaque to this process), layers
 * in ces-unpack. What was checked cannot change after: it is in this process's memory, or in a
 * staging directory of root's. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/io.h"
#include "helper/cleanroom.h"
#include "helper/collect.h"
#include "helper/journal.h"
#include "helper/layers.h"
#include "helper/mounts.h"
#include "helper/finish.h"
#include "helper/quota.h"
#include "helper/record.h"
#include "helper/report.h"
#include "helper/request.h"
#include "helper/runs.h"
#include "helper/workers.h"

#define SMALL_MS       120000     /* for a manifest or a configuration, fetched and parsed */
#define PULL_SECONDS   (6 * 3600) /* for the whole */
#define SETTLE_SECONDS 1800       /* for the disk, afterwards */

/* Fetches a small body into memory and checks its digest when one is known. */
static int fetch_small(struct ces_fetcher *fetcher, enum ces_fetch_kind kind, const char *reference,
		       uint64_t size, const char *digest, struct ces_bytes *ret,
		       struct ces_error *err);

struct small {
	struct ces_bytes body;
	size_t max;
	bool ended, done;
};

static int read_some(int fd, struct small *small, struct ces_error *err)
{
	ssize_t n =
	    read(fd, small->body.bytes + small->body.length, small->max + 1 - small->body.length);

	if (n < 0)
		return errno == EINTR ? 0
				      : ces_error_errno(err, CES_E_HOST, "reading from ces-fetch");
	small->ended = n == 0;
	small->body.length += (size_t)n;
	if (small->body.length > small->max)
		return ces_error_set(err, CES_E_REGISTRY, "the registry sent more than it should");
	return 0;
}

/* Of the worker's codes only these mean something here. A login that is missing or refused has the
 * name of the rule that speaks of logins, so that the client can ask for another. */
int ces_pull_failed(const struct ces_fetch_status *status, struct ces_error *err)
{
	const char *text = status->text != NULL ? status->text : "the registry failed";

	if (status->state != CES_FETCH_FAILED)
		return 0;
	if (status->code == CES_E_DENIED)
		ces_error_rule(err, CES_E_REGISTRY, "registries.credentials", "%s", text);
	else
		ces_error_set(err,
			      status->code == CES_E_NOTFOUND || status->code == CES_E_HOST
				  ? (enum ces_code)status->code
				  : CES_E_REGISTRY,
			      "%s", text);
	return -1;
}

int ces_pull_status(struct ces_fetcher *fetcher, struct ces_fetch_status *ret,
		    struct ces_error *err)
{
	int got = ces_fetcher_status(fetcher, ret, err);

	if (got < 0)
		return -1;
	return got == 0 ? ces_error_set(err, CES_E_HOST, "ces-fetch ended unexpectedly") : 0;
}

int ces_pull_cancelled(struct ces_error *err)
{
	struct pollfd control = {.fd = CES_FD_REQUEST, .events = POLLIN};
	struct ces_control frame;
	struct ces_error ignored;
	int got;

	if (poll(&control, 1, 0) == 0)
		return 0;
	got = ces_wire_receive(CES_FD_REQUEST, &ces_control_schema, 256, ces_now_ms() + 1000,
			       &frame, &ignored);
	if (got > 0 && frame.kind == CES_CONTROL_WINDOW)
		return 0;
	return ces_error_set(err, CES_E_USAGE, "the pull was interrupted; nothing was kept");
}

static int wait_small(struct ces_fetcher *fetcher, int body, struct small *small,
		      struct ces_error *err)
{
	int64_t deadline = ces_now_ms() + SMALL_MS;

	while (!small->ended || !small->done) {
		struct pollfd fds[3] = {
		    {.fd = small->ended ? -1 : body, .events = POLLIN},
		    {.fd = small->done ? -1 : fetcher->socket, .events = POLLIN},
		    {.fd = CES_FD_REQUEST, .events = POLLIN}};
		int64_t left = deadline - ces_now_ms();

		if (left <= 0)
			return ces_error_set(err, CES_E_REGISTRY,
					     "the registry did not answer in time");
		if (poll(fds, 3, (int)left) < 0 && errno != EINTR)
			return ces_error_errno(err, CES_E_HOST, "poll");
		if (fds[2].revents != 0 && ces_pull_cancelled(err) < 0)
			return -1;
		if (fds[0].revents != 0 && read_some(body, small, err) < 0)
			return -1;
		if (fds[1].revents != 0) {
			struct ces_fetch_status status;
			int failed;

			if (ces_pull_status(fetcher, &status, err) < 0)
				return -1;
			small->done = status.state == CES_FETCH_DONE;
			failed = ces_pull_failed(&status, err);
			ces_wire_free(&ces_fetch_status_schema, &status);
			if (failed < 0)
				return -1;
		}
	}
	return 0;
}

static int fetch_small(struct ces_fetcher *fetcher, enum ces_fetch_kind kind, const char *reference,
		       uint64_t size, const char *digest, struct ces_bytes *ret,
		       struct ces_error *err)
{
	struct small small = {.max = size};
	char found[CES_DIGEST_LENGTH + 1];
	CES_CLEANUP_FD int read_end = -1;
	uint64_t id;
	int ends[2], result;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return ces_error_errno(err, CES_E_HOST, "pipe");
	read_end = ends[0];
	result = ces_fetcher_get(fetcher, kind, reference, size, ends[1], &id, err);
	close(ends[1]);
	if (result < 0)
		return -1;
	small.body.bytes = malloc(size + 1);
	if (small.body.bytes == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	if (wait_small(fetcher, read_end, &small, err) < 0) {
		free(small.body.bytes);
		return -1;
	}
	ces_digest_of(small.body.bytes, small.body.length, found);
	if (digest != NULL && strcmp(digest, found) != 0) {
		free(small.body.bytes);
		return ces_error_set(err, CES_E_REGISTRY,
				     "the registry lied: what it sent for %.19s has digest %.19s",
				     digest, found);
	}
	*ret = small.body;
	return 0;
}

/* Gives bytes to an unpacker as a sealed file and takes its answer. */
static int parse(int userns, const struct ces_unpack_job *job, const struct ces_bytes *bytes,
		 const struct ces_wire_schema *schema, void *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int input = memfd_create("ces-document", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct ces_unpacker unpacker;

	if (input < 0 || ces_write_full(input, bytes->bytes, bytes->length, -1) < 0 ||
	    lseek(input, 0, SEEK_SET) < 0 ||
	    fcntl(input, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) < 0)
		return ces_error_errno(err, CES_E_HOST, "passing a document on");
	if (ces_unpacker_start(job, userns, input, NULL, 0, &unpacker, err) < 0)
		return -1;
	return ces_unpacker_finish(&unpacker, ces_now_ms() + SMALL_MS, schema, ret, err);
}

/* Manifest of this machine's platform: what the reference names, or what the index it names
 * chooses. */
static int get_manifest(struct ces_pull *pull, const char *reference, const char *digest,
			uint64_t max, struct ces_unpack_manifest *ret, struct ces_error *err)
{
	struct ces_unpack_job job = {
	    .kind = CES_UNPACK_MANIFEST, .digest = (char *)(uintptr_t)digest, .size = max};

	free(pull->manifest.bytes);
	pull->manifest.bytes = NULL;
	if (fetch_small(&pull->fetcher, CES_FETCH_MANIFEST, reference, max, digest, &pull->manifest,
			err) < 0)
		return -1;
	job.type = pull->fetcher.type;
	return parse(pull->userns, &job, &pull->manifest, &ces_unpack_manifest_schema, ret, err);
}

static int check_manifest(const struct ces_pull *pull, struct ces_error *err)
{
	const struct ces_unpack_manifest *found = &pull->parsed;

	if (found->config_digest == NULL || !ces_digest_valid(found->config_digest) ||
	    found->config_size > CES_CONFIG_MAX || found->layer_digests.n != found->layer_sizes.n ||
	    found->layer_digests.n != found->layer_compressions.n)
		return ces_error_set(err, CES_E_IMAGE, "the image's manifest makes no sense");
	for (size_t i = 0; i < found->layer_digests.n; i++)
		if (!ces_digest_valid(found->layer_digests.v[i]))
			return ces_error_set(err, CES_E_IMAGE,
					     "the image's manifest makes no sense");
	return 0;
}

static int resolve(struct ces_pull *pull, struct ces_error *err)
{
	const struct ces_reference *image = &pull->decision->image;
	const char *asked = image->digest[0] != '\0' ? image->digest : NULL;
	char chosen[CES_DIGEST_LENGTH + 1];
	uint64_t size;

	if (get_manifest(pull, asked != NULL ? asked : image->tag, asked, CES_MANIFEST_MAX,
			 &pull->parsed, err) < 0)
		return -1;
	/* this process hashed the bytes; the parser's word for it is not needed */
	ces_digest_of(pull->manifest.bytes, pull->manifest.length, pull->top_digest);
	if (pull->parsed.chosen != NULL) {
		if (!ces_digest_valid(pull->parsed.chosen) ||
		    pull->parsed.chosen_size > CES_MANIFEST_MAX)
			return ces_error_set(err, CES_E_IMAGE, "the image's index makes no sense");
		memcpy(chosen, pull->parsed.chosen, sizeof(chosen));
		size = pull->parsed.chosen_size;
		ces_wire_free(&ces_unpack_manifest_schema, &pull->parsed);
		if (get_manifest(pull, chosen, chosen, size, &pull->parsed, err) < 0)
			return -1;
	}
	ces_digest_of(pull->manifest.bytes, pull->manifest.length, pull->digest);
	if (pull->decision->locked_digest[0] != '\0' &&
	    strcmp(pull->decision->locked_digest, pull->digest) != 0 &&
	    strcmp(pull->decision->locked_digest, pull->top_digest) != 0)
		return ces_error_rule(
		    err, CES_E_DENIED, pull->decision->rule,
		    "the registry's image is not the one that was approved (%.19s)",
		    pull->decision->locked_digest);
	return check_manifest(pull, err);
}

static int get_config(struct ces_pull *pull, struct ces_error *err)
{
	struct ces_unpack_job job = {.kind = CES_UNPACK_CONFIG,
				     .digest = pull->parsed.config_digest,
				     .layers = pull->parsed.layer_digests.n};

	if (fetch_small(&pull->fetcher, CES_FETCH_BLOB, pull->parsed.config_digest,
			pull->parsed.config_size, pull->parsed.config_digest, &pull->config,
			err) < 0)
		return -1;
	job.size = pull->config.length;
	if (parse(pull->userns, &job, &pull->config, &ces_image_record_schema, &pull->record, err) <
	    0)
		return -1;
	if (pull->record.diff_ids.n != pull->parsed.layer_digests.n)
		return ces_error_set(err, CES_E_IMAGE,
				     "manifest and configuration count different layers");
	for (size_t i = 0; i < pull->record.diff_ids.n; i++)
		if (!ces_digest_valid(pull->record.diff_ids.v[i]))
			return ces_error_set(err, CES_E_IMAGE,
					     "the image's configuration makes no sense");
	return 0;
}

/* Who is the image's USER? Its own passwd file says so, read by ces-unpack through read-only
 * id-mapped mounts. */
static int get_user(struct ces_pull *pull, struct ces_image_record *ret, struct ces_error *err)
{
	struct ces_unpack_job job = {.kind = CES_UNPACK_USER, .user = pull->record.user};
	struct ces_unpacker unpacker;
	int mounts[CES_LAYERS_MAX];
	size_t n = 0;
	int result = 0;

	for (; n < pull->record.diff_ids.n && result == 0; n += result == 0) {
		CES_CLEANUP_FD int layer = -1;

		result = ces_store_open_layer(pull->store, pull->record.diff_ids.v[n], &layer, err);
		if (result == 0)
			result = ces_mount_clone(layer, true, pull->userns, &mounts[n], err);
	}
	if (result == 0)
		result = ces_unpacker_start(&job, pull->userns, -1, mounts, n, &unpacker, err);
	for (size_t i = 0; i < n; i++)
		close(mounts[i]);
	if (result < 0)
		return -1;
	return ces_unpacker_finish(&unpacker, ces_now_ms() + SMALL_MS, &ces_image_record_schema,
				   ret, err);
}

static int commit_image(struct ces_pull *pull, struct ces_error *err)
{
	struct ces_image_record user, whole = pull->record;
	int result;

	if (get_user(pull, &user, err) < 0)
		return -1;
	whole.digest = pull->digest;
	whole.config_digest = pull->parsed.config_digest;
	whole.uid = user.uid;
	whole.gid = user.gid;
	whole.groups = user.groups;
	whole.home = user.home;
	whole.size = pull->bytes;
	if (whole.uid >= CES_IDMAP_SPAN || whole.gid >= CES_IDMAP_SPAN)
		result = ces_error_set(err, CES_E_IMAGE, "the image's user has an id above 65535");
	else
		result = ces_store_commit_image(pull->store, &whole, &pull->manifest, &pull->config,
						err);
	ces_wire_free(&ces_image_record_schema, &user);
	return result;
}

static int grant(struct ces_pull *pull, struct ces_error *err)
{
	const struct ces_decision *decision = pull->decision;
	char project[CES_NAME_MAX + 1];
	struct ces_grant given = {
	    .reference = pull->reference,
	    .user = pull->session->caller.user,
	    .top_digest = pull->top_digest,
	    .digest = pull->digest,
	    .project = project,
	    .size = pull->bytes,
	    .layers = pull->parsed.layer_digests.n,
	    .pulled = (uint64_t)time(NULL),
	    .retain = decision->retain == CES_RETAIN_TIME ? decision->retain_seconds : 0};

	memcpy(project, decision->project, sizeof(project));
	return ces_store_write_grant(pull->store, pull->session->uid, &given, err);
}

/* The configuration is fetched and the layers are asked for each time, though all may be here: who
 * may have them is for the registry to say, see layers.c. */
static int pull_image(struct ces_pull *pull, struct ces_error *err)
{
	struct ces_image_record known;
	struct ces_error unknown;

	/* what is over the user's limit is not granted; the layers are the collector's then */
	if (resolve(pull, err) < 0 || get_config(pull, err) < 0 || ces_pull_layers(pull, err) < 0 ||
	    ces_quota_check(pull->session, pull->reference, &pull->record.diff_ids, &pull->left,
			    err) < 0)
		return -1;
	if (ces_store_load_image(pull->store, pull->digest, &known, &unknown) == 0) {
		ces_wire_free(&ces_image_record_schema, &known);
		return grant(pull, err);
	}
	pull->up_to_date = false;
	return commit_image(pull, err) < 0 ? -1 : grant(pull, err);
}

static int record_end(const struct ces_session *session, const struct ces_pull *pull,
		      struct ces_error *err)
{
	const struct ces_journal_subject about = {.uid = session->uid,
						  .user = session->caller.user,
						  .project = pull->decision->project,
						  .image = session->request.image,
						  .digest = pull->digest};

	return ces_journal_append(
	    &session->journal,
	    ces_journal_end("pull", &about, 0, pull->up_to_date ? "up to date" : "pulled", 0, 0),
	    false, err);
}

struct count {
	uid_t uid;
	uint64_t n;
};

static void count_pull(const struct ces_run_record *record, bool alive, void *context)
{
	struct count *count = context;

	count->n += alive && record->uid == count->uid;
}

static int check_pulls(const struct ces_session *session, struct ces_error *err)
{
	struct count count = {.uid = session->uid};
	unsigned long long most = session->policy->store.pulls;

	if (ces_runs_each_pull(session->runs, count_pull, &count) < 0)
		return ces_error_errno(err, CES_E_HOST, "reading the register of pulls");
	if (count.n < most)
		return 0;
	return ces_error_rule(err, CES_E_LIMIT, "host.user_limits.pulls",
			      "%llu pulls of yours are under way, and %llu at once are allowed",
			      (unsigned long long)count.n, most);
}

/* So that the end of a pull whose helper is killed comes on record too: the next helper sees an
 * entry that nobody has locked. *ret stays open for that. */
static int enter(struct ces_session *session, const struct ces_decision *decision, int *ret,
		 struct ces_error *err)
{
	char number[CES_RUN_DIGITS + 1], name[sizeof(session->pull)];
	struct ces_run_record record = {.run = name,
					.uid = session->uid,
					.project = (char *)(uintptr_t)decision->project,
					.image = session->request.image,
					.started = (uint64_t)time(NULL)};
	CES_CLEANUP_FD int stop = -1; /* nobody asks a pull to stop but its client */

	if (ces_runs_name(session->runs, number, err) < 0)
		return -1;
	(void)snprintf(name, sizeof(name), CES_RUNS_PULL "%s", number);
	if (ces_runs_enter(session->runs, &record, ret, &stop, err) < 0)
		return -1;
	memcpy(session->pull, name, sizeof(name));
	return 0;
}

/* Counting, recording and entering are one step, as for a run; the record reaches the disk after
 * it.
 */
static int admit(struct ces_session *session, const struct ces_decision *decision, int *ret,
		 struct ces_error *err)
{
	unsigned left;
	int result;

	if (ces_cleanroom_lock(session->runs, 2 * CES_LOCK_SECONDS, &left) < 0)
		return ces_error_errno(err, CES_E_HOST, "locking the runs");
	result = check_pulls(session, err);
	if (result == 0)
		result = ces_record_decision(session, decision, NULL, NULL, NULL, NULL, err);
	if (result == 0)
		result = enter(session, decision, ret, err);
	ces_cleanroom_unlock(session->runs, left);
	if (result == 0 && fdatasync(session->journal.fd) < 0)
		return ces_error_errno(err, CES_E_HOST, "the journal did not reach the disk");
	return result;
}

/* The user has the answer; the disk may take its time, and nobody waits for that: not the client
 * for this process either. */
static void settle(const struct ces_pull *pull)
{
	struct ces_process child = CES_PROCESS_NONE;
	int side = pull->up_to_date ? -1 : ces_process_clone(0, -1, &child);

	if (side > 0)
		(void)ces_process_end(&child, false);
	if (side != 0)
		return;
	if (fork() == 0) {
		(void)close_range(0, CES_FD_EVENT, 0);
		(void)prctl(PR_SET_NAME, "ces-settle");
		ces_cleanroom_deadline(SETTLE_SECONDS);
		ces_store_settle(pull->store, &pull->record.diff_ids);
	}
	_exit(0);
}

int ces_verb_pull(struct ces_session *session, const struct ces_decision *decision,
		  struct ces_error *err)
{
	struct ces_pull pull = {.decision = decision,
				.session = session,
				.store = &session->store,
				.entry = -1,
				.fetcher = {CES_PROCESS_NONE, -1, 1, 0},
				.userns = -1};
	CES_CLEANUP_FD int entry = -1;
	struct ces_event_done done = {0};
	int result;

	ces_finish_dead(session);
	if (admit(session, decision, &entry, err) < 0)
		return -1;
	ces_cleanroom_deadline(PULL_SECONDS);
	ces_collect_soon(&session->store, session->runs);
	pull.entry = entry;
	ces_reference_format(&decision->image, pull.reference, sizeof(pull.reference));
	result = ces_quota_check(session, pull.reference, &pull.record.diff_ids, &pull.left, err);
	if (result == 0)
		result = ces_unpacker_userns(session->policy, &pull.userns, err);
	if (result == 0)
		result = ces_fetcher_start(session, decision, &pull.fetcher, err);
	if (result == 0)
		result = pull_image(&pull, err);
	ces_fetcher_stop(&pull.fetcher);
	if (result == 0)
		result = record_end(session, &pull, err);
	if (result == 0) {
		ces_runs_leave(session->runs, session->pull);
		session->pull[0] = '\0';
		done.digest = pull.digest;
		done.up_to_date = pull.up_to_date;
		ces_report_send(&ces_event_done_schema, &done, true);
		settle(&pull);
	}
	ces_wire_free(&ces_unpack_manifest_schema, &pull.parsed);
	ces_wire_free(&ces_image_record_schema, &pull.record);
	free(pull.manifest.bytes);
	free(pull.config.bytes);
	ces_cleanup_close(&pull.userns);
	return result;
}
