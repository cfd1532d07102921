/* ces-client: turns what the caller types into a request to the helper, and the helper's answer
 * into lines, output and an exit status. It runs with the caller's rights only, and decides
 * nothing. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "client/advice.h"
#include "client/check.h"
#include "client/compat.h"
#include "client/doctor.h"
#include "client/foresee.h"
#include "client/help.h"
#include "client/lifecycle.h"
#include "client/live.h"
#include "client/missing.h"
#include "client/options.h"
#include "client/perform.h"
#include "client/say.h"
#include "client/session.h"
#include "client/version.h"
#include "common/cleanup.h"
#include "common/event.h"
#include "common/name.h"
#include "common/paths.h"
#include "common/suggest.h"

static const struct ces_command commands[] = {
    {"pull", CES_VERB_PULL, CES_OPERAND_IMAGE, &ces_pull_options, "IMAGE",
     "Fetch an image from its registry", NULL, false},
    {"run", CES_VERB_RUN, CES_OPERAND_COMMAND, &ces_run_options, "IMAGE [ARG...]",
     "Run an image on project data", NULL, false},
    {"images", CES_VERB_IMAGES, CES_OPERAND_NONE, &ces_images_options, "",
     "List the images that you pulled", NULL, false},
    {"rmi", CES_VERB_REMOVE, CES_OPERAND_IMAGE, &ces_rmi_options, "IMAGE...",
     "Remove images from your list", NULL, true},
    {"ps", CES_VERB_RUNS, CES_OPERAND_NONE, &ces_ps_options, "", "List your runs", ces_ps, false},
    {"stop", CES_VERB_STOP, CES_OPERAND_RUN, &ces_stop_options, "RUN...", "End your runs", NULL,
     true},
    {"inspect", CES_VERB_INSPECT, CES_OPERAND_EITHER, &ces_inspect_options, "RUN|IMAGE",
     "Show a run or an image, as JSON", ces_inspect, false},
    {"clean", CES_VERB_CLEAN, CES_OPERAND_NONE, &ces_clean_options, "",
     "Remove what killed runs left (for root; the janitor does it too)", NULL, false},
    {"doctor", 0, CES_OPERAND_NONE, &ces_doctor_options, "",
     "Say whether this machine is fit for CES, and what is missing", ces_doctor, false},
    {"port", 0, CES_OPERAND_RUN, &ces_port_options, "RUN",
     "Show the addresses of a run's published ports", ces_port, false},
    {"logs", 0, CES_OPERAND_RUN, &ces_logs_options, "[-f] RUN", "Show the output of a detached run",
     ces_logs, false},
    {"wait", 0, CES_OPERAND_RUN, &ces_wait_options, "RUN...",
     "Wait until a run ends, and print its exit status", ces_wait, true},
};

/* Commands that people know from elsewhere. */
static const struct {
	const char *name, *instead;
} elsewhere[] = {
    {"exec", "a live container cannot be entered: start another with 'ces-client run'"},
    {"attach", "a live container cannot be entered: type 'ces-client logs -f RUN'"},
    {"shell", "type 'ces-client run -it --entrypoint /bin/sh IMAGE'"},
    {"instance", "type 'ces-client run -d IMAGE', 'ces-client ps' or 'ces-client stop RUN'"},
    {"start", "a run that has ended is gone: start another with 'ces-client run'"},
    {"restart", "a run that has ended is gone: start another with 'ces-client run'"},
    {"create", "type 'ces-client run IMAGE'; --dry-run shows what it would be"},
    {"cp", "a run's files are in its outputs directory, which 'ces-client ps' shows"},
    {"commit", "images are built outside, and pulled here with 'ces-client pull IMAGE'"},
    {"build", "images are built outside, and pulled here with 'ces-client pull IMAGE'"},
    {"import", "images are built outside, and pulled here with 'ces-client pull IMAGE'"},
    {"load", "images are pulled with 'ces-client pull IMAGE'"},
    {"tag", "an image has the name that it was pulled by"},
    {"push", "nothing goes out of here"},
    {"save", "nothing goes out of here"},
    {"export", "nothing goes out of here"},
    {"search",
     "the images that are approved are in the policy: type 'ces-client explain pull IMAGE'"},
    {"login", "type 'ces-client pull --username U IMAGE'; no login is kept"},
    {"logout", "no login is kept"},
    {"kill", "type 'ces-client stop --time 0 RUN'"},
    {"pause", "a run cannot be paused: type 'ces-client stop RUN'"},
    {"unpause", "a run cannot be paused"},
    {"rm", "a run goes when it ends: type 'ces-client stop RUN', or for an image 'ces-client rmi'"},
    {"prune", "what nobody needs is removed by itself; 'ces-client rmi IMAGE' removes an image"},
    {"list", "type 'ces-client images' or 'ces-client ps'"},
    {"ls", "type 'ces-client images' or 'ces-client ps'"},
    {"history", "type 'ces-client inspect IMAGE'"},
    {"top", "type 'top' in another terminal: the processes of your runs are shown there"},
    {"stats", "type 'top' in another terminal: the processes of your runs are shown there"},
    {"rename", "a run keeps its name: type --name N with 'ces-client run'"},
    {"network", "a container has no network; -p HOST:CONTAINER publishes a port here"},
    {"volume", "type -v SRC:DST with 'ces-client run'; /scratch is there in every run"},
    {"pod", "a run is one container: type 'ces-client run IMAGE'"},
    {"compose", "a run is one container: type 'ces-client run IMAGE' for each"},
    {"kube", "type 'ces-run k8s IMAGE', which writes a Kubernetes Job"},
    {"system", "type 'ces-client doctor'; what nobody needs is removed by itself"},
    {"info", "type 'ces-client doctor'"},
    {"cache", "what nobody needs is removed by itself; 'ces-client rmi IMAGE' removes an image"},
    {"version", "type 'ces-client --version'"},
};

static int usage_error(const char *name)
{
	struct ces_suggestion best = {0};

	for (size_t i = 0; i < CES_COUNT(elsewhere); i++) {
		if (strcmp(name, elsewhere[i].name) == 0) {
			ces_say_error("there is no command '%s': %s", name, elsewhere[i].instead);
			return CES_EXIT_REFUSED;
		}
	}
	if (name[0] == '-') {
		ces_say_error("%s comes before the command: type ces-client COMMAND %s", name,
			      name);
		return CES_EXIT_REFUSED;
	}
	for (size_t i = 0; i < CES_COUNT(commands); i++) {
		if (commands[i].options != NULL)
			ces_suggest(&best, name, commands[i].name);
	}
	ces_suggest(&best, name, "explain");
	if (best.word != NULL)
		ces_say_error("there is no command '%s': did you mean 'ces-client %s'?", name,
			      best.word);
	else
		ces_say_error("there is no command '%s': 'ces-client --help' lists them", name);
	return CES_EXIT_REFUSED;
}

/* Commands that podman and Docker also write as two words. */
static const struct {
	const char *group, *word, *command;
} two_words[] = {
    {"image", "ls", "images"},     {"image", "list", "images"},
    {"image", "pull", "pull"},     {"image", "rm", "rmi"},
    {"image", "remove", "rmi"},    {"image", "inspect", "inspect"},
    {"container", "ls", "ps"},     {"container", "list", "ps"},
    {"container", "ps", "ps"},     {"container", "run", "run"},
    {"container", "stop", "stop"}, {"container", "kill", "stop"},
    {"container", "logs", "logs"}, {"container", "wait", "wait"},
    {"container", "port", "port"}, {"container", "inspect", "inspect"},
};

/* NULL, with a message, if the second word does not make a command. */
static const char *one_word(const char *group, const char *word)
{
	char words[128] = "";
	size_t used = 0;

	for (size_t i = 0; i < CES_COUNT(two_words); i++) {
		if (strcmp(group, two_words[i].group) != 0)
			continue;
		if (word != NULL && strcmp(word, two_words[i].word) == 0)
			return two_words[i].command;
		used += (size_t)snprintf(words + used, sizeof(words) - used, "%s%s",
					 used > 0 ? ", " : "", two_words[i].word);
	}
	ces_say_error("%s: type one of these after it: %s", group, words);
	return NULL;
}

static bool is_group(const char *word)
{
	return strcmp(word, "image") == 0 || strcmp(word, "container") == 0;
}

static const struct ces_command *find(const char *name)
{
	for (size_t i = 0; i < CES_COUNT(commands); i++) {
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
	}
	return NULL;
}

/* A run's number or name has no '/' and no ':'. An image's reference always has one. */
static bool looks_like_run(const char *text)
{
	return ces_run_valid(text) || ces_run_name_valid(text);
}

static int take_operand(const struct ces_command *command, const char *word,
			struct ces_options *options, struct ces_error *err)
{
	bool run = command->operand == CES_OPERAND_RUN ||
		   (command->operand == CES_OPERAND_EITHER && looks_like_run(word));

	return ces_options_keep_text(options, run ? word : ces_advice_bare(word),
				     run ? &options->request.run : &options->request.image, err);
}

static int take_operands(const struct ces_command *command, int argc, char **argv,
			 struct ces_options *options, struct ces_error *err)
{
	const struct ces_strings *usual = &options->profile_command;
	bool named = command->operand == CES_OPERAND_NONE || options->profile_image != NULL;
	int wanted = named ? 0 : 1;
	bool typed_none = argc <= wanted && options->request.args.n == 0;

	if (options->all && command->verb == CES_VERB_STOP) {
		if (argc > 0)
			return ces_error_set(err, CES_E_USAGE,
					     "stop: --all means every run: leave out '%s'",
					     argv[0]);
		return 0;
	}
	if (argc < wanted)
		return ces_error_set(err, CES_E_USAGE, "%s: type ces-client %s %s", command->name,
				     command->name, command->usage);
	if (argc > wanted && command->operand != CES_OPERAND_COMMAND && !command->many)
		return ces_error_set(err, CES_E_USAGE,
				     "%s: '%s' is one word too many: type ces-client %s%s%s",
				     command->name, argv[wanted], command->name,
				     wanted > 0 ? " " : "", command->usage);
	for (int i = wanted; i < argc; i++) {
		struct ces_strings *list =
		    command->many ? &options->operands : &options->request.args;

		if (ces_options_append(options, list, argv[i], err) < 0)
			return -1;
	}
	for (size_t i = 0; typed_none && i < usual->n; i++)
		if (ces_options_append(options, &options->request.args, usual->v[i], err) < 0)
			return -1;
	options->request.image = options->profile_image;
	return wanted == 0 ? 0 : take_operand(command, argv[0], options, err);
}

static int parse(const struct ces_command *command, int argc, char **argv,
		 struct ces_options *options, struct ces_error *err)
{
	int first;

	if (command->verb == CES_VERB_STOP)
		options->request.time_seconds = CES_GRACE_DEFAULT;
	if (ces_options_parse(command->options, argc, argv, options, &first, err) < 0)
		return -1;
	options->request.verb = command->verb;
	/* ("-h NAME" is a host name elsewhere, and a script takes a status of 0 for a run) */
	if (options->help && command->operand == CES_OPERAND_COMMAND && argc > first)
		return ces_error_set(err, CES_E_USAGE,
				     "%s: -h and --help only list the options, without an image; "
				     "CES gives the host name: leave -h out",
				     command->name);
	if (options->help)
		return 0;
	if (take_operands(command, argc - first, argv + first, options, err) < 0)
		return -1;
	return ces_perform_check(options, err);
}

static int act(const struct ces_command *command, struct ces_options *options)
{
	return command->act != NULL ? command->act(options) : ces_perform(options);
}

static void add_live(const struct ces_event_run *run, void *context)
{
	struct ces_options *options = context;
	struct ces_error err;

	if (ces_options_append(options, &options->operands, run->run, &err) < 0)
		ces_say_failure(&err);
}

/* Acts on each operand in turn. A failure does not stop it. */
static int act_on_all(const struct ces_command *command, struct ces_options *options)
{
	bool every = options->all && command->verb == CES_VERB_STOP;
	int status = every ? 0 : act(command, options);

	if (every && ces_live_each(add_live, options) < 0)
		return CES_EXIT_REFUSED;
	for (size_t i = 0; i < options->operands.n; i++) {
		struct ces_error err;
		int one = CES_EXIT_REFUSED;

		if (take_operand(command, options->operands.v[i], options, &err) < 0 ||
		    ces_request_check(&options->request, &err) < 0)
			ces_say_failure(&err);
		else
			one = act(command, options);
		status = one != 0 ? one : status;
	}
	return status;
}

/* After the helper has explained a run that the policy allows. */
static int foresee(const struct ces_options *options)
{
	struct ces_error err;

	if (ces_foresee(options, &err) < 0) {
		ces_say_error("the run would be refused: %s", err.text);
		return CES_EXIT_REFUSED;
	}
	ces_missing_note(options->request.image);
	return 0;
}

static int perform(const struct ces_command *command, bool explain, int argc, char **argv)
{
	struct ces_options options = {.visible = true};
	struct ces_error err;
	int status = CES_EXIT_REFUSED;

	if (explain)
		options.request.flags |= CES_FLAG_EXPLAIN;
	if (parse(command, argc, argv, &options, &err) < 0) {
		ces_say_failure(&err);
	} else if (options.help) {
		ces_help_command(command);
		status = ces_perform_printed();
	} else {
		status = act_on_all(command, &options);
		if (status == 0 && command->verb == CES_VERB_RUN &&
		    (options.request.flags & CES_FLAG_EXPLAIN) != 0)
			status = foresee(&options);
	}
	ces_options_free(&options);
	return status;
}

static int dispatch(int argc, char **argv)
{
	bool explain = strcmp(argv[0], "explain") == 0;
	const struct ces_command *command;

	if (explain) {
		argc--;
		argv++;
		if (argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)) {
			printf(
			    "ces-client explain pull [OPTION...] IMAGE\n"
			    "ces-client explain run [OPTION...] IMAGE [ARG...]\n"
			    "Say whether CES would allow it, by which rule, and what it would get. "
			    "Do nothing else. The options are those of 'ces-client pull' and "
			    "'ces-client "
			    "run'.\n");
			return ces_perform_printed();
		}
		if (argc == 0 || (strcmp(argv[0], "pull") != 0 && strcmp(argv[0], "run") != 0)) {
			ces_say_error("explain: type ces-client explain pull IMAGE or ces-client "
				      "explain run IMAGE");
			return CES_EXIT_REFUSED;
		}
	}
	if (is_group(argv[0])) {
		const char *name = one_word(argv[0], argc > 1 ? argv[1] : NULL);

		if (name == NULL)
			return CES_EXIT_REFUSED;
		argc--;
		argv++;
		command = find(name);
	} else {
		command = find(argv[0]);
	}
	if (command == NULL)
		return usage_error(argv[0]);
	if (command->options == NULL) {
		ces_say_error("'%s' is not in this version of CES", command->name);
		return CES_EXIT_REFUSED;
	}
	return perform(command, explain, argc, argv);
}

int main(int argc, char **argv)
{
	struct ces_error err;

	argv = ces_compat_hide(argc, argv);
	if (ces_session_prepare_fds(&err) < 0) {
		ces_say_failure(&err);
		return CES_EXIT_REFUSED;
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* (a note that is too large for a user's limit ends no run) */
	if (argc > 0 && ces_compat_is(argv[0]))
		return ces_compat_main(argc, argv);
	if (argc < 2) {
		ces_say_error("type ces-client COMMAND; 'ces-client --help' lists the commands");
		return CES_EXIT_REFUSED;
	}
	if (argc == 3 && strcmp(argv[1], "help") == 0) {
		char help[] = "--help", *words[] = {argv[2], help, NULL};

		return dispatch(2, words);
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		ces_help_commands(commands, CES_COUNT(commands));
		return ces_perform_printed();
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-v") == 0) {
		printf("ces-client %s\n", CES_VERSION);
		return ces_perform_printed();
	}
	return dispatch(argc - 1, argv + 1);
}
