/* Tests the codec: what goes in comes out, and nothing else is accepted. */
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/event.h"
#include "common/request.h"
#include "common/wire.h"
#include "common/wire_field.h"

/* One field of every kind, with small caps. */
struct sample {
	void *memory;
	uint64_t number;
	char *name, *text;
	struct ces_u64s numbers;
	struct ces_strings names, texts, lines;
	char *line;
};
#define AT(member) offsetof(struct sample, member)
static const struct ces_wire_field sample_fields[] = {
    {1, CES_WIRE_U64, 1, 8, 1, AT(number)},  {2, CES_WIRE_NAME, 0, 8, 1, AT(name)},
    {3, CES_WIRE_TEXT, 0, 8, 1, AT(text)},   {4, CES_WIRE_U64S, 0, 8, 3, AT(numbers)},
    {5, CES_WIRE_NAMES, 0, 4, 2, AT(names)}, {6, CES_WIRE_TEXTS, 0, 4, 2, AT(texts)},
    {8, CES_WIRE_LINE, 0, 8, 1, AT(line)},   {9, CES_WIRE_LINES, 0, 4, 2, AT(lines)},
};
static const struct ces_wire_schema sample_schema = {"sample", 99, sizeof(struct sample),
						     sample_fields, CES_COUNT(sample_fields)};

/* ---- frames made by hand ---- */

struct bytes {
	uint8_t at[4096];
	size_t n;
};

static void put(struct bytes *frame, const void *bytes, size_t n)
{
	ck_assert_uint_le(frame->n + n, sizeof(frame->at));
	memcpy(frame->at + frame->n, bytes, n);
	frame->n += n;
}

static void put_le(struct bytes *frame, uint64_t value, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t byte = (uint8_t)(value >> 8 * i);

		put(frame, &byte, 1);
	}
}

static void put_field(struct bytes *frame, unsigned tag, const void *bytes, size_t n)
{
	put_le(frame, tag, 2);
	put_le(frame, n, 4);
	put(frame, bytes, n);
}

static void put_number(struct bytes *frame, unsigned tag, uint64_t value)
{
	put_le(frame, tag, 2);
	put_le(frame, 8, 4);
	put_le(frame, value, 8);
}

/* Sets the header's length to the length of what follows. */
static void set_length(struct bytes *frame)
{
	size_t n = frame->n, rest = n - CES_WIRE_HEADER;

	frame->n = 6;
	put_le(frame, rest, 4);
	frame->n = n;
}

/* Starts a frame: a header and the required field. */
static struct bytes begin(void)
{
	struct bytes frame = {.n = 0};

	put(&frame, "CES1", 4);
	put_le(&frame, 99, 2);
	put_le(&frame, 0, 4);
	put_number(&frame, 1, 7);
	set_length(&frame);
	return frame;
}

static int decode(const struct bytes *frame)
{
	struct sample object, untouched;
	struct ces_error err = {0};
	/* of exactly that size, so that a sanitizer sees a read past the end */
	uint8_t *copy = malloc(frame->n == 0 ? 1 : frame->n);
	int result;

	memset(&object, 0x5a, sizeof(object));
	memset(&untouched, 0x5a, sizeof(untouched));
	memcpy(copy, frame->at, frame->n);
	result = ces_wire_decode(&sample_schema, copy, frame->n, &object, &err);
	free(copy);
	if (result == 0) {
		ces_wire_free(&sample_schema, &object);
		ck_assert_ptr_null(object.memory);
		ck_assert_ptr_null(object.name);
	} else {
		ck_assert_int_eq(result, -1);
		ck_assert_int_eq(err.code, CES_E_USAGE);
		ck_assert_str_ne(err.text, "");
		ck_assert_mem_eq(&object, &untouched, sizeof(object));
	}
	return result;
}

static int decode_with(unsigned tag, const void *bytes, size_t n)
{
	struct bytes frame = begin();

	put_field(&frame, tag, bytes, n);
	set_length(&frame);
	return decode(&frame);
}

START_TEST(a_well_formed_frame_is_accepted)
{
	struct bytes frame = begin();

	ck_assert_int_eq(decode(&frame), 0);
	put_field(&frame, 2, "12345678", 8);
	put_field(&frame, 5, "1234", 4);
	put_field(&frame, 6, "", 0);
	put_field(&frame, 5, "", 0);
	put_number(&frame, 4, UINT64_MAX);
	put_field(&frame, 3, "\n\t\x80\xff", 4);
	set_length(&frame);
	ck_assert_int_eq(decode(&frame), 0);
}
END_TEST

START_TEST(a_wrong_magic_type_or_length_is_refused)
{
	for (size_t at = 0; at < CES_WIRE_HEADER; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			struct bytes frame = begin();

			frame.at[at] ^= (uint8_t)(1u << bit);
			ck_assert_int_eq(decode(&frame), -1);
		}
}
END_TEST

START_TEST(lengths_of_four_gigabytes_are_refused)
{
	static const uint32_t lengths[] = {0xffffffff, 0xfffffffe, 0xfffffffa, 0xfffffff6,
					   0xfffffff0, 0x80000000, 0x7fffffff};

	for (size_t i = 0; i < CES_COUNT(lengths); i++) {
		struct bytes frame = begin();

		frame.n = 6;
		put_le(&frame, lengths[i], 4);
		frame.n = CES_WIRE_HEADER + 14;
		ck_assert_int_eq(decode(&frame), -1);
		frame = begin();
		put_le(&frame, 2, 2);
		put_le(&frame, lengths[i], 4);
		put(&frame, "abc", 3);
		set_length(&frame);
		ck_assert_int_eq(decode(&frame), -1);
	}
}
END_TEST

START_TEST(a_frame_cut_at_any_byte_is_refused)
{
	struct bytes whole = begin(), cut;

	put_field(&whole, 2, "name", 4);
	put_field(&whole, 6, "a", 1);
	set_length(&whole);
	ck_assert_int_eq(decode(&whole), 0);
	for (cut = whole; cut.n-- > 0;)
		ck_assert_int_eq(decode(&cut), -1);
	/* and with a length that hides the cut, unless the cut is between two fields */
	for (cut = whole; cut.n-- > CES_WIRE_HEADER;) {
		bool between = cut.n == CES_WIRE_HEADER + 14 || cut.n == CES_WIRE_HEADER + 24;

		set_length(&cut);
		ck_assert_int_eq(decode(&cut), between ? 0 : -1);
	}
}
END_TEST

START_TEST(trailing_bytes_are_refused)
{
	struct bytes frame = begin();

	for (size_t n = 1; n < CES_WIRE_FIELD_HEADER; n++) {
		put(&frame, "\2", 1);
		ck_assert_int_eq(decode(&frame), -1); /* after the frame */
		set_length(&frame);
		ck_assert_int_eq(decode(&frame), -1); /* inside it */
	}
}
END_TEST

START_TEST(an_unknown_field_is_refused)
{
	ck_assert_int_eq(decode_with(0, "x", 1), -1);
	ck_assert_int_eq(decode_with(7, "x", 1), -1);
	ck_assert_int_eq(decode_with(0xffff, "x", 1), -1);
	ck_assert_int_eq(decode_with(0x0201, "x", 1), -1);
}
END_TEST

START_TEST(a_missing_required_field_is_refused)
{
	struct bytes frame = {.n = 0};

	put(&frame, "CES1", 4);
	put_le(&frame, 99, 2);
	put_le(&frame, 0, 4);
	ck_assert_int_eq(decode(&frame), -1);
	put_field(&frame, 2, "name", 4);
	set_length(&frame);
	ck_assert_int_eq(decode(&frame), -1);
}
END_TEST

START_TEST(a_value_over_its_cap_is_refused)
{
	ck_assert_int_eq(decode_with(2, "123456789", 9), -1);
	ck_assert_int_eq(decode_with(3, "123456789", 9), -1);
	ck_assert_int_eq(decode_with(5, "12345", 5), -1);
	ck_assert_int_eq(decode_with(6, "12345", 5), -1);
}
END_TEST

START_TEST(a_number_is_eight_bytes)
{
	ck_assert_int_eq(decode_with(4, "12345678", 8), 0);
	ck_assert_int_eq(decode_with(4, "1234567", 7), -1);
	ck_assert_int_eq(decode_with(4, "123456789", 9), -1);
	ck_assert_int_eq(decode_with(4, "", 0), -1);
}
END_TEST

START_TEST(a_field_given_too_often_is_refused)
{
	static const size_t most[] = {[1] = 1, [2] = 1, [3] = 1, [4] = 3, [5] = 2, [6] = 2};

	for (unsigned tag = 1; tag <= 6; tag++) {
		struct bytes frame = begin();
		const char *value = tag == 1 || tag == 4 ? "12345678" : "1234";
		size_t n = tag == 1 ? 1 : 0;

		for (; n < most[tag]; n++)
			put_field(&frame, tag, value, strlen(value));
		set_length(&frame);
		ck_assert_msg(decode(&frame) == 0, "field %u", tag);
		put_field(&frame, tag, value, strlen(value));
		set_length(&frame);
		ck_assert_msg(decode(&frame) == -1, "field %u", tag);
	}
}
END_TEST

START_TEST(a_name_is_printable_ascii_a_line_utf8_and_a_text_has_no_nul)
{
	for (unsigned byte = 0; byte < 256; byte++) {
		char value[3] = {'a', (char)byte, 'b'};
		int name = byte >= 0x20 && byte <= 0x7e ? 0 : -1;
		int text = byte != 0 ? 0 : -1;

		ck_assert_msg(decode_with(2, value, 3) == name, "byte %u", byte);
		ck_assert_msg(decode_with(5, value, 3) == name, "byte %u", byte);
		ck_assert_msg(decode_with(3, value, 3) == text, "byte %u", byte);
		ck_assert_msg(decode_with(6, value, 3) == text, "byte %u", byte);
		ck_assert_msg(decode_with(8, value, 3) == name, "byte %u", byte);
		ck_assert_msg(decode_with(9, value, 3) == name, "byte %u", byte);
	}
	ck_assert_int_eq(decode_with(8, "\xe2\x82\xac", 3), 0);
	ck_assert_int_eq(decode_with(9, "\xe2\x82\xac", 3), 0);
	ck_assert_int_eq(decode_with(8, "\xe2\x82", 2), -1);
}
END_TEST

START_TEST(interleaved_lists_keep_their_order)
{
	struct bytes frame = begin();
	struct sample object;

	put_field(&frame, 5, "a", 1);
	put_field(&frame, 6, "x", 1);
	put_number(&frame, 4, 1);
	put_field(&frame, 5, "b", 1);
	put_number(&frame, 4, 2);
	put_field(&frame, 6, "y", 1);
	set_length(&frame);
	ck_assert_int_eq(ces_wire_decode(&sample_schema, frame.at, frame.n, &object, NULL), 0);
	ck_assert_uint_eq(object.number, 7);
	ck_assert_uint_eq(object.names.n, 2);
	ck_assert_uint_eq(object.texts.n, 2);
	ck_assert_uint_eq(object.numbers.n, 2);
	ck_assert_str_eq(object.names.v[0], "a");
	ck_assert_str_eq(object.names.v[1], "b");
	ck_assert_str_eq(object.texts.v[0], "x");
	ck_assert_str_eq(object.texts.v[1], "y");
	ck_assert_uint_eq(object.numbers.v[1], 2);
	ck_assert_ptr_null(object.name);
	ces_wire_free(&sample_schema, &object);
	ces_wire_free(&sample_schema, &object); /* an empty object is freed as well */
}
END_TEST

START_TEST(the_type_of_a_frame_needs_a_whole_header)
{
	struct bytes frame = begin();

	ck_assert_uint_eq(ces_wire_type(frame.at, frame.n), 99);
	ck_assert_uint_eq(ces_wire_type(frame.at, CES_WIRE_HEADER), 99);
	ck_assert_uint_eq(ces_wire_type(frame.at, CES_WIRE_HEADER - 1), 0);
	frame.at[3] = '2';
	ck_assert_uint_eq(ces_wire_type(frame.at, frame.n), 0);
}
END_TEST

START_TEST(the_first_frame_of_bytes_ends_where_its_header_says_or_with_the_bytes)
{
	struct bytes frame = begin();
	size_t whole = frame.n;
	uint8_t two[2 * sizeof(frame.at)] = {0};

	memcpy(two, frame.at, whole);
	ck_assert_uint_eq(ces_wire_length(two, whole), whole);
	ck_assert_uint_eq(ces_wire_length(two, whole + 9), whole);
	two[6] = 5;
	ck_assert_uint_eq(ces_wire_length(two, CES_WIRE_HEADER + 9), CES_WIRE_HEADER + 5);
	ck_assert_uint_eq(ces_wire_length(two, CES_WIRE_HEADER + 5), CES_WIRE_HEADER + 5);
	ck_assert_uint_eq(ces_wire_length(two, CES_WIRE_HEADER + 4), CES_WIRE_HEADER + 4);
	ck_assert_uint_eq(ces_wire_length(two, CES_WIRE_HEADER - 1), 0);
	memset(two + 6, 0xff, 4);
	ck_assert_uint_eq(ces_wire_length(two, CES_WIRE_HEADER + 9), CES_WIRE_HEADER + 9);
	two[0] = 'X';
	ck_assert_uint_eq(ces_wire_length(two, CES_WIRE_HEADER + 9), 0);
}
END_TEST

/* ---- the encoder ---- */

static int encode(const struct sample *object)
{
	struct ces_error err = {0};
	uint8_t *frame = NULL;
	size_t length;
	int result = ces_wire_encode(&sample_schema, object, &frame, &length, &err);

	ck_assert((result == 0) == (frame != NULL));
	free(frame);
	return result;
}

START_TEST(the_encoder_applies_the_same_caps)
{
	static char *const values[] = {(char *)(uintptr_t) "a", NULL, (char *)(uintptr_t) "12345"};
	static uint64_t numbers[4];
	char *const *lists[] = {values, values + 1, values + 2};
	char name[16] = "12345678";
	struct sample good = {.number = 1, .name = name}, bad;

	ck_assert_int_eq(encode(&good), 0);
	strcpy(name, "123456789");
	ck_assert_int_eq(encode(&good), -1);
	strcpy(name, "a\nb");
	ck_assert_int_eq(encode(&good), -1);
	for (size_t i = 0; i < 3; i++) {
		bad = (struct sample){.number = 1};
		bad.names = (struct ces_strings){(char **)(uintptr_t)lists[i], 1};
		ck_assert_int_eq(encode(&bad), i == 0 ? 0 : -1);
	}
	bad = (struct sample){.number = 1, .numbers = {numbers, 4}};
	ck_assert_int_eq(encode(&bad), -1);
	bad.numbers.n = 3;
	ck_assert_int_eq(encode(&bad), 0);
}
END_TEST

START_TEST(the_encoder_refuses_what_the_decoder_would_miss)
{
	struct ces_event_text object = {.text = NULL};
	struct ces_error err = {0};
	uint8_t *frame = NULL;
	size_t length;

	ck_assert_int_eq(ces_wire_encode(&ces_event_text_schema, &object, &frame, &length, &err),
			 -1);
	ck_assert_int_eq(err.code, CES_E_USAGE);
	ck_assert_ptr_null(frame);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire");
	TCase *decoder = tcase_create("decoder");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(decoder, a_well_formed_frame_is_accepted);
	tcase_add_test(decoder, a_wrong_magic_type_or_length_is_refused);
	tcase_add_test(decoder, lengths_of_four_gigabytes_are_refused);
	tcase_add_test(decoder, a_frame_cut_at_any_byte_is_refused);
	tcase_add_test(decoder, trailing_bytes_are_refused);
	tcase_add_test(decoder, an_unknown_field_is_refused);
	tcase_add_test(decoder, a_missing_required_field_is_refused);
	tcase_add_test(decoder, a_value_over_its_cap_is_refused);
	tcase_add_test(decoder, a_number_is_eight_bytes);
	tcase_add_test(decoder, a_field_given_too_often_is_refused);
	tcase_add_test(decoder, a_name_is_printable_ascii_a_line_utf8_and_a_text_has_no_nul);
	tcase_add_test(decoder, interleaved_lists_keep_their_order);
	tcase_add_test(decoder, the_type_of_a_frame_needs_a_whole_header);
	tcase_add_test(decoder,
		       the_first_frame_of_bytes_ends_where_its_header_says_or_with_the_bytes);
	tcase_add_test(decoder, the_encoder_applies_the_same_caps);
	tcase_add_test(decoder, the_encoder_refuses_what_the_decoder_would_miss);
	suite_add_tcase(suite, decoder);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
