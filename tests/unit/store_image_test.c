/* Tests what the store keeps of an image: its record, its configuration, and the documents that may
 * hold its signatures. */
/* links: helper/store/store.c helper/core/beneath.c helper/session/frames.c helper/session/lock.c helper/session/object.c helper/clean/tree.c */
#include <stdint.h>
#include <sys/syscall.h>

#include "common/image.h"
#include "common/schema.h"
#include "helper/session/frames.h"
#include "helper/store/store.h"
#include "tests/unit/store_scene.h"

/* ---- system calls that can fail ---- */

ssize_t write(int fd, const void *bytes, size_t length)
{
	const char *name = name_of_fd(fd);

	/* (a temporary name goes on with the pid) */
	return step("write %.*s", (int)strcspn(name, ".") + 1, name)
		   ? -1
		   : syscall(SYS_write, fd, bytes, length);
}

int renameat(int from_dir, const char *from, int dir, const char *to)
{
	if (step("rename %.6s", to))
		return -1;
	return (int)syscall(SYS_renameat2, from_dir, from, dir, to, 0);
}

int renameat2(int from_dir, const char *from, int dir, const char *to, unsigned flags)
{
	if (step("commit%s", flags == RENAME_NOREPLACE ? "" : " over another"))
		return -1;
	ck_assert(is_locked(store.dir, "lock"));
	return (int)syscall(SYS_renameat2, from_dir, from, dir, to, flags);
}

int fdatasync(int fd)
{
	return step("sync") ? -1 : (int)syscall(SYS_fdatasync, fd);
}

/* ---- images ---- */

static const struct ces_bytes manifest = {(char[]){"{\"manifest\"}"}, 12},
			      config = {(char[]){"{\0onfig}"}, 8};

static int commit(uint64_t size)
{
	char *diff_ids[] = {(char[]){D2}};
	const struct ces_image_record record = {.digest = (char[]){D1},
						.config_digest = (char[]){D2},
						.diff_ids = {diff_ids, 1},
						.uid = 65535,
						.size = size};

	return ces_store_commit_image(&store, &record, &manifest, &config, &err);
}

/* The size in its record, or 0 if there is none. */
static uint64_t loaded(void)
{
	struct ces_image_record record;
	uint64_t size;

	if (ces_store_load_image(&store, D1, &record, &err) < 0)
		return 0;
	size = record.size;
	ck_assert_str_eq(record.digest, D1);
	ck_assert_uint_eq(record.uid, 65535);
	ces_image_record_free(&record);
	return size;
}

START_TEST(an_image_is_stored_as_it_came_and_the_first_stays)
{
	CES_CLEANUP_FREE char *text = NULL;

	ck_assert_uint_eq(loaded(), 0);
	ck_assert_int_eq(err.code, CES_E_NOTFOUND);
	(void)umask(0);
	ck_assert_int_eq(commit(7), 0);
	ck_assert_uint_eq(loaded(), 7);
	has_text(store.images, part(D1, "manifest"), "{\"manifest\"}");
	ck_assert_uint_eq(mode_of(store.images, ces_store_hex(D1)), 0700);
	ck_assert_uint_eq(mode_of(store.images, part(D1, "manifest")), 0600);
	ck_assert_uint_eq(mode_of(store.images, part(D1, "config")), 0600);
	ck_assert_uint_eq(mode_of(store.images, part(D1, "record")), 0600);
	ck_assert_int_eq(commit(8), 0);
	ck_assert_uint_eq(loaded(), 7);
	ck_assert_uint_eq(count(store.staging), 0);
	ck_assert_uint_eq(count(store.images), 1);
}
END_TEST

START_TEST(a_configuration_is_read_with_its_nul_up_to_a_bound)
{
	CES_CLEANUP_FREE char *text = NULL;

	ck_assert_int_eq(ces_store_read_config(&store, D1, 8, &text), -1);
	ck_assert_int_eq(commit(7), 0);
	ck_assert_int_eq(ces_store_read_config(&store, D1, 7, &text), -1);
	ck_assert_ptr_null(text);
	ck_assert_int_eq(ces_store_read_config(&store, D1, 8, &text), 0);
	ck_assert_int_eq(memcmp(text, "{\0onfig}", 9), 0); /* with the NUL at its end */
}
END_TEST

static void damage(int how, const char *place)
{
	CES_CLEANUP_FREE char *frame = NULL;
	CES_CLEANUP_FD int fd = openat(store.images, place, O_RDONLY | O_CLOEXEC);
	size_t length;

	ck_assert_int_eq(ces_read_file(fd, 1 << 20, &frame, &length), 0);
	if (how == 0)
		length = 0;
	else if (how == 1)
		length--; /* torn */
	else if (how == 2)
		length++; /* a byte too many: the NUL behind it */
	else if (how == 3)
		frame[3] = '2'; /* of another version */
	else if (how == 4)
		memcpy(frame + 4, "\x33", 1); /* another kind of record */
	else
		frame[CES_WIRE_HEADER + CES_WIRE_FIELD_HEADER + 9] = '\0'; /* in the digest */
	put_bytes(store.images, place, frame, length);
}

START_TEST(an_image_with_a_damaged_record_makes_room_for_the_next)
{
	ck_assert_int_eq(commit(7), 0);
	damage(_i, part(D1, "record"));
	ck_assert_uint_eq(loaded(), 0);
	ck_assert_int_eq(err.code, CES_E_INTERNAL);
	ck_assert_int_eq(commit(8), 0);
	ck_assert_uint_eq(loaded(), 8);
	ck_assert_uint_eq(discarded(), 1); /* the old one */
}
END_TEST

START_TEST(an_image_without_its_record_makes_room_for_the_next)
{
	ck_assert_int_eq(commit(7), 0);
	ck_assert_int_eq(unlinkat(store.images, part(D1, "record"), 0), 0);
	ck_assert_int_eq(commit(8), 0);
	ck_assert_uint_eq(loaded(), 8);
}
END_TEST

START_TEST(an_image_whose_record_cannot_be_read_now_stays)
{
	ck_assert_int_eq(commit(7), 0);
	ck_assert_int_eq(unlinkat(store.images, part(D1, "record"), 0), 0);
	ck_assert_int_eq(mkdirat(store.images, part(D1, "record"), 0700), 0);
	ck_assert_uint_eq(loaded(), 0);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_int_eq(commit(8), 0);
	ck_assert(is_there(store.images, part(D1, "record")));
	ck_assert_uint_eq(count(store.staging), 0);
}
END_TEST

/* (the two before the last make room for it; here there is nothing to move away) */
static const char image_steps[] = "write manifest\nwrite config\nwrite record.\nsync\n"
				  "rename record\nrename trash/\nrename trash/\ncommit\n";

START_TEST(when_a_step_of_storing_an_image_fails_nothing_of_it_stays)
{
	note_steps(_i);
	ck_assert_int_eq(commit(7), _i == 0 || _i == 6 || _i == 7 ? 0 : -1);
	steps_noted = false;
	if (_i == 0)
		ck_assert_str_eq(steps, image_steps);
	if (_i == 0 || _i == 6 || _i == 7)
		return;
	ck_assert_int_eq(step_number, _i);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_int_eq(err.sys, EIO);
	ck_assert_uint_eq(count(store.staging), 0);
	ck_assert_uint_eq(count(store.images), 0);
	ck_assert(!is_locked(store.dir, "lock"));
}
END_TEST

/* ---- documents that may hold signatures ---- */

static int keep(const char *image, const char *repository, const char *text)
{
	const struct ces_bytes bytes = {(char *)(uintptr_t)text, strlen(text)};

	return ces_store_keep_signed(&store, image, repository, &bytes, &err);
}

static void kept(const char *repository, const char *expected)
{
	CES_CLEANUP_FREE char *text = NULL;
	size_t length = 0;

	ck_assert_int_eq(ces_store_read_signed(&store, D1, repository, 4096, &text, &length),
			 expected == NULL ? -1 : 0);
	if (expected == NULL)
		return;
	ck_assert_uint_eq(length, strlen(expected));
	ck_assert_str_eq(text, expected);
}

START_TEST(each_repository_keeps_its_own_documents_and_the_last_ones_alone)
{
	ck_assert_int_eq(commit(7), 0);
	kept(D1, NULL);
	(void)umask(0);
	ck_assert_int_eq(keep(D1, D1, "one"), 0);
	ck_assert_int_eq(keep(D1, D2, "two"), 0);
	kept(D1, "one");
	kept(D2, "two");
	ck_assert_int_eq(keep(D1, D1, ""), 0);
	kept(D1, "");
	kept(D2, "two");
	ck_assert_uint_eq(count(store.images), 1);
	ck_assert_uint_eq(mode_of(store.images, part(D1, "signed-" /* and 64 digits */
							 "11111111111111111111111111111111"
							 "11111111111111111111111111111111")),
			  0600);
}
END_TEST

START_TEST(documents_are_read_up_to_a_bound)
{
	CES_CLEANUP_FREE char *text = NULL;
	size_t length = 7;

	ck_assert_int_eq(commit(7), 0);
	ck_assert_int_eq(keep(D1, D2, "12345"), 0);
	ck_assert_int_eq(ces_store_read_signed(&store, D1, D2, 4, &text, &length), -1);
	ck_assert_ptr_null(text);
	ck_assert_int_eq(ces_store_read_signed(&store, D1, D2, 5, &text, &length), 0);
	ck_assert_uint_eq(length, 5);
}
END_TEST

START_TEST(an_image_that_is_gone_keeps_no_documents)
{
	ck_assert_int_eq(keep(D1, D1, "one"), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_uint_eq(count(store.images), 0);
}
END_TEST

START_TEST(when_documents_cannot_be_written_the_old_ones_stay)
{
	ck_assert_int_eq(commit(7), 0);
	ck_assert_int_eq(keep(D1, D1, "one"), 0);
	note_steps(_i);
	ck_assert_int_eq(keep(D1, D1, "two"), -1);
	steps_noted = false;
	ck_assert_int_eq(step_number, _i);
	ck_assert_int_eq(err.sys, EIO);
	kept(D1, "one");
	ck_assert_int_eq(keep(D1, D1, "x"), 0); /* (shorter than what was left behind) */
	kept(D1, "x");
}
END_TEST

START_TEST(a_link_in_the_place_of_documents_is_not_followed)
{
	ck_assert_int_eq(commit(7), 0);
	ck_assert_int_eq(keep(D1, D1, "one"), 0);
	put_text(store.dir, "secret", "secret");
	ck_assert_int_eq(symlinkat("../../../secret", store.images, part(D1, "link")), 0);
	ck_assert_int_eq(renameat(store.images, part(D1, "link"), store.images, part(D1, "config")),
			 0);
	ck_assert_int_eq(ces_store_read_config(&store, D1, 100, &(char *){NULL}), -1);
	kept(D1, "one");
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("images");

	tcase_add_test(t, an_image_is_stored_as_it_came_and_the_first_stays);
	tcase_add_test(t, a_configuration_is_read_with_its_nul_up_to_a_bound);
	tcase_add_loop_test(t, an_image_with_a_damaged_record_makes_room_for_the_next, 0, 6);
	tcase_add_test(t, an_image_without_its_record_makes_room_for_the_next);
	tcase_add_test(t, an_image_whose_record_cannot_be_read_now_stays);
	tcase_add_loop_test(t, when_a_step_of_storing_an_image_fails_nothing_of_it_stays, 0, 9);
	tcase_add_test(t, each_repository_keeps_its_own_documents_and_the_last_ones_alone);
	tcase_add_test(t, documents_are_read_up_to_a_bound);
	tcase_add_test(t, an_image_that_is_gone_keeps_no_documents);
	tcase_add_loop_test(t, when_documents_cannot_be_written_the_old_ones_stay, 1, 3);
	tcase_add_test(t, a_link_in_the_place_of_documents_is_not_followed);
	return run_scenes("images in the store", t);
}
