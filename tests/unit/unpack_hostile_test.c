/* Tests what a layer cannot do: reach anything outside its directory, or exceed the caps. */
/* links: helper/unpack/layer.c helper/unpack/archive.c helper/unpack/headers.c helper/unpack/tree.c */
/* links: helper/unpack/walk.c helper/unpack/path.c */
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
    {"not a file of this layer", CES_E_IMAGE, {{"x", '1', "/etc/passwd"}}},
    {"not a file of this layer", CES_E_IMAGE, {{"x", '1', "x"}}},
    {"not a file of this layer", CES_E_IMAGE, {{"l", '2', ".."}, {"x", '1', "l/canary"}}},
    {"not a file of this layer", CES_E_IMAGE, {{"d", '5'}, {"x", '1', "d"}}},
    {"not a file of this layer", CES_E_IMAGE, {{"d", '5'}, {"x", '1', "/"}}},
    {"not a file of this layer", CES_E_IMAGE, {{".wh.w", '0'}, {"x", '1', "w"}}},
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
	ck_assert_uint_eq(answer.bytes, 1000001536); /* whole blocks */
	ck_assert_int_eq(truncate("root/sparse", 0), 0);
	limits.max_bytes = 999999999;
	ck_assert_int_eq(extract(&tar), -1);
	ck_assert_int_eq(look("root/sparse").st_size, 0);
	ck_assert_int_eq(err.code, CES_E_LIMIT);
	free(tar.bytes);
}
END_TEST

static const struct {
	char type;
	const char *name;
	size_t length, blocks; /* of the file; that it counts for */
} counted[] = {
    {'0', "f", 0, 1},        {'0', "f", 1, 1},   {'0', "f", 4096, 1}, {'0', "f", 4097, 2},
    {'0', "f", 8192, 2},     {'5', "d", 0, 1},   {'2', "l", 0, 1},    {'0', "a/b/c/f", 1, 4},
    {'0', ".wh.gone", 0, 1}, {'5', "a/b", 0, 2},
};

/* (a user's limit would not hold against millions of small files) */
START_TEST(an_entry_counts_in_whole_blocks_and_for_one_at_least)
{
	static char text[8193];
	struct tar tar = {NULL, 0};

	memset(text, 'x', counted[_i].length);
	text[counted[_i].length] = '\0';
	tar_add(&tar, &(struct tar_entry){.name = counted[_i].name,
					  .type = counted[_i].type,
					  .mode = 0755,
					  .text = counted[_i].type == '2' ? "x" : text});
	tar_end(&tar);
	limits.max_bytes = counted[_i].blocks * 4096;
	ck_assert_msg(extract(&tar) == 0, "%s", err.text);
	ck_assert_uint_eq(answer.bytes, counted[_i].blocks * 4096);
	ck_assert_int_eq(system("rm -rf root && mkdir root"), 0);
	limits.max_bytes--;
	ck_assert_int_eq(extract(&tar), -1);
	ck_assert_int_eq(err.code, CES_E_LIMIT);
	free(tar.bytes);
}
END_TEST

static const struct {
	const char *pax; /* records of one header */
	int result;
	const char *because; /* or what the file then contains */
} sizes[] = {
    {"27 GNU.sparse.realsize=100\n", -1, "map of holes"},
    {"23 GNU.sparse.size=100\n", -1, "map of holes"},
    {"23 SCHILY.realsize=100\n", -1, "it ends after 5 of 100 bytes"},
    {"23 GNU.sparse.size=100\n23 GNU.sparse.map=0,50\n", -1, "it ends after 5 of 50 bytes"},
    {"23 GNU.sparse.size=100\n22 GNU.sparse.map=0,4\n", -1, "two ways"},
    {"21 GNU.sparse.size=5\n26 GNU.sparse.map=0,2,2,3\n", 0, "hello"},
    {"21 SCHILY.realsize=0\n", -1, "beyond its size"},
    {"21 SCHILY.realsize=4\n", -1, "beyond its size"},
    {"21 SCHILY.realsize=5\n", 0, "hello"},
};

START_TEST(a_file_has_the_bytes_that_came_and_no_zeros_more)
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

#define SIZE_AT(bytes)                                                                             \
	{                                                                                          \
		{                                                                                  \
			124, bytes, 12                                                             \
		}                                                                                  \
	}
#define MINUS_1   "\377\377\377\377\377\377\377\377\377\377\377\377"
#define MINUS_512 "\377\377\377\377\377\377\377\377\377\377\376"
#define BEYOND_63 "\200\0\0\0\200\0\0\0\0\0\0"

static const char odd_sizes[][12] = {
    MINUS_1,       MINUS_512,           BEYOND_63,     "-0000000001",   "-0000000000",
    "-0000001000", "0000x\0\0\0\0\0\0", "0x000000000", "00000000\0007", "\t\0\0\0\0\0\0\0\0\0\0"};
static const char size_types[] = "0152SxgLKV7";

/* Some readers take a size below 0 for none, so that what follows is an entry only to these
 * readers. */
START_TEST(a_size_that_is_negative_or_no_number_is_refused_in_any_place)
{
	size_t n = CES_COUNT(odd_sizes);
	const char *size = odd_sizes[(size_t)_i / 2 % n];
	char type = size_types[(size_t)_i / 2 / n];

	ck_assert_int_eq(EXTRACT(ENTRY("first", _i % 2 == 0 ? '0' : '3'),
				 ENTRY("odd", type, .patch = SIZE_AT(size)), ENTRY("f", '0', "x")),
			 -1);
	ck_assert_msg(err.code == CES_E_IMAGE && strstr(err.text, "broken") != NULL, "%s",
		      err.text);
	absent("root/odd");
	absent("root/f");
	ck_assert_int_eq(system("rm -rf root && mkdir root"), 0);
	ck_assert_int_eq(EXTRACT(ENTRY("odd", type, .patch = SIZE_AT(size))), -1);
	ck_assert_int_eq(err.code, CES_E_IMAGE);
	absent("root/odd");
}
END_TEST

static const char types[] = "VMNDAXZ8";

/* A reader could take the body of a volume header for entries. */
START_TEST(headers_of_a_type_that_no_image_has_are_refused)
{
	struct tar hidden_one = {NULL, 0}, tar = {NULL, 0};

	tar_add(&hidden_one, &(struct tar_entry){.name = "evil", .type = '0'});
	tar_add(&tar, &(struct tar_entry){.name = "odd", .type = types[_i], .size = 512});
	tar_append(&tar, hidden_one.bytes, hidden_one.length);
	tar_add(&tar, &(struct tar_entry){.name = "f", .type = '0', .text = "x"});
	tar_end(&tar);
	ck_assert_int_eq(extract(&tar), -1);
	ck_assert_int_eq(err.code, CES_E_IMAGE);
	absent("root/evil");
	absent("root/f");
	free(hidden_one.bytes);
	free(tar.bytes);
}
END_TEST

#define P32         "pppppppppppppppppppppppppppppppp"
#define STAR_PREFIX P32 P32 P32 P32 "evil"
#define PAX(records)                                                                               \
	{                                                                                          \
		"pax", 'x', records                                                                \
	}
#define GNU                                                                                        \
	{                                                                                          \
		257, "ustar  ", 8                                                                  \
	}

/* libarchive accepts each of these; another reader reads it in another way or not at all. */
static const struct tar_entry unclear[][MOST] = {
    {PAX("12 path=one\n"), PAX("12 path=two\n"), {"f", '0', "x"}},
    {PAX("12 path=one\n"), {"name", 'L', "two"}, {"f", '0', "x"}},
    {{"name", 'L', "two"}, PAX("12 path=one\n"), {"f", '0', "x"}},
    {{"name", 'K', "two"}, PAX("16 linkpath=one\n"), {"f", '2', "x"}},
    {{"name", 'L', "one"}, {"name", 'L', "two"}, {"f", '0', "x"}},
    {PAX("11 size=-1\n"), {"f", '0', "x"}},
    {PAX("11 size=-0\n"), {"f", '0', ""}},
    {PAX("11 size= 1\n"), {"f", '0', "x"}},
    {PAX("11 size=1x\n"), {"f", '0', "x"}},
    {PAX("8 size=\n"), {"f", '0', ""}},
    {PAX("28 size=9223372036854775808\n"), {"f", '0', ""}},
    {PAX("99 path=one\n"), {"f", '0', "x"}},
    {PAX("11 path=one\n"), {"f", '0', "x"}},
    {PAX("12 path=one\nx"), {"f", '0', "x"}},
    {PAX("9 no way\n"), {"f", '0', "x"}},
    {PAX("7 =one\n"), {"f", '0', "x"}},
    /* data of a symlink, a directory or a hard link, which some readers expect and others do not */
    {PAX("12 size=512\n"), {"d", '5'}, {"evil", '0'}},
    {PAX("12 size=512\n"), {"s", '2', "x"}, {"evil", '0'}},
    {{"f", '0', "x"}, PAX("8 a=bcd\n"), {"h", '1', "f", .size = 512}, {"evil", '0'}},
    {{"d/", '0', .size = 512}, {"evil", '0'}},
    /* a link to one reader and a file to another; a directory; a name in another place */
    {{"f", '0', "x"}, PAX("14 linkpath=f\n"), {"evil", '0', "y"}},
    {{"f", '0', "x"}, {"link", 'K', "f"}, {"evil", '0', "y"}},
    {{"f", '0', "x"}, PAX("14 linkpath=f\n"), {"evil", '5'}},
    {{"evil/", '0'}},
    {PAX("13 path=f/g/\n"), {"evil", '0'}},
    {{"f", '0', "x", .patch = {{263, "XX"}, {345, "evil"}}}},
    {{"f", '0', "x", .patch = {{263, "\0\0", 2}, {345, "evil"}}}},
    {{"f", '0', "x", .patch = {GNU, {345, "evil"}}}},
    {{"f", '0', "x", .patch = {GNU, {357, "evil"}}}},
    {{"f", '0', "x", .patch = {{345, STAR_PREFIX}, {508, "tar"}}}},
    /* records of sparse files without a map, with two, of an unknown version, or with data in holes
     */
    {PAX("24 GNU.sparse.name=evil\n"), {"f", '0', "x"}},
    {PAX("24 GNU.sparse.name=evil\n22 GNU.sparse.major=2\n22 GNU.sparse.minor=0\n"),
     {"f", '0', "x"}},
    {PAX("22 GNU.sparse.major=1\n22 GNU.sparse.minor=1\n"), {"f", '0', "x"}},
    {PAX("22 GNU.sparse.major=1\n"), {"f", '0', "0\n"}},
    {PAX("22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n22 GNU.sparse.map=0,1\n"),
     {"f", '0', "0\n"}},
    {PAX("22 SUN.holesdata= 1 5\n"), {"f", '0', "hello"}},
    /* data that the map of holes does not mention */
    {PAX("23 GNU.sparse.size=100\n22 GNU.sparse.map=0,0\n"),
     {"f", '0', .size = 512},
     {"evil", '0'}},
    /* a map of holes, or the size with holes, in a header of an ordinary file */
    {{"f", '0', "hello", .patch = {GNU, {386, "00000000000\00000000000005", 24}}}},
    {{"f", '0', "hello", .patch = {GNU, {483, "00000000005", 12}}}},
};

START_TEST(an_entry_that_two_readers_take_differently_is_refused)
{
	ck_assert_int_eq(extract_entries(unclear[_i], MOST), -1);
	ck_assert_msg(err.code == CES_E_IMAGE && strstr(err.text, "broken") != NULL, "%s",
		      err.text);
	absent("root/evil");
}
END_TEST

START_TEST(a_name_with_a_nul_in_it_is_refused)
{
	static const char text[] = "14 path=ab\0cd\n";
	char body[512] = "";
	struct tar tar = {NULL, 0};

	memcpy(body, text, sizeof(text) - 1);
	tar_add(&tar, &(struct tar_entry){.name = "pax", .type = 'x', .size = sizeof(text) - 1});
	tar_append(&tar, body, sizeof(body));
	tar_add(&tar, &(struct tar_entry){.name = "f", .type = '0', .text = "x"});
	tar_end(&tar);
	ck_assert_int_eq(extract(&tar), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "NUL"));
	free(tar.bytes);
}
END_TEST

static const size_t empty_sizes[] = {0, 512, 1024, 10240};

START_TEST(an_empty_layer_is_accepted)
{
	struct tar tar = {.bytes = calloc(1, empty_sizes[_i] + 1), .length = empty_sizes[_i]};

	ck_assert_msg(extract(&tar) == 0, "%s", err.text);
	ck_assert_uint_eq(answer.entries, 0);
	free(tar.bytes);
}
END_TEST

static void add(TCase *tests)
{
	tcase_add_loop_test(tests, an_entry_counts_in_whole_blocks_and_for_one_at_least, 0,
			    CES_COUNT(counted));
	tcase_add_loop_test(tests, a_hostile_layer_is_refused_with_its_reason, 0, CES_COUNT(bad));
	tcase_add_test(tests, an_error_names_the_entry_in_printable_characters);
	tcase_add_loop_test(tests, too_many_entries_are_stopped_whatever_they_are, 0, 7);
	tcase_add_test(tests, directories_made_on_the_way_count_too);
	tcase_add_test(tests, no_path_gets_deeper_than_the_cap_even_by_symlinks);
	tcase_add_test(tests, a_sparse_file_keeps_its_holes_and_cannot_exceed_the_cap);
	tcase_add_loop_test(tests, a_file_has_the_bytes_that_came_and_no_zeros_more, 0,
			    CES_COUNT(sizes));
	tcase_add_loop_test(tests, a_size_that_is_negative_or_no_number_is_refused_in_any_place, 0,
			    2 * (int)(CES_COUNT(odd_sizes) * (sizeof(size_types) - 1)));
	tcase_add_loop_test(tests, headers_of_a_type_that_no_image_has_are_refused, 0,
			    sizeof(types) - 1);
	tcase_add_loop_test(tests, an_entry_that_two_readers_take_differently_is_refused, 0,
			    CES_COUNT(unclear));
	tcase_add_test(tests, a_name_with_a_nul_in_it_is_refused);
	tcase_add_loop_test(tests, an_empty_layer_is_accepted, 0, CES_COUNT(empty_sizes));
}

int main(void)
{
	return run_suite("unpack_hostile", add);
}
