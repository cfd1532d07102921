/* Makes, limits and removes cgroups. Must not take a path from anywhere: names are a uid and CES's
 * own digits. */
#include "helper/launch/cgroup.h"

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
#include "common/io.h"
#include "helper/core/beneath.h"

#define CGROUP        "/sys/fs/cgroup"
#define HELPERS       "ces/helpers" /* no uid, so nobody's */
#define WAY_MAX       (CES_PARENT_MAX + 64)
#define CPU_PERIOD_US 100000ull

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

/* none: what takes a limit away, for 0. */
static int write_limit(int dir, const char *file, uint64_t value, const char *none)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return write_text(dir, file, value > 0 ? text : none);
}

/* The number behind key ("" for a file with one number only). */
static uint64_t read_number(int dir, const char *file, const char *key)
{
	char text[4096];
	const char *at = NULL;

	if (dir >= 0 && ces_read_text(dir, file, text, sizeof(text)) > 0)
		at = strstr(text, key);
	return at == NULL ? 0 : strtoull(at + strlen(key), NULL, 10);
}

/* The path of a cgroup below its hierarchy's root. */
static void path_of(const struct ces_cgroup *cgroup, enum ces_hierarchy which, const char *name,
		    char ret[WAY_MAX])
{
	const char *place = cgroup->place.path[which];

	(void)snprintf(ret, WAY_MAX, "%s%s%s", place, place[0] != '\0' ? "/" : "", name);
}

/* Enables in a v2 cgroup, for its children, the controllers that v1 does not have here. Where one
 * cannot be enabled, setting its limit fails later. */
static void pass_on(const struct ces_cgroup *cgroup, const char *path)
{
	char file[WAY_MAX + 32], word[16];

	(void)snprintf(file, sizeof(file), "%s/cgroup.subtree_control", path);
	for (size_t i = CES_HIERARCHY_V2 + 1; i < CES_HIERARCHIES; i++) {
		(void)snprintf(word, sizeof(word), "+%s", ces_hierarchy_names[i]);
		if (cgroup->root[i] < 0)
			(void)write_text(cgroup->root[CES_HIERARCHY_V2], file, word);
	}
}

/* Makes each directory of the path in turn. Only root can make names there, and no link. */
static int make_way(const struct ces_cgroup *cgroup, enum ces_hierarchy which, const char *name,
		    int *ret)
{
	char way[WAY_MAX];
	bool more = true;

	path_of(cgroup, which, name, way);
	if (which == CES_HIERARCHY_V2)
		pass_on(cgroup, ".");
	for (char *end = way; more; *end++ = '/') {
		end += strcspn(end, "/");
		more = *end != '\0';
		*end = '\0';
		if (mkdirat(cgroup->root[which], way, 0755) < 0 && errno != EEXIST)
			return -1;
		if (!more)
			break;
		if (which == CES_HIERARCHY_V2)
			pass_on(cgroup, way);
	}
	*ret = ces_beneath_open(cgroup->root[which], way, O_RDONLY | O_DIRECTORY, 0);
	return *ret < 0 ? -1 : 0;
}

/* Tries again: another run's end may remove an empty parent between two of these steps. */
static int make_one(const struct ces_cgroup *cgroup, enum ces_hierarchy which, const char *name,
		    int *ret)
{
	for (int attempt = 0; *ret < 0; attempt++)
		if (make_way(cgroup, which, name, ret) < 0 && (errno != ENOENT || attempt == 20))
			return -1;
	return 0;
}

/* A dead process leaves its cgroup a moment after it was waited for; until then the cgroup is busy.
 * Any other error may be over by then, too. */
static int remove_one(int root, const char *path)
{
	int result = -1;

	for (int i = 0; i < 200 && (result = unlinkat(root, path, AT_REMOVEDIR)) < 0 &&
			(errno == EBUSY || i < 3);
	     i++)
		(void)usleep(i < 20 ? 100 : 5000);
	return result;
}

/* Returns whether the run has no cgroup there any more. */
static bool remove_way(const struct ces_cgroup *cgroup, enum ces_hierarchy which)
{
	int root = cgroup->root[which];
	char way[WAY_MAX], *slash;
	size_t place = strlen(cgroup->place.path[which]);

	path_of(cgroup, which, cgroup->name, way);
	if (remove_one(root, way) < 0 && errno != ENOENT)
		return false;
	/* a parent goes with its last run; where others are in it, this fails */
	while ((slash = strrchr(way, '/')) != NULL && (size_t)(slash - way) > place) {
		*slash = '\0';
		if (unlinkat(root, way, AT_REMOVEDIR) < 0)
			break;
	}
	return true;
}

static int open_roots(struct ces_cgroup *cgroup, struct ces_error *err)
{
	int *v2 = &cgroup->root[CES_HIERARCHY_V2];

	*v2 = open_hierarchy(CGROUP, CGROUP2_SUPER_MAGIC);
	if (*v2 >= 0)
		return 0;
	*v2 = open_hierarchy(CGROUP "/unified", CGROUP2_SUPER_MAGIC);
	if (*v2 < 0)
		return ces_error_set(err, CES_E_HOST,
				     "this machine has no cgroup v2 hierarchy, and CES needs one "
				     "to end runs");
	for (size_t i = CES_HIERARCHY_V2 + 1; i < CES_HIERARCHIES; i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), CGROUP "/%s", ces_hierarchy_names[i]);
		cgroup->root[i] = open_hierarchy(path, CGROUP_SUPER_MAGIC);
	}
	return 0;
}

int ces_cgroup_find(const struct ces_host *host, uid_t uid, const char *run, struct ces_cgroup *ret,
		    struct ces_error *err)
{
	(void)snprintf(ret->name, sizeof(ret->name), "ces/%u/%s", uid, run);
	return open_roots(ret, err) < 0 ? -1 : ces_parent_find(host, ret->root, &ret->place, err);
}

void ces_cgroup_record(const struct ces_cgroup *cgroup, char *v[], struct ces_strings *ret)
{
	for (size_t i = 0; i < CES_HIERARCHIES; i++)
		v[i] = (char *)(uintptr_t)cgroup->place.path[i];
	*ret = (struct ces_strings){v, CES_HIERARCHIES};
}

/* Of the directories of the run or, one level up, of its user: the one that has the controller. */
static int with(const int dirs[CES_HIERARCHIES], enum ces_hierarchy controller)
{
	return dirs[controller] >= 0 ? dirs[controller] : dirs[CES_HIERARCHY_V2];
}

/* v1 refuses a memory limit above that of memory and swap together: the latter must go down after
 * the former, and up before it, so it is written before and after. Without swap accounting its file
 * is absent, and then there is nothing to swap to. */
static int limit_memory(const int dirs[CES_HIERARCHIES], uint64_t bytes)
{
	int memory = dirs[CES_HIERARCHY_MEMORY], v2 = dirs[CES_HIERARCHY_V2];

	if (memory < 0) {
		(void)write_text(v2, "memory.swap.max", "0");
		return write_limit(v2, "memory.max", bytes, "max");
	}
	(void)write_limit(memory, "memory.memsw.limit_in_bytes", bytes, "-1");
	if (write_limit(memory, "memory.limit_in_bytes", bytes, "-1") < 0)
		return -1;
	(void)write_limit(memory, "memory.memsw.limit_in_bytes", bytes, "-1");
	return 0;
}

/* Sets the cpu quota per period; the kernel wants at least 1 ms. v1 refuses a quota above that of a
 * parent (EINVAL): then the parent's quota holds (kernel/sched/core.c, tg_cfs_schedulable_down). */
static int limit_cpu(const int dirs[CES_HIERARCHIES], uint64_t thousandths)
{
	uint64_t us = thousandths * CPU_PERIOD_US / 1000;
	int cpu = dirs[CES_HIERARCHY_CPU];
	char text[64];

	us = us < 1000 && thousandths > 0 ? 1000 : us;
	if (cpu >= 0)
		return write_limit(cpu, "cpu.cfs_quota_us", us, "-1") < 0 && errno != EINVAL ? -1
											     : 0;
	(void)snprintf(text, sizeof(text), "%llu %llu", (unsigned long long)us, CPU_PERIOD_US);
	return write_text(dirs[CES_HIERARCHY_V2], "cpu.max", us > 0 ? text : "max");
}

/* Sets each limit in v1 where v1 has the controller, otherwise in v2. A limit that neither takes is
 * an error: a run without its limits is not what the policy says. 0 is no limit: one of an earlier
 * policy goes. */
static int set_limits(const int dirs[CES_HIERARCHIES], const struct ces_policy_limits *limits,
		      struct ces_error *err)
{
	if (limit_memory(dirs, limits->memory) < 0 && limits->memory > 0)
		return ces_error_errno(err, CES_E_HOST, "setting the memory limit of the cgroup");
	if (write_limit(with(dirs, CES_HIERARCHY_PIDS), "pids.max", limits->pids, "max") < 0 &&
	    limits->pids > 0)
		return ces_error_errno(err, CES_E_HOST, "setting the process limit of the cgroup");
	if (limit_cpu(dirs, limits->cpus) < 0 && limits->cpus > 0)
		return ces_error_errno(err, CES_E_HOST, "setting the cpu limit of the cgroup");
	return 0;
}

static void open_user(const struct ces_cgroup *cgroup, int ret[CES_HIERARCHIES])
{
	for (size_t i = 0; i < CES_HIERARCHIES; i++)
		ret[i] = cgroup->dir[i] < 0
			     ? -1
			     : openat(cgroup->dir[i], "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void close_all(int dirs[CES_HIERARCHIES])
{
	for (size_t i = 0; i < CES_HIERARCHIES; i++)
		ces_cleanup_close(&dirs[i]);
}

/* How often a fork failed at the limit of the directory, or, in later kernels, of one above it. */
static uint64_t forks_refused(const int dirs[CES_HIERARCHIES])
{
	return read_number(with(dirs, CES_HIERARCHY_PIDS), "pids.events", "max ");
}

/* Sets the user's total again at every start, as the policy has it now. */
static int set_user_limits(struct ces_cgroup *cgroup, const struct ces_policy_limits *limits,
			   struct ces_error *err)
{
	int user[CES_HIERARCHIES], result;

	open_user(cgroup, user);
	result = set_limits(user, limits, err);
	cgroup->user_refused = forks_refused(user);
	close_all(user);
	return result < 0 ? ces_error_context(err, "all your runs together") : 0;
}

int ces_cgroup_make(struct ces_cgroup *cgroup, const struct ces_policy_limits *limits,
		    const struct ces_policy_limits *user, struct ces_error *err)
{
	for (enum ces_hierarchy i = 0; i < CES_HIERARCHIES; i++)
		if (cgroup->root[i] >= 0 && make_one(cgroup, i, cgroup->name, &cgroup->dir[i]) < 0)
			return ces_error_errno(err, CES_E_HOST, "making the cgroup%s%s",
					       i > 0 ? " of " : "", ces_hierarchy_names[i]);
	/* the runtime, nobody on the host, looks at its own cgroup through a read-only mount */
	if (fchmod(cgroup->dir[CES_HIERARCHY_V2], 0755) < 0)
		return ces_error_errno(err, CES_E_HOST, "mode of the cgroup");
	/* the caller may have had this process, and so the run, killed first when memory is short
	 */
	(void)write_text(AT_FDCWD, "/proc/self/oom_score_adj", "0");
	return set_user_limits(cgroup, user, err) < 0 ? -1 : set_limits(cgroup->dir, limits, err);
}

/* Tries again: the end of another run may remove the cgroup before this process is in it. */
int ces_cgroup_leave_session(struct ces_cgroup *cgroup, struct ces_error *err)
{
	for (int attempt = 0; cgroup->place.session && !cgroup->left; attempt++) {
		CES_CLEANUP_FD int helpers = -1;

		if (make_one(cgroup, CES_HIERARCHY_V2, HELPERS, &helpers) < 0)
			return ces_error_errno(err, CES_E_HOST, "making the helpers' cgroup");
		cgroup->left = write_text(helpers, "cgroup.procs", "0") == 0;
		if (!cgroup->left && ((errno != ENOENT && errno != ENODEV) || attempt == 20))
			return ces_error_errno(err, CES_E_HOST, "leaving the session");
	}
	return 0;
}

int ces_cgroup_join(const struct ces_cgroup *cgroup)
{
	for (size_t i = CES_HIERARCHY_V2 + 1; i < CES_HIERARCHIES; i++)
		if (cgroup->dir[i] >= 0 && write_text(cgroup->dir[i], "tasks", "0") < 0)
			return -1;
	return 0;
}

void ces_cgroup_kill(const struct ces_cgroup *cgroup)
{
	if (cgroup->dir[CES_HIERARCHY_V2] >= 0)
		(void)write_text(cgroup->dir[CES_HIERARCHY_V2], "cgroup.kill", "1");
}

/* Did the cgroup meet its own limit? v2 counts this (the file without ".local" counts everything
 * below, too). Newer kernels no longer keep v1's counts of failures, so for v1 the peak decides: it
 * comes within what the kernel charges ahead for each cpu. */
#define CHARGED_AHEAD (1ull << 20)

static bool met_memory(const int dirs[CES_HIERARCHIES])
{
	int v1 = dirs[CES_HIERARCHY_MEMORY];

	if (v1 < 0)
		return read_number(dirs[CES_HIERARCHY_V2], "memory.events.local", "oom ") > 0;
	return read_number(v1, "memory.max_usage_in_bytes", "") + CHARGED_AHEAD >=
	       read_number(v1, "memory.limit_in_bytes", "");
}

static enum ces_limit_whose around(const struct ces_cgroup *cgroup, bool user)
{
	if (user)
		return CES_LIMIT_USER;
	return cgroup->place.job ? CES_LIMIT_JOB : CES_LIMIT_HOST;
}

/* Linux up to 6.10 counts a fork that a parent's limit refused where it was tried; later versions
 * count it where the limit is (cgroup-v2.rst, pids.events). */
static void read_processes(const struct ces_cgroup *cgroup, const int user[CES_HIERARCHIES],
			   uint64_t limit, struct ces_cgroup_usage *ret)
{
	uint64_t peak = read_number(with(cgroup->dir, CES_HIERARCHY_PIDS), "pids.peak", "");
	bool tried = forks_refused(cgroup->dir) > 0;
	bool above = forks_refused(user) > cgroup->user_refused;

	ret->out_of_processes = tried || above;
	if (tried && (peak == 0 || peak >= limit))
		ret->processes = CES_LIMIT_OWN;
	else
		ret->processes =
		    around(cgroup, read_number(with(user, CES_HIERARCHY_PIDS), "pids.max", "") > 0);
}

void ces_cgroup_read(const struct ces_cgroup *cgroup, const struct ces_policy_limits *limits,
		     struct ces_cgroup_usage *ret)
{
	int memory = cgroup->dir[CES_HIERARCHY_MEMORY], v2 = cgroup->dir[CES_HIERARCHY_V2];
	int user[CES_HIERARCHIES];

	open_user(cgroup, user);
	ret->peak_memory = memory >= 0 ? read_number(memory, "memory.max_usage_in_bytes", "")
				       : read_number(v2, "memory.peak", "");
	/* v2 has this file without the controller too (cgroup-v2.rst, cpu.stat) */
	ret->cpu_us = read_number(v2, "cpu.stat", "usage_usec ");
	ret->out_of_memory = (memory >= 0 ? read_number(memory, "memory.oom_control", "oom_kill ")
					  : read_number(v2, "memory.events", "oom_kill ")) > 0;
	ret->memory = met_memory(cgroup->dir) ? CES_LIMIT_OWN : around(cgroup, met_memory(user));
	read_processes(cgroup, user, limits->pids, ret);
	close_all(user);
}

bool ces_cgroup_remove(struct ces_cgroup *cgroup)
{
	int v2 = cgroup->root[CES_HIERARCHY_V2];
	char helpers[WAY_MAX];
	bool gone = true;

	close_all(cgroup->dir);
	/* a cgroup that this process or another is in cannot be removed */
	path_of(cgroup, CES_HIERARCHY_V2, HELPERS, helpers);
	if (cgroup->left && write_text(v2, "cgroup.procs", "0") == 0)
		(void)unlinkat(v2, helpers, AT_REMOVEDIR);
	for (enum ces_hierarchy i = 0; i < CES_HIERARCHIES; i++)
		if (cgroup->root[i] >= 0)
			gone &= remove_way(cgroup, i);
	close_all(cgroup->root);
	return gone;
}

bool ces_cgroup_clear(const struct ces_run_record *record)
{
	struct ces_cgroup cgroup = CES_CGROUP_NONE;
	struct ces_error ignored;
	char way[WAY_MAX];

	if (open_roots(&cgroup, &ignored) < 0)
		return false;
	(void)snprintf(cgroup.name, sizeof(cgroup.name), "ces/%u/%s", (uid_t)record->uid,
		       record->run);
	for (size_t i = 0; i < record->cgroups.n && i < CES_HIERARCHIES; i++)
		(void)snprintf(cgroup.place.path[i], CES_PARENT_MAX, "%s", record->cgroups.v[i]);
	path_of(&cgroup, CES_HIERARCHY_V2, cgroup.name, way);
	cgroup.dir[CES_HIERARCHY_V2] =
	    ces_beneath_open(cgroup.root[CES_HIERARCHY_V2], way, O_RDONLY | O_DIRECTORY, 0);
	ces_cgroup_kill(&cgroup);
	path_of(&cgroup, CES_HIERARCHY_V2, HELPERS, way);
	/* when the last process in it was killed */
	(void)unlinkat(cgroup.root[CES_HIERARCHY_V2], way, AT_REMOVEDIR);
	return ces_cgroup_remove(&cgroup);
}
