/* Tests what the client says of a run that reached a limit. */
/* links: client/limit.c */
#include "client/limit.h"
#include "common/event.h"

#include <check.h>
#include <stdlib.h>

#define GIB (1ull << 30)

static const struct {
	struct ces_event_exited exited;
	const char *says;
} limits[] = {
    {{.limit = CES_LIMIT_NONE, .status = 3}, ""},
    {{.limit = CES_LIMIT_TIME, .value = 5400}, "ended at the time limit of 1h30m"},
    {{.limit = CES_LIMIT_MEMORY + CES_LIMIT_OWN,
      .status = 137,
      .value = GIB,
      .most = 4 * GIB,
      .peak_memory = GIB},
     "killed at the memory limit of 1 GiB (peak 1 GiB); ask for more with --memory, up to 4 GiB"},
    {{.limit = CES_LIMIT_MEMORY + CES_LIMIT_OWN,
      .status = 1,
      .value = GIB,
      .most = GIB,
      .peak_memory = GIB},
     "a process was killed at the memory limit of 1 GiB (peak 1 GiB); no more is allowed (--memory "
     "up to 1 GiB)"},
    {{.limit = CES_LIMIT_MEMORY + CES_LIMIT_USER,
      .status = 137,
      .value = 2 * GIB,
      .peak_memory = GIB},
     "killed at the memory limit of 2 GiB for all your runs together (peak of this one 1 GiB); end "
     "another, or ask "
     "for less with --memory"},
    {{.limit = CES_LIMIT_MEMORY + CES_LIMIT_JOB, .status = 137, .peak_memory = GIB},
     "killed at a memory limit of your batch job (peak of this run 1 GiB); ask for more when you "
     "submit it"},
    {{.limit = CES_LIMIT_MEMORY + CES_LIMIT_HOST,
      .status = 137,
      .value = 2 * GIB,
      .peak_memory = GIB},
     "killed because this machine ran out of memory (peak of this run 1 GiB, its limit 2 GiB)"},
    {{.limit = CES_LIMIT_PROCESSES + CES_LIMIT_OWN, .value = 64},
     "the limit of 64 processes was reached"},
    {{.limit = CES_LIMIT_PROCESSES + CES_LIMIT_USER, .value = 64},
     "the limit of 64 processes for all your runs together was reached"},
    {{.limit = CES_LIMIT_PROCESSES + CES_LIMIT_JOB, .value = 64},
     "a limit of processes around this run was reached (its own is 64)"},
    /* a helper of another version */
    {{.limit = 2, .status = 1}, ""},
    {{.limit = CES_LIMIT_PROCESSES + CES_LIMIT_KINDS, .status = 1}, ""},
    {{.limit = UINT64_MAX, .status = 1}, ""},
};

START_TEST(a_limit_that_was_reached_is_reported_with_its_figures)
{
	char text[512];

	ces_limit_text(&limits[_i].exited, text, sizeof(text));
	ck_assert_str_eq(text, limits[_i].says);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client limits");
	TCase *tcase = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tcase, a_limit_that_was_reached_is_reported_with_its_figures, 0,
			    (int)(sizeof(limits) / sizeof(limits[0])));
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
