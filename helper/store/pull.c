/* A pull: manifest, configuration, missing layers, commit. Must not look into any: the
 * workers do, and their answers are numbers, digests and flat records.
 *
 * Who controls what: the registry controls every byte that ces-fetch delivers; the caller controls
 * the reference (already decided) and the credential. A digest is checked before the bytes behind
 * it are used: manifest and configuration here (they are small and opaque to this process), layers
 * in ces-unpack. What was checked cannot change after: it is in this process's memory, or in a
 * staging directory of root's. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/event.h"
#include "common/io.h"
#include "common/record.h"
#include "helper/core/deadline.h"
#include "helper/core/order.h"
#include "helper/session/journal.h"
#include "helper/session/lock.h"
#include "helper/session/mounts.h"
#include "helper/session/record.h"
#include "helper/session/report.h"
#include "helper/session/runs.h"
#include "helper/session/session.h"
#include "helper/store/collect.h"
#include "helper/store/documents.h"
#include "helper/store/layers.h"
#include "helper/store/quota.h"
#include "helper/store/workers.h"
#include "helper/watch/finish.h"

#define PULL_SECONDS   (6 * 3600) /* for the whole */
#define SETTLE_SECONDS 1800       /* for the disk, afterwards */

/* Manifest of this machine's platform: what the reference names, or what the index it names
 * chooses. */
static int get_manifest(struct ces_pull *pull, const char *reference, const char *digest,
			uint64_t max, struct ces_unpack_manifest *ret, struct ces_error *err)
{
	struct ces_unpack_job job = {
	    .kind = CES_UNPACK_MANIFEST, .digest = (char *)(uintptr_t)digest, .size = max};

	free(pull->manifest.bytes);
	pull->manifest.bytes = NULL;
	if (ces_document_fetch(&pull->fetcher, CES_FETCH_MANIFEST, reference, max, digest,
			       &pull->manifest, err) < 0)
		return -1;
	job.type = pull->fetcher.type;
	return ces_document_parse(pull->userns, &job, &pull->manifest, &ces_unpack_manifest_schema,
				  ret, err);
}

static int check_manifest(const struct ces_pull *pull, struct ces_error *err)
{
	const struct ces_unpack_manifest *found = &pull->parsed;

	if (found->config_digest == NULL || !ces_digest_valid(found->config_digest) ||
	    found->config_size > CES_CONFIG_MAX || found->layer_digests.n != found->layer_sizes.n ||
	    found->layer_digests.n != found->layer_compressions.n)
		return ces_error_set(err, CES_E_IMAGE, "the image's manifest is not valid");
	for (size_t i = 0; i < found->layer_digests.n; i++)
		if (!ces_digest_valid(found->layer_digests.v[i]))
			return ces_error_set(err, CES_E_IMAGE, "the image's manifest is not valid");
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
			return ces_error_set(err, CES_E_IMAGE, "the image's index is not valid");
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

	if (ces_document_fetch(&pull->fetcher, CES_FETCH_BLOB, pull->parsed.config_digest,
			       pull->parsed.config_size, pull->parsed.config_digest, &pull->config,
			       err) < 0)
		return -1;
	job.size = pull->config.length;
	if (ces_document_parse(pull->userns, &job, &pull->config, &ces_image_record_schema,
			       &pull->record, err) < 0)
		return -1;
	if (pull->record.diff_ids.n != pull->parsed.layer_digests.n)
		return ces_error_set(
		    err, CES_E_IMAGE,
		    "the manifest and the configuration do not have the same number of layers");
	for (size_t i = 0; i < pull->record.diff_ids.n; i++)
		if (!ces_digest_valid(pull->record.diff_ids.v[i]))
			return ces_error_set(err, CES_E_IMAGE,
					     "the image's configuration is not valid");
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
	return ces_unpacker_finish(&unpacker, ces_now_ms() + CES_DOCUMENT_MS,
				   &ces_image_record_schema, ret, err);
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
						  .image = session->asked->image,
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
	unsigned long long most = session->host->store.pulls;

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
					.image = (char *)(uintptr_t)session->asked->image,
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

	if (ces_lock_take(session->runs, 2 * CES_LOCK_SECONDS, &left) < 0)
		return ces_error_errno(err, CES_E_HOST, "locking the runs");
	result = check_pulls(session, err);
	if (result == 0)
		result = ces_record_decision(session, decision, NULL, NULL, NULL, NULL, err);
	if (result == 0)
		result = enter(session, decision, ret, err);
	ces_lock_release(session->runs, left);
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
		ces_deadline(SETTLE_SECONDS);
		ces_store_settle(pull->store, &pull->record.diff_ids);
	}
	_exit(0);
}

/* The layers that it got are in the store, and count for nobody: without its entry they go. */
void ces_pull_give_up(const struct ces_session *session)
{
	ces_runs_leave(session->runs, session->pull);
	ces_collect_soon(&session->store, session->runs);
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
	ces_deadline(PULL_SECONDS);
	ces_collect_soon(&session->store, session->runs);
	pull.entry = entry;
	ces_reference_format(&decision->image, pull.reference, sizeof(pull.reference));
	result = ces_quota_check(session, pull.reference, &pull.record.diff_ids, &pull.left, err);
	if (result == 0)
		result = ces_unpacker_userns(session, &pull.userns, err);
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
