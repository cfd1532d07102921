/* Tests which account the workers of a request get. The user database is the test's own. */
/* links: helper/session/account.c helper/core/beneath.c */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/core/spawn.h"
#include "helper/session/account.h"
#include "tests/unit/directory.h"

static const char *const *known; /* the accounts of this machine; uid 101 is the first */

int ces_worker_ids(const char *name, uid_t *ret_uid, gid_t *ret_gid, struct ces_error *err)
{
	for (unsigned i = 0; known[i] != NULL; i++)
		if (strcmp(known[i], name) == 0) {
			*ret_uid = *ret_gid = 101 + i;
			return 0;
		}
	return ces_error_set(err, CES_E_HOST, "no such account");
}

static const char *const all[] = {"ces-fetch",   "ces-fetch-2", "ces-fetch-3",
				  "ces-fetch-4", "ces-unpack",  NULL};
static const char *const few[] = {"ces-fetch", "ces-fetch-2", NULL};
static const char *const one[] = {"ces-fetch", NULL};
static const char *const none[] = {NULL};

/* Makes a request in a process of its own, which holds its account until `go` is closed. Returns
 * the uid, or 0 if the request was refused. */
static uid_t request(enum ces_account kind, const int go[2])
{
	int answer[2];
	uid_t uid = 0, again = 0;
	gid_t gid;
	char byte;

	ck_assert_int_eq(pipe(answer), 0);
	if (fork() == 0) {
		struct ces_error err;

		close(go[1]);
		if (ces_account_take(directory, kind, &uid, &gid, &err) < 0 ||
		    ces_account_take(directory, kind, &again, &gid, &err) < 0 || again != uid)
			uid = 0;
		if (write(answer[1], &uid, sizeof(uid)) != sizeof(uid))
			_exit(1);
		(void)!read(go[0], &byte, 1);
		_exit(0);
	}
	close(answer[1]);
	ck_assert_int_eq(read(answer[0], &uid, sizeof(uid)), sizeof(uid));
	close(answer[0]);
	return uid;
}

static void end(int go[2], int n)
{
	close(go[1]);
	for (int i = 0; i < n; i++)
		ck_assert_int_gt(wait(NULL), 0);
	close(go[0]);
}

static const struct {
	const char *const *known;
	uid_t expected[6];
} cases[] = {
    {all, {101, 102, 103, 104, 104, 104}}, /* all are in use: shared, never refused */
    {few, {101, 102, 102, 102, 102, 102}},
    {one, {101, 101, 101, 101, 101, 101}},
    {none, {0, 0, 0, 0, 0, 0}},
};

START_TEST(requests_at_once_get_an_account_each_while_there_are_any)
{
	int go[2];

	known = cases[_i].known;
	ck_assert_int_eq(pipe(go), 0);
	for (int i = 0; i < 6; i++)
		ck_assert_uint_eq(request(CES_ACCOUNT_FETCH, go), cases[_i].expected[i]);
	end(go, 6);
}
END_TEST

START_TEST(an_account_is_free_when_its_request_has_ended)
{
	int go[2];

	known = all;
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(pipe(go), 0);
		ck_assert_uint_eq(request(CES_ACCOUNT_FETCH, go), 101);
		ck_assert_uint_eq(request(CES_ACCOUNT_UNPACK, go), 105);
		end(go, 2);
	}
}
END_TEST

static void tear_down(void)
{
	char name[64];

	for (unsigned i = 0; all[i] != NULL; i++) {
		(void)snprintf(name, sizeof(name), ".account-%s", all[i]);
		(void)unlinkat(directory, name, 0);
	}
	directory_end();
}

int main(void)
{
	Suite *suite = suite_create("account");
	TCase *tests = tcase_create("account");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, directory_begin, tear_down);
	tcase_add_loop_test(tests, requests_at_once_get_an_account_each_while_there_are_any, 0,
			    CES_COUNT(cases));
	tcase_add_test(tests, an_account_is_free_when_its_request_has_ended);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
