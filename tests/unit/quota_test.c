/* Tests how much of the store a user has, and sets of digests. */
/* links: helper/store/quota.c helper/store/digests.c helper/store/grants.c helper/store/store.c helper/session/store.c helper/core/beneath.c helper/session/frames.c helper/session/lock.c helper/session/object.c helper/clean/tree.c */
#include "helper/store/quota.h"

#include <stdint.h>
#include <sys/statvfs.h>

#include "common/image.h"
#include "common/record.h"
#include "helper/store/digests.h"
#include "tests/unit/no_memory.h"
#include "tests/unit/store_scene.h"

/* ---- a file system of the test's choice ---- */

static struct statvfs disk; /* f_frsize 0: the real one's error */

int fstatvfs(int fd, struct statvfs *ret)
{
	ck_assert_int_eq(fd, store.layers);
	*ret = disk;
	errno = EIO;
	return disk.f_frsize == 0 ? -1 : 0;
}

/* ---- users and images ---- */

static struct ces_store_order order;

static void begin(void)
{
	scene_begin();
	disk = (struct statvfs){.f_frsize = 4096, .f_blocks = 1000, .f_bavail = 100};
	order = (struct ces_store_order){
	    .uid = 1234, .user = "me", .space = 1000, .images = 3, .reserve = 4096};
}

/* Gives the user an image of two layers. Its layers' sizes are their numbers. */
static void have_image(unsigned image, const char *user, unsigned one, unsigned two)
{
	char name[] = "ghcr.io/lab/tool:0", layers[2][CES_DIGEST_LENGTH + 1];
	char *diff_ids[] = {layers[0], layers[1]}, of[CES_DIGEST_LENGTH + 1];
	const struct ces_image_record record = {.digest = of, .diff_ids = {diff_ids, 2}};
	const struct ces_bytes none = {name, 0};
	struct ces_grant grant = {.reference = name,
				  .user = (char *)(uintptr_t)user,
				  .top_digest = of,
				  .digest = of,
				  .pulled = 1,
				  .image = record};

	name[sizeof(name) - 2] = (char)('0' + image);
	(void)strcpy(of, digest(0x10000 + image));
	(void)strcpy(layers[0], digest(one));
	(void)strcpy(layers[1], digest(two));
	have_layer(layers[0], one, D1);
	have_layer(layers[1], two, D1);
	ck_assert_int_eq(ces_store_commit_image(&store, &record, &none, &none, &err), 0);
	ck_assert_int_eq(ces_store_write_grant(&store, 1234, &grant, NULL, NULL, &err), 0);
}

static int check(const char *reference, uint64_t *ret_left)
{
	const struct ces_image_record none = {0};

	(void)snprintf(order.image, sizeof(order.image), "%s", reference);
	return ces_quota_check(&order, &store, &none, ret_left, &err);
}

START_TEST(a_layer_in_two_images_counts_once)
{
	char *more[] = {digest(300), digest(5), digest(300)};
	const struct ces_image_record image = {.diff_ids = {more, 3}};
	uint64_t left = 77;

	ck_assert_int_eq(check("ghcr.io/lab/tool:9", &left), 0);
	ck_assert_uint_eq(left, 1000);
	have_image(1, "me", 100, 200);
	have_image(2, "me", 200, 300);
	ck_assert_int_eq(check("ghcr.io/lab/tool:9", &left), 0);
	ck_assert_uint_eq(left, 400);
	have_layer(digest(5), 5, D1);
	ck_assert_int_eq(ces_quota_check(&order, &store, &image, &left, &err), 0);
	ck_assert_uint_eq(left, 395);
}
END_TEST

/* A file counts in blocks of 4 KiB. Both references mean one image. */
START_TEST(the_documents_of_an_image_count_once)
{
	static const struct ces_image_record none;
	struct ces_image_record image = {.digest = digest(0x10001)};
	uint64_t left;

	order.space = 100000;
	have_image(1, "me", 100, 200);
	put_text(store.images, part(image.digest, "manifest"), "x");
	put_bytes(store.images, part(image.digest, "config"), (char[4097]){0}, 4097);
	ck_assert_int_eq(ces_quota_check(&order, &store, &none, &left, &err), 0);
	ck_assert_uint_eq(left, 100000 - 300 - 4096 - 8192);
	ck_assert_int_eq(ces_quota_check(&order, &store, &image, &left, &err), 0);
	ck_assert_uint_eq(left, 100000 - 300 - 4096 - 8192);
	order.space = 300 + 4096 + 8191;
	ck_assert_int_eq(ces_quota_check(&order, &store, &none, &left, &err), -1);
	ck_assert_str_eq(err.rule, "host.user_limits.store");
	/* before it has a grant */
	ck_assert_int_eq(ces_store_remove_grant(&store, 1234, "ghcr.io/lab/tool:1", &err), 0);
	order.space = 4096 + 8191;
	ck_assert_int_eq(ces_quota_check(&order, &store, &none, &left, &err), 0);
	ck_assert_int_eq(ces_quota_check(&order, &store, &image, &left, &err), -1);
}
END_TEST

START_TEST(the_image_that_is_replaced_does_not_count)
{
	uint64_t left;

	have_image(1, "me", 100, 200);
	have_image(2, "me", 200, 300);
	ck_assert_int_eq(check("ghcr.io/lab/tool:1", &left), 0);
	ck_assert_uint_eq(left, 500);
}
END_TEST

START_TEST(images_of_another_account_with_the_same_number_go)
{
	CES_CLEANUP_FD int grants = -1;
	uint64_t left;

	have_image(1, "other", 100, 200);
	have_image(2, "me", 200, 300);
	have_image(3, NULL, 10, 20);
	ck_assert_int_eq(check("ghcr.io/lab/tool:9", &left), 0);
	ck_assert_uint_eq(left, 500);
	grants = openat(store.grants, "1234", O_RDONLY | O_CLOEXEC);
	ck_assert_uint_eq(count(grants), 1);
}
END_TEST

static const struct {
	uint64_t space;
	int result;
	uint64_t left;
} spaces[] = {
    {599, -1, 77},
    {600, 0, 0},
    {601, 0, 1},
    {1, -1, 77},
    {UINT64_MAX, 0, UINT64_MAX - 600},
    {0, 0, 1000 * 4096 / 2 - 600}, /* half of the disk */
};

START_TEST(a_user_has_as_much_as_the_policy_says)
{
	uint64_t left = 77;

	have_image(1, "me", 100, 200);
	have_image(2, "me", 200, 300);
	order.space = spaces[_i].space;
	ck_assert_int_eq(check("ghcr.io/lab/tool:9", &left), spaces[_i].result);
	ck_assert_uint_eq(left, spaces[_i].left);
	if (spaces[_i].result == 0)
		return;
	ck_assert_int_eq(err.code, CES_E_LIMIT);
	ck_assert_str_eq(err.rule, "host.user_limits.store");
}
END_TEST

START_TEST(a_user_has_as_many_images_as_the_policy_says)
{
	uint64_t left = 77;

	for (unsigned i = 1; i <= 3; i++)
		have_image(i, "me", i, 10 + i);
	ck_assert_int_eq(check("ghcr.io/lab/tool:3", &left), 0); /* (in place of one) */
	ck_assert_int_eq(check("ghcr.io/lab/tool:9", &left), -1);
	ck_assert_int_eq(err.code, CES_E_LIMIT);
	ck_assert_str_eq(err.rule, "host.user_limits.images");
	order.images = 0;
	ck_assert_int_eq(ces_store_remove_grant(&store, 1234, "ghcr.io/lab/tool:2", &err), 0);
	ck_assert_int_eq(check("ghcr.io/lab/tool:9", &left), -1);
}
END_TEST

START_TEST(an_image_without_its_layers_takes_no_space_but_a_place)
{
	uint64_t left;

	have_image(1, "me", 100, 200);
	ck_assert_int_eq(remove_tree(store.layers, ces_store_hex(digest(100))), 0);
	ck_assert_int_eq(remove_tree(store.layers, ces_store_hex(digest(200))), 0);
	ck_assert_int_eq(check("ghcr.io/lab/tool:9", &left), 0);
	ck_assert_uint_eq(left, 1000);
	order.images = 1;
	ck_assert_int_eq(check("ghcr.io/lab/tool:9", &left), -1);
}
END_TEST

START_TEST(what_cannot_be_read_allows_nothing)
{
	uint64_t left;

	if (_i == 0) {
		order.space = 0;
		disk.f_frsize = 0;
	} else {
		have_image(1, "me", 100, 200);
		ck_assert_int_eq(fchmodat(store.grants, "1234", 0755, 0), 0);
	}
	ck_assert_int_eq(check("ghcr.io/lab/tool:9", &left), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
}
END_TEST

START_TEST(without_memory_nothing_is_allowed)
{
	uint64_t left = 77;

	have_image(1, "me", 100, 200);
	no_memory = true;
	ck_assert_int_eq(check("ghcr.io/lab/tool:9", &left), -1);
	no_memory = false;
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_str_eq(err.text, "out of memory");
	ck_assert_uint_eq(left, 77);
}
END_TEST

static const struct {
	uint64_t blocks, reserve, needed;
	int result;
} rooms[] = {
    {100, 4096, 99 * 4096, 0}, {100, 4096, 99 * 4096 + 1, -1},
    {100, 0, 100 * 4096, 0},   {100, 100 * 4096, 0, 0},
    {100, 100 * 4096, 1, -1},  {100, UINT64_MAX, 1, -1},
    {100, UINT64_MAX, 0, 0},   {0, 0, 0, 0},
    {0, 4096, 1, -1},          {100, 0, UINT64_MAX, -1},
};

START_TEST(there_is_room_for_what_the_disk_has_beside_the_reserve)
{
	disk.f_bavail = rooms[_i].blocks;
	order.reserve = rooms[_i].reserve;
	ck_assert_int_eq(ces_quota_room(&store, order.reserve, rooms[_i].needed, "layers", &err),
			 rooms[_i].result);
	if (rooms[_i].result < 0)
		ck_assert_int_eq(err.code, CES_E_HOST);
	disk.f_frsize = 0;
	ck_assert_int_eq(ces_quota_room(&store, order.reserve, 0, "layers", &err), -1);
}
END_TEST

/* ---- sets of digests ---- */

START_TEST(a_set_has_each_digest_once_and_no_other_text)
{
	char *texts[] = {digest(1), digest(2), digest(1)};
	const struct ces_strings three = {texts, 3};
	struct ces_digests set = {0};

	ck_assert(!ces_digests_has(&set, D1 + 7));
	ck_assert(ces_digests_add(&set, D1));
	ck_assert(!ces_digests_add(&set, D1));
	ck_assert(ces_digests_has(&set, D1 + 7));
	ck_assert(!ces_digests_has(&set, D1));
	ck_assert(!ces_digests_has(&set, D2 + 7));
	ck_assert(!ces_digests_has(&set, ""));
	ces_digests_add_all(&set, &three);
	ck_assert(ces_digests_has(&set, digest(2) + 7));
	ck_assert(!ces_digests_add(&set, digest(1)));
	ck_assert(ces_digests_add(&set, "../../etc/passwd"));
	ck_assert(!ces_digests_has(&set, "../../etc/passwd"));
	ck_assert(ces_digests_has(&set, "invalid"));
	ck_assert(!set.failed);
	ces_digests_free(&set);
	ck_assert(!ces_digests_has(&set, D1 + 7));
	ck_assert(ces_digests_add(&set, D1));
	ces_digests_free(&set);
}
END_TEST

START_TEST(a_set_has_many)
{
	struct ces_digests set = {0};

	for (unsigned i = 0; i < 20000; i++)
		ck_assert(ces_digests_add(&set, digest(i * 7919)));
	for (unsigned i = 0; i < 20000; i++)
		ck_assert(ces_digests_has(&set, digest(i * 7919) + 7));
	ck_assert(!ces_digests_has(&set, digest(1) + 7));
	ces_digests_free(&set);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("quota");

	tcase_add_test(t, a_layer_in_two_images_counts_once);
	tcase_add_test(t, the_documents_of_an_image_count_once);
	tcase_add_test(t, the_image_that_is_replaced_does_not_count);
	tcase_add_test(t, images_of_another_account_with_the_same_number_go);
	tcase_add_loop_test(t, a_user_has_as_much_as_the_policy_says, 0, CES_COUNT(spaces));
	tcase_add_test(t, a_user_has_as_many_images_as_the_policy_says);
	tcase_add_test(t, an_image_without_its_layers_takes_no_space_but_a_place);
	tcase_add_loop_test(t, what_cannot_be_read_allows_nothing, 0, 2);
	tcase_add_test(t, without_memory_nothing_is_allowed);
	tcase_add_loop_test(t, there_is_room_for_what_the_disk_has_beside_the_reserve, 0,
			    CES_COUNT(rooms));
	tcase_add_test(t, a_set_has_each_digest_once_and_no_other_text);
	tcase_add_test(t, a_set_has_many);
	return run_scenes_between("quota", t, begin, scene_end);
}
