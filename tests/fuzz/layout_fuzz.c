/* Takes any bytes for the index of an image layout. It is refused, or each of its tags leads to a
 * digest, and no blob is given without an entry of the image that names it. */
/* parses: helper/layout/index.c */
/* links: helper/layout/index.c helper/fetch/tags.c helper/fetch/reply.c helper/unpack/json.c helper/unpack/json_scan.c */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "helper/layout/index.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static const char *const references[] = {"1", "latest", "sha256-a.sig"};
	static const char *const none =
	    "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	struct ces_index index = {.dir = -1, .name = "r.example/a/tool"};
	struct ces_error err = {0};
	char digest[CES_DIGEST_LENGTH + 1];
	/* Uses a copy without a NUL after it, so that a sanitizer sees a read past the end. */
	char *text = malloc(length > 0 ? length : 1);
	uint64_t size;
	int fd;

	if (text == NULL)
		return 0;
	memcpy(text, bytes, length);
	if (ces_index_parse(text, length, &index, &err) == 0) {
		for (size_t i = 0; i < 3; i++)
			if (ces_index_find(&index, references[i], i > 0, digest, &err) == 0
				? !ces_digest_valid(digest)
				: err.text[0] == '\0')
				abort();
		if (memmem(text, length, none + 7, 64) == NULL &&
		    (ces_index_blob(&index, none, &fd, &size, &err) == 0 ||
		     err.code != CES_E_NOTFOUND))
			abort();
	} else if (err.text[0] == '\0') {
		abort();
	}
	ces_index_close(&index);
	free(text);
	return 0;
}
