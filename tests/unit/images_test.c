/* Tests what a user can see of their images, and how they remove one. */
/* links: helper/store/images.c helper/store/grants.c helper/store/store.c helper/session/store.c helper/core/beneath.c helper/session/frames.c helper/session/lock.c helper/session/object.c helper/clean/tree.c */
#include <stdint.h>

#include "common/event.h"
#include "common/image.h"
#include "common/record.h"
#include "helper/session/report.h"
#include "helper/store/modes.h"
#include "tests/unit/store_scene.h"

/* ---- the client ---- */

static size_t config_length;

void ces_report_send(const struct ces_wire_schema *schema, const void *event, bool matters)
{
	const struct ces_event_image *image = event;

	ck_assert_ptr_eq(schema, &ces_event_image_schema);
	ck_assert(matters);
	config_length = image->config == NULL ? 0 : strlen(image->config);
	(void)step("%s %.10s %lu bytes %lu layers pulled %lu%s", image->reference,
		   image->digest + 7, image->size, image->layers, image->pulled,
		   image->config == NULL ? "" : " with its configuration");
}

/* ---- the user ---- */

static struct ces_store_order order;

static void begin(void)
{
	scene_begin();
	order = (struct ces_store_order){.uid = 1234, .user = "me"};
	note_steps(0);
}

static void give(const char *reference, const char *user, uint64_t pulled)
{
	const struct ces_grant grant = {.reference = (char *)(uintptr_t)reference,
					.user = (char *)(uintptr_t)user,
					.top_digest = digest(2),
					.digest = digest(1),
					.size = 7,
					.layers = 3,
					.pulled = pulled};

	ck_assert_int_eq(ces_store_write_grant(&store, 1234, &grant, NULL, NULL, &err), 0);
}

static void ask(const char *image)
{
	(void)snprintf(order.image, sizeof(order.image), "%s", image == NULL ? "" : image);
}

#define TOOL "ghcr.io/lab/tool:1"
#define SAYS TOOL " 0000000000 7 bytes 3 layers pulled 5\n"

START_TEST(a_user_sees_their_own_images_and_those_of_no_other_with_the_same_number)
{
	give("ghcr.io/lab/other:1", "other", 5);
	ck_assert_int_eq(ces_mode_list(&order, &store, &err), 0);
	ck_assert_str_eq(steps, "");
	give(TOOL, "me", 5);
	note_steps(0);
	ck_assert_int_eq(ces_mode_list(&order, &store, &err), 0);
	ck_assert_str_eq(steps, SAYS);
}
END_TEST

START_TEST(a_list_that_is_not_whole_is_an_error)
{
	give(TOOL, "me", 5);
	ck_assert_int_eq(fchmodat(store.grants, "1234", 0755, 0), 0);
	ck_assert_int_eq(ces_mode_list(&order, &store, &err), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_str_eq(steps, "");
}
END_TEST

static void have_config(size_t length)
{
	const struct ces_image_record record = {.digest = digest(1)};
	CES_CLEANUP_FREE char *text = malloc(length + 1);
	const struct ces_bytes none = {text, 0}, config = {text, length};

	memset(text, 'c', length);
	steps_noted = false;
	ck_assert_int_eq(ces_store_commit_image(&store, &record, &none, &config, &err), 0);
	note_steps(0);
}

START_TEST(an_image_is_inspected_with_its_configuration_if_that_fits)
{
	give(TOOL, "me", 5);
	have_config(CES_EVENT_CONFIG_MAX + (unsigned)_i);
	ask(TOOL);
	ck_assert_int_eq(ces_mode_inspect(&order, &store, &err), 0);
	ck_assert_uint_eq(config_length, _i == 0 ? CES_EVENT_CONFIG_MAX : 0);
	note_steps(0);
	ck_assert_int_eq(ces_mode_list(&order, &store, &err), 0);
	ck_assert_str_eq(steps, SAYS); /* without it */
}
END_TEST

/* The layer is there, is gone, or was made in a boot that a power cut may have ended. */
START_TEST(an_image_without_one_of_its_layers_is_not_inspected)
{
	char *layers[] = {digest(7), digest(8)};
	const struct ces_grant grant = {.reference = (char[]){TOOL},
					.user = (char[]){"me"},
					.top_digest = digest(2),
					.digest = digest(1),
					.size = 7,
					.layers = 3,
					.pulled = 5,
					.image = {.diff_ids = {layers, 2}}};

	steps_noted = false;
	ck_assert_int_eq(ces_store_write_grant(&store, 1234, &grant, NULL, NULL, &err), 0);
	have_layer(layers[0], 1, D1);
	if (_i != 1)
		have_layer(layers[1], 1, D1);
	if (_i == 2)
		put_text(store.layers, part(layers[1], "unsettled"), "of another boot");
	ask(TOOL);
	note_steps(0);
	ck_assert_int_eq(ces_mode_inspect(&order, &store, &err), _i == 0 ? 0 : -1);
	ck_assert_str_eq(steps, _i == 0 ? SAYS : "");
	if (_i > 0) {
		ck_assert_int_eq(err.code, CES_E_NOTFOUND);
		ck_assert_ptr_nonnull(strstr(err.text, "type: ces-client pull " TOOL));
	}
	note_steps(0);
	ck_assert_int_eq(ces_mode_list(&order, &store, &err), 0);
	ck_assert_str_eq(steps, SAYS); /* (so that it can be removed) */
}
END_TEST

static const char *const names[] = {
    NULL, "ubuntu", "", "ghcr.io/../x:1", "ghcr.io/lab/tool:2", "ghcr.io/lab/other:1"};
static const enum ces_code refusals[] = {CES_E_USAGE, CES_E_USAGE,    CES_E_USAGE,
					 CES_E_USAGE, CES_E_NOTFOUND, CES_E_NOTFOUND};

START_TEST(an_image_that_is_no_image_or_not_theirs_is_not_inspected)
{
	give(TOOL, "me", 5);
	give("ghcr.io/lab/other:1", "other", 5);
	ask(names[_i]);
	ck_assert_int_eq(ces_mode_inspect(&order, &store, &err), -1);
	ck_assert_int_eq(err.code, refusals[_i]);
	ck_assert_str_eq(steps, "");
}
END_TEST

START_TEST(an_image_is_removed_once)
{
	give(TOOL, "me", 5);
	ask(TOOL);
	ck_assert_int_eq(ces_mode_remove(&order, &store, &err), 0);
	ck_assert_str_eq(steps, "");
	note_steps(0);
	ck_assert_int_eq(ces_mode_remove(&order, &store, &err), -1);
	ck_assert_int_eq(err.code, CES_E_NOTFOUND);
	ask(NULL);
	ck_assert_int_eq(ces_mode_remove(&order, &store, &err), -1);
	ck_assert_int_eq(err.code, CES_E_USAGE);
	ck_assert_str_eq(steps, "");
}
END_TEST

START_TEST(a_removal_says_nothing_of_another_account_with_the_same_number)
{
	give(TOOL, "other", 5);
	ask(TOOL);
	ck_assert_int_eq(ces_mode_remove(&order, &store, &err), -1);
	ck_assert_int_eq(err.code, CES_E_NOTFOUND);
	ck_assert_str_eq(steps, "");
}
END_TEST

START_TEST(a_reference_with_a_digest_names_the_image_whatever_its_tag_is)
{
	give("ghcr.io/lab/tool@" D1, "me", 5);
	ask("ghcr.io/lab/tool:7@" D1);
	ck_assert_int_eq(ces_mode_inspect(&order, &store, &err), 0);
	ck_assert_int_eq(ces_mode_remove(&order, &store, &err), 0);
	give("ghcr.io/lab/tool:latest", "me", 5);
	ask("ghcr.io/lab/tool");
	ck_assert_int_eq(ces_mode_remove(&order, &store, &err), 0);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("images");

	tcase_add_test(t, a_user_sees_their_own_images_and_those_of_no_other_with_the_same_number);
	tcase_add_test(t, a_list_that_is_not_whole_is_an_error);
	tcase_add_loop_test(t, an_image_is_inspected_with_its_configuration_if_that_fits, 0, 2);
	tcase_add_loop_test(t, an_image_without_one_of_its_layers_is_not_inspected, 0, 3);
	tcase_add_loop_test(t, an_image_that_is_no_image_or_not_theirs_is_not_inspected, 0,
			    CES_COUNT(names));
	tcase_add_test(t, an_image_is_removed_once);
	tcase_add_test(t, a_removal_says_nothing_of_another_account_with_the_same_number);
	tcase_add_test(t, a_reference_with_a_digest_names_the_image_whatever_its_tag_is);
	return run_scenes_between("images", t, begin, scene_end);
}
