/* Writes config.json. Must not let image content steer the host: only the image's entrypoint,
 * command, environment, working directory and user come in, as data in fixed places. No hook,
 * label, volume or annotation of anybody's comes in. The one annotation is CES's own system call
 * filter, compiled when CES was built. */
#include "helper/launch/config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "common/cleanup.h"
#include "common/image.h"
#include "common/io.h"
#include "common/paths.h"
#include "common/request.h"
#include "helper/core/beneath.h"
#include "helper/launch/display.h"
#include "helper/launch/profile.h"
#include "helper/session/json.h"

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

/* An environment is a row of "NAME=value", each ended by NUL; each name occurs once. */
static const char *env_next(const struct ces_bytes_out *env, const char *at)
{
	at = at == NULL ? env->text : at + strlen(at) + 1;
	return at < env->text + env->used ? at : NULL;
}

static void env_put(struct ces_bytes_out *env, const char *entry)
{
	size_t name = strcspn(entry, "=") + 1;

	for (const char *at = env_next(env, NULL); at != NULL; at = env_next(env, at))
		if (strncmp(at, entry, name) == 0) {
			size_t from = (size_t)(at - env->text), old = strlen(at) + 1;

			memmove(env->text + from, at + old, env->used - from - old);
			env->used -= old;
			break;
		}
	ces_bytes_add(env, entry, strlen(entry) + 1);
}

/* Sets the variables of a driver, so that nothing of the image's says which devices there are. No
 * tool that reads them ever runs with privilege, but libraries and people do read them. */
static void gpu_environment(const struct ces_gpus *gpus, struct ces_bytes_out *env)
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

/* The driver's own libraries come first, since they must be of the kernel's version. Then comes the
 * value that the image or the caller gives. */
static void library_path(const struct ces_gpus *gpus, struct ces_bytes_out *env)
{
	static const char name[] = "LD_LIBRARY_PATH=";
	char entry[8192], dirs[2048];
	const char *old = "";

	ces_gpu_library_path(gpus, dirs, sizeof(dirs));
	if (dirs[0] == '\0')
		return;
	for (const char *at = env_next(env, NULL); at != NULL; at = env_next(env, at))
		if (strncmp(at, name, strlen(name)) == 0)
			old = at + strlen(name);
	if (snprintf(entry, sizeof(entry), "%s%s%s%s", name, dirs, *old != '\0' ? ":" : "", old) <
	    (int)sizeof(entry))
		env_put(env, entry);
}

/* Overrides the caller's values too: the container can reach no other proxy. */
static void proxy_environment(const struct ces_decision *decision, struct ces_bytes_out *env)
{
	char url[40], entry[80];

	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d", CES_PROXY_PORT);
	for (size_t i = 0;
	     decision->proxy[0] != '\0' && ces_proxy_setting(i, url, entry, sizeof(entry)); i++)
		env_put(env, entry);
}

/* Sets the display and its key together. */
static void display_environment(const struct ces_decision *decision, struct ces_bytes_out *env)
{
	char entry[40];

	(void)snprintf(entry, sizeof(entry), "DISPLAY=:%llu",
		       (unsigned long long)decision->display - 1);
	env_put(env, entry);
	env_put(env, "XAUTHORITY=/" CES_DISPLAY_KEY);
}

/* Sets CES's values, then the image's, then the caller's: the later wins. TMP and TMPDIR must not
 * be the image's. */
static void fill_environment(const struct ces_plan *plan, struct ces_bytes_out *env)
{
	char home[1100];

	env_put(env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	(void)snprintf(home, sizeof(home), "HOME=%s",
		       plan->image->home != NULL ? plan->image->home : "/");
	env_put(env, home);
	(void)snprintf(home, sizeof(home), "HOSTNAME=%s", plan->hostname);
	env_put(env, home);
	/* a library that counted the machine's cpus would start a thread for each, though the run
	 * has only some */
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
	if (plan->decision->display > 0)
		display_environment(plan->decision, env);
	library_path(&plan->gpus, env);
}

static void put_environment(const struct ces_plan *plan, json to)
{
	struct ces_bytes_out env = {0};

	fill_environment(plan, &env);
	ces_json_list(to, "env");
	for (const char *at = env_next(&env, NULL); at != NULL; at = env_next(&env, at))
		ces_json_text(to, NULL, at);
	ces_json_close(to);
	free(env.text);
	to->out.failed = to->out.failed || env.failed;
}

/* Makes the two parts of the command line by Docker's rule: arguments replace CMD; a new entrypoint
 * replaces the image's and drops its CMD. */
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

static void put_arguments(const struct ces_plan *plan, json to)
{
	struct ces_strings parts[2];

	command_parts(plan, parts);
	ces_json_list(to, "args");
	for (size_t i = 0; i < CES_COUNT(parts); i++)
		for (size_t j = 0; j < parts[i].n; j++)
			ces_json_text(to, NULL, parts[i].v[j]);
	ces_json_close(to);
}

static void put_user(const struct ces_plan *plan, json to)
{
	ces_json_object(to, "user");
	ces_json_number(to, "uid", plan->uid);
	ces_json_number(to, "gid", plan->gid);
	ces_json_number(to, "umask", 022);
	ces_json_list(to, "additionalGids");
	for (size_t i = 0; i < plan->image->groups.n && plan->uid == plan->image->uid; i++)
		if (plan->image->groups.v[i] < CES_IDMAP_SPAN)
			ces_json_number(to, NULL, plan->image->groups.v[i]);
	for (size_t i = 0; i < plan->map.n_project_gids; i++)
		ces_json_number(to, NULL, plan->map.project_gids[i]);
	ces_json_close(to);
	ces_json_close(to);
}

static void put_capabilities(const struct ces_plan *plan, json to)
{
	static const char *const sets[] = {"bounding", "effective", "permitted", "inheritable",
					   "ambient"};
	/* a user has none but the bounding set */
	size_t full = plan->uid == 0 ? 3 : 1;

	ces_json_object(to, "capabilities");
	for (size_t set = 0; set < CES_COUNT(sets); set++) {
		ces_json_list(to, sets[set]);
		for (size_t i = 0; i < ces_profile_n_capabilities && set < full; i++)
			ces_json_text(to, NULL, ces_profile_capabilities[i].name);
		ces_json_close(to);
	}
	ces_json_close(to);
}

static void put_process(const struct ces_plan *plan, json to)
{
	const char *cwd = plan->session->request->workdir != NULL ? plan->session->request->workdir
								  : plan->image->workdir;

	ces_json_object(to, "process");
	ces_json_bool(to, "terminal", plan->tty);
	if (plan->tty) {
		ces_json_object(to, "consoleSize");
		ces_json_number(to, "height", plan->rows);
		ces_json_number(to, "width", plan->columns);
		ces_json_close(to);
	}
	put_user(plan, to);
	put_arguments(plan, to);
	put_environment(plan, to);
	ces_json_text(to, "cwd", cwd != NULL && cwd[0] == '/' ? cwd : "/");
	put_capabilities(plan, to);
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

static void put_mounts(const struct ces_plan *plan, json mounts)
{
	ces_json_list(mounts, "mounts");
	for (size_t i = 0; i < ces_profile_n_mounts; i++) {
		const struct ces_profile_mount *it = &ces_profile_mounts[i];

		add_mount(mounts, it->destination, it->type, it->source, it->flags, it->more);
	}
	add_tmpfs(mounts, "/dev/shm", plan->decision->limits.shm);
	/* before the caller's mounts, which may hide it but never end up inside it */
	if (plan->gpus.n_names > 0)
		add_mount(mounts, CES_GPU_DIR, "bind", "/g", ces_plan_mount_flags(true), "rbind");
	/* before the caller's binds, which may be inside the home */
	add_tmpfs_mounts(mounts, plan->decision, true);
	for (size_t i = 0; i < plan->n_mounts; i++) {
		char source[32];

		(void)snprintf(source, sizeof(source), "/d/%zu", i);
		/* the flags are on the mount already and locked; runc wants them repeated */
		add_mount(mounts, plan->mounts[i].destination, "bind", source,
			  ces_plan_mount_flags(plan->mounts[i].read_only), "rbind");
	}
	add_tmpfs_mounts(mounts, plan->decision, false);
	ces_json_close(mounts);
}

/* Reads a whole file of this installation; malloc'd. */
static int read_own(const char *path, char **ret, struct ces_error *err)
{
	size_t length;
	CES_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || ces_read_file(fd, FILTER_MAX, ret, &length) < 0)
		return ces_error_errno(err, CES_E_HOST,
				       "the system call filter; CES is not fully installed");
	return 0;
}

int ces_config_filter(char **ret, struct ces_error *err)
{
	if (read_own(CES_SECCOMP_BPF_PATH, ret, err) < 0)
		return -1;
	(*ret)[strcspn(*ret, "\n")] = '\0';
	return 0;
}

/* The helper has made the other five namespaces. Without a mount namespace here "root" would be a
 * mere chroot. */
static int put_linux(const struct ces_plan *plan, json to, struct ces_error *err)
{
	static const char *const namespaces[] = {"mount", "pid"};
	CES_CLEANUP_FREE char *filter = NULL;

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
	if (plan->runc && read_own(CES_SECCOMP_JSON_PATH, &filter, err) < 0)
		return -1;
	if (plan->runc)
		ces_json_raw(to, "seccomp", filter);
	ces_json_close(to);
	return 0;
}

static int fill(const struct ces_plan *plan, json to, struct ces_error *err)
{
	ces_json_object(to, NULL);
	ces_json_text(to, "ociVersion", "1.0.2");
	ces_json_object(to, "root");
	ces_json_text(to, "path", "/m");
	ces_json_bool(to, "readonly", plan->decision->read_only);
	ces_json_close(to);
	put_process(plan, to);
	put_mounts(plan, to);
	if (put_linux(plan, to, err) < 0)
		return -1;
	/* crun takes a compiled filter (crun(1), run.oci.seccomp_bpf_data): this saves 13 ms a
	 * start */
	if (!plan->runc) {
		ces_json_object(to, "annotations");
		ces_json_text(to, "run.oci.seccomp_bpf_data", plan->filter);
		ces_json_close(to);
	}
	return 0;
}

int ces_config_write(const struct ces_plan *plan, int root, struct ces_error *err)
{
	CES_CLEANUP_FD int fd =
	    ces_beneath_open(root, "bundle/config.json", O_WRONLY | O_CREAT | O_EXCL, 0644);
	struct ces_json config = {0};
	int result = fill(plan, &config, err);
	const char *bytes = ces_json_end(&config);

	if (result == 0 &&
	    (fd < 0 || bytes == NULL || ces_write_full(fd, bytes, strlen(bytes), -1) < 0))
		result = ces_error_errno(err, CES_E_HOST, "config.json");
	ces_json_free(&config);
	return result;
}
