/* Tests ces-store's part of a pull: the order of its steps, and that a pull that failed or is over
 * the user's limits leaves no grant. What ces-resolve asks for in between is the test's. */
/* links: helper/store/pull.c helper/store/quota.c helper/store/digests.c helper/store/grants.c helper/store/store.c helper/session/store.c helper/core/beneath.c helper/session/frames.c helper/session/lock.c helper/session/object.c helper/clean/tree.c */
#include <stdint.h>
#include <sys/syscall.h>

#include "helper/store/modes.h"
#include "helper/store/serve.h"
#define SCENE_HAS_ROOT
#include "tests/unit/store_scene.h"

static struct ces_store_order order;

/* ---- the parts around it ---- */

int ces_root_ask(struct ces_step *asked, const void *bytes, size_t length,
		 struct ces_step_answer *ret, int *ret_fd, struct ces_error *ret_err)
{
	(void)bytes, (void)length;
	ck_assert_ptr_null(ret);
	if (asked->kind == CES_STEP_GRANT)
		return step("grant") ? ces_error_set(ret_err, CES_E_HOST, "no end") : 0;
	ck_assert_uint_eq(asked->kind, CES_STEP_START);
	if (step("start"))
		return ces_error_set(ret_err, CES_E_HOST, "no start");
	*ret_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return 0;
}

static bool up_to_date;

int ces_serve_pull(struct ces_pull *pull, struct ces_error *ret_err)
{
	static char layer[CES_DIGEST_LENGTH + 1];

	ck_assert_int_ge(pull->resolver, 0);
	if (step("serve %s", pull->order->image))
		return ces_error_set(ret_err, CES_E_HOST, "no image");
	(void)strcpy(pull->digest, D1);
	(void)strcpy(pull->top_digest, D2);
	(void)strcpy(layer, digest(7));
	pull->diff_ids[pull->n++] = layer;
	pull->bytes = 600;
	pull->image = (struct ces_image_record){.digest = pull->digest, .uid = 33};
	pull->up_to_date = up_to_date;
	return 0;
}

int fdatasync(int fd)
{
	(void)fd;
	return step("sync") ? -1 : 0;
}

/* ---- a pull ---- */

static void begin(void)
{
	scene_begin();
	order = (struct ces_store_order){.mode = CES_STORE_PULL,
					 .uid = 1234,
					 .user = "me",
					 .image = "ghcr.io/lab/tool:1",
					 .project = "p",
					 .space = 1000,
					 .images = 2,
					 .retain = 86400};
	up_to_date = false;
	have_layer(digest(7), 600, D1);
	note_steps(0);
}

static bool has_grant(struct ces_grant *ret)
{
	struct ces_error ignored;

	return ces_store_read_grant(&store, 1234, "me", "ghcr.io/lab/tool:1", ret, &ignored) == 0;
}

static int pull_it(uint64_t *ret)
{
	return ces_mode_pull(&order, &store, ret, &err);
}

START_TEST(the_grant_is_the_last_step_and_has_what_the_order_says)
{
	struct ces_grant grant;
	uint64_t ended = 77;

	up_to_date = _i == 1;
	order.retain = _i == 0 ? 86400 : 0;
	ck_assert_msg(pull_it(&ended) == 0, "%s", err.text);
	ck_assert_str_eq(steps, "start\nserve ghcr.io/lab/tool:1\ngrant\nsync\n");
	ck_assert_uint_eq(ended, up_to_date ? CES_END_UP_TO_DATE : 0);
	ck_assert(has_grant(&grant));
	ck_assert_str_eq(grant.digest, D1);
	ck_assert_str_eq(grant.top_digest, D2);
	ck_assert_str_eq(grant.project, "p");
	ck_assert_uint_eq(grant.size, 600);
	ck_assert_uint_eq(grant.layers, 1);
	ck_assert_uint_eq(grant.retain, order.retain);
	ck_assert_str_eq(grant.image.digest, D1);
	ck_assert_uint_eq(grant.image.uid, 33);
	ces_grant_free(&grant);
}
END_TEST

static const char *const texts[] = {"no start", "no image", "no end", "writing"};

START_TEST(when_a_step_fails_nobody_has_the_image_and_no_later_step_is_done)
{
	struct ces_grant grant;
	uint64_t ignored;

	note_steps(_i + 1);
	ck_assert_int_eq(pull_it(&ignored), -1);
	ck_assert_int_eq(step_number, _i + 1);
	ck_assert_msg(strncmp(err.text, texts[_i], strlen(texts[_i])) == 0, "%s", err.text);
	steps_noted = false;
	ck_assert(!has_grant(&grant));
}
END_TEST

/* Another pull of the user's ends at the same time, and each could have been within the limit. */
START_TEST(a_pull_that_is_over_the_limit_at_its_end_gives_no_grant_and_takes_none)
{
	struct ces_grant grant = {.reference = order.image,
				  .user = order.user,
				  .top_digest = (char[]){D2},
				  .digest = (char[]){D2},
				  .pulled = 1};
	uint64_t ignored;

	ck_assert_int_eq(ces_store_write_grant(&store, 1234, &grant, NULL, NULL, &err), 0);

	order.space = _i == 0 ? 600 : 599;
	ck_assert_int_eq(pull_it(&ignored), _i == 0 ? 0 : -1);
	if (_i == 0)
		return;
	ck_assert_int_eq(err.code, CES_E_LIMIT);
	ck_assert_str_eq(err.rule, "host.user_limits.store");
	ck_assert(has_grant(&grant));
	ck_assert_str_eq(grant.digest, D2); /* the one that the user had before */
	ces_grant_free(&grant);
}
END_TEST

START_TEST(an_image_is_settled_when_each_of_its_layers_is)
{
	uint64_t ended = 77;

	up_to_date = true;
	ck_assert_int_eq(pull_it(&ended), 0);
	ck_assert_uint_eq(ended, CES_END_UP_TO_DATE);
	ck_assert_int_eq(unlinkat(store.layers, part(digest(7), "unsettled"), 0), 0);
	ck_assert_int_eq(pull_it(&ended), 0);
	ck_assert_uint_eq(ended, CES_END_UP_TO_DATE | CES_END_SETTLED);
}
END_TEST

START_TEST(a_user_who_has_all_their_images_starts_no_worker)
{
	uint64_t ignored;

	order.images = 0;
	ck_assert_int_eq(pull_it(&ignored), -1);
	ck_assert_str_eq(err.rule, "host.user_limits.images");
	ck_assert_str_eq(steps, "");
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("pull");

	tcase_add_loop_test(t, the_grant_is_the_last_step_and_has_what_the_order_says, 0, 2);
	tcase_add_loop_test(t, when_a_step_fails_nobody_has_the_image_and_no_later_step_is_done, 0,
			    CES_COUNT(texts));
	tcase_add_loop_test(
	    t, a_pull_that_is_over_the_limit_at_its_end_gives_no_grant_and_takes_none, 0, 2);
	tcase_add_test(t, an_image_is_settled_when_each_of_its_layers_is);
	tcase_add_test(t, a_user_who_has_all_their_images_starts_no_worker);
	return run_scenes_between("pull, in ces-store", t, begin, scene_end);
}
