/* Opens files of the command line, and gives up root's rights before the first byte is read. */
#ifndef CES_POLICY_TOOL_INPUT_H
#define CES_POLICY_TOOL_INPUT_H

#include <stddef.h>

#include "common/error.h"
#include "policy/policy.h"

/* Opens a regular file for reading. */
int ces_input_open(const char *path, int *ret_fd, struct ces_error *err);

/* The directory of a file, as a place (O_PATH); -1: it cannot be opened. */
int ces_input_beside(const char *path);

/* Call it when every file is open that needs root. After it nothing can be opened with more than an
 * unknown user's rights. It does nothing if the caller is not root. */
int ces_input_drop(struct ces_error *err);

/* Opens, drops root, reads at most 4 MiB. *ret is malloc'd and NUL-terminated. */
int ces_input_read(const char *path, char **ret, size_t *ret_length, struct ces_error *err);

/* The second half, for a file that is already open. */
int ces_input_take(int fd, const char *path, char **ret, size_t *ret_length, struct ces_error *err);

/* Also parses; the text of an error begins with the path. */
int ces_input_policy(const char *path, struct ces_policy **ret, struct ces_error *err);

/* A policy and one more file, both opened before root's rights are given up. After a failure there
 * is nothing to release. */
int ces_input_pair(const char *path, struct ces_policy **ret, const char *other, char **ret_other,
		   size_t *ret_length, struct ces_error *err);

#endif
