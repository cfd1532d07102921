/* Tests how a layer's bytes are read: only a whole and exact layer of the promised digests is
 * accepted. */
/* links: helper/unpack/stream.c helper/unpack/decode.c */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "helper/unpack/decode.h"
#include "helper/unpack/stream.h"

#define PLAIN_SIZE 300000

struct bytes {
	uint8_t *v;
	size_t n;
};

static struct ces_error err;
static uint8_t plain[PLAIN_SIZE];

/* Makes text that shrinks to about a third, the same at every call. */
static void setup(void)
{
	uint32_t state = 1;

	for (size_t i = 0; i < sizeof(plain); i++) {
		state = state * 1664525 + 1013904223;
		plain[i] = (uint8_t)("etaoin shrdlu\n\0x"[state >> 28]);
	}
	memset(&err, 0, sizeof(err));
}

static void add(struct bytes *to, const void *bytes, size_t n)
{
	to->v = realloc(to->v, to->n + n + 1);
	memcpy(to->v + to->n, bytes, n);
	to->n += n;
}

static void add_gzip(struct bytes *to, const void *bytes, size_t n)
{
	z_stream z = {0};
	size_t room = n + n / 100 + 1000;
	uint8_t *out = malloc(room);

	ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (uint8_t *)(uintptr_t)bytes;
	z.avail_in = (unsigned)n;
	z.next_out = out;
	z.avail_out = (unsigned)room;
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	add(to, out, room - z.avail_out);
	deflateEnd(&z);
	free(out);
}

static void add_zstd(struct bytes *to, const void *bytes, size_t n)
{
	size_t room = ZSTD_compressBound(n), used;
	uint8_t *out = malloc(room);

	used = ZSTD_compress(out, room, bytes, n, 3);
	ck_assert(!ZSTD_isError(used));
	add(to, out, used);
	free(out);
}

/* Returns three members or frames; the middle one is empty. */
static struct bytes compressed(enum ces_compression how)
{
	struct bytes bytes = {NULL, 0};
	void (*one)(struct bytes *, const void *, size_t) = how == CES_COMPRESSION_GZIP   ? add_gzip
							    : how == CES_COMPRESSION_ZSTD ? add_zstd
											  : add;

	one(&bytes, plain, 100001);
	one(&bytes, "", 0);
	one(&bytes, plain + 100001, PLAIN_SIZE - 100001);
	return bytes;
}

/* Decodes in steps of at most `in` and `out` bytes. */
static int decode(enum ces_compression how, const struct bytes *bytes, size_t in, size_t out,
		  struct bytes *ret)
{
	const uint8_t *at = bytes->v;
	size_t left = bytes->n, produced;
	uint8_t *room = malloc(out);
	struct ces_decode *decoder;
	int result = 0;

	ck_assert_int_eq(ces_decode_open(how, &decoder, &err), 0);
	do {
		size_t give = left < in ? left : in, rest = give;

		produced = 0;
		result = ces_decode_step(decoder, &at, &rest, room, out, &produced, &err);
		left -= give - rest;
		add(ret, room, produced);
	} while (result == 0 && (left > 0 || produced > 0));
	if (result == 0 && !ces_decode_ended(decoder))
		result = -1;
	ces_decode_close(decoder);
	free(room);
	return result;
}

static const struct {
	enum ces_compression how;
	size_t in, out;
} steps[] = {
    {CES_COMPRESSION_NONE, 1, 7},      {CES_COMPRESSION_NONE, 1000, 1000},
    {CES_COMPRESSION_GZIP, 1, 1000},   {CES_COMPRESSION_GZIP, 1000, 1},
    {CES_COMPRESSION_GZIP, 2, 100000}, {CES_COMPRESSION_GZIP, 1000000, 1000000},
    {CES_COMPRESSION_GZIP, 3, 17},     {CES_COMPRESSION_GZIP, 65536, 262144},
    {CES_COMPRESSION_ZSTD, 1, 1000},   {CES_COMPRESSION_ZSTD, 1000, 1},
    {CES_COMPRESSION_ZSTD, 7, 100000}, {CES_COMPRESSION_ZSTD, 1000000, 1000000},
};

START_TEST(members_and_frames_are_joined_however_the_bytes_arrive)
{
	struct bytes bytes = compressed(steps[_i].how), out = {NULL, 0};

	ck_assert_msg(decode(steps[_i].how, &bytes, steps[_i].in, steps[_i].out, &out) == 0, "%s",
		      err.text);
	ck_assert_uint_eq(out.n, PLAIN_SIZE);
	ck_assert_int_eq(memcmp(out.v, plain, PLAIN_SIZE), 0);
	free(bytes.v);
	free(out.v);
}
END_TEST

START_TEST(compressed_data_may_end_only_where_a_member_ends)
{
	enum ces_compression how = _i % 2 == 0 ? CES_COMPRESSION_GZIP : CES_COMPRESSION_ZSTD;
	struct bytes bytes = {NULL, 0}, out = {NULL, 0};
	size_t first, whole;

	(_i % 2 == 0 ? add_gzip : add_zstd)(&bytes, plain, 1000);
	first = bytes.n;
	(_i % 2 == 0 ? add_gzip : add_zstd)(&bytes, plain, 50);
	whole = bytes.n;
	for (bytes.n = 0; bytes.n <= whole; bytes.n++) {
		int good = bytes.n == first || bytes.n == whole;

		out.n = 0;
		ck_assert_msg((decode(how, &bytes, 100, 100, &out) == 0) == good,
			      "cut after %zu of %zu", bytes.n, whole);
	}
	free(bytes.v);
	free(out.v);
}
END_TEST

START_TEST(bytes_after_the_compressed_data_are_refused)
{
	static const char *const garbage[] = {"x",        "\x1f",       "\x1fx",
					      "\x1f\x8b", "\x1f\x8bxx", "garbage that is long"};
	enum ces_compression how = _i % 2 == 0 ? CES_COMPRESSION_GZIP : CES_COMPRESSION_ZSTD;
	struct bytes bytes = compressed(how), out = {NULL, 0};

	add(&bytes, garbage[_i / 2], strlen(garbage[_i / 2]));
	ck_assert_int_eq(decode(how, &bytes, 1000, 1000, &out), -1);
	free(bytes.v);
	free(out.v);
}
END_TEST

START_TEST(a_member_with_another_magic_is_no_member)
{
	struct bytes bytes = {NULL, 0}, out = {NULL, 0};
	size_t second;

	add_gzip(&bytes, plain, 100);
	second = bytes.n;
	add_gzip(&bytes, plain, 100);
	bytes.v[second + (size_t)_i] ^= 1;
	ck_assert_int_eq(decode(CES_COMPRESSION_GZIP, &bytes, 1000, 1000, &out), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "after the end"));
	free(bytes.v);
	free(out.v);
}
END_TEST

START_TEST(one_wrong_bit_of_gzip_is_found)
{
	struct bytes good = {NULL, 0}, out = {NULL, 0};

	add_gzip(&good, plain, 2000);
	for (size_t i = 10; i < good.n; i++) {
		good.v[i] ^= 4;
		out.n = 0;
		ck_assert_msg(decode(CES_COMPRESSION_GZIP, &good, 100, 100, &out) < 0, "byte %zu",
			      i);
		good.v[i] ^= 4;
	}
	free(good.v);
	free(out.v);
}
END_TEST

START_TEST(a_zstd_window_beyond_the_cap_is_refused)
{
	static const char frame[] =
	    "\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00"; /* window 2^31, empty last block */
	struct bytes bytes = {NULL, 0}, out = {NULL, 0};

	add(&bytes, frame, sizeof(frame) - 1);
	ck_assert_int_eq(decode(CES_COMPRESSION_ZSTD, &bytes, 100, 100, &out), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "memory"));
	bytes.v[5] = 0x88; /* window 2^27 */
	out.n = 0;
	ck_assert_msg(decode(CES_COMPRESSION_ZSTD, &bytes, 100, 100, &out) == 0, "%s", err.text);
	free(bytes.v);
	free(out.v);
}
END_TEST

/* The promised facts about a layer. A test changes one of these. */
struct promise {
	char digest[CES_DIGEST_LENGTH + 1], diff_id[CES_DIGEST_LENGTH + 1];
	uint64_t size;
};

static struct promise promise_of(const struct bytes *bytes, const void *content, size_t n)
{
	struct promise promise = {.size = bytes->n};

	ces_digest_of(bytes->v, bytes->n, promise.digest);
	ces_digest_of(content, n, promise.diff_id);
	return promise;
}

/* Streams the whole layer. `unpacked` is what a tar reader would say after the first block. */
static int stream_all(const struct bytes *bytes, enum ces_compression how,
		      const struct promise *promise, int unpacked, size_t *ret_n)
{
	CES_CLEANUP_FD int fd = memfd_create("layer", MFD_CLOEXEC);
	struct ces_stream_source source = {fd, promise->size, promise->digest, promise->diff_id,
					   how};
	struct ces_stream *stream;
	const uint8_t *block;
	size_t length;
	int more;

	ck_assert_int_eq(write(fd, bytes->v, bytes->n), (ssize_t)bytes->n);
	lseek(fd, 0, SEEK_SET);
	ck_assert_int_eq(ces_stream_open(&source, &stream, &err), 0);
	*ret_n = 0;
	while ((more = ces_stream_next(stream, &block, &length, &err)) > 0) {
		*ret_n += length;
		if (unpacked < 0)
			break;
	}
	if (unpacked < 0)
		ces_error_set(&err, CES_E_IMAGE, "the tar reader's own reason");
	more = ces_stream_finish(stream, more < 0 ? -1 : unpacked, &err);
	ces_stream_close(stream);
	return more;
}

START_TEST(a_layer_as_promised_streams_through)
{
	struct bytes bytes = compressed((enum ces_compression)_i);
	struct promise promise = promise_of(&bytes, plain, PLAIN_SIZE);
	size_t n;

	ck_assert_msg(stream_all(&bytes, (enum ces_compression)_i, &promise, 0, &n) == 0, "%s",
		      err.text);
	ck_assert_uint_eq(n, PLAIN_SIZE);
	free(bytes.v);
}
END_TEST

static const struct {
	const char *what, *because;
} lies[] = {
    {"digest", "another digest"},      {"diff_id", "diff_id"},
    {"longer", "longer than"},         {"shorter", "ended after"},
    {"tar", "the tar reader's own"},   {"tar and digest", "another digest"},
    {"tar and longer", "longer than"},
};

START_TEST(a_layer_that_is_not_as_promised_is_refused_with_the_true_reason)
{
	struct bytes bytes = compressed(CES_COMPRESSION_GZIP);
	struct promise promise = promise_of(&bytes, plain, PLAIN_SIZE);
	const char *what = lies[_i].what;
	size_t n;

	if (strstr(what, "digest") != NULL)
		promise.digest[20] ^= 1;
	if (strstr(what, "diff_id") != NULL)
		promise.diff_id[20] ^= 1;
	if (strstr(what, "longer") != NULL)
		promise.size--;
	if (strstr(what, "shorter") != NULL)
		promise.size++;
	ck_assert_int_eq(stream_all(&bytes, CES_COMPRESSION_GZIP, &promise,
				    strstr(what, "tar") != NULL ? -1 : 0, &n),
			 -1);
	ck_assert_int_eq(err.code, CES_E_IMAGE);
	ck_assert_msg(strstr(err.text, lies[_i].because) != NULL, "%s", err.text);
	free(bytes.v);
}
END_TEST

START_TEST(a_layer_that_expands_a_thousandfold_is_stopped_early)
{
	size_t size = 200 << 20, n;
	uint8_t *zeros = calloc(1, size);
	struct bytes bytes = {NULL, 0};
	struct promise promise;

	add_zstd(&bytes, zeros, size);
	promise = promise_of(&bytes, zeros, size);
	ck_assert_int_eq(stream_all(&bytes, CES_COMPRESSION_ZSTD, &promise, 0, &n), -1);
	ck_assert_int_eq(err.code, CES_E_LIMIT);
	ck_assert_uint_lt(n, 100 << 20);
	free(bytes.v);
	free(zeros);
}
END_TEST

START_TEST(a_stream_can_be_closed_before_it_began_and_while_it_waits)
{
	int ends[2];
	struct ces_stream_source source = {-1, 1000, "", "", CES_COMPRESSION_GZIP};
	struct ces_stream *stream;

	ck_assert_int_eq(pipe(ends), 0);
	source.fd = ends[0];
	ck_assert_int_eq(ces_stream_open(&source, &stream, &err), 0);
	ces_stream_close(stream);
	ck_assert_int_eq(ces_stream_open(&source, &stream, &err), 0);
	ces_error_set(&err, CES_E_HOST, "disk full");
	ck_assert_int_eq(ces_stream_finish(stream, -1, &err), -1);
	ck_assert_str_eq(err.text, "disk full");
	ces_stream_close(stream);
	ces_stream_close(NULL);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("unpack_stream");
	TCase *tests = tcase_create("streams");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_set_timeout(tests, 60);
	tcase_add_loop_test(tests, members_and_frames_are_joined_however_the_bytes_arrive, 0,
			    CES_COUNT(steps));
	tcase_add_loop_test(tests, compressed_data_may_end_only_where_a_member_ends, 0, 2);
	tcase_add_loop_test(tests, bytes_after_the_compressed_data_are_refused, 0, 12);
	tcase_add_loop_test(tests, a_member_with_another_magic_is_no_member, 0, 2);
	tcase_add_test(tests, one_wrong_bit_of_gzip_is_found);
	tcase_add_test(tests, a_zstd_window_beyond_the_cap_is_refused);
	tcase_add_loop_test(tests, a_layer_as_promised_streams_through, 0, 3);
	tcase_add_loop_test(tests, a_layer_that_is_not_as_promised_is_refused_with_the_true_reason,
			    0, CES_COUNT(lies));
	tcase_add_test(tests, a_layer_that_expands_a_thousandfold_is_stopped_early);
	tcase_add_test(tests, a_stream_can_be_closed_before_it_began_and_while_it_waits);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
