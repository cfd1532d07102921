/* Tests how long a pull waits for another that fetches the same layer. */
/* links: helper/resolve/patience.c */
#include <check.h>

#include "helper/resolve/patience.h"
#include "tests/unit/policy_fixture.h"

#define SIZE (1u << 30)

START_TEST(a_slow_fetch_is_not_waited_for)
{
	struct ces_patience one = {0};
	int64_t now = 1000;

	ces_patience_begin(&one, now);
	now += CES_PATIENCE_STALL_MS;
	/* a little at a time is not enough */
	ck_assert(!ces_patience_ends(&one, SIZE, CES_PATIENCE_STALL_BYTES - 1, now));
	ck_assert(ces_patience_ends(&one, SIZE, CES_PATIENCE_STALL_BYTES - 1, now + 1));
	/* but an eighth of a small layer is enough */
	ck_assert(!ces_patience_ends(&one, CES_PATIENCE_STALL_BYTES, CES_PATIENCE_STALL_BYTES - 1,
				     now + 1));
	ck_assert_uint_eq(one.mark, CES_PATIENCE_STALL_BYTES - 1);
	/* and what was counted once does not count again */
	now += CES_PATIENCE_STALL_MS + 2;
	ck_assert(ces_patience_ends(&one, SIZE, 0, now));
	ck_assert_uint_eq(one.bytes, CES_PATIENCE_STALL_BYTES - 1);
}
END_TEST

START_TEST(a_wait_for_one_pull_and_then_another_is_one_wait)
{
	struct ces_patience one = {0};
	int64_t now = 1000;

	ces_patience_begin(&one, now);
	one.bytes = 77;
	ces_patience_begin(&one, now + CES_PATIENCE_MOST_MS);
	ck_assert_uint_eq(one.bytes, 0);
	ck_assert(!ces_patience_ends(&one, SIZE, 5, now + CES_PATIENCE_MOST_MS));
	ck_assert(ces_patience_ends(&one, SIZE, SIZE, now + CES_PATIENCE_MOST_MS + 1));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("patience");

	tcase_add_test(t, a_slow_fetch_is_not_waited_for);
	tcase_add_test(t, a_wait_for_one_pull_and_then_another_is_one_wait);
	return run_suite("patience", t);
}
