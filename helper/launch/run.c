/* Starts a run, step by step. Must not decide anything: the decision is made, and recorded. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/image.h"
#include "common/request.h"
#include "helper/audit/proof.h"
#include "helper/core/beneath.h"
#include "helper/core/deadline.h"
#include "helper/launch/config.h"
#include "helper/launch/container.h"
#include "helper/launch/places.h"
#include "helper/launch/proxy.h"
#include "helper/launch/reserve.h"
#include "helper/launch/rootfs.h"
#include "helper/session/journal.h"
#include "helper/session/weaken.h"
#include "helper/session/signed.h"
#include "helper/watch/finish.h"
#include "helper/watch/list.h"
#include "helper/watch/outcome.h"
#include "helper/watch/supervise.h"
#include "policy/base.h"

#define SETUP_SECONDS 60
#define START_SECONDS 120 /* for the runtime and the proof, which have deadlines of their own */

#define GONE "your copy of %s is damaged or gone: pull it again"

/* Loads the image that the caller was granted, and only at the digest that the rule locks. */
static int load_image(struct ces_plan *plan, struct ces_grant *grant, struct ces_error *err)
{
	const struct ces_decision *decision = plan->decision;
	char reference[CES_REFERENCE_MAX];

	ces_reference_format(&decision->image, reference, sizeof(reference));
	if (ces_store_read_grant(&plan->session->store, plan->session->uid,
				 plan->session->caller.user, reference, grant, err) < 0)
		return -1;
	if (decision->locked_digest[0] != '\0' &&
	    strcmp(decision->locked_digest, grant->digest) != 0 &&
	    strcmp(decision->locked_digest, grant->top_digest) != 0)
		return ces_error_rule(
		    err, CES_E_DENIED, decision->rule,
		    "your copy of %s is not the version that was approved; pull it again",
		    reference);
	plan->image = &grant->image;
	/* (its layers: none, or too many) */
	if (plan->image->digest == NULL || strcmp(plan->image->digest, grant->digest) != 0 ||
	    plan->image->diff_ids.n - 1 >= CES_LAYERS_MAX || plan->image->uid >= CES_IDMAP_SPAN ||
	    plan->image->gid >= CES_IDMAP_SPAN || plan->image->stop_signal >= NSIG ||
	    !ces_store_proves(&plan->session->store, plan->image))
		return ces_error_set(err, CES_E_NOTFOUND, GONE, reference);
	/* The very layers that are mounted. */
	return ces_base_check(decision, &plan->image->diff_ids, err);
}

static int make_map(struct ces_plan *plan, struct ces_error *err)
{
	const struct ces_session *session = plan->session;
	uint32_t base;

	if (ces_idmap_base(session->host, session->store.dir, session->uid, &base, err) < 0)
		return -1;
	plan->uid = (uint32_t)plan->image->uid;
	plan->gid = (uint32_t)plan->image->gid;
	if (plan->decision->identity == CES_IDENTITY_SAME_UID) {
		plan->uid = session->caller.uid;
		plan->gid = session->caller.gid;
	}
	if (plan->decision->own_ids)
		return ces_idmap_make_own(&session->caller, base, plan->decision->project_gids,
					  plan->decision->n_project_gids, &plan->map, err);
	return ces_idmap_make(&session->caller, plan->uid, plan->gid, base,
			      plan->decision->project_gids, plan->decision->n_project_gids,
			      &plan->map, err);
}

/* No run without a durable record, nor one that nobody would clear after a power cut. Meanwhile the
 * container's process makes its network and starts ces-inside. */
static int sync_records(const struct ces_plan *plan, struct ces_error *err)
{
	return fdatasync(plan->session->journal.fd) < 0 || fdatasync(plan->kept) < 0
		   ? ces_error_errno(err, CES_E_HOST, "the run's record did not reach the disk")
		   : 0;
}

static int set_up(const struct ces_plan *plan, struct ces_finish *finish, struct ces_error *err)
{
	const struct ces_clean_job owner = {
	    plan->map.user, plan->map.group,
	    plan->decision->outputs.per_run ? 0 : plan->map.project_gids[0]};
	struct ces_container *container = &finish->container;
	struct ces_cgroup *cgroup = &finish->cgroup;
	CES_CLEANUP_FD int root = -1;

	if (ces_cgroup_make(cgroup, &plan->decision->limits, &plan->decision->together, err) < 0 ||
	    ces_devices_confine(cgroup->dir[CES_HIERARCHY_V2], plan->gpus.nodes, plan->gpus.n_nodes,
				err) < 0 ||
	    ((plan->session->request->flags & CES_FLAG_DETACH) != 0 &&
	     ces_cgroup_leave_session(cgroup, err) < 0))
		return -1;
	if (ces_selinux_share_stdio(&plan->selinux) < 0)
		return ces_error_errno(err, CES_E_HOST, "SELinux context of a pipe");
	if (ces_container_start(plan, cgroup, container, err) < 0 ||
	    ces_ports_start(plan, container, &finish->ports, err) < 0 ||
	    ces_proxy_start(plan, container, &finish->outward, err) < 0)
		return -1;
	if (ces_rootfs_build(plan, container->userns, cgroup, &root, err) < 0)
		return -1;
	/* (both are executed from the host's tree, while ces-inside starts) */
	ces_list_start(plan, container, &finish->list, &finish->list_channel);
	ces_cleaner_start(container->userns, &owner, plan->mounts[CES_PLAN_OUTPUTS].fd,
			  plan->scratch_dir, false, &finish->cleaner);
	if (sync_records(plan, err) < 0 ||
	    ces_relay_ready(&finish->ports.relay, "published ports", err) < 0 ||
	    ces_relay_ready(&finish->outward, "the proxy of the policy", err) < 0 ||
	    ces_container_await(container, err) < 0)
		return -1;
	return ces_rootfs_enter(root, err);
}

/* (A process leaves its namespaces a moment before it counts as ended.) */
static bool has_ended(const struct ces_container *container)
{
	struct pollfd end = {.fd = container->process.pidfd, .events = POLLIN};

	return poll(&end, 1, 1000) > 0;
}

/* Opens a file of the held program. By O_PATH, since an open terminal would keep its other side
 * from reading end of file. */
static int open_of(pid_t held, const char *what)
{
	char path[40];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)held, what);
	return open(path, O_PATH | O_CLOEXEC);
}

static void keep_hold(const struct ces_plan *plan, pid_t held, struct ces_container *container)
{
	CES_CLEANUP_FD int root = open_of(held, "root");

	container->began = true;
	container->shm = ces_beneath_open(root, "dev/shm", O_PATH, 0);
	if (plan->tty)
		container->terminal = open_of(held, "fd/0");
}

/* Lets the container set itself up, and compares it with the plan. Then this process becomes the
 * weaker one that watches it. Only then does the program begin. */
static int start(const struct ces_plan *plan, struct ces_finish *finish, struct ces_error *err)
{
	struct ces_proof proof = CES_PROOF_NONE;
	int result;

	/* too little memory even for this: the container is dead already; supervising says why */
	if (ces_proof_begin(&finish->container, &proof, err) < 0 ||
	    ces_container_release(&finish->container, err) < 0)
		return has_ended(&finish->container) ? ces_weaken_for_watch(err) : -1;
	result = ces_proof_of(plan, &finish->cgroup, &proof, err);
	if (result == 0 && proof.hold.held != 0)
		keep_hold(plan, proof.hold.held, &finish->container);
	if (result == 0)
		result = ces_weaken_for_watch(err);
	return ces_proof_end(&finish->cgroup, &proof, result, err);
}

/* From here on the entry keeps the image, if no collector has taken it before. */
static int keep_image(const struct ces_plan *plan, const struct ces_grant *grant,
		      struct ces_error *err)
{
	const struct ces_store *store = &plan->session->store;
	char path[80];

	(void)snprintf(path, sizeof(path), "%s/manifest", ces_store_hex(grant->digest));
	if (ces_store_await_collector(store, err) < 0)
		return -1;
	return faccessat(store->images, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0
		   ? 0
		   : ces_error_set(err, CES_E_NOTFOUND, GONE, grant->reference);
}

static int run(struct ces_session *session, struct ces_plan *plan, const struct ces_grant *grant,
	       struct ces_error *err)
{
	struct ces_finish finish = {.plan = plan,
				    .record = -1,
				    .stop = -1,
				    .cgroup = CES_CGROUP_NONE,
				    .container = CES_CONTAINER_NONE,
				    .ports = CES_PORTS_NONE,
				    .outward = CES_RELAY_NONE,
				    .list = CES_PROCESS_NONE,
				    .list_channel = -1,
				    .cleaner = CES_CLEANER_NONE,
				    .grant = grant};
	int result = 0;

	if (ces_cgroup_find(session->host, session->uid, plan->run, &finish.cgroup, err) < 0 ||
	    ces_reserve(session, plan, grant, &finish, err) < 0)
		return -1;
	if (keep_image(plan, grant, err) < 0 || ces_places_open(plan, err) < 0 ||
	    set_up(plan, &finish, err) < 0)
		result = -1;
	ces_deadline(START_SECONDS);
	if (result == 0)
		result = start(plan, &finish, err);
	if (result == 0) {
		ces_outcome_started(plan, finish.container.began);
		ces_supervise(plan, &finish.cgroup, &finish.container, finish.stop, &finish.ports,
			      &finish.end);
	}
	return ces_finish(&finish, result, err);
}

/* The runtime sees only /usr of the host, so it must be there. It must also be root's all the way,
 * since it becomes root of the container's user namespace. */
static int check_runtime(const struct ces_plan *plan, struct ces_error *err)
{
	CES_CLEANUP_FD int fd = -1;

	if (strncmp(plan->runtime, "/usr/", 5) != 0)
		return ces_error_set(err, CES_E_POLICY, "host.runtime %s is not below /usr",
				     plan->runtime);
	if (ces_policy_open_trusted(plan->runtime, &fd, err) < 0)
		return ces_error_context(err, "host.runtime");
	return 0;
}

/* Does everything up to the record. Only reads. */
static int prepare(struct ces_session *session, struct ces_plan *plan, struct ces_grant *grant,
		   struct ces_error *err)
{
	const struct ces_decision *decision = plan->decision;
	struct winsize size;

	plan->runc = strcmp(strrchr(plan->runtime, '/') + 1, "runc") == 0;
	plan->tty = (plan->session->request->flags & CES_FLAG_TTY) != 0 && isatty(STDIN_FILENO);
	if (plan->tty && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) {
		plan->rows = size.ws_row;
		plan->columns = size.ws_col;
	}
	(void)snprintf(plan->hostname, sizeof(plan->hostname), "ces-%s", plan->run);
	ces_journal_fill(&decision->outputs, plan->run, plan->outputs, sizeof(plan->outputs));
	ces_journal_fill(&decision->scratch, plan->run, plan->scratch, sizeof(plan->scratch));
	if (check_runtime(plan, err) < 0 || ces_config_filter(&plan->filter, err) < 0 ||
	    load_image(plan, grant, err) < 0 ||
	    ces_signed_check_kept(&session->store, decision, grant, &session->signers, err) < 0 ||
	    (decision->gpus > 0 &&
	     ces_gpus_find(plan->session->host, decision, &plan->gpus, err) < 0))
		return -1;
	if (ces_config_command(plan) == NULL)
		return ces_error_set(err, CES_E_USAGE,
				     "the image names no command; type: ces-client run %s COMMAND",
				     grant->reference);
	return 0;
}

int ces_verb_run(struct ces_session *session, const struct ces_decision *decision,
		 const char *number, struct ces_error *err)
{
	static struct ces_grant grant;
	static struct ces_plan plan;
	int result;

	/* (its memory and its descriptors go with this process, which ends soon) */
	plan = (struct ces_plan){.run = number,
				 .session = session,
				 .decision = decision,
				 .runtime = session->host->runtime,
				 .withheld = -1,
				 .outputs_parent = -1,
				 .scratch_parent = -1,
				 .scratch_dir = -1,
				 .kept = -1,
				 .gpus = CES_GPUS_NONE};
	ces_deadline(SETUP_SECONDS);
	result = prepare(session, &plan, &grant, err);
	if (result == 0)
		ces_finish_dead(session);
	if (result == 0)
		result = make_map(&plan, err);
	return result == 0 ? run(session, &plan, &grant, err) : -1;
}
