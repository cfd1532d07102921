/* Files of words: --opt-file and --arg-file. They are the caller's own, and are read with the
 * caller's own rights; a pipe such as <(...) works too. */
#ifndef CES_CLIENT_WORDS_H
#define CES_CLIENT_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

#define CES_WORDS_MAX (256u * 1024) /* bytes of one file: what a request could carry at most */

struct ces_words {
	int argc;
	char **argv;  /* argv[0] is a placeholder; NULL-terminated, as getopt wants it */
	char *memory; /* the words themselves */
	size_t size;
};
void ces_words_free(struct ces_words *words);

/* Splits text as a shell does: blanks and newlines separate, '...' is literal, in "..." a backslash
 * quotes " \ $ and `, elsewhere it quotes any byte, and at the end of a line it joins the next
 * line. Outside of '...' it expands $HOME, ${HOME}, $USER, ${USER} and a ~ that begins a word, and
 * nothing else. comments: leaves out a line whose first word begins with '#'. Returns 0, or -1
 * (CES_E_USAGE) for a quote that is not closed. */
int ces_words_split(const char *text, bool comments, struct ces_words *ret, struct ces_error *err);
int ces_words_read(const char *path, bool comments, struct ces_words *ret, struct ces_error *err);

/* Reads a whole text file into a string, which the caller frees. */
int ces_words_file(const char *path, char **ret, struct ces_error *err);

#define CES_WORDS_NAME "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

/* $HOME, ${HOME}, $USER or ${USER} at the start of text, or (ces_words_home) a ~ before a slash or
 * the end. Returns its length in bytes, and gives its value. 0: there is none. */
size_t ces_words_variable(const char *text, const char **ret);
size_t ces_words_home(const char *text, const char **ret);

/* The most bytes that text takes when all of these are expanded, with a NUL. */
size_t ces_words_room(const char *text);

/* Expands all of these in the text; the caller frees the result. NULL: no memory. */
char *ces_words_expand(const char *text);

/* Skips a byte order mark, if there is one. */
const char *ces_words_start(const char *text);

#endif
