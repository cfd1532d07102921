/* ces-decode: turns one caller's request, the frame on its pipe, into a flat block. It has an
 * account of its own, no file, no network, no exec. An attacker gains here only what the caller
 * could have typed. */
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/request.h"
#include "common/schema.h"
#include "common/wire_stream.h"
#include "helper/parse/sandbox.h"
#include "policy/flat.h"
#include "policy/parsed.h"

static int work(uint8_t **ret, size_t *ret_length, struct ces_error *err)
{
	struct ces_request request;
	int got = ces_wire_receive(CES_PARSE_JOB, &ces_request_schema, CES_WIRE_REQUEST_MAX,
				   ces_now_ms() + CES_DECODE_MS, &request, err);

	if (got == 0)
		return ces_error_set(err, CES_E_USAGE, "no request came");
	if (got < 0)
		return -1;
	request.memory = NULL; /* (an address, which no other program may see) */
	/* (what has no good name has an empty one here, and ces-admit says so) */
	if (request.image != NULL)
		(void)ces_reference_parse(request.image, &request.reference, NULL);
	return ces_flat_pack(&ces_request_flat, &request, ret, ret_length, err);
}

int main(void)
{
	return ces_parse_serve(work);
}
