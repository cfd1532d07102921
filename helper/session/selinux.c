/* Contexts. Must not decide what a domain may do (selinux/ces.te does), nor decide by the label of
 * any file but the policy: the kernel refuses every other file that is not labelled as it should
 * be. */
#include "helper/session/selinux.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/record.h"
#include "helper/session/runs.h"

#define SELINUXFS "/sys/fs/selinux"

/* The reference policy's number of categories: c0 to c1023. */
#define CATEGORIES 1024u

/* Asks whether the loaded policy has such a context: selinuxfs answers a write. */
static bool is_known(const char *context)
{
	CES_CLEANUP_FD int fd = open(SELINUXFS "/context", O_RDWR | O_CLOEXEC);
	size_t length = strlen(context);

	return fd >= 0 && write(fd, context, length) == (ssize_t)length;
}

struct search {
	uint64_t pair;
	bool taken;
};

static void compare(const struct ces_run_record *record, bool alive, void *context)
{
	struct search *search = context;

	search->taken |= alive && record->categories == search->pair;
}

static int draw_pair(uint64_t *ret, struct ces_error *err)
{
	uint32_t random[2];
	uint64_t one, other;

	do {
		if (getrandom(random, sizeof(random), 0) != sizeof(random))
			return ces_error_errno(err, CES_E_HOST, "random numbers");
		one = random[0] % CATEGORIES;
		other = random[1] % CATEGORIES;
	} while (one == other);
	*ret = one < other ? one << 16 | other : other << 16 | one;
	return 0;
}

int ces_selinux_choose(bool on, int runs, struct ces_selinux *ret, struct ces_error *err)
{
	/* container-selinux's, for the domain container_t; CES's own if that is not loaded */
	static const char *const types[] = {"container_file_t", "ces_container_file_t"};
	struct search search = {.taken = true};
	struct ces_selinux selinux = {.on = on};

	while (on && search.taken) {
		if (draw_pair(&search.pair, err) < 0)
			return -1;
		search.taken = false;
		if (ces_runs_each(runs, CES_EACH_RUN, compare, &search) < 0)
			return ces_error_errno(err, CES_E_HOST, "reading the register of runs");
	}
	selinux.pair = search.pair;
	for (size_t i = 0; on && i < CES_COUNT(types); i++) {
		char context[CES_SELINUX_CONTEXT];

		selinux.file_type = types[i];
		ces_selinux_file_context(&selinux, context);
		if (is_known(context))
			break;
		if (i + 1 == CES_COUNT(types))
			return ces_error_set(err, CES_E_HOST, "the SELinux policy does not know %s",
					     context);
	}
	*ret = selinux;
	return 0;
}

static void format(const struct ces_selinux *selinux, const char *role, const char *type,
		   char ret[CES_SELINUX_CONTEXT])
{
	(void)snprintf(ret, CES_SELINUX_CONTEXT, "system_u:%s:%s:s0:c%u,c%u", role, type,
		       (unsigned)(selinux->pair >> 16), (unsigned)(selinux->pair & 0xffff));
}

void ces_selinux_file_context(const struct ces_selinux *selinux, char ret[CES_SELINUX_CONTEXT])
{
	ret[0] = '\0';
	if (selinux->on)
		format(selinux, "object_r", selinux->file_type, ret);
}

void ces_selinux_runtime_context(const struct ces_selinux *selinux, char ret[CES_SELINUX_CONTEXT])
{
	ret[0] = '\0';
	if (selinux->on)
		format(selinux, "system_r", "ces_runtime_t", ret);
}

/* Who controls it: the caller chose the pipes and has their other ends. They may pass something
 * else here (a FIFO with a name, of somebody else's), but that has the label of a file, and the
 * policy lets this domain relabel only objects with the label of a user's process. */
int ces_selinux_share_stdio(const struct ces_selinux *selinux)
{
	char context[CES_SELINUX_CONTEXT], has[CES_SELINUX_CONTEXT];

	ces_selinux_file_context(selinux, context);
	for (int fd = 0; selinux->on && fd <= STDERR_FILENO; fd++) {
		struct stat st;
		ssize_t n;

		if (fstat(fd, &st) < 0)
			return -1;
		if (!S_ISFIFO(st.st_mode))
			continue;
		/* the same pipe may be at two fds: the second time it has the container's context
		 * already */
		n = fgetxattr(fd, "security.selinux", has, sizeof(has) - 1);
		has[n < 0 ? 0 : n] = '\0';
		if (strcmp(has, context) != 0 &&
		    fsetxattr(fd, "security.selinux", context, strlen(context), 0) < 0)
			return -1;
	}
	return 0;
}

/* Writes an attr(5) file of /proc: a short write is an error of the kernel's own. */
static int set_attribute(const char *path, const char *context)
{
	CES_CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);

	/* an empty line clears the attribute (proc_pid_attr(5)) */
	return fd >= 0 && write(fd, context, strlen(context)) > 0 ? 0 : -1;
}

int ces_selinux_create_private(const struct ces_selinux *selinux, bool begin)
{
	char context[CES_SELINUX_CONTEXT];

	if (!selinux->on)
		return 0;
	ces_selinux_file_context(selinux, context);
	return set_attribute("/proc/thread-self/attr/fscreate", begin ? context : "\n");
}
