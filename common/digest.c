/* SHA-256 by nettle. */
#include "common/digest.h"

#include <string.h>

void ces_digest_end(struct sha256_ctx *context, char ret[CES_DIGEST_LENGTH + 1])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t raw[SHA256_DIGEST_SIZE];

	sha256_digest(context, sizeof(raw), raw);
	memcpy(ret, "sha256:", 7);
	for (size_t i = 0; i < sizeof(raw); i++) {
		ret[7 + 2 * i] = hex[raw[i] >> 4];
		ret[8 + 2 * i] = hex[raw[i] & 15];
	}
	ret[CES_DIGEST_LENGTH] = '\0';
}

void ces_digest_of(const void *bytes, size_t length, char ret[CES_DIGEST_LENGTH + 1])
{
	struct sha256_ctx context;

	sha256_init(&context);
	sha256_update(&context, length, bytes);
	ces_digest_end(&context, ret);
}
