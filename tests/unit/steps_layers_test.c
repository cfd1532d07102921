/* Tests root's steps for the documents and layers of a pull, against a ces-store that was taken
 * over: digests of each form, and staged directories that are not what they should be. */
/* links: helper/pull/steps.c helper/pull/layers.c helper/pull/workers.c helper/store/serve.c helper/store/serve_layers.c helper/store/claim.c helper/store/quota.c helper/store/digests.c helper/store/store.c helper/session/store.c helper/session/store_open.c helper/store/grants.c helper/core/beneath.c helper/core/spawn.c helper/core/capability.c helper/session/frames.c helper/session/lock.c helper/session/object.c helper/clean/tree.c helper/session/runs.c helper/session/mounts.c helper/session/report.c helper/session/idmap.c helper/launch/overlay.c */
#include "tests/unit/steps_scene.h"

/* ---- documents ---- */

START_TEST(a_reader_is_of_its_time_and_its_digest_is_one)
{
	static const struct {
		enum ces_turn turn;
		uint64_t number;
		const char *digest;
		bool served;
	} reads[] = {
	    {CES_TURN_LOOK, CES_UNPACK_MANIFEST, "", true},
	    {CES_TURN_LOOK, CES_UNPACK_MANIFEST, D1, true},
	    {CES_TURN_LOOK, CES_UNPACK_MANIFEST, "sha256:", false},
	    {CES_TURN_LOOK, CES_UNPACK_CONFIG, D1, false},
	    {CES_TURN_SIGN, CES_UNPACK_SIGNATURES, D1, true},
	    {CES_TURN_SIGN, CES_UNPACK_LAYER, D1, false},
	    {CES_TURN_CONFIGURE, CES_UNPACK_CONFIG, D1, true},
	    {CES_TURN_CONFIGURE, CES_UNPACK_FIND_USER, D1, false},
	    {CES_TURN_CONFIGURE, UINT64_MAX, D1, false},
	};
	struct ces_step wanted = {.kind = CES_STEP_READ,
				  .number = reads[_i].number,
				  .size = UINT64_MAX,
				  .layers = UINT64_MAX,
				  .type = UINT64_MAX};

	begin_at(reads[_i].turn);
	(void)strcpy(wanted.digest, reads[_i].digest);
	ck_assert_int_eq(ask_with(wanted, NULL, 0), reads[_i].served ? 0 : -1);
	ck_assert_int_eq(refused_by_root(), !reads[_i].served);
	ck_assert_int_eq(take_all(), reads[_i].served ? 2 : 0);
	end_all();
}
END_TEST

START_TEST(root_compares_the_image_with_what_was_named_and_approved)
{
	static const struct {
		const char *digest, *top, *named, *locked;
		enum ces_code code;
	} found[] = {
	    {D1, D2, "", "", CES_OK},          {D1, D2, D2, "", CES_OK},
	    {D1, D2, D1, "", CES_E_INTERNAL},  {D1, D2, "", D1, CES_OK},
	    {D1, D2, "", D2, CES_OK},          {D1, D1, "", D2, CES_E_DENIED},
	    {"", D2, "", "", CES_E_INTERNAL},  {D1, "", "", "", CES_E_INTERNAL},
	    {"x", D2, "", "", CES_E_INTERNAL}, {D1, "sha256:../..", "", "", CES_E_INTERNAL},
	};
	struct ces_step wanted = {.kind = CES_STEP_FOUND};

	(void)strcpy(decision.image.digest, found[_i].named);
	(void)strcpy(decision.locked_digest, found[_i].locked);
	begin_at(CES_TURN_LOOK);
	(void)strcpy(wanted.digest, found[_i].digest);
	(void)strcpy(wanted.top, found[_i].top);
	ck_assert_int_eq(ask_with(wanted, NULL, 0), found[_i].code == CES_OK ? 0 : -1);
	ck_assert_int_eq(err.code, found[_i].code);
	if (err.code == CES_OK)
		ck_assert_int_eq(at_root.turn, CES_TURN_CONFIGURE);
	if (err.code == CES_E_DENIED)
		ck_assert_str_eq(err.rule, "projects.p.images[0]");
	end_all();
}
END_TEST

START_TEST(documents_are_checked_whatever_ces_store_has_staged_and_nobody_is_waited_for)
{
	decision.signed_by.n = 1;
	begin_at(CES_TURN_SIGN);
	stage(NAME);
	if (_i == 0)
		put_text(store.staging, NAME "/bag", "bag");
	else if (_i == 1)
		ck_assert_int_eq(mkfifoat(store.staging, NAME "/bag", 0600), 0);
	else if (_i == 2)
		ck_assert_int_eq(symlinkat("/etc/passwd", store.staging, NAME "/bag"), 0);
	else if (_i == 3)
		ck_assert_int_eq(mkdirat(store.staging, NAME "/bag", 0700), 0);
	note_steps(0);
	ck_assert_int_eq(ASK(.kind = CES_STEP_SIGNED, .name = NAME), _i == 0 ? 0 : -1);
	ck_assert_int_eq(strstr(steps, "with 3 bytes") != NULL, _i == 0);
	if (_i > 0)
		ck_assert_int_eq(err.code, CES_E_HOST);
	end_all();
	ck_assert_uint_eq(count(store.staging) + count(store.trash), 0);
}
END_TEST

/* ---- layers that are needed ---- */

START_TEST(a_list_of_layers_is_exact)
{
	static char list[CES_LAYERS_MAX + 1][CES_DIGEST_LENGTH + 1];
	static const struct {
		size_t length, bad;
		bool served;
	} lists[] = {
	    {0, SIZE_MAX, false},
	    {sizeof(list[0]), SIZE_MAX, true},
	    {sizeof(list[0]) - 1, SIZE_MAX, false},
	    {sizeof(list[0]) + 1, SIZE_MAX, false},
	    {CES_LAYERS_MAX * sizeof(list[0]), SIZE_MAX, true},
	    {sizeof(list), SIZE_MAX, false},
	    {sizeof(list[0]), 0, false},
	    {sizeof(list[0]), 70, false},
	    {sizeof(list[0]), 71, false},
	    {CES_LAYERS_MAX * sizeof(list[0]), CES_LAYERS_MAX * sizeof(list[0]) - 1, false},
	};
	struct ces_run_record record;

	for (unsigned i = 0; i <= CES_LAYERS_MAX; i++)
		(void)strcpy(list[i], digest(i));
	if (lists[_i].bad != SIZE_MAX)
		((char *)list)[lists[_i].bad] = 'x';
	begin_at(CES_TURN_CONFIGURE);
	ck_assert_int_eq(ask_with((struct ces_step){.kind = CES_STEP_NEED}, list, lists[_i].length),
			 lists[_i].served ? 0 : -1);
	ck_assert_int_eq(refused_by_root(), !lists[_i].served);
	if (lists[_i].served) {
		ck_assert_int_eq(
		    ces_object_read(entry, "record", &ces_run_record_schema, &record, &err), 0);
		ck_assert_str_eq(record.digest, D1);
		ck_assert_uint_eq(record.layers.n, lists[_i].length / sizeof(list[0]));
		ces_wire_free(&ces_run_record_schema, &record);
	}
	end_all();
}
END_TEST

/* ---- unpacking ---- */

/* What ces-store can stage. */
static void stage_badly(int how)
{
	switch (how) {
	case 0: /* nothing */
		break;
	case 1:
		put_text(store.staging, NAME, "");
		break;
	case 2:
		ck_assert_int_eq(symlinkat("../layers", store.staging, NAME), 0);
		break;
	case 3: /* a directory that was unpacked into before */
		stage(NAME);
		ck_assert_int_eq(mkdirat(store.staging, NAME "/root", 0700), 0);
		break;
	case 4:
		stage(NAME);
		ck_assert_int_eq(symlinkat("../../layers", store.staging, NAME "/root"), 0);
		break;
	default:
		stage(NAME);
		put_text(store.staging, NAME "/root", "");
	}
}

START_TEST(a_staged_name_that_is_no_new_directory_is_not_unpacked_into)
{
	begin_at(CES_TURN_FETCH);
	stage_badly(_i);
	ck_assert_int_eq(unpack(NAME), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "staging directory"));
	ck_assert_uint_eq(shared->n_jobs, 0);
	ck_assert_uint_eq(count(store.layers), 0);
	for_collector = _i == 1 || _i == 2; /* (it is no directory) */
	end_all();
	(void)remove_tree(store.staging, NAME);
}
END_TEST

/* Puts another directory in the place of the one that root has just made. */
static const char *put_instead;

int mkdirat(int dir, const char *name, mode_t mode)
{
	int result = (int)syscall(SYS_mkdirat, dir, name, mode);

	if (put_instead != NULL && strcmp(name, "root") == 0) {
		ck_assert_int_eq(renameat(dir, "root", dir, "made"), 0);
		ck_assert_int_eq(renameat(dir, put_instead, dir, "root"), 0);
	}
	return result;
}

START_TEST(a_directory_that_takes_the_place_of_roots_own_is_not_unpacked_into)
{
	begin_at(CES_TURN_FETCH);
	stage(NAME);
	ck_assert_int_eq(mkdirat(store.staging, NAME "/other", 0700), 0);
	if (_i == 0)
		ck_assert_int_eq(fchmodat(store.staging, NAME "/other", 0755, 0), 0);
	if (_i == 1) /* that of another layer: it has its content */
		ck_assert_int_eq(mkdirat(store.staging, NAME "/other/fs", 0755), 0);
	put_instead = "other";
	ck_assert_int_eq(unpack(NAME), -1);
	put_instead = NULL;
	ck_assert_int_eq(refused_by_root(), _i == 0);
	ck_assert_uint_eq(shared->n_jobs, 0);
	end_all();
}
END_TEST

START_TEST(three_layers_are_unpacked_at_once_each_under_a_name_of_its_own)
{
	static const char *const names[] = {NAME, "1111111111111111", "2222222222222222",
					    "3333333333333333"};

	begin_at(CES_TURN_FETCH);
	for (size_t i = 0; i < CES_COUNT(names); i++)
		stage(names[i]);
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(unpack(names[i]), 0);
	(void)take_all();
	ck_assert_int_eq(unpack(_i == 0 ? names[3] : names[1]), -1);
	ck_assert(refused_by_root());
	end_all();
	ck_assert_int_eq(remove_tree(store.staging, names[3]), 0);
	ck_assert_uint_eq(count(store.staging) + count(store.trash), 0);
}
END_TEST

START_TEST(a_layer_without_two_digests_is_not_unpacked)
{
	struct ces_step wanted = {.kind = CES_STEP_UNPACK, .name = NAME};

	begin_at(CES_TURN_FETCH);
	stage(NAME);
	(void)strcpy(wanted.digest, _i == 0 ? "" : D1);
	(void)strcpy(wanted.diff_id, _i == 0 ? D1 : "sha256:../../x");
	ck_assert_int_eq(ask_with(wanted, NULL, 0), -1);
	ck_assert(refused_by_root());
	end_all();
	ck_assert_int_eq(remove_tree(store.staging, NAME), 0);
}
END_TEST

START_TEST(a_layer_is_sealed_once_with_the_name_that_its_worker_has_checked)
{
	begin_at(CES_TURN_FETCH);
	stage(NAME);
	ck_assert_int_eq(unpack(NAME), 0);
	(void)take_all();
	/* (another directory has the name by now: root works on the one that it made) */
	ck_assert_int_eq(renameat(store.staging, NAME, store.staging, "1111111111111111"), 0);
	stage(NAME);
	ck_assert_int_eq(ASK(.kind = CES_STEP_UNPACKED, .name = NAME), 0);
	(void)take_all();
	ck_assert_uint_eq(answer.state, 1);
	ck_assert_int_eq(ASK(.kind = CES_STEP_COMMIT, .name = NAME, .diff_id = D1), 0);
	has_text(store.staging, "1111111111111111/root/diff_id", D2);
	ck_assert(!is_there(store.staging, NAME "/root"));
	/* no mark comes after it, nor another seal */
	ck_assert_int_eq(ASK(.kind = _i == 0 ? CES_STEP_COMMIT : CES_STEP_MARK, .name = NAME), -1);
	ck_assert(refused_by_root());
	end_all();
	ck_assert_int_eq(remove_tree(store.staging, NAME), 0);
	ck_assert_int_eq(remove_tree(store.staging, "1111111111111111"), 0);
}
END_TEST

START_TEST(a_layer_that_is_not_whole_is_neither_marked_nor_sealed)
{
	shared->worker_end = _i % 2 == 0 ? WORKER_FAILS : WORKER_DONE;
	begin_at(CES_TURN_FETCH);
	stage(NAME);
	ck_assert_int_eq(unpack(NAME), 0);
	(void)take_all();
	if (_i % 2 == 0) { /* otherwise it goes on */
		ck_assert_int_eq(ASK(.kind = CES_STEP_UNPACKED, .name = NAME), 0);
		(void)take_all();
		ck_assert_uint_eq(answer.state, 0);
	}
	ck_assert_int_eq(ASK(.kind = _i < 2 ? CES_STEP_COMMIT : CES_STEP_MARK, .name = NAME), -1);
	ck_assert(refused_by_root());
	end_all();
	ck_assert_uint_eq(count(store.staging) + count(store.trash), 0);
}
END_TEST

/* (the two move it at once when a pull fails) */
START_TEST(what_is_staged_goes_when_a_pull_ends_if_either_moves_it)
{
	begin_at(CES_TURN_FETCH);
	stage(NAME);
	ck_assert_int_eq(unpack(NAME), 0);
	(void)take_all();
	if (_i == 1) /* ces-store, before it is stopped */
		ck_assert_int_eq(renameat(store.staging, NAME, store.trash, NAME), 0);
	end_all();
	ck_assert_uint_eq(count(store.staging), 0);
	ck_assert_uint_eq(count(store.trash), 0);
}
END_TEST

START_TEST(what_is_given_up_is_removed_with_its_worker)
{
	begin_at(CES_TURN_FETCH);
	stage(NAME);
	ck_assert_int_eq(unpack(NAME), 0);
	(void)take_all();
	ck_assert_int_eq(renameat(store.staging, NAME, store.trash, NAME), 0);
	ck_assert_int_eq(ASK(.kind = CES_STEP_EMPTY, .name = NAME), 0);
	ck_assert_uint_eq(count(store.trash), 0);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(ASK(.kind = CES_STEP_UNPACKED, .name = NAME), -1);
	end_all();
}
END_TEST

/* (a pull waits for its own trash, and not for that of others) */
START_TEST(one_thing_of_the_trash_is_removed_or_all_of_it_where_nothing_has_that_name)
{
	begin_at(CES_TURN_COLLECT);
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = {NAME, "0123456789abcdee", "0123456789abcdea"};

		ck_assert_int_eq(mkdirat(store.trash, names[i], 0700), 0);
	}
	put_text(store.trash, NAME "/file", "");
	put_text(store.trash, "0123456789abcdee/file", "");
	ck_assert_int_eq(ASK(.kind = CES_STEP_EMPTY, .name = NAME), 0);
	ck_assert_uint_eq(count(store.trash), 2);
	ck_assert(!is_there(store.trash, NAME));
	ck_assert_int_eq(ASK(.kind = CES_STEP_EMPTY, .name = NAME), 0);
	ck_assert_uint_eq(count(store.trash), 0);
	end_all();
}
END_TEST

START_TEST(a_pull_whose_trash_another_has_removed_does_not_empty_the_rest)
{
	begin_at(CES_TURN_FETCH);
	ck_assert_int_eq(mkdirat(store.trash, "0123456789abcdee", 0700), 0);
	ck_assert_int_eq(ASK(.kind = CES_STEP_EMPTY, .name = NAME), 0);
	ck_assert_uint_eq(count(store.trash), 1);
	for_collector = 1;
	end_all();
}
END_TEST

START_TEST(only_the_trash_is_emptied_and_no_link_is_followed)
{
	begin_at(CES_TURN_COLLECT);
	stage(NAME);
	put_text(store.staging, NAME "/file", "");
	ck_assert_int_eq(symlinkat("../staging/" NAME, store.trash, NAME), 0);
	ck_assert_int_eq(ASK(.kind = CES_STEP_EMPTY, .name = NAME), 0);
	ck_assert(is_there(store.staging, NAME "/file"));
	ck_assert_uint_eq(count(store.trash), 0);
	ck_assert_int_eq(ASK(.kind = CES_STEP_EMPTY, .name = NAME), 0); /* (it is gone) */
	end_all();
	ck_assert_int_eq(remove_tree(store.staging, NAME), 0);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("steps");

	tcase_add_loop_test(t, a_reader_is_of_its_time_and_its_digest_is_one, 0, 9);
	tcase_add_loop_test(t, root_compares_the_image_with_what_was_named_and_approved, 0, 10);
	tcase_add_loop_test(
	    t, documents_are_checked_whatever_ces_store_has_staged_and_nobody_is_waited_for, 0, 5);
	tcase_add_loop_test(t, a_list_of_layers_is_exact, 0, 10);
	tcase_add_loop_test(t, a_staged_name_that_is_no_new_directory_is_not_unpacked_into, 0, 6);
	tcase_add_loop_test(t, a_directory_that_takes_the_place_of_roots_own_is_not_unpacked_into,
			    0, 2);
	tcase_add_loop_test(t, three_layers_are_unpacked_at_once_each_under_a_name_of_its_own, 0,
			    2);
	tcase_add_loop_test(t, a_layer_without_two_digests_is_not_unpacked, 0, 2);
	tcase_add_loop_test(t, a_layer_is_sealed_once_with_the_name_that_its_worker_has_checked, 0,
			    2);
	tcase_add_loop_test(t, a_layer_that_is_not_whole_is_neither_marked_nor_sealed, 0, 4);
	tcase_add_loop_test(t, what_is_staged_goes_when_a_pull_ends_if_either_moves_it, 0, 2);
	tcase_add_test(t, what_is_given_up_is_removed_with_its_worker);
	tcase_add_test(t,
		       one_thing_of_the_trash_is_removed_or_all_of_it_where_nothing_has_that_name);
	tcase_add_test(t, a_pull_whose_trash_another_has_removed_does_not_empty_the_rest);
	tcase_add_test(t, only_the_trash_is_emptied_and_no_link_is_followed);
	return run_pulls("steps of root for layers", t);
}
