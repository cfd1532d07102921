/* The part of the run's scene that begins with the container: include run_scene.h instead. */
#ifndef CES_TESTS_UNIT_RUN_SCENE_END_H
#define CES_TESTS_UNIT_RUN_SCENE_END_H

int ces_container_start(const struct ces_plan *of, const struct ces_cgroup *cgroup,
			struct ces_container *ret, struct ces_error *ret_err)
{
	(void)cgroup;
	ret->userns = 44;
	return PLAY("start %s %u:%u", of->hostname, of->uid, of->gid);
}

int ces_ports_start(const struct ces_plan *of, const struct ces_container *container,
		    struct ces_ports *ret, struct ces_error *ret_err)
{
	(void)of;
	(void)ret;
	ck_assert_int_eq(container->userns, 44);
	return PLAY("ports");
}

int ces_proxy_start(const struct ces_plan *of, const struct ces_container *container,
		    struct ces_relay *ret, struct ces_error *ret_err)
{
	(void)of;
	(void)ret;
	ck_assert_int_eq(container->userns, 44);
	return PLAY("proxy");
}

void ces_list_start(const struct ces_plan *of, const struct ces_container *container,
		    struct ces_process *ret, int *ret_channel)
{
	(void)of;
	(void)container;
	(void)ret;
	ck_assert_int_eq(*ret_channel, -1);
	(void)step("list");
}

void ces_cleaner_start(int userns, const struct ces_clean_job *owner, int outputs, int scratch,
		       bool stored, struct ces_cleaner *ret)
{
	(void)outputs;
	(void)scratch;
	ck_assert_int_eq(ret->channel, -1);
	(void)step("cleaner %d as %u:%u%s%s", userns, owner->user, owner->group,
		   owner->shared == 1000 ? " shared 1000"
		   : owner->shared != 0  ? " shared by another"
					 : "",
		   stored ? " of the store" : "");
}

int ces_rootfs_build(const struct ces_plan *of, int userns, const struct ces_cgroup *cgroup,
		     int *ret_root, struct ces_error *ret_err)
{
	(void)of;
	ck_assert_int_eq(cgroup->dir[0], 55);
	if (step("tree %d", userns))
		return ces_error_errno(ret_err, CES_E_HOST, "failing");
	*ret_root = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return 0;
}

/* (of the kernel) */
int fdatasync(int fd)
{
	return step("sync %d", fd) ? -1 : 0;
}

int ces_relay_ready(const struct ces_relay *relay, const char *what, struct ces_error *ret_err)
{
	(void)relay;
	return PLAY("ready %s", what);
}

int ces_container_await(const struct ces_container *container, struct ces_error *ret_err)
{
	ck_assert_int_eq(container->userns, 44);
	return PLAY("await");
}

int ces_rootfs_enter(int root, struct ces_error *ret_err)
{
	ck_assert_int_ge(root, 0);
	return PLAY("enter the tree");
}

int ces_proof_begin(const struct ces_container *container, struct ces_proof *ret,
		    struct ces_error *ret_err)
{
	(void)container;
	ret->hold.held = world.held;
	return PLAY("begin proof");
}

int ces_container_release(struct ces_container *container, struct ces_error *ret_err)
{
	(void)container;
	return PLAY("release");
}

int ces_proof_of(const struct ces_plan *of, const struct ces_cgroup *cgroup,
		 struct ces_proof *proof, struct ces_error *ret_err)
{
	(void)of;
	(void)cgroup;
	(void)proof;
	return PLAY("proof");
}

int ces_proof_end(const struct ces_cgroup *cgroup, struct ces_proof *proof, int result,
		  struct ces_error *ret_err)
{
	(void)cgroup;
	(void)proof;
	return PLAY("end proof %d", result) < 0 ? -1 : result;
}

int ces_weaken_for_watch(struct ces_error *ret_err)
{
	return PLAY("weaken");
}

void ces_outcome_started(const struct ces_plan *of, bool began)
{
	(void)of;
	(void)step("say that it started %d", began);
}

void ces_supervise(const struct ces_plan *of, const struct ces_cgroup *cgroup,
		   struct ces_container *container, int stop_fd, struct ces_ports *ports,
		   struct ces_end *ret)
{
	(void)of;
	(void)cgroup;
	(void)ports;
	(void)ret;
	(void)step("supervise %d %d %d", stop_fd, container->shm >= 0, container->terminal >= 0);
}

static struct ces_plan finished; /* as it was then */

int ces_finish(struct ces_finish *finish, int result, struct ces_error *ret_err)
{
	(void)ret_err;
	finished = *finish->plan;
	ck_assert_int_eq(finish->record, 71);
	ck_assert_int_eq(finish->plan->kept, 73);
	ces_cleanup_close(&finish->container.shm);
	ces_cleanup_close(&finish->container.terminal);
	(void)step("finish %d", result);
	return result < 0;
}

void ces_journal_fill(const struct ces_decision_mount *of, const char *run, char *ret, size_t size)
{
	(void)snprintf(ret, size, "%s/%s", of->source, run);
}

#endif
