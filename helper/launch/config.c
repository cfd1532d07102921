/* config.json. Image content never steers the host: of the image only entrypoint, command,
 * environment, working directory and user come in, as data in fixed places; no hook, label, volume
 * or annotation of anybody's. The one annotation is CES's own system call filter, compiled when CES
 * was built. */
#include "helper/launch/config.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/image.h"
#include "common/io.h"
#include "common/paths.h"
#include "common/request.h"
#include "helper/core/beneath.h"
#include "helper/launch/profile.h"

#define FILTER_MAX (1u << 20)

typedef struct json_object *json;

static json text(const char *value)
{
	return json_object_new_string(value);
}

static json object(void)
{
	return json_object_new_object();
}

static void put(json to, const char *key, json value)
{
	(void)json_object_object_add(to, key, value);
}

/* Ended by NULL. */
static json list(const char *const *values)
{
	json array = json_object_new_array();

	for (; *values != NULL; values++)
		(void)json_object_array_add(array, text(*values));
	return array;
}

/* NAME=value: replaces an earlier one of the same name. */
static void env_put(json env, const char *entry)
{
	size_t name = strcspn(entry, "=");

	for (size_t i = 0; i < json_object_array_length(env); i++) {
		const char *old = json_object_get_string(json_object_array_get_idx(env, i));

		if (strncmp(old, entry, name + 1) == 0) {
			(void)json_object_array_put_idx(env, i, text(entry));
			return;
		}
	}
	(void)json_object_array_add(env, text(entry));
}

/* A driver's variables: nothing of the image's says which devices there are. No tool that reads
 * them ever runs with privilege, but libraries and people do read them. */
static void gpu_environment(const struct ces_gpus *gpus, json env)
{
	char visible[CES_GPU_MAX * 136] = "NVIDIA_VISIBLE_DEVICES=";
	size_t used = strlen(visible);

	for (size_t i = 0; i < gpus->n_edits; i++)
		for (size_t j = 0; j < gpus->edits[i]->env.n; j++)
			env_put(env, gpus->edits[i]->env.v[j]);
	for (size_t i = 0; i < gpus->n_names; i++)
		used += (size_t)snprintf(visible + used, sizeof(visible) - used, "%s%s",
					 i > 0 ? "," : "", strchr(gpus->names[i], '=') + 1);
	env_put(env, gpus->n_names > 0 ? visible : "NVIDIA_VISIBLE_DEVICES=void");
	env_put(env, gpus->n_names > 0 ? "NVIDIA_DRIVER_CAPABILITIES=compute,utility"
				       : "NVIDIA_DRIVER_CAPABILITIES=");
}

/* The driver's own libraries come first, they must be of the kernel's version; then whatever the
 * image or the caller says. */
static void library_path(const struct ces_gpus *gpus, json env)
{
	static const char name[] = "LD_LIBRARY_PATH=";
	char entry[8192], dirs[2048];
	const char *old = "";

	ces_gpu_library_path(gpus, dirs, sizeof(dirs));
	if (dirs[0] == '\0')
		return;
	for (size_t i = 0; i < json_object_array_length(env); i++) {
		const char *one = json_object_get_string(json_object_array_get_idx(env, i));

		if (strncmp(one, name, strlen(name)) == 0)
			old = one + strlen(name);
	}
	if (snprintf(entry, sizeof(entry), "%s%s%s%s", name, dirs, *old != '\0' ? ":" : "", old) <
	    (int)sizeof(entry))
		env_put(env, entry);
}

/* Also over what the caller says: no other proxy is there to be reached. */
static void proxy_environment(const struct ces_decision *decision, json env)
{
	char url[40], entry[80];

	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d", CES_PROXY_PORT);
	for (size_t i = 0;
	     decision->proxy[0] != '\0' && ces_proxy_setting(i, url, entry, sizeof(entry)); i++)
		env_put(env, entry);
}

/* What CES sets, then the image's, then the caller's: the later wins. TMP and TMPDIR must not be
 * the image's. */
static json environment(const struct ces_plan *plan)
{
	json env = json_object_new_array();
	char home[1100];

	env_put(env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	(void)snprintf(home, sizeof(home), "HOME=%s",
		       plan->image->home != NULL ? plan->image->home : "/");
	env_put(env, home);
	(void)snprintf(home, sizeof(home), "HOSTNAME=%s", plan->hostname);
	env_put(env, home);
	/* a library that counted the machine's cpus would start a thread for each, on a share of
	 * them */
	(void)snprintf(home, sizeof(home), "OMP_NUM_THREADS=%llu",
		       (unsigned long long)(plan->decision->limits.cpus + 999) / 1000);
	env_put(env, home);
	if (plan->tty)
		env_put(env, "TERM=xterm");
	for (size_t i = 0; i < plan->image->env.n; i++)
		env_put(env, plan->image->env.v[i]);
	if (plan->decision->home[0] != '\0') {
		(void)snprintf(home, sizeof(home), "HOME=%s", plan->decision->home);
		env_put(env, home);
		(void)snprintf(home, sizeof(home), "USER=%s", plan->session->caller.user);
		env_put(env, home);
	}
	gpu_environment(&plan->gpus, env);
	env_put(env, "TMP=/scratch");
	env_put(env, "TMPDIR=/scratch");
	for (size_t i = 0; i < plan->session->request->env.n; i++)
		env_put(env, plan->session->request->env.v[i]);
	proxy_environment(plan->decision, env);
	library_path(&plan->gpus, env);
	return env;
}

/* Docker's rule: arguments replace CMD; a new entrypoint replaces the image's and drops its CMD.
 * The two parts of the command line. */
static void command_parts(const struct ces_plan *plan, struct ces_strings parts[2])
{
	const struct ces_request *request = plan->session->request;
	bool replaced = (request->flags & CES_FLAG_ENTRYPOINT) != 0;
	bool named = request->entrypoint != NULL && request->entrypoint[0] != '\0';

	parts[0] = plan->image->entrypoint;
	if (replaced)
		parts[0] = (struct ces_strings){(char **)(uintptr_t)&request->entrypoint, named};
	parts[1] = request->args;
	if (request->args.n == 0 && !replaced)
		parts[1] = plan->image->cmd;
}

const char *ces_config_command(const struct ces_plan *plan)
{
	struct ces_strings parts[2];

	command_parts(plan, parts);
	for (size_t i = 0; i < CES_COUNT(parts); i++)
		if (parts[i].n > 0)
			return parts[i].v[0];
	return NULL;
}

static json arguments(const struct ces_plan *plan)
{
	struct ces_strings parts[2];
	json args = json_object_new_array();

	command_parts(plan, parts);
	for (size_t i = 0; i < CES_COUNT(parts); i++)
		for (size_t j = 0; j < parts[i].n; j++)
			(void)json_object_array_add(args, text(parts[i].v[j]));
	return args;
}

static json user(const struct ces_plan *plan)
{
	json who = object(), groups = json_object_new_array();

	put(who, "uid", json_object_new_int64(plan->uid));
	put(who, "gid", json_object_new_int64(plan->gid));
	put(who, "umask", json_object_new_int(022));
	for (size_t i = 0; i < plan->image->groups.n && plan->uid == plan->image->uid; i++)
		if (plan->image->groups.v[i] < CES_IDMAP_SPAN)
			(void)json_object_array_add(
			    groups, json_object_new_uint64(plan->image->groups.v[i]));
	for (size_t i = 0; i < plan->map.n_project_gids; i++)
		(void)json_object_array_add(groups,
					    json_object_new_int64(plan->map.project_gids[i]));
	put(who, "additionalGids", groups);
	return who;
}

static json capability_names(bool some)
{
	json array = json_object_new_array();

	for (size_t i = 0; i < ces_profile_n_capabilities && some; i++)
		(void)json_object_array_add(array, text(ces_profile_capabilities[i].name));
	return array;
}

static json capabilities(const struct ces_plan *plan)
{
	bool root = plan->uid == 0;
	json sets = object();

	put(sets, "bounding", capability_names(true));
	put(sets, "effective", capability_names(root));
	put(sets, "permitted", capability_names(root));
	put(sets, "inheritable", json_object_new_array());
	put(sets, "ambient", json_object_new_array());
	return sets;
}

static json console_size(const struct ces_plan *plan)
{
	json size = object();

	put(size, "height", json_object_new_int64(plan->rows));
	put(size, "width", json_object_new_int64(plan->columns));
	return size;
}

static json process(const struct ces_plan *plan)
{
	json it = object();
	const char *cwd = plan->session->request->workdir != NULL ? plan->session->request->workdir
								  : plan->image->workdir;

	put(it, "terminal", json_object_new_boolean(plan->tty));
	if (plan->tty)
		put(it, "consoleSize", console_size(plan));
	put(it, "user", user(plan));
	put(it, "args", arguments(plan));
	put(it, "env", environment(plan));
	put(it, "cwd", text(cwd != NULL && cwd[0] == '/' ? cwd : "/"));
	put(it, "capabilities", capabilities(plan));
	put(it, "noNewPrivileges", json_object_new_boolean(true));
	return it;
}

/* more: options that are no flags, ',' between; or NULL. */
static void add_mount(json mounts, const char *destination, const char *type, const char *source,
		      unsigned long flags, const char *more)
{
	static const struct {
		unsigned long flag;
		const char *option;
	} words[] = {
	    {MS_NOSUID, "nosuid"}, {MS_NOEXEC, "noexec"}, {MS_NODEV, "nodev"}, {MS_RDONLY, "ro"}};
	json it = object(), options = json_object_new_array();
	char copy[128], *save = NULL;

	(void)snprintf(copy, sizeof(copy), "%s", more != NULL ? more : "");
	for (char *word = strtok_r(copy, ",", &save); word != NULL;
	     word = strtok_r(NULL, ",", &save))
		(void)json_object_array_add(options, text(word));
	for (size_t i = 0; i < CES_COUNT(words); i++)
		if ((flags & words[i].flag) != 0)
			(void)json_object_array_add(options, text(words[i].option));
	put(it, "destination", text(destination));
	put(it, "type", text(type));
	put(it, "source", text(source));
	put(it, "options", options);
	(void)json_object_array_add(mounts, it);
}

static void add_tmpfs(json mounts, const char *destination, uint64_t bytes)
{
	char more[64];

	(void)snprintf(more, sizeof(more), "mode=1777,size=%llu", (unsigned long long)bytes);
	add_mount(mounts, destination, "tmpfs", "tmpfs", MS_NOSUID | MS_NODEV, more);
}

static void add_tmpfs_mounts(json mounts, const struct ces_decision *decision, bool home)
{
	for (size_t i = 0; i < decision->n_tmpfs; i++)
		if ((strcmp(decision->tmpfs[i].destination, decision->home) == 0) == home)
			add_tmpfs(mounts, decision->tmpfs[i].destination, decision->tmpfs[i].size);
}

static json all_mounts(const struct ces_plan *plan)
{
	json mounts = json_object_new_array();

	for (size_t i = 0; i < ces_profile_n_mounts; i++) {
		const struct ces_profile_mount *it = &ces_profile_mounts[i];

		add_mount(mounts, it->destination, it->type, it->source, it->flags, it->more);
	}
	add_tmpfs(mounts, "/dev/shm", plan->decision->limits.shm);
	/* before the caller's, which may hide it but never come to lie in it */
	if (plan->gpus.n_names > 0)
		add_mount(mounts, CES_GPU_DIR, "bind", "/g", ces_plan_mount_flags(true), "rbind");
	/* a bind may lie in the home, which therefore comes before */
	add_tmpfs_mounts(mounts, plan->decision, true);
	for (size_t i = 0; i < plan->n_mounts; i++) {
		char source[32];

		(void)snprintf(source, sizeof(source), "/d/%zu", i);
		/* the flags are on the mount already and locked; runc wants them repeated */
		add_mount(mounts, plan->mounts[i].destination, "bind", source,
			  ces_plan_mount_flags(plan->mounts[i].read_only), "rbind");
	}
	add_tmpfs_mounts(mounts, plan->decision, false);
	return mounts;
}

static json namespaces(void)
{
	/* the other five the helper has made; without a mount namespace here "root" would be a mere
	 * chroot */
	static const char *const types[] = {"mount", "pid"};
	json array = json_object_new_array();

	for (size_t i = 0; i < CES_COUNT(types); i++) {
		json one = object();

		put(one, "type", text(types[i]));
		(void)json_object_array_add(array, one);
	}
	return array;
}

static json read_json(const char *path)
{
	CES_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? NULL : json_object_from_fd(fd);
}

int ces_config_filter(char **ret, struct ces_error *err)
{
	CES_CLEANUP_FD int fd = open(CES_SECCOMP_BPF_PATH, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char *filter;
	size_t length;

	if (fd < 0 || ces_read_file(fd, FILTER_MAX, &filter, &length) < 0)
		return ces_error_errno(err, CES_E_HOST, "the system call filter");
	filter[strcspn(filter, "\n")] = '\0';
	*ret = filter;
	return 0;
}

static json linux_part(const struct ces_plan *plan, struct ces_error *err)
{
	json it = object();

	put(it, "namespaces", namespaces());
	put(it, "maskedPaths", list(ces_profile_masked));
	put(it, "readonlyPaths", list(ces_profile_read_only));
	if (plan->runc) {
		json filter = read_json(CES_SECCOMP_JSON_PATH);

		if (filter == NULL) {
			json_object_put(it);
			(void)ces_error_set(
			    err, CES_E_HOST,
			    "the system call filter is missing; CES is not installed whole");
			return NULL;
		}
		put(it, "seccomp", filter);
	}
	return it;
}

static int fill(const struct ces_plan *plan, json config, struct ces_error *err)
{
	json root = object(), part = linux_part(plan, err);

	put(config, "ociVersion", text("1.0.2"));
	put(root, "path", text("/m"));
	put(root, "readonly", json_object_new_boolean(plan->decision->read_only));
	put(config, "root", root);
	put(config, "process", process(plan));
	put(config, "mounts", all_mounts(plan));
	if (part == NULL)
		return -1;
	put(config, "linux", part);
	/* crun takes a compiled filter (crun(1), run.oci.seccomp_bpf_data), which saves it 13 ms a
	 * start */
	if (!plan->runc) {
		json notes = object();

		put(notes, "run.oci.seccomp_bpf_data", text(plan->filter));
		put(config, "annotations", notes);
	}
	return 0;
}

int ces_config_write(const struct ces_plan *plan, int root, struct ces_error *err)
{
	CES_CLEANUP_FD int fd =
	    ces_beneath_open(root, "bundle/config.json", O_WRONLY | O_CREAT | O_EXCL, 0644);
	json config = object();
	int result = fill(plan, config, err);
	const char *bytes;

	if (result == 0) {
		bytes = json_object_to_json_string_ext(config, JSON_C_TO_STRING_PLAIN);
		if (fd < 0 || bytes == NULL || ces_write_full(fd, bytes, strlen(bytes), -1) < 0 ||
		    fchmod(fd, 0644) < 0)
			result = ces_error_errno(err, CES_E_HOST, "config.json");
	}
	json_object_put(config);
	return result;
}
