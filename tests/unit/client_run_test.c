/* Tests what a user gets from a run: bytes, lines and the exit status. */
/* links: client/run.c client/ask.c client/listen.c client/signals.c client/relay.c */
/* links: client/session.c client/terminal.c client/progress.c client/table.c client/say.c */
/* links: client/fit.c */
/* links: client/detach.c client/verbose.c client/kept.c client/limit.c client/runtime.c */
/* links: client/outputs.c client/turn.c client/missing.c client/advice.c client/local.c */
/* links: client/mount.c client/options.c client/words.c client/setters.c client/optfile.c */
/* links: client/profile.c client/sif.c */
#include "tests/unit/client_stand_in.h"

#include "client/ask.h"
#include "common/paths.h"

static const int stdout_types[] = {0, SOCK_STREAM};

START_TEST(stdout_and_stderr_pass_unchanged_and_in_full)
{
	struct client client = start_client("bytes", CES_VERB_RUN, 0, stdout_types[_i]);
	struct outcome o = finish(&client);

	ck_assert_int_eq(o.status, 0);
	ck_assert_uint_eq(o.out_length, BIG);
	ck_assert_uint_eq(o.err_length, BIG);
	ck_assert(is_pattern(o.out, BIG));
	ck_assert(is_pattern(o.err, BIG));
	drop(&o);
}
END_TEST

START_TEST(the_line_about_a_run_comes_before_its_output)
{
	struct outcome o = run("early");

	ck_assert_int_eq(o.status, 0);
	ck_assert_str_eq(o.out, "early");
	ck_assert_str_eq(o.err, "ces: run 0123456789\n");
	drop(&o);
}
END_TEST

static const int file_flags[] = {O_TRUNC, O_APPEND};

START_TEST(stdout_may_be_a_file_also_one_that_is_appended_to)
{
	char path[] = "/tmp/ces-client-test-XXXXXX";
	char *bytes = malloc(BIG);
	struct ces_options options = {.request = {.verb = CES_VERB_RUN, .image = (char[]){"late"}}};
	int fd, status;
	pid_t pid;

	close(mkstemp(path));
	pid = fork();
	if (pid == 0) {
		dup2(open(path, O_WRONLY | file_flags[_i]), STDOUT_FILENO);
		_exit(ces_run("/proc/self/exe", &options));
	}
	waitpid(pid, &status, 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	unlink(path);
	ck_assert_int_eq(WEXITSTATUS(status), 3);
	ck_assert_int_eq(ces_read_full(fd, bytes, BIG, -1), 0);
	ck_assert(is_pattern(bytes, BIG));
	close(fd);
	free(bytes);
}
END_TEST

/* A shell's "run A & run B & ..." gives them one open file, with one offset. */
START_TEST(clients_with_one_file_as_stdout_lose_no_byte)
{
	char path[] = "/tmp/ces-client-test-XXXXXX";
	struct ces_options options = {.request = {.verb = CES_VERB_RUN, .image = (char[]){"late"}}};
	int fd = mkstemp(path), status;
	struct stat st;
	pid_t pids[8];

	unlink(path);
	for (size_t i = 0; i < CES_COUNT(pids); i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			dup2(fd, STDOUT_FILENO);
			_exit(ces_run("/proc/self/exe", &options));
		}
	}
	for (size_t i = 0; i < CES_COUNT(pids); i++) {
		waitpid(pids[i], &status, 0);
		ck_assert_int_eq(WEXITSTATUS(status), 3);
	}
	fstat(fd, &st);
	ck_assert_int_eq(st.st_size, (off_t)CES_COUNT(pids) * BIG);
	close(fd);
}
END_TEST

START_TEST(output_that_arrives_after_the_end_is_not_lost)
{
	struct outcome o = run("late");

	ck_assert_int_eq(o.status, 3);
	ck_assert_uint_eq(o.out_length, BIG);
	drop(&o);
}
END_TEST

START_TEST(stdin_reaches_the_container_with_i)
{
	struct client client = start_client("cat", CES_VERB_RUN, CES_FLAG_INTERACTIVE, 0);
	struct outcome o;

	ck_assert_int_eq(ces_write_full(client.in, "a\0b\xff", 4, -1), 0);
	o = finish(&client);
	ck_assert_int_eq(o.status, 0);
	ck_assert_uint_eq(o.out_length, 4);
	ck_assert_mem_eq(o.out, "a\0b\xff", 4);
	drop(&o);
}
END_TEST

START_TEST(stdin_does_not_reach_the_container_without_i)
{
	struct client client = start_client("cat", CES_VERB_RUN, 0, 0);
	struct outcome o;

	ck_assert_int_eq(ces_write_full(client.in, "secret", 6, -1), 0);
	o = finish(&client);
	ck_assert_int_eq(o.status, 0);
	ck_assert_uint_eq(o.out_length, 0);
	drop(&o);
}
END_TEST

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

START_TEST(a_signal_is_passed_on)
{
	struct client client = start_client("signals", CES_VERB_RUN, 0, 0);
	struct outcome o;
	char ready[5];

	ck_assert_int_eq(ces_read_full(client.out, ready, sizeof(ready), -1), 0);
	kill(client.pid, signals[_i]);
	o = finish(&client);
	ck_assert_int_eq(o.status, 128 + signals[_i]);
	drop(&o);
}
END_TEST

START_TEST(an_ignored_signal_stays_ignored)
{
	struct client client;
	struct outcome o;
	char ready[5];

	signal(SIGHUP, SIG_IGN);
	client = start_client("signals", CES_VERB_RUN, 0, 0);
	ck_assert_int_eq(ces_read_full(client.out, ready, sizeof(ready), -1), 0);
	kill(client.pid, SIGHUP);
	kill(client.pid, SIGTERM);
	o = finish(&client);
	ck_assert_int_eq(o.status, 128 + SIGTERM);
	drop(&o);
}
END_TEST

START_TEST(a_writer_that_nobody_reads_gets_a_broken_pipe)
{
	struct client client = start_client("unread", CES_VERB_RUN, 0, 0);
	struct outcome o;
	char some[2];

	ck_assert_int_eq(ces_read_full(client.out, some, sizeof(some), -1), 0);
	ces_cleanup_close(&client.out);
	o = finish(&client);
	ck_assert_int_eq(o.status, 141);
	ck_assert_uint_eq(o.err_length, 0);
	drop(&o);
}
END_TEST

START_TEST(the_helper_gets_five_fds_and_nothing_else_of_the_callers)
{
	struct outcome o = run("hygiene");

	ck_assert_int_eq(o.status, 0);
	drop(&o);
}
END_TEST

/* If bit n of the loop's number is set, fd n is closed when the client starts. */
START_TEST(closed_fds_do_not_send_bytes_astray)
{
	struct ces_options options = {
	    .request = {.verb = CES_VERB_RUN, .image = (char[]){"hygiene"}}};
	struct ces_error err;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		for (int fd = 0; fd < 5; fd++) {
			if ((_i >> fd & 1) != 0)
				close(fd);
		}
		if (ces_session_prepare_fds(&err) < 0)
			_exit(99);
		_exit(ces_run("/proc/self/exe", &options));
	}
	waitpid(pid, &status, 0);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

START_TEST(a_denial_says_what_by_which_rule_and_whom_to_ask)
{
	struct outcome o = run("denial");

	ck_assert_int_eq(o.status, 125);
	ck_assert_str_eq(o.err, "ces: denied: no rule allows ghcr.io/x/y (rule projects.p.images)\n"
				"ces: ask your research coordinator\n");
	drop(&o);
}
END_TEST

START_TEST(a_run_prints_its_number_its_outputs_and_why_it_ended)
{
	struct outcome o = run("started");

	ck_assert_int_eq(o.status, 0);
	ck_assert_str_eq(o.err, "ces: run 0123456789, outputs in /home/u/outputs\n"
				"ces: the memory limit of 1 GiB was reached\n");
	drop(&o);
}
END_TEST

START_TEST(a_helper_that_ends_without_an_answer_is_reported)
{
	struct outcome o = run("nothing");

	ck_assert_int_eq(o.status, 125);
	ck_assert_str_eq(o.err,
			 "ces: ces-helper ended without an answer; type: ces-client doctor\n");
	drop(&o);
}
END_TEST

START_TEST(a_helper_that_talks_garbage_is_a_failure)
{
	struct outcome o = run("garbage");

	ck_assert_int_eq(o.status, 125);
	ck_assert_int_eq(strncmp(o.err, "ces: ", 5), 0);
	drop(&o);
}
END_TEST

START_TEST(a_run_that_ends_before_stop_all_reaches_it_is_no_failure)
{
	struct ces_options options = {.request = {.verb = CES_VERB_STOP, .image = (char[]){"gone"}},
				      .all = true};

	ck_assert_int_eq(ces_ask("/proc/self/exe", &options), 0);
	options.all = false;
	ck_assert_int_eq(ces_ask("/proc/self/exe", &options), CES_EXIT_REFUSED);
}
END_TEST

START_TEST(at_each_try_for_a_place_ces_chooses_the_free_port_again)
{
	struct client client;
	char *first, *second;
	struct outcome o;

	published = "8787";
	client = start_client("place", CES_VERB_RUN, CES_FLAG_WAIT, 0);
	o = finish(&client);
	first = strtok(o.out, "\n");
	second = strtok(NULL, "\n");
	ck_assert_int_eq(o.status, 0);
	ck_assert_ptr_nonnull(second);
	ck_assert_str_eq(strchr(first, ':'), ":8787");
	ck_assert_str_eq(strchr(second, ':'), ":8787");
	ck_assert_str_ne(first, second);
	drop(&o);
}
END_TEST

START_TEST(an_explanation_goes_to_stdout)
{
	struct client client = start_client("explain", CES_VERB_RUN, CES_FLAG_EXPLAIN, 0);
	struct outcome o = finish(&client);

	ck_assert_int_eq(o.status, 0);
	ck_assert_str_eq(o.out, "allowed by projects.p.images[0]\n");
	ck_assert_uint_eq(o.err_length, 0);
	drop(&o);
}
END_TEST

static int open_terminal(int *ret_slave)
{
	const struct winsize size = {.ws_row = 33, .ws_col = 101};
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	ck_assert_int_ge(master, 0);
	grantpt(master);
	unlockpt(master);
	*ret_slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	ioctl(master, TIOCSWINSZ, &size);
	return master;
}

START_TEST(a_terminal_is_the_containers_own_and_the_callers_is_left_as_it_was)
{
	const uint64_t flags = CES_FLAG_INTERACTIVE | CES_FLAG_TTY;
	struct ces_options options = {
	    .request = {.verb = CES_VERB_RUN, .flags = flags, .image = (char[]){"terminal"}}};
	struct termios before, during, after;
	int slave, status;
	int master = open_terminal(&slave);
	char text[256] = "";
	size_t length = 0;
	pid_t pid;

	tcgetattr(slave, &before);
	pid = fork();
	if (pid == 0) {
		dup2(slave, STDIN_FILENO);
		dup2(slave, STDOUT_FILENO);
		_exit(ces_run("/proc/self/exe", &options));
	}
	while (strstr(text, "ready") == NULL && length < sizeof(text) - 1)
		length += (size_t)read(master, text + length, sizeof(text) - 1 - length);
	tcgetattr(slave, &during);
	ck_assert_int_eq(write(master, "x\n", 2), 2);
	waitpid(pid, &status, 0);
	tcgetattr(slave, &after);
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	ck_assert_uint_eq(during.c_lflag & ISIG, 0);
	ck_assert_uint_eq(after.c_lflag, before.c_lflag);
	ck_assert_uint_eq(after.c_iflag, before.c_iflag);
}
END_TEST

/* Starts a client on a terminal of its own whose program ends at once, and whose clean-up takes
 * three seconds. Its stderr is a pipe. */
static struct client start_cleaning(int *ret_slave)
{
	const uint64_t flags = CES_FLAG_INTERACTIVE | CES_FLAG_TTY;
	struct ces_options options = {
	    .request = {.verb = CES_VERB_RUN, .flags = flags, .image = (char[]){"cleaning"}}};
	struct client client = {.in = -1};
	char text[64] = "";
	size_t length = 0;
	int err[2];

	client.out = open_terminal(ret_slave);
	make_pair(0, err);
	client.err = err[0];
	client.pid = fork();
	if (client.pid == 0) {
		dup2(*ret_slave, STDIN_FILENO);
		dup2(*ret_slave, STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		_exit(ces_run("/proc/self/exe", &options));
	}
	close(err[1]);
	while (strstr(text, "bye") == NULL && length < sizeof(text) - 1)
		length += (size_t)read(client.out, text + length, sizeof(text) - 1 - length);
	ck_assert_int_gt(read(client.err, text, sizeof(text)), 0); /* the line about the run */
	return client;
}

START_TEST(when_the_program_has_ended_the_terminal_is_the_users_again_before_the_clean_up_ends)
{
	struct termios modes = {0};
	int slave, status;
	struct client client = start_cleaning(&slave);
	char line[256] = "";

	while ((modes.c_lflag & ICANON) == 0 && waitpid(client.pid, &status, WNOHANG) == 0) {
		tcgetattr(slave, &modes);
		usleep(10000);
	}
	ck_assert_uint_ne(modes.c_lflag & ICANON, 0);
	ck_assert_int_eq(waitpid(client.pid, &status, WNOHANG), 0);
	ck_assert_int_gt(read(client.err, line, sizeof(line) - 1), 0);
	ck_assert_ptr_nonnull(strstr(line, "CES is cleaning up"));
	waitpid(client.pid, &status, 0);
	ck_assert_int_eq(WEXITSTATUS(status), 5);
}
END_TEST

START_TEST(during_the_clean_up_a_second_ctrl_c_leaves)
{
	int slave, status;
	struct client client = start_cleaning(&slave);
	char line[256] = "";

	ck_assert_int_gt(read(client.err, line, sizeof(line) - 1), 0);
	kill(client.pid, SIGINT);
	usleep(100000);
	ck_assert_int_eq(waitpid(client.pid, &status, WNOHANG), 0);
	kill(client.pid, SIGINT);
	waitpid(client.pid, &status, 0);
	ck_assert_int_eq(WEXITSTATUS(status), 128 + SIGINT);
}
END_TEST

START_TEST(a_terminal_that_is_not_there_is_left_out)
{
	struct client client = start_client("hygiene", CES_VERB_RUN, CES_FLAG_TTY, 0);
	struct outcome o = finish(&client);

	ck_assert_int_eq(o.status, 0);
	ck_assert_str_eq(o.err, "ces: -t has no effect: there is no terminal here\n");
	drop(&o);
}
END_TEST

static int run_tests(void)
{
	Suite *suite = suite_create("client run");
	TCase *tc = tcase_create("run");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, stdout_and_stderr_pass_unchanged_and_in_full, 0,
			    CES_COUNT(stdout_types));
	tcase_add_test(tc, the_line_about_a_run_comes_before_its_output);
	tcase_add_loop_test(tc, stdout_may_be_a_file_also_one_that_is_appended_to, 0,
			    CES_COUNT(file_flags));
	tcase_add_test(tc, clients_with_one_file_as_stdout_lose_no_byte);
	tcase_add_test(tc, output_that_arrives_after_the_end_is_not_lost);
	tcase_add_test(tc, stdin_reaches_the_container_with_i);
	tcase_add_test(tc, stdin_does_not_reach_the_container_without_i);
	tcase_add_loop_test(tc, a_signal_is_passed_on, 0, CES_COUNT(signals));
	tcase_add_test(tc, an_ignored_signal_stays_ignored);
	tcase_add_test(tc, a_writer_that_nobody_reads_gets_a_broken_pipe);
	tcase_add_test(tc, the_helper_gets_five_fds_and_nothing_else_of_the_callers);
	tcase_add_loop_test(tc, closed_fds_do_not_send_bytes_astray, 0, 32);
	tcase_add_test(tc, a_denial_says_what_by_which_rule_and_whom_to_ask);
	tcase_add_test(tc, a_run_prints_its_number_its_outputs_and_why_it_ended);
	tcase_add_test(tc, a_helper_that_ends_without_an_answer_is_reported);
	tcase_add_test(tc, a_helper_that_talks_garbage_is_a_failure);
	tcase_add_test(tc, a_run_that_ends_before_stop_all_reaches_it_is_no_failure);
	tcase_add_test(tc, at_each_try_for_a_place_ces_chooses_the_free_port_again);
	tcase_add_test(tc, an_explanation_goes_to_stdout);
	tcase_add_test(tc, a_terminal_is_the_containers_own_and_the_callers_is_left_as_it_was);
	tcase_add_test(
	    tc,
	    when_the_program_has_ended_the_terminal_is_the_users_again_before_the_clean_up_ends);
	tcase_add_test(tc, during_the_clean_up_a_second_ctrl_c_leaves);
	tcase_add_test(tc, a_terminal_that_is_not_there_is_left_out);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 1 && strcmp(argv[0], "ces-helper") == 0)
		return play_helper();
	return run_tests();
}
