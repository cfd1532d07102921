/* Converts foreign frames to and from structs. Must not judge the content of a frame. */
#include "helper/session/frames.h"

#include "common/io.h"
#include "common/schema.h"
#include "helper/session/object.h"

#define CONTROL_MS  1000
#define CONTROL_MAX 256

int ces_control_receive(int fd, struct ces_control *ret, struct ces_error *err)
{
	int got = ces_wire_receive(fd, &ces_control_schema, CONTROL_MAX, ces_now_ms() + CONTROL_MS,
				   ret, err);

	if (got > 0) { /* numbers alone: nothing stays in memory */
		struct ces_control copy = *ret;

		ces_wire_free(&ces_control_schema, ret);
		copy.memory = NULL;
		*ret = copy;
	}
	return got;
}

int ces_image_record_decode(const void *frame, size_t length, struct ces_image_record *ret,
			    struct ces_error *err)
{
	return ces_wire_decode(&ces_image_record_schema, frame, length, ret, err);
}

void ces_image_record_free(struct ces_image_record *record)
{
	ces_wire_free(&ces_image_record_schema, record);
}

int ces_image_record_read(int dir, const char *name, struct ces_image_record *ret,
			  struct ces_error *err)
{
	return ces_object_read(dir, name, &ces_image_record_schema, ret, err);
}

int ces_image_record_write(int dir, const char *name, const struct ces_image_record *record,
			   struct ces_error *err)
{
	return ces_object_write(dir, name, &ces_image_record_schema, record, err);
}
