/* Wraps isa-l and libzstd behind one step function. Must not hold more memory than the window cap
 * allows, and must not take bytes after the compressed data for anything but an error. */
#include "helper/unpack/decode.h"

#include <string.h>

#include <isa-l/igzip_lib.h>
#include <zstd.h>

#include "common/cleanup.h"

struct ces_decode {
	enum ces_compression compression;
	bool ended;   /* between members or frames, after at least one (or no compression) */
	size_t magic; /* gzip: bytes of a next member's magic already taken, 0 or 1 */
	ZSTD_DStream *zstd;
	struct inflate_state gzip;
};

static const uint8_t gzip_magic[] = {0x1f, 0x8b};

static void begin_member(struct ces_decode *decode)
{
	isal_inflate_reset(&decode->gzip);
	decode->gzip.crc_flag = ISAL_GZIP;
	decode->ended = false;
}

static int open_zstd(struct ces_decode *decode, struct ces_error *err)
{
	decode->zstd = ZSTD_createDStream();
	if (decode->zstd == NULL || ZSTD_isError(ZSTD_DCtx_setParameter(
					decode->zstd, ZSTD_d_windowLogMax, CES_DECODE_WINDOW_LOG)))
		return ces_error_set(err, CES_E_INTERNAL, "cannot set up zstd");
	return 0;
}

int ces_decode_open(enum ces_compression compression, struct ces_decode **ret,
		    struct ces_error *err)
{
	struct ces_decode *decode = calloc(1, sizeof(*decode));

	if (decode == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	decode->compression = compression;
	switch (compression) {
	case CES_COMPRESSION_NONE:
		decode->ended = true;
		break;
	case CES_COMPRESSION_GZIP:
		isal_inflate_init(&decode->gzip);
		decode->gzip.crc_flag = ISAL_GZIP;
		break;
	case CES_COMPRESSION_ZSTD:
		if (open_zstd(decode, err) == 0)
			break;
		ces_decode_close(decode);
		return -1;
	default:
		ces_decode_close(decode);
		return ces_error_set(err, CES_E_INTERNAL, "unknown compression");
	}
	*ret = decode;
	return 0;
}

void ces_decode_close(struct ces_decode *decode)
{
	if (decode == NULL)
		return;
	ZSTD_freeDStream(decode->zstd);
	free(decode);
}

bool ces_decode_ended(const struct ces_decode *decode)
{
	return decode->ended && decode->magic == 0;
}

static size_t step_none(const uint8_t **in, size_t *in_length, uint8_t *out, size_t room)
{
	size_t n = *in_length < room ? *in_length : room;

	memcpy(out, *in, n);
	*in += n;
	*in_length -= n;
	return n;
}

/* After a member only another member may follow, never bytes that some readers would skip: two
 * readers that disagree on where a layer ends could see two images. */
static int next_member(struct ces_decode *decode, const uint8_t **in, size_t *in_length,
		       struct ces_error *err)
{
	uint8_t magic[sizeof(gzip_magic)];

	while (decode->magic < sizeof(gzip_magic) && *in_length > 0) {
		if (**in != gzip_magic[decode->magic])
			return ces_error_set(err, CES_E_IMAGE,
					     "there are bytes after the end of the gzip data");
		decode->magic++;
		++*in;
		--*in_length;
	}
	if (decode->magic < sizeof(gzip_magic))
		return 0;
	decode->magic = 0;
	begin_member(decode);
	/* Gives the magic, which may have come in two reads, to the decoder, which keeps it in its
	 * own buffer. */
	memcpy(magic, gzip_magic, sizeof(magic));
	decode->gzip.next_in = magic;
	decode->gzip.avail_in = sizeof(magic);
	decode->gzip.avail_out = 0;
	if (isal_inflate(&decode->gzip) < 0 || decode->gzip.avail_in != 0)
		return ces_error_set(err, CES_E_IMAGE, "the gzip data are broken");
	return 0;
}

static int step_gzip(struct ces_decode *decode, const uint8_t **in, size_t *in_length, uint8_t *out,
		     size_t room, size_t *ret_produced, struct ces_error *err)
{
	struct inflate_state *gzip = &decode->gzip;
	uint32_t give = *in_length < UINT32_MAX / 2 ? (uint32_t)*in_length : UINT32_MAX / 2;
	uint32_t space = room < UINT32_MAX / 2 ? (uint32_t)room : UINT32_MAX / 2;
	int result;

	*ret_produced = 0;
	if (decode->ended)
		return next_member(decode, in, in_length, err);
	gzip->next_in = (uint8_t *)(uintptr_t)*in;
	gzip->avail_in = give;
	gzip->next_out = out;
	gzip->avail_out = space;
	result = isal_inflate(gzip);
	*in += give - gzip->avail_in;
	*in_length -= give - gzip->avail_in;
	if (result < 0 || result == ISAL_NEED_DICT)
		return ces_error_set(err, CES_E_IMAGE, "the gzip data are broken");
	decode->ended = gzip->block_state == ISAL_BLOCK_FINISH;
	*ret_produced = space - gzip->avail_out;
	return 0;
}

static int step_zstd(struct ces_decode *decode, const uint8_t **in, size_t *in_length, uint8_t *out,
		     size_t room, size_t *ret_produced, struct ces_error *err)
{
	ZSTD_inBuffer input = {*in, *in_length, 0};
	ZSTD_outBuffer output = {out, room, 0};
	size_t left = ZSTD_decompressStream(decode->zstd, &output, &input);

	if (ZSTD_isError(left))
		return ces_error_set(err, CES_E_IMAGE, "the zstd data are broken: %s",
				     ZSTD_getErrorName(left));
	*in += input.pos;
	*in_length -= input.pos;
	/* (asked again after a frame, without input, it would announce the next frame's header) */
	if (input.pos > 0 || output.pos > 0)
		decode->ended = left == 0;
	*ret_produced = output.pos;
	return 0;
}

int ces_decode_step(struct ces_decode *decode, const uint8_t **in, size_t *in_length, uint8_t *out,
		    size_t room, size_t *ret_produced, struct ces_error *err)
{
	switch (decode->compression) {
	case CES_COMPRESSION_NONE:
		*ret_produced = step_none(in, in_length, out, room);
		return 0;
	case CES_COMPRESSION_GZIP:
		return step_gzip(decode, in, in_length, out, room, ret_produced, err);
	case CES_COMPRESSION_ZSTD:
		return step_zstd(decode, in, in_length, out, room, ret_produced, err);
	default:
		return ces_error_set(err, CES_E_INTERNAL, "unknown compression");
	}
}
