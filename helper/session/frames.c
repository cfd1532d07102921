/* Converts foreign frames to and from structs. Must not judge the content of a frame. */
#include "helper/session/frames.h"

#include <endian.h>
#include <string.h>

#include "common/io.h"
#include "common/schema.h"
#include "helper/session/object.h"

#define CONTROL_MS 1000

int ces_control_receive(int fd, enum ces_control_kind *ret_kind, uint64_t *ret_value)
{
	struct ces_control control;
	uint64_t kind, value;

	if (ces_read_full(fd, &control, sizeof(control), ces_now_ms() + CONTROL_MS) < 0 ||
	    memcmp(control.head, CES_CONTROL_HEAD, sizeof(control.head)) != 0 ||
	    memcmp(control.between, CES_CONTROL_BETWEEN, sizeof(control.between)) != 0)
		return -1;
	memcpy(&kind, control.kind, sizeof(kind));
	memcpy(&value, control.value, sizeof(value));
	*ret_kind = (enum ces_control_kind)le64toh(kind);
	*ret_value = le64toh(value);
	return 0;
}

int ces_image_record_take(int fd, struct ces_image_record *ret, struct ces_error *err)
{
	return ces_object_take(fd, &ces_image_record_schema, ret, err);
}

void ces_image_record_free(struct ces_image_record *record)
{
	ces_wire_free(&ces_image_record_schema, record);
}
