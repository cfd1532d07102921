/* Reads options by a table, and owns the memory of the request that they make. It must not know
 * what any option means. */
#include "client/options.h"
#include "client/words.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/name.h"
#include "common/suggest.h"

#define LIST_MAX   16384 /* far above what a request frame can carry */
#define FIRST_LONG 256   /* getopt's values of long options, above every letter */

static int no_memory(struct ces_error *err)
{
	return ces_error_set(err, CES_E_INTERNAL, "out of memory");
}

int ces_strings_append(struct ces_strings *list, char *value, struct ces_error *err)
{
	/* Room doubles when the count is a power of two, so nobody needs to keep a capacity. */
	if ((list->n & (list->n - 1)) == 0) {
		char **grown =
		    reallocarray(list->v, list->n == 0 ? 1 : 2 * list->n, sizeof(*list->v));

		if (grown == NULL)
			return no_memory(err);
		list->v = grown;
	}
	if (list->n >= LIST_MAX)
		return ces_error_set(err, CES_E_USAGE, "more than %d values", LIST_MAX);
	list->v[list->n++] = value;
	return 0;
}

int ces_u64s_append(struct ces_u64s *list, uint64_t value, struct ces_error *err)
{
	uint64_t *grown = reallocarray(list->v, list->n + 1, sizeof(*list->v));

	if (grown == NULL)
		return no_memory(err);
	list->v = grown;
	list->v[list->n++] = value;
	return 0;
}

char *ces_options_keep(struct ces_options *options, const char *text, size_t length,
		       struct ces_error *err)
{
	char *copy = strndup(text, length);

	if (copy == NULL) {
		no_memory(err);
		return NULL;
	}
	if (ces_strings_append(&options->owned, copy, err) < 0) {
		free(copy);
		return NULL;
	}
	return copy;
}

int ces_options_keep_text(struct ces_options *options, const char *text, char **ret,
			  struct ces_error *err)
{
	char *copy = ces_options_keep(options, text, strlen(text), err);

	if (copy == NULL)
		return -1;
	*ret = copy;
	return 0;
}

int ces_options_append(struct ces_options *options, struct ces_strings *list, const char *text,
		       struct ces_error *err)
{
	char *copy;

	if (ces_options_keep_text(options, text, &copy, err) < 0)
		return -1;
	return ces_strings_append(list, copy, err);
}

static int put_env(struct ces_options *options, char *pair, size_t name_length,
		   struct ces_error *err)
{
	struct ces_strings *env = &options->request.env;

	for (size_t i = 0; i < env->n; i++) {
		if (strncmp(env->v[i], pair, name_length + 1) == 0) {
			env->v[i] = pair;
			return 0;
		}
	}
	return ces_strings_append(env, pair, err);
}

int ces_options_add_env(struct ces_options *options, const char *text, struct ces_error *err)
{
	const char *equals = strchr(text, '=');
	size_t length = equals != NULL ? (size_t)(equals - text) : strlen(text);
	CES_CLEANUP_FREE char *joined = NULL;
	char *pair;

	if (!ces_env_name_valid(text, length))
		return ces_error_set(err, CES_E_USAGE,
				     "'%s' is not a variable: type NAME=value, or NAME alone to "
				     "take the value that it has here",
				     text);
	if (equals == NULL) {
		const char *value = getenv(text);

		if (value == NULL)
			return 0;
		if (asprintf(&joined, "%s=%s", text, value) < 0) {
			joined = NULL;
			return no_memory(err);
		}
		text = joined;
	}
	if (ces_options_keep_text(options, text, &pair, err) < 0)
		return -1;
	return put_env(options, pair, length, err);
}

void ces_options_free(struct ces_options *options)
{
	struct ces_request *request = &options->request;
	struct ces_strings *lists[] = {
	    &request->args,
	    &request->env,
	    &request->publish,
	    &request->bind_sources,
	    &request->bind_destinations,
	    &request->tmpfs_destinations,
	    &options->profile_command,
	    &options->option_files,
	    &options->filters,
	    &options->operands,
	    &options->owned,
	};

	for (size_t i = 0; i < options->owned.n; i++) {
		explicit_bzero(options->owned.v[i], strlen(options->owned.v[i]));
		free(options->owned.v[i]);
	}
	for (size_t i = 0; i < CES_COUNT(lists); i++)
		free(lists[i]->v);
	free(request->bind_read_only.v);
	free(request->tmpfs_sizes.v);
	free(request->cookie.v);
	memset(options, 0, sizeof(*options));
}

/* getopt's two descriptions of a table. */
struct getopt_table {
	char letters[2 + 3 * CES_OPTIONS_MAX + 1];
	struct option names[CES_OPTIONS_MAX + 1];
};

static void describe(const struct ces_option_table *table, struct getopt_table *ret)
{
	char *p;

	memset(ret, 0, sizeof(*ret));
	p = ret->letters;
	if (table->stop_at_operand)
		*p++ = '+';
	*p++ = ':';
	for (size_t i = 0; i < table->n && i < CES_OPTIONS_MAX; i++) {
		const struct ces_option *option = &table->options[i];

		ret->names[i] =
		    (struct option){option->name, option->argument, NULL, FIRST_LONG + (int)i};
		if (option->letter == 0)
			continue;
		*p++ = option->letter;
		if (option->argument == required_argument)
			*p++ = ':';
	}
}

static const struct ces_option *find(const struct ces_option_table *table, int value)
{
	if (value >= FIRST_LONG && (size_t)(value - FIRST_LONG) < table->n)
		return &table->options[value - FIRST_LONG];
	for (size_t i = 0; i < table->n; i++) {
		if (table->options[i].letter != 0 && table->options[i].letter == value)
			return &table->options[i];
	}
	return NULL;
}

static int unknown(const struct ces_option_table *table, const char *name, struct ces_error *err)
{
	const char *dashes = name[1] == '\0' ? "-" : "--";
	const char *instead = table->instead != NULL ? table->instead(table->command, name) : NULL;
	struct ces_suggestion best = {0};

	if (instead != NULL &&
	    strncmp(instead, CES_OPTION_ELSEWHERE, strlen(CES_OPTION_ELSEWHERE)) == 0)
		return ces_error_set(err, CES_E_USAGE, "%s has no %s%s: %s", table->command, dashes,
				     name, instead);
	if (instead != NULL)
		return ces_error_set(err, CES_E_USAGE, "%s%s is not for CES: %s", dashes, name,
				     instead);
	for (size_t i = 0; i < table->n; i++) {
		if (table->options[i].help != NULL)
			ces_suggest(&best, name, table->options[i].name);
	}
	if (best.word != NULL)
		return ces_error_set(err, CES_E_USAGE, "unknown option %s%s: did you mean --%s?",
				     dashes, name, best.word);
	return ces_error_set(err, CES_E_USAGE, "unknown option %s%s: '%s --help' lists the options",
			     dashes, name, table->command);
}

/* Reports what getopt could not read. optopt is 0 for an unknown long option; otherwise it is the
 * option, or its letter. */
static int complain(const struct ces_option_table *table, int value, const char *word,
		    struct ces_error *err)
{
	const struct ces_option *option = find(table, optopt);
	char name[64];

	if (value == ':' && option != NULL)
		return ces_error_set(err, CES_E_USAGE, "--%s needs a value: type --%s %s",
				     option->name, option->name, option->value);
	if (optopt >= FIRST_LONG && option != NULL)
		return ces_error_set(err, CES_E_USAGE,
				     "--%s takes no value: type --%s, or leave it out",
				     option->name, option->name);
	if (optopt != 0) {
		name[0] = (char)optopt;
		name[1] = '\0';
		return unknown(table, name, err);
	}
	word += strspn(word, "-");
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
	return unknown(table, name, err);
}

/* Everybody can read the words of a process, for as long as it lives. A value of -e may be a
 * secret, and the options have a copy. */
static void hide_value(const struct ces_option *option, char *pair)
{
	char *value = strcmp(option->name, "env") == 0 ? strchr(pair, '=') : NULL;

	if (value != NULL)
		explicit_bzero(value + 1, strlen(value + 1));
}

static int walk(const struct ces_option_table *table, enum ces_option_phase phase, int argc,
		char **argv, struct ces_options *options, int *ret_first, struct ces_error *err)
{
	struct getopt_table described;
	int value;

	describe(table, &described);
	opterr = 0;
	optind = 0; /* glibc: starts again, with the flags of these letters */
	while ((value = getopt_long(argc, argv, described.letters, described.names, NULL)) != -1) {
		const struct ces_option *option =
		    value == '?' || value == ':' ? NULL : find(table, value);

		if (option == NULL)
			return complain(table, value, argv[optind - 1], err);
		if (option->phase != phase)
			continue;
		if (option->set(options, optarg, err) < 0)
			return -1;
		if (options->visible && optarg != NULL)
			hide_value(option, optarg);
	}
	*ret_first = optind;
	return 0;
}

static int apply_option_file(const struct ces_option_table *table, const char *path,
			     struct ces_options *options, struct ces_error *err)
{
	struct ces_words words = {0};
	int first = 0, result;

	if (table->in_file != NULL)
		table = table->in_file;
	if (ces_words_read(path, true, &words, err) < 0)
		return -1;
	options->in_file = true;
	result = walk(table, CES_PHASE_PROFILE, words.argc, words.argv, options, &first, err);
	if (result == 0)
		result = walk(table, CES_PHASE_OPTION_FILE, words.argc, words.argv, options, &first,
			      err);
	if (result == 0 && first < words.argc)
		result = ces_error_set(
		    err, CES_E_USAGE,
		    "'%s' is not an option (write the container's command into an arg-file)",
		    words.argv[first]);
	if (result == 0)
		result =
		    walk(table, CES_PHASE_ENV_FILE, words.argc, words.argv, options, &first, err);
	if (result == 0)
		result = walk(table, CES_PHASE_REST, words.argc, words.argv, options, &first, err);
	options->in_file = false;
	ces_words_free(&words);
	return result < 0 ? ces_error_context(err, "%s", path) : 0;
}

int ces_options_parse(const struct ces_option_table *table, int argc, char **argv,
		      struct ces_options *options, int *ret_first, struct ces_error *err)
{
	int first = 0;

	if (walk(table, CES_PHASE_PROFILE, argc, argv, options, &first, err) < 0 ||
	    walk(table, CES_PHASE_OPTION_FILE, argc, argv, options, &first, err) < 0)
		return -1;
	/* getopt has one state for the whole process, so the files wait until its walk is over. */
	for (size_t i = 0; i < options->option_files.n; i++) {
		if (apply_option_file(table, options->option_files.v[i], options, err) < 0)
			return -1;
	}
	if (walk(table, CES_PHASE_ENV_FILE, argc, argv, options, &first, err) < 0 ||
	    walk(table, CES_PHASE_REST, argc, argv, options, &first, err) < 0)
		return -1;
	*ret_first = first;
	return 0;
}
