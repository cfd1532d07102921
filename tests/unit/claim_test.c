/* Tests claims on layers: who fetches, who waits. */
/* links: helper/store/claim.c */
#include <check.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/io.h"
#include "helper/store/claim.h"
#include "helper/store/store_internal.h"
#include "tests/unit/directory.h"
#include "tests/unit/policy_fixture.h"

#define SIZE  (1u << 30)
#define LAYER "sha256:0000000000000000000000000000000000000000000000000000000000000001"

/* (of helper/store/store.c) */
const char *ces_store_hex(const char *digest)
{
	return strchr(digest, ':') + 1;
}

START_TEST(the_first_fetches_and_the_second_waits_and_sees_how_far_it_is)
{
	struct ces_claim one = CES_CLAIM_NONE, two = CES_CLAIM_NONE;

	ck_assert(ces_claim_take(directory, LAYER, &one) && one.held);
	ck_assert(!ces_claim_take(directory, LAYER, &two) && !two.held);
	ck_assert_int_eq(ces_claim_look(directory, LAYER, SIZE, &two), CES_CLAIM_WAIT);
	ces_claim_note(&one, 4096);
	ck_assert_int_eq(ces_claim_look(directory, LAYER, SIZE, &two), CES_CLAIM_MOVED);
	ck_assert_uint_eq(two.bytes, 4096);
	ck_assert_int_eq(ces_claim_look(directory, LAYER, SIZE, &two), CES_CLAIM_WAIT);
	ces_claim_drop(directory, LAYER, &one);
	ck_assert_int_eq(ces_claim_look(directory, LAYER, SIZE, &two), CES_CLAIM_FREE);
	ck_assert(two.held);
	ces_claim_drop(directory, LAYER, &two);
}
END_TEST

START_TEST(when_two_wait_one_takes_over)
{
	struct ces_claim one = CES_CLAIM_NONE, two = CES_CLAIM_NONE, three = CES_CLAIM_NONE;

	ck_assert(ces_claim_take(directory, LAYER, &one));
	ck_assert(!ces_claim_take(directory, LAYER, &two));
	ck_assert(!ces_claim_take(directory, LAYER, &three));
	close(one.fd); /* it died, and its file is still there */
	three.began_at -= 1000;
	three.bytes = 77;
	ck_assert_int_eq(ces_claim_look(directory, LAYER, SIZE, &two), CES_CLAIM_FREE);
	ck_assert_int_eq(ces_claim_look(directory, LAYER, SIZE, &three), CES_CLAIM_WAIT);
	/* waiting for one run and then for another counts as one wait */
	ck_assert_int_lt(three.began_at, three.marked_at);
	ces_claim_drop(directory, LAYER, &two);
	ck_assert_int_eq(ces_claim_look(directory, LAYER, SIZE, &three), CES_CLAIM_FREE);
	ck_assert_uint_eq(three.bytes, 0);
	ces_claim_drop(directory, LAYER, &three);
}
END_TEST

START_TEST(a_slow_fetch_is_not_waited_for)
{
	struct ces_claim one = CES_CLAIM_NONE, two = CES_CLAIM_NONE;
	const int64_t now = ces_now_ms();

	ck_assert(ces_claim_take(directory, LAYER, &one));
	ck_assert(!ces_claim_take(directory, LAYER, &two));
	/* a little at a time is not enough */
	ces_claim_note(&one, CES_CLAIM_STALL_BYTES - 1);
	ck_assert_int_eq(ces_claim_look(directory, LAYER, SIZE, &two), CES_CLAIM_MOVED);
	two.marked_at = now - CES_CLAIM_STALL_MS - 1;
	ck_assert_int_eq(ces_claim_look(directory, LAYER, SIZE, &two), CES_CLAIM_STALLED);
	/* but an eighth of a small layer is enough */
	ck_assert_int_eq(ces_claim_look(directory, LAYER, CES_CLAIM_STALL_BYTES, &two),
			 CES_CLAIM_WAIT);
	ck_assert_uint_eq(two.mark, CES_CLAIM_STALL_BYTES - 1);
	/* and no pull waits for ever */
	two.began_at = now - CES_CLAIM_MOST_MS - 1;
	ck_assert_int_eq(ces_claim_look(directory, LAYER, SIZE, &two), CES_CLAIM_STALLED);
	ces_claim_drop(directory, LAYER, &two); /* (it is another's file, so it stays) */
	ck_assert(!ces_claim_take(directory, LAYER, &two));
	ces_claim_drop(directory, LAYER, &two);
	ces_claim_drop(directory, LAYER, &one);
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
	tcase_add_test(t, a_slow_fetch_is_not_waited_for);
	tcase_add_test(t, when_no_file_can_be_made_the_layer_is_fetched_without_one);
	return run_suite("claim", t);
}
