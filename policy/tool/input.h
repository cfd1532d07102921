/* Files that the command line names, and giving up root before their first byte is looked at. */
#ifndef CES_POLICY_TOOL_INPUT_H
#define CES_POLICY_TOOL_INPUT_H

#include <stddef.h>

#include "common/error.h"
#include "policy/policy.h"

/* Opens a regular file for reading. */
int ces_input_open(const char *path, int *ret_fd, struct ces_error *err);

/* Call it once every file is open that needs root: after it nothing can be opened with more than an
 * unknown user's rights. Does nothing if the caller is not root. */
int ces_input_drop(struct ces_error *err);

/* Opens, drops root, reads at most 4 MiB. *ret is malloc'd and NUL-terminated. */
int ces_input_read(const char *path, char **ret, size_t *ret_length, struct ces_error *err);

/* The second half, for a file that was opened before. */
int ces_input_take(int fd, const char *path, char **ret, size_t *ret_length, struct ces_error *err);

/* Also parses; the text of an error begins with the path. */
int ces_input_policy(const char *path, struct ces_policy **ret, struct ces_error *err);

/* A policy and one more file, both opened before root is given up. On failure there is nothing to
 * release. */
int ces_input_pair(const char *path, struct ces_policy **ret, const char *other, char **ret_other,
		   size_t *ret_length, struct ces_error *err);

#endif
