/* Reads the settings that an --env-file holds. It must not expand anything: what is written is what
 * is sent. */
#include "client/optfile.h"

#include <stdlib.h>
#include <string.h>

#include "client/words.h"
#include "common/cleanup.h"

/* Takes one pair of quotes off the value of NAME=value, in place. */
static void unquote(char *pair)
{
	char *value = strchr(pair, '=');
	size_t length;

	if (value == NULL)
		return;
	value++;
	length = strlen(value);
	if (length < 2 || (value[0] != '"' && value[0] != '\'') || value[length - 1] != value[0])
		return;
	memmove(value, value + 1, length - 2);
	value[length - 2] = '\0';
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
		return ces_error_set(err, CES_E_USAGE, "leave out 'export': a line is NAME=value");
	unquote(pair);
	return ces_options_add_env(options, pair, err);
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
