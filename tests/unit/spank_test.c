/* Tests Slurm's plugin, with Slurm's header and a stand-in for Slurm. The stand-in for ces-client
 * is this program, started with CES_STAND_IN in its environment. */
#include <stdio.h>
#include <stdlib.h>

#if __has_include(<slurm/spank.h>)
#include <check.h>
#include <sys/mman.h>

static char stand_in_path[4096];
#define CES_CLIENT stand_in_path
#include "slurm/ces_spank.c"
#include "tests/unit/slurm_stand_in.h"

/* ---- tests ---- */

#define TEXT(text)                                                                                 \
	{                                                                                          \
		text, 0, 0                                                                         \
	}
static const struct {
	const char *text;
	size_t length; /* of as many letters instead */
	int refused;
} values[] = {
    TEXT("ghcr.io/epcced/tools:1"),
    TEXT("a 'b' \"c\" $(d) `e` \\"),
    TEXT("../../etc/passwd"),
    TEXT("team/profile"),
    TEXT("-x"),
    TEXT("\xc3\xa9"),
    {NULL, VALUE_MAX - 1, 0},
    {NULL, VALUE_MAX, 1},
    {NULL, BIG, 1},
    {"", 0, 1},
    {"a\nb", 0, 1},
    {"a\n", 0, 1},
    {"\033[2J", 0, 1},
    {"a\tb", 0, 1},
    {"a\x7f", 0, 1},
};

START_TEST(a_value_is_looked_at_where_it_is_typed)
{
	char letters[BIG + 1];
	const char *value = values[_i].text;

	if (value == NULL) {
		memset(letters, 'a', values[_i].length);
		letters[values[_i].length] = '\0';
		value = letters;
	}
	for (int option = 0; option < OPTIONS; option++) {
		said[0] = '\0';
		ck_assert_int_eq(check(option, value, 0), -values[_i].refused);
		ck_assert_int_eq(said[0] != '\0', values[_i].refused);
		if (values[_i].refused)
			ck_assert_ptr_nonnull(strstr(said, options[option].name));
	}
}
END_TEST

START_TEST(a_second_value_is_looked_at_as_the_first_is)
{
	ck_assert_int_eq(check(IMAGE, "a", 0), 0);
	ck_assert_int_eq(check(IMAGE, "b", 0), 0);
	ck_assert_int_eq(check(IMAGE, "b\n", 0), -1);
	ck_assert_int_eq(check(IMAGE, NULL, 0), -1);
}
END_TEST

START_TEST(root_reads_no_byte_of_a_value)
{
	const char *unreadable = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int option = 0; option < OPTIONS; option++)
		ck_assert_int_eq(check(option, unreadable, 1), 0);
	is_remote = 1;
	ck_assert_int_eq(slurm_spank_init_post_opt(NULL, 0, NULL), 0);
	ck_assert_str_eq(said, "");
}
END_TEST

#pragma weak slurm_spank_job_prolog
#pragma weak slurm_spank_user_init
#pragma weak slurm_spank_task_init_privileged
#pragma weak slurm_spank_task_post_fork
#pragma weak slurm_spank_task_exit
#pragma weak slurm_spank_job_epilog
#pragma weak slurm_spank_slurmd_exit
#pragma weak slurm_spank_exit
START_TEST(root_names_the_options_and_has_no_other_part)
{
	spank_f *const parts[] = {slurm_spank_job_prolog,     slurm_spank_task_init_privileged,
				  slurm_spank_task_post_fork, slurm_spank_task_exit,
				  slurm_spank_job_epilog,     slurm_spank_slurmd_exit,
				  slurm_spank_exit,           slurm_spank_user_init};

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		ck_assert(parts[i] == NULL);
	ck_assert_int_eq(slurm_spank_init(NULL, 0, NULL), 0);
	for (size_t i = 0; i < OPTIONS; i++)
		ck_assert_str_eq(registered[i], options[i].name);
}
END_TEST

START_TEST(an_option_of_the_container_needs_one)
{
	ck_assert_int_eq(slurm_spank_init_post_opt(NULL, 0, NULL), 0);
	ck_assert_int_eq(check(ENV_FILE, "f", 0), 0);
	ck_assert_int_eq(slurm_spank_init_post_opt(NULL, 0, NULL), -1);
	ck_assert_ptr_nonnull(strstr(said, "type --ces-image=IMAGE too"));
	ck_assert_int_eq(check(_i == 0 ? IMAGE : PROFILE, "x", 0), 0);
	ck_assert_int_eq(slurm_spank_init_post_opt(NULL, 0, NULL), 0);
}
END_TEST

START_TEST(without_an_image_the_command_is_the_users_own)
{
	given[ENV_FILE] = "f"; /* a variable _SLURM_SPANK_OPTION_ces_ces-env-file can say so */
	ck_assert_int_eq(status_of(start()), 7);
	ck_assert_int_eq(count(directory_path, "run"), 0);
}
END_TEST

static const uint32_t steps[] = {SLURM_BATCH_SCRIPT, SLURM_INTERACTIVE_STEP, SLURM_EXTERN_CONT};

START_TEST(a_script_a_shell_and_slurms_own_step_are_on_the_node)
{
	given[IMAGE] = "i";
	step = steps[_i];
	ck_assert_int_eq(status_of(start()), 7);
	ck_assert_int_eq(count(directory_path, ""), 2); /* . and .. */
}
END_TEST

START_TEST(a_task_that_is_not_its_users_starts_nothing)
{
	given[IMAGE] = "i";
	job_uid++;
	ck_assert_int_eq(status_of(start()), 8);
	ck_assert_int_eq(count(directory_path, ""), 2);
}
END_TEST

START_TEST(a_task_becomes_one_run_with_each_value_as_one_word)
{
	static const char wanted[] = "--profile\0team/p\0--project\0-x\0--env-file\0a 'b' \"c\"\0"
				     "--opt-file\0a\nb\0--\0--help\0cmd\0a 'b' \"c\"\n";

	static const char looked[] = "ces-client\0inspect\0-q\0--\0--help";

	given[IMAGE] = "--help";
	given[PROFILE] = "team/p";
	given[PROJECT] = "-x";
	given[ENV_FILE] = "a 'b' \"c\"";
	given[OPT_FILE] = "a\nb"; /* nobody has looked at it where srun is the user's own */
	make(directory_path, "image");
	ck_assert_int_eq(status_of(start()), 42);
	read_words("run.");
	ck_assert(HAS("ces-client\0run\0-qi\0-e\0SLURM_JOB_ID"));
	ck_assert(HAS(wanted));
	ck_assert_mem_eq(words + words_length - sizeof(wanted), wanted, sizeof(wanted));
	read_words("inspect.");
	ck_assert_uint_eq(words_length, sizeof(looked));
	ck_assert_mem_eq(words, looked, sizeof(looked));
}
END_TEST

START_TEST(a_value_of_100_kilobytes_is_one_word_too_and_a_longer_one_is_refused)
{
	char *long_value = malloc(2 * BIG);

	memset(long_value, 'a', 2 * BIG);
	long_value[BIG] = '\0';
	given[PROFILE] = long_value;
	ck_assert_int_eq(status_of(start()), 42);
	read_words("run.");
	ck_assert_ptr_nonnull(memmem(words, words_length, long_value, BIG + 1));
	long_value[BIG] = 'a';
	long_value[2 * BIG - 1] = '\0';
	ck_assert_int_eq(status_of(start()), REFUSED);
}
END_TEST

START_TEST(gpus_are_asked_for_where_the_job_has_some)
{
	given[PROFILE] = "p";
	environment[1] = (char[]){"SLURM_STEP_GPUS=0"};
	ck_assert_int_eq(status_of(start()), 42);
	read_words("run.");
	ck_assert(HAS("\0--gpu=all"));
}
END_TEST

/* Starts four tasks. The pull ends when three wait for it. */
static void four(int wanted)
{
	pid_t tasks[4];

	given[IMAGE] = directory_path; /* whose name nobody else has */
	make(directory_path, "four");
	for (int i = 0; i < 4; i++)
		tasks[i] = start();
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(status_of(tasks[i]), wanted);
	ck_assert_int_eq(count(directory_path, "pull."), 1);
}

START_TEST(four_tasks_pull_once)
{
	four(42);
	ck_assert_int_eq(count(directory_path, "run."), 4);
}
END_TEST

START_TEST(when_a_pull_fails_the_tasks_that_wait_for_it_fail)
{
	make(directory_path, "broken");
	four(REFUSED);
	ck_assert_int_eq(count(directory_path, "run."), 0);
}
END_TEST

static void wait_for(const char *verb)
{
	while (count(directory_path, verb) == 0)
		(void)usleep(1000);
}

/* Returns when every process that has this pipe is gone. */
static void all_gone(int ends[2])
{
	char byte;

	(void)close(ends[1]);
	ck_assert_int_eq(read(ends[0], &byte, 1), 0);
}

START_TEST(when_a_task_dies_its_pull_does_and_the_next_task_pulls)
{
	int ends[2];
	pid_t task;

	given[IMAGE] = directory_path;
	make(directory_path, "hang");
	ck_assert_int_eq(pipe(ends), 0);
	task = start();
	wait_for("pull.");
	ck_assert_int_eq(kill(task, SIGKILL), 0);
	ck_assert_int_eq(status_of(task), -SIGKILL);
	all_gone(ends);
	ck_assert_int_eq(unlinkat(directory, "hang", 0), 0);
	ck_assert_int_eq(status_of(start()), 42);
	ck_assert_int_eq(count(directory_path, "pull."), 2);
}
END_TEST

/* Connects until the queue of the listener is full. */
static void fill(const struct sockaddr_un *name, socklen_t size)
{
	int fd;

	do
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	while (fd >= 0 && connect(fd, (const struct sockaddr *)name, size) == 0);
}

/* Another user has the name of the turn, and does not listen, or listens, or listens and has filled
 * the queue. */
START_TEST(a_stranger_delays_no_pull)
{
	struct sockaddr_un name;
	socklen_t size = name_turn(&name, directory_path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), ends[2];
	char byte;
	pid_t stranger;

	if (getuid() != 0)
		return;
	given[IMAGE] = directory_path;
	ck_assert_int_eq(pipe(ends), 0);
	stranger = fork();
	if (stranger == 0) {
		if (setresuid(65534, 65534, 65534) < 0 ||
		    bind(fd, (struct sockaddr *)&name, size) < 0 || (_i > 0 && listen(fd, 1) < 0))
			_exit(1);
		if (_i == 2)
			fill(&name, size);
		if (write(ends[1], "u", 1) != 1)
			_exit(1);
		(void)pause();
	}
	ck_assert_int_eq(read(ends[0], &byte, 1), 1);
	ck_assert_int_eq(close(fd), 0);
	ck_assert_int_eq(status_of(start()), 42);
	ck_assert_int_eq(count(directory_path, "pull."), 1);
	ck_assert_int_eq(kill(stranger, SIGKILL), 0);
	ck_assert_int_eq(status_of(stranger), -SIGKILL);
}
END_TEST

START_TEST(when_slurmstepd_dies_its_tasks_do)
{
	int ends[2];
	pid_t slurmstepd;

	given[PROFILE] = "p";
	make(directory_path, "hang");
	ck_assert_int_eq(pipe(ends), 0);
	slurmstepd = fork();
	if (slurmstepd == 0)
		_exit(status_of(start()));
	wait_for("run.");
	ck_assert_int_eq(kill(slurmstepd, SIGKILL), 0);
	ck_assert_int_eq(status_of(slurmstepd), -SIGKILL);
	all_gone(ends);
}
END_TEST

int main(int argc, char **argv)
{
	TCase *t;
	Suite *s;
	SRunner *r;

	if (argc > 1 && getenv("CES_STAND_IN") != NULL)
		return stand_in(getenv("CES_STAND_IN"), argv);
	t = tcase_create("spank");
	s = suite_create("spank");
	if (readlink("/proc/self/exe", stand_in_path, sizeof(stand_in_path) - 1) < 0)
		return 1;
	tcase_add_checked_fixture(t, begin, end);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, a_value_is_looked_at_where_it_is_typed, 0,
			    sizeof(values) / sizeof(*values));
	tcase_add_test(t, a_second_value_is_looked_at_as_the_first_is);
	tcase_add_test(t, root_reads_no_byte_of_a_value);
	tcase_add_test(t, root_names_the_options_and_has_no_other_part);
	tcase_add_loop_test(t, an_option_of_the_container_needs_one, 0, 2);
	tcase_add_test(t, without_an_image_the_command_is_the_users_own);
	tcase_add_loop_test(t, a_script_a_shell_and_slurms_own_step_are_on_the_node, 0,
			    sizeof(steps) / sizeof(*steps));
	tcase_add_test(t, a_task_that_is_not_its_users_starts_nothing);
	tcase_add_test(t, a_task_becomes_one_run_with_each_value_as_one_word);
	tcase_add_test(t, a_value_of_100_kilobytes_is_one_word_too_and_a_longer_one_is_refused);
	tcase_add_test(t, gpus_are_asked_for_where_the_job_has_some);
	tcase_add_test(t, four_tasks_pull_once);
	tcase_add_test(t, when_a_pull_fails_the_tasks_that_wait_for_it_fail);
	tcase_add_test(t, when_a_task_dies_its_pull_does_and_the_next_task_pulls);
	tcase_add_loop_test(t, a_stranger_delays_no_pull, 0, 3);
	tcase_add_test(t, when_slurmstepd_dies_its_tasks_do);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	argc = srunner_ntests_failed(r);
	srunner_free(r);
	return argc != 0;
}
#else
/* Where CES is built without Slurm; `make check` installs the header. */
int main(void)
{
	(void)puts("spank_test: slurm/spank.h is not here; type: tests/lib/deps.sh --spank");
	return getenv("CI") != NULL;
}
#endif
