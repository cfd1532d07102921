/* Contexts. Must not decide what a domain may do (selinux/ces.te does), nor read a label of a file
 * to decide by it, but the policy's: what else is not labelled as it should be is refused by the
 * kernel. */
#include "helper/core/selinux.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/paths.h"
#include "helper/core/runs.h"

#define SELINUXFS   "/sys/fs/selinux"
#define HELPER_TYPE "ces_helper_t"
#define POLICY_TYPE "ces_etc_t"

/* The reference policy's number of categories: c0 to c1023. */
#define CATEGORIES 1024u

/* One short text; -1 where there is none. */
static int read_text(const char *path, char *ret, size_t size)
{
	CES_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1);

	if (n < 0)
		return -1;
	ret[n] = '\0';
	return 0;
}

/* Mounted by root at boot, and only where SELinux is enabled; a caller who could put something else
 * there is in a user namespace of his own, where the helper does not start. */
static bool is_enabled(void)
{
	struct statfs fs;

	return statfs(SELINUXFS, &fs) == 0 && (unsigned)fs.f_type == SELINUX_MAGIC;
}

/* Whether a context, user:role:type[:level], has this type. */
static bool has_type(const char *context, const char *wanted)
{
	const char *type = strchr(context, ':');

	type = type == NULL ? NULL : strchr(type + 1, ':');
	if (type == NULL || strncmp(type + 1, wanted, strlen(wanted)) != 0)
		return false;
	type += 1 + strlen(wanted);
	return *type == ':' || *type == '\0';
}

static bool in_own_domain(void)
{
	char context[256];

	return read_text("/proc/self/attr/current", context, sizeof(context)) == 0 &&
	       has_type(context, HELPER_TYPE);
}

/* The one label that is looked at here: this domain must be able to read what any program's
 * configuration may be labelled, so that the kernel would let it read a policy that more domains
 * than the administrator's may write. Who controls it: root, as the file (policy/read.c). */
static bool policy_has_label(void)
{
	char context[256];
	ssize_t n = getxattr(CES_POLICY_PATH, "security.selinux", context, sizeof(context) - 1);

	if (n < 0)
		return false;
	context[n] = '\0';
	return has_type(context, POLICY_TYPE);
}

int ces_selinux_admit(bool required, bool *ret_on, struct ces_error *err)
{
	char enforcing[16] = "0";
	bool on = is_enabled();

	/* what cannot be read counts as not enforcing: that only ever refuses more */
	if (!on || read_text(SELINUXFS "/enforce", enforcing, sizeof(enforcing)) < 0)
		enforcing[0] = '0';
	if (required && enforcing[0] != '1')
		return ces_error_rule(err, CES_E_POLICY, "host.selinux",
				      "SELinux is %s on this machine, and the policy requires it; "
				      "your administrator can see why with: ces-client doctor",
				      on ? "permissive" : "off");
	on = on && in_own_domain();
	/* whatever the file says, the kernel confines nothing of an enforcing host's without the
	 * domains */
	if (!on && (required || enforcing[0] == '1'))
		return ces_error_set(err, CES_E_HOST,
				     "SELinux is enforcing, but CES is not in its domain there; "
				     "your administrator can see why with: ces-client doctor");
	if (enforcing[0] == '1' && !policy_has_label())
		return ces_error_set(
		    err, CES_E_POLICY,
		    "SELinux is enforcing, but %s is not labelled as CES's policy; "
		    "your administrator can see why with: ces-client doctor",
		    CES_POLICY_PATH);
	*ret_on = on;
	return 0;
}

/* Whether the loaded policy has such a context: selinuxfs answers a write. */
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
	/* container-selinux's, for the domain container_t; CES's own where that is not loaded */
	static const char *const types[] = {"container_file_t", "ces_container_file_t"};
	struct search search = {.taken = true};
	struct ces_selinux selinux = {.on = on};

	while (on && search.taken) {
		if (draw_pair(&search.pair, err) < 0)
			return -1;
		search.taken = false;
		if (ces_runs_each(runs, compare, &search) < 0)
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

/* Who controls it: the caller chose the pipes and has their other ends; what else he may pass here
 * (a FIFO with a name, of somebody else's) has a label of a file, and the policy lets this domain
 * relabel what has the label of a user's process only. */
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
		/* one pipe may be two of them, and is no user's any more the second time */
		n = fgetxattr(fd, "security.selinux", has, sizeof(has) - 1);
		has[n < 0 ? 0 : n] = '\0';
		if (strcmp(has, context) != 0 &&
		    fsetxattr(fd, "security.selinux", context, strlen(context), 0) < 0)
			return -1;
	}
	return 0;
}

/* attr(5) files of /proc: a short write is an error of the kernel's own. */
static int set_attribute(const char *path, const char *context)
{
	CES_CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);

	/* an empty line takes it back (proc_pid_attr(5)) */
	return fd >= 0 && write(fd, context, strlen(context)) > 0 ? 0 : -1;
}

int ces_selinux_exec_runtime(const struct ces_selinux *selinux)
{
	char context[CES_SELINUX_CONTEXT];

	if (!selinux->on)
		return 0;
	format(selinux, "system_r", "ces_runtime_t", context);
	return set_attribute("/proc/thread-self/attr/exec", context);
}

bool ces_selinux_holds(const struct ces_selinux *selinux, const char *context)
{
	static const char *const types[] = {"container_t", "ces_container_t"};
	char wanted[CES_SELINUX_CONTEXT];

	for (size_t i = 0; selinux->on && i < CES_COUNT(types); i++) {
		format(selinux, "system_r", types[i], wanted);
		if (strcmp(context, wanted) == 0)
			return true;
	}
	return !selinux->on;
}

int ces_selinux_create_private(const struct ces_selinux *selinux, bool begin)
{
	char context[CES_SELINUX_CONTEXT];

	if (!selinux->on)
		return 0;
	ces_selinux_file_context(selinux, context);
	return set_attribute("/proc/thread-self/attr/fscreate", begin ? context : "\n");
}
