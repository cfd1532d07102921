/* Decompression of a layer, step by step: gzip (RFC 1952, any number of members), zstd (RFC 8878,
 * any number of frames), or none. */
#ifndef CES_UNPACK_DECODE_H
#define CES_UNPACK_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/worker.h"

/* A zstd frame may ask for a window of up to 2 GiB. The frames of real tools (also with --long) fit
 * into this. */
#define CES_DECODE_WINDOW_LOG 27

struct ces_decode;

int ces_decode_open(enum ces_compression compression, struct ces_decode **ret,
		    struct ces_error *err);
void ces_decode_close(struct ces_decode *decode);

/* Takes bytes from *in (and advances it) and appends to out. It makes progress whenever there are
 * both input and room. CES_E_IMAGE if the bytes are not valid. */
int ces_decode_step(struct ces_decode *decode, const uint8_t **in, size_t *in_length, uint8_t *out,
		    size_t room, size_t *ret_produced, struct ces_error *err);

/* Returns whether the input may end here: false in the middle of a member, frame or header. */
bool ces_decode_ended(const struct ces_decode *decode);

#endif
