/* What a layer may do to the directory it is unpacked into, and that it can do nothing to anything
 * else. */
/* links: helper/unpack/layer.c helper/unpack/tree.c helper/unpack/walk.c helper/unpack/path.c */
/* links: helper/unpack/whiteout.c helper/unpack/stream.c helper/unpack/decode.c */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "helper/unpack/layer.h"
#include "tests/unit/unpack_tar.h"

#define MOST 8

/* base/root is unpacked into; base/canary must stay alone beside it, with its content. */
static char base[64];
static struct ces_error err;
static struct ces_unpack_layer answer;
static struct ces_layer_limits limits;
static bool single_id; /* not started as root */

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

static void setup(void)
{
	strcpy(base, "/tmp/ces-layer-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	ck_assert_int_eq(chdir(base), 0);
	umask(0);
	ck_assert_int_eq(mkdir("root", 0755), 0);
	put("canary", "alive");
	limits = (struct ces_layer_limits){.max_bytes = 1 << 20, .max_entries = 2000};
	memset(&answer, 0, sizeof(answer));
	memset(&err, 0, sizeof(err));
}

static void teardown(void)
{
	char command[128], text[16] = "";
	FILE *canary = fopen("canary", "r");
	struct stat st;

	ces_layer_free(&answer);
	ck_assert_ptr_nonnull(canary);
	ck_assert_ptr_nonnull(fgets(text, sizeof(text), canary));
	fclose(canary);
	ck_assert_str_eq(text, "alive");
	ck_assert_int_eq(stat(".", &st), 0);
	ck_assert_uint_eq(st.st_nlink, 3);
	ck_assert_int_eq(stat("canary", &st), 0);
	ck_assert_uint_eq(st.st_nlink, 1);
	ck_assert_int_eq(chdir("/"), 0);
	snprintf(command, sizeof(command), "rm -rf %s", base);
	ck_assert_int_eq(system(command), 0);
}

static int extract(const struct tar *tar)
{
	CES_CLEANUP_FD int fd = memfd_create("layer", MFD_CLOEXEC);
	CES_CLEANUP_FD int root = open("root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char digest[CES_DIGEST_LENGTH + 1];
	struct ces_stream_source source = {
	    .fd = fd, .size = tar->length, .digest = digest, .diff_id = digest};
	struct ces_stream *stream;
	int result;

	ck_assert_int_eq(write(fd, tar->bytes, tar->length), (ssize_t)tar->length);
	lseek(fd, 0, SEEK_SET);
	ces_digest_of(tar->bytes, tar->length, digest);
	ck_assert_int_eq(ces_stream_open(&source, &stream, &err), 0);
	result = ces_layer_extract(stream, root, &limits, &answer, &err);
	ces_stream_close(stream);
	return result;
}

static int extract_entries(const struct tar_entry *entries, size_t n)
{
	struct tar tar = {NULL, 0};
	int result;

	for (size_t i = 0; i < n && entries[i].name != NULL; i++)
		tar_add(&tar, &entries[i]);
	tar_end(&tar);
	result = extract(&tar);
	free(tar.bytes);
	return result;
}

#define EXTRACT(...)                                                                               \
	extract_entries((const struct tar_entry[]){__VA_ARGS__},                                   \
			CES_COUNT(((const struct tar_entry[]){__VA_ARGS__})))
#define GOOD(...) ck_assert_msg(EXTRACT(__VA_ARGS__) == 0, "%s", err.text)
#define ENTRY(...)                                                                                 \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}

static struct stat look(const char *path)
{
	struct stat st;

	ck_assert_msg(lstat(path, &st) == 0, "%s: %s", path, strerror(errno));
	return st;
}

static void absent(const char *path)
{
	struct stat st;

	ck_assert_msg(lstat(path, &st) < 0, "%s is there", path);
}

static void holds(const char *path, const char *expected)
{
	char text[256] = "";
	FILE *file = fopen(path, "r");
	size_t n;

	ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
	n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = '\0';
	fclose(file);
	ck_assert_str_eq(text, expected);
}

static void hidden(const char *path)
{
	struct stat st = look(path);

	ck_assert_msg(S_ISCHR(st.st_mode) && st.st_rdev == 0, "%s is no whiteout", path);
}

static int opaque(const char *path)
{
	char mark[4];

	return getxattr(path, "user.overlay.opaque", mark, sizeof(mark)) == 1 && mark[0] == 'y';
}

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
	ck_assert_uint_eq(answer.bytes, 12);
	ck_assert_uint_eq(answer.entries, 8);
}
END_TEST

START_TEST(owners_are_kept_and_those_out_of_range_become_nobody)
{
	struct stat st;

	if (single_id)
		return; /* without root there is one id only; the end-to-end tests run as root */
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

/* The helper is told each once, by its own path, and none that went again. */
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

START_TEST(more_of_them_than_an_answer_takes_are_refused)
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

START_TEST(a_kept_directory_is_forgotten_when_its_way_changes)
{
	GOOD(ENTRY("a", '2', "b"), ENTRY("a/1", '0', "in b"), ENTRY("a", '2', "c"),
	     ENTRY("a/2", '0', "in c"), ENTRY("d", '5'), ENTRY("d", '2', "c"),
	     ENTRY("d/3", '0', "in c"));
	holds("root/b/1", "in b");
	holds("root/c/2", "in c");
	holds("root/c/3", "in c");
}
END_TEST

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

static const size_t empty_sizes[] = {0, 512, 1024, 10240};

START_TEST(an_empty_layer_is_one)
{
	struct tar tar = {.bytes = calloc(1, empty_sizes[_i] + 1), .length = empty_sizes[_i]};

	ck_assert_msg(extract(&tar) == 0, "%s", err.text);
	ck_assert_uint_eq(answer.entries, 0);
	free(tar.bytes);
}
END_TEST

static int set(const char *path, const char *text)
{
	CES_CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

/* An ordinary user becomes root of a user namespace, as ces-unpack is. */
static int become_root(void)
{
	unsigned uid = geteuid(), gid = getegid();
	char users[64], groups[64];

	if (uid == 0)
		return 0;
	snprintf(users, sizeof(users), "0 %u 1", uid);
	snprintf(groups, sizeof(groups), "0 %u 1", gid);
	if (unshare(CLONE_NEWUSER) < 0 || set("/proc/self/setgroups", "deny") < 0 ||
	    set("/proc/self/uid_map", users) < 0 || set("/proc/self/gid_map", groups) < 0)
		return -1;
	single_id = true;
	return 0;
}

int main(void)
{
	Suite *suite = suite_create("unpack_layer");
	TCase *tests = tcase_create("layers");
	SRunner *runner = srunner_create(suite);
	int failed;

	if (become_root() < 0) {
		perror("user namespace");
		return 1;
	}
	ces_layer_prepare();
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, files_directories_and_links_are_as_the_tar_says);
	tcase_add_test(tests, owners_are_kept_and_those_out_of_range_become_nobody);
	tcase_add_test(tests, no_setuid_or_setgid_bit_reaches_the_disk);
	tcase_add_test(tests, devices_fifos_and_forged_whiteouts_are_not_made);
	tcase_add_test(tests, extended_attributes_are_dropped);
	tcase_add_test(tests, long_and_foreign_names_come_through_unchanged);
	tcase_add_test(tests, whiteouts_hide_what_lower_layers_have);
	tcase_add_test(tests, an_entry_wins_over_a_whiteout_of_its_own_layer_in_either_order);
	tcase_add_test(tests, directories_that_hide_lower_ones_are_reported);
	tcase_add_test(tests, more_of_them_than_an_answer_takes_are_refused);
	tcase_add_test(tests, a_later_entry_replaces_an_earlier_one);
	tcase_add_test(tests, symlinks_of_the_layer_are_followed_inside_it_only);
	tcase_add_test(tests, a_kept_directory_is_forgotten_when_its_way_changes);
	tcase_add_loop_test(tests, a_hostile_layer_is_refused_with_its_reason, 0, CES_COUNT(bad));
	tcase_add_test(tests, an_error_names_the_entry_in_printable_characters);
	tcase_add_loop_test(tests, too_many_entries_are_stopped_whatever_they_are, 0, 7);
	tcase_add_test(tests, directories_made_on_the_way_count_too);
	tcase_add_test(tests, no_path_gets_deeper_than_the_cap_even_by_symlinks);
	tcase_add_test(tests, a_sparse_file_keeps_its_holes_and_cannot_exceed_the_cap);
	tcase_add_loop_test(tests, an_empty_layer_is_one, 0, CES_COUNT(empty_sizes));
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
