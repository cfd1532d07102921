/* Converts foreign frames to and from structs. Must not judge the content of a frame. */
#include "helper/session/frames.h"

#include <endian.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/schema.h"
#include "common/wire_field.h"
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

int ces_grant_take(int fd, struct ces_grant *ret, struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	size_t length, first;

	if (ces_object_take(fd, "grant", &bytes, &length, err) < 0)
		return -1;
	first = ces_wire_length(bytes, length);
	if (ces_object_decode(&ces_grant_schema, bytes, first, ret, err) < 0)
		return -1;
	if (ces_object_decode(&ces_image_record_schema, bytes + first, length - first, &ret->image,
			      err) == 0)
		return 0;
	ces_wire_free(&ces_grant_schema, ret);
	return -1;
}

void ces_grant_free(struct ces_grant *grant)
{
	ces_wire_free(&ces_image_record_schema, &grant->image);
	ces_wire_free(&ces_grant_schema, grant);
}
