/* Makes, limits and removes cgroups. Must not take a path from anywhere: names are a uid and CES's
 * own digits. */
#include "helper/launch/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/event.h"
#include "common/record.h"
#include "helper/core/beneath.h"

#define CGROUP        "/sys/fs/cgroup"
#define HELPERS       "ces/helpers" /* no uid, so nobody's */
#define WAY_MAX       (CES_PARENT_MAX + 64)
#define CPU_PERIOD_US 100000ull

enum { V1_MEMORY, V1_CPU, V1_PIDS };
static const char *const v1_names[CES_CGROUP_V1] = {"memory", "cpu", "pids"};

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

/* The path of a cgroup below its hierarchy's root. */
static void path_of(const struct ces_cgroup *cgroup, enum ces_hierarchy which, const char *name,
		    char ret[WAY_MAX])
{
	const char *place = cgroup->place.path[which];

	(void)snprintf(ret, WAY_MAX, "%s%s%s", place, place[0] != '\0' ? "/" : "", name);
}

/* Enables in a v2 cgroup, for its children, the controllers that v1 does not have here. Where one
 * cannot be enabled, setting its limit fails later. */
static void pass_on(const struct ces_cgroup *cgroup, int dir)
{
	static const struct {
		const char *word;
		int v1;
	} wanted[] = {{"+memory", V1_MEMORY}, {"+pids", V1_PIDS}, {"+cpu", V1_CPU}};

	for (size_t i = 0; i < CES_COUNT(wanted); i++)
		if (cgroup->v1_root[wanted[i].v1] < 0)
			(void)write_text(dir, "cgroup.subtree_control", wanted[i].word);
}

/* Makes each directory of the path in turn. */
static int make_way(const struct ces_cgroup *cgroup, enum ces_hierarchy which, const char *name,
		    int *ret)
{
	char way[WAY_MAX], *save = NULL;
	CES_CLEANUP_FD int at =
	    dup(which == CES_HIERARCHY_V2 ? cgroup->root : cgroup->v1_root[which - 1]);

	path_of(cgroup, which, name, way);
	for (char *part = strtok_r(way, "/", &save); part != NULL;
	     part = strtok_r(NULL, "/", &save)) {
		int next;

		if (which == CES_HIERARCHY_V2)
			pass_on(cgroup, at);
		if (mkdirat(at, part, 0755) < 0 && errno != EEXIST)
			return -1;
		next = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			return -1;
		close(at);
		at = next;
	}
	*ret = ces_steal_fd(&at);
	return 0;
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

static void remove_way(const struct ces_cgroup *cgroup, enum ces_hierarchy which, int root)
{
	char way[WAY_MAX], *slash;
	size_t place = strlen(cgroup->place.path[which]);

	path_of(cgroup, which, cgroup->name, way);
	if (remove_one(root, way) < 0 && errno != ENOENT)
		return;
	/* a parent goes with its last run; where others are in it, this fails */
	while ((slash = strrchr(way, '/')) != NULL && (size_t)(slash - way) > place) {
		*slash = '\0';
		if (unlinkat(root, way, AT_REMOVEDIR) < 0)
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

int ces_cgroup_find(const struct ces_host *host, uid_t uid, const char *run, struct ces_cgroup *ret,
		    struct ces_error *err)
{
	int roots[CES_HIERARCHIES];

	(void)snprintf(ret->name, sizeof(ret->name), "ces/%u/%s", uid, run);
	if (open_roots(ret, err) < 0)
		return -1;
	roots[CES_HIERARCHY_V2] = ret->root;
	memcpy(roots + 1, ret->v1_root, sizeof(ret->v1_root));
	return ces_parent_find(host, roots, &ret->place, err);
}

void ces_cgroup_record(const struct ces_cgroup *cgroup, char *v[], struct ces_strings *ret)
{
	for (size_t i = 0; i < CES_HIERARCHIES; i++)
		v[i] = (char *)(uintptr_t)cgroup->place.path[i];
	*ret = (struct ces_strings){v, CES_HIERARCHIES};
}

/* The directories of the run or, one level up, of its user. */
struct level {
	int v2;
	int v1[CES_CGROUP_V1];
};

static int pids_dir(const struct level *level)
{
	return level->v1[V1_PIDS] >= 0 ? level->v1[V1_PIDS] : level->v2;
}

/* v1 refuses a memory limit above that of memory and swap together: the latter must go down after
 * the former, and up before it. Without swap accounting its file is absent, and then there is
 * nothing to swap to. */
static int limit_memory(const struct level *level, uint64_t bytes, bool swap)
{
	int memory = level->v1[V1_MEMORY];

	if (memory < 0) {
		if (swap)
			(void)write_number(level->v2, "memory.swap.max", 0);
		return write_number(level->v2, "memory.max", bytes);
	}
	(void)write_number(memory, "memory.memsw.limit_in_bytes", bytes);
	if (write_number(memory, "memory.limit_in_bytes", bytes) < 0)
		return -1;
	(void)write_number(memory, "memory.memsw.limit_in_bytes", bytes);
	return 0;
}

/* Sets the cpu quota per period; the kernel wants at least 1 ms. v1 refuses a quota above that of a
 * parent (EINVAL): then the parent's quota holds (kernel/sched/core.c, tg_cfs_schedulable_down). */
static int limit_cpu(const struct level *level, uint64_t thousandths)
{
	uint64_t us = thousandths * CPU_PERIOD_US / 1000;
	int cpu = level->v1[V1_CPU];
	char text[64];

	us = us < 1000 ? 1000 : us;
	if (cpu >= 0)
		return write_number(cpu, "cpu.cfs_quota_us", us) < 0 && errno != EINVAL ? -1 : 0;
	(void)snprintf(text, sizeof(text), "%llu %llu", (unsigned long long)us, CPU_PERIOD_US);
	return write_text(level->v2, "cpu.max", text);
}

/* Sets each limit in v1 where v1 has the controller, otherwise in v2. A limit that neither takes is
 * an error: a run without its limits is not what the policy says. 0 is no limit. */
static int set_limits(const struct level *level, const struct ces_policy_limits *limits, bool swap,
		      struct ces_error *err)
{
	if (limits->memory > 0 && limit_memory(level, limits->memory, swap) < 0)
		return ces_error_errno(err, CES_E_HOST, "setting the memory limit of the cgroup");
	if (limits->pids > 0 && write_number(pids_dir(level), "pids.max", limits->pids) < 0)
		return ces_error_errno(err, CES_E_HOST, "setting the process limit of the cgroup");
	if (limits->cpus > 0 && limit_cpu(level, limits->cpus) < 0)
		return ces_error_errno(err, CES_E_HOST, "setting the cpu limit of the cgroup");
	return 0;
}

static void open_user(const struct ces_cgroup *cgroup, struct level *ret)
{
	ret->v2 = openat(cgroup->v2, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < CES_CGROUP_V1; i++)
		ret->v1[i] = cgroup->v1[i] < 0
				 ? -1
				 : openat(cgroup->v1[i], "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void close_user(struct level *user)
{
	ces_cleanup_close(&user->v2);
	for (size_t i = 0; i < CES_CGROUP_V1; i++)
		ces_cleanup_close(&user->v1[i]);
}

/* Sets the user's total again at every start, as the policy has it now. */
static int set_user_limits(struct ces_cgroup *cgroup, const struct ces_policy_limits *limits,
			   struct ces_error *err)
{
	struct level user;
	int result;

	if (limits->memory == 0 && limits->pids == 0 && limits->cpus == 0)
		return 0;
	open_user(cgroup, &user);
	result = set_limits(&user, limits, false, err);
	cgroup->user_refused = read_number(pids_dir(&user), "pids.events", "max ");
	close_user(&user);
	return result < 0 ? ces_error_context(err, "all your runs together") : 0;
}

static int make_all(struct ces_cgroup *cgroup, struct ces_error *err)
{
	if (make_one(cgroup, CES_HIERARCHY_V2, cgroup->name, &cgroup->v2) < 0)
		return ces_error_errno(err, CES_E_HOST, "making the cgroup");
	for (size_t i = 0; i < CES_CGROUP_V1; i++)
		if (cgroup->v1_root[i] >= 0 &&
		    make_one(cgroup, (enum ces_hierarchy)(i + 1), cgroup->name, &cgroup->v1[i]) < 0)
			return ces_error_errno(err, CES_E_HOST, "making the %s cgroup",
					       v1_names[i]);
	/* the runtime, nobody on the host, looks at its own cgroup through a read-only mount */
	if (fchmod(cgroup->v2, 0755) < 0)
		return ces_error_errno(err, CES_E_HOST, "mode of the cgroup");
	return 0;
}

int ces_cgroup_make(struct ces_cgroup *cgroup, const struct ces_policy_limits *limits,
		    const struct ces_policy_limits *user, struct ces_error *err)
{
	struct level run;

	if (make_all(cgroup, err) < 0 || set_user_limits(cgroup, user, err) < 0)
		return -1;
	run.v2 = cgroup->v2;
	memcpy(run.v1, cgroup->v1, sizeof(run.v1));
	return set_limits(&run, limits, true, err);
}

/* Whether the end of the login session would end the caller's processes, and this one with them:
 * logind ends all processes in the session's cgroup, below user.slice (logind.conf(5),
 * KillUserProcesses). A batch job has another cgroup, which no process may leave before the job
 * ends. */
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
	if (make_one(cgroup, CES_HIERARCHY_V2, HELPERS, &helpers) < 0)
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

/* A line is "ID:CONTROLLER,...:PATH"; version 2 has the ID 0 and no controllers (cgroups(7)). In a
 * cgroup namespace or a job, more comes before the path. */
static bool line_holds(const char *text, const char *controller, const char *path)
{
	size_t wanted = strlen(controller), tail = strlen(path);

	for (const char *line = text; *line != '\0'; line += *line == '\n') {
		const char *end = line + strcspn(line, "\n"), *at = strchr(line, ':');
		const char *names_end = at == NULL ? NULL : strchr(at + 1, ':');

		if (names_end == NULL || names_end > end)
			return false;
		for (at++; at <= names_end; at += strcspn(at, ",:") + 1)
			if (strcspn(at, ",:") == wanted && strncmp(at, controller, wanted) == 0)
				return (size_t)(end - names_end) > tail + 1 &&
				       end[-(ptrdiff_t)tail - 1] == '/' &&
				       strncmp(end - tail, path, tail) == 0;
		line = end;
	}
	return false;
}

bool ces_cgroup_holds(const struct ces_cgroup *cgroup, const char *text)
{
	for (size_t i = 0; i < CES_CGROUP_V1; i++)
		if (cgroup->v1[i] >= 0 && !line_holds(text, v1_names[i], cgroup->name))
			return false;
	return line_holds(text, "", cgroup->name);
}

void ces_cgroup_kill(const struct ces_cgroup *cgroup)
{
	if (cgroup->v2 >= 0)
		(void)write_text(cgroup->v2, "cgroup.kill", "1");
}

/* Did the cgroup meet its own limit? v2 counts this (the file without ".local" counts everything
 * below, too). Newer kernels no longer keep v1's counts of failures, so for v1 the peak decides: it
 * comes within what the kernel charges ahead for each cpu. */
#define CHARGED_AHEAD (1ull << 20)

static bool met_memory(const struct level *level)
{
	int v1 = level->v1[V1_MEMORY];

	if (v1 < 0)
		return read_number(level->v2, "memory.events.local", "oom ") > 0;
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
static void read_processes(const struct ces_cgroup *cgroup, const struct level *run,
			   const struct level *user, uint64_t limit, struct ces_cgroup_usage *ret)
{
	uint64_t peak = read_number(pids_dir(run), "pids.peak", "");
	bool tried = read_number(pids_dir(run), "pids.events", "max ") > 0;
	bool above = read_number(pids_dir(user), "pids.events", "max ") > cgroup->user_refused;

	ret->out_of_processes = tried || above;
	if (tried && (peak == 0 || peak >= limit))
		ret->processes = CES_LIMIT_OWN;
	else
		ret->processes = around(cgroup, read_number(pids_dir(user), "pids.max", "") > 0);
}

void ces_cgroup_read(const struct ces_cgroup *cgroup, const struct ces_policy_limits *limits,
		     struct ces_cgroup_usage *ret)
{
	int memory = cgroup->v1[V1_MEMORY];
	struct level run, user;

	run.v2 = cgroup->v2;
	memcpy(run.v1, cgroup->v1, sizeof(run.v1));
	open_user(cgroup, &user);
	ret->peak_memory = memory >= 0 ? read_number(memory, "memory.max_usage_in_bytes", "")
				       : read_number(cgroup->v2, "memory.peak", "");
	/* v2 has this file without the controller too (cgroup-v2.rst, cpu.stat) */
	ret->cpu_us = read_number(cgroup->v2, "cpu.stat", "usage_usec ");
	ret->out_of_memory =
	    (memory >= 0 ? read_number(memory, "memory.oom_control", "oom_kill ")
			 : read_number(cgroup->v2, "memory.events", "oom_kill ")) > 0;
	ret->memory = met_memory(&run) ? CES_LIMIT_OWN : around(cgroup, met_memory(&user));
	read_processes(cgroup, &run, &user, limits->pids, ret);
	close_user(&user);
}

void ces_cgroup_remove(struct ces_cgroup *cgroup)
{
	char helpers[WAY_MAX];

	ces_cleanup_close(&cgroup->v2);
	/* a cgroup that this process or another is in cannot be removed */
	path_of(cgroup, CES_HIERARCHY_V2, HELPERS, helpers);
	if (cgroup->left && write_text(cgroup->root, "cgroup.procs", "0") == 0)
		(void)unlinkat(cgroup->root, helpers, AT_REMOVEDIR);
	if (cgroup->root >= 0)
		remove_way(cgroup, CES_HIERARCHY_V2, cgroup->root);
	ces_cleanup_close(&cgroup->root);
	for (size_t i = 0; i < CES_CGROUP_V1; i++) {
		ces_cleanup_close(&cgroup->v1[i]);
		if (cgroup->v1_root[i] >= 0)
			remove_way(cgroup, (enum ces_hierarchy)(i + 1), cgroup->v1_root[i]);
		ces_cleanup_close(&cgroup->v1_root[i]);
	}
}

void ces_cgroup_clear(const struct ces_run_record *record)
{
	struct ces_cgroup cgroup = CES_CGROUP_NONE;
	struct ces_error ignored;
	char way[WAY_MAX];

	if (open_roots(&cgroup, &ignored) < 0)
		return;
	(void)snprintf(cgroup.name, sizeof(cgroup.name), "ces/%u/%s", (uid_t)record->uid,
		       record->run);
	for (size_t i = 0; i < record->cgroups.n && i < CES_HIERARCHIES; i++)
		(void)snprintf(cgroup.place.path[i], CES_PARENT_MAX, "%s", record->cgroups.v[i]);
	path_of(&cgroup, CES_HIERARCHY_V2, cgroup.name, way);
	cgroup.v2 = ces_beneath_open(cgroup.root, way, O_RDONLY | O_DIRECTORY, 0);
	ces_cgroup_kill(&cgroup);
	path_of(&cgroup, CES_HIERARCHY_V2, HELPERS, way);
	(void)unlinkat(cgroup.root, way, AT_REMOVEDIR); /* when the last process in it was killed */
	ces_cgroup_remove(&cgroup);
}
