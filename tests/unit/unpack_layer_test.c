/* Tests what a layer makes of the directory that it is unpacked into. */
/* links: helper/unpack/layer.c helper/unpack/archive.c helper/unpack/headers.c helper/unpack/tree.c */
/* links: helper/unpack/walk.c helper/unpack/path.c */
/* links: helper/unpack/whiteout.c helper/unpack/stream.c helper/unpack/decode.c */
#include "tests/unit/unpack_scene.h"

START_TEST(files_directories_and_links_are_as_the_tar_says)
{
	struct stat st;
	char target[64] = "";

	GOOD(ENTRY("./", '5', .mode = 0700, .mtime = 5),
	     ENTRY("d/", '5', .mode = 01777, .mtime = 1000),
	     ENTRY("./d/f", '0', "hello", .mode = 0640, .mtime = 2000), ENTRY("d/l", '1', "d/f"),
	     ENTRY("/s", '2', "/etc/passwd"), ENTRY("e", '0', ""), ENTRY("i/m/p", '0', "implied"));
	holds("root/d/f", "hello");
	st = look("root/d/f");
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
	ck_assert_int_eq(st.st_mtime, 2000);
	ck_assert_uint_eq(st.st_nlink, 2);
	ck_assert_uint_eq(look("root/d/l").st_ino, st.st_ino);
	st = look("root/d");
	ck_assert_uint_eq(st.st_mode & 07777, 01777);
	ck_assert_int_eq(st.st_mtime, 1000);
	ck_assert_uint_eq(look("root").st_mode & 07777, 0700);
	ck_assert_uint_eq(look("root/i").st_mode & 07777, 0755);
	ck_assert_int_gt(readlink("root/s", target, sizeof(target) - 1), 0);
	ck_assert_str_eq(target, "/etc/passwd");
	ck_assert_uint_eq(answer.bytes, 8 * 4096);
	ck_assert_uint_eq(answer.entries, 8);
}
END_TEST

START_TEST(owners_are_kept_and_those_out_of_range_become_nobody)
{
	struct stat st;

	if (single_id)
		return; /* without root there is only one id; the end-to-end tests run as root */
	GOOD(ENTRY("d", '5', .mode = 0750, .uid = 5, .gid = 6),
	     ENTRY("d/f", '0', "x", .uid = 1000, .gid = 2000), ENTRY("d/s", '2', "f", .uid = 7),
	     ENTRY("d/big", '0', "x", .uid = 65536, .gid = 2000000));
	st = look("root/d/f");
	ck_assert(st.st_uid == 1000 && st.st_gid == 2000);
	st = look("root/d");
	ck_assert(st.st_uid == 5 && st.st_gid == 6 && (st.st_mode & 07777) == 0750);
	ck_assert_uint_eq(look("root/d/s").st_uid, 7);
	st = look("root/d/big");
	ck_assert(st.st_uid == 65534 && st.st_gid == 65534);
}
END_TEST

START_TEST(no_setuid_or_setgid_bit_reaches_the_disk)
{
	GOOD(ENTRY("su", '0', "x", .mode = 06755), ENTRY("d", '5', .mode = 07775));
	ck_assert_uint_eq(look("root/su").st_mode & 07777, 0755);
	ck_assert_uint_eq(look("root/d").st_mode & 07777, 01775);
}
END_TEST

START_TEST(devices_fifos_and_forged_whiteouts_are_not_made)
{
	GOOD(ENTRY("null", '3', .mode = 0666), ENTRY("sda", '4'), ENTRY("pipe", '6'),
	     ENTRY("f", '0', "x"));
	absent("root/null");
	absent("root/sda");
	absent("root/pipe");
	holds("root/f", "x");
}
END_TEST

START_TEST(extended_attributes_are_dropped)
{
	struct tar tar = {NULL, 0};

	tar_pax(&tar, "SCHILY.xattr.user.overlay.opaque", "y");
	tar_add(&tar, &(struct tar_entry){.name = "d", .type = '5', .mode = 0755});
	tar_pax(&tar, "SCHILY.xattr.user.overlay.redirect", "/etc");
	tar_add(&tar, &(struct tar_entry){.name = "e", .type = '5', .mode = 0755});
	tar_pax(&tar, "SCHILY.xattr.security.capability", "x");
	tar_add(&tar, &(struct tar_entry){.name = "f", .type = '0', .text = "x"});
	tar_end(&tar);
	ck_assert_msg(extract(&tar) == 0, "%s", err.text);
	free(tar.bytes);
	ck_assert_int_eq(listxattr("root/d", NULL, 0), 0);
	ck_assert_int_eq(listxattr("root/e", NULL, 0), 0);
	ck_assert_int_eq(listxattr("root/f", NULL, 0), 0);
}
END_TEST

/* Go's readers ignore such a record; libarchive changes the mode by it. */
START_TEST(an_acl_is_dropped_and_changes_no_mode)
{
	static const char *const keys[] = {"SCHILY.acl.access", "SCHILY.acl.default",
					   "SCHILY.acl.ace"};
	static const char *const values[] = {
	    "user::rwx,group::rwx,other::rwx",
	    "user::rwx,user:root:rwx,group::r-x,mask::rwx,other::rwx",
	    "owner@:rwxpdDaARWcCos:fd----:allow,everyone@:rwx:------:allow"};
	const char *key = keys[_i % 3], *value = values[_i / 3];
	struct tar tar = {NULL, 0};

	tar_pax(&tar, key, value);
	tar_add(&tar, &(struct tar_entry){.name = "f", .type = '0', .text = "x", .mode = 0600});
	tar_pax(&tar, key, value);
	tar_add(&tar, &(struct tar_entry){.name = "d", .type = '5', .mode = 01700});
	tar_add(&tar, &(struct tar_entry){.name = "g", .type = '0', .text = "x", .mode = 0604});
	tar_end(&tar);
	ck_assert_msg(extract(&tar) == 0, "%s", err.text);
	free(tar.bytes);
	ck_assert_uint_eq(look("root/f").st_mode & 07777, 0600);
	ck_assert_uint_eq(look("root/d").st_mode & 07777, 01700);
	ck_assert_uint_eq(look("root/g").st_mode & 07777, 0604);
	ck_assert_int_eq(listxattr("root/f", NULL, 0), 0);
	ck_assert_int_eq(listxattr("root/d", NULL, 0), 0);
}
END_TEST

START_TEST(long_and_foreign_names_come_through_unchanged)
{
	char path[512] = "root/", name[220];
	struct tar tar = {NULL, 0};

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	tar_pax(&tar, "path", name);
	tar_add(&tar, &(struct tar_entry){.name = "short", .type = '0', .text = "long"});
	tar_pax(&tar, "path",
		"gr\xc3\xb6\xc3\x9f"
		"e");
	tar_add(&tar, &(struct tar_entry){.name = "short", .type = '0', .text = "utf"});
	tar_pax(&tar, "path", "pax\xe9");
	tar_add(&tar, &(struct tar_entry){.name = "short", .type = '0', .text = "bytes"});
	tar_add(&tar, &(struct tar_entry){.name = "latin\xe9", .type = '0', .text = "latin"});
	tar_end(&tar);
	ck_assert_msg(extract(&tar) == 0, "%s", err.text);
	free(tar.bytes);
	holds(strcat(path, name), "long");
	holds("root/gr\xc3\xb6\xc3\x9f"
	      "e",
	      "utf");
	holds("root/latin\xe9", "latin");
	absent("root/short");
	holds("root/pax\xe9", "bytes");
}
END_TEST

START_TEST(whiteouts_hide_what_lower_layers_have)
{
	GOOD(ENTRY("d", '5', .mode = 0755), ENTRY("d/.wh.gone", '0'), ENTRY("o", '5', .mode = 0755),
	     ENTRY("o/new", '0', "x"), ENTRY("o/.wh..wh..opq", '0'), ENTRY(".wh.top", '0'),
	     ENTRY(".wh..wh.plnk", '5'), ENTRY(".wh..wh.plnk/1.2", '0'),
	     ENTRY("p/.wh..wh.aufs", '0'));
	hidden("root/d/gone");
	hidden("root/top");
	ck_assert_int_eq(opaque("root/o"), 1);
	ck_assert_int_eq(opaque("root/d"), 0);
	holds("root/o/new", "x");
	absent("root/o/.wh..wh..opq");
	absent("root/.wh..wh.plnk");
	absent("root/p/.wh..wh.aufs");
}
END_TEST

/* OCI image-spec, layer.md: a whiteout hides what is in lower layers, never what is in its own. */
START_TEST(an_entry_wins_over_a_whiteout_of_its_own_layer_in_either_order)
{
	GOOD(ENTRY(".wh.f", '0'), ENTRY("f", '0', "first"), ENTRY("g", '0', "second"),
	     ENTRY(".wh.g", '0'), ENTRY(".wh.d", '0'), ENTRY("d", '5', .mode = 0755),
	     ENTRY("e/x", '0', "x"), ENTRY(".wh.e", '0'), ENTRY(".wh.h", '0'),
	     ENTRY("h/x", '0', "x"));
	holds("root/f", "first");
	holds("root/g", "second");
	ck_assert_int_eq(opaque("root/d"), 1);
	ck_assert_int_eq(opaque("root/e"), 1);
	ck_assert_int_eq(opaque("root/h"), 1);
	holds("root/h/x", "x");
}
END_TEST

static void reported(const char *const *paths, size_t n)
{
	ck_assert_uint_eq(answer.opaque.n, n);
	for (size_t i = 0; i < n; i++)
		ck_assert_str_eq(answer.opaque.v[i], paths[i]);
}

/* The helper gets each path once, and none that was removed again. */
START_TEST(directories_that_hide_lower_ones_are_reported)
{
	static const char *const paths[] = {"o", "real", "a/b", ""};

	GOOD(ENTRY("o/.wh..wh..opq", '0'), ENTRY("o/.wh..wh..opq", '0'),
	     ENTRY("real", '5', .mode = 0755), ENTRY("link", '2', "real"),
	     ENTRY("link/.wh..wh..opq", '0'), ENTRY("gone/.wh..wh..opq", '0'),
	     ENTRY("gone", '0', "a file"), ENTRY("a/.wh.b", '0'), ENTRY("a/b/c", '0', "x"),
	     ENTRY(".wh..wh..opq", '0'));
	reported(paths, CES_COUNT(paths));
}
END_TEST

START_TEST(more_directories_than_an_answer_holds_are_refused)
{
	struct tar tar = {NULL, 0};
	char name[64];

	limits.max_entries = 2 * CES_OPAQUE_MAX;
	for (int i = 0; i <= CES_OPAQUE_MAX; i++) {
		snprintf(name, sizeof(name), "%d/%d/.wh..wh..opq", i % 256, i / 256);
		tar_add(&tar, &(struct tar_entry){.name = name, .type = '0'});
	}
	tar_end(&tar);
	ck_assert_int_eq(extract(&tar), -1);
	ck_assert_int_eq(err.code, CES_E_LIMIT);
	free(tar.bytes);
}
END_TEST

START_TEST(a_later_entry_replaces_an_earlier_one)
{
	GOOD(ENTRY("f", '0', "old"), ENTRY("f", '0', "new"), ENTRY("l", '2', "/etc"),
	     ENTRY("l/", '5', .mode = 0700), ENTRY("l/in", '0', "inside"), ENTRY("e", '5'),
	     ENTRY("e", '0', "was a directory"), ENTRY("h", '0', "h"), ENTRY("h", '1', "h"),
	     ENTRY("i", '1', "f"), ENTRY("i", '1', "f"));
	holds("root/f", "new");
	ck_assert(S_ISDIR(look("root/l").st_mode));
	holds("root/l/in", "inside");
	holds("root/e", "was a directory");
	holds("root/h", "h");
	ck_assert_uint_eq(look("root/i").st_ino, look("root/f").st_ino);
}
END_TEST

START_TEST(symlinks_of_the_layer_are_followed_inside_it_only)
{
	GOOD(ENTRY("lib", '2', "usr/lib"), ENTRY("lib/a", '0', "a"),
	     ENTRY("abs", '2', "/usr/./lib/"), ENTRY("abs/b", '0', "b"),
	     ENTRY("up", '2', "../../../../../../../../.."), ENTRY("up/canary", '0', "c"),
	     ENTRY("usr/back", '2', "../../.././lib"), ENTRY("usr/back/d", '0', "d"),
	     ENTRY("lib/.wh.e", '0'), ENTRY("sub/abs", '2', "/usr/lib"),
	     ENTRY("sub/abs/g", '0', "g"), ENTRY("hard", '1', "abs/b"));
	holds("root/usr/lib/a", "a");
	holds("root/usr/lib/b", "b");
	holds("root/canary", "c");
	holds("root/usr/lib/d", "d");
	holds("root/usr/lib/g", "g");
	hidden("root/usr/lib/e");
	holds("root/hard", "b");
}
END_TEST

START_TEST(a_kept_directory_is_forgotten_when_its_path_changes)
{
	GOOD(ENTRY("a", '2', "b"), ENTRY("a/1", '0', "in b"), ENTRY("a", '2', "c"),
	     ENTRY("a/2", '0', "in c"), ENTRY("d", '5'), ENTRY("d", '2', "c"),
	     ENTRY("d/3", '0', "in c"));
	holds("root/b/1", "in b");
	holds("root/c/2", "in c");
	holds("root/c/3", "in c");
}
END_TEST

START_TEST(sizes_and_names_come_in_every_form_that_tools_write)
{
	size_t length = 600000;
	char *comment = malloc(length + 1);
	struct tar tar = {NULL, 0};

	memset(comment, 'c', length);
	comment[length] = '\0';
	tar_add(&tar, &(struct tar_entry){.name = "base256",
					  .type = '0',
					  .text = "hello",
					  .patch = {{124, "\200\0\0\0\0\0\0\0\0\0\0\5", 12}}});
	tar_add(&tar,
		&(struct tar_entry){.name = "spaces",
				    .type = '0',
				    .text = "hello",
				    .patch = {{124, "          5 ", 12}, {100, " 100640 ", 8}}});
	tar_add(&tar, &(struct tar_entry){.name = "digits",
					  .type = '\0',
					  .text = "hello",
					  .patch = {{124, "000000000005", 12}}});
	tar_pax(&tar, "size", "5");
	tar_add(&tar,
		&(struct tar_entry){
		    .name = "pax", .type = '7', .text = "hello", .patch = {{124, "00000000000"}}});
	tar_pax(&tar, "comment", comment);
	tar_add(&tar, &(struct tar_entry){.name = "commented", .type = '0', .text = "hello"});
	tar_add(&tar, &(struct tar_entry){.name = "x", .type = 'K', .text = "a/long/target"});
	tar_add(&tar, &(struct tar_entry){.name = "x", .type = 'L', .text = "a/long/name"});
	tar_add(&tar, &(struct tar_entry){.name = "x", .type = '2', .text = "x"});
	tar_add(&tar, &(struct tar_entry){.name = "x", .type = 'g', .text = "13 comment=x\n"});
	tar_add(&tar, &(struct tar_entry){.name = "last", .type = '0', .text = "hello"});
	tar_end(&tar);
	ck_assert_msg(extract(&tar) == 0, "%s", err.text);
	for (size_t i = 0; i < 6; i++) {
		static const char *const names[] = {"base256", "spaces",    "digits",
						    "pax",     "commented", "last"};
		char path[64];

		snprintf(path, sizeof(path), "root/%s", names[i]);
		holds(path, "hello");
	}
	ck_assert_uint_eq(look("root/spaces").st_mode & 07777, 0640);
	ck_assert(S_ISLNK(look("root/a/long/name").st_mode));
	free(comment);
	free(tar.bytes);
}
END_TEST

static void add(TCase *tests)
{
	tcase_add_test(tests, files_directories_and_links_are_as_the_tar_says);
	tcase_add_test(tests, owners_are_kept_and_those_out_of_range_become_nobody);
	tcase_add_test(tests, no_setuid_or_setgid_bit_reaches_the_disk);
	tcase_add_test(tests, devices_fifos_and_forged_whiteouts_are_not_made);
	tcase_add_test(tests, extended_attributes_are_dropped);
	tcase_add_loop_test(tests, an_acl_is_dropped_and_changes_no_mode, 0, 9);
	tcase_add_test(tests, long_and_foreign_names_come_through_unchanged);
	tcase_add_test(tests, sizes_and_names_come_in_every_form_that_tools_write);
	tcase_add_test(tests, whiteouts_hide_what_lower_layers_have);
	tcase_add_test(tests, an_entry_wins_over_a_whiteout_of_its_own_layer_in_either_order);
	tcase_add_test(tests, directories_that_hide_lower_ones_are_reported);
	tcase_add_test(tests, more_directories_than_an_answer_holds_are_refused);
	tcase_add_test(tests, a_later_entry_replaces_an_earlier_one);
	tcase_add_test(tests, symlinks_of_the_layer_are_followed_inside_it_only);
	tcase_add_test(tests, a_kept_directory_is_forgotten_when_its_path_changes);
}

int main(void)
{
	return run_suite("unpack_layer", add);
}
