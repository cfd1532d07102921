/* Reads a frame from a stream. It must not be linked into root's programs, which read a frame
 * whole: from a file of root's, or from memory. */
#include "common/wire_stream.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/io.h"
#include "common/wire_field.h"

static int late(struct ces_error *err)
{
	return ces_error_set(err, CES_E_LIMIT, "no complete frame came in time");
}

int ces_wire_read(int fd, size_t max, int64_t deadline_ms, uint8_t **ret, size_t *ret_length,
		  uint16_t *ret_type, struct ces_error *err)
{
	uint8_t header[CES_WIRE_HEADER];
	uint8_t *frame;
	uint32_t length;

	if (ces_read_full(fd, header, sizeof(header), deadline_ms) < 0) {
		if (errno == ENODATA)
			return 0;
		return errno == ETIMEDOUT ? late(err)
					  : ces_error_errno(err, CES_E_USAGE, "reading a frame");
	}
	memcpy(&length, header + 6, sizeof(length));
	length = le32toh(length);
	if (ces_wire_type(header, sizeof(header)) == 0)
		return ces_error_set(err, CES_E_USAGE, "not a CES frame");
	/* (checks the cap before it allocates or reads a byte) */
	if (max < CES_WIRE_HEADER || length > max - CES_WIRE_HEADER)
		return ces_error_set(err, CES_E_USAGE,
				     "frame of %zu bytes; at most %zu are allowed",
				     (size_t)length + CES_WIRE_HEADER, max);
	frame = calloc(1, (size_t)CES_WIRE_HEADER + length);
	if (frame == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	memcpy(frame, header, sizeof(header));
	if (length > 0 && ces_read_full(fd, frame + CES_WIRE_HEADER, length, deadline_ms) < 0) {
		int failed = errno;

		explicit_bzero(frame, CES_WIRE_HEADER + length);
		free(frame);
		return failed == ETIMEDOUT
			   ? late(err)
			   : ces_error_set(err, CES_E_USAGE, "a frame is cut short");
	}
	*ret = frame;
	*ret_length = (size_t)CES_WIRE_HEADER + length;
	*ret_type = ces_wire_type(header, sizeof(header));
	return 1;
}

int ces_wire_receive(int fd, const struct ces_wire_schema *schema, size_t max, int64_t deadline_ms,
		     void *object, struct ces_error *err)
{
	uint8_t *frame;
	size_t length;
	uint16_t type;
	int result = ces_wire_read(fd, max, deadline_ms, &frame, &length, &type, err);

	if (result <= 0)
		return result;
	result = ces_wire_decode(schema, frame, length, object, err) < 0 ? -1 : 1;
	explicit_bzero(frame, length);
	free(frame);
	return result;
}
