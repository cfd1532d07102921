/* Makes a store and a register for one test. The test is root of a user namespace of its own, so
 * that what it makes is root's, whichever user runs it. There root and ces-store are one user. It
 * also has the notes of the suites that take the place of a system call: one line for each step,
 * and one step that fails. */
#ifndef CES_TESTS_STORE_SCENE_H
#define CES_TESTS_STORE_SCENE_H

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/io.h"
#include "common/store.h"
#include "helper/session/object.h"
#include "helper/session/runs.h"
#include "tests/unit/remove_tree.h"
#include "helper/store/root.h"
#include "helper/store/store.h"
#include "tests/unit/policy_fixture.h"

static char scene_path[40];
static int scene_fds; /* how many were open before the test */
static struct ces_store store;
static int runs; /* /run/ces */
static struct ces_error err;

/* ---- steps ---- */

static char steps[8192];
static int step_number, step_that_fails; /* 0: none fails */
static bool steps_noted;

/* Notes a step. Returns true, with errno, if this one is to fail. */
__attribute__((format(printf, 1, 2))) static inline bool step(const char *format, ...)
{
	size_t used = strlen(steps);
	va_list arguments;

	if (!steps_noted)
		return false;
	va_start(arguments, format);
	(void)vsnprintf(steps + used, sizeof(steps) - used, format, arguments);
	va_end(arguments);
	(void)snprintf(steps + strlen(steps), sizeof(steps) - strlen(steps), "\n");
	errno = EIO;
	return ++step_number == step_that_fails;
}

static inline void note_steps(int fails)
{
	steps[0] = '\0';
	step_number = 0;
	step_that_fails = fails;
	steps_noted = true;
}

/* The last part of the name of an open file; 'x' for each of a random name's digits. */
static inline const char *name_of_fd(int fd)
{
	static char path[256];
	char link[32], *name;
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n < 0 ? 0 : n] = '\0';
	name = strrchr(path, '/');
	name = name == NULL ? path : name + 1;
	if (strlen(name) == 16 && strspn(name, "0123456789abcdef") == 16)
		memset(name, 'x', 16);
	return name;
}

/* ---- the scene ---- */

static inline int write_text(const char *path, const char *text)
{
	CES_CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

/* Makes this process root of a user namespace. */
static inline int own_root(void)
{
	unsigned uid = geteuid(), gid = getegid();
	char users[64], groups[64];

	(void)snprintf(users, sizeof(users), "0 %u 1", uid);
	(void)snprintf(groups, sizeof(groups), "0 %u 1", gid);
	return unshare(CLONE_NEWUSER) < 0 || write_text("/proc/self/setgroups", "deny") < 0 ||
		       write_text("/proc/self/uid_map", users) < 0 ||
		       write_text("/proc/self/gid_map", groups) < 0
		   ? -1
		   : 0;
}

static inline int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 512; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static inline int scene_open(const char *path)
{
	int fd;

	ck_assert_int_eq(mkdir(path, 0700), 0);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static inline void scene_begin(void)
{
	scene_fds = open_fds();
	(void)umask(077);
	steps_noted = false;
	err = (struct ces_error){0};
	/* in memory where there is a tmpfs: a busy disk takes its time for each sync */
	(void)snprintf(scene_path, sizeof(scene_path), "%s/ces-store-XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(scene_path));
	ck_assert_int_eq(chdir(scene_path), 0);
	ck_assert_int_eq(mkdir("run", 0700), 0);
	ck_assert_int_eq(mkdir("store", 0700), 0);
	store = (struct ces_store)CES_STORE_NONE;
	runs = scene_open("run/ces");
	store.dir = open("store", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	store.layers = scene_open("store/layers");
	store.images = scene_open("store/images");
	store.grants = scene_open("store/grants");
	store.staging = scene_open("store/staging");
	store.trash = scene_open("store/trash");
	store.locks = scene_open("store/locks");
	store.runs = scene_open("store/runs");
}

/* (a lock is taken on an open file of its own) */
static inline bool is_lock(int fd)
{
	struct stat its, wanted;

	return fstat(fd, &its) == 0 && fstat(store.locks, &wanted) == 0 &&
	       its.st_dev == wanted.st_dev && its.st_ino == wanted.st_ino;
}

/* (in a program they go with its process) */
static inline void close_store(struct ces_store *it)
{
	int *const fds[] = {&it->dir,     &it->layers, &it->images, &it->grants,
			    &it->staging, &it->trash,  &it->locks,  &it->runs};

	for (size_t i = 0; i < CES_COUNT(fds); i++)
		ces_cleanup_close(fds[i]);
}

/* Fails if the test left a descriptor open. */
static inline void scene_end(void)
{
	CES_CLEANUP_FD int fd = -1;

	steps_noted = false;
	close_store(&store);
	close(runs);
	ck_assert_int_eq(open_fds(), scene_fds);
	fd = open(scene_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(ces_tree_empty(fd), 0);
	ck_assert_int_eq(rmdir(scene_path), 0);
}

/* Runs the suite as root of a user namespace. A machine that gives none fails the suite. */
static inline int run_scenes_between(const char *name, TCase *tests, void (*begin)(void),
				     void (*end)(void))
{
	char boot[CES_BOOT_LENGTH + 1];

	if (own_root() < 0 || ces_object_boot(boot, &err) < 0) {
		perror("this suite needs a user namespace (kernel.unprivileged_userns_clone)");
		return EXIT_FAILURE;
	}
	tcase_add_checked_fixture(tests, begin, end);
	tcase_set_timeout(tests, 60);
	return run_suite(name, tests);
}

static inline int run_scenes(const char *name, TCase *tests)
{
	return run_scenes_between(name, tests, scene_begin, scene_end);
}

/* ---- what is in it ---- */

/* A digest that ends with these digits; four are good at once. */
static inline char *digest(unsigned number)
{
	static char texts[4][CES_DIGEST_LENGTH + 1];
	static unsigned next;

	next = (next + 1) % 4;
	(void)snprintf(texts[next], sizeof(texts[next]), "sha256:%064x", number);
	return texts[next];
}

static inline size_t count(int dir)
{
	CES_CLEANUP_DIR DIR *listing = fdopendir(openat(dir, ".", O_RDONLY | O_CLOEXEC));
	size_t n = 0;

	ck_assert_ptr_nonnull(listing);
	while (readdir(listing) != NULL)
		n++;
	return n - 2;
}

static inline bool is_there(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static inline unsigned mode_of(int dir, const char *name)
{
	struct stat st;

	ck_assert_msg(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0, "%s: %s", name,
		      strerror(errno));
	return st.st_mode & 07777;
}

static inline void put_bytes(int dir, const char *name, const void *bytes, size_t length)
{
	CES_CLEANUP_FD int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_msg(fd >= 0, "%s: %s", name, strerror(errno));
	ck_assert_int_eq(write(fd, bytes, length), (ssize_t)length);
}

static inline void put_text(int dir, const char *name, const char *text)
{
	put_bytes(dir, name, text, strlen(text));
}

static inline char *get_text(int dir, const char *name)
{
	CES_CLEANUP_FD int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	size_t length;

	ck_assert_msg(fd >= 0, "%s: %s", name, strerror(errno));
	ck_assert_int_eq(ces_read_file(fd, 1 << 20, &text, &length), 0);
	return text;
}

static inline void has_text(int dir, const char *name, const char *expected)
{
	CES_CLEANUP_FREE char *text = get_text(dir, name);

	ck_assert_str_eq(text, expected);
}

/* The path of a part of a layer or an image in its directory; four are good at once. */
static inline const char *part(const char *of, const char *name)
{
	static char texts[4][160];
	static unsigned next;

	next = (next + 1) % 4;
	(void)snprintf(texts[next], sizeof(texts[next]), "%s/%s", ces_store_hex(of), name);
	return texts[next];
}

static inline bool is_locked(int dir, const char *name)
{
	CES_CLEANUP_FD int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return flock(fd, LOCK_EX | LOCK_NB) < 0;
}

/* The store's lock is on its directory. */
static inline bool is_store_locked(void)
{
	return is_locked(store.locks, ".");
}

/* ---- root's part ---- */

#ifndef SCENE_HAS_ROOT
/* Removes what is discarded, as root does. Nothing else is asked for here. */
int ces_root_ask(struct ces_step *step_asked, const void *bytes, size_t length,
		 struct ces_step_answer *ret, int *ret_fd, struct ces_error *ret_err)
{
	(void)bytes, (void)length, (void)ret_err;
	ck_assert_uint_eq(step_asked->kind, CES_STEP_EMPTY);
	ck_assert(ret == NULL && ret_fd == NULL);
	(void)ces_tree_empty(store.trash);
	return 0;
}
#endif

/* Puts a layer of so many bytes into the store, as a pull does. */
static inline void have_layer(const char *diff_id, uint64_t bytes, const char *blob)
{
	CES_CLEANUP_FD int staging = -1;
	char name[CES_STEP_NAME + 1];

	ck_assert_int_eq(ces_store_stage(&store, name, &staging, &err), 0);
	ck_assert_int_eq(mkdirat(staging, "root", 0700) | mkdirat(staging, "root/fs", 0755), 0);
	put_text(staging, "root/diff_id", diff_id);
	put_text(staging, "root/" CES_STORE_SEAL, "");
	ck_assert_int_eq(ces_store_note_layer(staging, bytes, blob, &err), 0);
	ck_assert_int_eq(ces_store_commit_layer(&store, name, diff_id, &err), 0);
}

#endif
