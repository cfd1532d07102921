/* Makes config.json. Must not let image content steer the host: only the image's entrypoint,
 * command, environment, working directory and user come in, as data in fixed places. No hook,
 * label, volume or annotation of anybody's comes in. The one annotation is CES's own system call
 * filter, compiled when CES was built. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/paths.h"
#include "helper/inside/inside.h"
#include "helper/launch/profile.h"
#include "policy/cdi.h"

#define FILTER_MAX (1u << 20)

typedef struct ces_json *json;

/* NULL ends values. */
static void put_list(json to, const char *key, const char *const *values)
{
	ces_json_list(to, key);
	for (; *values != NULL; values++)
		ces_json_text(to, NULL, *values);
	ces_json_close(to);
}

static void put_user(const struct ces_inside_order *order, json to)
{
	ces_json_object(to, "user");
	ces_json_number(to, "uid", order->uid);
	ces_json_number(to, "gid", order->gid);
	ces_json_number(to, "umask", 022);
	ces_json_list(to, "additionalGids");
	for (size_t i = 0; i < order->n_gids; i++)
		ces_json_number(to, NULL, order->gids[i]);
	ces_json_close(to);
	ces_json_close(to);
}

static void put_capabilities(const struct ces_inside_order *order, json to)
{
	static const char *const sets[] = {"bounding", "effective", "permitted", "inheritable",
					   "ambient"};
	/* a user has none but the bounding set */
	size_t full = order->uid == 0 ? 3 : 1;

	ces_json_object(to, "capabilities");
	for (size_t set = 0; set < CES_COUNT(sets); set++) {
		ces_json_list(to, sets[set]);
		for (size_t i = 0; i < ces_profile_n_capabilities && set < full; i++)
			ces_json_text(to, NULL, ces_profile_capabilities[i].name);
		ces_json_close(to);
	}
	ces_json_close(to);
}

static void put_process(const struct ces_inside *inside, json to)
{
	const struct ces_inside_order *order = &inside->order;
	const struct ces_strings *command = &inside->rows[CES_INSIDE_ROW_COMMAND];

	ces_json_object(to, "process");
	ces_json_bool(to, "terminal", order->tty);
	if (order->tty) {
		ces_json_object(to, "consoleSize");
		ces_json_number(to, "height", order->rows);
		ces_json_number(to, "width", order->columns);
		ces_json_close(to);
	}
	put_user(order, to);
	ces_json_list(to, "args");
	for (size_t i = 0; i < command->n; i++)
		ces_json_text(to, NULL, command->v[i]);
	ces_json_close(to);
	ces_json_list(to, "env");
	ces_inside_environment(inside, to);
	ces_json_close(to);
	ces_json_text(to, "cwd", ces_inside_text(inside, CES_INSIDE_CWD));
	put_capabilities(order, to);
	ces_json_bool(to, "noNewPrivileges", true);
	ces_json_close(to);
}

/* more: options other than flags, separated by ','; or NULL. */
static void add_mount(json mounts, const char *destination, const char *type, const char *source,
		      unsigned long flags, const char *more)
{
	static const struct {
		unsigned long flag;
		const char *option;
	} words[] = {
	    {MS_NOSUID, "nosuid"}, {MS_NOEXEC, "noexec"}, {MS_NODEV, "nodev"}, {MS_RDONLY, "ro"}};
	char copy[128], *save = NULL;

	ces_json_object(mounts, NULL);
	ces_json_text(mounts, "destination", destination);
	ces_json_text(mounts, "type", type);
	ces_json_text(mounts, "source", source);
	ces_json_list(mounts, "options");
	(void)snprintf(copy, sizeof(copy), "%s", more != NULL ? more : "");
	for (char *word = strtok_r(copy, ",", &save); word != NULL;
	     word = strtok_r(NULL, ",", &save))
		ces_json_text(mounts, NULL, word);
	for (size_t i = 0; i < CES_COUNT(words); i++)
		if ((flags & words[i].flag) != 0)
			ces_json_text(mounts, NULL, words[i].option);
	ces_json_close(mounts);
	ces_json_close(mounts);
}

static void add_bind(json mounts, const char *destination, const char *source, bool read_only)
{
	/* the flags are on the mount already and locked; runc wants them repeated */
	add_mount(mounts, destination, "bind", source,
		  MS_NOSUID | MS_NODEV | (read_only ? MS_RDONLY : 0ul), "rbind");
}

static void add_tmpfs(json mounts, const char *destination, uint64_t bytes)
{
	char more[64];

	(void)snprintf(more, sizeof(more), "mode=1777,size=%llu", (unsigned long long)bytes);
	add_mount(mounts, destination, "tmpfs", "tmpfs", MS_NOSUID | MS_NODEV, more);
}

/* The number of names in a path. */
static size_t depth_of(const char *path)
{
	size_t n = 0;

	for (; *path != '\0'; path++)
		n += *path == '/';
	return n;
}

/* Adds the tmpfs of one depth; 0: the home. */
static size_t add_tmpfs_mounts(json mounts, const struct ces_inside *inside, size_t depth)
{
	const struct ces_strings *tmpfs = &inside->rows[CES_INSIDE_ROW_TMPFS];
	const char *home = ces_inside_text(inside, CES_INSIDE_HOME);
	size_t n = 0;

	for (size_t i = 0; i < tmpfs->n; i++) {
		if ((strcmp(tmpfs->v[i], home) == 0 ? 0 : depth_of(tmpfs->v[i])) != depth)
			continue;
		add_tmpfs(mounts, tmpfs->v[i], inside->order.sizes[i]);
		n++;
	}
	return n;
}

static size_t add_binds(json mounts, const struct ces_inside *inside, size_t depth)
{
	const struct ces_strings *binds = &inside->rows[CES_INSIDE_ROW_MOUNTS];
	char source[32];
	size_t n = 0;

	for (size_t i = 0; i < binds->n; i++) {
		if (depth_of(binds->v[i]) != depth)
			continue;
		(void)snprintf(source, sizeof(source), "/d/%zu", i);
		add_bind(mounts, binds->v[i], source, inside->order.read_only[i]);
		n++;
	}
	return n;
}

static void put_mounts(const struct ces_inside *inside, json mounts)
{
	size_t left = inside->rows[CES_INSIDE_ROW_MOUNTS].n + inside->rows[CES_INSIDE_ROW_TMPFS].n;

	ces_json_list(mounts, "mounts");
	for (size_t i = 0; i < ces_profile_n_mounts; i++) {
		const struct ces_profile_mount *it = &ces_profile_mounts[i];

		add_mount(mounts, it->destination, it->type, it->source, it->flags, it->more);
	}
	add_tmpfs(mounts, "/dev/shm", inside->order.shm);
	/* before the caller's mounts, which may hide it but never end up inside it */
	if (inside->rows[CES_INSIDE_ROW_GPUS].n > 0)
		add_bind(mounts, CES_GPU_DIR, "/g", true);
	/* first, since a bind above it may bring the caller's own */
	left -= add_tmpfs_mounts(mounts, inside, 0);
	/* the outer one of two before the inner one, which it would hide */
	for (size_t depth = 1; left > 0; depth++)
		left -= add_binds(mounts, inside, depth) + add_tmpfs_mounts(mounts, inside, depth);
	ces_json_close(mounts);
}

/* Reads a filter of this installation's; malloc'd. */
static char *read_filter(const char *path)
{
	char *text;
	size_t length;
	CES_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || ces_read_file(fd, FILTER_MAX, &text, &length) < 0)
		ces_inside_fail(CES_STEP_FILTER);
	return text;
}

/* ces-session has made the other five namespaces. Without a mount namespace here "root" would be a
 * mere chroot. */
static void put_linux(bool runc, json to)
{
	static const char *const namespaces[] = {"mount", "pid"};
	CES_CLEANUP_FREE char *filter = runc ? read_filter(CES_SECCOMP_JSON_PATH) : NULL;

	ces_json_object(to, "linux");
	ces_json_list(to, "namespaces");
	for (size_t i = 0; i < CES_COUNT(namespaces); i++) {
		ces_json_object(to, NULL);
		ces_json_text(to, "type", namespaces[i]);
		ces_json_close(to);
	}
	ces_json_close(to);
	put_list(to, "maskedPaths", ces_profile_masked);
	put_list(to, "readonlyPaths", ces_profile_read_only);
	if (runc)
		ces_json_raw(to, "seccomp", filter);
	ces_json_close(to);
}

/* crun takes a compiled filter (crun(1), run.oci.seccomp_bpf_data): this saves 13 ms a start. */
static void put_compiled_filter(json to)
{
	CES_CLEANUP_FREE char *filter = read_filter(CES_SECCOMP_BPF_PATH);

	filter[strcspn(filter, "\n")] = '\0';
	ces_json_object(to, "annotations");
	ces_json_text(to, "run.oci.seccomp_bpf_data", filter);
	ces_json_close(to);
}

const char *ces_inside_config(const struct ces_inside *inside)
{
	struct ces_json config = {0};
	const char *text;

	ces_json_object(&config, NULL);
	ces_json_text(&config, "ociVersion", "1.0.2");
	ces_json_object(&config, "root");
	ces_json_text(&config, "path", "/m");
	ces_json_bool(&config, "readonly", inside->order.root_read_only);
	ces_json_close(&config);
	put_process(inside, &config);
	put_mounts(inside, &config);
	put_linux(inside->order.runc, &config);
	if (!inside->order.runc)
		put_compiled_filter(&config);
	text = ces_json_end(&config);
	if (text == NULL)
		ces_inside_fail(CES_STEP_CONFIG);
	return text;
}
