/* Takes any bytes for a block of policy/flat.h. It is refused, or gives a struct that packs to the
 * same block. */
/* parses: policy/flat.c policy/flat_cdi.c policy/flat_pack.c */
/* parses: policy/flat_policy.c policy/flat_request.c */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/flat.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void try(const struct ces_flat_type *type, const uint8_t *bytes, size_t length)
{
	uint8_t *block = malloc(length + 1), *again;
	size_t n;

	memcpy(block, bytes, length);
	if (ces_flat_load(type, block, length, NULL) == 0) {
		if (ces_flat_pack(type, block, &again, &n, NULL) < 0 || n != length)
			abort();
		free(again);
	}
	free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	try(&ces_cdi_flat, bytes, length);
	try(&ces_policy_flat, bytes, length);
	try(&ces_request_flat, bytes, length);
	return 0;
}
