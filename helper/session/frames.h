/* The frames of common/schema.h that ces-session reads, with a function for each. No
 * other file of root's knows these forms. */
#ifndef CES_HELPER_SESSION_FRAMES_H
#define CES_HELPER_SESSION_FRAMES_H

#include "common/record.h"
#include "common/request.h"

/* Reads one control frame from the client, within a second. -1 at the end of the pipe, and if
 * something else comes. A kind that this version does not know means nothing. */
int ces_control_receive(int fd, enum ces_control_kind *ret_kind, uint64_t *ret_value);

/* Reads a grant, with its image, from a file that is open, see ces_object_take. Release it with
 * ces_grant_free. */
int ces_grant_take(int fd, struct ces_grant *ret, struct ces_error *err);
void ces_grant_free(struct ces_grant *grant);

#endif
