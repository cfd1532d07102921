/* Tests the documents of a pull, against a ces-resolve that has been taken over: which bytes root
 * takes, which image they are, and which layers they name. */
/* links: helper/store/serve.c helper/store/serve_layers.c helper/store/claim.c helper/store/quota.c helper/store/digests.c helper/store/store.c helper/session/store.c helper/session/store_open.c helper/store/grants.c helper/pull/steps.c helper/pull/layers.c helper/pull/workers.c helper/core/beneath.c helper/core/spawn.c helper/core/capability.c helper/session/frames.c helper/session/lock.c helper/session/object.c helper/clean/tree.c helper/session/runs.c helper/session/mounts.c helper/session/report.c helper/session/idmap.c helper/launch/overlay.c */
#include "tests/unit/serve_scene.h"

/* ---- documents ---- */

START_TEST(a_document_belongs_to_one_phase)
{
	static const enum ces_phase when[] = {CES_LOOKING, CES_LOOKING, CES_CONFIGURING,
					      CES_ASSEMBLING, CES_SIGNING};
	static const enum ces_phase takes[] = {CES_LOOKING, CES_SIGNING, CES_CONFIGURING,
					       CES_ASSEMBLING};
	uint64_t document = (unsigned)_i / 4;
	enum ces_phase phase = takes[_i % 4];

	decision.signed_by.n = phase == CES_SIGNING;
	make_image(1);
	have_layers();
	reach(phase);
	SAY(.kind = CES_WISH_BYTES, .number = document < 5 ? document : UINT64_MAX, .bytes = "x");
	if (document < 5 && when[document] == phase)
		served();
	else
		refused();
}
END_TEST

START_TEST(a_document_is_four_mebibytes_and_not_a_byte_more)
{
	static char piece[CES_WISH_BYTES_MAX];

	memset(piece, 'x', sizeof(piece));
	for (size_t i = 0; i < CES_MANIFEST_MAX / sizeof(piece); i++)
		SAY(.kind = CES_WISH_BYTES, .number = CES_WISH_TOP, .bytes = piece,
		    .length = sizeof(piece));
	served();
	SAY(.kind = CES_WISH_BYTES, .number = CES_WISH_TOP, .bytes = "x");
	refused();
}
END_TEST

static const struct {
	enum ces_phase phase;
	uint64_t kind;
} jobs[] = {{CES_LOOKING, CES_UNPACK_MANIFEST},
	    {CES_SIGNING, CES_UNPACK_SIGNATURES},
	    {CES_CONFIGURING, CES_UNPACK_CONFIG}};

START_TEST(a_reader_gets_its_job_and_no_directory)
{
	const struct job *job = &shared->jobs[0];

	decision.signed_by.n = jobs[_i].phase == CES_SIGNING;
	make_image(1);
	reach(jobs[_i].phase);
	SAY(.kind = CES_WISH_PARSE, .number = jobs[_i].kind, .size = UINT64_MAX,
	    .layers = UINT64_MAX - 1, .type = UINT64_MAX - 2, .digest = D1);
	SAY(.kind = CES_WISH_PARSE, .number = jobs[_i].kind);
	served();
	ck_assert_uint_eq(shared->n_jobs, 2);
	ck_assert_uint_eq(shared->n_fds, 4);
	ck_assert_str_eq(job->path, CES_UNPACK_PATH);
	ck_assert_uint_eq(job->n_fds, 3);
	ck_assert_uint_eq(job->in_userns, 1);
	ck_assert_str_eq(job->input, "input");
	ck_assert_uint_eq(job->order.kind, jobs[_i].kind);
	ck_assert_uint_eq(job->order.size, UINT64_MAX);
	ck_assert_uint_eq(job->order.layers, UINT64_MAX - 1);
	ck_assert_uint_eq(job->order.type, UINT64_MAX - 2);
	ck_assert_str_eq(job->order.digest, D1);
	ck_assert_str_eq(shared->jobs[1].order.digest, "");
	ck_assert_str_eq(job->order.user, "");
}
END_TEST

START_TEST(a_reader_of_another_kind_is_not_started)
{
	static const uint64_t kinds[] = {0, 1, 2, 3, 4, 5, 6, UINT64_MAX};
	enum ces_phase phase = jobs[_i / 8].phase;

	decision.signed_by.n = phase == CES_SIGNING;
	make_image(1);
	reach(phase);
	if (kinds[_i % 8] == jobs[_i / 8].kind)
		return;
	SAY(.kind = CES_WISH_PARSE, .number = kinds[_i % 8]);
	refused();
	ck_assert_uint_eq(shared->n_jobs, 0);
}
END_TEST

static const char *const no_digests[] = {
    "x",
    "sha256:",
    "../../../etc/passwd",
    "sha256:000000000000000000000000000000000000000000000000000000000000000A",
    "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/",
};

START_TEST(a_text_that_is_no_digest_ends_the_pull)
{
	make_image(1);
	SAY(.kind = CES_WISH_PARSE, .number = CES_UNPACK_MANIFEST, .digest = no_digests[_i]);
	refused();
	n_script = 0;
	reach(CES_CONFIGURING);
	SAY(.kind = CES_WISH_BYTES, .number = CES_WISH_CONFIG, .bytes = no_digests[_i]);
	SAY(.kind = CES_WISH_LAYER, .digest = blob(0), .diff_id = no_digests[_i]);
	refused();
}
END_TEST

START_TEST(a_digest_ends_with_its_field)
{
	SAY(.kind = CES_WISH_PARSE, .number = CES_UNPACK_MANIFEST, .digest = D1 "1",
	    .diff_id = D2 "2");
	served();
	ck_assert_str_eq(shared->jobs[0].order.digest, D1);
}
END_TEST

/* ---- which image it is ---- */

enum shape {
	NAMED = 1,
	INDEXED = 2,
	UNNAMED_MANIFEST = 4,
	OTHER_NAME = 8,
	LOCK_TOP = 16,
	LOCK_MANIFEST = 32,
	LOCK_OTHER = 64,
	EMPTY = 128
};

static const struct {
	unsigned shape;
	enum ces_code code; /* CES_E_HOST: it is taken, and the script ends */
} images[] = {
    {0, CES_E_HOST},
    {NAMED, CES_E_HOST},
    {OTHER_NAME, CES_E_INTERNAL},
    {INDEXED, CES_E_HOST},
    {INDEXED | NAMED, CES_E_HOST},
    {INDEXED | OTHER_NAME, CES_E_INTERNAL},
    {INDEXED | UNNAMED_MANIFEST, CES_E_INTERNAL},
    {INDEXED | UNNAMED_MANIFEST | NAMED, CES_E_INTERNAL},
    {LOCK_TOP, CES_E_HOST},
    {LOCK_OTHER, CES_E_DENIED},
    {INDEXED | LOCK_TOP, CES_E_HOST},
    {INDEXED | LOCK_MANIFEST, CES_E_HOST},
    {INDEXED | LOCK_OTHER, CES_E_DENIED},
    {INDEXED | LOCK_OTHER | NAMED, CES_E_DENIED},
    {EMPTY, CES_E_HOST},
    {EMPTY | OTHER_NAME, CES_E_INTERNAL},
};

START_TEST(the_image_is_the_one_that_was_named_and_that_was_approved)
{
	static char index[256];
	unsigned shape = images[_i].shape;
	char of_manifest[CES_DIGEST_LENGTH + 1], of_top[CES_DIGEST_LENGTH + 1];

	make_image(1);
	ces_digest_of(manifest, strlen(manifest), of_manifest);
	(void)snprintf(index, sizeof(index), "{%s}",
		       (shape & UNNAMED_MANIFEST) != 0 ? D1 : of_manifest);
	memcpy(of_top, of_manifest, sizeof(of_top));
	if ((shape & INDEXED) != 0)
		ces_digest_of(index, strlen(index), of_top);
	if ((shape & NAMED) != 0)
		memcpy(decision.image.digest, of_top, sizeof(of_top));
	if ((shape & OTHER_NAME) != 0) /* the manifest's own, where an index leads to it */
		memcpy(decision.image.digest, (shape & INDEXED) != 0 ? of_manifest : D1,
		       sizeof(of_top));
	if ((shape & (LOCK_TOP | LOCK_MANIFEST | LOCK_OTHER)) != 0)
		memcpy(decision.locked_digest,
		       (shape & LOCK_TOP) != 0        ? of_top
		       : (shape & LOCK_MANIFEST) != 0 ? of_manifest
						      : D2,
		       sizeof(of_top));
	if ((shape & EMPTY) == 0)
		SAY(.kind = CES_WISH_BYTES, .number = CES_WISH_TOP,
		    .bytes = (shape & INDEXED) != 0 ? index : manifest);
	if ((shape & INDEXED) != 0)
		SAY(.kind = CES_WISH_BYTES, .number = CES_WISH_CHOSEN, .bytes = manifest);
	SAY(.kind = CES_WISH_MANIFEST);
	ck_assert_int_eq(serve(), -1);
	ck_assert_int_eq(err.code, images[_i].code);
	ck_assert_int_eq(is_refusal(), err.code == CES_E_INTERNAL);
	if (err.code == CES_E_DENIED)
		ck_assert_str_eq(err.rule, "projects.p.images[0]");
	if ((shape & EMPTY) != 0)
		return;
	ck_assert_str_eq(pull.top_digest, of_top);
	ck_assert_str_eq(pull.digest, of_manifest);
}
END_TEST

START_TEST(a_document_that_never_came_names_nothing)
{
	make_image(1);
	if (_i == 0)
		SAY(.kind = CES_WISH_BYTES, .number = CES_WISH_CHOSEN, .bytes = manifest);
	SAY(.kind = CES_WISH_MANIFEST);
	if (_i == 1)
		SAY(.kind = CES_WISH_NEED);
	if (_i == 2)
		SAY(.kind = CES_WISH_LAYER, .digest = blob(0), .diff_id = diff_id(0));
	refused();
}
END_TEST

static const struct {
	enum ces_code code;
	const char *bytes, *text;
} checks[] = {
    {CES_OK, NULL, "ces-resolve ended unexpectedly"},
    {CES_E_DENIED, NULL, "too few have signed"},
    {CES_E_DENIED, "timed out",
     "not all signatures could be read (timed out): too few have signed"},
    {CES_E_HOST, "timed out", "too few have signed"},
};

START_TEST(nothing_is_fetched_before_enough_keys_have_signed)
{
	decision.signed_by.n = 1;
	signatures = checks[_i].code;
	make_image(1);
	reach(CES_SIGNING);
	SAY(.kind = CES_WISH_BYTES, .number = CES_WISH_SIGNATURES, .bytes = "bag");
	SAY(.kind = CES_WISH_SIGNED, .bytes = checks[_i].bytes);
	note_steps(0);
	ck_assert_int_eq(serve(), -1);
	ck_assert_str_eq(err.text, checks[_i].text);
	ck_assert_ptr_nonnull(strstr(steps, "with 3 bytes"));
	n_script--;
	SAY(.kind = CES_WISH_NEED);
	refused();
}
END_TEST

START_TEST(the_reason_that_signatures_are_missing_is_cut)
{
	static char longest[CES_WISH_BYTES_MAX + 1];

	memset(longest, 'r', CES_WISH_BYTES_MAX);
	decision.signed_by.n = 1;
	signatures = CES_E_DENIED;
	make_image(1);
	reach(CES_SIGNING);
	SAY(.kind = CES_WISH_SIGNED, .bytes = longest);
	ck_assert_int_eq(serve(), -1);
	ck_assert_uint_eq(strspn(strchr(err.text, '(') + 1, "r"), 120);
	ck_assert_ptr_nonnull(strstr(err.text, "too few have signed"));
}
END_TEST

/* ---- which layers there are ---- */

START_TEST(a_layer_is_one_that_manifest_and_configuration_name)
{
	static const char *const digests[][2] = {
	    {D1, NULL}, {NULL, D1}, {"", NULL}, {NULL, ""}, {D1, D1}};

	make_image(2);
	reach(CES_CONFIGURING);
	SAY(.kind = CES_WISH_BYTES, .number = CES_WISH_CONFIG, .bytes = config);
	SAY(.kind = CES_WISH_LAYER, .digest = digests[_i][0] ?: blob(0),
	    .diff_id = digests[_i][1] ?: diff_id(0));
	refused();
}
END_TEST

START_TEST(an_image_has_at_most_127_layers)
{
	make_image(1);
	reach(CES_FETCHING);
	n_script--; /* without the end of the list */
	while (n_script < 3 + CES_LAYERS_MAX)
		script[n_script] = script[n_script - 1], n_script++;
	served();
	ck_assert_uint_eq(pull.n, CES_LAYERS_MAX);
	pull.n = 0;
	script[n_script] = script[n_script - 1];
	n_script++;
	refused();
}
END_TEST

START_TEST(a_configuration_that_the_manifest_does_not_name_ends_the_pull)
{
	make_image(1);
	reach(CES_CONFIGURING);
	SAY(.kind = CES_WISH_BYTES, .number = CES_WISH_CONFIG, .bytes = config);
	SAY(.kind = CES_WISH_BYTES, .number = CES_WISH_CONFIG, .bytes = " ");
	SAY(.kind = CES_WISH_NEED);
	refused();
}
END_TEST

START_TEST(the_last_of_127_layers_has_its_bit)
{
	make_image(CES_LAYERS_MAX);
	have_layer(diff_id(126), 1000, blob(126));
	have_layer(diff_id(64), 1000, blob(64));
	reach(CES_FETCHING);
	served();
	ck_assert_uint_eq(shared->answers[0].here[0], 0);
	ck_assert_uint_eq(shared->answers[0].here[1], 1 | 1ull << 62);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("documents");

	tcase_add_loop_test(t, a_document_belongs_to_one_phase, 0, 6 * 4);
	tcase_add_test(t, a_document_is_four_mebibytes_and_not_a_byte_more);
	tcase_add_loop_test(t, a_reader_gets_its_job_and_no_directory, 0, CES_COUNT(jobs));
	tcase_add_loop_test(t, a_reader_of_another_kind_is_not_started, 0, 3 * 8);
	tcase_add_loop_test(t, a_text_that_is_no_digest_ends_the_pull, 0, CES_COUNT(no_digests));
	tcase_add_test(t, a_digest_ends_with_its_field);
	tcase_add_loop_test(t, the_image_is_the_one_that_was_named_and_that_was_approved, 0,
			    CES_COUNT(images));
	tcase_add_loop_test(t, a_document_that_never_came_names_nothing, 0, 3);
	tcase_add_loop_test(t, nothing_is_fetched_before_enough_keys_have_signed, 0,
			    CES_COUNT(checks));
	tcase_add_test(t, the_reason_that_signatures_are_missing_is_cut);
	tcase_add_loop_test(t, a_layer_is_one_that_manifest_and_configuration_name, 0, 5);
	tcase_add_test(t, an_image_has_at_most_127_layers);
	tcase_add_test(t, a_configuration_that_the_manifest_does_not_name_ends_the_pull);
	tcase_add_test(t, the_last_of_127_layers_has_its_bit);
	return run_pulls("documents of a pull", t);
}
