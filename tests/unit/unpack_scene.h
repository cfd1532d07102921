/* Makes the directory into which the tests of ces-unpack extract layers, and looks at the
 * result. */
#ifndef CES_TESTS_UNPACK_SCENE_H
#define CES_TESTS_UNPACK_SCENE_H

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

/* Layers go into base/root. base/canary must stay alone beside it, with its content. */
static char base[64];
static struct ces_error err;
static struct ces_unpack_layer answer;
static struct ces_layer_limits limits;
static bool single_id; /* not started as root */

static inline void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

static inline void setup(void)
{
	/* in memory where there is a tmpfs: a busy disk takes minutes for tens of thousands of
	 * directories */
	snprintf(base, sizeof(base), "%s/ces-layer-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(base));
	ck_assert_int_eq(chdir(base), 0);
	umask(0);
	ck_assert_int_eq(mkdir("root", 0755), 0);
	put("canary", "alive");
	limits = (struct ces_layer_limits){.max_bytes = 1 << 20, .max_entries = 2000};
	memset(&answer, 0, sizeof(answer));
	memset(&err, 0, sizeof(err));
}

static inline void teardown(void)
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

static inline int extract(const struct tar *tar)
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

static inline int extract_entries(const struct tar_entry *entries, size_t n)
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

static inline struct stat look(const char *path)
{
	struct stat st;

	ck_assert_msg(lstat(path, &st) == 0, "%s: %s", path, strerror(errno));
	return st;
}

static inline void absent(const char *path)
{
	struct stat st;

	ck_assert_msg(lstat(path, &st) < 0, "%s is there", path);
}

static inline void holds(const char *path, const char *expected)
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

static inline void hidden(const char *path)
{
	struct stat st = look(path);

	ck_assert_msg(S_ISCHR(st.st_mode) && st.st_rdev == 0, "%s is no whiteout", path);
}

static inline int opaque(const char *path)
{
	char mark[4];

	return getxattr(path, "user.overlay.opaque", mark, sizeof(mark)) == 1 && mark[0] == 'y';
}

static inline int set(const char *path, const char *text)
{
	CES_CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

/* Makes an ordinary user root of a user namespace, as ces-unpack is. */
static inline int become_root(void)
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

/* The main() of a suite: adds its tests, and runs them as root of a user namespace. */
static inline int run_suite(const char *name, void (*add)(TCase *tests))
{
	Suite *suite = suite_create(name);
	TCase *tests = tcase_create("layers");
	SRunner *runner = srunner_create(suite);
	int failed;

	if (become_root() < 0) {
		perror("user namespace");
		return 1;
	}
	ces_layer_prepare();
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 120); /* a busy machine is slow to make thousands of directories */
	add(tests);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

#endif
