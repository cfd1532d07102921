/* SHA-256 by nettle. */
#include "common/digest.h"

#include <string.h>

void ces_digest_begin(struct ces_digest_state *state)
{
	sha256_init(&state->context);
}

void ces_digest_add(struct ces_digest_state *state, const void *bytes, size_t length)
{
	sha256_update(&state->context, length, bytes);
}

void ces_digest_end(struct ces_digest_state *state, char ret[CES_DIGEST_LENGTH + 1])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t raw[SHA256_DIGEST_SIZE];

	sha256_digest(&state->context, sizeof(raw), raw);
	memcpy(ret, "sha256:", 7);
	for (size_t i = 0; i < sizeof(raw); i++) {
		ret[7 + 2 * i] = hex[raw[i] >> 4];
		ret[8 + 2 * i] = hex[raw[i] & 15];
	}
	ret[CES_DIGEST_LENGTH] = '\0';
}

void ces_digest_of(const void *bytes, size_t length, char ret[CES_DIGEST_LENGTH + 1])
{
	struct ces_digest_state state;

	ces_digest_begin(&state);
	ces_digest_add(&state, bytes, length);
	ces_digest_end(&state, ret);
}
