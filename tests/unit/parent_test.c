/* Tests the place of a run's cgroup: which names are a Slurm job's. */
/* links: helper/launch/parent.c helper/core/beneath.c */
#include "helper/launch/parent.h"

#include <check.h>
#include <string.h>

static const struct {
	const char *path;
	bool v2;
	const char *job; /* the deepest part, or NULL: no job's */
	size_t n;
} cases[] = {
    {"/system.slice/slurmstepd.scope/job_7/step_0/user/task_0", true,
     "/system.slice/slurmstepd.scope/job_7/step_0/user", 3},
    {"system.slice/n1_slurmstepd.scope/job_7/step_batch/user/task_special", true,
     "system.slice/n1_slurmstepd.scope/job_7/step_batch/user", 3},
    {"system.slice/slurmstepd.scope/job_7/step_extern/slurm", true,
     "system.slice/slurmstepd.scope/job_7/step_extern", 2},
    {"system.slice/slurmstepd.scope/job_7", true, "system.slice/slurmstepd.scope/job_7", 1},
    {"system.slice/slurmstepd.scope/job_7/ces/1000", true, "system.slice/slurmstepd.scope/job_7",
     1},
    {"system.slice/slurmstepd.scope", true, NULL, 0},
    {"system.slice/slurmstepd.scope/system", true, NULL, 0},
    {"system.slice/slurmstepd.scope/job_", true, NULL, 0},
    {"system.slice/slurmstepd.scope/job_7x/step_0", true, NULL, 0},
    {"system.slice/slurmstepd.scopes/job_7", true, NULL, 0},
    {"system.slice/notslurmstepd.scope/job_7", true, NULL, 0},
    {"job_7/step_0/user", true, NULL, 0},
    {"user.slice/user-1000.slice/session-2.scope", true, NULL, 0},
    {"", true, NULL, 0},
    {"/", true, NULL, 0},
    {"/slurm/uid_1000/job_7/step_0/task_0", false, "/slurm/uid_1000/job_7/step_0", 2},
    {"slurm_n1/uid_1000/job_7/step_batch", false, "slurm_n1/uid_1000/job_7/step_batch", 2},
    {"slurm/uid_1000/job_7", false, "slurm/uid_1000/job_7", 1},
    {"slurm/uid_1000", false, NULL, 0},
    {"slurm/uid_me/job_7", false, NULL, 0},
    {"slurmx/uid_1000/job_7", false, NULL, 0},
    {"a/slurm/uid_1000/job_7", false, NULL, 0},
    {"../slurm/uid_1000/job_7", false, NULL, 0},
    {"slurm", false, NULL, 0},
    {"", false, NULL, 0},
    /* the names of one version in the hierarchy of the other */
    {"slurm/uid_1000/job_7/step_0", true, NULL, 0},
    {"system.slice/slurmstepd.scope/job_7", false, NULL, 0},
};

START_TEST(a_job_is_known_by_the_names_that_slurm_gives)
{
	size_t ends[CES_PARENT_DEPTHS], n = ces_parent_is_job(cases[_i].path, cases[_i].v2, ends);

	ck_assert_msg(n == cases[_i].n, "%s: %zu parts", cases[_i].path, n);
	if (cases[_i].job == NULL)
		return;
	ck_assert_uint_eq(ends[n - 1], strlen(cases[_i].job));
	ck_assert_int_eq(strncmp(cases[_i].path, cases[_i].job, ends[n - 1]), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("place");
	TCase *tcase = tcase_create("job");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tcase, a_job_is_known_by_the_names_that_slurm_gives, 0,
			    sizeof(cases) / sizeof(*cases));
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
