/* Tests what the client says about a run that the runtime did not start. */
/* links: client/runtime.c */
#include "client/runtime.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *log, *text, *reason;
	int status;
} ends[] = {
    {"{ \"msg\": \"executable file `nosuch` not found in $PATH\", \"level\":\"error\", "
     "\"time\":\"T\" }",
     "executable file `nosuch` not found in $PATH", "not found", 127},
    {"{\"level\":\"error\",\"msg\":\"exec: /plain: permission "
     "denied\",\"time\":\"T\"}?{\"msg\":\"not found\"}",
     "exec: /plain: permission denied", "not executable", 126},
    {"{\"msg\":\"open executable: Operation not permitted\",\"level\":\"error\"}",
     "open executable: Operation not permitted", "not executable", 126},
    /* a place for a mount, in what is read-only: not the command's fault */
    {"{\"msg\":\"open `/m/safe_data/f`: No such file or directory\",\"level\":\"error\"}",
     "open `/m/safe_data/f`: No such file or directory", "runtime", 125},
    {"{\"msg\":\"error mounting \\\"/d/3\\\" to rootfs at \\\"/safe_data/f\\\": permission "
     "denied\"}",
     "error mounting \"/d/3\" to rootfs at \"/safe_data/f\": permission denied", "runtime", 125},
    {"{\"msg\":\"executable file `[\\\"sh\\\",\\\"-c\\\"]` not found in "
     "$PATH\",\"level\":\"error\"}",
     "executable file `[\"sh\",\"-c\"]` not found in $PATH", "not found", 127},
    {"{\"level\":\"error\",\"msg\":\"exec: \\\"a\\\\\\\\b\\\": permission denied\"}",
     "exec: \"a\\\\b\": permission denied", "not executable", 126},
    {"{\"msg\":\"\",\"level\":\"not found\"}", "", "runtime", 125},
    {"{\"msg\":\"cgroup is gone\",\"level\":\"error\"}", "cgroup is gone", "runtime", 125},
    {"{\"msg\":\"a message that was cut", "a message that was cut", "runtime", 125},
    {"no JSON at all", "no JSON at all", "runtime", 125},
    {"{\"level\":\"error\"}", "{\"level\":\"error\"}", "runtime", 125},
    {"", "", "runtime", 125},
};

START_TEST(a_runtimes_log_becomes_a_status_and_a_line)
{
	struct ces_kept kept = {.status = 125, .reason = "runtime"};
	char wanted[512];

	(void)snprintf(kept.text, sizeof(kept.text), "cannot start sh: %s", ends[_i].log);
	(void)snprintf(wanted, sizeof(wanted), "cannot start sh: %s", ends[_i].text);
	ces_runtime_word(&kept);
	ck_assert_str_eq(kept.text, wanted);
	ck_assert_str_eq(kept.reason, ends[_i].reason);
	ck_assert_int_eq(kept.status, ends[_i].status);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client runtime");
	TCase *tcase = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tcase, a_runtimes_log_becomes_a_status_and_a_line, 0,
			    (int)(sizeof(ends) / sizeof(ends[0])));
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
