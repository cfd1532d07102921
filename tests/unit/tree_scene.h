/* A tree that a run leaves, for the suites of helper/clean/tree.c, and the kernel's part that is
 * the tests' own. */
#ifndef CES_TESTS_UNIT_TREE_SCENE_H
#define CES_TESTS_UNIT_TREE_SCENE_H

#include "helper/clean/tree.h"

#include <check.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "helper/session/idmap.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/session_scene.h"

/* ---- the kernel's part that is the test's own ---- */

/* An owner in a name: "b_5_6" belongs to 5:6. */
static bool owners_by_name;
/* What comes in the place of "victim" after it was looked at. */
static void (*swap)(int dir);
static char chowned[4096];
static const char *stays;

int fstatat(int dir, const char *name, struct stat *st, int flags)
{
	int result = (int)syscall(SYS_newfstatat, dir, name, st, flags);
	unsigned uid, gid;

	ck_assert_int_eq(flags, AT_SYMLINK_NOFOLLOW);
	if (owners_by_name && sscanf(name, "%*[a-z]_%u_%u", &uid, &gid) == 2) {
		st->st_uid = uid;
		st->st_gid = gid;
	}
	if (strcmp(name, "subvolume") == 0)
		st->st_dev++;
	if (swap != NULL && strcmp(name, "victim") == 0) {
		swap(dir);
		swap = NULL;
	}
	return result;
}

/* The group of the directory that is handed over; 0: its own. */
static gid_t top_group;

int fstat(int fd, struct stat *st)
{
	int result = (int)syscall(SYS_fstat, fd, st);

	if (top_group != 0 && S_ISDIR(st->st_mode))
		st->st_gid = top_group;
	return result;
}

/* Out of a subvolume nothing moves. */
static bool in_subvolume;

int renameat(int dir, const char *name, int to, const char *other)
{
	bool out = in_subvolume && faccessat(to, "subvolume", F_OK, 0) == 0;

	errno = EXDEV;
	return out ? -1 : (int)syscall(SYS_renameat2, dir, name, to, other, 0);
}

int fchownat(int dir, const char *name, uid_t uid, gid_t gid, int flags)
{
	size_t used = strlen(chowned);

	ck_assert_int_eq(flags, AT_SYMLINK_NOFOLLOW);
	ck_assert_int_eq(faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW), 0);
	(void)snprintf(chowned + used, sizeof(chowned) - used, "%s=%u:%u\n", name, uid, gid);
	errno = EPERM;
	return stays != NULL && strcmp(name, stays) == 0 ? -1 : 0;
}

int unlinkat(int dir, const char *name, int flags)
{
	bool kept = stays != NULL && strcmp(name, stays) == 0;
	int result = kept ? -1 : (int)syscall(SYS_unlinkat, dir, name, flags);
	int saved = kept ? EPERM : errno;

	if (swap != NULL && strcmp(name, "victim") == 0) {
		swap(dir);
		swap = NULL;
	}
	errno = saved;
	return result;
}

/* ---- the tree ---- */

static int tree = -1;

static void set_up(void)
{
	directory_begin();
	become(0);
	ck_assert_int_eq(chdir(directory_path), 0);
	close(directory); /* (it is of the namespace before) */
	directory = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(mkdir("tree", 0700), 0);
	ck_assert_int_eq(mkdir("outside", 0700), 0);
	write_text("outside/file", "others' words");
	tree = open("tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void tear_down(void)
{
	CES_CLEANUP_FREE char *others = NULL;

	close(tree);
	swap = NULL;
	stays = NULL;
	others = content("outside/file");
	ck_assert_str_eq(others, "others' words");
	ck_assert_int_eq(mode_of("outside/file"), S_IFREG | 0600);
	ck_assert_int_eq(mode_of("outside"), S_IFDIR | 0700);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(ces_tree_empty(directory), 0);
	directory_end();
}

#endif
