/* Finds the place of a run's cgroup. Must not take a word from the caller (SLURM_JOB_ID and the
 * like are theirs to set), and must not make anything. */
#include "helper/launch/parent.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "helper/core/beneath.h"

#define UNIT     "system.slice/ces.service" /* systemd/ces.service */
#define SESSIONS "user.slice/"
#define TEXT_MAX 65536

const char *const ces_hierarchy_names[CES_HIERARCHIES] = {"", "memory", "cpu", "pids"};

/* (%n stores how far the text is as written here, and stores nothing where it ended before) */
size_t ces_parent_is_job(const char *path, bool v2, size_t ret_ends[CES_PARENT_DEPTHS])
{
	const char *at = v2 ? strstr(path, "slurmstepd.scope/") : path + strspn(path, "/");
	int ends[CES_PARENT_DEPTHS] = {0};
	size_t n = 0;

	if (at == NULL || (at > path && strchr("/_", at[-1]) == NULL))
		return 0;
	if (v2) {
		/* slurmstepd's own is beside the user's */
		(void)sscanf(at, "slurmstepd.scope/job_%*[0-9]%n/step_%*[^/]%n/user%n", &ends[0],
			     &ends[1], &ends[2]);
	} else {
		(void)sscanf(at, "slurm/uid_%*[0-9]/job_%*[0-9]%n/step_%*[^/]%n", &ends[0],
			     &ends[1]);
		(void)sscanf(at, "slurm_%*[^/]/uid_%*[0-9]/job_%*[0-9]%n/step_%*[^/]%n", &ends[0],
			     &ends[1]);
	}
	/* each must be the end of a name (strchr finds the NUL as well) */
	for (; n < CES_PARENT_DEPTHS && ends[n] > 0 && strchr("/", at[ends[n]]) != NULL; n++)
		ret_ends[n] = (size_t)(at - path) + (size_t)ends[n];
	return n;
}

/* Whether root alone can change this cgroup or move processes in or out of it. Checks every
 * directory on the way to path. A directory that is root's now stays so: only root could give it
 * away, rename it or put another in its place. */
static bool path_is_roots(int root, const char *path)
{
	char part[CES_PARENT_MAX];
	struct stat st;

	for (size_t end = strcspn(path, "/");; end += 1 + strcspn(path + end + 1, "/")) {
		CES_CLEANUP_FD int dir = -1;

		(void)snprintf(part, sizeof(part), "%.*s", (int)end, path);
		dir = ces_beneath_open(root, part, O_RDONLY | O_DIRECTORY, 0);
		if (dir < 0 || fstat(dir, &st) < 0 || st.st_uid != 0 ||
		    (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
			return false;
		if (path[end] == '\0')
			return true;
	}
}

static bool in_list(const char *list, size_t length, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = list; at < list + length; at += strcspn(at, ",:") + 1)
		if (strcspn(at, ",:") == n && strncmp(at, name, n) == 0)
			return true;
	return length == 0 && n == 0; /* v2 */
}

const char *ces_parent_path(const char *text, enum ces_hierarchy which, size_t *ret_length)
{
	for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
		const char *list = strchr(line, ':');
		const char *path = list == NULL ? NULL : strchr(list + 1, ':');
		const char *end = path == NULL ? NULL : strchr(path, '\n');

		if (end == NULL)
			return NULL;
		list++;
		if (!in_list(list, (size_t)(path - list), ces_hierarchy_names[which]))
			continue;
		path += 1 + strspn(path + 1, "/");
		*ret_length = (size_t)(end - path);
		return path;
	}
	return NULL;
}

/* Finds the deepest part of the job that is root's all the way: old versions give the step's
 * directory to the user. */
static bool find_job(int root, const char *text, enum ces_hierarchy which, char ret[CES_PARENT_MAX])
{
	size_t ends[CES_PARENT_DEPTHS], n, length;
	const char *own = ces_parent_path(text, which, &length);
	char path[CES_PARENT_MAX];

	if (own == NULL || length >= sizeof(path))
		return false;
	(void)snprintf(path, sizeof(path), "%.*s", (int)length, own);
	for (n = ces_parent_is_job(path, which == CES_HIERARCHY_V2, ends); n > 0; n--) {
		path[ends[n - 1]] = '\0';
		if (path_is_roots(root, path)) {
			(void)snprintf(ret, CES_PARENT_MAX, "%s", path);
			return true;
		}
	}
	return false;
}

/* While the unit starts, its process is still in the unit's own cgroup. Then that cgroup can pass
 * no controllers on to children (cgroup-v2.rst, "No Internal Process Constraint"). */
static bool unit_is_ready(int root)
{
	CES_CLEANUP_FD int fd = ces_beneath_open(root, UNIT "/cgroup.procs", O_RDONLY, 0);
	char byte;

	return fd >= 0 && read(fd, &byte, 1) == 0;
}

static void find_auto(int root, const char *text, enum ces_hierarchy which, bool v2_alone,
		      struct ces_parent *ret)
{
	if (find_job(root, text, which, ret->path[which]))
		ret->job = true;
	else if (path_is_roots(root, UNIT) && (!v2_alone || unit_is_ready(root)))
		(void)snprintf(ret->path[which], CES_PARENT_MAX, "%s", UNIT);
}

int ces_parent_find(const struct ces_host *host, const int roots[CES_HIERARCHIES],
		    struct ces_parent *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	CES_CLEANUP_FREE char *text = NULL;
	const char *own;
	size_t length;

	memset(ret, 0, sizeof(*ret));
	if (fd < 0 || ces_read_file(fd, TEXT_MAX, &text, &length) < 0)
		return ces_error_errno(err, CES_E_HOST, "/proc/self/cgroup");
	own = ces_parent_path(text, CES_HIERARCHY_V2, &length);
	ret->session = own != NULL && strncmp(own, SESSIONS, strlen(SESSIONS)) == 0;
	for (enum ces_hierarchy i = 0; i < CES_HIERARCHIES; i++) {
		if (roots[i] < 0)
			continue;
		if (host->cgroup_parent == CES_CGROUP_AUTO)
			find_auto(roots[i], text, i, roots[CES_HIERARCHY_MEMORY] < 0, ret);
		else if (snprintf(ret->path[i], CES_PARENT_MAX, "%s",
				  host->cgroup_path + strspn(host->cgroup_path, "/")) >=
			 CES_PARENT_MAX)
			return ces_error_set(err, CES_E_POLICY, "host.cgroup_parent is too long");
	}
	return 0;
}
