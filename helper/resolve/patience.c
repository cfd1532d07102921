/* Judges how fast another pull is. Must not ask anybody. */
#include "helper/resolve/patience.h"

void ces_patience_begin(struct ces_patience *patience, int64_t now_ms)
{
	patience->bytes = patience->mark = 0;
	patience->marked_at = now_ms;
	if (patience->began_at == 0)
		patience->began_at = now_ms;
}

bool ces_patience_ends(struct ces_patience *patience, uint64_t size, uint64_t bytes, int64_t now_ms)
{
	uint64_t wanted = size / 8 < CES_PATIENCE_STALL_BYTES ? size / 8 : CES_PATIENCE_STALL_BYTES;

	if (bytes > patience->bytes)
		patience->bytes = bytes;
	if (now_ms - patience->began_at > CES_PATIENCE_MOST_MS)
		return true;
	if (now_ms - patience->marked_at <= CES_PATIENCE_STALL_MS)
		return false;
	if (patience->bytes < patience->mark + wanted)
		return true;
	patience->mark = patience->bytes;
	patience->marked_at = now_ms;
	return false;
}
