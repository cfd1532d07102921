/* Tests a request that comes as a struct: the caps of its table hold as they do in a frame. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/request.h"
#include "common/schema.h"
#include "policy/flat.h"
#include "tests/unit/policy_fixture.h"

static struct ces_request request;

static int checked(void)
{
	struct ces_error err = {0};
	int result = ces_request_check(&request, &err);

	ck_assert(result == 0 || err.code == CES_E_USAGE);
	return result;
}

static void set_up(void)
{
	memset(&request, 0, sizeof(request));
	request.verb = CES_VERB_RUN;
}

/* Returns n times the letter a, at the end of the allocated memory. */
static char *long_text(size_t n)
{
	char *text = malloc(n + 1);

	memset(text, 'a', n);
	text[n] = '\0';
	return text;
}

START_TEST(a_text_may_be_as_long_as_its_cap_and_no_longer)
{
	request.image = long_text(512);
	ck_assert_int_eq(checked(), 0);
	free(request.image);
	request.image = long_text(513);
	ck_assert_int_ne(checked(), 0);
	free(request.image);
	request.image = NULL;
	request.token = long_text(8193);
	ck_assert_int_ne(checked(), 0);
	free(request.token);
}
END_TEST

START_TEST(a_name_has_printable_characters_only)
{
	static const char *const bad[] = {"a\n", "\033[1m", "\x7f", "\xc3\xa4"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		request.project = (char *)bad[i];
		ck_assert_int_ne(checked(), 0);
	}
	request.project = (char *)"nsh-2024-0001 ~";
	ck_assert_int_eq(checked(), 0);
}
END_TEST

START_TEST(a_list_has_its_count_and_no_hole)
{
	char *ports[33];

	for (size_t i = 0; i < 33; i++)
		ports[i] = (char *)"8787:8787";
	request.publish = (struct ces_strings){ports, 32};
	ck_assert_int_eq(checked(), 0);
	request.publish.n = 33;
	ck_assert_int_ne(checked(), 0);
	request.publish.n = 3;
	ports[1] = NULL;
	ck_assert_int_ne(checked(), 0);
	ports[1] = (char *)"87870:878700:8787";
	ck_assert_int_ne(checked(), 0);
}
END_TEST

START_TEST(numbers_are_counted_too)
{
	static uint64_t flags[33];

	request.bind_read_only = (struct ces_u64s){flags, 32};
	ck_assert_int_eq(checked(), 0);
	request.bind_read_only.n = 33;
	ck_assert_int_ne(checked(), 0);
}
END_TEST

/* Compares what a frame says with what its block says. */
START_TEST(a_request_comes_out_of_its_block_the_same)
{
	char *words[] = {(char *)"sh", (char *)"", (char *)"\xff\xfe"};
	uint64_t sizes[] = {1, UINT64_MAX};
	const struct ces_request *loaded;
	struct ces_error err = {0};
	uint8_t *block, *frame, *again;
	size_t length, n, m;

	request.image = (char *)"ghcr.io/lab/tool:1";
	request.args = (struct ces_strings){words, 3};
	request.tmpfs_sizes = (struct ces_u64s){sizes, 2};
	request.entrypoint = (char *)"";
	ck_assert_int_eq(ces_flat_pack(&ces_request_flat, &request, &block, &length, &err), 0);
	ck_assert_int_eq(ces_flat_load(&ces_request_flat, block, length, &err), 0);
	loaded = (const struct ces_request *)(const void *)block;
	ck_assert_int_eq(ces_request_check(loaded, &err), 0);
	ck_assert_int_eq(ces_wire_encode(&ces_request_schema, &request, &frame, &n, &err), 0);
	ck_assert_int_eq(ces_wire_encode(&ces_request_schema, loaded, &again, &m, &err), 0);
	ck_assert_uint_eq(n, m);
	ck_assert_mem_eq(frame, again, n);
	free(frame);
	free(again);
	free(block);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("check");

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_test(t, a_text_may_be_as_long_as_its_cap_and_no_longer);
	tcase_add_test(t, a_name_has_printable_characters_only);
	tcase_add_test(t, a_list_has_its_count_and_no_hole);
	tcase_add_test(t, numbers_are_counted_too);
	tcase_add_test(t, a_request_comes_out_of_its_block_the_same);
	return run_suite("check", t);
}
