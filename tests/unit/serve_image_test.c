/* Tests how ces-store puts an image together at the end of a pull, against a ces-resolve that has
 * been taken over: its size, its user, and its record. */
/* links: helper/store/serve.c helper/store/serve_layers.c helper/store/claim.c helper/store/quota.c helper/store/digests.c helper/store/store.c helper/session/store.c helper/session/store_open.c helper/store/grants.c helper/pull/steps.c helper/pull/layers.c helper/pull/workers.c helper/core/beneath.c helper/core/spawn.c helper/core/capability.c helper/session/frames.c helper/session/lock.c helper/session/object.c helper/clean/tree.c helper/session/runs.c helper/session/mounts.c helper/session/report.c helper/session/idmap.c helper/launch/overlay.c */
#include "common/schema.h"
#include "tests/unit/serve_scene.h"

/* (the name in the order, D2) */
#define SIGNED "signed-2222222222222222222222222222222222222222222222222222222222222222"

/* ---- all layers are there ---- */

START_TEST(the_image_takes_what_its_layers_take)
{
	make_image(3);
	have_layer(diff_id(0), 500, blob(0));
	have_layer(diff_id(1), 24, blob(1));
	reach(CES_ASSEMBLING);
	served();
	ck_assert_uint_eq(pull.bytes, 524); /* (the third is not there) */
	ck_assert_uint_eq(pull.left, (1 << 20) - 524);
}
END_TEST

START_TEST(an_image_over_the_users_limit_is_not_put_together)
{
	make_image(2);
	have_layer(diff_id(0), 1 << 20, blob(0));
	have_layer(diff_id(1), (uint64_t)_i, blob(1));
	reach(CES_ASSEMBLING);
	if (_i == 0) {
		served();
		return;
	}
	ck_assert_int_eq(serve(), -1);
	ck_assert_int_eq(err.code, CES_E_LIMIT);
	ck_assert_str_eq(err.rule, "host.user_limits.store");
}
END_TEST

static const struct {
	bool known, fetched;
	uint64_t number; /* 1: another pull fetched some */
	bool up_to_date;
} ends[] = {
    {true, false, 0, true},   {true, false, 1, false},          {true, true, 0, false},
    {false, false, 0, false}, {true, false, UINT64_MAX, false},
};

/* Stores the image of the scene. */
static void store_image(void)
{
	static char texts[4][CES_DIGEST_LENGTH + 1];
	char *diff_ids[4];
	const struct ces_image_record record = {
	    .digest = top_digest, .config_digest = config_digest, .diff_ids = {diff_ids, n_layers}};
	const struct ces_bytes of_manifest = {manifest, strlen(manifest)},
			       of_config = {config, strlen(config)};

	for (unsigned i = 0; i < n_layers; i++)
		diff_ids[i] = strcpy(texts[i], diff_id(i));
	ck_assert_int_eq(ces_store_commit_image(&store, &record, &of_manifest, &of_config, &err),
			 0);
}

static void say_record(void);
static void good_record(void);

/* (what other pulls said of the image does not count: each puts its record together anew) */
START_TEST(an_image_is_up_to_date_if_nobody_fetched_a_part_of_it)
{
	make_image(1);
	have_layers();
	good_record();
	if (ends[_i].known)
		store_image();
	reach(CES_FETCHING);
	if (ends[_i].fetched) {
		SAY(.kind = CES_WISH_UNPACK);
		SAY(.kind = CES_WISH_COMMIT, .size = 1000);
	}
	SAY(.kind = CES_WISH_IMAGE, .number = ends[_i].number);
	say_record();
	SAY(.kind = CES_WISH_DONE);
	note_steps(0);
	ck_assert_msg(serve() == 0, "%s", err.text);
	ck_assert_int_eq(pull.up_to_date, ends[_i].up_to_date);
	for_collector = ends[_i].fetched; /* (it was there already) */
}
END_TEST

static const char *const documents[] = {"manifest", "config"};

START_TEST(an_image_of_which_a_document_is_damaged_is_not_up_to_date)
{
	make_image(1);
	have_layers();
	store_image();
	put_text(store.images, part(top_digest, documents[_i]), "torn");
	reach(CES_ASSEMBLING);
	served();
	ck_assert(!pull.up_to_date);
}
END_TEST

/* ---- its user ---- */

START_TEST(its_user_is_looked_for_in_its_own_layers_which_nobody_can_change)
{
	const struct job *job = &shared->jobs[0];

	make_image(2);
	have_layers();
	reach(CES_ASSEMBLING);
	SAY(.kind = CES_WISH_USER, .layer = UINT64_MAX, .bytes = "me:group");
	note_steps(0);
	served();
	ck_assert_str_eq(steps, "open_tree fs '' clone cloexec\n"
				"setattr nosuid nodev ro idmap\n"
				"open_tree fs '' clone cloexec\n"
				"setattr nosuid nodev ro idmap\n");
	ck_assert_uint_eq(shared->n_jobs, 1);
	ck_assert_uint_eq(shared->n_fds, 1);
	ck_assert_str_eq(job->path, CES_UNPACK_PATH);
	ck_assert_uint_eq(job->n_fds, 5);
	ck_assert_uint_eq(job->in_userns, 1);
	ck_assert_uint_eq(job->order.kind, CES_UNPACK_FIND_USER);
	ck_assert_str_eq(job->order.user, "me:group");
}
END_TEST

START_TEST(all_127_layers_of_an_image_are_looked_at)
{
	make_image(CES_LAYERS_MAX);
	have_layers();
	reach(CES_ASSEMBLING);
	SAY(.kind = CES_WISH_USER);
	served();
	ck_assert_uint_eq(shared->jobs[0].n_fds, 130);
}
END_TEST

/* For each layer: the copy of its mount, and then the flags of the copy. */
START_TEST(when_a_step_to_the_user_fails_no_later_one_is_done)
{
	make_image(3);
	have_layers();
	reach(CES_ASSEMBLING);
	SAY(.kind = CES_WISH_USER);
	note_steps(_i);
	ck_assert_int_eq(serve(), -1);
	ck_assert_int_eq(step_number, _i);
	ck_assert_ptr_nonnull(strstr(err.text, _i % 2 == 1 ? "copying a mount" : "flags of a m"));
	ck_assert_uint_eq(shared->n_jobs, 0);
}
END_TEST

START_TEST(without_one_of_the_layers_nothing_is_looked_at)
{
	make_image(2);
	have_layer(diff_id(0), 1000, blob(0));
	reach(CES_ASSEMBLING);
	SAY(.kind = CES_WISH_USER);
	ck_assert_int_eq(serve(), -1);
	ck_assert_int_eq(err.code, CES_E_NOTFOUND);
	ck_assert_uint_eq(shared->n_jobs, 0);
}
END_TEST

START_TEST(a_user_is_256_bytes_and_not_a_byte_more)
{
	static char name[258];

	memset(name, 'u', 257);
	make_image(1);
	have_layers();
	reach(CES_ASSEMBLING);
	SAY(.kind = CES_WISH_USER, .bytes = name, .length = 256);
	served();
	ck_assert_uint_eq(strlen(shared->jobs[0].order.user), 256);
	pull.n = 0;
	SAY(.kind = CES_WISH_USER, .bytes = name, .length = 257);
	refused();
}
END_TEST

/* ---- its record ---- */

static struct ces_image_record record;
static char *of_record[CES_LAYERS_MAX];

static void good_record(void)
{
	static char texts[4][CES_DIGEST_LENGTH + 1], other[] = D1, another[] = D2;

	for (unsigned i = 0; i < n_layers; i++)
		of_record[i] = strcpy(texts[i], diff_id(i));
	/* the first two and the size are made anew */
	record = (struct ces_image_record){.digest = other,
					   .config_digest = another,
					   .size = UINT64_MAX,
					   .diff_ids = {of_record, n_layers},
					   .uid = 65535,
					   .gid = 65535};
}

static void say_record(void)
{
	static uint8_t *frame;
	size_t length;

	free(frame);
	ck_assert_int_eq(ces_wire_encode(&ces_image_record_schema, &record, &frame, &length, &err),
			 0);
	SAY(.kind = CES_WISH_BYTES, .number = CES_WISH_RECORD, .bytes = (char *)frame,
	    .length = length);
}

START_TEST(the_digests_and_the_size_of_an_image_are_made_of_what_came)
{
	const struct ces_image_record *made = &pull.image;

	make_image(2);
	have_layers();
	good_record();
	decision.signed_by.n = 1;
	reach(CES_SIGNING);
	SAY(.kind = CES_WISH_BYTES, .number = CES_WISH_SIGNATURES, .bytes = "bag");
	SAY(.kind = CES_WISH_SIGNED);
	reach(CES_ASSEMBLING);
	/* the second half of what that said goes on after the first */
	memmove(script + 4, script + 7, (n_script - 7) * sizeof(*script));
	n_script -= 3;
	say_record();
	SAY(.kind = CES_WISH_DONE);
	SAY(.kind = CES_WISH_DONE); /* (nobody hears it) */
	note_steps(0);
	ck_assert_msg(serve() == 0, "%s", err.text);
	has_text(store.images, part(top_digest, SIGNED), "bag");
	ck_assert_str_eq(made->digest, top_digest);
	ck_assert_str_eq(made->config_digest, config_digest);
	ck_assert_uint_eq(made->size, 2000);
	ck_assert_uint_eq(made->diff_ids.n, 2);
	ck_assert_uint_eq(made->uid, 65535);
	has_text(store.images, part(top_digest, "manifest"), manifest);
	has_text(store.images, part(top_digest, "config"), config);
	ck_assert_str_eq(pull.digest, top_digest);
	ck_assert_str_eq(pull.config_digest, config_digest);
	ck_assert(!pull.up_to_date);
}
END_TEST

static void spoil_record(int how)
{
	static char other[] = D1;
	char *first = of_record[0];

	switch (how) {
	case 0:
		record.diff_ids.n = 1;
		break;
	case 1:
		of_record[2] = other;
		record.diff_ids.n = 3;
		break;
	case 2:
		of_record[0] = of_record[1];
		break;
	case 3:
		of_record[0] = of_record[1];
		of_record[1] = first;
		break;
	case 4:
		record.diff_ids.n = 0;
		break;
	case 5:
		record.uid = 65536;
		break;
	case 6:
		record.gid = 65536;
		break;
	case 7:
		record.uid = UINT64_MAX;
		break;
	default:
		record.gid = 1ull << 32;
	}
}

START_TEST(a_record_of_other_layers_or_of_a_user_out_of_bounds_is_not_stored)
{
	make_image(2);
	have_layers();
	good_record();
	spoil_record(_i);
	reach(CES_ASSEMBLING);
	say_record();
	SAY(.kind = CES_WISH_DONE);
	ck_assert_int_eq(serve(), -1);
	ck_assert_int_eq(is_refusal(), _i < 5);
	if (_i >= 5)
		ck_assert_int_eq(err.code, CES_E_IMAGE);
	ck_assert_uint_eq(count(store.images), 0);
}
END_TEST

START_TEST(a_record_that_is_no_record_is_not_stored)
{
	make_image(1);
	have_layers();
	good_record();
	reach(CES_ASSEMBLING);
	if (_i > 0)
		say_record();
	if (_i == 1)
		script[n_script - 1].length--;
	if (_i == 2)
		SAY(.kind = CES_WISH_BYTES, .number = CES_WISH_RECORD, .bytes = "\0", .length = 1);
	if (_i == 3)
		SAY(.kind = CES_WISH_BYTES, .number = CES_WISH_RECORD,
		    .bytes = script[n_script - 1].bytes, .length = script[n_script - 1].length);
	SAY(.kind = CES_WISH_DONE);
	ck_assert_int_eq(serve(), -1);
	ck_assert_int_ne(err.code, CES_OK);
	ck_assert_uint_eq(count(store.images), 0);
}
END_TEST

/* (a run of it would look like one that an older CES has entered) */
START_TEST(an_image_of_no_layers_is_refused)
{
	make_image(0);
	reach(CES_FETCHING);
	ck_assert_int_eq(serve(), -1);
	ck_assert_str_eq(err.text, "ces-store asked for what it may not have");
	ck_assert_uint_eq(count(store.images), 0);
}
END_TEST

/* The documents of an image take space too. Those that are there already take none. */
START_TEST(documents_that_would_use_up_the_reserve_are_not_stored)
{
	make_image(1);
	have_layers();
	good_record();
	if (_i == 0)
		store_image();
	order.reserve = UINT64_MAX;
	reach(CES_ASSEMBLING);
	say_record();
	SAY(.kind = CES_WISH_DONE);
	ck_assert_int_eq(serve(), _i == 0 ? 0 : -1);
	if (_i == 0)
		return;
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_ptr_nonnull(strstr(err.text, "no space for the image: its manifest and conf"));
	ck_assert_uint_eq(count(store.images) + count(store.staging), 0);
}
END_TEST

START_TEST(signatures_that_would_use_up_the_reserve_are_not_stored)
{
	make_image(1);
	decision.signed_by.n = 1;
	order.reserve = UINT64_MAX;
	reach(CES_SIGNING);
	SAY(.kind = CES_WISH_BYTES, .number = CES_WISH_SIGNATURES, .bytes = "bag");
	SAY(.kind = CES_WISH_SIGNED);
	ck_assert_int_eq(serve(), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_ptr_nonnull(strstr(err.text, "no space for the image: its signatures"));
	ck_assert_uint_eq(count(store.staging), 0);
}
END_TEST

START_TEST(when_the_signatures_cannot_be_kept_the_pull_fails)
{
	make_image(1);
	have_layers();
	good_record();
	decision.signed_by.n = 1;
	store_image();
	ck_assert_int_eq(mkdirat(store.images, part(top_digest, SIGNED), 0700), 0);
	reach(CES_ASSEMBLING);
	say_record();
	SAY(.kind = CES_WISH_DONE);
	ck_assert_int_eq(serve(), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_int_eq(err.sys, EISDIR);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("image");

	tcase_add_test(t, the_image_takes_what_its_layers_take);
	tcase_add_loop_test(t, an_image_over_the_users_limit_is_not_put_together, 0, 2);
	tcase_add_loop_test(t, an_image_is_up_to_date_if_nobody_fetched_a_part_of_it, 0,
			    CES_COUNT(ends));
	tcase_add_loop_test(t, an_image_of_which_a_document_is_damaged_is_not_up_to_date, 0, 2);
	tcase_add_test(t, its_user_is_looked_for_in_its_own_layers_which_nobody_can_change);
	tcase_add_test(t, all_127_layers_of_an_image_are_looked_at);
	tcase_add_loop_test(t, when_a_step_to_the_user_fails_no_later_one_is_done, 1, 7);
	tcase_add_test(t, without_one_of_the_layers_nothing_is_looked_at);
	tcase_add_test(t, a_user_is_256_bytes_and_not_a_byte_more);
	tcase_add_test(t, the_digests_and_the_size_of_an_image_are_made_of_what_came);
	tcase_add_loop_test(t, a_record_of_other_layers_or_of_a_user_out_of_bounds_is_not_stored, 0,
			    9);
	tcase_add_loop_test(t, a_record_that_is_no_record_is_not_stored, 0, 4);
	tcase_add_test(t, an_image_of_no_layers_is_refused);
	tcase_add_loop_test(t, documents_that_would_use_up_the_reserve_are_not_stored, 0, 2);
	tcase_add_test(t, signatures_that_would_use_up_the_reserve_are_not_stored);
	tcase_add_test(t, when_the_signatures_cannot_be_kept_the_pull_fails);
	return run_pulls("image of a pull", t);
}
