/* Tests how the image store is filled: staging, layers, and what is out of its place. */
/* links: helper/store/store.c helper/session/store.c helper/core/beneath.c helper/session/frames.c helper/session/lock.c helper/session/object.c helper/clean/tree.c */
#include "helper/store/store.h"

#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "tests/unit/store_scene.h"

/* ---- system calls, which note that they were called ---- */

static void (*before_rename)(void);
static void (*during_sync)(void);

int flock(int fd, int operation)
{
	if ((is_lock(fd) || (operation & LOCK_NB) != 0) && step("lock %s", name_of_fd(fd)))
		return -1;
	return (int)syscall(SYS_flock, fd, operation);
}

static bool full; /* the disk */

int mkdirat(int dir, const char *name, mode_t mode)
{
	errno = ENOSPC;
	if (full)
		return -1;
	if (step("mkdir %s %03o in %s", strlen(name) == 16 ? "xxxxxxxxxxxxxxxx" : name, mode,
		 name_of_fd(dir)))
		return -1;
	return (int)syscall(SYS_mkdirat, dir, name, mode);
}

int renameat(int from_dir, const char *from, int dir, const char *to)
{
	if (before_rename != NULL)
		before_rename();
	return (int)syscall(SYS_renameat2, from_dir, from, dir, to, 0);
}

int renameat2(int from_dir, const char *from, int dir, const char *to, unsigned flags)
{
	if (before_rename != NULL)
		before_rename();
	return (int)syscall(SYS_renameat2, from_dir, from, dir, to, flags);
}

int syncfs(int fd)
{
	if (during_sync != NULL)
		during_sync();
	return step("sync") ? -1 : (int)syscall(SYS_syncfs, fd);
}

/* ---- names ---- */

static const char *const no_digests[] = {
    "",
    "sha256:",
    "..",
    "../../etc",
    "sha256:../../../../../../../../../../../../../etc/passwd",
    "sha256:000000000000000000000000000000000000000000000000000000000000000",
    "sha256:00000000000000000000000000000000000000000000000000000000000000000",
    "sha256:000000000000000000000000000000000000000000000000000000000000000A",
    "sha512:0000000000000000000000000000000000000000000000000000000000000000",
};

START_TEST(a_text_that_is_no_digest_becomes_no_path)
{
	ck_assert_str_eq(ces_store_hex(no_digests[_i]), "invalid");
	ck_assert_str_eq(ces_store_hex(D1), D1 + 7);
}
END_TEST

/* ---- staging ---- */

START_TEST(a_staging_directory_is_locked_before_the_collector_can_see_it)
{
	CES_CLEANUP_FD int dir = -1;
	char name[CES_STEP_NAME + 1];

	note_steps(0);
	ck_assert_int_eq(ces_store_stage(&store, name, &dir, &err), 0);
	ck_assert_str_eq(steps, "lock locks\n"
				"mkdir xxxxxxxxxxxxxxxx 700 in staging\n"
				"lock xxxxxxxxxxxxxxxx\n");
	steps_noted = false;
	ck_assert_uint_eq(strlen(name), 16);
	ck_assert_uint_eq(strspn(name, "0123456789abcdef"), 16);
	ck_assert_uint_eq(mode_of(store.staging, name), 0700);
	ck_assert_uint_eq(count(dir), 0);
	ck_assert(is_locked(store.staging, name));
	ck_assert(!is_store_locked());
	ces_cleanup_close(&dir);
	ck_assert(!is_locked(store.staging, name));
	(void)remove_tree(store.staging, name);
	ck_assert_uint_eq(count(store.staging), 0);
}
END_TEST

static const char *const staging_errors[] = {"locking the store", "making a staging directory",
					     "making a staging directory"};

START_TEST(when_a_step_of_staging_fails_no_later_one_is_done_and_the_lock_is_free)
{
	CES_CLEANUP_FD int dir = -1;
	char name[CES_STEP_NAME + 1];

	note_steps(_i + 1);
	ck_assert_int_eq(ces_store_stage(&store, name, &dir, &err), -1);
	steps_noted = false;
	ck_assert_int_eq(step_number, _i + 1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_int_eq(err.sys, EIO);
	ck_assert_ptr_nonnull(strstr(err.text, staging_errors[_i]));
	ck_assert_int_eq(dir, -1);
	ck_assert(!is_store_locked());
	(void)remove_tree(store.staging, name);
	ck_assert_uint_eq(count(store.staging), 0);
}
END_TEST

START_TEST(a_store_that_is_full_takes_nothing_and_its_lock_is_free)
{
	CES_CLEANUP_FD int dir = -1;
	char name[CES_STEP_NAME + 1];

	full = true;
	ck_assert_int_eq(ces_store_stage(&store, name, &dir, &err), -1);
	full = false;
	ck_assert_int_eq(err.sys, ENOSPC);
	ck_assert_ptr_nonnull(strstr(err.text, "making a staging directory"));
	ck_assert(!is_store_locked());
}
END_TEST

START_TEST(what_is_dropped_is_out_of_staging_before_root_removes_it)
{
	CES_CLEANUP_FD int dir = -1;
	char name[CES_STEP_NAME + 1];

	ck_assert_int_eq(ces_store_stage(&store, name, &dir, &err), 0);
	put_text(dir, "file", "");
	ces_store_drop(&store, name);
	ck_assert_uint_eq(count(store.staging) + count(store.trash), 0);
	ces_store_drop(&store, name); /* (it is gone) */
}
END_TEST

START_TEST(the_same_name_can_be_discarded_twice_and_one_that_is_gone_is_not_out)
{
	char longest[201];

	memset(longest, 'n', 200);
	longest[200] = '\0';
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(mkdirat(store.layers, longest, 0700), 0);
		ck_assert(ces_store_discard(&store, store.layers, longest));
	}
	ck_assert(!ces_store_discard(&store, store.layers, longest));
	ck_assert_uint_eq(count(store.layers), 0);
	ck_assert_uint_eq(count(store.trash), 2);
}
END_TEST

/* ---- layers ---- */

static void the_lock_is_held(void)
{
	ck_assert(is_store_locked());
}

START_TEST(a_layer_gets_its_place_under_the_lock_and_keeps_it)
{
	CES_CLEANUP_FD int dir = -1;
	char name[CES_STEP_NAME + 1];

	(void)umask(0); /* (its modes depend on nobody's) */
	before_rename = the_lock_is_held;
	have_layer(D1, 7, D2);
	ck_assert_uint_eq(mode_of(store.layers, ces_store_hex(D1)), 0700);
	ck_assert_uint_eq(mode_of(store.layers, part(D1, "size")), 0600);
	ck_assert(ces_store_layer_from(&store, D1, D2));
	before_rename = NULL;
	ck_assert_int_eq(ces_store_stage(&store, name, &dir, &err), 0);
	ck_assert_int_eq(ces_store_note_layer(dir, 8, D1, &err), 0);
	ck_assert_int_eq(ces_store_commit_layer(&store, name, D1, &err), 0);
	ck_assert_uint_eq(ces_store_layer_size(&store, D1), 7);
	/* (the second is the collector's: no pull waits until it is gone) */
	ck_assert_uint_eq(count(store.staging), 0);
	ck_assert_uint_eq(count(store.trash), 1);
	ck_assert(!is_store_locked());
}
END_TEST

#define OTHER_BOOT "00000000-0000-0000-0000-000000000000"

static const struct {
	const char *mark; /* NULL: none; "b": this boot; "l": a link; "d": a directory */
	bool here;
} marks[] = {
    {NULL, true}, {"b", true},  {OTHER_BOOT, false}, {"", false}, {OTHER_BOOT "0", false},
    {"l", false}, {"d", false},
};

START_TEST(a_layer_of_an_earlier_boot_that_was_not_settled_is_absent_and_makes_room)
{
	const char *mark = part(D1, "unsettled");
	char boot[CES_BOOT_LENGTH + 1];

	have_layer(D1, 7, D2);
	ck_assert_int_eq(ces_object_boot(boot, &err), 0);
	has_text(store.layers, mark, boot);
	ck_assert_int_eq(unlinkat(store.layers, mark, 0), 0);
	if (marks[_i].mark != NULL && *marks[_i].mark == 'l')
		ck_assert_int_eq(symlinkat("size", store.layers, mark), 0);
	else if (marks[_i].mark != NULL && *marks[_i].mark == 'd')
		ck_assert_int_eq(mkdirat(store.layers, mark, 0700), 0);
	else if (marks[_i].mark != NULL)
		put_text(store.layers, mark, *marks[_i].mark == 'b' ? boot : marks[_i].mark);
	ck_assert_int_eq(ces_store_is_torn(&store, D1), !marks[_i].here);
	have_layer(D1, 8, D2);
	ck_assert_uint_eq(ces_store_layer_size(&store, D1), marks[_i].here ? 7 : 8);
	ck_assert_uint_eq(count(store.staging), 0);
	ck_assert_uint_eq(count(store.trash), 1);
	have_layer(D1, 9, D2); /* (the second to come finds it good) */
	ck_assert_uint_eq(ces_store_layer_size(&store, D1), marks[_i].here ? 7 : 8);
}
END_TEST

/* Takes all descriptors but one, which the lock gets. */
static size_t take_descriptors(int taken[], size_t most)
{
	size_t n = 0;

	while (n < most && (taken[n] = dup(store.dir >= 0 ? store.dir : store.layers)) >= 0)
		n++;
	ck_assert_uint_lt(n, most);
	close(taken[--n]);
	return n;
}

/* Live runs may have a layer whose mark cannot be read just now. */
START_TEST(a_layer_makes_no_room_for_want_of_a_descriptor)
{
	static int taken[64];
	char name[CES_STEP_NAME + 1];
	struct rlimit limit, few;
	size_t n;
	int dir;

	have_layer(D1, 7, D2);
	ck_assert_int_eq(ces_store_stage(&store, name, &dir, &err), 0);
	ck_assert_int_eq(ces_store_note_layer(dir, 8, D2, &err), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = (struct rlimit){(rlim_t)dir + 40, limit.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	n = take_descriptors(taken, CES_COUNT(taken));
	(void)ces_store_commit_layer(&store, name, D1, &err);
	while (n > 0)
		close(taken[--n]);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_uint_eq(ces_store_layer_size(&store, D1), 7);
	ck_assert_uint_eq(count(store.layers), 1);
	close(dir);
}
END_TEST

static const struct {
	const char *text;
	uint64_t bytes;
} sizes[] = {
    {"0", 0},
    {"1", 1},
    {"4096", 4096},
    {"9223372036854775807", INT64_MAX},
    {"", 0},
    {"-1", 0},
    {"+1", 0},
    {"9223372036854775808", 0},
    {" 1", 0},
    {"1\n", 0},
    {"1x", 0},
    {"18446744073709551616", 0},
    {"0x10", 0},
    {"1 1", 0},
    {"00000000000000000000000000000001x", 0},
};

START_TEST(a_size_that_is_no_number_is_unknown)
{
	have_layer(D1, 7, D2);
	put_text(store.layers, part(D1, "size"), sizes[_i].text);
	ck_assert_uint_eq(ces_store_layer_size(&store, D1), sizes[_i].bytes);
}
END_TEST

START_TEST(the_size_of_a_layer_that_is_not_there_is_unknown)
{
	ck_assert_uint_eq(ces_store_layer_size(&store, D1), 0);
	ck_assert(!ces_store_layer_from(&store, D1, D2));
}
END_TEST

START_TEST(a_layer_is_only_from_the_blob_that_gave_it)
{
	have_layer(D1, UINT64_MAX, D2);
	has_text(store.layers, part(D1, "size"), "18446744073709551615");
	ck_assert(ces_store_layer_from(&store, D1, D2));
	ck_assert(!ces_store_layer_from(&store, D1, D1));
	put_text(store.layers, part(D1, "digest"), D2 "0");
	ck_assert(!ces_store_layer_from(&store, D1, D2));
	put_bytes(store.layers, part(D1, "digest"), D2, 30);
	ck_assert(!ces_store_layer_from(&store, D1, D2));
	put_text(store.layers, part(D1, "digest"), "");
	ck_assert(!ces_store_layer_from(&store, D1,
					""
					"x"));
}
END_TEST

/* ---- settling ---- */

static const struct ces_store_order layers = {.n = 2, .layers = {D1, D2}};

static bool is_marked(const char *diff_id)
{
	return is_there(store.layers, part(diff_id, "unsettled"));
}

/* (settling leaves fds open, since its process ends; the test closes them) */
static void settle(void)
{
	int last = dup(0);

	close(last);
	ces_store_settle(&store, &layers);
	for (int fd = last; fd < last + 4; fd++)
		if (fd > runs && fd > store.runs)
			(void)close(fd);
}

START_TEST(settled_layers_lose_their_marks)
{
	have_layer(D1, 7, D2);
	settle();
	ck_assert(!is_marked(D1)); /* (the other is not there) */
	have_layer(D2, 7, D1);
	ck_assert(is_marked(D2));
	settle();
	ck_assert(!is_marked(D2));
}
END_TEST

START_TEST(when_the_disk_does_not_answer_the_marks_stay)
{
	have_layer(D1, 7, D2);
	note_steps(1);
	settle();
	steps_noted = false;
	ck_assert_str_eq(steps, "sync\n");
	ck_assert(is_marked(D1));
}
END_TEST

static void another_takes_the_place(void)
{
	ck_assert(ces_store_discard(&store, store.layers, ces_store_hex(D1)));
	have_layer(D1, 8, D2);
}

START_TEST(a_layer_that_came_during_the_sync_keeps_its_mark)
{
	have_layer(D1, 7, D2);
	during_sync = another_takes_the_place;
	settle();
	ck_assert_uint_eq(ces_store_layer_size(&store, D1), 8);
	ck_assert(is_marked(D1));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("store");

	tcase_add_loop_test(t, a_text_that_is_no_digest_becomes_no_path, 0, CES_COUNT(no_digests));
	tcase_add_test(t, a_staging_directory_is_locked_before_the_collector_can_see_it);
	tcase_add_loop_test(t,
			    when_a_step_of_staging_fails_no_later_one_is_done_and_the_lock_is_free,
			    0, CES_COUNT(staging_errors));
	tcase_add_test(t, a_store_that_is_full_takes_nothing_and_its_lock_is_free);
	tcase_add_test(t, what_is_dropped_is_out_of_staging_before_root_removes_it);
	tcase_add_test(t, the_same_name_can_be_discarded_twice_and_one_that_is_gone_is_not_out);
	tcase_add_test(t, a_layer_gets_its_place_under_the_lock_and_keeps_it);
	tcase_add_loop_test(
	    t, a_layer_of_an_earlier_boot_that_was_not_settled_is_absent_and_makes_room, 0,
	    CES_COUNT(marks));
	tcase_add_test(t, a_layer_makes_no_room_for_want_of_a_descriptor);
	tcase_add_loop_test(t, a_size_that_is_no_number_is_unknown, 0, CES_COUNT(sizes));
	tcase_add_test(t, the_size_of_a_layer_that_is_not_there_is_unknown);
	tcase_add_test(t, a_layer_is_only_from_the_blob_that_gave_it);
	tcase_add_test(t, settled_layers_lose_their_marks);
	tcase_add_test(t, when_the_disk_does_not_answer_the_marks_stay);
	tcase_add_test(t, a_layer_that_came_during_the_sync_keeps_its_mark);
	return run_scenes("store", t);
}
