/* Tests claims on layers: who fetches, who waits. */
/* links: helper/store/claim.c */
#include <check.h>
#include <fcntl.h>
#include <unistd.h>

#include "helper/store/claim.h"
#include "helper/session/store.h"
#include "tests/unit/directory.h"
#include "tests/unit/policy_fixture.h"

#define LAYER "sha256:0000000000000000000000000000000000000000000000000000000000000001"

/* (of helper/session/store.c) */
const char *ces_store_hex(const char *digest)
{
	return strchr(digest, ':') + 1;
}

START_TEST(the_first_fetches_and_the_second_waits_and_sees_how_far_it_is)
{
	struct ces_claim one = CES_CLAIM_NONE, two = CES_CLAIM_NONE;
	uint64_t bytes;

	ck_assert(ces_claim_take(directory, LAYER, &one) && one.held);
	ck_assert(!ces_claim_take(directory, LAYER, &two) && !two.held);
	ck_assert(!ces_claim_look(directory, LAYER, &two, &bytes));
	ck_assert_uint_eq(bytes, 0);
	ces_claim_note(&one, 4096);
	ck_assert(!ces_claim_look(directory, LAYER, &two, &bytes));
	ck_assert_uint_eq(bytes, 4096);
	ces_claim_drop(directory, LAYER, &two); /* (it is another's file, so it stays) */
	ck_assert(!ces_claim_take(directory, LAYER, &two));
	ces_claim_drop(directory, LAYER, &one);
	ck_assert(ces_claim_look(directory, LAYER, &two, &bytes));
	ck_assert(two.held);
	ces_claim_drop(directory, LAYER, &two);
}
END_TEST

START_TEST(when_two_wait_one_takes_over)
{
	struct ces_claim one = CES_CLAIM_NONE, two = CES_CLAIM_NONE, three = CES_CLAIM_NONE;
	uint64_t bytes;

	ck_assert(ces_claim_take(directory, LAYER, &one));
	ck_assert(!ces_claim_take(directory, LAYER, &two));
	ck_assert(!ces_claim_take(directory, LAYER, &three));
	close(one.fd); /* it died, and its file is still there */
	ck_assert(ces_claim_look(directory, LAYER, &two, &bytes));
	ck_assert(!ces_claim_look(directory, LAYER, &three, &bytes));
	ces_claim_drop(directory, LAYER, &two);
	ck_assert(ces_claim_look(directory, LAYER, &three, &bytes));
	ck_assert_uint_eq(bytes, 0);
	ces_claim_drop(directory, LAYER, &three);
}
END_TEST

START_TEST(when_no_file_can_be_made_the_layer_is_fetched_without_one)
{
	struct ces_claim claim = CES_CLAIM_NONE;

	ck_assert(ces_claim_take(-1, LAYER, &claim));
	ck_assert(!claim.held && claim.fd < 0);
	ces_claim_note(&claim, 1);
	ces_claim_drop(-1, LAYER, &claim);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("claim");

	tcase_add_checked_fixture(t, directory_begin, directory_end /* no file is left */);
	tcase_add_test(t, the_first_fetches_and_the_second_waits_and_sees_how_far_it_is);
	tcase_add_test(t, when_two_wait_one_takes_over);
	tcase_add_test(t, when_no_file_can_be_made_the_layer_is_fetched_without_one);
	return run_suite("claim", t);
}
