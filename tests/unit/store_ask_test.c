/* Tests how root has a ces-store do what needs no pull: collecting, with a process of its own or
 * without, and what a user asks of their images. */
/* links: helper/pull/collect.c helper/pull/images.c helper/core/spawn.c helper/store/store.c helper/session/store.c helper/core/beneath.c helper/session/frames.c helper/session/lock.c helper/session/object.c helper/clean/tree.c */
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "common/request.h"
#include "helper/core/fds.h"
#include "helper/pull/collect.h"
#include "helper/pull/steps.h"
#include "helper/session/report.h"
#include "tests/unit/store_scene.h"

/* ---- a ces-store, and root's side of it ---- */

static struct ces_store_order got;
static int result; /* of its work */
static pid_t self;

/* Whether the process has nothing but the directories and the register, in their order. */
static bool has_only_what_it_needs(const struct ces_store *of)
{
	const int fds[] = {of->layers, of->images, of->grants, of->staging, of->trash, of->locks};
	char name[16] = "";
	struct stat st;
	int n = 0;

	for (int fd = 0; fd < 512; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	for (int i = 0; i < 6; i++)
		if (fds[i] != 3 + i || fstat(fds[i], &st) < 0 || !S_ISDIR(st.st_mode))
			return false;
	(void)prctl(PR_GET_NAME, name);
	/* (0 to 2 are nothing, and one more may be what they were made of) */
	return n <= 11 && of->dir < 0 && of->runs < 0 && strcmp(name, "ces-collect") == 0;
}

int ces_store_start(const struct ces_store *of, const struct ces_store_order *order, int event,
		    struct ces_worker *ret, struct ces_error *ret_err)
{
	(void)ret;
	got = *order;
	if (getpid() != self)
		_exit(has_only_what_it_needs(of) && order->soon == 1 && event < 0 ? 77 : 1);
	(void)step("start mode %lu%s%s", order->mode,
		   event == CES_FD_EVENT ? " for the client" : "",
		   order->soon ? " in its turn" : "");
	return result < -1 ? ces_error_set(ret_err, CES_E_HOST, "no ces-store") : 0;
}

void ces_steps_begin(struct ces_steps *s, struct ces_session *of, enum ces_turn turn)
{
	struct stat st;

	*s = (struct ces_steps){.session = of, .store = &of->store, .turn = turn};
	ck_assert(turn == CES_TURN_COLLECT || turn == CES_TURN_OTHER);
	ck_assert(fstat(of->runs, &st) == 0 && S_ISDIR(st.st_mode));
}

int ces_steps_serve(struct ces_steps *s, struct ces_error *ret_err)
{
	(void)step(s->turn == CES_TURN_COLLECT ? "serve a collector" : "serve");
	return result < 0 ? ces_error_set(ret_err, CES_E_NOTFOUND, "no such image") : 0;
}

void ces_steps_end(struct ces_steps *s)
{
	(void)s;
	(void)step("end");
}

int ces_report_done(void)
{
	(void)step("done");
	return 0;
}

/* ---- collecting ---- */

static struct ces_session its;

static void begin(void)
{
	scene_begin();
	result = 0;
	self = getpid();
	its = (struct ces_session){.runs = runs, .store = store};
	note_steps(0);
}

START_TEST(the_janitor_waits_for_the_collector)
{
	ces_collect(&its, false);
	ck_assert_str_eq(steps, "start mode 3\nserve a collector\nend\n");
	note_steps(0);
	result = -2;
	ces_collect(&its, true);
	ck_assert_str_eq(steps, "start mode 3 in its turn\nend\n");
}
END_TEST

START_TEST(a_user_does_not_wait_and_the_other_process_has_only_what_it_needs)
{
	int status = -1, last = -1;

	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	ces_collect_soon(&its);
	ck_assert_str_eq(steps, "");
	while (waitpid(-1, &status, 0) > 0)
		last = WEXITSTATUS(status);
	ck_assert_int_eq(last, 77);
}
END_TEST

/* ---- images ---- */

static const struct {
	int (*verb)(struct ces_session *session, struct ces_error *ret_err);
	enum ces_store_mode mode;
} verbs[] = {{ces_verb_images, CES_STORE_LIST},
	     {ces_verb_inspect, CES_STORE_INSPECT},
	     {ces_verb_remove, CES_STORE_REMOVE}};

START_TEST(what_a_user_asks_of_their_images_goes_on_with_who_they_are)
{
	char expected[100];
	struct ces_request request = {.image = (char[]){"ghcr.io/lab/tool:1"}};
	struct ces_session session = {.uid = 1234,
				      .caller = {.uid = 1234, .user = (char[]){"me"}},
				      .request = &request,
				      .runs = runs,
				      .store = store};

	result = -1; /* (no collector then) */
	ck_assert_int_eq(verbs[_i].verb(&session, &err), -1);
	ck_assert_int_eq(err.code, CES_E_NOTFOUND);
	(void)snprintf(expected, sizeof(expected), "start mode %d for the client\nserve\nend\n",
		       verbs[_i].mode);
	ck_assert_str_eq(steps, expected);
	ck_assert_uint_eq(got.uid, 1234);
	ck_assert_str_eq(got.user, "me");
	ck_assert_str_eq(got.image, "ghcr.io/lab/tool:1");
	if (verbs[_i].mode == CES_STORE_REMOVE)
		return;
	note_steps(0);
	result = 0;
	ck_assert_int_eq(verbs[_i].verb(&session, &err), 0);
	ck_assert_ptr_nonnull(strstr(steps, "end\ndone\n"));
}
END_TEST

START_TEST(a_name_that_is_too_long_stays_too_long)
{
	static char longest[2000];
	struct ces_request request = {.image = _i == 0 ? longest : NULL};
	struct ces_session session = {.uid = 0, .request = &request, .runs = runs, .store = store};

	memset(longest, 'a', sizeof(longest) - 1);
	ck_assert_int_eq(ces_verb_inspect(&session, &err), 0);
	ck_assert_uint_eq(strlen(got.image), _i == 0 ? CES_REFERENCE_MAX : 0);
	ck_assert_str_eq(got.user, "");
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("asks");

	tcase_add_test(t, the_janitor_waits_for_the_collector);
	tcase_add_test(t, a_user_does_not_wait_and_the_other_process_has_only_what_it_needs);
	tcase_add_loop_test(t, what_a_user_asks_of_their_images_goes_on_with_who_they_are, 0,
			    CES_COUNT(verbs));
	tcase_add_loop_test(t, a_name_that_is_too_long_stays_too_long, 0, 2);
	return run_scenes_between("what ces-store is asked for", t, begin, scene_end);
}
