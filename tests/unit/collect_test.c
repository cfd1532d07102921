/* Tests the collector: what it removes, what it keeps, and that nobody waits for it. */
/* links: helper/store/collect.c helper/store/digests.c helper/store/grants.c helper/store/store.c helper/session/store.c helper/session/store_open.c helper/pull/steps.c helper/pull/layers.c helper/pull/workers.c helper/core/beneath.c helper/core/spawn.c helper/core/capability.c helper/session/frames.c helper/session/lock.c helper/session/object.c helper/clean/tree.c helper/session/runs.c helper/session/mounts.c helper/session/idmap.c helper/launch/overlay.c */
#include "tests/unit/collect_scene.h"

/* ---- what goes ---- */

START_TEST(an_image_that_nobody_has_goes_with_the_layers_that_no_other_has)
{
	have_image(1);
	have_image(2);
	have_layer(digest(3), 1, D1);
	give(2, NOW, NOW, 0);
	collect();
	ck_assert(!has_image(1));
	ck_assert(has_image(2));
	ck_assert_uint_eq(count(store.layers), 2);
}
END_TEST

static const struct {
	uint64_t pulled, used, retain;
	bool kept;
} ages[] = {
    {1, 1, 0, true}, /* always */
    {NOW - 100, NOW - 100, 100, true},
    {NOW - 101, NOW - 101, 100, false},
    {NOW - 5000, NOW - 100, 100, true}, /* used since */
    {NOW - 5000, NOW - 101, 100, false},
    {NOW + 5000, NOW, 1, true}, /* a clock that was ahead */
    {NOW, NOW + 5000, 1, true},
    {NOW, NOW, UINT64_MAX, true},
    {1, 1, UINT64_MAX, true},
    {NOW - 1, NOW - 1, 1, true},
    {NOW - 2, NOW - 2, 1, false},
};

START_TEST(a_grant_ends_when_its_time_after_the_last_use_is_over)
{
	have_image(1);
	give(1, ages[_i].pulled, ages[_i].used, ages[_i].retain);
	collect();
	ck_assert_int_eq(has_image(1), ages[_i].kept);
}
END_TEST

START_TEST(a_live_run_or_pull_keeps_its_image_and_its_grant)
{
	struct ces_grant grant;
	int entry;

	have_image(1);
	have_image(2);
	have_layer(digest(7), 1, D1);
	give(1, 1, 1, 1);
	entry = enter(_i == 0 ? "0123456789" : "pull-0123456789", digest(1), digest(7));
	collect();
	ck_assert(has_image(1));
	ck_assert(!has_image(2));
	ck_assert(is_there(store.layers, ces_store_hex(digest(7))));
	ck_assert_int_eq(ces_store_read_grant(&store, UID, "me", reference_of(1), &grant, &err), 0);
	ces_grant_free(&grant);
	close(entry);
	ces_runs_leave(runs, _i == 0 ? "0123456789" : "pull-0123456789");
	collect();
	ck_assert(!has_image(1));
	ck_assert_uint_eq(count(store.layers), 0);
}
END_TEST

/* The name of what may hold signatures, by its repository. */
static const char *signed_in(const char *repository)
{
	static char texts[2][80];
	static unsigned next;
	char digest_of[CES_DIGEST_LENGTH + 1];

	next = 1 - next;
	ces_digest_of(repository, strlen(repository), digest_of);
	(void)snprintf(texts[next], sizeof(texts[next]), "signed-%s", digest_of + 7);
	return texts[next];
}

/* (the image is in the store for another repository's sake, or for that of a run or pull) */
START_TEST(what_may_hold_signatures_goes_with_the_last_grant_of_its_repository)
{
	const char *own = signed_in("ghcr.io/lab/tool"), *other = signed_in("ghcr.io/lab/other");
	int entry = -1;

	have_image(1);
	have_image(2);
	give(1, NOW, NOW, 0);
	give(2, NOW, NOW, 0);
	put_text(store.images, part(digest(1), own), "");
	put_text(store.images, part(digest(1), other), "");
	if (_i == 1)
		entry = enter("0123456789", digest(1), digest(101));
	collect();
	ck_assert(has_image(1));
	ck_assert(is_there(store.images, part(digest(1), own)));
	ck_assert(is_there(store.images, part(digest(1), "manifest")));
	ck_assert(is_there(store.images, part(digest(1), "config")));
	ck_assert_int_eq(is_there(store.images, part(digest(1), other)), _i == 1);
	ces_cleanup_close(&entry);
}
END_TEST

START_TEST(what_cannot_be_read_keeps_what_may_hold_signatures)
{
	const char *other = signed_in("ghcr.io/lab/other");

	have_image(1);
	give(1, NOW, NOW, 0);
	put_text(store.images, part(digest(1), other), "");
	unreadable = runs;
	run_collector(false);
	unreadable = -1;
	ck_assert(is_there(store.images, part(digest(1), other)));
}
END_TEST

static int pull_entry;

static void the_pull_ends(void)
{
	at_entry = NULL;
	ck_assert_int_eq(renameat(store.dir, "written", store.grants, "1234"), 0);
	ces_runs_leave(runs, "pull-0123456789");
}

START_TEST(a_pull_that_ends_meanwhile_is_seen_in_one_place_or_the_other)
{
	have_image(1);
	give(1, NOW, NOW, 0);
	ck_assert_int_eq(renameat(store.grants, "1234", store.dir, "written"), 0);
	pull_entry = enter("pull-0123456789", digest(1), digest(101));
	at_entry = the_pull_ends;
	collect();
	close(pull_entry);
	ck_assert(is_there(store.images, ces_store_hex(digest(1))));
	ck_assert_ptr_null(at_entry);
}
END_TEST

START_TEST(a_damaged_grant_is_nobodys_and_its_layers_go)
{
	char of[CES_DIGEST_LENGTH + 1], path[100];

	have_image(1);
	have_image(2);
	give(1, NOW, NOW, 0);
	give(2, NOW, NOW, 0);
	ces_digest_of(reference_of(1), strlen(reference_of(1)), of);
	(void)snprintf(path, sizeof(path), "%u/%s", UID, of + 7);
	put_text(store.grants, path, "torn");
	collect();
	ck_assert(!has_image(1));
	ck_assert(has_image(2));
}
END_TEST

/* (its user has removed the image meanwhile, and nothing else names its layers) */
START_TEST(the_layers_of_a_live_run_that_an_older_ces_has_entered_stay)
{
	int entry = enter("0123456789", digest(1), NULL);

	have_image(1);
	run_collector(false);
	ck_assert(has_image(1));
	close(entry);
	ces_runs_leave(runs, "0123456789");
	collect();
	ck_assert(!has_image(1));
}
END_TEST

START_TEST(a_collector_that_has_nothing_to_remove_starts_no_ces_clean)
{
	cleanings = 0;
	collect();
	ck_assert_uint_eq(cleanings, 0);
}
END_TEST

START_TEST(staging_of_a_dead_pull_and_old_trash_go_and_a_live_pulls_staging_stays)
{
	CES_CLEANUP_FD int live = -1;
	CES_CLEANUP_FD int dead = -1;
	char name[CES_STEP_NAME + 1], other[CES_STEP_NAME + 1];

	ck_assert_int_eq(ces_store_stage(&store, name, &live, &err), 0);
	ck_assert_int_eq(ces_store_stage(&store, other, &dead, &err), 0);
	put_text(dead, "file", "");
	ces_cleanup_close(&dead);
	ck_assert_int_eq(mkdirat(store.trash, "0123456789abcdef", 0700), 0);
	put_text(store.trash, "0123456789abcdef/file", "");
	put_text(store.trash, "fedcba9876543210", "");
	put_text(store.trash, "no-name-of-ours-", "");
	put_text(store.staging, "0000000000000000", "");
	ck_assert_int_eq(symlinkat("../layers", store.staging, "1111111111111111"), 0);
	run_collector(false);
	ck_assert_uint_eq(count(store.staging), 1);
	ck_assert_uint_eq(count(store.trash), 0);
	ck_assert_uint_eq(cleanings, 1); /* one ces-clean for all */
	ck_assert(is_there(store.staging, name));
	ck_assert_int_eq(remove_tree(store.staging, name), 0);
}
END_TEST

START_TEST(a_claim_of_a_killed_pull_goes_and_that_of_a_live_one_stays)
{
	CES_CLEANUP_FD int live = -1;
	struct stat st;

	put_text(store.locks, "layer-dead", "");
	put_text(store.locks, "layer-live", "");
	put_text(store.locks, "next", "");
	live = openat(store.locks, "layer-live", O_RDWR | O_CLOEXEC);
	ck_assert_int_eq((int)syscall(SYS_flock, live, LOCK_EX | LOCK_NB), 0);
	collect();
	ck_assert_int_lt(fstatat(store.locks, "layer-dead", &st, 0), 0);
	ck_assert(is_there(store.locks, "layer-live"));
	ck_assert(is_there(store.locks, "next"));
}
END_TEST

/* ---- what cannot be read keeps everything ---- */

static void spoil(int how)
{
	switch (how) {
	case 0: /* a user's grants */
		ck_assert_int_eq(fchmodat(store.grants, "1234", 0755, 0), 0);
		break;
	case 1: /* one grant */
		put_text(store.grants, "1234/x", "");
		ck_assert_int_eq(mkdirat(store.grants,
					 "1234/"
					 "00000000000000000000000000000000"
					 "00000000000000000000000000000000",
					 0700),
				 0);
		break;
	case 2: /* the record of a run */
		ck_assert_int_eq(mkdirat(runs, "9999999999", 0700), 0);
		ck_assert_int_eq(mkdirat(runs, "9999999999/record", 0700), 0);
		break;
	default: /* that of a pull */
		ck_assert_int_eq(mkdirat(runs, "pull-9999999999", 0700), 0);
		ck_assert_int_eq(mkdirat(runs, "pull-9999999999/record", 0700), 0);
	}
}

START_TEST(what_cannot_be_read_now_may_need_anything)
{
	have_image(1);
	have_image(2);
	give(2, NOW, NOW, 0);
	spoil(_i);
	run_collector(false);
	ck_assert(has_image(1));
	ck_assert(has_image(2));
}
END_TEST

START_TEST(a_directory_that_cannot_be_listed_may_have_anything)
{
	const int directories[] = {store.grants, runs};
	int entry = enter("pull-0123456789", digest(9), digest(99));

	have_layer(digest(99), 1, D1);
	have_image(1);
	give(1, NOW, NOW, 0);
	unreadable = directories[_i];
	run_collector(false);
	unreadable = -1;
	ck_assert(has_image(1));
	ck_assert(is_there(store.layers, ces_store_hex(digest(99))));
	close(entry);
}
END_TEST

/* (a run that the register does not show may have it) */
START_TEST(no_grant_expires_while_the_register_cannot_be_read)
{
	struct ces_grant grant;

	have_image(1);
	give(1, 1, 1, 1);
	unreadable = runs;
	run_collector(false);
	unreadable = -1;
	ck_assert_int_eq(ces_store_read_grant(&store, UID, "me", reference_of(1), &grant, &err), 0);
	ces_grant_free(&grant);
	collect();
	ck_assert(!has_image(1));
}
END_TEST

START_TEST(without_memory_nothing_goes)
{
	int entry = enter("0123456789", digest(2), digest(102));
	struct ces_grant grant;

	have_image(1);
	have_image(2);
	give(2, 1, 1, 1); /* past its time, but a run needs it */
	no_memory = true;
	run_collector(false);
	no_memory = false;
	close(entry);
	ck_assert(has_image(1));
	ck_assert(has_image(2));
	ck_assert_int_eq(ces_store_read_grant(&store, UID, "me", reference_of(2), &grant, &err), 0);
	ces_grant_free(&grant);
}
END_TEST

START_TEST(names_that_are_no_users_and_no_digests_are_nobodys)
{
	ck_assert_int_eq(mkdirat(store.grants, "nobody", 0755), 0);
	ck_assert_int_eq(mkdirat(store.grants, "4294967296", 0755), 0);
	put_text(store.images, "x", "");
	ck_assert_int_eq(mkdirat(store.layers, "y", 0700), 0);
	have_image(1);
	give(1, NOW, NOW, 0);
	collect();
	ck_assert(has_image(1));
	ck_assert_uint_eq(count(store.images), 1);
	ck_assert_uint_eq(count(store.layers), 2);
	ck_assert_uint_eq(count(store.grants), 3);
}
END_TEST

/* ---- turns ---- */

START_TEST(a_turn_ends_when_its_time_is_up_and_others_come_in_between)
{
	for (unsigned i = 1; i <= 3; i++)
		have_image(i);
	note_steps(0);
	tick = 1000;
	collect();
	/* four layers and three images, one a turn; the last turn finds nothing more */
	ck_assert_str_eq(steps, "lock\npause 100000\nlock\npause 100000\n"
				"lock\npause 100000\nlock\npause 100000\n"
				"lock\npause 100000\nlock\npause 100000\n"
				"lock\npause 100000\nlock\n");
	ck_assert_uint_eq(count(store.layers) + count(store.images), 0);
}
END_TEST

/* ---- its turn ---- */

/* The last turn was long ago, or just now; another process waits for the next, or none does. */
START_TEST(one_collector_at_a_time_waits_for_its_turn)
{
	const struct timespec old[2] = {{NOW - 60, 0}, {NOW - 60, 0}},
			      just[2] = {{NOW - 1, 0}, {NOW - 1, 0}};
	CES_CLEANUP_FD int next = openat(store.locks, "next", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_eq(futimens(next, _i % 2 == 0 ? old : just), 0);
	if (_i >= 2)
		ck_assert_int_eq(flock(next, LOCK_EX | LOCK_NB), 0);
	have_image(1);
	run_collector(true);
	ck_assert_int_eq(has_image(1), _i == 3);
	ck_assert(!locked());
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("collect");

	tcase_add_test(t, an_image_that_nobody_has_goes_with_the_layers_that_no_other_has);
	tcase_add_loop_test(t, a_grant_ends_when_its_time_after_the_last_use_is_over, 0,
			    CES_COUNT(ages));
	tcase_add_loop_test(t, a_live_run_or_pull_keeps_its_image_and_its_grant, 0, 2);
	tcase_add_loop_test(t, what_may_hold_signatures_goes_with_the_last_grant_of_its_repository,
			    0, 2);
	tcase_add_test(t, what_cannot_be_read_keeps_what_may_hold_signatures);
	tcase_add_test(t, a_pull_that_ends_meanwhile_is_seen_in_one_place_or_the_other);
	tcase_add_test(t, a_damaged_grant_is_nobodys_and_its_layers_go);
	tcase_add_test(t, the_layers_of_a_live_run_that_an_older_ces_has_entered_stay);
	tcase_add_test(t, a_collector_that_has_nothing_to_remove_starts_no_ces_clean);
	tcase_add_test(t, staging_of_a_dead_pull_and_old_trash_go_and_a_live_pulls_staging_stays);
	tcase_add_test(t, a_claim_of_a_killed_pull_goes_and_that_of_a_live_one_stays);
	tcase_add_loop_test(t, what_cannot_be_read_now_may_need_anything, 0, 4);
	tcase_add_loop_test(t, a_directory_that_cannot_be_listed_may_have_anything, 0, 2);
	tcase_add_test(t, no_grant_expires_while_the_register_cannot_be_read);
	tcase_add_test(t, without_memory_nothing_goes);
	tcase_add_test(t, names_that_are_no_users_and_no_digests_are_nobodys);
	tcase_add_test(t, a_turn_ends_when_its_time_is_up_and_others_come_in_between);
	tcase_add_loop_test(t, one_collector_at_a_time_waits_for_its_turn, 0, 4);
	return run_scenes_between("collect", t, begin, scene_end);
}
