/* In place of helper/store/clean.c: removes a tree as ces-clean does, but in this process. */
#ifndef CES_TESTS_UNIT_CLEAN_STAND_IN_H
#define CES_TESTS_UNIT_CLEAN_STAND_IN_H

#include "helper/store/clean.h"
#include "tests/unit/remove_tree.h"

static const struct ces_session *cleaning; /* the session that asked last */
static unsigned cleanings;

int ces_clean_tree(const struct ces_session *session, int dirfd, const char *name)
{
	cleaning = session;
	cleanings++;
	return remove_tree(dirfd, name);
}

#endif
