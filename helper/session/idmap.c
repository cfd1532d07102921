/* Id maps. Must never map host uid or gid 0, nor an id of another caller's range. Every extent is
 * made here from numbers that were checked when the policy was loaded. A request or an image
 * supplies only the two inside ids, which are bounded. */
#include "helper/session/idmap.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/num.h"
#include "helper/core/beneath.h"
#include "helper/session/lock.h"

/* No start takes longer, and the kernel writes what is older. */
#define NEW_SECONDS 60

static void add(struct ces_idmap_side *side, uint32_t inside, uint32_t outside, uint32_t count)
{
	struct ces_idmap_extent *extents = side->v;
	size_t at = side->n;

	if (count == 0)
		return;
	/* ordered by inside id, which is how the kernel shows a map of more than five extents */
	for (; at > 0 && extents[at - 1].inside > inside; at--)
		extents[at] = extents[at - 1];
	extents[at] = (struct ces_idmap_extent){inside, outside, count};
	side->n++;
}

/* Maps 0..65535 onto base, but `self` onto `outside`; self may be above the span. */
static void add_span(struct ces_idmap_side *side, uint32_t self, uint32_t outside, uint32_t base)
{
	if (self >= CES_IDMAP_SPAN) {
		add(side, 0, base, CES_IDMAP_SPAN);
		add(side, self, outside, 1);
		return;
	}
	add(side, 0, base, self);
	add(side, self, outside, 1);
	add(side, self + 1, base + self + 1, CES_IDMAP_SPAN - self - 1);
}

int ces_idmap_make(const struct ces_caller *caller, uint32_t user, uint32_t group, uint32_t base,
		   const gid_t *project_gids, size_t n_project_gids, struct ces_idmap *ret,
		   struct ces_error *err)
{
	struct ces_idmap map = {.user = user, .group = group};
	uint32_t inside = CES_IDMAP_PROJECT_GID, n = 0;

	if (caller->uid == 0 || caller->gid == 0 || base < CES_IDMAP_SPAN)
		return ces_error_set(err, CES_E_HOST,
				     "your uid, gid or subordinate range cannot be mapped");
	add_span(&map.uid, user, caller->uid, base);
	add_span(&map.gid, group, caller->gid, base);
	for (size_t i = 0; i < n_project_gids && i < CES_DECISION_GROUPS; i++) {
		if (project_gids[i] == 0)
			return ces_error_set(err, CES_E_HOST, "gid 0 cannot be a project's group");
		/* a gid may stand in a map once only, and the primary group is already there */
		if (project_gids[i] == caller->gid)
			continue;
		inside += inside == group;
		add(&map.gid, inside, project_gids[i], 1);
		map.project_gids[n++] = inside++;
	}
	map.n_project_gids = n;
	*ret = map;
	return 0;
}

int ces_idmap_make_own(const struct ces_caller *caller, uint32_t base, const gid_t *project_gids,
		       size_t n_project_gids, struct ces_idmap *ret, struct ces_error *err)
{
	struct ces_caller other = *caller;
	gid_t gids[CES_DECISION_GROUPS];
	bool swap = n_project_gids > 0 && n_project_gids <= CES_DECISION_GROUPS;

	for (size_t i = 0; i < n_project_gids && swap; i++) {
		gids[i] = project_gids[i];
		swap = project_gids[i] != caller->gid;
	}
	if (!swap)
		return ces_idmap_make(caller, caller->uid, caller->gid, base, project_gids,
				      n_project_gids, ret, err);
	other.gid = gids[0];
	gids[0] = caller->gid;
	if (ces_idmap_make(&other, caller->uid, caller->gid, base, gids, n_project_gids, ret, err) <
	    0)
		return -1;
	ret->group = ret->project_gids[0];
	ret->project_gids[0] = caller->gid;
	return 0;
}

int ces_idmap_worker(uid_t uid, gid_t gid, uint32_t base, struct ces_idmap *ret,
		     struct ces_error *err)
{
	struct ces_idmap map = {0};

	if (uid == 0 || gid == 0 || base < CES_IDMAP_SPAN)
		return ces_error_set(err, CES_E_HOST,
				     "the worker's uid, gid or range cannot be mapped");
	add_span(&map.uid, 0, uid, base);
	add_span(&map.gid, 0, gid, base);
	*ret = map;
	return 0;
}

static uint32_t host_id(const struct ces_idmap_side *side, uint32_t inside)
{
	const struct ces_idmap_extent *extents = side->v;

	for (size_t i = 0; i < side->n; i++)
		if (inside >= extents[i].inside && inside - extents[i].inside < extents[i].count)
			return extents[i].outside + (inside - extents[i].inside);
	return UINT32_MAX;
}

static bool holds(const struct ces_idmap_side *side, uint32_t outside)
{
	const struct ces_idmap_extent *extents = side->v;

	for (size_t i = 0; i < side->n; i++)
		if (outside >= extents[i].outside &&
		    outside - extents[i].outside < extents[i].count)
			return true;
	return false;
}

bool ces_idmap_holds(const struct ces_idmap *map, uid_t uid, gid_t gid)
{
	return holds(&map->uid, uid) && holds(&map->gid, gid);
}

uint32_t ces_idmap_host_uid(const struct ces_idmap *map, uint32_t inside)
{
	return host_id(&map->uid, inside);
}

uint32_t ces_idmap_host_gid(const struct ces_idmap *map, uint32_t inside)
{
	return host_id(&map->gid, inside);
}

/* As the kernel shows it in /proc/PID/uid_map (kernel/user_namespace.c, uid_m_show). */
static size_t format(const struct ces_idmap_side *side, char *buffer, size_t size)
{
	size_t used = 0;

	buffer[0] = '\0';
	for (size_t i = 0; i < side->n; i++)
		used += (size_t)snprintf(buffer + used, size - used, "%10u %10u %10u\n",
					 side->v[i].inside, side->v[i].outside, side->v[i].count);
	return used;
}

/* Writes a map in one write, as the kernel demands. The kernel must then show the same bytes. */
static int write_one(pid_t pid, const char *file, const struct ces_idmap_side *side,
		     struct ces_error *err)
{
	char path[64], wanted[CES_IDMAP_EXTENTS * 34 + 1], found[sizeof(wanted) + 1];
	size_t length = format(side, wanted, sizeof(wanted));
	CES_CLEANUP_FD int fd = -1;
	ssize_t got;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || write(fd, wanted, length) != (ssize_t)length)
		return ces_error_errno(err, CES_E_HOST, "writing the %s", file);
	got = pread(fd, found, sizeof(found), 0);
	if (got != (ssize_t)length || memcmp(found, wanted, length) != 0)
		return ces_error_set(err, CES_E_HOST, "the %s did not take as written", file);
	return 0;
}

int ces_idmap_write(pid_t pid, const struct ces_idmap *map, struct ces_error *err)
{
	return write_one(pid, "uid_map", &map->uid, err) < 0
		   ? -1
		   : write_one(pid, "gid_map", &map->gid, err);
}

/* Finds the slot (1-based line) of uid in text; 0 if it has none. *ret_lines: lines in all. -1 for
 * a torn file. */
static int find_slot(char *text, uid_t uid, uint64_t *ret_slot, uint64_t *ret_lines)
{
	uint64_t lines = 0, slot = 0, value;
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		if (ces_num_parse(line, 1, UINT32_MAX - 1, &value) < 0)
			return -1;
		lines++;
		if (value == uid && slot == 0)
			slot = lines;
	}
	*ret_slot = slot;
	*ret_lines = lines;
	return 0;
}

/* whole: the length of the lines before it. */
static int append_slot(int fd, size_t whole, uid_t uid, struct ces_error *err)
{
	char line[16];
	int length = snprintf(line, sizeof(line), "%u\n", uid);

	if (ftruncate(fd, (off_t)whole) < 0 || lseek(fd, 0, SEEK_END) < 0 ||
	    write(fd, line, (size_t)length) != length)
		return ces_error_errno(err, CES_E_HOST, "writing the subordinate ids");
	return 0;
}

int ces_idmap_base(const struct ces_host *host, int store, uid_t uid, uint32_t *ret,
		   struct ces_error *err)
{
	CES_CLEANUP_FD int fd = ces_beneath_open(store, "subids", O_RDWR | O_CREAT, 0600);
	CES_CLEANUP_LOCK struct ces_lock lock = CES_LOCK_NONE;
	CES_CLEANUP_FREE char *text = NULL;
	uint64_t slot, lines;
	struct stat st;
	size_t length;

	if (uid >= host->subid_first &&
	    uid - host->subid_first <= (host->subid_users + 1) * host->subid_per_user)
		return ces_error_set(err, CES_E_HOST,
				     "your uid is in the policy's subordinate_ids");
	/* a lock, since two first runs at once must not take one slot. It is held for five seconds
	 * at most, since every start comes here, and a caller may freeze this process by the cgroup
	 * that it is in */
	if (fd < 0 || ces_lock_take(fd, CES_LOCK_SECONDS, &lock) < 0 ||
	    ces_read_file(fd, 1 << 20, &text, &length) < 0)
		return ces_error_errno(err, CES_E_HOST, "reading the subordinate ids");
	/* a line that a crash or a full disk has cut short gave nobody a slot. If the next line
	 * were written behind it, both would count as one, and a slot would be given twice */
	while (length > 0 && text[length - 1] != '\n')
		text[--length] = '\0';
	/* a crash may leave a NUL, and the lines after it would not be seen */
	if (strlen(text) != length || find_slot(text, uid, &slot, &lines) < 0)
		return ces_error_set(err, CES_E_HOST, "the list of subordinate ids is damaged");
	if (slot == 0) {
		if (lines >= host->subid_users)
			return ces_error_set(
			    err, CES_E_LIMIT,
			    "all %llu subordinate id ranges are taken (host.subordinate_ids.users)",
			    (unsigned long long)host->subid_users);
		if (append_slot(fd, length, uid, err) < 0)
			return -1;
		slot = lines + 1;
	}
	/* without the lock: a busy disk may need longer than it may be held. So a new line may be
	 * that of another start, which still waits for the disk. If it were lost after a run, the
	 * slot would be given twice */
	ces_lock_release(&lock);
	if (fstat(fd, &st) < 0 ||
	    (time(NULL) - st.st_mtime < NEW_SECONDS && (fsync(fd) < 0 || fsync(store) < 0)))
		return ces_error_errno(err, CES_E_HOST, "writing the subordinate ids");
	if (slot > host->subid_users)
		return ces_error_set(err, CES_E_LIMIT,
				     "your subordinate id range is beyond the policy's users");
	*ret = (uint32_t)(host->subid_first + slot * host->subid_per_user);
	return 0;
}
