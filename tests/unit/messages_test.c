/* Tests every message of common/form_*.c: its table is valid, and all its fields survive the
 * trip. */
#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/wire.h"
#include "common/wire_field.h"
#include "tests/unit/schemas.h"

static char *text_of(size_t length, bool printable)
{
	char *text = malloc(length + 1);

	for (size_t i = 0; i < length; i++)
		text[i] = (char)(printable ? ' ' + (int)(i % 95) : 1 + (int)(i % 255));
	text[length] = '\0';
	return text;
}

/* Gives every field its largest value, and fills lists until the frame is full. */
static void fill(const struct ces_wire_field *field, char *object, uint64_t seed)
{
	void *slot = object + field->offset;
	bool printable = field->kind != CES_WIRE_TEXT && field->kind != CES_WIRE_TEXTS;
	size_t cap = field->cap > 2000 && field->count > 1 ? 2000 : field->cap;
	size_t n = cap * field->count > 200000 ? 100 : field->count;

	switch ((enum ces_wire_kind)field->kind) {
	case CES_WIRE_U64:
		*(uint64_t *)slot = UINT64_MAX - seed;
		break;
	case CES_WIRE_NAME:
	case CES_WIRE_TEXT:
	case CES_WIRE_LINE:
		*(char **)slot = text_of(cap, printable);
		break;
	case CES_WIRE_U64S:
		*(struct ces_u64s *)slot = (struct ces_u64s){calloc(n, sizeof(uint64_t)), n};
		for (size_t i = 0; i < n; i++)
			((struct ces_u64s *)slot)->v[i] = seed << 32 | i;
		break;
	case CES_WIRE_NAMES:
	case CES_WIRE_TEXTS:
	case CES_WIRE_LINES:
		*(struct ces_strings *)slot = (struct ces_strings){calloc(n, sizeof(char *)), n};
		for (size_t i = 0; i < n; i++)
			((struct ces_strings *)slot)->v[i] = text_of(i % (cap + 1), printable);
		break;
	}
}

static void compare(const struct ces_wire_field *field, const char *a, const char *b)
{
	const void *x = a + field->offset, *y = b + field->offset;
	const struct ces_strings *s = x, *t = y;
	const struct ces_u64s *u = x, *v = y;

	switch ((enum ces_wire_kind)field->kind) {
	case CES_WIRE_U64:
		ck_assert_uint_eq(*(const uint64_t *)x, *(const uint64_t *)y);
		break;
	case CES_WIRE_NAME:
	case CES_WIRE_TEXT:
	case CES_WIRE_LINE:
		ck_assert_str_eq(*(char *const *)x, *(char *const *)y);
		break;
	case CES_WIRE_U64S:
		ck_assert_uint_eq(u->n, v->n);
		ck_assert_mem_eq(u->v, v->v, u->n * sizeof(uint64_t));
		break;
	case CES_WIRE_NAMES:
	case CES_WIRE_TEXTS:
	case CES_WIRE_LINES:
		ck_assert_uint_eq(s->n, t->n);
		for (size_t i = 0; i < s->n; i++)
			ck_assert_str_eq(s->v[i], t->v[i]);
		break;
	}
}

static void empty(const struct ces_wire_field *field, char *object)
{
	void *slot = object + field->offset;
	struct ces_strings *list = slot;

	switch ((enum ces_wire_kind)field->kind) {
	case CES_WIRE_U64:
		break;
	case CES_WIRE_NAMES:
	case CES_WIRE_TEXTS:
	case CES_WIRE_LINES:
		for (size_t i = 0; i < list->n; i++)
			free(list->v[i]);
		free(list->v);
		break;
	case CES_WIRE_U64S:
		free(((struct ces_u64s *)slot)->v);
		break;
	case CES_WIRE_NAME:
	case CES_WIRE_TEXT:
	case CES_WIRE_LINE:
		free(*(char **)slot);
		break;
	}
}

START_TEST(every_message_with_every_field_survives_the_trip)
{
	const struct ces_wire_schema *schema = schemas[_i];
	struct ces_error err = {0};
	char *sent = calloc(1, schema->size), *got = calloc(1, schema->size);
	uint8_t *frame = NULL, *again = NULL;
	size_t length, again_length;

	for (size_t i = 0; i < schema->n_fields; i++)
		fill(&schema->fields[i], sent, i);
	ck_assert_msg(ces_wire_encode(schema, sent, &frame, &length, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(ces_wire_type(frame, length), schema->type);
	ck_assert_msg(ces_wire_decode(schema, frame, length, got, &err) == 0, "%s", err.text);
	for (size_t i = 0; i < schema->n_fields; i++)
		compare(&schema->fields[i], sent, got);
	ck_assert_int_eq(ces_wire_encode(schema, got, &again, &again_length, &err), 0);
	ck_assert_uint_eq(again_length, length);
	ck_assert_mem_eq(again, frame, length);
	for (size_t i = 0; i < schema->n_fields; i++)
		empty(&schema->fields[i], sent);
	ces_wire_free(schema, got);
	free(frame);
	free(again);
	free(sent);
	free(got);
}
END_TEST

START_TEST(every_table_is_sound)
{
	const struct ces_wire_schema *schema = schemas[_i];

	ck_assert_uint_ne(schema->type, 0);
	for (size_t other = 0; other < CES_COUNT(schemas); other++)
		ck_assert((int)other == _i || schemas[other]->type != schema->type);
	for (size_t i = 0; i < schema->n_fields; i++) {
		const struct ces_wire_field *field = &schema->fields[i];

		ck_assert_uint_ge(field->offset, sizeof(void *)); /* `memory` comes first */
		ck_assert_uint_lt(field->offset, schema->size);
		ck_assert_uint_ge(field->count, 1);
		ck_assert_uint_ge(field->cap, 1);
		for (size_t j = 0; j < i; j++) {
			ck_assert_uint_ne(schema->fields[j].tag, field->tag);
			ck_assert_uint_ne(schema->fields[j].offset, field->offset);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("messages");
	TCase *messages = tcase_create("messages");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(messages, every_message_with_every_field_survives_the_trip, 0,
			    CES_COUNT(schemas));
	tcase_add_loop_test(messages, every_table_is_sound, 0, CES_COUNT(schemas));
	suite_add_tcase(suite, messages);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
