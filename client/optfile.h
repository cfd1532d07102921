/* The files that options name: --opt-file and --arg-file (words), --env-file (settings). They are
 * the caller's own, read with the caller's own rights; a pipe such as <(...) will do. */
#ifndef CES_CLIENT_OPTFILE_H
#define CES_CLIENT_OPTFILE_H

#include <stdbool.h>

#include "client/options.h"

#define CES_OPTFILE_MAX (256u * 1024) /* bytes of one file: what a request could carry at most */

struct ces_words {
	int argc;
	char **argv;  /* argv[0] is a placeholder; NULL-terminated, as getopt wants it */
	char *memory; /* the words themselves */
	size_t size;
};
void ces_words_free(struct ces_words *words);

/* Splits text as a shell does: blanks and newlines separate, '...' is literal, in "..." a backslash
 * quotes " \ $ and `, elsewhere it quotes any byte, and one at the end of a line joins it to the
 * next. Nothing is expanded. comments: a line whose first word begins with '#' is left out. Returns
 * 0, or -1 (CES_E_USAGE) for a quote that is not closed. */
int ces_words_split(const char *text, bool comments, struct ces_words *ret, struct ces_error *err);
int ces_optfile_read_words(const char *path, bool comments, struct ces_words *ret,
			   struct ces_error *err);

/* NAME=value a line, NAME alone takes the caller's value; blank lines and lines that begin with '#'
 * are left out; one pair of quotes around a whole value is taken off. Nothing is expanded. */
int ces_optfile_env_text(const char *text, struct ces_options *options, struct ces_error *err);
int ces_optfile_read_env(const char *path, struct ces_options *options, struct ces_error *err);

#endif
