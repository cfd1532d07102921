/* Takes any bytes for a frame. The first byte picks the message, and the rest is its frame (if the
 * second byte is odd, a wrong header is corrected, to reach the fields). An accepted frame must
 * come out the same. */
/* parses: common/wire_decode.c common/wire_encode.c */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/wire_field.h"
#include "tests/unit/schemas.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int good)
{
	if (!good)
		abort();
}

/* Encodes and decodes once more: the second frame is the normal form of the first, and must not
 * change again. */
static void again(const struct ces_wire_schema *schema, const void *object)
{
	struct ces_request other; /* the largest object; checked below */
	uint8_t *frame, *same;
	size_t length, same_length;

	must(schema->size <= sizeof(other));
	must(ces_wire_encode(schema, object, &frame, &length, NULL) == 0);
	must(ces_wire_decode(schema, frame, length, &other, NULL) == 0);
	must(ces_wire_encode(schema, &other, &same, &same_length, NULL) == 0);
	must(length == same_length && memcmp(frame, same, length) == 0);
	ces_wire_free(schema, &other);
	free(frame);
	free(same);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct ces_wire_schema *schema;
	struct ces_request object;
	struct ces_error err = {0};
	uint8_t *frame;

	if (size < 2 + CES_WIRE_HEADER)
		return 0;
	schema = schemas[data[0] % CES_COUNT(schemas)];
	frame = malloc(size - 2);
	must(frame != NULL);
	memcpy(frame, data + 2, size - 2);
	if (data[1] & 1) {
		size_t rest = size - 2 - CES_WIRE_HEADER;

		memcpy(frame, "CES1", 4);
		frame[4] = (uint8_t)schema->type;
		frame[5] = (uint8_t)(schema->type >> 8);
		for (int i = 0; i < 4; i++)
			frame[6 + i] = (uint8_t)(rest >> 8 * i);
	}
	must(ces_wire_length(frame, size - 2) <= size - 2);
	if (ces_wire_decode(schema, frame, size - 2, &object, &err) == 0) {
		must(ces_wire_length(frame, size - 2) == size - 2);
		again(schema, &object);
		ces_wire_free(schema, &object);
	} else {
		must(err.text[0] != '\0');
	}
	free(frame);
	return 0;
}
