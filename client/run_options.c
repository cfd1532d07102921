/* The options of `run`, and what to type instead of the ones that people know from elsewhere. */
#include "client/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "client/optfile.h"
#include "common/cleanup.h"
#include "common/num.h"

int ces_options_size(const char *option, const char *value, uint64_t *ret, struct ces_error *err)
{
	if (ces_num_parse_size(value, ret) == 0)
		return 0;
	if (*value != '\0' && value[strspn(value, "0123456789")] == '\0')
		return ces_error_set(err, CES_E_USAGE,
				     "%s %s: a size needs a unit: type %s %sG or %s %sM", option,
				     value, option, value, option, value);
	return ces_error_set(err, CES_E_USAGE,
			     "%s %s: type a whole number and a unit, such as %s 16G or %s 512M",
			     option, value, option, option);
}

static int set_memory(struct ces_options *options, const char *value, struct ces_error *err)
{
	return ces_options_size("--memory", value, &options->request.memory_bytes, err);
}

static int set_shm_size(struct ces_options *options, const char *value, struct ces_error *err)
{
	return ces_options_size("--shm-size", value, &options->request.shm_bytes, err);
}

static int set_cpus(struct ces_options *options, const char *value, struct ces_error *err)
{
	if (ces_num_parse_cpus(value, &options->request.cpus) < 0)
		return ces_error_set(
		    err, CES_E_USAGE,
		    "--cpus %s: type a number of cpus, such as --cpus 4 or --cpus 0.5", value);
	return 0;
}

static int set_time(struct ces_options *options, const char *value, struct ces_error *err)
{
	if (ces_num_parse_time(value, &options->request.time_seconds) < 0)
		return ces_error_set(
		    err, CES_E_USAGE,
		    "--time %s: type a whole number and a unit, such as --time 90m or --time 6h",
		    value);
	return 0;
}

static int set_gpu(struct ces_options *options, const char *value, struct ces_error *err)
{
	return ces_options_keep_text(options, value != NULL ? value : "1", &options->request.gpu,
				     err);
}

static int set_project(struct ces_options *options, const char *value, struct ces_error *err)
{
	return ces_options_keep_text(options, value, &options->request.project, err);
}

static int set_name(struct ces_options *options, const char *value, struct ces_error *err)
{
	return ces_options_keep_text(options, value, &options->request.name, err);
}

static int set_workdir(struct ces_options *options, const char *value, struct ces_error *err)
{
	return ces_options_keep_text(options, value, &options->request.workdir, err);
}

static int set_entrypoint(struct ces_options *options, const char *value, struct ces_error *err)
{
	options->request.flags |= CES_FLAG_ENTRYPOINT;
	return ces_options_keep_text(options, value, &options->request.entrypoint, err);
}

static int set_env(struct ces_options *options, const char *value, struct ces_error *err)
{
	return ces_options_add_env(options, value, err);
}

static int set_option_file(struct ces_options *options, const char *value, struct ces_error *err)
{
	if (options->in_file)
		return ces_error_set(
		    err, CES_E_USAGE,
		    "--opt-file does not work inside an opt-file: write the options here");
	return ces_options_append(options, &options->option_files, value, err);
}

static int set_arg_file(struct ces_options *options, const char *value, struct ces_error *err)
{
	struct ces_words words;
	int result = 0;

	if (ces_optfile_read_words(value, false, &words, err) < 0)
		return -1;
	for (int i = 1; i < words.argc && result == 0; i++)
		result = ces_options_append(options, &options->request.args, words.argv[i], err);
	ces_words_free(&words);
	return result;
}

static int set_env_file(struct ces_options *options, const char *value, struct ces_error *err)
{
	return ces_optfile_read_env(value, options, err);
}

#define FLAG_SETTER(function, flag)                                                                \
	static int function(struct ces_options *options, const char *value, struct ces_error *err) \
	{                                                                                          \
		(void)value;                                                                       \
		(void)err;                                                                         \
		options->request.flags |= (flag);                                                  \
		return 0;                                                                          \
	}
FLAG_SETTER(set_interactive, CES_FLAG_INTERACTIVE)
FLAG_SETTER(set_tty, CES_FLAG_TTY)
FLAG_SETTER(set_detach, CES_FLAG_DETACH)
FLAG_SETTER(set_read_only, CES_FLAG_READ_ONLY)
FLAG_SETTER(set_dry_run, CES_FLAG_EXPLAIN)

#define BOOL_SETTER(function, member)                                                              \
	static int function(struct ces_options *options, const char *value, struct ces_error *err) \
	{                                                                                          \
		(void)value;                                                                       \
		(void)err;                                                                         \
		options->member = true;                                                            \
		return 0;                                                                          \
	}
BOOL_SETTER(set_quiet, quiet)
BOOL_SETTER(set_help, help)
BOOL_SETTER(set_all, all)
BOOL_SETTER(set_token_stdin, token_stdin)

/* What podman lets one ask for and CES always does: saying so is accepted, asking for something
 * else is not. */
static int already_so(const char *option, const char *value, const char *only, const char *instead,
		      struct ces_error *err)
{
	if (value == NULL || strcmp(value, only) == 0)
		return 0;
	return ces_error_set(err, CES_E_USAGE, "--%s=%s is not for CES: %s", option, value,
			     instead);
}

static int set_network(struct ces_options *options, const char *value, struct ces_error *err)
{
	(void)options;
	return already_so("network", value, "none",
			  "a container has no network: leave it out (-p HOST:CONTAINER publishes a "
			  "port on this machine)",
			  err);
}

static int set_rm(struct ces_options *options, const char *value, struct ces_error *err)
{
	(void)options;
	return already_so("rm", value, "true",
			  "a container is always removed when it ends: leave it out", err);
}

static int set_pull(struct ces_options *options, const char *value, struct ces_error *err)
{
	(void)options;
	return already_so("pull", value, "never",
			  "a run never pulls: leave it out, and type 'ces-client pull IMAGE' first",
			  err);
}

static int set_http_proxy(struct ces_options *options, const char *value, struct ces_error *err)
{
	(void)options;
	return already_so("http-proxy", value, "false", "a container has no network: leave it out",
			  err);
}

static int set_format(struct ces_options *options, const char *value, struct ces_error *err)
{
	options->json = strcmp(value, "json") == 0;
	if (!options->json && strcmp(value, "table") != 0)
		return ces_error_set(err, CES_E_USAGE,
				     "--format %s: type --format json or --format table", value);
	return 0;
}

static int set_username(struct ces_options *options, const char *value, struct ces_error *err)
{
	return ces_options_keep_text(options, value, &options->request.username, err);
}

static int set_token_file(struct ces_options *options, const char *value, struct ces_error *err)
{
	return ces_options_keep_text(options, value, &options->token_file, err);
}

static const struct {
	const char *name, *instead;
} elsewhere[] = {
    {"privileged", "a container never holds rights on the host: leave it out"},
    {"cap-add", "a container never holds rights on the host: leave it out"},
    {"cap-drop", "a container already has only the capabilities that it needs: leave it out"},
    {"security-opt", "the policy sets what a container may do: leave it out"},
    {"device", "devices are not passed in: leave it out, or type --gpu=N for a GPU"},
    {"gpus", "type --gpu=N"},
    {"nv", "type --gpu=N"},
    {"rocm", "type --gpu=N"},
    {"cores", "type --cpus N"},
    {"c", "type --cpus N"},
    {"cpu-shares", "type --cpus N"},
    {"cpuset-cpus", "type --cpus N"},
    {"memory-swap", "type --memory SIZE"},
    {"timeout", "type --time T, such as --time 6h"},
    {"tmpfs", "type --mount type=tmpfs,destination=DIR"},
    {"B", "type --bind SRC:DST"},
    {"pwd", "type -w DIR"},
    {"publish-all", "type -p HOST:CONTAINER"},
    {"P", "type -p HOST:CONTAINER"},
    {"env-host", "type -e NAME for each variable"},
    {"user", "who you are inside is set by the policy and the image: leave it out"},
    {"u", "who you are inside is set by the policy and the image: leave it out"},
    {"userns", "a container always has namespaces of its own: leave it out"},
    {"pid", "a container always has namespaces of its own: leave it out"},
    {"ipc", "a container always has namespaces of its own: leave it out"},
    {"uts", "a container always has namespaces of its own: leave it out"},
    {"cgroupns", "a container always has namespaces of its own: leave it out"},
    {"cgroup-parent", "the policy sets it: leave it out"},
    {"runtime", "the policy sets it: leave it out"},
    {"hooks-dir", "hooks are never run: leave it out"},
    {"add-host", "a container has no network: leave it out"},
    {"dns", "a container has no network: leave it out"},
    {"hostname", "leave it out; --name N names the run"},
    {"restart", "a run is started once: leave it out"},
    {"volumes-from", "type -v SRC:DST"},
    {"writable-tmpfs", "already so: leave it out"},
    {"cleanenv", "already so: leave it out"},
    {"containall", "already so: leave it out"},
    {"no-home", "already so: leave it out"},
    {"password",
     "a token is never typed on the command line: type --token-file F or --token-stdin"},
    {"token", "a token is never typed on the command line: type --token-file F or --token-stdin"},
    {"creds", "type --username U --token-file F or --username U --token-stdin"},
    {"tls-verify", "the policy says how a registry is reached: leave it out"},
    {"authfile", "type --username U --token-file F"},
    {"platform", "an image for this machine is chosen: leave it out"},
    {"all-tags", "name one tag: IMAGE:TAG"},
};

static const char *instead_of(const char *name)
{
	for (size_t i = 0; i < CES_COUNT(elsewhere); i++) {
		if (strcmp(name, elsewhere[i].name) == 0)
			return elsewhere[i].instead;
	}
	return NULL;
}

#define NO    no_argument
#define YES   required_argument
#define MAYBE optional_argument
#define HELP                                                                                       \
	{                                                                                          \
		"help", 'h', NO, NULL, "print this", set_help, CES_PHASE_REST                      \
	}
#define QUIET                                                                                      \
	{                                                                                          \
		"quiet", 'q', NO, NULL, "only errors, none of CES's other lines", set_quiet,       \
		    CES_PHASE_REST                                                                 \
	}
#define PROJECT                                                                                    \
	{                                                                                          \
		"project", 0, YES, "P", "the project to act for, if you have several",             \
		    set_project, CES_PHASE_REST                                                    \
	}

static const struct ces_option run_table[] = {
    PROJECT,
    {"gpu", 0, MAYBE, "N", "GPUs: a number (1 if none is typed), all, or a device's name", set_gpu,
     CES_PHASE_REST},
    {"cpus", 0, YES, "N", "cpus at most, such as 4 or 0.5", set_cpus, CES_PHASE_REST},
    {"memory", 'm', YES, "SIZE", "memory at most, such as 16G", set_memory, CES_PHASE_REST},
    {"time", 0, YES, "T", "time at most, such as 90m or 6h", set_time, CES_PHASE_REST},
    {"shm-size", 0, YES, "SIZE", "size of /dev/shm", set_shm_size, CES_PHASE_REST},
    {"env", 'e', YES, "K[=V]", "an environment setting; K alone takes its value from here", set_env,
     CES_PHASE_REST},
    {"env-file", 0, YES, "F", "environment settings, K=V a line", set_env_file, CES_PHASE_ENV_FILE},
    {"arg-file", 0, YES, "F", "words for the command, before any ARG", set_arg_file,
     CES_PHASE_REST},
    {"opt-file", 0, YES, "F", "options as these; those of the command line win", set_option_file,
     CES_PHASE_OPTION_FILE},
    {"volume", 'v', YES, "SRC:DST[:ro]", "a directory or file of this machine at DST",
     ces_mount_set_volume, CES_PHASE_REST},
    {"bind", 0, YES, "SRC[:DST[:ro]]", "the same, as Apptainer writes it", ces_mount_set_bind,
     CES_PHASE_REST},
    {"mount", 0, YES, "type=...",
     "type=tmpfs,destination=DIR[,size=SIZE], or type=bind,source=SRC,destination=DST[,ro]",
     ces_mount_set_mount, CES_PHASE_REST},
    {"publish", 'p', YES, "HOST:CONTAINER", "a port of the container on this machine's loopback",
     ces_mount_set_publish, CES_PHASE_REST},
    {"interactive", 'i', NO, NULL, "stdin reaches the container", set_interactive, CES_PHASE_REST},
    {"tty", 't', NO, NULL, "the container gets a terminal", set_tty, CES_PHASE_REST},
    {"detach", 'd', NO, NULL, "print the run's number and do not wait", set_detach, CES_PHASE_REST},
    {"name", 0, YES, "N", "a name for the run", set_name, CES_PHASE_REST},
    {"entrypoint", 0, YES, "CMD", "in place of the image's entrypoint and command", set_entrypoint,
     CES_PHASE_REST},
    {"workdir", 'w', YES, "DIR", "working directory in the container", set_workdir, CES_PHASE_REST},
    {"read-only", 0, NO, NULL, "the container's own file system cannot be written", set_read_only,
     CES_PHASE_REST},
    {"dry-run", 0, NO, NULL, "say what would be done and why, and do nothing", set_dry_run,
     CES_PHASE_REST},
    QUIET,
    HELP,
    {"network", 0, YES, "none", NULL, set_network, CES_PHASE_REST},
    {"rm", 0, MAYBE, NULL, NULL, set_rm, CES_PHASE_REST},
    {"pull", 0, YES, "never", NULL, set_pull, CES_PHASE_REST},
    {"http-proxy", 0, MAYBE, "false", NULL, set_http_proxy, CES_PHASE_REST},
};

static const struct ces_option pull_table[] = {
    PROJECT,
    {"username", 'u', YES, "U", "your user name at the registry", set_username, CES_PHASE_REST},
    {"token-stdin", 0, NO, NULL, "read the token from stdin", set_token_stdin, CES_PHASE_REST},
    {"token-file", 0, YES, "F", "read the token from a file", set_token_file, CES_PHASE_REST},
    {"dry-run", 0, NO, NULL, "say what would be done and why, and do nothing", set_dry_run,
     CES_PHASE_REST},
    QUIET,
    HELP,
};

#define FORMAT                                                                                     \
	{                                                                                          \
		"format", 0, YES, "json", "json, or table", set_format, CES_PHASE_REST             \
	}

static const struct ces_option images_table[] = {FORMAT, QUIET, HELP};

static const struct ces_option ps_table[] = {
    FORMAT,
    {"all", 'a', NO, NULL, "also what has ended, where it is still known", set_all, CES_PHASE_REST},
    QUIET,
    HELP,
};

static const struct ces_option inspect_table[] = {
    {"format", 0, YES, "json", NULL, set_format, CES_PHASE_REST},
    QUIET,
    HELP,
};

static const struct ces_option plain_table[] = {QUIET, HELP};

#define TABLE(command, table)                                                                      \
	{                                                                                          \
		"ces-client " command, false, (table), CES_COUNT(table), instead_of                \
	}

const struct ces_option_table ces_run_options = {"ces-client run", true, run_table,
						 CES_COUNT(run_table), instead_of};
const struct ces_option_table ces_pull_options = TABLE("pull", pull_table);
const struct ces_option_table ces_images_options = TABLE("images", images_table);
const struct ces_option_table ces_ps_options = TABLE("ps", ps_table);
const struct ces_option_table ces_rmi_options = TABLE("rmi", plain_table);
const struct ces_option_table ces_stop_options = TABLE("stop", plain_table);
const struct ces_option_table ces_inspect_options = TABLE("inspect", inspect_table);
_Static_assert(CES_COUNT(run_table) <= CES_OPTIONS_MAX, "CES_OPTIONS_MAX is too small");
