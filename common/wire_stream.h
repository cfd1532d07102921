/* Frames (common/wire.h) from a stream. Root's programs read a frame whole, and never one from a
 * stream. */
#ifndef CES_COMMON_WIRE_STREAM_H
#define CES_COMMON_WIRE_STREAM_H

#include "common/wire.h"

#define CES_WIRE_REQUEST_MAX (256 * 1024) /* a request frame, header included */

/* Reads one frame from a stream fd: header first, then at most max bytes in all, before deadline_ms
 * (see common/io.h). *ret is malloc'd; *ret_type is the frame's type. Returns 1, 0 at a clean end
 * of file before the first byte, -1 with err set. */
int ces_wire_read(int fd, size_t max, int64_t deadline_ms, uint8_t **ret, size_t *ret_length,
		  uint16_t *ret_type, struct ces_error *err);

/* Reads one frame and decodes it by schema. 1, 0 at end of file, -1. */
int ces_wire_receive(int fd, const struct ces_wire_schema *schema, size_t max, int64_t deadline_ms,
		     void *object, struct ces_error *err);

#endif
