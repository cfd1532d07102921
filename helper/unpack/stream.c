/* Producer (a thread) and consumer (the tar reader) around a ring of blocks. The thread touches
 * only its own state and the block that it fills; everything shared is under one lock. Must not
 * believe a length before it has counted the bytes, nor publish "good" before it has compared both
 * digests. */
#include "helper/unpack/stream.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "helper/unpack/decode.h"

#define BLOCKS       6
#define BLOCK_SIZE   (256 * 1024)
#define INPUT_SIZE   (256 * 1024)
#define STACK_SIZE   (256 * 1024)
#define STOP_LOOK_MS 100

/* A gzip or zstd stream of a real image shrinks to a fiftieth at best. */
#define RATIO_FREE (UINT64_C(64) << 20)
#define RATIO_MAX  1000

enum mode {
	MODE_WAIT, /* no block has been asked for yet */
	MODE_UNPACK,
	MODE_DISCARD, /* the tar was bad: only the compressed bytes still matter */
	MODE_STOP,
};

struct block {
	uint8_t *bytes;
	size_t length;
};

struct ces_stream {
	struct ces_stream_source source;
	pthread_t thread;
	bool started;

	/* under the lock */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum mode mode;
	size_t filled; /* blocks ready, from `first` on; the consumer holds `first` when `held` */
	size_t first;
	bool held;
	bool done; /* the thread publishes nothing more; `result` and `error` are final */
	int result;
	bool wrong_bytes; /* the compressed bytes do not match the digest */
	struct ces_error error;

	/* the consumer's own: it hashes the tar here and not on the thread, so that both are
	 * equally busy */
	struct sha256_ctx plain;

	/* the thread's own */
	struct ces_decode *decode;
	struct sha256_ctx compressed;
	uint64_t taken, produced;
	const uint8_t *in;
	size_t in_length;
	bool input_ended;
	bool input_failed; /* too long, too short or unreadable: no more bytes come */
	uint8_t *input;
	struct block blocks[BLOCKS];
	uint8_t *memory;
};

static enum mode current_mode(struct ces_stream *stream)
{
	enum mode mode;

	pthread_mutex_lock(&stream->lock);
	mode = stream->mode;
	pthread_mutex_unlock(&stream->lock);
	return mode;
}

/* Waits in short turns, so that closing the stream does not wait for a silent registry. */
static ssize_t read_some(struct ces_stream *stream, size_t ask)
{
	struct pollfd ready = {.fd = stream->source.fd, .events = POLLIN};
	int n;

	do {
		if (current_mode(stream) == MODE_STOP) {
			errno = ECANCELED;
			return -1;
		}
		n = poll(&ready, 1, STOP_LOOK_MS);
	} while (n == 0 || (n < 0 && errno == EINTR));
	return n < 0 ? -1 : read(stream->source.fd, stream->input, ask);
}

/* Asks for one byte more than is due: a longer body is an error as well. */
static int read_checked(struct ces_stream *stream, struct ces_error *err)
{
	uint64_t left = stream->source.size - stream->taken;
	ssize_t n = read_some(stream, left < INPUT_SIZE ? (size_t)left + 1 : INPUT_SIZE);

	if (n < 0)
		return ces_error_errno(err, CES_E_INTERNAL, "cannot read");
	if ((uint64_t)n > left)
		return ces_error_set(err, CES_E_IMAGE, "it is longer than %llu bytes",
				     (unsigned long long)stream->source.size);
	if (n == 0 && left > 0)
		return ces_error_set(err, CES_E_IMAGE, "it ended after %llu of %llu bytes",
				     (unsigned long long)stream->taken,
				     (unsigned long long)stream->source.size);
	sha256_update(&stream->compressed, (size_t)n, stream->input);
	stream->taken += (uint64_t)n;
	stream->in = stream->input;
	stream->in_length = (size_t)n;
	stream->input_ended = n == 0;
	return 0;
}

static int read_input(struct ces_stream *stream, struct ces_error *err)
{
	stream->input_failed = read_checked(stream, err) < 0;
	return stream->input_failed ? -1 : 0;
}

static int check_ratio(const struct ces_stream *stream, struct ces_error *err)
{
	if (stream->produced > RATIO_FREE &&
	    (stream->produced - RATIO_FREE) / RATIO_MAX > stream->taken)
		return ces_error_set(err, CES_E_LIMIT, "it expands more than %d times", RATIO_MAX);
	return 0;
}

/* Fills one block as far as the input allows. */
static int fill(struct ces_stream *stream, struct block *block, struct ces_error *err)
{
	size_t produced = 0, before;

	block->length = 0;
	while (block->length < BLOCK_SIZE) {
		if (stream->in_length == 0 && !stream->input_ended && read_input(stream, err) < 0)
			return -1;
		before = stream->in_length;
		if (ces_decode_step(stream->decode, &stream->in, &stream->in_length,
				    block->bytes + block->length, BLOCK_SIZE - block->length,
				    &produced, err) < 0)
			return -1;
		block->length += produced;
		if (produced == 0 && stream->input_ended)
			break;
		if (produced == 0 && stream->in_length == before)
			return ces_error_set(err, CES_E_IMAGE,
					     "the compressed data make no progress");
	}
	stream->produced += block->length;
	return check_ratio(stream, err);
}

/* Waits for an empty block; NULL if the consumer wants no more. */
static struct block *empty_block(struct ces_stream *stream)
{
	struct block *block = NULL;

	pthread_mutex_lock(&stream->lock);
	while (stream->mode == MODE_UNPACK && stream->filled == BLOCKS)
		pthread_cond_wait(&stream->changed, &stream->lock);
	if (stream->mode == MODE_UNPACK)
		block = &stream->blocks[(stream->first + stream->filled) % BLOCKS];
	pthread_mutex_unlock(&stream->lock);
	return block;
}

static void publish(struct ces_stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	stream->filled++;
	pthread_cond_broadcast(&stream->changed);
	pthread_mutex_unlock(&stream->lock);
}

/* 0 at the end of the tar, 1 when the consumer stopped it, -1. */
static int unpack(struct ces_stream *stream, struct ces_error *err)
{
	struct block *block;

	while ((block = empty_block(stream)) != NULL) {
		if (fill(stream, block, err) < 0)
			return -1;
		if (block->length == 0) {
			if (ces_decode_ended(stream->decode))
				return 0;
			return ces_error_set(err, CES_E_IMAGE,
					     "the compressed data end in the middle");
		}
		publish(stream);
	}
	return 1;
}

/* Returns whether all the compressed bytes match the digest. */
static int check_compressed(struct ces_stream *stream, struct ces_error *err)
{
	char digest[CES_DIGEST_LENGTH + 1];

	while (!stream->input_ended) {
		if (read_input(stream, err) < 0)
			return -1;
	}
	ces_digest_end(&stream->compressed, digest);
	if (strcmp(digest, stream->source.digest) != 0)
		return ces_error_set(err, CES_E_IMAGE, "its bytes have another digest, %.19s...",
				     digest);
	return 0;
}

static int produce(struct ces_stream *stream, bool *ret_wrong_bytes, struct ces_error *err)
{
	struct ces_error compressed_err = {0};
	int result = unpack(stream, err);

	/* (it does not read a bomb to its end) */
	if (result < 0 && err->code == CES_E_LIMIT)
		return -1;
	if (stream->input_failed) {
		*ret_wrong_bytes = true;
		return -1;
	}
	if (check_compressed(stream, &compressed_err) < 0) {
		*ret_wrong_bytes = true;
		*err = compressed_err;
		return -1;
	}
	return result == 0 ? 0 : -1;
}

static void *run(void *argument)
{
	struct ces_stream *stream = argument;
	struct ces_error err = {0};
	bool wrong_bytes = false;
	int result = -1;

	pthread_mutex_lock(&stream->lock);
	while (stream->mode == MODE_WAIT)
		pthread_cond_wait(&stream->changed, &stream->lock);
	pthread_mutex_unlock(&stream->lock);
	if (current_mode(stream) != MODE_STOP)
		result = produce(stream, &wrong_bytes, &err);
	pthread_mutex_lock(&stream->lock);
	stream->result = result;
	stream->wrong_bytes = wrong_bytes;
	stream->error = err;
	stream->done = true;
	pthread_cond_broadcast(&stream->changed);
	pthread_mutex_unlock(&stream->lock);
	return NULL;
}

static int start_thread(struct ces_stream *stream, struct ces_error *err)
{
	pthread_attr_t attributes;
	int failed;

	if (pthread_attr_init(&attributes) != 0)
		return ces_error_set(err, CES_E_INTERNAL, "cannot start a thread");
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	failed = pthread_create(&stream->thread, &attributes, run, stream);
	pthread_attr_destroy(&attributes);
	if (failed != 0)
		return ces_error_set(err, CES_E_HOST, "cannot start a thread");
	stream->started = true;
	return 0;
}

int ces_stream_open(const struct ces_stream_source *source, struct ces_stream **ret,
		    struct ces_error *err)
{
	struct ces_stream *stream = calloc(1, sizeof(*stream));

	if (stream == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	stream->source = *source;
	pthread_mutex_init(&stream->lock, NULL);
	pthread_cond_init(&stream->changed, NULL);
	sha256_init(&stream->compressed);
	sha256_init(&stream->plain);
	stream->memory = malloc(INPUT_SIZE + BLOCKS * (size_t)BLOCK_SIZE);
	stream->input = stream->memory;
	for (size_t i = 0; i < BLOCKS && stream->memory != NULL; i++)
		stream->blocks[i].bytes = stream->memory + INPUT_SIZE + i * BLOCK_SIZE;
	if (stream->memory == NULL)
		ces_error_set(err, CES_E_INTERNAL, "out of memory");
	if (stream->memory == NULL ||
	    ces_decode_open(source->compression, &stream->decode, err) < 0 ||
	    start_thread(stream, err) < 0) {
		ces_stream_close(stream);
		return -1;
	}
	*ret = stream;
	return 0;
}

static void set_mode(struct ces_stream *stream, enum mode mode)
{
	stream->mode = mode;
	pthread_cond_broadcast(&stream->changed);
}

int ces_stream_next(struct ces_stream *stream, const uint8_t **ret, size_t *ret_length,
		    struct ces_error *err)
{
	int result = 1;

	pthread_mutex_lock(&stream->lock);
	if (stream->mode == MODE_WAIT)
		set_mode(stream, MODE_UNPACK);
	if (stream->held) {
		stream->held = false;
		stream->first = (stream->first + 1) % BLOCKS;
		stream->filled--;
		pthread_cond_broadcast(&stream->changed);
	}
	while (stream->filled == 0 && !stream->done)
		pthread_cond_wait(&stream->changed, &stream->lock);
	if (stream->filled > 0) {
		stream->held = true;
		*ret = stream->blocks[stream->first].bytes;
		*ret_length = stream->blocks[stream->first].length;
	} else {
		result = stream->result;
		if (result < 0)
			*err = stream->error;
	}
	pthread_mutex_unlock(&stream->lock);
	if (result == 1)
		sha256_update(&stream->plain, *ret_length, *ret);
	return result;
}

static int check_plain(struct ces_stream *stream, struct ces_error *err)
{
	char digest[CES_DIGEST_LENGTH + 1];

	ces_digest_end(&stream->plain, digest);
	if (strcmp(digest, stream->source.diff_id) != 0)
		return ces_error_set(err, CES_E_IMAGE,
				     "its content has diff_id %.19s..., the image says %.19s...",
				     digest, stream->source.diff_id);
	return 0;
}

int ces_stream_finish(struct ces_stream *stream, int unpacked, struct ces_error *err)
{
	const uint8_t *block = NULL;
	size_t length = 0;
	int more = 1;

	/* (both digests also cover the bytes after the end of the archive) */
	while (unpacked == 0 && more == 1)
		more = ces_stream_next(stream, &block, &length, err);
	if (unpacked == 0)
		return more == 0 ? check_plain(stream, err) : -1;
	pthread_mutex_lock(&stream->lock);
	set_mode(stream, err->code == CES_E_IMAGE ? MODE_DISCARD : MODE_STOP);
	while (!stream->done && stream->mode == MODE_DISCARD)
		pthread_cond_wait(&stream->changed, &stream->lock);
	if (stream->wrong_bytes && err->code == CES_E_IMAGE)
		*err = stream->error;
	pthread_mutex_unlock(&stream->lock);
	return -1;
}

void ces_stream_close(struct ces_stream *stream)
{
	if (stream == NULL)
		return;
	if (stream->started) {
		pthread_mutex_lock(&stream->lock);
		set_mode(stream, MODE_STOP);
		pthread_mutex_unlock(&stream->lock);
		pthread_join(stream->thread, NULL);
	}
	pthread_cond_destroy(&stream->changed);
	pthread_mutex_destroy(&stream->lock);
	ces_decode_close(stream->decode);
	free(stream->memory);
	free(stream);
}
