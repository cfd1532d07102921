/* All that helper/launch/run.c calls, each call noted as a step. The parts themselves have suites
 * of their own. */
#ifndef CES_TESTS_UNIT_RUN_SCENE_H
#define CES_TESTS_UNIT_RUN_SCENE_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/record.h"
#include "helper/audit/proof.h"
#include "helper/launch/config.h"
#include "helper/launch/places.h"
#include "helper/launch/proxy.h"
#include "helper/launch/rootfs.h"
#include "helper/session/frames.h"
#include "helper/session/journal.h"
#include "helper/session/lock.h"
#include "helper/session/queue.h"
#include "helper/session/record.h"
#include "helper/session/runs.h"
#include "helper/session/weaken.h"
#include "helper/session/signed.h"
#include "helper/watch/finish.h"
#include "helper/session/object.h"
#include "helper/watch/list.h"
#include "helper/watch/outcome.h"
#include "helper/watch/supervise.h"
#define PLAN_WITHOUT_MAP
#include "tests/unit/launch_plan.h"
#include "tests/unit/steps.h"

/* What the parts answer. */
static struct {
	const char *grant_digest, *top_digest;
	struct ces_image_record image;
	bool image_unproven;            /* its record is not what its documents say */
	struct ces_run_record runs[80]; /* of the register */
	bool alive[80];
	size_t n_runs, before; /* how many wait for longer */
	enum ces_code gpus;    /* CES_OK: there are some */
	size_t all, idle;      /* GPUs */
	size_t tries;          /* so many before they are free */
	const char *command;
	bool ended; /* the container, in the middle of the start */
	pid_t held;
} world;

/* Notes a step that may fail. */
#define PLAY(...)                                                                                  \
	(step(__VA_ARGS__) ? ces_error_errno(ret_err, CES_E_HOST, "failing") : ces_succeeded())

static int ces_succeeded(void)
{
	return 0;
}

unsigned alarm(unsigned seconds)
{
	(void)step("deadline %u", seconds);
	return 0;
}

int usleep(useconds_t us)
{
	(void)step("sleep %u", us);
	return 0;
}

int poll(struct pollfd *fds, nfds_t n, int ms)
{
	(void)fds;
	(void)step("poll %lu %d", (unsigned long)n, ms);
	return world.ended;
}

int ces_store_read_grant(const struct ces_store *store, uid_t uid, const char *user,
			 const char *reference, struct ces_grant *ret, struct ces_error *ret_err)
{
	ck_assert(store == &session.store && uid == session.uid && user == session.caller.user);
	ret->digest = (char *)(uintptr_t)world.grant_digest;
	ret->top_digest = (char *)(uintptr_t)world.top_digest;
	ret->reference = "ghcr.io/lab/tool:1";
	ret->image = world.image;
	return PLAY("grant %s", reference);
}

bool ces_store_proves(const struct ces_store *store, const struct ces_image_record *record)
{
	ck_assert(store == &session.store && record->digest != NULL);
	return !world.image_unproven;
}

int ces_signed_check_kept(const struct ces_store *store, const struct ces_decision *by,
			  const struct ces_grant *grant, struct ces_signers *ret,
			  struct ces_error *ret_err)
{
	ck_assert(store == &session.store && by == &decision && ret == &session.signers);
	ck_assert_str_eq(grant->digest, world.grant_digest);
	return PLAY("signatures");
}

int ces_policy_open_trusted(const char *path, int *ret, struct ces_error *ret_err)
{
	*ret = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return PLAY("trusted %s", path);
}

int ces_config_filter(char **ret, struct ces_error *ret_err)
{
	static char filter[] = "RklMVEVS";

	*ret = filter; /* (a run frees nothing) */
	return PLAY("filter");
}

const char *ces_config_command(const struct ces_plan *of)
{
	ck_assert_str_eq(of->run, "0123456789");
	return world.command;
}

int ces_gpus_find(const struct ces_host *on, const struct ces_decision *by, struct ces_gpus *ret,
		  struct ces_error *ret_err)
{
	ck_assert(on == &host && by == &decision && ret->dev == -1);
	return PLAY("find gpus");
}

int ces_gpus_choose(struct ces_gpus *gpus, const struct ces_decision *by, int runs,
		    struct ces_error *ret_err)
{
	static char *name = "nvidia.com/gpu=0";

	ck_assert(by == &decision && runs == session.runs);
	gpus->names[0] = name;
	gpus->n_names = 1;
	gpus->marks[0] = 77;
	gpus->n_marks = 1;
	if (world.gpus != CES_OK || world.tries > 0) {
		world.tries -= world.tries > 0;
		(void)step("choose no gpus");
		return ces_error_set(ret_err, world.gpus == CES_OK ? CES_E_LIMIT : world.gpus,
				     "no gpus");
	}
	return PLAY("choose gpus");
}

struct ces_gpu_count ces_gpus_count(const struct ces_gpus *gpus)
{
	(void)gpus;
	return (struct ces_gpu_count){world.all, world.idle, 15, 3};
}

void ces_finish_dead(struct ces_session *of)
{
	ck_assert_ptr_eq(of, &session);
	(void)step("clear dead runs");
}

int ces_idmap_base(const struct ces_host *on, int store, uid_t uid, uint32_t *ret,
		   struct ces_error *ret_err)
{
	ck_assert(on == &host && store == session.store.dir);
	*ret = BASE;
	return PLAY("base %u", uid);
}

int ces_idmap_make(const struct ces_caller *caller, uint32_t user, uint32_t group, uint32_t base,
		   const gid_t *gids, size_t n, struct ces_idmap *ret, struct ces_error *ret_err)
{
	ck_assert(caller == &session.caller && gids == decision.project_gids);
	*ret = (struct ces_idmap){.user = user, .group = group};
	return PLAY("map %u:%u %u groups %zu", user, group, base, n);
}

int ces_idmap_make_own(const struct ces_caller *caller, uint32_t base, const gid_t *gids, size_t n,
		       struct ces_idmap *ret, struct ces_error *ret_err)
{
	ck_assert(caller == &session.caller && gids == decision.project_gids);
	*ret = (struct ces_idmap){.user = 1000, .group = 65536, .project_gids = {1000}};
	return PLAY("own map %u groups %zu", base, n);
}

int ces_cgroup_find(const struct ces_host *on, uid_t uid, const char *run, struct ces_cgroup *ret,
		    struct ces_error *ret_err)
{
	ck_assert(on == &host && ret->root[0] == -1 && ret->dir[0] == -1);
	ret->dir[CES_HIERARCHY_V2] = 55;
	return PLAY("cgroup %u %s", uid, run);
}

void ces_cgroup_record(const struct ces_cgroup *cgroup, char *v[], struct ces_strings *ret)
{
	(void)cgroup;
	v[0] = "place";
	*ret = (struct ces_strings){v, 1};
}

int ces_lock_take(int fd, unsigned seconds, struct ces_lock *ret)
{
	ck_assert_int_eq(fd, session.runs);
	if (step("lock %u", seconds))
		return -1;
	ret->fd = 99;
	return 0;
}

void ces_lock_release(struct ces_lock *lock)
{
	if (lock->fd >= 0)
		(void)step("unlock");
	lock->fd = -1;
}

int ces_runs_each(int fd, unsigned which,
		  void (*each)(const struct ces_run_record *, bool alive, void *), void *context)
{
	ck_assert(fd == session.runs && which == CES_EACH_RUN);
	for (size_t i = 0; i < world.n_runs; i++)
		each(&world.runs[i], world.alive[i], context);
	return step("count runs") ? -1 : 0;
}

bool ces_runs_is_kept(const struct ces_run_record *record)
{
	return record->outputs == NULL;
}

size_t ces_queue_before(int fd, const struct ces_queue_wish *wish, uint64_t idle, uint64_t set)
{
	ck_assert_int_eq(fd, session.runs);
	ck_assert_uint_eq(wish->devices, wish->gpus > 0 ? 15 : 0);
	ck_assert_uint_eq(set, wish->gpus > 0 ? 3 : 0);
	(void)step("turn %u %s ticket %llu gpus %llu of %llu", wish->uid, wish->project,
		   (unsigned long long)wish->ticket, (unsigned long long)wish->gpus,
		   (unsigned long long)idle);
	return world.before;
}

uint64_t ces_queue_wait(int fd, const struct ces_queue_wish *wish, uint64_t *ret_position)
{
	ck_assert_int_eq(fd, session.runs);
	(void)step("wait ticket %llu gpus %llu", (unsigned long long)wish->ticket,
		   (unsigned long long)wish->gpus);
	*ret_position = 3;
	return wish->ticket != 0 ? wish->ticket : 8;
}

void ces_queue_leave(int fd, const struct ces_queue_wish *wish)
{
	ck_assert_int_eq(fd, session.runs);
	(void)step("leave ticket %llu", (unsigned long long)wish->ticket);
}

int ces_selinux_choose(bool on, int runs, struct ces_selinux *ret, struct ces_error *ret_err)
{
	ck_assert(on == session.selinux && runs == session.runs);
	ret->pair = 5;
	return PLAY("categories");
}

int ces_selinux_share_stdio(const struct ces_selinux *selinux)
{
	(void)selinux;
	return step("share streams") ? -1 : 0;
}

int ces_record_decision(struct ces_session *of, const struct ces_decision *by, const char *run,
			const char *digest, const struct ces_strings *devices,
			const struct ces_error *why, struct ces_error *ret_err)
{
	ck_assert(of == &session && by == &decision && why == NULL);
	return PLAY("record %s %s devices %zu", run, digest, devices->n);
}

static struct ces_run_record entered;
static uint64_t entered_port;

int ces_runs_enter(int fd, const struct ces_run_record *record, int *ret, int *ret_stop,
		   struct ces_error *ret_err)
{
	ck_assert_int_eq(fd, session.runs);
	entered = *record;
	entered_port = record->ports.n > 0 ? record->ports.v[0] : 0;
	*ret = 71;
	*ret_stop = 72;
	return PLAY("enter %s %s cgroups %zu gpus %zu", record->run,
		    record->scratch != NULL ? record->scratch : "-", record->cgroups.n,
		    record->gpus.n);
}

void ces_runs_leave(int fd, const char *run)
{
	ck_assert_int_eq(fd, session.runs);
	(void)step("leave the register %s", run);
}

int ces_object_write(int dir, const char *name, const struct ces_wire_schema *schema,
		     const void *object, int *ret, struct ces_error *ret_err)
{
	ck_assert_int_eq(dir, session.store.runs);
	ck_assert_ptr_eq(schema, &ces_run_record_schema);
	ck_assert_str_eq(name, ((const struct ces_run_record *)object)->run);
	*ret = 73;
	return PLAY("keep %s", name);
}

int ces_store_await_collector(const struct ces_store *store, struct ces_error *ret_err)
{
	ck_assert_ptr_eq(store, &session.store);
	return PLAY("collector");
}

const char *ces_store_hex(const char *digest)
{
	return digest + strlen("sha256:");
}

int faccessat(int dir, const char *path, int mode, int flags)
{
	char expected[80];

	ck_assert_int_eq(dir, session.store.images);
	ck_assert_int_eq(mode, F_OK);
	ck_assert_int_eq(flags, AT_SYMLINK_NOFOLLOW);
	(void)snprintf(expected, sizeof(expected), "%s/manifest",
		       ces_store_hex(world.grant_digest));
	ck_assert_str_eq(path, expected);
	return step("still there") ? -1 : 0;
}

int ces_places_open(struct ces_plan *of, struct ces_error *ret_err)
{
	return PLAY("places %s %s", of->outputs, of->scratch);
}

int ces_cgroup_make(struct ces_cgroup *cgroup, const struct ces_policy_limits *limits,
		    const struct ces_policy_limits *user, struct ces_error *ret_err)
{
	ck_assert(cgroup->dir[0] == 55 && limits == &decision.limits && user == &decision.together);
	return PLAY("limit");
}

int ces_devices_confine(int cgroup, const struct ces_device *more, size_t n,
			struct ces_error *ret_err)
{
	(void)more;
	return PLAY("confine %d devices %zu", cgroup, n);
}

int ces_cgroup_leave_session(struct ces_cgroup *cgroup, struct ces_error *ret_err)
{
	(void)cgroup;
	return PLAY("leave the session");
}

#include "tests/unit/run_scene_end.h"

#endif
