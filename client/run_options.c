/* The tables of ces-client's options, and what to type in place of the ones that people know from
 * elsewhere. */
#include "client/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "client/profile.h"
#include "client/setters.h"
#include "common/cleanup.h"

static const struct {
	const char *verbs; /* for options that people type with this command */
	const char *name, *instead;
} elsewhere[] = {
    {"run", "privileged", "a container never holds rights on the host: leave it out"},
    {"run", "cap-add", "a container never holds rights on the host: leave it out"},
    {"run", "cap-drop",
     "a container already has only the capabilities that it needs: leave it out"},
    {"run", "security-opt", "the policy sets what a container may do: leave it out"},
    {"run", "device", "devices are not passed in: leave it out, or type --gpu=N for a GPU"},
    {"run", "nv", "type --gpu=N"},
    {"run", "rocm", "type --gpu=N"},
    {"run", "cores", "type --cpus N"},
    {"run", "c", "type --cpus N"},
    {"run", "cpu-shares", "type --cpus N"},
    {"run", "cpuset-cpus", "type --cpus N"},
    {"run", "memory-swap", "type --memory SIZE"},
    {"run", "timeout", "type --time T, such as --time 6h"},
    {"run", "tmpfs", "type --mount type=tmpfs,destination=DIR"},
    {"run", "B", "type --bind SRC:DST"},
    {"run", "pwd", "type -w DIR"},
    {"run", "publish-all", "type -p HOST:CONTAINER"},
    {"run", "P", "type -p HOST:CONTAINER"},
    {"run", "env-host", "type -e NAME for each variable"},
    {"run", "user", "who you are inside is set by the policy and the image: leave it out"},
    {"run", "u", "who you are inside is set by the policy and the image: leave it out"},
    {"run", "userns", "a container always has namespaces of its own: leave it out"},
    {"run", "pid", "a container always has namespaces of its own: leave it out"},
    {"run", "ipc", "a container always has namespaces of its own: leave it out"},
    {"run", "uts", "a container always has namespaces of its own: leave it out"},
    {"run", "cgroupns", "a container always has namespaces of its own: leave it out"},
    {"run", "cgroup-parent", "the policy sets it: leave it out"},
    {"run", "runtime", "the policy sets it: leave it out"},
    {"run", "hooks-dir", "hooks are never run: leave it out"},
    {"run", "add-host", "a container has no network: leave it out"},
    {"run", "dns", "a container has no network: leave it out"},
    {"run", "hostname", "leave it out; --name N names the run"},
    {"run", "restart", "a run is started once: leave it out"},
    {"run", "volumes-from", "type -v SRC:DST"},
    {"run", "writable-tmpfs", "already so: leave it out"},
    {"run", "cleanenv", "already so: leave it out"},
    {"run", "containall", "already so: leave it out"},
    {"run", "no-home", "already so: leave it out"},
    {"pull run", "password",
     "a token is never typed on the command line: type --token-file F or --token-stdin"},
    {"pull", "p",
     "a token is never typed on the command line: type --token-file F or --token-stdin"},
    {"pull run", "password-stdin", "type --token-stdin"},
    {"pull run", "token",
     "a token is never typed on the command line: type --token-file F or --token-stdin"},
    {"pull run", "creds", "type --username U --token-file F or --username U --token-stdin"},
    {"pull run", "tls-verify", "the policy says how a registry is reached: leave it out"},
    {"pull run", "authfile", "type --username U --token-file F"},
    {"pull run", "platform", "an image for this machine is chosen: leave it out"},
    {"pull", "all-tags", "name one tag: IMAGE:TAG"},
    {"pull run", "arch", "an image for this machine is chosen: leave it out"},
    {"pull run", "os", "an image for this machine is chosen: leave it out"},
    {"run", "ulimit", "type --memory SIZE, --cpus N or --time T; other limits are the policy's"},
    {"run", "pids-limit", "the policy sets it: leave it out"},
    {"run", "memory-reservation", "type --memory SIZE"},
    {"run", "sysctl", "the policy sets what a container may do: leave it out"},
    {"run", "seccomp-policy", "the policy sets what a container may do: leave it out"},
    {"run", "group-add", "the groups inside are the image's: leave it out"},
    {"run", "secret", "type -e NAME for a value of your environment, or -v FILE:DST:ro"},
    {"run", "label", "leave it out; --name N names the run"},
    {"run", "l", "leave it out; --name N names the run"},
    {"run", "annotation", "leave it out; --name N names the run"},
    {"run", "cidfile", "-d prints the run's number: type NUMBER=$(ces-client run -d IMAGE)"},
    {"run", "replace", "type 'ces-client stop NAME' first"},
    {"run", "init", "already so: what is left of a container is always ended; leave it out"},
    {"run", "stop-timeout", "leave it out, and type 'ces-client stop --time N RUN' later"},
    {"run", "stop-signal", "the image's own is sent: leave it out"},
    {"run", "log-driver", "the output of 'run -d' is kept for 'ces-client logs': leave it out"},
    {"run", "attach", "leave it out: without -d a run is attached; -i passes stdin on"},
    {"run", "a", "leave it out: without -d a run is attached; -i passes stdin on"},
    {"run", "detach-keys",
     "a run cannot be left: start it with -d and read 'ces-client logs -f RUN'"},
    {"run", "health-cmd", "leave it out: nothing watches the health of a run"},
    {"run", "no-healthcheck", "already so: leave it out"},
    {"run", "expose", "type -p HOST:CONTAINER"},
    {"run", "net", "a container has no network: leave it out"},
    {"run", "ip", "a container has no network: leave it out"},
    {"run", "link", "a container has no network: leave it out"},
    {"run", "rootfs", "type the name of an image"},
    {"run", "storage-opt", "the policy sets it: leave it out"},
    {"run", "timezone", "type -e TZ=NAME"},
    {"run", "tz", "type -e TZ=NAME"},
    {"run", "umask", "leave it out: it is 0022, as everywhere"},
    {"run", "unsetenv", "type -e NAME= for an empty value"},
    {"run", "contain", "already so: leave it out"},
    {"run", "fakeroot", "who you are inside is set by the policy and the image: leave it out"},
    {"run", "f", "who you are inside is set by the policy and the image: leave it out"},
    {"run", "writable",
     "what is written outside the mounted directories goes with the run: leave it out"},
    {"run", "overlay",
     "what is written outside the mounted directories goes with the run: leave it out"},
    {"run", "scratch", "/scratch is there in every run: leave it out"},
    {"run", "home", "type -v SRC:DST"},
    {"run", "H", "type -v SRC:DST"},
    {"run", "cwd", "type -w DIR"},
    {"run", "no-mount", "nothing of the host is mounted but what --dry-run shows: leave it out"},
    {"logs", "until", "type --since T"},
    {"ps logs stop wait inspect port", "latest",
     "name the run: 'ces-client ps' lists yours, the newest first"},
    {"images", "filter", "type --format json and choose with jq"},
    {"stop", "force", "leave it out; 'ces-client stop --time 0 RUN' kills at once"},
    {"stop", "f", "leave it out; 'ces-client stop --time 0 RUN' kills at once"},
    {"stop", "signal",
     "leave it out: the image's own signal is sent first; --time 0 kills at once"},
    {"stop", "s", "leave it out: the image's own signal is sent first; --time 0 kills at once"},
    {"rmi", "force", "leave it out: an image is removed while a run uses it, too"},
    {"rmi", "f", "leave it out: an image is removed while a run uses it, too"},
    {"rmi stop", "ignore", "leave it out"},
    {"ps", "no-trunc", "only a terminal's width shortens a line: type | cat"},
    {"images", "no-trunc", "type --digests; only a terminal's width shortens a name: type | cat"},
    {"rmi", "all", "type 'ces-client rmi $(ces-client images -q)'"},
    {"rmi", "a", "type 'ces-client rmi $(ces-client images -q)'"},
    {"logs wait inspect port", "all", "name each: 'ces-client ps -q' lists the numbers alone"},
    {"ps", "l", "name the run: 'ces-client ps' lists yours, the newest first"},
    {"ps", "n", "type | head"},
    {"ps", "last", "type | head"},
    {"ps", "size", "type --format json"},
};

#define NO    no_argument
#define YES   required_argument
#define MAYBE optional_argument
#define HELP                                                                                       \
	{                                                                                          \
		"help", 'h', NO, NULL, "print this help", ces_set_help, CES_PHASE_REST             \
	}
#define QUIET                                                                                      \
	{                                                                                          \
		"quiet", 'q', NO, NULL, "print only errors", ces_set_quiet, CES_PHASE_REST         \
	}
#define PROJECT                                                                                    \
	{                                                                                          \
		"project", 0, YES, "P", "the project to act for, if you are in several",           \
		    ces_set_project, CES_PHASE_REST                                                \
	}

static const struct ces_option run_table[] = {
    PROJECT,
    {"profile", 0, YES, "NAME",
     "use the site's options of this name, and their image if there is one", ces_set_profile,
     CES_PHASE_PROFILE},
    {"gpu", 0, MAYBE, "N", "GPUs: a number (default 1), all, or a device's name", ces_set_gpu,
     CES_PHASE_REST},
    {"cpus", 0, YES, "N", "cpus at most, such as 4 or 0.5", ces_set_cpus, CES_PHASE_REST},
    {"memory", 'm', YES, "SIZE", "memory at most, such as 16G", ces_set_memory, CES_PHASE_REST},
    {"time", 0, YES, "T", "time at most, such as 90m or 6h", ces_set_time, CES_PHASE_REST},
    {"shm-size", 0, YES, "SIZE", "size of /dev/shm", ces_set_shm_size, CES_PHASE_REST},
    {"env", 'e', YES, "K[=V]", "set a variable; K alone takes the value that it has here",
     ces_set_env, CES_PHASE_REST},
    {"env-file", 0, YES, "F", "set variables: one K=V a line", ces_set_env_file,
     CES_PHASE_ENV_FILE},
    {"arg-file", 0, YES, "F", "read words for the command, before any ARG", ces_set_arg_file,
     CES_PHASE_REST},
    {"opt-file", 0, YES, "F", "read options like these; the command line wins", ces_set_option_file,
     CES_PHASE_OPTION_FILE},
    {"volume", 'v', YES, "SRC:DST[:ro]", "show a directory or file of this machine at DST",
     ces_mount_set_volume, CES_PHASE_REST},
    {"bind", 0, YES, "SRC[:DST[:ro]]", "the same, as Apptainer writes it", ces_mount_set_bind,
     CES_PHASE_REST},
    {"mount", 0, YES, "type=...",
     "type=tmpfs,destination=DIR[,size=SIZE], or type=bind,source=SRC,destination=DST[,ro]",
     ces_mount_set_mount, CES_PHASE_REST},
    {"publish", 'p', YES, "[HOST:]CONTAINER",
     "publish a container port on this machine's loopback; without HOST, or with 0, on a free port",
     ces_mount_set_publish, CES_PHASE_REST},
    {"display", 0, NO, NULL, "let programs open windows on your X display", ces_set_display,
     CES_PHASE_REST},
    {"interactive", 'i', NO, NULL, "pass standard input to the container", ces_set_interactive,
     CES_PHASE_REST},
    {"tty", 't', NO, NULL, "give the container a terminal", ces_set_tty, CES_PHASE_REST},
    {"detach", 'd', NO, NULL, "print the run's number, and do not wait for its end", ces_set_detach,
     CES_PHASE_REST},
    {"wait", 0, MAYBE, "T", "wait for a place if there is none now, at most for T", ces_set_wait,
     CES_PHASE_REST},
    {"name", 0, YES, "N", "a name for the run", ces_set_name, CES_PHASE_REST},
    {"entrypoint", 0, YES, "CMD", "run this instead of the image's entrypoint and command",
     ces_set_entrypoint, CES_PHASE_REST},
    {"workdir", 'w', YES, "DIR", "working directory in the container", ces_set_workdir,
     CES_PHASE_REST},
    {"read-only", 0, NO, NULL, "make the container's own file system read-only", ces_set_read_only,
     CES_PHASE_REST},
    {"dry-run", 0, NO, NULL, "say what CES would do and why; do nothing", ces_set_dry_run,
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
    {"token-stdin", 0, NO, NULL, "read the token from standard input", ces_set_token_stdin,
     CES_PHASE_REST},
    {"token-file", 0, YES, "F", "read the token from a file", ces_set_token_file, CES_PHASE_REST},
    {"dry-run", 0, NO, NULL, "say what CES would do and why; do nothing", ces_set_dry_run,
     CES_PHASE_REST},
    QUIET,
    HELP,
};

#define FORMAT                                                                                     \
	{                                                                                          \
		"format", 0, YES, "json", "print json, or a table", ces_set_format, CES_PHASE_REST \
	}

#define NUMBERS(what)                                                                              \
	{                                                                                          \
		"quiet", 'q', NO, NULL, "print only the " what ", one a line", ces_set_quiet,      \
		    CES_PHASE_REST                                                                 \
	}

static const struct ces_option images_table[] = {
    FORMAT,
    NUMBERS("images' names"),
    {"digests", 0, NO, NULL, "print whole digests", ces_set_digests, CES_PHASE_REST},
    /* podman's; here it is always all */
    {"all", 'a', NO, NULL, NULL, ces_set_all, CES_PHASE_REST},
    HELP};

static const struct ces_option doctor_table[] = {
    FORMAT,
    {"quiet", 'q', NO, NULL, "print only errors and warnings", ces_set_quiet, CES_PHASE_REST},
    HELP,
};

static const struct ces_option ps_table[] = {
    FORMAT,
    {"all", 'a', NO, NULL, "also list the last 100 runs that have ended", ces_set_all,
     CES_PHASE_REST},
    {"filter", 'f', YES, "KEY=VALUE", "list only runs with this name, image, project or status",
     ces_set_filter, CES_PHASE_REST},
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
    {"tail", 'n', YES, "N", "print only the last N lines", ces_set_tail, CES_PHASE_REST},
    {"since", 0, YES, "T",
     "print only later lines: a time such as 2026-11-28T09:30, or 10m for ten minutes ago",
     ces_set_since, CES_PHASE_REST},
    {"timestamps", 't', NO, NULL, "print the time before each line", ces_set_timestamps,
     CES_PHASE_REST},
    QUIET,
    HELP,
};

static const struct ces_option stop_table[] = {
    {"all", 'a', NO, NULL, "end all your runs", ces_set_all, CES_PHASE_REST},
    {"time", 't', YES, "N", "wait N seconds before killing a run (default 10)", ces_set_grace,
     CES_PHASE_REST},
    QUIET,
    HELP,
};

static const struct ces_option plain_table[] = {QUIET, HELP};

static const char *owner_of(const char *name, const struct ces_option *table, size_t n,
			    const char *verb, char *buffer, size_t size)
{
	for (size_t i = 0; i < n; i++) {
		const struct ces_option *option = &table[i];
		bool letter = name[1] == '\0' && option->letter == name[0];

		if (option->help == NULL || (!letter && strcmp(option->name, name) != 0))
			continue;
		(void)snprintf(buffer, size, CES_OPTION_ELSEWHERE " 'ces-client %s'", verb);
		return buffer;
	}
	return NULL;
}

const char *ces_options_instead(const char *command, const char *name)
{
	const char *verb = command + strcspn(command, "-") + 1; /* of ces-pull, ces-run */
	static char owner[64];

	if (strchr(command, ' ') != NULL)
		verb = strchr(command, ' ') + 1;
	for (size_t i = 0; i < CES_COUNT(elsewhere); i++)
		if (strcmp(name, elsewhere[i].name) == 0 &&
		    strstr(elsewhere[i].verbs, verb) != NULL)
			return elsewhere[i].instead;
	if (owner_of(name, run_table, CES_COUNT(run_table), "run", owner, sizeof(owner)) != NULL ||
	    owner_of(name, pull_table, CES_COUNT(pull_table), "pull", owner, sizeof(owner)) != NULL)
		return owner;
	return NULL;
}

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
