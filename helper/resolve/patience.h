/* How long a pull waits for another one that fetches a layer which both want. */
#ifndef CES_RESOLVE_PATIENCE_H
#define CES_RESOLVE_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

/* In each of these periods the other pull must fetch an eighth of the layer, or so many bytes; and
 * all of it in the last. */
#define CES_PATIENCE_STALL_MS    15000
#define CES_PATIENCE_STALL_BYTES (16u << 20)
#define CES_PATIENCE_MOST_MS     600000

/* Zeroed: nothing was waited for yet. */
struct ces_patience {
	uint64_t bytes;    /* the bytes that the other pull has fetched */
	uint64_t mark;     /* the same, when the other pull was last found to be fast enough */
	int64_t marked_at; /* of ces_now_ms */
	int64_t began_at;  /* the same, of the first wait: for one and then another is one wait */
};

/* Begins to wait for a pull. */
void ces_patience_begin(struct ces_patience *patience, int64_t now_ms);

/* Returns whether the other pull is too slow for a layer of `size` bytes, of which it has `bytes`
 * now. */
bool ces_patience_ends(struct ces_patience *patience, uint64_t size, uint64_t bytes,
		       int64_t now_ms);

#endif
