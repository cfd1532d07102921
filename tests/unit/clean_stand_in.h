/* In place of helper/session/clean.c: empties a directory as ces-clean does, but in this process.
 */
#ifndef CES_TESTS_UNIT_CLEAN_STAND_IN_H
#define CES_TESTS_UNIT_CLEAN_STAND_IN_H

#include "helper/clean/tree.h"
#include "helper/session/clean.h"

static int cleaning = -1; /* the directory that it sees */
static unsigned cleanings;

void ces_cleaner_start(int userns, const struct ces_clean_job *owner, int outputs, int scratch,
		       bool stored, struct ces_cleaner *ret)
{
	ck_assert_int_ge(userns, 0);
	ck_assert_uint_eq(owner->user + owner->group, 0);
	ck_assert_int_eq(outputs, -1);
	ck_assert(stored);
	cleaning = scratch;
	ret->channel = 1;
}

int ces_cleaner_ask(struct ces_cleaner *cleaner, enum ces_clean_task task)
{
	ck_assert_int_eq(cleaner->channel, 1);
	ck_assert_int_eq(task, CES_CLEAN_DISCARD);
	cleanings++;
	return ces_tree_discard(cleaning);
}

void ces_cleaner_end(struct ces_cleaner *cleaner)
{
	*cleaner = (struct ces_cleaner)CES_CLEANER_NONE;
	cleaning = -1;
}

#endif
