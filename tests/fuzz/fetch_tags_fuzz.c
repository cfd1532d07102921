/* Takes any bytes for a registry's list of tags: what ces-fetch prints from it is a short printable
 * line. */
/* links: helper/fetch/tags.c helper/fetch/reply.c */
/* parses: helper/fetch/tags.c helper/fetch/reply.c */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "helper/fetch/tags.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char told[CES_TAGS_TEXT] = "";

	if (ces_tags_tell((const char *)data, size, "1.2-latest", told) < 0)
		return 0;
	if (memchr(told, '\0', sizeof(told)) == NULL)
		abort();
	for (const char *p = told; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			abort();
	return 0;
}
