/* The frames of common/schema.h that ces-session reads and writes, with a function for each. No
 * other file of root's knows these forms. */
#ifndef CES_HELPER_SESSION_FRAMES_H
#define CES_HELPER_SESSION_FRAMES_H

#include "common/image.h"
#include "common/request.h"

/* Reads one control frame from the client, within a second. -1 at the end of the pipe, and if
 * something else comes. A kind that this version does not know means nothing. */
int ces_control_receive(int fd, enum ces_control_kind *ret_kind, uint64_t *ret_value);

/* Decodes an image's record. Release it with ces_image_record_free. */
int ces_image_record_decode(const void *frame, size_t length, struct ces_image_record *ret,
			    struct ces_error *err);
void ces_image_record_free(struct ces_image_record *record);

/* Reads the same from a file in a directory of root's, see object.h. */
int ces_image_record_read(int dir, const char *name, struct ces_image_record *ret,
			  struct ces_error *err);
int ces_image_record_write(int dir, const char *name, const struct ces_image_record *record,
			   struct ces_error *err);

#endif
