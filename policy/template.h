/* Paths and path templates of a policy. Pure text: it must not look at the file system. */
#ifndef CES_POLICY_TEMPLATE_H
#define CES_POLICY_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#define CES_PATH_TEXT 1024 /* with the NUL: the size of a source in a decision */

/* Absolute, one line of UTF-8, below CES_PATH_TEXT, at least one component, none empty, "."
 * or "..". */
bool ces_path_valid(const char *path);

/* Returns whether path is dir or below it, component by component: /a/bc is not within /a/b. Both
 * are valid. */
bool ces_path_within(const char *path, const char *dir);

/* Returns whether one is within the other. */
bool ces_path_meets(const char *a, const char *b);

/* Copies text without its one trailing slash. A text longer than the buffer gives "", which is no
 * path. */
void ces_path_copy(const char *text, char *ret, size_t size);

bool ces_template_has_run(const char *text);

/* Fills in all but {run}. Check the three values before: none may have a brace, user and project no
 * slash; home is a valid path. Returns -1 if the result would not be a valid path. */
int ces_template_expand(const char *text, const char *project, const char *user, const char *home,
			char ret[CES_PATH_TEXT]);

#endif
