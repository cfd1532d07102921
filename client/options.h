/* Turns words (of the command line or an opt-file) into a ces_request. The tables of options are
 * data, so another front end can use a table of its own and fill the same request. Nothing here
 * decides what is allowed: a value becomes part of the request, or is refused as unreadable with a
 * line that says what to type. */
#ifndef CES_CLIENT_OPTIONS_H
#define CES_CLIENT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "common/name.h"
#include "common/request.h"

struct ces_options {
	struct ces_request request; /* its strings live in `owned` */
	bool help;
	bool quiet;
	bool json;
	bool all;
	bool digests;
	uint64_t wait_for; /* with CES_FLAG_WAIT: seconds at most; 0: without a limit */
	bool follow;
	bool timestamps;
	uint64_t since; /* of a log only what came later; milliseconds since 1970 */
	bool tailed;    /* of a log only the last */
	uint64_t tail;  /* lines */
	bool version;
	bool verbose;
	bool debug;
	bool token_stdin;
	bool may_ask_login; /* a user is at a terminal, and typed no login */
	bool login_wanted;  /* the registry wants one; the refusal is not shown */
	char *token_file;
	char digest[CES_DIGEST_LENGTH +
		    1];      /* of the image that was pulled, or of a run's .sif file */
	char *output;        /* -o: where a manifest is written; NULL: stdout */
	bool in_file;        /* the words being read come from an opt-file */
	bool commas;         /* --env A=1,B=2 sets two variables, as in Apptainer */
	bool visible;        /* argv is this process's: wipe the values of -e there */
	uint32_t chosen;     /* which published ports CES chose, a bit each */
	bool profiled;       /* --profile was typed */
	char *profile_image; /* its image; NULL: the user types one */
	struct ces_strings profile_command; /* its command, if the user types no words */
	struct ces_strings option_files;    /* named on the command line, not yet read */
	struct ces_strings filters;         /* of ps: "KEY=VALUE" */
	struct ces_strings operands;        /* runs or images, of a command that takes several */
	struct ces_strings owned;           /* every string made here; wiped and freed in the end */
};

/* Values are applied in this order, so that the command line wins over the files that it names. */
enum ces_option_phase {
	CES_PHASE_PROFILE,
	CES_PHASE_OPTION_FILE,
	CES_PHASE_ENV_FILE,
	CES_PHASE_REST
};

struct ces_option {
	const char *name;
	char letter;       /* 0: none */
	int argument;      /* no_argument, required_argument or optional_argument of <getopt.h> */
	const char *value; /* what the help calls the value */
	const char *help;  /* NULL: accepted, but not listed */
	int (*set)(struct ces_options *options, const char *value, struct ces_error *err);
	enum ces_option_phase phase;
};

#define CES_OPTIONS_MAX 64 /* in one table */

struct ces_option_table {
	const char *command;  /* "ces-client run": the command to ask with --help */
	bool stop_at_operand; /* what follows the first operand is the program's (run) */
	const struct ces_option *options;
	size_t n;
	/* Returns what to type in place of an option that people know from elsewhere; NULL if there
	 * is no advice. name is a long name, or one letter. */
	const char *(*instead)(const char *command, const char *name);
	/* The options of an opt-file, if they are not these; NULL: the same. */
	const struct ces_option_table *in_file;
};

/* Reads options from argv (and skips argv[0]). *ret_first is the index of the first operand.
 * Without stop_at_operand it permutes argv, so that the operands come last. On failure
 * (CES_E_USAGE) the options are half filled: only call ces_options_free. */
int ces_options_parse(const struct ces_option_table *table, int argc, char **argv,
		      struct ces_options *options, int *ret_first, struct ces_error *err);

/* Wipes (there may be a token) and frees all strings. */
void ces_options_free(struct ces_options *options);

/* For setters: makes a copy that options owns; NULL with err set if there is no memory. */
char *ces_options_keep(struct ces_options *options, const char *text, size_t length,
		       struct ces_error *err);
int ces_options_keep_text(struct ces_options *options, const char *text, char **ret,
			  struct ces_error *err);

/* Binds a directory of the caller's, like -v SOURCE:DESTINATION. */
int ces_options_bind(struct ces_options *options, const char *source, const char *destination,
		     struct ces_error *err);

/* For setters: appends to a list of the request. */
int ces_strings_append(struct ces_strings *list, char *value, struct ces_error *err);
int ces_u64s_append(struct ces_u64s *list, uint64_t value, struct ces_error *err);
int ces_options_append(struct ces_options *options, struct ces_strings *list, const char *text,
		       struct ces_error *err);

/* Adds "NAME=value". "NAME" takes the caller's own value, and adds nothing if there is none. It
 * replaces an earlier value of the same name. */
int ces_options_add_env(struct ces_options *options, const char *text, struct ces_error *err);

/* Begins a message that names the command and the option. */
#define CES_OPTION_ELSEWHERE "it is an option of"

/* The tables, and what to type in place of an option of podman's, Docker's or Apptainer's. */
const char *ces_options_instead(const char *command, const char *name);
extern const struct ces_option_table ces_run_options;
extern const struct ces_option_table ces_pull_options;
extern const struct ces_option_table ces_images_options;
extern const struct ces_option_table ces_doctor_options;
extern const struct ces_option_table ces_ps_options;
extern const struct ces_option_table ces_rmi_options;
extern const struct ces_option_table ces_stop_options;
extern const struct ces_option_table ces_clean_options;
extern const struct ces_option_table ces_inspect_options;
extern const struct ces_option_table ces_logs_options;
extern const struct ces_option_table ces_wait_options;
extern const struct ces_option_table ces_port_options;

/* mount.c: -v, --bind, --mount, -p. */
int ces_mount_set_volume(struct ces_options *options, const char *value, struct ces_error *err);
int ces_mount_set_bind(struct ces_options *options, const char *value, struct ces_error *err);
int ces_mount_set_mount(struct ces_options *options, const char *value, struct ces_error *err);
int ces_mount_set_publish(struct ces_options *options, const char *value, struct ces_error *err);

/* Chooses other ports of this machine for those that CES chose: while a run waits for its place,
 * another program may take them. */
int ces_mount_choose_again(struct ces_options *options, struct ces_error *err);

/* Reads a size with its unit. The error names the option and says what to type. */
int ces_options_size(const char *option, const char *value, uint64_t *ret, struct ces_error *err);

#endif
