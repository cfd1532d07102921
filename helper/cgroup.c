/* Cgroups. Must not take a path from anywhere: names are a uid and CES's own digits. */
#include "helper/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/beneath.h"

#define CGROUP        "/sys/fs/cgroup"
#define HELPERS       "ces/helpers" /* no uid, so nobody's */
#define CPU_PERIOD_US 100000ull

enum { V1_MEMORY, V1_CPU, V1_CPUACCT, V1_PIDS };
static const char *const v1_names[CES_CGROUP_V1] = {"memory", "cpu", "cpuacct", "pids"};

static int open_hierarchy(const char *path, long magic)
{
	CES_CLEANUP_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0 || fstatfs(fd, &fs) < 0 || fs.f_type != magic)
		return -1;
	return ces_steal_fd(&fd);
}

static int write_text(int dir, const char *file, const char *text)
{
	CES_CLEANUP_FD int fd = openat(dir, file, O_WRONLY | O_CLOEXEC);
	ssize_t length = (ssize_t)strlen(text);

	return fd >= 0 && write(fd, text, (size_t)length) == length ? 0 : -1;
}

static int write_number(int dir, const char *file, uint64_t value)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return write_text(dir, file, text);
}

/* The number behind key ("" for a file with one number only). */
static uint64_t read_number(int dir, const char *file, const char *key)
{
	CES_CLEANUP_FD int fd = dir < 0 ? -1 : openat(dir, file, O_RDONLY | O_CLOEXEC);
	char text[4096];
	const char *at = text;
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	if (key[0] != '\0') {
		at = strstr(text, key);
		if (at == NULL)
			return 0;
		at += strlen(key);
	}
	return strtoull(at, NULL, 10);
}

/* Makes each directory of path in turn; on v2 the controllers are passed on at each level. */
static int make_path(int root, const char *path, bool controllers, int *ret)
{
	char copy[64], *save = NULL;
	CES_CLEANUP_FD int at = dup(root);

	(void)snprintf(copy, sizeof(copy), "%s", path);
	for (char *name = strtok_r(copy, "/", &save); name != NULL;
	     name = strtok_r(NULL, "/", &save)) {
		int next;

		if (controllers)
			for (size_t i = 0; i < 3; i++)
				(void)write_text(
				    at, "cgroup.subtree_control",
				    (const char *const[]){"+memory", "+pids", "+cpu"}[i]);
		if (mkdirat(at, name, 0755) < 0 && errno != EEXIST)
			return -1;
		next = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			return -1;
		close(at);
		at = next;
	}
	*ret = ces_steal_fd(&at);
	return 0;
}

/* The dead leave their cgroup a moment after they were waited for; until then it is busy. */
static int remove_one(int root, const char *path)
{
	int result = -1;

	for (int i = 0;
	     i < 200 && (result = unlinkat(root, path, AT_REMOVEDIR)) < 0 && errno == EBUSY; i++)
		(void)usleep(i < 20 ? 100 : 5000);
	return result;
}

static void remove_path(int root, const char *path)
{
	char copy[64], *slash;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	if (remove_one(root, copy) < 0 && errno != ENOENT)
		return;
	/* a parent goes with its last run; others in it make this fail */
	while ((slash = strrchr(copy, '/')) != NULL) {
		*slash = '\0';
		if (unlinkat(root, copy, AT_REMOVEDIR) < 0)
			return;
	}
}

static int open_roots(struct ces_cgroup *cgroup, struct ces_error *err)
{
	cgroup->root = open_hierarchy(CGROUP, CGROUP2_SUPER_MAGIC);
	if (cgroup->root >= 0)
		return 0;
	cgroup->root = open_hierarchy(CGROUP "/unified", CGROUP2_SUPER_MAGIC);
	if (cgroup->root < 0)
		return ces_error_set(err, CES_E_HOST,
				     "this machine has no cgroup v2 hierarchy, without which CES "
				     "cannot end a run for sure");
	for (size_t i = 0; i < CES_CGROUP_V1; i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), CGROUP "/%s", v1_names[i]);
		cgroup->v1_root[i] = open_hierarchy(path, CGROUP_SUPER_MAGIC);
	}
	return 0;
}

/* Cpu quota per period; the kernel wants at least 1 ms. */
static uint64_t quota(const struct ces_policy_limits *limits)
{
	uint64_t us = limits->cpus * CPU_PERIOD_US / 1000;

	return us < 1000 ? 1000 : us;
}

/* Each limit is set in v1 where v1 has the controller, otherwise in v2; one that takes in neither
 * is an error: a run without its limits is not what the policy says. */
static int set_limits(const struct ces_cgroup *cgroup, const struct ces_policy_limits *limits)
{
	char cpu[64];
	int memory = cgroup->v1[V1_MEMORY];

	if (memory >= 0 ? write_number(memory, "memory.limit_in_bytes", limits->memory) < 0
			: write_number(cgroup->v2, "memory.max", limits->memory) < 0)
		return -1;
	/* swap counted in: absent where the kernel has no swap accounting, then there is nothing to
	 * swap to */
	if (memory >= 0)
		(void)write_number(memory, "memory.memsw.limit_in_bytes", limits->memory);
	else
		(void)write_number(cgroup->v2, "memory.swap.max", 0);
	if (cgroup->v1[V1_PIDS] >= 0
		? write_number(cgroup->v1[V1_PIDS], "pids.max", limits->pids) < 0
		: write_number(cgroup->v2, "pids.max", limits->pids) < 0)
		return -1;
	(void)snprintf(cpu, sizeof(cpu), "%llu %llu", (unsigned long long)quota(limits),
		       CPU_PERIOD_US);
	if (cgroup->v1[V1_CPU] >= 0)
		return write_number(cgroup->v1[V1_CPU], "cpu.cfs_quota_us", quota(limits));
	return write_text(cgroup->v2, "cpu.max", cpu);
}

int ces_cgroup_make(uid_t uid, const char *run, const struct ces_policy_limits *limits,
		    struct ces_cgroup *ret, struct ces_error *err)
{
	struct ces_cgroup cgroup = CES_CGROUP_NONE;
	int result = open_roots(&cgroup, err);

	(void)snprintf(cgroup.path, sizeof(cgroup.path), "ces/%u/%s", uid, run);
	/* another run's end may remove an empty parent between two of these steps: try again */
	for (int attempt = 0; result == 0 && cgroup.v2 < 0; attempt++)
		if (make_path(cgroup.root, cgroup.path, cgroup.v1_root[V1_MEMORY] < 0, &cgroup.v2) <
			0 &&
		    (errno != ENOENT || attempt == 20))
			result = ces_error_errno(err, CES_E_HOST, "making the cgroup");
	for (size_t i = 0; i < CES_CGROUP_V1; i++)
		for (int attempt = 0; result == 0 && cgroup.v1_root[i] >= 0 && cgroup.v1[i] < 0;
		     attempt++)
			if (make_path(cgroup.v1_root[i], cgroup.path, false, &cgroup.v1[i]) < 0 &&
			    (errno != ENOENT || attempt == 20))
				result = ces_error_errno(err, CES_E_HOST, "making the %s cgroup",
							 v1_names[i]);
	if (result == 0 && set_limits(&cgroup, limits) < 0)
		result = ces_error_errno(err, CES_E_HOST, "setting the limits of the cgroup");
	/* the runtime, nobody on the host, looks at its own cgroup through a read-only mount */
	if (result == 0 && fchmod(cgroup.v2, 0755) < 0)
		result = ces_error_errno(err, CES_E_HOST, "mode of the cgroup");
	*ret = cgroup;
	if (result < 0)
		ces_cgroup_remove(ret);
	return result;
}

/* Whether the caller's processes are ended at logout, and this one with them: logind ends all that
 * is in the session's cgroup, below user.slice (logind.conf(5), KillUserProcesses). A batch job's
 * cgroup is another: nothing may leave that one before the job ends. */
static bool in_session(void)
{
	static const char session[] = "\n0::/user.slice/";
	CES_CLEANUP_FD int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	char text[8192] = "\n";
	ssize_t n = fd < 0 ? 0 : read(fd, text + 1, sizeof(text) - 2);

	text[n > 0 ? n + 1 : 1] = '\0';
	return strstr(text, session) != NULL;
}

int ces_cgroup_leave_session(struct ces_cgroup *cgroup, struct ces_error *err)
{
	CES_CLEANUP_FD int helpers = -1;

	if (!in_session())
		return 0;
	for (int attempt = 0; helpers < 0; attempt++)
		if (make_path(cgroup->root, HELPERS, false, &helpers) < 0 &&
		    (errno != ENOENT || attempt == 20))
			return ces_error_errno(err, CES_E_HOST, "making the helpers' cgroup");
	if (write_text(helpers, "cgroup.procs", "0") < 0)
		return ces_error_errno(err, CES_E_HOST, "leaving the session");
	cgroup->left = true;
	return 0;
}

int ces_cgroup_join(const struct ces_cgroup *cgroup)
{
	for (size_t i = 0; i < CES_CGROUP_V1; i++)
		if (cgroup->v1[i] >= 0 && write_text(cgroup->v1[i], "tasks", "0") < 0)
			return -1;
	return 0;
}

void ces_cgroup_kill(const struct ces_cgroup *cgroup)
{
	if (cgroup->v2 >= 0)
		(void)write_text(cgroup->v2, "cgroup.kill", "1");
}

void ces_cgroup_read(const struct ces_cgroup *cgroup, struct ces_cgroup_usage *ret)
{
	int memory = cgroup->v1[V1_MEMORY], cpu = cgroup->v1[V1_CPUACCT];

	ret->peak_memory = memory >= 0 ? read_number(memory, "memory.max_usage_in_bytes", "")
				       : read_number(cgroup->v2, "memory.peak", "");
	ret->cpu_us = cpu >= 0 ? read_number(cpu, "cpuacct.usage", "") / 1000
			       : read_number(cgroup->v2, "cpu.stat", "usage_usec ");
	ret->out_of_memory =
	    (memory >= 0 ? read_number(memory, "memory.oom_control", "oom_kill ")
			 : read_number(cgroup->v2, "memory.events", "oom_kill ")) > 0;
	ret->out_of_processes =
	    read_number(cgroup->v1[V1_PIDS] >= 0 ? cgroup->v1[V1_PIDS] : cgroup->v2, "pids.events",
			"max ") > 0;
}

void ces_cgroup_remove(struct ces_cgroup *cgroup)
{
	ces_cleanup_close(&cgroup->v2);
	/* a cgroup that this process is in cannot go; one that others are in stays */
	if (cgroup->left && write_text(cgroup->root, "cgroup.procs", "0") == 0)
		(void)unlinkat(cgroup->root, HELPERS, AT_REMOVEDIR);
	if (cgroup->root >= 0)
		remove_path(cgroup->root, cgroup->path);
	ces_cleanup_close(&cgroup->root);
	for (size_t i = 0; i < CES_CGROUP_V1; i++) {
		ces_cleanup_close(&cgroup->v1[i]);
		if (cgroup->v1_root[i] >= 0)
			remove_path(cgroup->v1_root[i], cgroup->path);
		ces_cleanup_close(&cgroup->v1_root[i]);
	}
}

void ces_cgroup_clear(uid_t uid, const char *run)
{
	struct ces_cgroup cgroup = CES_CGROUP_NONE;
	struct ces_error ignored;

	if (open_roots(&cgroup, &ignored) < 0)
		return;
	(void)snprintf(cgroup.path, sizeof(cgroup.path), "ces/%u/%s", uid, run);
	cgroup.v2 = ces_beneath_open(cgroup.root, cgroup.path, O_RDONLY | O_DIRECTORY, 0);
	ces_cgroup_kill(&cgroup);
	(void)unlinkat(cgroup.root, HELPERS, AT_REMOVEDIR); /* when the last in it was killed */
	ces_cgroup_remove(&cgroup);
}
