/* Checks the mounts of a container, as the kernel lists them (proc_pid_mountinfo(5)). Must not
 * leave one out, and must not take one for another's place: each planned mount matches one line. */
#include "helper/audit/proof_mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "helper/audit/proc.h"
#include "helper/core/beneath.h"
#include "helper/launch/profile.h"

#define MOUNTINFO_MAX (1u << 20)

struct planned {
	char destination[300];
	const char *type; /* NULL: any */
	unsigned long flags;
	bool below;  /* mounts below it on the host come along, with the same flags */
	bool masked; /* /dev/null, or a directory that is empty for good */
	bool where;  /* planned only if the kernel has it at all */
	bool seen;
};

struct table {
	struct planned *v;
	size_t n;
};

/* One line. */
struct mounted {
	char *root, *destination, *options, *type;
	unsigned long flags;
};

static struct planned *add(struct table *table, const char *destination, const char *type,
			   unsigned long flags)
{
	struct planned *it = &table->v[table->n++];
	size_t length;

	*it = (struct planned){.type = type, .flags = flags};
	(void)snprintf(it->destination, sizeof(it->destination), "%s", destination);
	length = strlen(it->destination);
	if (length > 1 && it->destination[length - 1] == '/')
		it->destination[length - 1] = '\0';
	return it;
}

static void add_paths(struct table *table, const char *const *paths, unsigned long flags,
		      bool masked)
{
	for (; *paths != NULL; paths++) {
		struct planned *it = add(table, *paths, NULL, flags);

		it->masked = masked;
		it->where = true;
	}
}

static unsigned long flags_of(bool read_only)
{
	return MS_NOSUID | MS_NODEV | (read_only ? MS_RDONLY : 0ul);
}

static int make_table(const struct ces_plan *plan, struct table *ret, struct ces_error *err)
{
	static const size_t others = 64; /* the root, /dev/shm, /dev/console, GPUs, both lists */
	const struct ces_decision *decision = plan->decision;

	ret->v = calloc(others + ces_profile_n_mounts + plan->n_mounts + decision->n_tmpfs,
			sizeof(*ret->v));
	if (ret->v == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	(void)add(ret, "/", "overlay", flags_of(decision->read_only));
	for (size_t i = 0; i < ces_profile_n_mounts; i++) {
		const struct ces_profile_mount *it = &ces_profile_mounts[i];

		(void)add(ret, it->destination, strcmp(it->type, "bind") == 0 ? "tmpfs" : it->type,
			  it->flags);
	}
	(void)add(ret, "/dev/shm", "tmpfs", flags_of(false));
	if (plan->tty)
		(void)add(ret, "/dev/console", "devpts", 0);
	if (plan->gpus.n_names > 0)
		add(ret, CES_GPU_DIR, NULL, flags_of(true))->below = true;
	for (size_t i = 0; i < plan->n_mounts; i++)
		add(ret, plan->mounts[i].destination, NULL, flags_of(plan->mounts[i].read_only))
		    ->below = true;
	for (size_t i = 0; i < decision->n_tmpfs; i++)
		(void)add(ret, decision->tmpfs[i].destination, "tmpfs", flags_of(false));
	add_paths(ret, ces_profile_masked, 0, true);
	add_paths(ret, ces_profile_read_only, MS_RDONLY, false);
	return 0;
}

/* The kernel writes space, tab, newline and backslash as three octal digits. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from != '\0'; from++)
		if (*from == '\\' && strspn(from + 1, "01234567") >= 3) {
			*to++ =
			    (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 3;
		} else {
			*to++ = *from;
		}
	*to = '\0';
}

static unsigned long parse_flags(const char *options)
{
	static const struct {
		const char *word;
		unsigned long flag;
	} words[] = {
	    {"ro", MS_RDONLY}, {"nosuid", MS_NOSUID}, {"nodev", MS_NODEV}, {"noexec", MS_NOEXEC}};
	unsigned long flags = 0;

	for (const char *at = options; *at != '\0'; at += at[strcspn(at, ",")] == ',') {
		size_t length = strcspn(at, ",");

		for (size_t i = 0; i < CES_COUNT(words); i++)
			if (strlen(words[i].word) == length &&
			    strncmp(at, words[i].word, length) == 0)
				flags |= words[i].flag;
		at += length;
	}
	return flags;
}

/* "ID PARENT MAJOR:MINOR ROOT DESTINATION OPTIONS [TAG]... - TYPE SOURCE OPTIONS" */
static int parse_line(char *line, struct mounted *ret)
{
	char *fields[6], *save = NULL, *dash = strstr(line, " - ");

	if (dash == NULL)
		return -1;
	*dash = '\0';
	for (size_t i = 0; i < CES_COUNT(fields); i++) {
		fields[i] = strtok_r(i == 0 ? line : NULL, " ", &save);
		if (fields[i] == NULL)
			return -1;
	}
	ret->root = fields[3];
	ret->destination = fields[4];
	ret->options = fields[5];
	ret->type = strtok_r(dash + 3, " ", &save);
	unescape(ret->root);
	unescape(ret->destination);
	ret->flags = parse_flags(ret->options);
	return ret->type == NULL ? -1 : 0;
}

static bool is_below(const char *path, const char *above)
{
	size_t length = strlen(above);

	return strncmp(path, above, length) == 0 && path[length] == '/';
}

/* The planned mount that this mount is or comes along with; NULL: none. */
static struct planned *find(const struct table *table, const struct mounted *mounted)
{
	struct planned *along = NULL;

	for (size_t i = 0; i < table->n; i++) {
		struct planned *it = &table->v[i];

		if (!it->seen && strcmp(it->destination, mounted->destination) == 0)
			return it;
		if (it->below && is_below(mounted->destination, it->destination))
			along = it;
	}
	return along;
}

static bool is_masked(const struct mounted *mounted)
{
	return strcmp(mounted->type, "tmpfs") == 0 &&
	       ((mounted->flags & MS_RDONLY) != 0 || strcmp(mounted->root, "/dev/null") == 0);
}

static int check(struct table *table, const struct mounted *mounted, struct ces_error *err)
{
	struct planned *it = find(table, mounted);
	unsigned long missing = it == NULL ? 0 : it->flags & ~mounted->flags;

	if (it == NULL)
		return ces_error_set(err, CES_E_HOST, "%s is mounted, and is not in the plan",
				     mounted->destination);
	if ((missing & MS_RDONLY) != 0)
		return ces_error_set(err, CES_E_HOST, "%s can be written", mounted->destination);
	if (missing != 0)
		return ces_error_set(err, CES_E_HOST, "%s is mounted without its flags (%s)",
				     mounted->destination, mounted->options);
	if (it->masked && !is_masked(mounted))
		return ces_error_set(err, CES_E_HOST, "%s can be seen", mounted->destination);
	if (it->type != NULL && strcmp(it->type, mounted->type) != 0)
		return ces_error_set(err, CES_E_HOST, "%s is a %s, not a %s", mounted->destination,
				     mounted->type, it->type);
	it->seen |= strcmp(it->destination, mounted->destination) == 0;
	return 0;
}

/* Notes "/safe_data ro,nosuid,nodev,relatime ext4". Counts masked mounts and does not name them. */
static void note(struct ces_json *list, const struct table *table, const struct mounted *mounted,
		 uint64_t *masked)
{
	char line[1024];

	for (size_t i = 0; i < table->n; i++)
		if (table->v[i].masked &&
		    strcmp(table->v[i].destination, mounted->destination) == 0) {
			(*masked)++;
			return;
		}
	(void)snprintf(line, sizeof(line), "%.700s %s %s", mounted->destination, mounted->options,
		       mounted->type);
	ces_text_clean(line);
	ces_json_text(list, NULL, line);
}

static int check_lines(struct table *table, char *text, struct ces_json *record,
		       struct ces_error *err)
{
	uint64_t masked = 0;
	char *save = NULL;
	int result = 0;

	ces_json_list(record, "mounted");
	for (char *line = strtok_r(text, "\n", &save); line != NULL && result == 0;
	     line = strtok_r(NULL, "\n", &save)) {
		struct mounted mounted;

		if (parse_line(line, &mounted) < 0) {
			result = ces_error_set(err, CES_E_HOST, "its mounts cannot be read");
			break;
		}
		note(record, table, &mounted, &masked);
		result = check(table, &mounted, err);
	}
	ces_json_close(record);
	ces_json_number(record, "masked", masked);
	return result;
}

/* A path of /proc or /sys exists here if it exists there: both show the same kernel. */
static int check_seen(const struct table *table, struct ces_error *err)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct planned *it = &table->v[i];

		if (!it->seen && !(it->where && access(it->destination, F_OK) < 0))
			return ces_error_set(err, CES_E_HOST, "%s is not %s", it->destination,
					     it->masked  ? "hidden"
					     : it->where ? "protected from writing"
							 : "mounted");
	}
	return 0;
}

/* Each mounted directory must be the very one that was opened with the caller's rights (no two have
 * one destination, and ces-inside mounts the outer of two first: so no mount hides another), and
 * the root must be the overlay that the helper has mounted. The runtime cannot take off the flags
 * of that overlay, but it could mount another. */
static int check_directories(const struct ces_plan *plan, int proc, struct ces_error *err)
{
	CES_CLEANUP_FD int root = openat(proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat whole, own;

	if (root < 0 || fstat(root, &whole) < 0 || stat("/m", &own) < 0)
		return ces_error_errno(err, CES_E_HOST, "its root directory");
	if (whole.st_dev != own.st_dev || whole.st_ino != own.st_ino)
		return ces_error_set(err, CES_E_HOST, "its root is another directory");
	for (size_t i = 0; i < plan->n_mounts; i++) {
		const char *destination = plan->mounts[i].destination;
		CES_CLEANUP_FD int fd = ces_beneath_open(root, destination + 1, O_PATH, 0);
		struct stat its, planned;

		if (fd < 0 || fstat(fd, &its) < 0 || fstat(plan->mounts[i].fd, &planned) < 0)
			return ces_error_errno(err, CES_E_HOST, "%s", destination);
		if (its.st_dev != planned.st_dev || its.st_ino != planned.st_ino)
			return ces_error_set(err, CES_E_HOST, "%s is another directory",
					     destination);
	}
	return 0;
}

static void see_descriptor(int dirfd, const char *name, void *beyond)
{
	(void)dirfd;
	*(bool *)beyond |= strtoul(name, NULL, 10) > STDERR_FILENO;
}

/* A directory outside leads past every mount, as a descriptor or as the working directory
 * (CVE-2016-9962, CVE-2024-21626). mountinfo: its mounts, with their numbers. */
static int check_ways_out(int proc, const char *mountinfo, struct ces_error *err)
{
	CES_CLEANUP_FD int fds = openat(proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CES_CLEANUP_FD int cwd = openat(proc, "cwd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char path[40], info[256], line[32];
	bool beyond = false;
	const char *at;

	if (ces_beneath_each(fds, see_descriptor, &beyond) < 0)
		return ces_error_errno(err, CES_E_HOST, "its descriptors");
	if (beyond)
		return ces_error_set(err, CES_E_HOST, "it has a descriptor of the runtime's");
	/* (proc_pid_fdinfo(5), which asks no file server) */
	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", cwd);
	if (cwd < 0 || ces_read_text(AT_FDCWD, path, info, sizeof(info)) < 0 ||
	    (at = strstr(info, "\nmnt_id:")) == NULL)
		return ces_error_errno(err, CES_E_HOST, "its working directory");
	(void)snprintf(line, sizeof(line), "\n%lu ", strtoul(at + 8, NULL, 10));
	return strncmp(mountinfo, line + 1, strlen(line) - 1) == 0 ||
		       strstr(mountinfo, line) != NULL
		   ? 0
		   : ces_error_set(err, CES_E_HOST, "its working directory is outside");
}

int ces_proof_mounts(const struct ces_plan *plan, int proc, struct ces_json *record,
		     struct ces_error *err)
{
	CES_CLEANUP_FREE char *text = malloc(MOUNTINFO_MAX);
	struct table table = {0};
	int result;

	if (text == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	if (ces_proc_read(proc, "mountinfo", text, MOUNTINFO_MAX, err) < 0 ||
	    check_ways_out(proc, text, err) < 0 || make_table(plan, &table, err) < 0)
		return -1;
	result = check_lines(&table, text, record, err);
	if (result == 0)
		result = check_seen(&table, err);
	free(table.v);
	return result == 0 ? check_directories(plan, proc, err) : -1;
}
