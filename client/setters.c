/* Applies each option to the request: one small function for an option, used by every table. It
 * must not decide whether a value is allowed. */
#include "client/setters.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/optfile.h"
#include "client/words.h"
#include "common/cleanup.h"
#include "common/num.h"
#include "common/quantity.h"

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

int ces_set_memory(struct ces_options *options, const char *value, struct ces_error *err)
{
	return ces_options_size("--memory", value, &options->request.memory_bytes, err);
}

int ces_set_shm_size(struct ces_options *options, const char *value, struct ces_error *err)
{
	return ces_options_size("--shm-size", value, &options->request.shm_bytes, err);
}

int ces_set_cpus(struct ces_options *options, const char *value, struct ces_error *err)
{
	if (ces_num_parse_cpus(value, &options->request.cpus) < 0)
		return ces_error_set(
		    err, CES_E_USAGE,
		    "--cpus %s: type a number of cpus, such as --cpus 4 or --cpus 0.5", value);
	return 0;
}

int ces_set_time(struct ces_options *options, const char *value, struct ces_error *err)
{
	if (ces_num_parse_time(value, &options->request.time_seconds) < 0)
		return ces_error_set(
		    err, CES_E_USAGE,
		    "--time %s: type a whole number and a unit, such as --time 90m or --time 6h",
		    value);
	return 0;
}

/* For stop: plain seconds, as with other engines, or a time as CES writes it. */
int ces_set_grace(struct ces_options *options, const char *value, struct ces_error *err)
{
	uint64_t *seconds = &options->request.time_seconds;

	if ((ces_num_parse(value, 0, UINT32_MAX, seconds) < 0 &&
	     ces_num_parse_time(value, seconds) < 0) ||
	    *seconds > CES_GRACE_MAX)
		return ces_error_set(err, CES_E_USAGE,
				     "--time %s: type a number of seconds, 0 to %u, such as --time "
				     "30; 0 kills at once",
				     value, CES_GRACE_MAX);
	return 0;
}

int ces_set_tail(struct ces_options *options, const char *value, struct ces_error *err)
{
	if (strcmp(value, "all") == 0 || strcmp(value, "-1") == 0)
		return 0;
	if (ces_num_parse(value, 0, UINT32_MAX, &options->tail) < 0)
		return ces_error_set(err, CES_E_USAGE,
				     "--tail %s: type a number of lines, such as --tail 20", value);
	options->tailed = true;
	return 0;
}

/* The part of a second that may follow it, such as .614, in milliseconds. */
static uint64_t take_fraction(const char **text)
{
	size_t n = **text == '.' ? strspn(*text + 1, "0123456789") : 0;
	uint64_t ms = 0, unit = 100;

	for (size_t i = 1; i <= n; i++, unit /= 10)
		ms += (uint64_t)((*text)[i] - '0') * unit;
	*text += n > 0 ? n + 1 : 0;
	return ms;
}

/* A date or a time: local, or with its distance from UTC, as logs -t and date -Iseconds print it.
 */
static bool parse_clock(const char *value, const char *form, uint64_t *ret_ms)
{
	struct tm parts = {.tm_isdst = -1};
	const char *end = strptime(value, form, &parts);
	uint64_t ms = 0;
	long offset;
	time_t when;

	if (end != NULL && form[strlen(form) - 1] == 'S')
		ms = take_fraction(&end);
	if (end != NULL && *end == '\0') {
		when = mktime(&parts);
	} else {
		end = end != NULL && strchr(form, ':') != NULL ? strptime(end, "%z", &parts) : NULL;
		if (end == NULL || *end != '\0')
			return false;
		offset = parts.tm_gmtoff;
		when = timegm(&parts) - offset;
	}
	*ret_ms = when > 0 ? (uint64_t)when * 1000 + ms : 0;
	return true;
}

/* The above; seconds since 1970; or an age. */
static bool parse_moment(const char *value, uint64_t *ret_ms)
{
	static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M",
					    "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"};
	uint64_t seconds;

	if (ces_num_parse(value, 0, UINT32_MAX, &seconds) == 0) {
		*ret_ms = seconds * 1000;
		return true;
	}
	if (ces_num_parse_time(value, &seconds) == 0) {
		*ret_ms = ((uint64_t)time(NULL) - seconds) * 1000;
		return true;
	}
	for (size_t i = 0; i < CES_COUNT(forms); i++)
		if (parse_clock(value, forms[i], ret_ms))
			return true;
	return false;
}

int ces_set_since(struct ces_options *options, const char *value, struct ces_error *err)
{
	if (!parse_moment(value, &options->since))
		return ces_error_set(err, CES_E_USAGE,
				     "--since %s: type a time such as --since 2026-11-28T09:30, or "
				     "--since 10m for ten minutes ago",
				     value);
	return 0;
}

int ces_set_timestamps(struct ces_options *options, const char *value, struct ces_error *err)
{
	(void)value;
	(void)err;
	options->timestamps = true;
	return 0;
}

int ces_set_wait(struct ces_options *options, const char *value, struct ces_error *err)
{
	options->request.flags |= CES_FLAG_WAIT;
	if (value != NULL && ces_num_parse_time(value, &options->wait_for) < 0)
		return ces_error_set(err, CES_E_USAGE,
				     "--wait=%s: type a whole number and a unit, such as "
				     "--wait=30m, or --wait alone",
				     value);
	return 0;
}

/* A misspelt status would list nothing, as if there were no such run. */
static bool is_filter(const char *value)
{
	static const char *const keys[] = {"name=", "image=", "ancestor=", "project="};
	static const char *const whole[] = {"status=running", "status=ended", "status=exited",
					    "status=unknown"};

	for (size_t i = 0; i < CES_COUNT(keys); i++)
		if (strncmp(value, keys[i], strlen(keys[i])) == 0)
			return true;
	for (size_t i = 0; i < CES_COUNT(whole); i++)
		if (strcmp(value, whole[i]) == 0)
			return true;
	return false;
}

int ces_set_filter(struct ces_options *options, const char *value, struct ces_error *err)
{
	if (is_filter(value))
		return ces_options_append(options, &options->filters, value, err);
	return ces_error_set(err, CES_E_USAGE,
			     "--filter %s: type one of --filter name=N, image=I, project=P, "
			     "status=running or status=ended",
			     value);
}

int ces_set_gpu(struct ces_options *options, const char *value, struct ces_error *err)
{
	return ces_options_keep_text(options, value != NULL ? value : "1", &options->request.gpu,
				     err);
}

int ces_set_project(struct ces_options *options, const char *value, struct ces_error *err)
{
	return ces_options_keep_text(options, value, &options->request.project, err);
}

int ces_set_name(struct ces_options *options, const char *value, struct ces_error *err)
{
	return ces_options_keep_text(options, value, &options->request.name, err);
}

int ces_set_workdir(struct ces_options *options, const char *value, struct ces_error *err)
{
	return ces_options_keep_text(options, value, &options->request.workdir, err);
}

int ces_set_entrypoint(struct ces_options *options, const char *value, struct ces_error *err)
{
	/* (podman's; no program has such a name) */
	if (strncmp(value, "[\"", 2) == 0)
		return ces_error_set(err, CES_E_USAGE,
				     "--entrypoint %s: this is one program: type --entrypoint CMD, "
				     "and its words after the image",
				     value);
	options->request.flags |= CES_FLAG_ENTRYPOINT;
	return ces_options_keep_text(options, value, &options->request.entrypoint, err);
}

/* Finds the comma behind which another variable begins. Any other comma is part of a value. */
static char *find_next(char *pair)
{
	char *comma = strchr(pair, ',');

	for (; comma != NULL; comma = strchr(comma + 1, ',')) {
		size_t length = strcspn(comma + 1, "=,");

		if (comma[1 + length] == '=' && ces_env_name_valid(comma + 1, length))
			return comma;
	}
	return NULL;
}

int ces_set_env(struct ces_options *options, const char *value, struct ces_error *err)
{
	char *pair, *next;

	if (!options->commas)
		return ces_options_add_env(options, value, err);
	if (!options->in_file && strchr(value, '=') == NULL)
		return ces_error_set(err, CES_E_USAGE,
				     "'%s': -e is --cleanenv in Apptainer, which is already so: "
				     "leave it out; --env NAME=VALUE sets a variable",
				     value);
	if (ces_options_keep_text(options, value, &pair, err) < 0)
		return -1;
	for (; (next = find_next(pair)) != NULL; pair = next + 1) {
		*next = '\0';
		if (ces_options_add_env(options, pair, err) < 0)
			return -1;
	}
	return ces_options_add_env(options, pair, err);
}

int ces_set_option_file(struct ces_options *options, const char *value, struct ces_error *err)
{
	if (options->in_file)
		return ces_error_set(
		    err, CES_E_USAGE,
		    "--opt-file does not work inside an opt-file: write the options here");
	return ces_options_append(options, &options->option_files, value, err);
}

int ces_set_arg_file(struct ces_options *options, const char *value, struct ces_error *err)
{
	struct ces_words words;
	int result = 0;

	if (ces_words_read(value, false, &words, err) < 0)
		return -1;
	for (int i = 1; i < words.argc && result == 0; i++)
		result = ces_options_append(options, &options->request.args, words.argv[i], err);
	ces_words_free(&words);
	return result;
}

int ces_set_env_file(struct ces_options *options, const char *value, struct ces_error *err)
{
	return ces_optfile_read_env(value, options, err);
}

#define FLAG_SETTER(function, flag)                                                                \
	int function(struct ces_options *options, const char *value, struct ces_error *err)        \
	{                                                                                          \
		(void)value;                                                                       \
		(void)err;                                                                         \
		options->request.flags |= (flag);                                                  \
		return 0;                                                                          \
	}
FLAG_SETTER(ces_set_interactive, CES_FLAG_INTERACTIVE)
FLAG_SETTER(ces_set_tty, CES_FLAG_TTY)
FLAG_SETTER(ces_set_detach, CES_FLAG_DETACH)
FLAG_SETTER(ces_set_read_only, CES_FLAG_READ_ONLY)
FLAG_SETTER(ces_set_dry_run, CES_FLAG_EXPLAIN)

#define BOOL_SETTER(function, member)                                                              \
	int function(struct ces_options *options, const char *value, struct ces_error *err)        \
	{                                                                                          \
		(void)value;                                                                       \
		(void)err;                                                                         \
		options->member = true;                                                            \
		return 0;                                                                          \
	}
BOOL_SETTER(ces_set_quiet, quiet)
BOOL_SETTER(ces_set_help, help)
BOOL_SETTER(ces_set_all, all)
BOOL_SETTER(ces_set_digests, digests)
BOOL_SETTER(ces_set_follow, follow)
BOOL_SETTER(ces_set_token_stdin, token_stdin)

/* For an option of podman's that asks for what CES always does. It accepts that, and refuses
 * anything else. */
static int already_so(const char *option, const char *value, const char *only, const char *instead,
		      struct ces_error *err)
{
	if (value == NULL || strcmp(value, only) == 0)
		return 0;
	return ces_error_set(err, CES_E_USAGE, "--%s=%s is not for CES: %s", option, value,
			     instead);
}

/* If the policy has a proxy, "no network" changes something. */
int ces_set_network(struct ces_options *options, const char *value, struct ces_error *err)
{
	options->request.flags |= CES_FLAG_NO_PROXY;
	return already_so("network", value, "none",
			  "a container has no network: leave it out (-p HOST:CONTAINER publishes a "
			  "port on this machine)",
			  err);
}

/* Which display of this machine DISPLAY names. */
int ces_set_display(struct ces_options *options, const char *value, struct ces_error *err)
{
	const char *display = getenv("DISPLAY"), *at = display;
	uint64_t number, screen;

	(void)value;
	if (display == NULL || *display == '\0')
		return ces_error_set(err, CES_E_USAGE,
				     "--display: DISPLAY is not set here; type this in a terminal "
				     "of your desktop session");
	if (strncmp(at, "unix:", 5) == 0)
		at += 4;
	if (*at++ != ':' || ces_num_digits(&at, CES_DISPLAY_MAX - 1, &number) != 0 ||
	    (*at == '.' && (at++, ces_num_digits(&at, CES_DISPLAY_MAX, &screen) != 0)) ||
	    *at != '\0')
		return ces_error_set(err, CES_E_USAGE,
				     "--display: DISPLAY is %s, which is not a display of this "
				     "machine, such as :0; type this in a terminal of a desktop "
				     "session on this machine",
				     display);
	options->request.display = number + 1;
	return 0;
}

int ces_set_rm(struct ces_options *options, const char *value, struct ces_error *err)
{
	(void)options;
	return already_so("rm", value, "true",
			  "a container is always removed when it ends: leave it out", err);
}

/* Without a value it means true in podman, which CES does not do. */
static int needs_false(const char *option, const char *value, struct ces_error *err)
{
	if (value != NULL)
		return 0;
	return ces_error_set(err, CES_E_USAGE,
			     "--%s is not for CES: leave it out, or type --%s=false", option,
			     option);
}

int ces_set_rmi(struct ces_options *options, const char *value, struct ces_error *err)
{
	(void)options;
	if (needs_false("rmi", value, err) < 0)
		return -1;
	return already_so("rmi", value, "false",
			  "an image stays as long as the policy says: leave it out", err);
}

int ces_set_no_https(struct ces_options *options, const char *value, struct ces_error *err)
{
	(void)options;
	return already_so("no-https", value, "true", "a run fetches nothing: leave it out", err);
}

int ces_set_pull(struct ces_options *options, const char *value, struct ces_error *err)
{
	(void)options;
	return already_so("pull", value, "never",
			  "a run never pulls: leave it out, and type 'ces-client pull IMAGE' first",
			  err);
}

int ces_set_http_proxy(struct ces_options *options, const char *value, struct ces_error *err)
{
	if (needs_false("http-proxy", value, err) < 0)
		return -1;
	options->request.flags |= CES_FLAG_NO_PROXY;
	return already_so("http-proxy", value, "false",
			  "a proxy is there where the policy names one: leave it out", err);
}

int ces_set_format(struct ces_options *options, const char *value, struct ces_error *err)
{
	options->json = strcmp(value, "json") == 0;
	if (!options->json && strcmp(value, "table") != 0)
		return ces_error_set(err, CES_E_USAGE,
				     "--format %s: type --format json or --format table", value);
	return 0;
}

int ces_set_username(struct ces_options *options, const char *value, struct ces_error *err)
{
	return ces_options_keep_text(options, value, &options->request.username, err);
}

int ces_set_token_file(struct ces_options *options, const char *value, struct ces_error *err)
{
	return ces_options_keep_text(options, value, &options->token_file, err);
}
