/* ces-client: what the caller types becomes a request to the helper, and the helper's answer
 * becomes lines, output and an exit status. It runs with the caller's rights only and decides
 * nothing. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "client/compat.h"
#include "client/doctor.h"
#include "client/help.h"
#include "client/lifecycle.h"
#include "client/options.h"
#include "client/perform.h"
#include "client/say.h"
#include "client/session.h"
#include "common/suggest.h"
#include "client/version.h"
#include "common/cleanup.h"
#include "common/name.h"
#include "common/paths.h"

static const struct ces_command commands[] = {
    {"pull", CES_VERB_PULL, CES_OPERAND_IMAGE, &ces_pull_options, "IMAGE",
     "Fetch an image from its registry", NULL},
    {"run", CES_VERB_RUN, CES_OPERAND_COMMAND, &ces_run_options, "IMAGE [ARG...]",
     "Run an image on project data", NULL},
    {"images", CES_VERB_IMAGES, CES_OPERAND_NONE, &ces_images_options, "",
     "List the images that you pulled", NULL},
    {"rmi", CES_VERB_REMOVE, CES_OPERAND_IMAGE, &ces_rmi_options, "IMAGE",
     "Remove an image that you pulled", NULL},
    {"ps", CES_VERB_RUNS, CES_OPERAND_NONE, &ces_ps_options, "", "List your runs", ces_ps},
    {"stop", CES_VERB_STOP, CES_OPERAND_RUN, &ces_stop_options, "RUN", "End a run of yours", NULL},
    {"inspect", CES_VERB_INSPECT, CES_OPERAND_EITHER, &ces_inspect_options, "RUN|IMAGE",
     "Show what is known of a run or an image, as JSON", NULL},
    {"clean", CES_VERB_CLEAN, CES_OPERAND_NONE, &ces_clean_options, "",
     "As root: remove what killed runs left (the janitor does)", NULL},
    {"doctor", 0, CES_OPERAND_NONE, &ces_doctor_options, "",
     "Is this machine fit for CES, and what is missing", ces_doctor},
    {"logs", 0, CES_OPERAND_RUN, &ces_logs_options, "[-f] RUN", "Show what a detached run wrote",
     ces_logs},
    {"wait", 0, CES_OPERAND_RUN, &ces_wait_options, "RUN",
     "Wait for a run's end and print its exit status", ces_wait},
};

/* Commands that people know from elsewhere. */
static const struct {
	const char *name, *instead;
} elsewhere[] = {
    {"exec", "a live container cannot be entered: start another with 'ces-client run'"},
    {"attach", "a live container cannot be entered: its output is where the run was started"},
    {"build", "images are built outside, and pulled here with 'ces-client pull IMAGE'"},
    {"push", "nothing goes out of here"},
    {"login", "type 'ces-client pull --username U IMAGE'; no login is kept"},
    {"kill", "type 'ces-client stop RUN'"},
    {"rm", "a container is always removed when it ends; 'ces-client rmi IMAGE' removes an image"},
    {"list", "type 'ces-client images' or 'ces-client ps'"},
    {"ls", "type 'ces-client images' or 'ces-client ps'"},
    {"image", "type 'ces-client images'"},
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

static const struct ces_command *find(const char *name)
{
	for (size_t i = 0; i < CES_COUNT(commands); i++) {
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
	}
	return NULL;
}

/* A run's number or name holds no '/' and no ':', an image's reference always one of them. */
static bool looks_like_run(const char *text)
{
	return ces_run_valid(text) || ces_run_name_valid(text);
}

static int take_operands(const struct ces_command *command, int argc, char **argv,
			 struct ces_options *options, struct ces_error *err)
{
	struct ces_request *request = &options->request;
	int wanted = command->operand == CES_OPERAND_NONE ? 0 : 1;

	if (argc < wanted)
		return ces_error_set(err, CES_E_USAGE, "%s: type ces-client %s %s", command->name,
				     command->name, command->usage);
	if (argc > wanted && command->operand != CES_OPERAND_COMMAND)
		return ces_error_set(err, CES_E_USAGE,
				     "%s: '%s' is one word too many: type ces-client %s%s%s",
				     command->name, argv[wanted], command->name,
				     wanted > 0 ? " " : "", command->usage);
	if (wanted == 0)
		return 0;
	if (command->operand == CES_OPERAND_RUN ||
	    (command->operand == CES_OPERAND_EITHER && looks_like_run(argv[0])))
		return ces_options_keep_text(options, argv[0], &request->run, err);
	for (int i = 1; i < argc; i++) {
		if (ces_options_append(options, &request->args, argv[i], err) < 0)
			return -1;
	}
	return ces_options_keep_text(options, argv[0], &request->image, err);
}

static int parse(const struct ces_command *command, int argc, char **argv,
		 struct ces_options *options, struct ces_error *err)
{
	int first;

	if (ces_options_parse(command->options, argc, argv, options, &first, err) < 0)
		return -1;
	options->request.verb = command->verb;
	if (options->help)
		return 0;
	if (take_operands(command, argc - first, argv + first, options, err) < 0)
		return -1;
	return ces_perform_check(options, err);
}

static int perform(const struct ces_command *command, bool explain, int argc, char **argv)
{
	struct ces_options options = {0};
	struct ces_error err;
	int status = CES_EXIT_REFUSED;

	if (explain)
		options.request.flags |= CES_FLAG_EXPLAIN;
	if (parse(command, argc, argv, &options, &err) < 0) {
		ces_say_failure(&err);
	} else if (options.help) {
		ces_help_command(command);
		status = ces_perform_printed();
	} else if (command->act != NULL) {
		status = command->act(&options);
	} else {
		status = ces_perform(&options);
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
		if (argc == 0 || (strcmp(argv[0], "pull") != 0 && strcmp(argv[0], "run") != 0)) {
			ces_say_error("explain: type ces-client explain pull IMAGE or ces-client "
				      "explain run IMAGE");
			return CES_EXIT_REFUSED;
		}
	}
	command = find(argv[0]);
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
	if (argc > 0 && ces_compat_is(argv[0]))
		return ces_compat_main(argc, argv);
	if (argc < 2) {
		ces_say_error("type ces-client COMMAND; 'ces-client --help' lists the commands");
		return CES_EXIT_REFUSED;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		ces_help_commands(commands, CES_COUNT(commands));
		return ces_perform_printed();
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("ces-client %s\n", CES_VERSION);
		return ces_perform_printed();
	}
	return dispatch(argc - 1, argv + 1);
}
