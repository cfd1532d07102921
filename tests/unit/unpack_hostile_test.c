/* What a layer cannot do: reach anything outside of its directory, or go beyond the caps. */
/* links: helper/unpack/layer.c helper/unpack/tree.c helper/unpack/walk.c helper/unpack/path.c */
/* links: helper/unpack/whiteout.c helper/unpack/stream.c helper/unpack/decode.c */
#include "tests/unit/unpack_scene.h"

#define MOST 8

static const struct {
	const char *because;
	enum ces_code code;
	struct tar_entry entries[MOST];
} bad[] = {
    {"leaves the image", CES_E_IMAGE, {{"../canary", '0', "x"}}},
    {"leaves the image", CES_E_IMAGE, {{"a/../../canary", '0', "x"}}},
    {"leaves the image", CES_E_IMAGE, {{"/..", '5'}}},
    {"leaves the image", CES_E_IMAGE, {{"a", '5'}, {"a/..", '0', "x"}}},
    {"leaves the image", CES_E_IMAGE, {{"x", '1', "../canary"}}},
    {"leaves the image", CES_E_IMAGE, {{".wh./../x", '0'}}},
    {"no file of this layer", CES_E_IMAGE, {{"x", '1', "/etc/passwd"}}},
    {"no file of this layer", CES_E_IMAGE, {{"x", '1', "x"}}},
    {"no file of this layer", CES_E_IMAGE, {{"l", '2', ".."}, {"x", '1', "l/canary"}}},
    {"no file of this layer", CES_E_IMAGE, {{"d", '5'}, {"x", '1', "d"}}},
    {"no file of this layer", CES_E_IMAGE, {{"d", '5'}, {"x", '1', "/"}}},
    {"no file of this layer", CES_E_IMAGE, {{".wh.w", '0'}, {"x", '1', "w"}}},
    {"not a directory", CES_E_IMAGE, {{"f", '0', "x"}, {"f/g", '0', "x"}}},
    {"too many symlinks", CES_E_IMAGE, {{"a", '2', "b"}, {"b", '2', "a"}, {"a/x", '0'}}},
    {"too many symlinks", CES_E_IMAGE, {{"a", '2', "a/b"}, {"a/x", '0'}}},
    {"not empty", CES_E_IMAGE, {{"d/f", '0', "x"}, {"d", '2', "/etc"}}},
    {"only a directory", CES_E_IMAGE, {{".", '2', "/etc"}}},
    {"malformed whiteout", CES_E_IMAGE, {{".wh.", '0'}}},
    {"malformed whiteout", CES_E_IMAGE, {{"d/.wh..", '0'}}},
    {"malformed whiteout", CES_E_IMAGE, {{"d/.wh...", '0'}}},
    {"below a whiteout", CES_E_IMAGE, {{".wh.d/x", '0'}}},
    {"symlink to nothing", CES_E_IMAGE, {{"s", '2', ""}}},
    {"unpacks to more", CES_E_LIMIT, {{"f", '0', "x", .size = 1ULL << 32}}},
    {"unpacks to more", CES_E_LIMIT, {{"f", '0', "x"}, {"g", '0', "x", .size = 1 << 20}}},
    {"broken", CES_E_IMAGE, {{"f", '0', "x", .size = 100000}}},
};

START_TEST(a_hostile_layer_is_refused_with_its_reason)
{
	ck_assert_int_eq(extract_entries(bad[_i].entries, MOST), -1);
	ck_assert_msg(strstr(err.text, bad[_i].because) != NULL, "\"%s\" does not say \"%s\"",
		      err.text, bad[_i].because);
	ck_assert_int_eq(err.code, bad[_i].code);
}
END_TEST

START_TEST(an_error_names_the_entry_in_printable_characters)
{
	ck_assert_int_eq(EXTRACT(ENTRY("../\033[2J", '0', "x")), -1);
	ck_assert_str_eq(err.text, "entry \"../?[2J\": it leaves the image");
}
END_TEST

START_TEST(too_many_entries_are_stopped_whatever_they_are)
{
	static const struct tar_entry kinds[] = {
	    {"d/", '5'},    {"f", '0'},         {"dev", '3'},   {"d/.wh..wh..opq", '0'},
	    {".wh.x", '0'}, {".wh..wh.y", '0'}, {"s", '2', "x"}};
	struct tar tar = {NULL, 0};

	limits.max_entries = 10;
	for (int i = 0; i < 20; i++)
		tar_add(&tar, &kinds[_i]);
	tar_end(&tar);
	ck_assert_int_eq(extract(&tar), -1);
	ck_assert_int_eq(err.code, CES_E_LIMIT);
	ck_assert_ptr_nonnull(strstr(err.text, "more than 10 entries"));
	free(tar.bytes);
}
END_TEST

START_TEST(directories_made_on_the_way_count_too)
{
	limits.max_entries = 10;
	ck_assert_int_eq(EXTRACT(ENTRY("1/2/3/4/5/6/7/8/9/10/11", '0')), -1);
	ck_assert_int_eq(err.code, CES_E_LIMIT);
}
END_TEST

START_TEST(no_path_gets_deeper_than_the_cap_even_by_symlinks)
{
	struct tar tar = {NULL, 0};
	char path[1024] = "", link[64];

	for (int i = 0; i < 200; i++)
		strcat(path, "d/");
	tar_pax(&tar, "path", path);
	tar_add(&tar, &(struct tar_entry){.name = "x", .type = '5', .mode = 0755});
	tar_pax(&tar, "linkpath", path);
	tar_add(&tar, &(struct tar_entry){.name = "link", .type = '2', .text = "x"});
	snprintf(link, sizeof(link), "link/");
	for (int i = 0; i < 29; i++)
		strcat(link, "e/");
	tar_add(&tar, &(struct tar_entry){.name = link, .type = '5', .mode = 0755});
	ck_assert_msg(extract(&tar) == 0, "%s", err.text);
	ck_assert_int_eq(system("rm -rf root && mkdir root"), 0);
	memset(path, 0, sizeof(path));
	strcpy(path, "link/");
	for (int i = 0; i < 60; i++)
		strcat(path, "e/");
	tar_pax(&tar, "path", path);
	tar_add(&tar, &(struct tar_entry){.name = "x", .type = '5', .mode = 0755});
	tar_end(&tar);
	ck_assert_int_eq(extract(&tar), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "directories deep"));
	free(tar.bytes);
}
END_TEST

START_TEST(a_sparse_file_keeps_its_holes_and_cannot_exceed_the_cap)
{
	struct tar tar = {NULL, 0};

	limits.max_bytes = UINT64_C(1) << 40;
	tar_add(&tar, &(struct tar_entry){.name = "pax",
					  .type = 'x',
					  .text = "30 GNU.sparse.size=1000000000\n"
						  "30 GNU.sparse.map=999999999,1\n"});
	tar_add(&tar, &(struct tar_entry){.name = "sparse", .type = '0', .text = "x"});
	tar_end(&tar);
	ck_assert_msg(extract(&tar) == 0, "%s", err.text);
	ck_assert_int_eq(look("root/sparse").st_size, 1000000000);
	ck_assert_int_lt(look("root/sparse").st_blocks, 1000);
	ck_assert_uint_eq(answer.bytes, 1000000000);
	ck_assert_int_eq(truncate("root/sparse", 0), 0);
	limits.max_bytes = 999999999;
	ck_assert_int_eq(extract(&tar), -1);
	ck_assert_int_eq(look("root/sparse").st_size, 0);
	ck_assert_int_eq(err.code, CES_E_LIMIT);
	free(tar.bytes);
}
END_TEST

static const struct {
	const char *pax; /* records of one header */
	int result;
	const char *because; /* or what the file then holds */
} sizes[] = {
    {"27 GNU.sparse.realsize=100\n", -1, "it ends after 5 of 100 bytes"},
    {"23 GNU.sparse.size=100\n", -1, "it ends after 5 of 100 bytes"},
    {"23 SCHILY.realsize=100\n", -1, "it ends after 5 of 100 bytes"},
    {"23 GNU.sparse.size=100\n23 GNU.sparse.map=0,50\n", -1, "it ends after 5 of 50 bytes"},
    {"23 GNU.sparse.size=100\n22 GNU.sparse.map=0,4\n", 0, "hell"},
    {"21 GNU.sparse.size=5\n27 GNU.sparse.map=0,2,2,3\n", 0, "hello"},
    {"25 GNU.sparse.realsize=0\n", -1, "beyond its size"},
    {"25 GNU.sparse.realsize=4\n", -1, "beyond its size"},
    {"25 GNU.sparse.realsize=5\n", 0, "hello"},
};

START_TEST(a_file_is_the_bytes_that_came_never_made_up_with_zeros)
{
	struct tar tar = {NULL, 0};

	tar_add(&tar, &(struct tar_entry){.name = "pax", .type = 'x', .text = sizes[_i].pax});
	tar_add(&tar, &(struct tar_entry){.name = "f", .type = '0', .text = "hello"});
	tar_end(&tar);
	ck_assert_msg(extract(&tar) == sizes[_i].result, "%s", err.text);
	if (sizes[_i].result == 0)
		holds("root/f", sizes[_i].because);
	else
		ck_assert_msg(strstr(err.text, sizes[_i].because) != NULL, "%s", err.text);
	free(tar.bytes);
}
END_TEST

static const size_t empty_sizes[] = {0, 512, 1024, 10240};

START_TEST(an_empty_layer_is_one)
{
	struct tar tar = {.bytes = calloc(1, empty_sizes[_i] + 1), .length = empty_sizes[_i]};

	ck_assert_msg(extract(&tar) == 0, "%s", err.text);
	ck_assert_uint_eq(answer.entries, 0);
	free(tar.bytes);
}
END_TEST

static void add(TCase *tests)
{
	tcase_add_loop_test(tests, a_hostile_layer_is_refused_with_its_reason, 0, CES_COUNT(bad));
	tcase_add_test(tests, an_error_names_the_entry_in_printable_characters);
	tcase_add_loop_test(tests, too_many_entries_are_stopped_whatever_they_are, 0, 7);
	tcase_add_test(tests, directories_made_on_the_way_count_too);
	tcase_add_test(tests, no_path_gets_deeper_than_the_cap_even_by_symlinks);
	tcase_add_test(tests, a_sparse_file_keeps_its_holes_and_cannot_exceed_the_cap);
	tcase_add_loop_test(tests, a_file_is_the_bytes_that_came_never_made_up_with_zeros, 0,
			    CES_COUNT(sizes));
	tcase_add_loop_test(tests, an_empty_layer_is_one, 0, CES_COUNT(empty_sizes));
}

int main(void)
{
	return run_suite("unpack_hostile", add);
}
