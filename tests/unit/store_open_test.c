/* Tests what root does in the image store, where everything but /var/lib/ces itself and the inside
 * of layers is ces-store's, and may be anything. */
/* links: helper/session/store_open.c helper/session/store.c helper/store/store.c helper/store/grants.c helper/core/beneath.c helper/session/frames.c helper/session/lock.c helper/session/object.c helper/clean/tree.c */
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

#include "helper/clean/tree.h"
#include "helper/core/spawn.h"
#include "tests/unit/seal.h"
#include "tests/unit/store_scene.h"

/* ---- the account, and what belongs to it ---- */

static uid_t account; /* here root is the only user there is */
static bool missing;

int ces_worker_ids(const char *name, uid_t *ret_uid, gid_t *ret_gid, struct ces_error *ret_err)
{
	ck_assert_str_eq(name, "ces-store");
	*ret_uid = *ret_gid = account;
	return missing ? ces_error_set(ret_err, CES_E_HOST, "the system user ces-store is missing")
		       : 0;
}

static const char *foreign; /* what has this name is another user's */

int fstat(int fd, struct stat *ret)
{
	int result = fstatat(fd, "", ret, AT_EMPTY_PATH);

	if (foreign != NULL && strcmp(name_of_fd(fd), foreign) == 0)
		ret->st_uid = 950;
	return result;
}

int fchownat(int dir, const char *path, uid_t uid, gid_t gid, int flags)
{
	(void)dir;
	(void)step("%.*s for %u:%u", (int)strcspn(path, "."), path, uid, gid);
	return flags == AT_SYMLINK_NOFOLLOW ? 0 : -1;
}

/* ---- the store ---- */

static struct ces_store opened;

static void begin(void)
{
	scene_begin();
	ck_assert_int_eq(mkdir("var", 0755) | mkdir("var/lib", 0755), 0);
	account = 0;
	missing = false;
	foreign = NULL;
	opened = (struct ces_store)CES_STORE_NONE;
}

static void end(void)
{
	foreign = NULL;
	steps_noted = false;
	close_store(&opened);
	scene_end();
}

static int open_store(void)
{
	close_store(&opened);
	return ces_store_open(&opened, &err);
}

/* The first five are root's. */
static const char *const directories[] = {
    "var/lib/ces",        "var/lib/ces/layers",        "var/lib/ces/images",
    "var/lib/ces/runs",   "var/lib/ces/layers/sha256", "var/lib/ces/images/sha256",
    "var/lib/ces/grants", "var/lib/ces/staging",       "var/lib/ces/trash",
    "var/lib/ces/locks",
};
#define OWN 4

START_TEST(a_new_store_is_closed_and_has_its_owner_before_its_name)
{
	const int *const fds[] = {&opened.dir,     &opened.layers, &opened.images, &opened.grants,
				  &opened.staging, &opened.trash,  &opened.locks,  &opened.runs};

	(void)umask(0);
	note_steps(0);
	ck_assert_msg(open_store() == 0, "%s", err.text);
	ck_assert_str_eq(steps, "sha256 for 0:0\nsha256 for 0:0\ngrants for 0:0\n"
				"staging for 0:0\ntrash for 0:0\nlocks for 0:0\n");
	for (size_t i = 0; i < CES_COUNT(directories); i++)
		ck_assert_uint_eq(mode_of(AT_FDCWD, directories[i]), 0700);
	for (size_t i = 0; i < CES_COUNT(fds); i++)
		ck_assert_int_eq(fcntl(*fds[i], F_GETFD), FD_CLOEXEC);
	ck_assert_uint_eq(count(opened.dir), 7);
	note_steps(0);
	ck_assert_int_eq(open_store(), 0);
	ck_assert_str_eq(steps, "");
}
END_TEST

START_TEST(without_the_account_there_is_no_store)
{
	missing = true;
	ck_assert_int_eq(open_store(), -1);
	ck_assert_str_eq(err.text, "the system user ces-store is missing");
	ck_assert(!is_there(AT_FDCWD, "var/lib/ces"));
}
END_TEST

static const unsigned open_modes[] = {0701, 0710, 0704, 0740, 0702, 0720, 0777};

/* For each directory: a mode that lets others in, a link, and a file in its place. */
START_TEST(a_store_of_which_others_can_see_a_part_is_refused)
{
	const char *path = directories[_i];

	ck_assert_int_eq(open_store(), 0);
	for (size_t i = 0; i < CES_COUNT(open_modes); i++) {
		ck_assert_int_eq(chmod(path, open_modes[i]), 0);
		ck_assert_int_eq(open_store(), -1);
		ck_assert_int_eq(err.code, CES_E_HOST);
		ck_assert_ptr_nonnull(strstr(err.text, "mode 0700"));
	}
	ck_assert_int_eq(chmod(path, 0700), 0);
	ck_assert_int_eq(rename(path, "elsewhere"), 0);
	ck_assert_int_eq(symlink("/elsewhere", path), 0);
	ck_assert_int_eq(open_store(), -1);
	ck_assert_int_eq(err.sys, ELOOP);
	ck_assert_int_eq(unlink(path), 0);
	put_text(AT_FDCWD, path, "");
	ck_assert_int_eq(open_store(), -1);
	ck_assert_int_eq(err.sys, ENOTDIR);
}
END_TEST

START_TEST(a_store_of_an_older_version_is_refused_and_the_message_says_what_to_do)
{
	ck_assert_int_eq(open_store(), 0);
	account = 950; /* and all of it is root's */
	ck_assert_int_eq(open_store(), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "must belong to ces-store"));
	ck_assert_ptr_nonnull(strstr(err.text, "root types /usr/libexec/ces/upgrade-store"));
}
END_TEST

START_TEST(a_directory_of_roots_that_is_ces_stores_is_refused)
{
	ck_assert_int_eq(open_store(), 0);
	foreign = strrchr(directories[_i], '/') + 1;
	ck_assert_int_eq(open_store(), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "must belong to root"));
}
END_TEST

/* ---- layers ---- */

static int open_layer(const char *diff_id)
{
	CES_CLEANUP_FD int layer = -1;
	int result;

	err = (struct ces_error){0};
	result = ces_store_open_layer(&store, diff_id, &layer, &err);
	ck_assert_int_eq(layer >= 0, result == 0);
	if (result == 0)
		ck_assert_int_eq(fcntl(layer, F_GETFD), FD_CLOEXEC);
	return result;
}

static void exchange(const char *one, const char *other)
{
	ck_assert_int_eq(renameat2(store.layers, one, store.layers, other, RENAME_EXCHANGE), 0);
}

/* What ces-store can do to a layer that root has made. */
static void spoil(int how)
{
	switch (how) {
	case 0: /* it has moved another in its place */
		exchange(ces_store_hex(D1), ces_store_hex(D2));
		break;
	case 1: /* it has made the content itself */
		foreign = "root";
		break;
	case 2:
		ck_assert_int_eq(fchmodat(store.layers, part(D1, "root"), 0755, 0), 0);
		break;
	case 3: /* of a layer that was never whole */
		ck_assert_int_eq(unlinkat(store.layers, part(D1, "root/diff_id"), 0), 0);
		break;
	case 4:
		put_text(store.layers, part(D1, "root/diff_id"), D2);
		break;
	case 5:
		put_text(store.layers, part(D1, "root/diff_id"), D1 "0");
		break;
	case 6:
		put_bytes(store.layers, part(D1, "root/diff_id"), D1, CES_DIGEST_LENGTH - 1);
		break;
	case 7:
		put_text(store.layers, part(D1, "unsettled"), "an earlier boot");
		break;
	case 8:
		ck_assert_int_eq(unlinkat(store.layers, part(D1, "unsettled"), 0), 0);
		ck_assert_int_eq(mkfifoat(store.layers, part(D1, "unsettled"), 0600), 0);
		break;
	case 9:
		ck_assert_int_eq(
		    renameat(store.layers, part(D1, "root/fs"), store.layers, part(D1, "root/old")),
		    0);
		break;
	case 10: /* a directory of an image's */
		ck_assert_int_eq(unlinkat(store.layers, part(D1, "root/sealed"), 0), 0);
		break;
	case 11:
		ck_assert_int_eq(unlinkat(store.layers, part(D1, "root/sealed"), 0), 0);
		ck_assert_int_eq(mkfifoat(store.layers, part(D1, "root/sealed"), 0600), 0);
		break;
	case 12:
		seal_is_a_whiteout = true;
		break;
	case 13: /* a ces-clean is in it */
		ck_assert_int_eq(fchmodat(store.layers, part(D1, "root"), CES_TREE_DISCARDED, 0),
				 0);
		break;
	case 14:
		exchange(part(D1, "root"), part(D1, "size"));
		break;
	default:
		exchange(part(D1, "root"), part(D1, "size"));
		ck_assert_int_eq(unlinkat(store.layers, part(D1, "root"), 0), 0);
		ck_assert_int_eq(symlinkat("size", store.layers, part(D1, "root")), 0);
	}
}

START_TEST(a_layer_is_the_one_that_root_has_sealed_or_none)
{
	have_layer(D1, 7, D2);
	have_layer(D2, 8, D1);
	ck_assert_int_eq(open_layer(D1), 0);
	spoil(_i);
	ck_assert_int_eq(open_layer(D1), -1);
	ck_assert_int_eq(err.code, _i < 14 ? CES_E_NOTFOUND : CES_E_HOST);
	ck_assert_int_eq(open_layer("sha256:../../x"), -1);
	ck_assert_int_eq(open_layer(digest(3)), -1);
	ck_assert_int_eq(err.code, CES_E_NOTFOUND);
}
END_TEST

/* ---- grants ---- */

#define REFERENCE "ghcr.io/lab/tool:1"

static char path[100];

static void give(const char *reference, const char *image, const char *top)
{
	const struct ces_grant grant = {.reference = (char *)(uintptr_t)reference,
					.user = (char[]){"me"},
					.top_digest = (char *)(uintptr_t)top,
					.digest = (char *)(uintptr_t)image,
					.pulled = 100};
	char name[CES_DIGEST_LENGTH + 1];

	ck_assert_int_eq(ces_store_write_grant(&store, 1234, &grant, NULL, NULL, &err), 0);
	ces_grant_name(REFERENCE, name);
	(void)snprintf(path, sizeof(path), "1234/%s", name);
}

static const struct {
	const char *reference, *image, *top;
} lies[] = {
    {"ghcr.io/lab/tool:2", D1, D1},
    {REFERENCE, "sha256:short", D1},
    {REFERENCE, D1, "x"},
    {REFERENCE, "../../../../../../../../../../../../../../../../../../../../etc/passwd.", D1}};

START_TEST(a_grant_of_another_reference_or_without_two_digests_is_none)
{
	char other[CES_DIGEST_LENGTH + 1], from[100];
	struct ces_grant grant;

	give(lies[_i].reference, lies[_i].image, lies[_i].top);
	ces_grant_name(lies[_i].reference, other);
	(void)snprintf(from, sizeof(from), "1234/%s", other);
	ck_assert_int_eq(renameat(store.grants, from, store.grants, path), 0);
	ck_assert_int_eq(ces_store_read_grant(&store, 1234, "me", REFERENCE, &grant, &err), -1);
	ck_assert_int_eq(err.code, CES_E_NOTFOUND);
}
END_TEST

static time_t last_use(void)
{
	struct stat st;

	ck_assert_int_eq(fstatat(store.grants, path, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_mtime;
}

static void set_old(void)
{
	const struct timespec old[2] = {{200, 0}, {200, 0}};

	ck_assert_int_eq(utimensat(store.grants, path, old, AT_SYMLINK_NOFOLLOW), 0);
}

START_TEST(a_use_counts_for_the_image_that_was_used_alone)
{
	give(REFERENCE, D1, D2);
	set_old();
	ces_store_change_grant(&store, 1234, REFERENCE, D2,
			       false); /* it was pulled anew meanwhile */
	ces_store_change_grant(&store, 1234, "ghcr.io/lab/tool:2", D1, false);
	ck_assert_int_eq(last_use(), 200);
	ces_store_change_grant(&store, 1234, REFERENCE, D1, false);
	ck_assert_int_gt(last_use(), 200);
}
END_TEST

START_TEST(what_is_in_the_place_of_a_grant_is_not_touched_and_not_waited_for)
{
	struct ces_grant grant;

	give(REFERENCE, D1, D2);
	ck_assert_int_eq(renameat(store.grants, path, store.grants, "1234/other"), 0);
	if (_i == 0)
		ck_assert_int_eq(symlinkat("other", store.grants, path), 0);
	else if (_i == 1)
		ck_assert_int_eq(mkfifoat(store.grants, path, 0600), 0);
	else
		ck_assert_int_eq(mkdirat(store.grants, path, 0700), 0);
	set_old();
	ces_store_change_grant(&store, 1234, REFERENCE, D1, false);
	ck_assert_int_eq(last_use(), 200);
	ck_assert_int_eq(ces_store_read_grant(&store, 1234, "me", REFERENCE, &grant, &err), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
}
END_TEST

START_TEST(a_grant_ends_without_waiting_and_by_no_link)
{
	CES_CLEANUP_FD int dir = -1;

	give(REFERENCE, D1, D2);
	dir = openat(store.grants, "1234", O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(flock(dir, LOCK_EX | LOCK_NB), 0);
	ces_store_change_grant(&store, 1234, "ghcr.io/lab/tool:2", D1, true);
	ces_store_change_grant(&store, 1235, REFERENCE, D1, true);
	ces_store_change_grant(&store, 1234, REFERENCE, D2,
			       true); /* it was pulled anew meanwhile */
	ck_assert(is_there(store.grants, path));
	ck_assert_int_eq(renameat(store.grants, "1234", store.dir, "elsewhere"), 0);
	ck_assert_int_eq(symlinkat("../elsewhere", store.grants, "1234"), 0);
	ces_store_change_grant(&store, 1234, REFERENCE, D1, true);
	ck_assert_uint_eq(count(dir), 1);
	ck_assert_int_eq(unlinkat(store.grants, "1234", 0), 0);
	ck_assert_int_eq(renameat(store.dir, "elsewhere", store.grants, "1234"), 0);
	ces_store_change_grant(&store, 1234, REFERENCE, D1, true);
	ck_assert_uint_eq(count(dir), 0);
}
END_TEST

/* ---- files ---- */

START_TEST(a_file_is_read_up_to_a_bound)
{
	CES_CLEANUP_FREE char *text = NULL;
	size_t length = 9;

	ck_assert_int_eq(ces_store_read(store.images, "file", 5, &text, &length), -1);
	put_text(store.images, "file", "12345");
	ck_assert_int_eq(ces_store_read(store.images, "file", 4, &text, &length), -1);
	ck_assert_ptr_null(text);
	ck_assert_int_eq(ces_store_read(store.images, "file", 5, &text, &length), 0);
	ck_assert_str_eq(text, "12345");
	ck_assert_uint_eq(length, 5);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("store, as root opens it");

	tcase_add_test(t, a_new_store_is_closed_and_has_its_owner_before_its_name);
	tcase_add_test(t, without_the_account_there_is_no_store);
	tcase_add_loop_test(t, a_store_of_which_others_can_see_a_part_is_refused, 0,
			    CES_COUNT(directories));
	tcase_add_test(t, a_store_of_an_older_version_is_refused_and_the_message_says_what_to_do);
	tcase_add_loop_test(t, a_directory_of_roots_that_is_ces_stores_is_refused, 0, OWN);
	tcase_add_loop_test(t, a_layer_is_the_one_that_root_has_sealed_or_none, 0, 16);
	tcase_add_loop_test(t, a_grant_of_another_reference_or_without_two_digests_is_none, 0,
			    CES_COUNT(lies));
	tcase_add_test(t, a_use_counts_for_the_image_that_was_used_alone);
	tcase_add_loop_test(t, what_is_in_the_place_of_a_grant_is_not_touched_and_not_waited_for, 0,
			    3);
	tcase_add_test(t, a_grant_ends_without_waiting_and_by_no_link);
	tcase_add_test(t, a_file_is_read_up_to_a_bound);
	return run_scenes_between("store of ces-store", t, begin, end);
}
