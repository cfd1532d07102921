/* Asks ces-session for a step. */
#ifndef CES_HELPER_STORE_ROOT_H
#define CES_HELPER_STORE_ROOT_H

#include <stddef.h>

#include "common/error.h"
#include "helper/store/step.h"

/* Sends the step with these bytes, and takes its answer: into *ret and *ret_fd, each unless NULL. A
 * step that ces-session refuses ends this process's request: -1. */
int ces_root_ask(struct ces_step *step, const void *bytes, size_t length,
		 struct ces_step_answer *ret, int *ret_fd, struct ces_error *err);

/* Takes one more answer. */
int ces_root_take(struct ces_step_answer *ret, int *ret_fd, struct ces_error *err);

/* Sends the last step: the end, or the error. */
void ces_root_end(struct ces_step *step, const struct ces_error *why);

#endif
