/* Builds by hand the one event that ces-helper and ces-admit send: code and text
 * (common/form_event.c). Must not wait: a client that does not read gets nothing. */
#include "helper/core/last_words.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "common/frame.h"
#include "common/wire.h"
#include "helper/core/fds.h"

struct __attribute__((packed)) event {
	char magic[4];
	uint16_t type;
	uint32_t length;
	uint16_t code_tag;
	uint32_t code_length;
	uint64_t code;
	uint16_t text_tag;
	uint32_t text_length;
	char text[CES_ERROR_TEXT];
};

void ces_last_words(const struct ces_error *err)
{
	const size_t length = strlen(err->text), head = offsetof(struct event, text);
	struct event event = {
	    .magic = {'C', 'E', 'S', '1'},
	    .type = htole16(CES_FRAME_ERROR),
	    .length = htole32((uint32_t)(head - CES_WIRE_HEADER + length)),
	    .code_tag = htole16(1),
	    .code_length = htole32(sizeof(event.code)),
	    .code = htole64(err->code),
	    .text_tag = htole16(3),
	    .text_length = htole32((uint32_t)length),
	};

	memcpy(event.text, err->text, length);
	if (write(CES_FD_EVENT, &event, head + length) < 0)
		return;
}
