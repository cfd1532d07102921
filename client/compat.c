/* Today's commands. It must not leave a token where ps shows it. It must not ask for more than its
 * user did: a user who asks for nothing gets the "all cores" and "4 GB" of the guides from the
 * policy. */
#include "client/compat.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/advice.h"
#include "client/help.h"
#include "client/k8s.h"
#include "client/local.h"
#include "client/perform.h"
#include "client/say.h"
#include "client/setters.h"
#include "client/sif.h"
#include "client/token.h"
#include "client/version.h"
#include "common/cleanup.h"
#include "common/num.h"
#include "common/paths.h"
#include "common/quantity.h"

enum runtime { PODMAN, APPTAINER, K8S };

static const char *const runtime_words[] = {
    [PODMAN] = "podman", [APPTAINER] = "apptainer", [K8S] = "k8s"};

static const struct name {
	const char *name;
	enum ces_verb verb;
	enum runtime runtime;
	bool words; /* a runtime word may come first */
	bool gpu;
} names[] = {
    {"ces-pull", CES_VERB_PULL, PODMAN, true, false},
    {"ces-run", CES_VERB_RUN, PODMAN, true, false},
    {"ces-pm-pull", CES_VERB_PULL, PODMAN, false, false},
    {"ces-pm-run", CES_VERB_RUN, PODMAN, false, false},
    {"ces-dk-run", CES_VERB_RUN, PODMAN, false, false},
    {"ces-app-pull", CES_VERB_PULL, APPTAINER, false, false},
    {"ces-gpu-run", CES_VERB_RUN, PODMAN, false, true},
    {"apptainer", CES_VERB_RUN, APPTAINER, false, false},
    {"singularity", CES_VERB_RUN, APPTAINER, false, false},
};

static const struct name *find(const char *argv0)
{
	const char *base = strrchr(argv0, '/');

	base = base != NULL ? base + 1 : argv0;
	for (size_t i = 0; i < CES_COUNT(names); i++) {
		if (strcmp(base, names[i].name) == 0)
			return &names[i];
	}
	return NULL;
}

/* Apptainer itself, by either of its names: the word run comes first. */
static bool is_apptainer(const struct name *name)
{
	return name->runtime == APPTAINER && name->verb == CES_VERB_RUN;
}

bool ces_compat_is(const char *argv0)
{
	return find(argv0) != NULL;
}

/* The copy of argv that holds the token. */
static struct {
	char **argv;
	size_t size;
} hidden;

static void forget(void)
{
	if (hidden.argv != NULL)
		explicit_bzero(hidden.argv, hidden.size);
	free(hidden.argv);
	hidden.argv = NULL;
}

char **ces_compat_hide(int argc, char **argv)
{
	const struct name *name = argc > 0 ? find(argv[0]) : NULL;
	size_t size = sizeof(char *);
	char **copy, *text;

	if (name == NULL || name->verb != CES_VERB_PULL)
		return argv;
	for (int i = 0; i < argc; i++)
		size += sizeof(*copy) + strlen(argv[i]) + 1;
	copy = calloc(1, size);
	if (copy == NULL)
		exit(CES_EXIT_REFUSED); /* (nothing is open yet on which to say why) */
	text = (char *)(copy + argc + 1);
	for (int i = 0; i < argc; i++) {
		copy[i] = text;
		text = stpcpy(text, argv[i]) + 1;
		if (i > 0)
			explicit_bzero(argv[i], strlen(argv[i]));
	}
	hidden.argv = copy;
	hidden.size = size;
	return copy;
}

/* ---- the options that only these commands have, or write in another way ---- */

static int set_cores(struct ces_options *options, const char *value, struct ces_error *err)
{
	if (strcmp(value, "all") == 0 || ces_num_parse_cpus(value, &options->request.cpus) == 0)
		return 0;
	return ces_error_set(err, CES_E_USAGE,
			     "--cores %s: type a number of cores, such as --cores 4", value);
}

static int set_gigabytes(struct ces_options *options, const char *value, struct ces_error *err)
{
	uint64_t gigabytes;

	if (ces_num_parse(value, 1, 1 << 20, &gigabytes) == 0) {
		options->request.memory_bytes = gigabytes << 30;
		return 0;
	}
	if (ces_num_parse_size(value, &options->request.memory_bytes) == 0)
		return 0;
	return ces_error_set(err, CES_E_USAGE,
			     "--memory %s: type a whole number of GB, such as --memory 4", value);
}

static int set_verbose(struct ces_options *options, const char *value, struct ces_error *err)
{
	(void)value;
	(void)err;
	options->verbose = true;
	return 0;
}

static int set_debug(struct ces_options *options, const char *value, struct ces_error *err)
{
	options->debug = true;
	return set_verbose(options, value, err);
}

static int set_version(struct ces_options *options, const char *value, struct ces_error *err)
{
	(void)value;
	(void)err;
	options->version = true;
	return 0;
}

static int set_output(struct ces_options *options, const char *value, struct ces_error *err)
{
	return ces_options_keep_text(options, value, &options->output, err);
}

#define NO    no_argument
#define YES   required_argument
#define MAYBE optional_argument
#define REST  CES_PHASE_REST
/* clang-format off */
#define COMMON_ROWS                                                                                \
	{"project", 0, YES, "P", "the project to act for, if you are in several", ces_set_project, REST}, \
	{"dry-run", 0, NO, NULL, "say what CES would do and why; do nothing", ces_set_dry_run, REST}, \
	{"verbose", 'v', NO, NULL, "print the request", set_verbose, REST},                    \
	{"debug", 0, NO, NULL, "the same, with the program that is started", set_debug, REST},                 \
	{"quiet", 'q', NO, NULL, "print only errors", ces_set_quiet, REST},   \
	{"version", 0, NO, NULL, "print the version", set_version, REST},                          \
	{"help", 'h', NO, NULL, "print this help", ces_set_help, REST}
/* clang-format on */

static const struct ces_option run_rows[] = {
    {"cores", 'c', YES, "N", "cores at most; the default is what the policy gives", set_cores,
     REST},
    {"memory", 'm', YES, "GB", "memory at most, in GB; the default is what the policy gives",
     set_gigabytes, REST},
    {"name", 'n', YES, "N", "a name for the run", ces_set_name, REST},
    {"gpu", 0, MAYBE, "N", "GPUs: a number (default 1), all, or a device's name", ces_set_gpu,
     REST},
    {"time", 0, YES, "T", "time at most, such as 90m or 6h", ces_set_time, REST},
    {"env-file", 0, YES, "F", "set variables: one K=V a line", ces_set_env_file,
     CES_PHASE_ENV_FILE},
    {"opt-file", 0, YES, "F", "read options of 'ces-client run'; the command line wins",
     ces_set_option_file, CES_PHASE_OPTION_FILE},
    {"arg-file", 0, YES, "F", "read words for the container's command", ces_set_arg_file, REST},
    {"output", 'o', YES, "FILE", "k8s: write the manifest to FILE", set_output, REST},
    COMMON_ROWS,
};

static const struct ces_option pull_rows[] = {COMMON_ROWS};

/* Says what to type for options of 'ces-client run' that these commands lack. */
static const char *instead(const char *command, const char *name)
{
	for (size_t i = 0; i < ces_run_options.n; i++) {
		const struct ces_option *option = &ces_run_options.options[i];

		if (strcmp(name, option->name) == 0 ||
		    (name[0] == option->letter && name[1] == '\0'))
			return "write it in an --opt-file, or type 'ces-client run'";
	}
	return ces_options_instead(command, name);
}

static const struct ces_option_table run_table = {"ces-run",           true,    run_rows,
						  CES_COUNT(run_rows), instead, &ces_run_options};
static const struct ces_option_table pull_table = {
    "ces-pull", true, pull_rows, CES_COUNT(pull_rows), ces_options_instead, NULL};

/* ---- the words ---- */

struct compat {
	const struct name *name;
	enum runtime runtime;
	bool token_typed;
	struct ces_options options;
};

static bool take_runtime(struct compat *compat, const char *word)
{
	for (size_t i = 0; compat->name->words && i < CES_COUNT(runtime_words); i++) {
		if (strcmp(word, runtime_words[i]) == 0) {
			compat->runtime = (enum runtime)i;
			return true;
		}
	}
	return false;
}

static const char *usage_of(const struct name *name)
{
	if (name->verb == CES_VERB_PULL)
		return name->words ? "[podman|apptainer|k8s] [OPTION...] [USER [TOKEN]] IMAGE"
				   : "[OPTION...] [USER [TOKEN]] IMAGE";
	return name->words ? "[podman|apptainer|k8s] [OPTION...] IMAGE [ARG...]"
			   : "[OPTION...] IMAGE [ARG...]";
}

static int usage_error(const struct compat *compat, struct ces_error *err)
{
	return ces_error_set(err, CES_E_USAGE, "type %s %s", compat->name->name,
			     usage_of(compat->name));
}

/* USER TOKEN IMAGE. Without a user there is no login. `anonymous` without a token, or with the
 * token `anonymous`, is no login either; with another token it is the user name of a deploy token.
 * If there is a user and the token is missing or empty, the client asks for one. */
static int take_pull(struct compat *compat, int argc, char **argv, struct ces_error *err)
{
	struct ces_options *options = &compat->options;
	const char *user = argc > 1 ? argv[0] : "";
	char *token = argc > 2 ? argv[1] : NULL;

	/* (of USER TOKEN without an image, the token must not be shown as a wrong image) */
	if (argc < 1 || argc > 3 || (argc == 2 && strchr(argv[1], '/') == NULL))
		return usage_error(compat, err);
	if (ces_options_keep_text(options, ces_advice_bare(argv[argc - 1]), &options->request.image,
				  err) < 0)
		return -1;
	if (*user == '\0' && token != NULL && *token != '\0')
		return ces_error_set(err, CES_E_USAGE, "a token needs a user name before it");
	if (*user == '\0' || (strcmp(user, "anonymous") == 0 &&
			      (token == NULL || *token == '\0' || strcmp(token, "anonymous") == 0)))
		return 0;
	if (token == NULL || *token == '\0')
		return ces_options_keep_text(options, user, &options->request.username, err);
	compat->token_typed = true;
	return ces_token_give(options, user, token, err);
}

/* Takes existing directories in place of new ones. An option on the command line wins. */
static int take_places(struct ces_options *options, struct ces_error *err)
{
	static const struct {
		const char *variable, *destination;
	} places[] = {{"CES_SAFE_OUTPUTS", "/safe_outputs"}, {"CES_SCRATCH", "/scratch"}};
	const struct ces_strings *typed = &options->request.bind_destinations;

	for (size_t i = 0; i < CES_COUNT(places); i++) {
		const char *source = getenv(places[i].variable);
		bool given = source == NULL || *source == '\0';

		for (size_t k = 0; k < typed->n && !given; k++)
			given = strcmp(typed->v[k], places[i].destination) == 0;
		if (!given && ces_options_bind(options, source, places[i].destination, err) < 0)
			return ces_error_context(err, "%s", places[i].variable);
	}
	return 0;
}

static int take_run(struct compat *compat, int argc, char **argv, struct ces_error *err)
{
	struct ces_options *options = &compat->options;
	struct ces_request *request = &options->request;

	if (argc < 1)
		return usage_error(compat, err);
	if (take_runtime(compat, argv[0]))
		return ces_error_set(err, CES_E_USAGE,
				     "the runtime comes before the options: type ces-run %s ...",
				     argv[0]);
	if (ces_sif_is(argv[0]) && compat->runtime != APPTAINER)
		return ces_error_set(err, CES_E_USAGE, "type ces-run apptainer %s", argv[0]);
	if (strchr("/.~", argv[0][0]) != NULL && argv[0][0] != '\0' && !ces_sif_is(argv[0]))
		return ces_error_set(err, CES_E_USAGE,
				     "'%s' is not an image: here -v means --verbose; write -v "
				     "SRC:DST into an --opt-file",
				     argv[0]);
	for (int i = 1; i < argc; i++) {
		if (ces_options_append(options, &request->args, argv[i], err) < 0)
			return -1;
	}
	if (compat->name->gpu && request->gpu == NULL && ces_set_gpu(options, NULL, err) < 0)
		return -1;
	if (compat->runtime == APPTAINER)
		request->flags |= CES_FLAG_SAME_UID;
	if (compat->runtime != K8S && take_places(options, err) < 0)
		return -1;
	if (options->output != NULL && compat->runtime != K8S)
		return ces_error_set(
		    err, CES_E_USAGE,
		    "-o names the file for a manifest: type ces-run k8s -o FILE ...");
	if (ces_sif_is(argv[0]))
		return ces_sif_read(argv[0], options, err);
	return ces_options_keep_text(options, ces_advice_bare(argv[0]), &request->image, err);
}

static int parse(struct compat *compat, int argc, char **argv, struct ces_error *err)
{
	bool pull = compat->name->verb == CES_VERB_PULL;
	bool word = argc > 1 && take_runtime(compat, argv[1]);
	int first;

	if (compat->name->words && argc > 2 && strcmp(argv[1], "docker") == 0)
		return ces_error_set(err, CES_E_USAGE, "leave out 'docker': type %s %s ...",
				     compat->name->name, argv[2]);
	argc -= word;
	argv += word;
	if (ces_options_parse(pull ? &pull_table : &run_table, argc, argv, &compat->options, &first,
			      err) < 0)
		return -1;
	if (compat->options.help || compat->options.version)
		return 0;
	argc -= first;
	argv += first;
	if (pull && !word && argc > 0 && take_runtime(compat, argv[0])) {
		argc--;
		argv++;
	}
	compat->options.request.verb = compat->name->verb;
	if ((pull ? take_pull : take_run)(compat, argc, argv, err) < 0)
		return -1;
	return pull && compat->runtime == K8S ? 0 : ces_perform_check(&compat->options, err);
}

/* Apptainer has other letters for what is always so. */
static const char *apptainer_instead(const char *command, const char *name)
{
	if (strcmp(name, "c") == 0 || strcmp(name, "C") == 0)
		return "already so: leave it out";
	return ces_options_instead(command, name);
}

/* "apptainer run [OPTION...] FILE.sif [ARG...]", with the options of ces-client run. */
static int parse_apptainer(struct compat *compat, int argc, char **argv, struct ces_error *err)
{
	struct ces_option_table table = ces_run_options;
	int first;

	compat->options.version = argc == 2 && strcmp(argv[1], "--version") == 0;
	compat->options.help = argc == 2 && strcmp(argv[1], "--help") == 0;
	if (compat->options.version || compat->options.help)
		return 0;
	if (argc > 1 && strcmp(argv[1], "pull") == 0)
		return ces_error_set(err, CES_E_USAGE,
				     "type ces-pull apptainer USER IMAGE; it asks for the token");
	if (argc > 1 && (strcmp(argv[1], "exec") == 0 || strcmp(argv[1], "shell") == 0))
		return ces_error_set(err, CES_E_USAGE,
				     "type ces-client run --entrypoint PROGRAM IMAGE");
	if (argc < 2 || strcmp(argv[1], "run") != 0)
		return ces_error_set(err, CES_E_USAGE,
				     "CES has only one of Apptainer's commands: type apptainer run "
				     "[OPTION...] FILE.sif [ARG...]");
	compat->options.commas = true;
	table.command = "apptainer run";
	table.instead = apptainer_instead;
	table.in_file = &ces_run_options;
	if (ces_options_parse(&table, argc - 1, argv + 1, &compat->options, &first, err) < 0)
		return -1;
	if (compat->options.help)
		return 0;
	argc -= 1 + first;
	argv += 1 + first;
	compat->options.request.verb = CES_VERB_RUN;
	if (take_run(compat, argc, argv, err) < 0)
		return -1;
	return ces_perform_check(&compat->options, err);
}

static int print_help(const struct name *name)
{
	bool pull = name->verb == CES_VERB_PULL;

	if (is_apptainer(name)) {
		ces_help_options(name->name, "run [OPTION...] FILE.sif [ARG...]",
				 "Run an image on project data, as 'ces-client run' does",
				 &ces_run_options);
		return ces_perform_printed();
	}
	ces_help_options(name->name, usage_of(name),
			 pull ? "Fetch an image from its registry, as 'ces-client pull' does"
			      : "Run an image on project data, as 'ces-client run' does",
			 pull ? &pull_table : &run_table);
	return ces_perform_printed();
}

static int print_version(const struct name *name)
{
	printf("%s %s\n", name->name, CES_VERSION);
	return ces_perform_printed();
}

/* Writes the file that users of Apptainer look for after a pull. */
static int pull_sif(struct ces_options *options)
{
	int status = ces_perform(options);
	struct ces_error err;

	if (status != 0 || (options->request.flags & CES_FLAG_EXPLAIN) != 0 ||
	    ces_sif_write(options->request.image, options->digest, &err) == 0)
		return status;
	ces_say_failure(&err);
	return CES_EXIT_REFUSED;
}

/* The service before CES gave each run the caller's display. A program with windows that lacks it
 * does not always say so. */
static int run(struct ces_options *options)
{
	bool looked =
	    (options->request.flags & CES_FLAG_EXPLAIN) != 0 || options->request.display != 0;
	int status = ces_perform(options);
	struct ces_local local = {0};
	char user[CES_LOCAL_USER];
	struct ces_decision decision;
	struct ces_error ignored;

	if (looked || status == 0 || status >= CES_EXIT_REFUSED ||
	    ces_set_display(options, NULL, &ignored) < 0 ||
	    ces_local_load(CES_POLICY_PATH, &local, &ignored) < 0)
		return status;
	options->request.flags |= CES_FLAG_EXPLAIN; /* (a question, which needs no key) */
	if (ces_local_decide(&local, &options->request, &decision, user, &ignored) == 0)
		ces_say("if this program opens windows, write --display into an --opt-file");
	ces_local_free(&local);
	return status;
}

static int execute(struct compat *compat)
{
	struct ces_options *options = &compat->options;

	ces_say_only_errors(options->quiet);
	if (compat->token_typed)
		ces_say(
		    "others can read the token on your command line: next time leave it out, and "
		    "CES asks for it; or type ces-client pull --username U --token-file F IMAGE");
	if (compat->runtime == APPTAINER && compat->name->verb == CES_VERB_PULL)
		return pull_sif(options);
	if (compat->runtime != K8S)
		return compat->name->verb == CES_VERB_RUN ? run(options) : ces_perform(options);
	if (compat->name->verb == CES_VERB_RUN)
		return ces_k8s_print(options);
	ces_say("CES pulls nothing here: the cluster pulls the image when the job starts");
	return 0;
}

int ces_compat_main(int argc, char **argv)
{
	struct compat compat = {.name = find(argv[0]), .options.visible = true};
	struct ces_error err;
	int status = CES_EXIT_REFUSED, parsed;

	if (compat.name == NULL)
		return status;
	compat.runtime = compat.name->runtime;
	parsed = is_apptainer(compat.name) ? parse_apptainer(&compat, argc, argv, &err)
					   : parse(&compat, argc, argv, &err);
	if (parsed < 0)
		ces_say_failure(&err);
	else if (compat.options.help)
		status = print_help(compat.name);
	else if (compat.options.version)
		status = print_version(compat.name);
	else
		status = execute(&compat);
	ces_options_free(&compat.options);
	forget();
	return status;
}
