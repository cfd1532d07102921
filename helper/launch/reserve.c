/* Takes a run's place: counts the user's runs, waits for the turn, chooses devices, records, and
 * enters the register. Must not let two starts have one place, nor enter a run that is not on
 * record. */
#include "helper/launch/reserve.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/image.h"
#include "common/record.h"
#include "common/request.h"
#include "helper/session/lock.h"
#include "helper/session/object.h"
#include "helper/session/queue.h"
#include "helper/session/record.h"
#include "helper/session/runs.h"

/* Of a user, that have ended and cannot be cleaned. */
#define KEPT_MOST 64

struct count {
	uid_t uid;
	const char *project;
	const char *name; /* NULL: not named */
	uint64_t n;       /* in this project */
	uint64_t all;     /* in any */
	uint64_t kept;    /* that have ended, and are to be cleaned */
	bool taken;
};

static void count_run(const struct ces_run_record *record, bool alive, void *context)
{
	struct count *count = context;

	if (record->uid != count->uid)
		return;
	count->kept += ces_runs_is_kept(record);
	if (!alive || ces_runs_is_kept(record))
		return;
	count->all++;
	count->n += record->project != NULL && strcmp(record->project, count->project) == 0;
	count->taken |=
	    count->name != NULL && record->name != NULL && strcmp(record->name, count->name) == 0;
}

static int check_runs(const struct ces_plan *plan, bool *ret_place, struct ces_error *err)
{
	struct count count = {.uid = plan->session->uid,
			      .project = plan->decision->project,
			      .name = plan->session->request->name};
	unsigned long long most = plan->decision->limits.runs;
	unsigned long long all = plan->decision->together.runs;

	*ret_place = false;
	if (ces_runs_each(plan->session->runs, CES_EACH_RUN, count_run, &count) < 0)
		return ces_error_errno(err, CES_E_HOST, "reading the register of runs");
	if (count.taken)
		return ces_error_set(err, CES_E_LIMIT,
				     "you have a live run named %s already; choose another --name",
				     count.name);
	/* each costs every start of everyone's a little */
	if (count.kept >= KEPT_MOST)
		return ces_error_set(
		    err, CES_E_LIMIT,
		    "CES could not delete the scratch of %llu of your runs: make the directories "
		    "above writable for you",
		    (unsigned long long)count.kept);
	*ret_place = true;
	if (all > 0 && count.all >= all)
		return ces_error_rule(err, CES_E_LIMIT, "host.user_limits.runs",
				      "you have %llu run%s already, and may have %llu at once",
				      (unsigned long long)count.all, count.all == 1 ? "" : "s",
				      all);
	if (count.n < most)
		return 0;
	return ces_error_rule(
	    err, CES_E_LIMIT, "limits.runs",
	    "you have %llu run%s in project %s already, and may have %llu at once",
	    (unsigned long long)count.n, count.n == 1 ? "" : "s", plan->decision->project, most);
}

static int enter_run(struct ces_plan *plan, const struct ces_grant *grant,
		     struct ces_finish *finish, struct ces_error *err)
{
	const struct ces_decision *decision = plan->decision;
	char *cgroups[CES_HIERARCHIES];
	uint64_t ports[CES_PORTS_MAX], gids[CES_DECISION_GROUPS];
	struct ces_run_record record = {
	    .run = (char *)(uintptr_t)plan->run,
	    .name = plan->session->request->name,
	    .uid = plan->session->uid,
	    .project = (char *)(uintptr_t)decision->project,
	    .image = grant->reference,
	    .digest = grant->digest,
	    .started = (uint64_t)time(NULL),
	    .outputs = (char *)(uintptr_t)plan->outputs,
	    .scratch = decision->scratch.per_run ? (char *)(uintptr_t)plan->scratch : NULL,
	    .user = plan->map.user,
	    .group = plan->map.group,
	    .project_gids = {gids, decision->n_project_gids},
	    .retain_run = decision->retain == CES_RETAIN_RUN,
	    .ports = {ports, decision->n_ports},
	    .gpus = {(uint64_t *)(uintptr_t)plan->gpus.marks, plan->gpus.n_marks},
	    .categories = plan->selinux.pair,
	    .layers = grant->image.diff_ids,
	};

	for (size_t i = 0; i < decision->n_ports; i++)
		ports[i] = (uint64_t)decision->ports[i].host << 16 | decision->ports[i].container;
	for (size_t i = 0; i < decision->n_project_gids; i++)
		gids[i] = decision->project_gids[i];
	ces_cgroup_record(&finish->cgroup, cgroups, &record.cgroups);
	if (ces_runs_enter(plan->session->runs, &record, &finish->record, &finish->stop, err) < 0)
		return -1;
	/* (synced before the run begins) */
	if (ces_object_write(plan->session->store.runs, plan->run, &ces_run_record_schema, &record,
			     &plan->kept, err) == 0)
		return 0;
	ces_runs_leave(plan->session->runs, plan->run);
	return -1;
}

/* A dead run that another process is clearing keeps its devices for a moment. */
#define GPU_TRIES   15
#define GPU_WAIT_US 100000
#define GPU_CLEAR   2 /* a run whose helper was dying at the first clearing is dead by now */

/* Records the run, with the digest and the devices that it will have, before entering it. A run
 * that cannot be recorded is not entered: nothing of a run is ever there that the journal does not
 * know of. */
static int record_and_enter(struct ces_session *session, struct ces_plan *plan,
			    const struct ces_grant *grant, struct ces_finish *finish,
			    struct ces_error *err)
{
	const struct ces_strings devices = {(char **)(uintptr_t)plan->gpus.names,
					    plan->gpus.n_names};

	if (ces_record_decision(session, plan->decision, plan->run, grant->digest, &devices, NULL,
				err) < 0)
		return -1;
	return enter_run(plan, grant, finish, err);
}

/* Longer than another process can hold the journal, whose lock is taken within this one. */
#define RESERVE_SECONDS (2 * CES_LOCK_SECONDS)

/* Whether others have waited for longer. */
static int check_turn(const struct ces_session *session, const struct ces_queue_wish *wish,
		      const struct ces_gpu_count *n, struct ces_error *err)
{
	size_t before = ces_queue_before(session->runs, wish, n->idle, n->idle_devices);

	return before == 0 ? 0
			   : ces_error_set(err, CES_E_LIMIT, "%zu run%s ahead of you: type --wait",
					   before, before == 1 ? " is" : "s are");
}

/* Chooses the GPUs, when it is this run's turn. *ret_place: a later try could get them. */
static int choose_gpus(struct ces_plan *plan, struct ces_queue_wish *wish, bool *ret_place,
		       struct ces_error *err)
{
	int result = ces_gpus_choose(&plan->gpus, plan->decision, plan->session->runs, err);
	const struct ces_gpu_count count = ces_gpus_count(&plan->gpus);

	/* (a run that wants all takes as many as are free) */
	wish->gpus = plan->decision->gpus_all ? 1 : plan->decision->gpus;
	wish->devices = count.devices;
	*ret_place = wish->gpus <= count.all;
	return result == 0 ? check_turn(plan->session, wish, &count, err) : -1;
}

/* Gives a ticket to a run that lacks a place and wants to wait for one. Otherwise the run gives its
 * ticket back. */
static void wait_or_leave(struct ces_session *session, const struct ces_queue_wish *wish,
			  bool lacks_place)
{
	if (lacks_place && (session->request->flags & CES_FLAG_WAIT) != 0) {
		session->ticket = ces_queue_wait(session->runs, wish, &session->position);
		return;
	}
	if (wish->ticket != 0)
		ces_queue_leave(session->runs, wish);
	session->ticket = 0;
}

/* Counts, chooses, records and enters in one step: of two starts for the last place, or the last
 * GPU, exactly one gets it. Only root can hold this lock, and only for as long as this takes. */
static int reserve_once(struct ces_session *session, struct ces_plan *plan,
			const struct ces_grant *grant, struct ces_finish *finish, bool *ret_again,
			struct ces_error *err)
{
	CES_CLEANUP_LOCK struct ces_lock lock = CES_LOCK_NONE;
	int result;

	/* (this request may have got one at an earlier try) */
	uint64_t ticket = session->ticket != 0 ? session->ticket : session->request->ticket;
	struct ces_queue_wish wish = {session->uid, plan->decision->project, ticket, 0, 0};
	bool place;

	*ret_again = false;
	if (ces_lock_take(plan->session->runs, RESERVE_SECONDS, &lock) < 0)
		return ces_error_errno(err, CES_E_HOST, "locking the runs");
	result = check_runs(plan, &place, err);
	if (result == 0)
		result = check_turn(session, &wish, &(const struct ces_gpu_count){0}, err);
	if (result == 0 && plan->decision->gpus > 0) {
		result = choose_gpus(plan, &wish, &place, err);
		*ret_again = result < 0 && err->code == CES_E_LIMIT;
	}
	wait_or_leave(session, &wish, result < 0 && err->code == CES_E_LIMIT && place);
	if (result == 0)
		result = ces_selinux_choose(session->selinux, session->runs, &plan->selinux, err);
	return result == 0 ? record_and_enter(session, plan, grant, finish, err) : -1;
}

int ces_reserve(struct ces_session *session, struct ces_plan *plan, const struct ces_grant *grant,
		struct ces_finish *finish, struct ces_error *err)
{
	bool again = false;
	int result = reserve_once(session, plan, grant, finish, &again, err);

	for (int i = 1; again && i < GPU_TRIES; i++) {
		(void)usleep(GPU_WAIT_US);
		if (i == GPU_CLEAR)
			ces_finish_dead(session);
		result = reserve_once(session, plan, grant, finish, &again, err);
	}
	return result;
}
