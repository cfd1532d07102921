/* The parts of ces-policy: one function a command. Each gets its own arguments (argv[0] is the
 * command's name), prints its answer, and returns the exit status. */
#ifndef CES_POLICY_TOOL_TOOL_H
#define CES_POLICY_TOOL_TOOL_H

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "common/error.h"
#include "common/name.h"
#include "policy/template.h"

enum ces_tool_status {
	CES_TOOL_GOOD = 0,
	CES_TOOL_FINDING = 1, /* the answer is no: a broken chain, a failed case, a wider policy */
	CES_TOOL_ERROR = 2,   /* no answer: wrong usage, a file that cannot be read or understood */
};

int ces_tool_approve(int argc, char **argv);
int ces_tool_audit(int argc, char **argv);
int ces_tool_check(int argc, char **argv);
int ces_tool_conform(int argc, char **argv);
int ces_tool_diff(int argc, char **argv);
int ces_tool_evidence(int argc, char **argv);
int ces_tool_explain(int argc, char **argv);
int ces_tool_receipt(int argc, char **argv);
int ces_tool_report(int argc, char **argv);
int ces_tool_revoke(int argc, char **argv);
int ces_tool_test(int argc, char **argv);
int ces_tool_what_if(int argc, char **argv);

/* "ces-policy: text" on stderr; CES_TOOL_ERROR. */
int ces_tool_fail(const struct ces_error *err);

/* Says on stderr what is wrong with the command line and where to look; CES_TOOL_ERROR. */
int ces_tool_usage(const char *command);

/* The same for a word that is no command of program; nearest: one that is, or NULL. */
int ces_tool_no_command(const char *program, const char *word, const char *nearest);

/* Checks that the output reached its reader, or reports why not: `status` or CES_TOOL_ERROR. */
int ces_tool_finish(FILE *out, int status);

/* --format: table (or text) and json; anything else is an error. */
int ces_tool_format(const char *word, bool *ret_json);

/* Colours (SGR codes) only for people: on a terminal, unless NO_COLOR is set. Otherwise "". */
enum ces_colour { CES_PLAIN, CES_BOLD, CES_RED, CES_YELLOW, CES_GREEN };
const char *ces_colour(FILE *out, enum ces_colour colour);

/* The last valid day: expires is the first second after it. */
const char *ces_tool_day(time_t expires, char buffer[16]);

/* Fills in {project}, unless project is NULL: then it may be any. It cuts off what a path cannot
 * hold. */
#define CES_TOOL_FILLED ((size_t)2 * CES_PATH_TEXT)
void ces_tool_fill(const char *template, const char *project, char ret[CES_TOOL_FILLED]);

/* "text" with JSON's escapes; bytes that are not valid UTF-8 text become '?'. */
void ces_tool_json(FILE *out, const char *text);

/* One cell of a table (CSV, RFC 4180). A spreadsheet must never take it for a formula. */
void ces_tool_csv(FILE *out, const char *text);

/* Makes a new directory for our files. It must not replace another's file. */
int ces_tool_make_dir(const char *path, int *ret_dir, struct ces_error *err);

/* A new file in that directory, or NULL with errno. */
FILE *ces_tool_make_file(int dir, const char *name);

#endif
