/* Reads the settings of an --env-file. It must expand nothing but HOME and USER. */
#include "client/optfile.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/words.h"
#include "common/cleanup.h"

/* Removes one pair of quotes from the value of NAME=value, in place. Returns whether they were
 * single quotes, in which everything is literal. */
static bool unquote(char *pair)
{
	char *value = strchr(pair, '=');
	size_t length;
	char quote;

	if (value == NULL)
		return false;
	value++;
	length = strlen(value);
	quote = value[0];
	if (length < 2 || (quote != '"' && quote != '\'') || value[length - 1] != quote)
		return false;
	memmove(value, value + 1, length - 2);
	value[length - 2] = '\0';
	return quote == '\'';
}

/* Copies NAME=value with HOME and USER expanded; the caller frees it. NULL: no memory. */
static char *expand(const char *pair)
{
	const char *value = strchr(pair, '=');
	CES_CLEANUP_FREE char *expanded = value == NULL ? NULL : ces_words_expand(value + 1);
	char *joined;

	if (value == NULL)
		return strdup(pair);
	if (expanded == NULL ||
	    asprintf(&joined, "%.*s%s", (int)(value + 1 - pair), pair, expanded) < 0)
		return NULL;
	return joined;
}

int ces_optfile_env_pair(const char *pair, struct ces_options *options, struct ces_error *err)
{
	CES_CLEANUP_FREE char *expanded = expand(pair);

	if (expanded == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	return ces_options_add_env(options, expanded, err);
}

static int env_line(const char *line, size_t length, struct ces_options *options,
		    struct ces_error *err)
{
	CES_CLEANUP_FREE char *pair = NULL;
	size_t blanks = strspn(line, " \t");

	if (blanks >= length)
		return 0;
	line += blanks;
	length -= blanks;
	if (line[length - 1] == '\r')
		length--;
	if (length == 0 || *line == '#')
		return 0;
	pair = strndup(line, length);
	if (pair == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	if (strncmp(pair, "export ", 7) == 0)
		return ces_error_set(err, CES_E_USAGE, "leave out 'export': write NAME=value");
	return unquote(pair) ? ces_options_add_env(options, pair, err)
			     : ces_optfile_env_pair(pair, options, err);
}

int ces_optfile_env_text(const char *text, struct ces_options *options, struct ces_error *err)
{
	const char *line = ces_words_start(text);

	for (unsigned number = 1; *line != '\0'; number++) {
		size_t length = strcspn(line, "\n");

		if (env_line(line, length, options, err) < 0)
			return ces_error_context(err, "line %u", number);
		line += length;
		line += *line == '\n';
	}
	return 0;
}

int ces_optfile_read_env(const char *path, struct ces_options *options, struct ces_error *err)
{
	CES_CLEANUP_FREE char *text = NULL;

	if (ces_words_file(path, &text, err) < 0)
		return -1;
	if (ces_optfile_env_text(text, options, err) < 0)
		return ces_error_context(err, "%s", path);
	return 0;
}
