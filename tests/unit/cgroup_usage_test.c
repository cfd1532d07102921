/* Tests what the cgroup of a run says when the run has ended: what it used, which limit it met, and
 * whose limit that was. */
/* links: helper/launch/cgroup.c helper/launch/parent.c helper/core/beneath.c */
#include "tests/unit/cgroup_scene.h"

#define RUN  "0123456789"
#define NAME "ces/1000/" RUN

static const struct usage {
	bool hybrid, job;
	const char *texts[12]; /* file, text, ... */
	uint64_t pids;         /* the run's limit */
	const char *refused;   /* pids.events of the user before the run */
	uint64_t peak, cpu;
	bool oom;
	enum ces_limit_whose memory;
	bool forks;
	enum ces_limit_whose processes;
} cases[] = {
    /* v2 alone */
    {.texts = {NAME "/memory.peak", "4096\n", NAME "/cpu.stat", "usage_usec 17\nuser_usec 3\n"},
     .peak = 4096,
     .cpu = 17,
     .memory = CES_LIMIT_HOST,
     .processes = CES_LIMIT_HOST},
    {.texts = {NAME "/memory.events", "low 0\noom 1\noom_kill 1\n", NAME "/memory.events.local",
	       "low 0\noom 1\noom_kill 0\n"},
     .oom = true,
     .memory = CES_LIMIT_OWN,
     .processes = CES_LIMIT_HOST},
    /* (a kill below is not the run's own limit, if that was not met) */
    {.texts = {NAME "/memory.events", "oom 0\noom_kill 1\n", NAME "/memory.events.local",
	       "oom 0\noom_kill 1\n", "ces/1000/memory.events.local", "oom 2\n"},
     .oom = true,
     .memory = CES_LIMIT_USER,
     .processes = CES_LIMIT_HOST},
    {.job = true,
     .texts = {NAME "/memory.events", "oom_kill 1\n"},
     .oom = true,
     .memory = CES_LIMIT_JOB,
     .processes = CES_LIMIT_JOB},
    {.texts = {NAME "/memory.events", "oom_group_kill 1\nxoom_kill\n"},
     .memory = CES_LIMIT_HOST,
     .processes = CES_LIMIT_HOST},
    /* processes: the run's own limit, by its peak or, where the kernel has none, by the event */
    {.texts = {NAME "/pids.events", "max 3\n", NAME "/pids.peak", "10\n"},
     .pids = 10,
     .memory = CES_LIMIT_HOST,
     .forks = true,
     .processes = CES_LIMIT_OWN},
    {.texts = {NAME "/pids.events", "max 3\n"},
     .pids = 10,
     .memory = CES_LIMIT_HOST,
     .forks = true,
     .processes = CES_LIMIT_OWN},
    /* tried here, and refused above */
    {.texts = {NAME "/pids.events", "max 3\n", NAME "/pids.peak", "9\n", "ces/1000/pids.max",
	       "20\n"},
     .pids = 10,
     .memory = CES_LIMIT_HOST,
     .forks = true,
     .processes = CES_LIMIT_USER},
    {.job = true,
     .texts = {NAME "/pids.events", "max 3\n", NAME "/pids.peak", "9\n", "ces/1000/pids.max",
	       "max\n"},
     .pids = 10,
     .memory = CES_LIMIT_JOB,
     .forks = true,
     .processes = CES_LIMIT_JOB},
    /* later kernels count where the limit is: what was refused before the run is not this run's */
    {.texts = {NAME "/pids.events", "max 0\n", "ces/1000/pids.events", "max 5\n",
	       "ces/1000/pids.max", "20\n"},
     .refused = "max 4\n",
     .memory = CES_LIMIT_HOST,
     .forks = true,
     .processes = CES_LIMIT_USER},
    {.texts = {NAME "/pids.events", "max 0\n", "ces/1000/pids.events", "max 5\n",
	       "ces/1000/pids.max", "20\n"},
     .refused = "max 5\n",
     .memory = CES_LIMIT_HOST,
     .processes = CES_LIMIT_USER},
    /* four hierarchies: memory by the peak, within what the kernel charges ahead */
    {.hybrid = true,
     .texts = {"memory/" NAME "/memory.max_usage_in_bytes", "9000000\n",
	       "memory/" NAME "/memory.oom_control",
	       "oom_kill_disable 1\nunder_oom 1\noom_kill 0\n",
	       "memory/" NAME "/memory.limit_in_bytes", "10048577\n",
	       "memory/ces/1000/memory.limit_in_bytes", "9223372036854771712\n",
	       "unified/" NAME "/cpu.stat", "usage_usec 5\n"},
     .peak = 9000000,
     .cpu = 5,
     .memory = CES_LIMIT_HOST,
     .processes = CES_LIMIT_HOST},
    {.hybrid = true,
     .texts = {"memory/" NAME "/memory.max_usage_in_bytes", "9000000\n",
	       "memory/" NAME "/memory.oom_control",
	       "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
	       "memory/" NAME "/memory.limit_in_bytes", "10048576\n",
	       "memory/ces/1000/memory.limit_in_bytes", "9223372036854771712\n",
	       "pids/" NAME "/pids.events", "max 1\n"},
     .peak = 9000000,
     .oom = true,
     .memory = CES_LIMIT_OWN,
     .forks = true,
     .processes = CES_LIMIT_OWN},
    {.hybrid = true,
     .texts = {"memory/" NAME "/memory.limit_in_bytes", "10048576\n",
	       "memory/ces/1000/memory.limit_in_bytes", "10048576\n",
	       "memory/ces/1000/memory.max_usage_in_bytes", "9000000\n", "pids/ces/1000/pids.max",
	       "9\n"},
     .memory = CES_LIMIT_USER,
     .processes = CES_LIMIT_USER},
};

static struct ces_cgroup cgroup;
static struct ces_error err;

static void make(bool four, const char *refused)
{
	const struct ces_host host = {.cgroup_parent = CES_CGROUP_AUTO};
	const struct ces_policy_limits none = {0}, user = {.cpus = 1000};

	if (four)
		scene_hybrid();
	ck_assert_int_eq(ces_cgroup_find(&host, 1000, RUN, &cgroup, &err), 0);
	ck_assert_int_eq(ces_cgroup_make(&cgroup, &none, &none, &err), 0);
	if (refused != NULL)
		put_text("ces/1000/pids.events", refused);
	ck_assert_int_eq(ces_cgroup_make(&cgroup, &none, &user, &err), 0);
}

static void set_up(void)
{
	own = "0::/\n";
	cgroup = (struct ces_cgroup)CES_CGROUP_NONE;
	scene_begin();
}

START_TEST(the_files_of_a_cgroup_say_what_a_run_met)
{
	const struct usage *it = &cases[_i];
	const struct ces_policy_limits limits = {.pids = it->pids};
	struct ces_cgroup_usage usage;
	size_t before;

	make(it->hybrid, it->refused);
	cgroup.place.job = it->job;
	for (size_t i = 0; i < CES_COUNT(it->texts) && it->texts[i] != NULL; i += 2)
		put_text(it->texts[i], it->texts[i + 1]);
	memset(&usage, 0xa5, sizeof(usage));
	before = open_fds();
	ces_cgroup_read(&cgroup, &limits, &usage);
	ck_assert_uint_eq(open_fds(), before);
	ck_assert_uint_eq(usage.peak_memory, it->peak);
	ck_assert_uint_eq(usage.cpu_us, it->cpu);
	ck_assert_int_eq(usage.out_of_memory, it->oom);
	ck_assert_int_eq(usage.memory, it->memory);
	ck_assert_int_eq(usage.out_of_processes, it->forks);
	ck_assert_int_eq(usage.processes, it->processes);
}
END_TEST

/* Also what no kernel writes. */
static const char *const odd[] = {
    "",          "max", "oom", "oom ", "oom_kill -1", "usage_usec x\n", "99999999999999999999999\n",
    "\xff\n\n\n"};

START_TEST(odd_files_give_numbers_all_the_same)
{
	const struct ces_policy_limits limits = {.pids = 1};
	struct ces_cgroup_usage usage;
	char path[80];

	make(false, NULL);
	for (const char *const *file = v2_files; *file != NULL; file++) {
		(void)snprintf(path, sizeof(path), NAME "/%s", *file);
		put_text(path, odd[_i]);
	}
	ces_cgroup_read(&cgroup, &limits, &usage);
	ck_assert_uint_eq(usage.cpu_us, 0);
}
END_TEST

START_TEST(a_run_that_has_no_cgroup_used_nothing)
{
	const struct ces_policy_limits limits = {.pids = 1};
	struct ces_cgroup_usage usage;

	ces_cgroup_read(&cgroup, &limits, &usage);
	ck_assert_uint_eq(usage.peak_memory, 0);
	ck_assert(!usage.out_of_memory && !usage.out_of_processes);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("usage");

	tcase_add_checked_fixture(t, set_up, scene_end);
	tcase_add_loop_test(t, the_files_of_a_cgroup_say_what_a_run_met, 0, CES_COUNT(cases));
	tcase_add_loop_test(t, odd_files_give_numbers_all_the_same, 0, CES_COUNT(odd));
	tcase_add_test(t, a_run_that_has_no_cgroup_used_nothing);
	return run_suite("cgroup_usage", t);
}
