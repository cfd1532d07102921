/* Tests id maps: every inside id occurs once, no host id occurs twice, and none belongs to root or
 * another user. */
/* links: helper/session/idmap.c helper/core/beneath.c helper/core/caller.c */
/* links: helper/session/lock.c */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "helper/session/idmap.h"

#define BASE 2000065536u

static const struct ces_caller ann = {.uid = 4401, .gid = 4401};

static const struct {
	uint32_t user, group;
	gid_t projects[3];
	size_t n_projects;
} maps[] = {
    {0, 0, {0}, 0},
    {0, 0, {4411, 4412, 9}, 3},
    {1000, 1000, {4411}, 1},
    {1000, 0, {4411}, 1},
    {65535, 65535, {4411}, 1},
    {1, 65534, {4411, 4401}, 2},     /* the primary group is a project's group too */
    {4401, 4401, {4411}, 1},         /* same-uid */
    {70000, 65536, {4411, 4412}, 2}, /* same-uid of a high id, where the projects' ids begin */
};

static void check_extents(const struct ces_idmap_extent *extents, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t inside_end = (uint64_t)extents[i].inside + extents[i].count;
		uint64_t outside_end = (uint64_t)extents[i].outside + extents[i].count;

		ck_assert_uint_gt(extents[i].count, 0);
		ck_assert_msg(extents[i].outside > 0, "host root is mapped");
		ck_assert_uint_le(outside_end, UINT32_MAX);
		if (i > 0)
			ck_assert_uint_ge(extents[i].inside,
					  extents[i - 1].inside + extents[i - 1].count);
		for (size_t j = 0; j < i; j++)
			ck_assert_msg(extents[i].outside >=
					      (uint64_t)extents[j].outside + extents[j].count ||
					  outside_end <= extents[j].outside,
				      "a host id stands in the map twice");
		/* in the caller's own range, or the caller, or a single group */
		ck_assert_msg(extents[i].count == 1 ||
				  (extents[i].outside >= BASE &&
				   outside_end <= (uint64_t)BASE + CES_IDMAP_SPAN),
			      "a range of somebody else's");
		ck_assert_uint_le(inside_end, UINT32_MAX);
	}
}

START_TEST(a_map_has_only_the_caller_their_range_and_their_projects)
{
	struct ces_idmap map;
	struct ces_error err;

	ck_assert_int_eq(ces_idmap_make(&ann, maps[_i].user, maps[_i].group, BASE,
					maps[_i].projects, maps[_i].n_projects, &map, &err),
			 0);
	check_extents(map.uid.v, map.uid.n);
	check_extents(map.gid.v, map.gid.n);
	ck_assert_uint_eq(ces_idmap_host_uid(&map, maps[_i].user), ann.uid);
	ck_assert_uint_eq(ces_idmap_host_gid(&map, maps[_i].group), ann.gid);
	for (uint32_t id = 0; id < CES_IDMAP_SPAN; id++) {
		if (id != maps[_i].user)
			ck_assert_uint_eq(ces_idmap_host_uid(&map, id), BASE + id);
		if (id != maps[_i].group)
			ck_assert_uint_eq(ces_idmap_host_gid(&map, id), BASE + id);
	}
}
END_TEST

START_TEST(a_user_made_with_the_callers_numbers_is_the_caller_in_the_projects_group)
{
	static const gid_t projects[] = {4411, 4412}, primary[] = {4411, 4401};
	struct ces_idmap map;
	struct ces_error err;

	ck_assert_int_eq(ces_idmap_make_own(&ann, BASE, projects, 2, &map, &err), 0);
	check_extents(map.uid.v, map.uid.n);
	check_extents(map.gid.v, map.gid.n);
	ck_assert_uint_eq(ces_idmap_host_uid(&map, 4401), 4401);
	ck_assert_uint_eq(ces_idmap_host_gid(&map, 4401), 4411);
	ck_assert_uint_eq(ces_idmap_host_gid(&map, map.group), 4401);
	ck_assert_uint_eq(map.n_project_gids, 2);
	ck_assert_uint_eq(ces_idmap_host_gid(&map, map.project_gids[0]), 4411);
	ck_assert_uint_eq(ces_idmap_host_gid(&map, map.project_gids[1]), 4412);
	ck_assert_uint_eq(ces_idmap_host_uid(&map, 0), BASE);
	/* a caller whose own group is the project's */
	ck_assert_int_eq(ces_idmap_make_own(&ann, BASE, primary, 2, &map, &err), 0);
	check_extents(map.gid.v, map.gid.n);
	ck_assert_uint_eq(ces_idmap_host_gid(&map, 4401), 4401);
	ck_assert_uint_eq(map.group, 4401);
	/* without a project group, and with one that belongs to root */
	ck_assert_int_eq(ces_idmap_make_own(&ann, BASE, NULL, 0, &map, &err), 0);
	ck_assert_uint_eq(map.group, 4401);
	ck_assert_int_lt(ces_idmap_make_own(&ann, BASE, (gid_t[]){0}, 1, &map, &err), 0);
}
END_TEST

START_TEST(each_project_group_has_an_inside_id)
{
	struct ces_idmap map;
	struct ces_error err;
	size_t expected = 0;

	ck_assert_int_eq(ces_idmap_make(&ann, maps[_i].user, maps[_i].group, BASE,
					maps[_i].projects, maps[_i].n_projects, &map, &err),
			 0);
	for (size_t i = 0; i < maps[_i].n_projects; i++)
		if (maps[_i].projects[i] != ann.gid)
			ck_assert_uint_eq(ces_idmap_host_gid(&map, map.project_gids[expected++]),
					  maps[_i].projects[i]);
	ck_assert_uint_eq(map.n_project_gids, expected);
}
END_TEST

static const struct {
	const char *what;
	uid_t uid;
	gid_t gid, project;
	uint32_t base;
} refused[] = {
    {"host root as the caller", 0, 4401, 4411, BASE},
    {"host group 0 as the caller's", 4401, 0, 4411, BASE},
    {"host group 0 as a project's", 4401, 4401, 0, BASE},
    {"a range among the system's ids", 4401, 4401, 4411, 1000},
    {"no range", 4401, 4401, 4411, 0},
};

START_TEST(an_id_that_must_not_be_mapped_is_refused)
{
	const struct ces_caller caller = {.uid = refused[_i].uid, .gid = refused[_i].gid};
	struct ces_idmap map;
	struct ces_error err;

	ck_assert_msg(ces_idmap_make(&caller, 0, 0, refused[_i].base, &refused[_i].project, 1, &map,
				     &err) < 0,
		      "%s", refused[_i].what);
}
END_TEST

START_TEST(an_id_outside_the_map_has_no_host_id)
{
	struct ces_idmap map;
	struct ces_error err;

	ck_assert_int_eq(ces_idmap_make(&ann, 0, 0, BASE, NULL, 0, &map, &err), 0);
	ck_assert_uint_eq(ces_idmap_host_uid(&map, CES_IDMAP_SPAN), UINT32_MAX);
	ck_assert_uint_eq(ces_idmap_host_gid(&map, CES_IDMAP_SPAN), UINT32_MAX);
}
END_TEST

START_TEST(a_workers_root_is_its_system_user)
{
	struct ces_idmap map;
	struct ces_error err;

	ck_assert_int_eq(ces_idmap_worker(990, 991, 2000000000u, &map, &err), 0);
	ck_assert_uint_eq(ces_idmap_host_uid(&map, 0), 990);
	ck_assert_uint_eq(ces_idmap_host_gid(&map, 0), 991);
	ck_assert_uint_eq(ces_idmap_host_uid(&map, 65535), 2000065535u);
	ck_assert_int_lt(ces_idmap_worker(0, 991, 2000000000u, &map, &err), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("idmap");
	TCase *tests = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tests, a_map_has_only_the_caller_their_range_and_their_projects, 0,
			    (int)CES_COUNT(maps));
	tcase_add_test(tests,
		       a_user_made_with_the_callers_numbers_is_the_caller_in_the_projects_group);
	tcase_add_loop_test(tests, each_project_group_has_an_inside_id, 0, (int)CES_COUNT(maps));
	tcase_add_loop_test(tests, an_id_that_must_not_be_mapped_is_refused, 0,
			    (int)CES_COUNT(refused));
	tcase_add_test(tests, an_id_outside_the_map_has_no_host_id);
	tcase_add_test(tests, a_workers_root_is_its_system_user);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
