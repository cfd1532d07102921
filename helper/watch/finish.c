/* Cleans up. Must not remove by a path, nor open anything in a directory of outputs or scratch:
 * ces-clean does that, on directories that were opened with the caller's rights.
 *
 * Who controls what: the caller and the container control everything inside these directories, also
 * while ces-clean is at work. Wherever its walk is led, it can only do what the owner of the run's
 * ids could do themselves: no file of anyone else's has an id in that namespace. */
#include "helper/watch/finish.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/paths.h"
#include "helper/core/beneath.h"
#include "helper/core/caller_open.h"
#include "helper/core/deadline.h"
#include "helper/core/order.h"
#include "helper/core/caller.h"
#include "helper/session/journal.h"
#include "helper/session/record.h"
#include "helper/session/runs.h"
#include "helper/session/userns.h"
#include "helper/watch/kept.h"
#include "helper/watch/list.h"
#include "helper/watch/outcome.h"

#define CLEAN_SECONDS 600
#define END_SECONDS   60

static void count(int dirfd, const char *name, void *n)
{
	(void)dirfd;
	(void)name;
	++*(size_t *)n;
}

static bool is_empty(int fd)
{
	size_t n = 0;

	return ces_beneath_each(fd, count, &n) == 0 && n == 0;
}

/* Removes the emptied directory itself, with the caller's rights and by its name in its parent. If
 * the caller has put something else there meanwhile, rmdir fails or takes an empty directory of
 * theirs. Returns whether no directory is there any more. */
static bool remove_directory(const struct ces_caller *caller, int parent, const char *path)
{
	const char *slash = strrchr(path, '/');
	bool gone;

	if (parent < 0 || slash == NULL)
		return false;
	ces_caller_enter(caller);
	gone =
	    unlinkat(parent, slash + 1, AT_REMOVEDIR) == 0 || errno == ENOENT || errno == ENOTDIR;
	ces_caller_leave();
	return gone;
}

/* Returns false if there is no answer: ces-clean was killed, or had too little time. That some of
 * it could not be done is an answer. */
static bool ask(struct ces_cleaner *cleaner, enum ces_clean_task task, int dir)
{
	return dir < 0 || is_empty(dir) || ces_cleaner_ask(cleaner, task) == 0 ||
	       cleaner->channel >= 0;
}

/* Gives outputs that have passed their check to the caller. All others stay where they were
 * written, and those who may enter that directory can read them. After a crash, when nobody comes
 * here, they stay too, and root alone can read them.
 *
 * Who controls what: nobody but root writes to the directory that is left, so the run's own
 * directory is moved and nothing else. The caller controls what has the other name by now.
 * rename(2) takes the place of an empty directory alone, follows no link there, and stays in the
 * parent that was opened with the caller's rights, where they made this name themselves. The most
 * that can be lost is an empty directory, which they could have removed. */
static void settle_outputs(struct ces_finish *finish)
{
	const struct ces_plan *plan = finish->plan;

	if (plan->withheld < 0 || (finish->end.outputs.check == CES_LIST_PASSED &&
				   renameat(plan->withheld, plan->run, plan->outputs_parent,
					    strrchr(plan->outputs, '/') + 1) == 0))
		return;
	finish->end.withheld = true;
	(void)remove_directory(&plan->session->caller, plan->outputs_parent, plan->outputs);
	ces_deadline(CLEAN_SECONDS + END_SECONDS);
	(void)ces_cleaner_ask(&finish->cleaner, CES_CLEAN_SHARE);
	ces_deadline(END_SECONDS);
}

static int record_end(const struct ces_finish *finish, struct ces_error *err)
{
	const struct ces_cgroup_usage *usage = &finish->end.usage;
	const struct ces_session *session = finish->plan->session;
	const struct ces_journal_subject about = {
	    session->uid,      session->caller.user,     finish->plan->decision->project,
	    finish->plan->run, finish->grant->reference, finish->grant->digest};

	struct ces_json record =
	    ces_journal_end("run", &about, (uint64_t)finish->end.status, finish->end.reason,
			    usage->peak_memory, usage->cpu_us);

	ces_list_record(&finish->end.outputs, &record);
	if (finish->end.withheld)
		ces_journal_path(&record, "withheld", finish->plan->decision->withhold);
	return ces_journal_append(&session->journal, record, false, err);
}

/* Keeps this order: a run that is kept and not in the register is one that a crash of the machine
 * ended. */
static void forget(const struct ces_session *session, const char *run)
{
	ces_kept_forget(&session->store, run);
	ces_runs_leave(session->runs, run);
}

/* Settles what the run leaves in store and register. With retain_images "run" nobody has the image
 * any more: its bytes go with the next collection, since this process can start none. A run whose
 * end is not on record stays as it is, and the next helper records an end. A run whose scratch or
 * cgroup is still there is kept, to be cleaned later. */
static void settle(const struct ces_finish *finish, bool ran, bool recorded, bool clean, bool gone)
{
	const struct ces_plan *plan = finish->plan;
	const struct ces_session *session = plan->session;

	if (ran)
		ces_store_change_grant(&session->store, session->uid, finish->grant->reference,
				       finish->grant->digest,
				       plan->decision->retain == CES_RETAIN_RUN);
	if (recorded && clean && gone)
		forget(session, plan->run);
	else if (recorded)
		ces_runs_keep(session->runs, session->store.runs, plan->run, !gone);
}

/* The fds in the plan still reach the directories: the helper left the host's tree, but did not
 * close them. Also removes an outputs directory that was made for a run that never started. Returns
 * whether the scratch is gone, and ces-clean has come to the end of the outputs. */
static bool clean_run(struct ces_finish *finish, bool started)
{
	const struct ces_plan *plan = finish->plan;
	const struct ces_decision *decision = plan->decision;
	int outputs = plan->n_mounts > CES_PLAN_OUTPUTS ? plan->mounts[CES_PLAN_OUTPUTS].fd : -1;
	int scratch = plan->scratch_dir;
	bool clean = true;

	/* usually it is empty, and then nobody is asked to empty it */
	(void)remove_directory(&plan->session->caller, scratch, CES_PLAN_SHARED);
	/* first: a walk through the outputs may end ces-clean by its deadline */
	(void)ask(&finish->cleaner, CES_CLEAN_EMPTY, scratch);
	/* it is no fault if the caller cannot get all outputs: where these are shared, some are
	 * others'. Those of a service that runs on must not change hands; the last run gives all */
	if (decision->outputs.per_run ||
	    !ces_runs_end_shared(plan->session->runs, plan->run, plan->session->uid, plan->outputs))
		clean = ask(&finish->cleaner, CES_CLEAN_GIVE, outputs) || !started;
	/* (also a directory that was made and could not be opened) */
	if (decision->scratch.per_run && plan->scratch_parent >= 0)
		clean &=
		    remove_directory(&plan->session->caller, plan->scratch_parent, plan->scratch);
	if (!started && plan->withheld >= 0)
		(void)unlinkat(plan->withheld, plan->run, AT_REMOVEDIR);
	if (!started && outputs >= 0 && decision->outputs.per_run)
		(void)remove_directory(&plan->session->caller, plan->outputs_parent, plan->outputs);
	return clean;
}

int ces_finish(struct ces_finish *finish, int result, struct ces_error *err)
{
	const struct ces_plan *plan = finish->plan;
	bool ran, clean, recorded, gone;

	ces_deadline(3 * CLEAN_SECONDS);
	ces_cgroup_kill(&finish->cgroup);
	ces_ports_end(plan, &finish->ports);
	ces_relay_end(&finish->outward);
	(void)ces_process_end(&finish->container.process, true);
	if (result == 0 && !finish->container.began) /* (no report is believed after that) */
		result = ces_container_failure(plan, &finish->container, err);
	if (result == 0)
		ces_outcome_read_log(plan, &finish->end);
	ran = result == 0;
	clean = clean_run(finish, ran);
	if (plan->withheld < 0) /* (ces-clean has no more to do: it ends meanwhile) */
		ces_cleanup_close(&finish->cleaner.channel);
	ces_deadline(END_SECONDS);
	if (ran) {
		ces_list_take(finish->list_channel, plan, &finish->end.outputs);
		settle_outputs(finish);
		result = record_end(finish, err);
	}
	recorded = ran ? result == 0 : ces_record_failure(plan->session, plan->run, err) == 0;
	(void)ces_process_end(&finish->list, true);
	ces_cleaner_end(&finish->cleaner);
	/* (both may be in the cgroup of the helpers) */
	gone = ces_cgroup_remove(&finish->cgroup);
	settle(finish, result == 0, recorded, clean, gone);
	ces_cleanup_close(&finish->record);
	if (result == 0)
		ces_outcome_exited(plan, &finish->end);
	return result < 0 ? 1 : 0;
}

/* Has one task done by a ces-clean of its own: another may hang. */
static void clean_by(int userns, const struct ces_idmap *map, enum ces_clean_task task, int dir)
{
	const struct ces_clean_job owner = {map->user, map->group, 0};
	struct ces_cleaner cleaner = CES_CLEANER_NONE;

	if (is_empty(dir))
		return;
	ces_cleaner_start(userns, &owner, task == CES_CLEAN_GIVE ? dir : -1,
			  task == CES_CLEAN_EMPTY ? dir : -1, false, &cleaner);
	(void)ces_cleaner_ask(&cleaner, task);
	ces_cleaner_end(&cleaner);
}

/* Empties and removes the scratch of a dead run, with its owner's rights. Returns whether it is
 * gone. */
static bool clean_scratch(const struct ces_run_record *record, const struct ces_caller *owner,
			  const struct ces_idmap *map, int userns)
{
	CES_CLEANUP_FD int scratch = -1;
	CES_CLEANUP_FD int parent = -1;
	struct ces_error err;

	if (record->scratch == NULL)
		return true;
	/* a directory that its owner has moved away or closed to themselves is theirs; where its
	 * parent is not there either, a file server may not be mounted yet */
	if (ces_caller_open(owner, record->scratch, false, &parent, &scratch, &err) < 0)
		return parent >= 0 && err.code == CES_E_NOTFOUND;
	clean_by(userns, map, CES_CLEAN_EMPTY, scratch);
	return remove_directory(owner, parent, record->scratch);
}

/* Cleans a dead run's directories, opened again with its owner's rights. The record has its ids.
 * Returns whether the scratch is gone, and outputs could be given: see clean_scratch. */
static bool clean_dead(struct ces_session *session, const struct ces_run_record *record,
		       const struct ces_caller *owner)
{
	CES_CLEANUP_FD int userns = -1;
	CES_CLEANUP_FD int outputs = -1;
	CES_CLEANUP_FD int parent = -1;
	struct ces_error ignored;
	gid_t gids[CES_DECISION_GROUPS];
	struct ces_idmap map;
	uint32_t base;
	size_t n = 0;

	for (; n < record->project_gids.n && n < CES_DECISION_GROUPS; n++)
		gids[n] = (gid_t)record->project_gids.v[n];
	if (ces_idmap_base(session->host, session->store.dir, owner->uid, &base, &ignored) < 0 ||
	    ces_idmap_make(owner, (uint32_t)record->user, (uint32_t)record->group, base, gids, n,
			   &map, &ignored) < 0 ||
	    ces_userns_make(&map, &userns, &ignored) < 0)
		return false;
	if (record->outputs != NULL &&
	    ces_caller_open(owner, record->outputs, false, &parent, &outputs, &ignored) == 0 &&
	    !ces_runs_end_shared(session->runs, record->run, owner->uid, record->outputs))
		clean_by(userns, &map, CES_CLEAN_GIVE, outputs);
	/* (it fails, and the files stay, if the directory is not empty) */
	if (parent >= 0 && strstr(record->outputs, record->run) != NULL)
		(void)remove_directory(owner, parent, record->outputs);
	return clean_scratch(record, owner, &map, userns) &&
	       (parent >= 0 || record->outputs == NULL);
}

/* One pass over the register: it ends dead runs, or cleans those that were ended. */
struct dead {
	struct ces_session *session;
	bool own, others; /* whose runs */
	bool kept;        /* clean */
	bool left;        /* some dead runs were not finished here */
};

/* Runs once for each dead run: frees what it used up, and records its end. A process that cannot be
 * ended yet may have a device open: the run keeps its devices and its cgroup until it has gone. */
static int end_dead(struct ces_session *session, const struct ces_run_record *record,
		    const char *user)
{
	struct ces_journal_subject about = {(uid_t)record->uid, user,          record->project,
					    record->run,        record->image, record->digest};
	bool gone = ces_cgroup_clear(record);
	struct ces_error ignored;

	if (record->retain_run != 0 && record->image != NULL && record->digest != NULL)
		ces_store_change_grant(&session->store, (uid_t)record->uid, record->image,
				       record->digest, true);
	if (!ces_journal_has_end(&session->journal, record->run) &&
	    ces_journal_append(
		&session->journal,
		ces_journal_end("run", &about, CES_EXIT_REFUSED, "helper died", 0, 0), true,
		&ignored) < 0)
		return -1;
	ces_runs_keep(session->runs, session->store.runs, record->run, !gone);
	return 0;
}

/* Tries again to end what was left of a kept run. Returns whether nothing is left. */
static bool clear_kept(const struct ces_session *session, const struct ces_run_record *record)
{
	if (record->cgroups.n == 0)
		return true;
	if (!ces_cgroup_clear(record))
		return false;
	ces_runs_keep(session->runs, session->store.runs, record->run, false);
	return true;
}

/* A dead pull leaves staging behind, which the collector clears. */
static void finish_pull(const struct ces_session *session, const struct ces_run_record *record)
{
	struct ces_journal_subject about = {.uid = (uid_t)record->uid,
					    .project = record->project,
					    .image = record->image,
					    .run = record->run};
	struct ces_caller owner = {0};
	struct ces_error ignored;

	if (ces_caller_load(about.uid, &owner, &ignored) == 0)
		about.user = owner.user;
	if (ces_journal_has_end(&session->journal, record->run) ||
	    ces_journal_append(
		&session->journal,
		ces_journal_end("pull", &about, CES_EXIT_REFUSED, "helper died", 0, 0), true,
		&ignored) == 0)
		ces_runs_leave(session->runs, record->run);
}

static void finish_one(const struct ces_run_record *record, bool alive, void *context)
{
	struct dead *dead = context;
	struct ces_session *session = dead->session;
	struct ces_caller owner = {0};
	struct ces_error ignored;
	bool known, gone;

	if (alive)
		return;
	if (ces_runs_is_pull(record->run)) {
		finish_pull(session, record);
		return;
	}
	if (!(record->uid == session->uid ? dead->own : dead->others) ||
	    ces_runs_is_kept(record) != dead->kept) {
		dead->left = true;
		return;
	}
	/* while the user database does not answer, nobody knows whose directories they are */
	known = ces_caller_load((uid_t)record->uid, &owner, &ignored) == 0;
	if (!dead->kept) {
		dead->left = end_dead(session, record, owner.user) == 0 || dead->left;
		return;
	}
	gone = clear_kept(session, record);
	if (known && clean_dead(session, record, &owner) && gone)
		forget(session, record->run);
}

/* The janitor is root, who has no runs: all are others'. Runs that could not be cleaned before come
 * last, since they may take all the time there is. */
void ces_finish_all_dead(struct ces_session *session, bool kept)
{
	struct dead dead = {.session = session, .others = true, .kept = kept};

	if (!kept)
		ces_kept_restore(&session->store, session->runs);
	(void)ces_runs_each(session->runs,
			    CES_EACH_RUN | CES_EACH_ALONE | (kept ? 0 : CES_EACH_PULL), finish_one,
			    &dead);
}

/* Runs in a process of its own, with its own locks (a flock belongs to the open file, which a fork
 * shares), and with nothing of the caller's. */
static void finish_left(struct ces_session *session)
{
	struct dead passes[] = {{.session = session, .own = true, .kept = true},
				{.session = session, .others = true, .kept = true}};
	struct ces_error ignored;

	if (!ces_process_forget(CES_FD_EVENT))
		return;
	ces_deadline(3 * CLEAN_SECONDS);
	ces_journal_close(&session->journal);
	if (ces_journal_open(&session->journal, &ignored) < 0)
		return;
	for (size_t i = 0; i < CES_COUNT(passes); i++)
		(void)ces_runs_each(session->runs, CES_EACH_RUN | CES_EACH_ALONE, finish_one,
				    &passes[i]);
}

void ces_finish_dead(struct ces_session *session)
{
	struct dead dead = {.session = session, .own = true, .others = true};

	ces_kept_restore(&session->store, session->runs);
	(void)ces_runs_each(session->runs, CES_EACH_RUN | CES_EACH_PULL | CES_EACH_ALONE,
			    finish_one, &dead);
	/* Every dead run has ended. It holds no place any more, and no GPU if its processes are
	 * gone. Directories may hang or be huge, also the caller's own: no start waits for them.
	 * The process is born in a mount namespace of its own, since this one's root is about to
	 * change. */
	if (!dead.left || !ces_process_detach(CLONE_NEWNS))
		return;
	finish_left(session);
	_exit(0);
}
