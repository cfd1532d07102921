/* The tables of ces-client's options, and what to type instead of the ones that people know from
 * elsewhere. */
#include "client/options.h"

#include <getopt.h>
#include <string.h>

#include "client/setters.h"
#include "common/cleanup.h"

static const struct {
	const char *name, *instead;
} elsewhere[] = {
    {"privileged", "a container never holds rights on the host: leave it out"},
    {"cap-add", "a container never holds rights on the host: leave it out"},
    {"cap-drop", "a container already has only the capabilities that it needs: leave it out"},
    {"security-opt", "the policy sets what a container may do: leave it out"},
    {"device", "devices are not passed in: leave it out, or type --gpu=N for a GPU"},
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
    {"arch", "an image for this machine is chosen: leave it out"},
    {"os", "an image for this machine is chosen: leave it out"},
    {"ulimit", "type --memory SIZE, --cpus N or --time T; other limits are the policy's"},
    {"pids-limit", "the policy sets it: leave it out"},
    {"memory-reservation", "type --memory SIZE"},
    {"sysctl", "the policy sets what a container may do: leave it out"},
    {"seccomp-policy", "the policy sets what a container may do: leave it out"},
    {"group-add", "the groups inside are the image's: leave it out"},
    {"secret", "type -e NAME for a value of your environment, or -v FILE:DST:ro"},
    {"label", "leave it out; --name N names the run"},
    {"l", "leave it out; --name N names the run"},
    {"annotation", "leave it out; --name N names the run"},
    {"cidfile", "-d prints the run's number: type NUMBER=$(ces-client run -d IMAGE)"},
    {"replace", "type 'ces-client stop NAME' first"},
    {"init", "already so: what is left of a container is always ended; leave it out"},
    {"stop-timeout", "leave it out, and type 'ces-client stop --time N RUN' later"},
    {"stop-signal", "the image's own is sent: leave it out"},
    {"log-driver", "the output of 'run -d' is kept for 'ces-client logs': leave it out"},
    {"attach", "leave it out: without -d a run is attached; -i passes stdin on"},
    {"a", "leave it out: without -d a run is attached; -i passes stdin on"},
    {"detach-keys", "a run cannot be left: start it with -d and read 'ces-client logs -f RUN'"},
    {"health-cmd", "leave it out: nothing watches the health of a run"},
    {"no-healthcheck", "already so: leave it out"},
    {"expose", "type -p HOST:CONTAINER"},
    {"net", "a container has no network: leave it out"},
    {"ip", "a container has no network: leave it out"},
    {"link", "a container has no network: leave it out"},
    {"rootfs", "type the name of an image"},
    {"storage-opt", "the policy sets it: leave it out"},
    {"timezone", "type -e TZ=NAME"},
    {"tz", "type -e TZ=NAME"},
    {"umask", "leave it out: it is 0022, as everywhere"},
    {"unsetenv", "type -e NAME= for an empty value"},
    {"contain", "already so: leave it out"},
    {"fakeroot", "who you are inside is set by the policy and the image: leave it out"},
    {"f", "who you are inside is set by the policy and the image: leave it out"},
    {"writable", "what is written outside the mounted directories goes with the run: leave it out"},
    {"overlay", "what is written outside the mounted directories goes with the run: leave it out"},
    {"scratch", "/scratch is there in every run: leave it out"},
    {"home", "type -v SRC:DST"},
    {"H", "type -v SRC:DST"},
    {"cwd", "type -w DIR"},
    {"no-mount", "nothing of the host is mounted but what --dry-run shows: leave it out"},
    {"since", "a log holds no times: type --tail N"},
    {"until", "a log holds no times: type --tail N"},
    {"timestamps", "a log holds no times: type --tail N"},
    {"latest", "name the run: 'ces-client ps' lists yours, the newest first"},
    {"filter", "type --format json and choose with jq"},
    {"force", "leave it out; 'ces-client stop --time 0 RUN' kills at once"},
    {"ignore", "leave it out"},
    {"no-trunc", "only a terminal's width shortens a line: type | cat"},
    {"all", "name each: 'ces-client ps -q' and 'ces-client images -q' list the names alone"},
};

const char *ces_options_instead(const char *name)
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
		"help", 'h', NO, NULL, "print this", ces_set_help, CES_PHASE_REST                  \
	}
#define QUIET                                                                                      \
	{                                                                                          \
		"quiet", 'q', NO, NULL, "only errors, none of CES's other lines", ces_set_quiet,   \
		    CES_PHASE_REST                                                                 \
	}
#define PROJECT                                                                                    \
	{                                                                                          \
		"project", 0, YES, "P", "the project to act for, if you have several",             \
		    ces_set_project, CES_PHASE_REST                                                \
	}

static const struct ces_option run_table[] = {
    PROJECT,
    {"gpu", 0, MAYBE, "N", "GPUs: a number (1 if none is typed), all, or a device's name",
     ces_set_gpu, CES_PHASE_REST},
    {"cpus", 0, YES, "N", "cpus at most, such as 4 or 0.5", ces_set_cpus, CES_PHASE_REST},
    {"memory", 'm', YES, "SIZE", "memory at most, such as 16G", ces_set_memory, CES_PHASE_REST},
    {"time", 0, YES, "T", "time at most, such as 90m or 6h", ces_set_time, CES_PHASE_REST},
    {"shm-size", 0, YES, "SIZE", "size of /dev/shm", ces_set_shm_size, CES_PHASE_REST},
    {"env", 'e', YES, "K[=V]", "an environment setting; K alone takes its value from here",
     ces_set_env, CES_PHASE_REST},
    {"env-file", 0, YES, "F", "environment settings, K=V a line", ces_set_env_file,
     CES_PHASE_ENV_FILE},
    {"arg-file", 0, YES, "F", "words for the command, before any ARG", ces_set_arg_file,
     CES_PHASE_REST},
    {"opt-file", 0, YES, "F", "options as these; those of the command line win",
     ces_set_option_file, CES_PHASE_OPTION_FILE},
    {"volume", 'v', YES, "SRC:DST[:ro]", "a directory or file of this machine at DST",
     ces_mount_set_volume, CES_PHASE_REST},
    {"bind", 0, YES, "SRC[:DST[:ro]]", "the same, as Apptainer writes it", ces_mount_set_bind,
     CES_PHASE_REST},
    {"mount", 0, YES, "type=...",
     "type=tmpfs,destination=DIR[,size=SIZE], or type=bind,source=SRC,destination=DST[,ro]",
     ces_mount_set_mount, CES_PHASE_REST},
    {"publish", 'p', YES, "[HOST:]CONTAINER",
     "a port of the container on this machine's loopback; without HOST, or 0, a free one",
     ces_mount_set_publish, CES_PHASE_REST},
    {"interactive", 'i', NO, NULL, "stdin reaches the container", ces_set_interactive,
     CES_PHASE_REST},
    {"tty", 't', NO, NULL, "the container gets a terminal", ces_set_tty, CES_PHASE_REST},
    {"detach", 'd', NO, NULL, "print the run's number and do not wait", ces_set_detach,
     CES_PHASE_REST},
    {"name", 0, YES, "N", "a name for the run", ces_set_name, CES_PHASE_REST},
    {"entrypoint", 0, YES, "CMD", "in place of the image's entrypoint and command",
     ces_set_entrypoint, CES_PHASE_REST},
    {"workdir", 'w', YES, "DIR", "working directory in the container", ces_set_workdir,
     CES_PHASE_REST},
    {"read-only", 0, NO, NULL, "the container's own file system cannot be written",
     ces_set_read_only, CES_PHASE_REST},
    {"dry-run", 0, NO, NULL, "say what would be done and why, and do nothing", ces_set_dry_run,
     CES_PHASE_REST},
    QUIET,
    HELP,
    {"gpus", 0, YES, "N", NULL, ces_set_gpu, CES_PHASE_REST}, /* as Docker writes it */
    {"network", 0, YES, "none", NULL, ces_set_network, CES_PHASE_REST},
    {"rm", 0, MAYBE, NULL, NULL, ces_set_rm, CES_PHASE_REST},
    {"rmi", 0, MAYBE, NULL, NULL, ces_set_rmi, CES_PHASE_REST},
    {"no-https", 0, MAYBE, NULL, NULL, ces_set_no_https, CES_PHASE_REST},
    {"pull", 0, YES, "never", NULL, ces_set_pull, CES_PHASE_REST},
    {"http-proxy", 0, MAYBE, "false", NULL, ces_set_http_proxy, CES_PHASE_REST},
};

static const struct ces_option pull_table[] = {
    PROJECT,
    {"username", 'u', YES, "U", "your user name at the registry", ces_set_username, CES_PHASE_REST},
    {"token-stdin", 0, NO, NULL, "read the token from stdin", ces_set_token_stdin, CES_PHASE_REST},
    {"token-file", 0, YES, "F", "read the token from a file", ces_set_token_file, CES_PHASE_REST},
    {"dry-run", 0, NO, NULL, "say what would be done and why, and do nothing", ces_set_dry_run,
     CES_PHASE_REST},
    QUIET,
    HELP,
};

#define FORMAT                                                                                     \
	{                                                                                          \
		"format", 0, YES, "json", "json, or table", ces_set_format, CES_PHASE_REST         \
	}

#define NUMBERS(what)                                                                              \
	{                                                                                          \
		"quiet", 'q', NO, NULL, "only the " what ", a line each", ces_set_quiet,           \
		    CES_PHASE_REST                                                                 \
	}

static const struct ces_option images_table[] = {
    FORMAT,
    NUMBERS("images' names"),
    {"digests", 0, NO, NULL, "whole digests", ces_set_digests, CES_PHASE_REST},
    /* podman's; here it is always all */
    {"all", 'a', NO, NULL, NULL, ces_set_all, CES_PHASE_REST},
    HELP};

static const struct ces_option doctor_table[] = {FORMAT, QUIET, HELP};

static const struct ces_option ps_table[] = {
    FORMAT,
    {"all", 'a', NO, NULL, "also detached runs that have ended, where they are still known",
     ces_set_all, CES_PHASE_REST},
    NUMBERS("runs' numbers"),
    HELP,
};

static const struct ces_option inspect_table[] = {
    {"format", 0, YES, "json", NULL, ces_set_format, CES_PHASE_REST},
    QUIET,
    HELP,
};

static const struct ces_option logs_table[] = {
    {"follow", 'f', NO, NULL, "go on until the run ends", ces_set_follow, CES_PHASE_REST},
    {"tail", 'n', YES, "N", "only the last N lines of what is there", ces_set_tail, CES_PHASE_REST},
    QUIET,
    HELP,
};

static const struct ces_option stop_table[] = {
    {"all", 'a', NO, NULL, "every run of yours", ces_set_all, CES_PHASE_REST},
    {"time", 't', YES, "N", "seconds until what is left of it is killed (10)", ces_set_grace,
     CES_PHASE_REST},
    QUIET,
    HELP,
};

static const struct ces_option plain_table[] = {QUIET, HELP};

#define TABLE(command, table)                                                                      \
	{                                                                                          \
		"ces-client " command, false, (table), CES_COUNT(table), ces_options_instead, NULL \
	}

const struct ces_option_table ces_run_options = {
    "ces-client run", true, run_table, CES_COUNT(run_table), ces_options_instead, NULL};
const struct ces_option_table ces_pull_options = TABLE("pull", pull_table);
const struct ces_option_table ces_images_options = TABLE("images", images_table);
const struct ces_option_table ces_doctor_options = TABLE("doctor", doctor_table);
const struct ces_option_table ces_ps_options = TABLE("ps", ps_table);
const struct ces_option_table ces_rmi_options = TABLE("rmi", plain_table);
const struct ces_option_table ces_stop_options = TABLE("stop", stop_table);
const struct ces_option_table ces_clean_options = TABLE("clean", plain_table);
const struct ces_option_table ces_logs_options = TABLE("logs", logs_table);
const struct ces_option_table ces_wait_options = TABLE("wait", plain_table);
const struct ces_option_table ces_port_options = TABLE("port", plain_table);
const struct ces_option_table ces_inspect_options = TABLE("inspect", inspect_table);
_Static_assert(CES_COUNT(run_table) <= CES_OPTIONS_MAX, "CES_OPTIONS_MAX is too small");
