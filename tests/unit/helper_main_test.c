/* Tests ces-helper as a whole, but for the program that it becomes: main() is its own. */
/* links: helper/entry/main.c helper/entry/cleanroom.c helper/core/last_words.c */
#include "tests/unit/cleanroom_scene.h"

#include <limits.h>

#include "common/event.h"
#include "common/io.h"
#include "common/paths.h"
#include "common/wire_stream.h"

int main(int argc, char **argv);

static char *given[] = {(char *)(uintptr_t) "/tmp/evil\033[2J", (char *)(uintptr_t) "--x", NULL};

/* The exec fails, and its words are noted. */
int execve(const char *path, char *const argv[], char *const environment[])
{
	extern char **environ;
	char words[200] = "";

	for (size_t i = 0; argv[i] != NULL; i++)
		(void)snprintf(words + strlen(words), sizeof(words) - strlen(words), " %s",
			       argv[i]);
	(void)step("exec %s:%s%s", strrchr(path, '/') + 1, words,
		   environment[0] == NULL && (environ == NULL || environ[0] == NULL) ? ""
										     : " and more");
	(void)strcpy(entered->directory, path);
	errno = ENOENT;
	return -1;
}

static void become(void)
{
	entered->result = main(n_arguments, given);
}

/* What ces-helper says on its fd 4; NULL: nothing. */
static const char *spoken(int fds[5], int heard)
{
	static struct ces_event_error event;
	struct ces_error err;
	int got;

	close(fds[CES_FD_EVENT]);
	got = ces_wire_receive(heard, &ces_event_error_schema, 4096, ces_now_ms() + 5000, &event,
			       &err);
	return got == 1 ? event.text : NULL;
}

static void begin(int fds[5], int *heard)
{
	int pair[2];

	make_all(ordinary, fds);
	close(fds[CES_FD_EVENT]);
	ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
	fds[CES_FD_EVENT] = pair[1];
	*heard = pair[0];
}

static const struct {
	uid_t uid;
	const char *exec;
} callers[] = {
    {0, "session\nkeyring 1\nexec ces-admit: ces-admit 0\n"},
    {1000, "session\nkeyring 1\nexec ces-admit: ces-admit 1000\n"},
    {INT_MAX + 1u, "session\nkeyring 1\nexec ces-admit: ces-admit 2147483648\n"},
    {UINT_MAX, "session\nkeyring 1\nexec ces-admit: ces-admit 4294967295\n"},
};

START_TEST(ces_admit_gets_the_real_uid_and_no_word_of_the_callers)
{
	char text[300];
	int fds[5], heard;

	caller = callers[_i].uid;
	begin(fds, &heard);
	child(fds, NULL, become);
	ck_assert_str_eq(strstr(entered->steps, "session\n"), callers[_i].exec);
	ck_assert_str_eq(entered->directory, CES_ADMIT_PATH);
	/* a program that is not there: the caller reads a constant text */
	ck_assert_int_eq(entered->result, CES_EXIT_REFUSED);
	(void)snprintf(text, sizeof(text),
		       "%s; CES is not fully installed: No such file or directory", CES_ADMIT_PATH);
	ck_assert_str_eq(spoken(fds, heard), text);
}
END_TEST

START_TEST(a_process_that_is_not_clean_becomes_nothing)
{
	int fds[5], heard;
	const char *text;

	begin(fds, &heard);
	if (_i == 0)
		n_arguments = 2;
	else
		fails = "uids: 0 0 0";
	child(fds, NULL, become);
	ck_assert_int_eq(entered->result, CES_EXIT_REFUSED);
	ck_assert_ptr_null(strstr(entered->steps, "exec"));
	text = spoken(fds, heard);
	ck_assert_ptr_nonnull(text);
	ck_assert_ptr_nonnull(strstr(text, _i == 0 ? "takes no arguments" : "becoming root"));
	/* (not a byte of what the caller named it) */
	ck_assert_ptr_null(strstr(text, "evil"));
}
END_TEST

START_TEST(nothing_is_said_to_an_fd_that_is_no_pipe_of_the_clients)
{
	CES_CLEANUP_FD int file = memfd_create("file", MFD_CLOEXEC);
	int fds[5], heard;
	struct stat st;

	begin(fds, &heard);
	close(fds[CES_FD_EVENT]);
	fds[CES_FD_EVENT] = file;
	child(fds, NULL, become);
	ck_assert_int_eq(entered->result, CES_EXIT_REFUSED);
	ck_assert_int_eq(fstat(file, &st), 0);
	ck_assert_int_eq(st.st_size, 0);
	ck_assert_ptr_null(strstr(entered->steps, "exec"));
}
END_TEST

/* (before main(), which is not this file's) */
static void __attribute__((constructor)) run_tests(void)
{
	TCase *t = tcase_create("helper_main");

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_loop_test(t, ces_admit_gets_the_real_uid_and_no_word_of_the_callers, 0,
			    CES_COUNT(callers));
	tcase_add_loop_test(t, a_process_that_is_not_clean_becomes_nothing, 0, 2);
	tcase_add_test(t, nothing_is_said_to_an_fd_that_is_no_pipe_of_the_clients);
	exit(run_suite("helper_main", t));
}
