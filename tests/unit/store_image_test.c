/* Tests what the store keeps of an image: its manifest and its configuration. */
/* links: helper/store/store.c helper/session/store.c helper/core/beneath.c helper/session/frames.c helper/session/lock.c helper/session/object.c helper/clean/tree.c */
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
	if (step("rename %s", dir == store.trash ? "away" : to))
		return -1;
	return (int)syscall(SYS_renameat2, from_dir, from, dir, to, 0);
}

int renameat2(int from_dir, const char *from, int dir, const char *to, unsigned flags)
{
	if (step("commit%s", flags == RENAME_NOREPLACE ? "" : " over another"))
		return -1;
	ck_assert(is_store_locked());
	return (int)syscall(SYS_renameat2, from_dir, from, dir, to, flags);
}

static bool shortage; /* of memory, when a manifest is read */

int fstat(int fd, struct stat *ret)
{
	if (shortage && strcmp(name_of_fd(fd), "manifest") == 0) {
		errno = ENOMEM;
		return -1;
	}
	return (int)syscall(SYS_fstat, fd, ret);
}

int fdatasync(int fd)
{
	return step("sync") ? -1 : (int)syscall(SYS_fdatasync, fd);
}

/* ---- images ---- */

/* Its documents: the manifest names the configuration, and that names the layer. */
#define D4     "sha256:4444444444444444444444444444444444444444444444444444444444444444"
#define CONFIG "{\0onfig " D2 " " D4 "}"
static char manifest_text[200], image[CES_DIGEST_LENGTH + 1], config_digest[CES_DIGEST_LENGTH + 1];

static void make_documents(void)
{
	ces_digest_of(CONFIG, sizeof(CONFIG) - 1, config_digest);
	(void)snprintf(manifest_text, sizeof(manifest_text), "{\"manifest\": %s}", config_digest);
	ces_digest_of(manifest_text, strlen(manifest_text), image);
}

static int commit(void)
{
	char *diff_ids[] = {(char[]){D2}};
	const struct ces_image_record record = {
	    .digest = image, .config_digest = config_digest, .diff_ids = {diff_ids, 1}};
	const struct ces_bytes manifest = {manifest_text, strlen(manifest_text)},
			       config = {(char[]){CONFIG}, sizeof(CONFIG) - 1};

	return ces_store_commit_image(&store, &record, &manifest, &config, &err);
}

static void begin(void)
{
	scene_begin();
	make_documents();
}

/* Are its documents there, as they came? */
static bool is_whole(void)
{
	struct stat st;

	if (fstatat(store.images, ces_store_hex(image), &st, 0) < 0)
		return false;
	has_text(store.images, part(image, "manifest"), manifest_text);
	return fstatat(store.images, part(image, "config"), &st, 0) == 0 &&
	       st.st_size == sizeof(CONFIG) - 1;
}

START_TEST(an_image_is_stored_as_it_came_and_the_first_stays)
{
	struct stat first, second;

	(void)umask(0);
	ck_assert(!is_whole());
	ck_assert_int_eq(commit(), 0);
	ck_assert(is_whole());
	ck_assert_uint_eq(mode_of(store.images, ces_store_hex(image)), 0700);
	ck_assert_uint_eq(mode_of(store.images, part(image, "manifest")), 0600);
	ck_assert_uint_eq(mode_of(store.images, part(image, "config")), 0600);
	ck_assert_int_eq(fstatat(store.images, ces_store_hex(image), &first, 0), 0);
	note_steps(0);
	ck_assert_int_eq(commit(), 0);
	ck_assert_str_eq(steps, "");
	ck_assert_int_eq(fstatat(store.images, ces_store_hex(image), &second, 0), 0);
	ck_assert_uint_eq(first.st_ino, second.st_ino);
	ck_assert_uint_eq(count(store.staging), 0);
	ck_assert_uint_eq(count(store.images), 1);
}
END_TEST

START_TEST(a_configuration_is_read_with_its_nul_up_to_a_bound)
{
	CES_CLEANUP_FREE char *text = NULL;

	ck_assert_int_eq(ces_store_read_config(&store, image, sizeof(CONFIG) - 1, &text), -1);
	ck_assert_int_eq(commit(), 0);
	ck_assert_int_eq(ces_store_read_config(&store, image, sizeof(CONFIG) - 2, &text), -1);
	ck_assert_ptr_null(text);
	ck_assert_int_eq(ces_store_read_config(&store, image, sizeof(CONFIG) - 1, &text), 0);
	ck_assert_int_eq(memcmp(text, CONFIG, sizeof(CONFIG)), 0); /* with the NUL at its end */
}
END_TEST

static const char *const documents[] = {"manifest", "config"};

START_TEST(an_image_whose_documents_are_not_those_of_its_digests_makes_room_for_the_next)
{
	ck_assert_int_eq(commit(), 0);
	put_text(store.images, part(image, documents[_i]), "{}");
	ck_assert_int_eq(commit(), 0);
	ck_assert(is_whole());
	ck_assert_uint_eq(count(store.staging), 0);
	ck_assert_uint_eq(count(store.trash), 1); /* the old one */
	ck_assert_int_eq(unlinkat(store.images, part(image, documents[_i]), 0), 0);
	ck_assert_int_eq(commit(), 0);
	ck_assert(is_whole());
}
END_TEST

START_TEST(an_image_that_cannot_be_read_now_stays)
{
	ck_assert_int_eq(commit(), 0);
	shortage = true;
	ck_assert_int_eq(commit(), 0);
	shortage = false;
	ck_assert(is_whole());
	ck_assert_uint_eq(count(store.staging), 0);
	ck_assert_uint_eq(count(store.trash), 1); /* the second, for the collector */
}
END_TEST

/* What a ces-store that was taken over could put together. */
static const struct {
	const char *digest, *config, *layer;
	bool proven;
} records[] = {{image, config_digest, D2, true},   {D1, config_digest, D2, false},
	       {NULL, config_digest, D2, false},   {"invalid", config_digest, D2, false},
	       {image, NULL, D2, false},           {image, D2, D2, false},
	       {image, image, D2, false},          {image, config_digest, D1, false},
	       {image, config_digest, "{", false}, {image, config_digest, config_digest, false}};

START_TEST(a_record_is_of_the_documents_that_its_digests_are_of)
{
	char *diff_ids[] = {(char[]){D2}, (char *)(uintptr_t)records[_i].layer};
	const struct ces_image_record record = {.digest = (char *)(uintptr_t)records[_i].digest,
						.config_digest =
						    (char *)(uintptr_t)records[_i].config,
						.diff_ids = {diff_ids, 2}};

	ck_assert_int_eq(commit(), 0);
	ck_assert_int_eq(ces_store_proves(&store, &record), records[_i].proven);
	ck_assert_int_eq(unlinkat(store.images, part(image, "config"), 0), 0);
	ck_assert(!ces_store_proves(&store, &record));
}
END_TEST

/* (the one before the last makes room for it; here there is nothing to move away) */
static const char image_steps[] = "write manifest\nsync\nwrite config\nsync\n"
				  "rename away\ncommit\n";

START_TEST(when_a_step_of_storing_an_image_fails_nothing_of_it_stays)
{
	note_steps(_i);
	ck_assert_int_eq(commit(), _i == 0 || _i == 5 ? 0 : -1);
	steps_noted = false;
	if (_i == 0)
		ck_assert_str_eq(steps, image_steps);
	if (_i == 0 || _i == 5)
		return;
	ck_assert_int_eq(step_number, _i + 1); /* (and it goes away) */
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_int_eq(err.sys, EIO);
	ck_assert_uint_eq(count(store.staging) + count(store.trash), 0);
	ck_assert_uint_eq(count(store.images), 0);
	ck_assert(!is_store_locked());
}
END_TEST

/* ---- links ---- */

START_TEST(a_link_in_the_place_of_a_configuration_is_not_followed)
{
	ck_assert_int_eq(commit(), 0);
	put_text(store.dir, "secret", "secret");
	ck_assert_int_eq(symlinkat("../../secret", store.images, part(image, "link")), 0);
	ck_assert_int_eq(
	    renameat(store.images, part(image, "link"), store.images, part(image, "config")), 0);
	ck_assert_int_eq(ces_store_read_config(&store, image, 100, &(char *){NULL}), -1);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("images");

	tcase_add_test(t, an_image_is_stored_as_it_came_and_the_first_stays);
	tcase_add_test(t, a_configuration_is_read_with_its_nul_up_to_a_bound);
	tcase_add_loop_test(
	    t, an_image_whose_documents_are_not_those_of_its_digests_makes_room_for_the_next, 0, 2);
	tcase_add_test(t, an_image_that_cannot_be_read_now_stays);
	tcase_add_loop_test(t, a_record_is_of_the_documents_that_its_digests_are_of, 0,
			    CES_COUNT(records));
	tcase_add_loop_test(t, when_a_step_of_storing_an_image_fails_nothing_of_it_stays, 0, 7);
	tcase_add_test(t, a_link_in_the_place_of_a_configuration_is_not_followed);
	return run_scenes_between("images in the store", t, begin, scene_end);
}
