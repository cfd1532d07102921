/* Tests root's steps for the layers of a pull, against a ces-resolve that has been taken over: what
 * is unpacked where, and what is committed. */
/* links: helper/store/serve.c helper/store/serve_layers.c helper/store/claim.c helper/store/quota.c helper/store/digests.c helper/store/store.c helper/session/store.c helper/session/store_open.c helper/store/grants.c helper/pull/steps.c helper/pull/layers.c helper/pull/workers.c helper/core/beneath.c helper/core/spawn.c helper/core/capability.c helper/session/frames.c helper/session/lock.c helper/session/object.c helper/clean/tree.c helper/session/runs.c helper/session/mounts.c helper/session/report.c helper/session/idmap.c helper/launch/overlay.c */
#include "tests/unit/serve_scene.h"

/* ---- which layers there are ---- */

/* The layers of the entry, when the lock that the collector holds is taken. */
static size_t entered;

int flock(int fd, int operation)
{
	struct ces_run_record record = {0};

	if (steps_noted && is_lock(fd) && operation == (LOCK_EX | LOCK_NB)) {
		ck_assert_int_eq(
		    ces_object_read(entry, "record", &ces_run_record_schema, &record, &err), 0);
		entered = record.digest != NULL && strcmp(record.digest, top_digest) == 0
			      ? record.layers.n
			      : 0;
		ces_wire_free(&ces_run_record_schema, &record);
		(void)step("lock");
	}
	return (int)syscall(SYS_flock, fd, operation);
}

START_TEST(layers_are_looked_for_after_the_collector_knows_their_names)
{
	make_image(3);
	have_layer(diff_id(0), 1000, blob(0));
	have_layer(diff_id(1), 1000, blob(1));
	put_text(store.layers, part(diff_id(1), "unsettled"), "an earlier boot");
	have_layer(diff_id(2), 1000, D1); /* from another blob */
	reach(CES_FETCHING);
	note_steps(0);
	served();
	ck_assert_str_eq(steps, "lock\n");
	ck_assert_uint_eq(entered, 3);
	ck_assert_uint_eq(shared->answers[0].here[0], 1);
	ck_assert_uint_eq(shared->answers[0].here[1], 0);
}
END_TEST

START_TEST(an_image_that_is_not_built_on_an_allowed_base_is_denied_before_anything_is_fetched)
{
	decision.bases.n = 1;
	(void)strcpy(decision.bases.v[0], D1);
	make_image(1);
	reach(CES_FETCHING);
	note_steps(0);
	ck_assert_int_eq(serve(), -1);
	ck_assert_int_eq(err.code, CES_E_DENIED);
	ck_assert_str_eq(steps, "");
	(void)strcpy(decision.bases.v[0], diff_id(0));
	pull.n = 0;
	served();
}
END_TEST

/* ---- wishes about one layer ---- */

static const uint64_t about_layers[] = {CES_WISH_CLAIM,  CES_WISH_LOOK,   CES_WISH_UNPACK,
					CES_WISH_OPAQUE, CES_WISH_COMMIT, CES_WISH_PROGRESS};
static const uint64_t beyond[] = {2, 3, 127, 128, 1ull << 32, UINT64_MAX - 1, UINT64_MAX};

START_TEST(a_layer_that_the_image_does_not_have_ends_the_pull)
{
	make_image(2);
	reach(CES_FETCHING);
	SAY(.kind = about_layers[(unsigned)_i / CES_COUNT(beyond)],
	    .layer = beyond[(unsigned)_i % CES_COUNT(beyond)], .number = CES_PROGRESS_WAITING);
	refused();
	ck_assert_uint_eq(shared->n_jobs, 0);
}
END_TEST

START_TEST(room_is_what_the_file_system_has_beside_the_reserve)
{
	make_image(1);
	reach(CES_FETCHING);
	SAY(.kind = CES_WISH_ROOM, .size = 0);
	SAY(.kind = CES_WISH_ROOM, .size = 1);
	served();
	pull.n = 0;
	SAY(.kind = CES_WISH_ROOM, .size = UINT64_MAX);
	ck_assert_int_eq(serve(), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "no space for the image"));
	n_script--;
	order.reserve = UINT64_MAX;
	pull.n = 0;
	ck_assert_int_eq(serve(), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "no space for the image"));
}
END_TEST

static int take_claim(const char *of) /* as another pull does */
{
	char name[80];
	int fd;

	(void)snprintf(name, sizeof(name), "layer-%s", of + 7);
	fd = openat(store.locks, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	return fd;
}

static void drop_claim(const char *of, int fd)
{
	char name[80];

	(void)snprintf(name, sizeof(name), "layer-%s", of + 7);
	ck_assert_int_eq(unlinkat(store.locks, name, 0), 0);
	close(fd);
}

START_TEST(a_layer_is_claimed_once_and_one_that_another_claims_is_looked_at)
{
	uint64_t bytes = 77;
	int fd;

	make_image(3);
	have_layer(diff_id(2), 1000, blob(2));
	fd = take_claim(blob(1));
	ck_assert_int_eq(pwrite(fd, &bytes, sizeof(bytes), 0), sizeof(bytes));
	reach(CES_FETCHING);
	SAY(.kind = CES_WISH_CLAIM, .layer = 0);
	SAY(.kind = CES_WISH_CLAIM, .layer = 0); /* again */
	SAY(.kind = CES_WISH_CLAIM, .layer = 1);
	SAY(.kind = CES_WISH_LOOK, .layer = 1);
	SAY(.kind = CES_WISH_CLAIM, .layer = 1, .number = 1); /* it waits no longer */
	SAY(.kind = CES_WISH_CLAIM, .layer = 2, .number = UINT64_MAX);
	served();
	ck_assert_uint_eq(shared->answers[1].state, 1);
	ck_assert_uint_eq(shared->answers[2].state, 1);
	ck_assert_uint_eq(shared->answers[3].state, 0);
	ck_assert_uint_eq(shared->answers[4].state, 0);
	ck_assert_uint_eq(shared->answers[4].size, 77);
	ck_assert_uint_eq(shared->answers[5].state, 1);
	ck_assert_uint_eq(shared->answers[6].here[0], 4);
	drop_claim(blob(1), fd);
}
END_TEST

START_TEST(only_a_claim_of_another_is_looked_at)
{
	make_image(1);
	reach(CES_FETCHING);
	if (_i == 1)
		SAY(.kind = CES_WISH_CLAIM);
	SAY(.kind = CES_WISH_LOOK);
	refused();
}
END_TEST

/* ---- unpacking ---- */

#define UNPACKED                                                                                   \
	"lock\n"                                                                                   \
	"open_tree fs '' clone cloexec\n"                                                          \
	"setattr nosuid nodev idmap\n"

START_TEST(root_sets_the_limits_of_a_layer)
{
	const struct job *job = &shared->jobs[0];

	make_image(2);
	pull.left = _i == 0 ? 5000 : UINT64_MAX;
	reach(CES_FETCHING);
	/* everything in it but the layer's number means nothing */
	SAY(.kind = CES_WISH_UNPACK, .layer = 1, .number = UINT64_MAX, .size = UINT64_MAX,
	    .layers = UINT64_MAX, .type = UINT64_MAX, .digest = D1, .diff_id = D2, .bytes = "/");
	note_steps(0);
	served();
	ck_assert_str_eq(steps, "lock\n" UNPACKED);
	ck_assert_uint_eq(shared->n_fds, 2);
	ck_assert_str_eq(job->path, CES_UNPACK_PATH);
	ck_assert_uint_eq(job->n_fds, 4);
	ck_assert_uint_eq(job->in_userns, 1);
	ck_assert_uint_eq(job->order.kind, CES_UNPACK_LAYER);
	ck_assert_uint_eq(job->order.size, 101);
	ck_assert_uint_eq(job->order.compression, 1);
	ck_assert_uint_eq(job->order.max_bytes, _i == 0 ? 5000 : CES_LAYER_BYTES_MAX);
	ck_assert_uint_eq(job->order.max_entries, 4000000);
	ck_assert_uint_eq(job->order.reserve, 4096);
	ck_assert_str_eq(job->order.digest, blob(1));
	ck_assert_str_eq(job->order.diff_id, diff_id(1));
	ck_assert_str_eq(job->order.user, "");
}
END_TEST

START_TEST(when_a_step_of_unpacking_fails_nothing_is_started)
{
	make_image(1);
	reach(CES_FETCHING);
	SAY(.kind = CES_WISH_UNPACK);
	note_steps(_i + 3); /* two locks come first */
	ck_assert_int_eq(serve(), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_int_eq(step_number, _i + 3);
	ck_assert_uint_eq(shared->n_jobs, 0);
}
END_TEST

START_TEST(a_layer_is_unpacked_once_at_a_time_and_three_layers_at_once)
{
	static const uint64_t unpacked[] = {3, 1}, again[] = {3, 0};

	make_image(4);
	reach(CES_FETCHING);
	for (uint64_t i = 0; i < unpacked[_i]; i++)
		SAY(.kind = CES_WISH_UNPACK, .layer = i);
	served();
	pull.n = 0;
	SAY(.kind = CES_WISH_UNPACK, .layer = again[_i]);
	refused();
}
END_TEST

START_TEST(what_was_committed_can_be_unpacked_anew_and_must_be_whole_anew)
{
	make_image(1);
	reach(CES_FETCHING);
	SAY(.kind = CES_WISH_UNPACK);
	SAY(.kind = CES_WISH_COMMIT, .size = 10);
	SAY(.kind = CES_WISH_UNPACK);
	served();
	ck_assert_uint_eq(ces_store_layer_size(&store, diff_id(0)), 10);
	ck_assert_uint_eq(shared->n_jobs, 2);
	pull.n = 0;
	shared->worker_end = WORKER_FAILS;
	shared->first_bad = 5; /* of the next two pulls, each the second worker */
	SAY(.kind = CES_WISH_COMMIT);
	ck_assert_int_eq(serve(), -1);
	ck_assert_uint_eq(shared->n_jobs, 4);
	ck_assert_str_eq(err.text, "ces-resolve ended unexpectedly");
	pull.n = 0;
	ck_assert_int_eq(serve(), -1);
	ck_assert_uint_eq(shared->n_jobs, 6);
	ck_assert(is_refusal());
	for_collector = 3; /* (all but the first that was committed) */
}
END_TEST

/* (its size counts for all who have it) */
START_TEST(a_layer_larger_than_any_may_be_is_not_committed)
{
	make_image(2);
	reach(CES_FETCHING);
	SAY(.kind = CES_WISH_CLAIM, .layer = 1);
	SAY(.kind = CES_WISH_UNPACK, .layer = 1);
	SAY(.kind = CES_WISH_COMMIT, .layer = 1,
	    .size = _i == 0 ? CES_LAYER_BYTES_MAX + 1 : UINT64_MAX);
	refused();
	ck_assert_uint_eq(count(store.layers), 0);
}
END_TEST

START_TEST(a_layer_is_committed_when_its_worker_has_done_its_job)
{
	make_image(2);
	reach(CES_FETCHING);
	SAY(.kind = CES_WISH_CLAIM, .layer = 1);
	SAY(.kind = CES_WISH_UNPACK, .layer = 1);
	SAY(.kind = CES_WISH_OPAQUE, .layer = 1, .bytes = "directory");
	SAY(.kind = CES_WISH_COMMIT, .layer = 1, .size = _i == 0 ? 1000 : CES_LAYER_BYTES_MAX);
	note_steps(0);
	served();
	ck_assert_str_eq(steps, "lock\n" UNPACKED "trusted.overlay.opaque=y directory\nlock\n");
	ck_assert(is_there(store.layers, part(diff_id(1), "root/fs/directory")));
	has_text(store.layers, part(diff_id(1), "root/diff_id"), diff_id(1));
	ck_assert_uint_eq(mode_of(store.layers, part(diff_id(1), "root")), 0700);
	ck_assert_uint_eq(mode_of(store.layers, part(diff_id(1), "root/fs")), 0755);
	ck_assert(ces_store_layer_from(&store, diff_id(1), blob(1)));
	ck_assert(is_there(store.layers, part(diff_id(1), "unsettled")));
	ck_assert_uint_eq(count(store.layers), 1);
	ck_assert_uint_eq(pull.left, _i == 0 ? (1 << 20) - 1000 : 0);
	ck_assert_str_eq(shared->jobs[0].input, "input");
}
END_TEST

START_TEST(a_layer_whose_worker_did_not_do_its_job_is_not_committed)
{
	make_image(1);
	reach(CES_FETCHING);
	shared->worker_end = _i % 2 == 0 ? WORKER_FAILS : WORKER_CRASHES;
	SAY(.kind = CES_WISH_UNPACK);
	SAY(.kind = _i < 2 ? CES_WISH_COMMIT : CES_WISH_OPAQUE, .bytes = "directory");
	refused();
	ck_assert_uint_eq(count(store.layers), 0);
}
END_TEST

START_TEST(a_layer_that_was_not_unpacked_or_is_committed_already_is_not_committed)
{
	make_image(2);
	reach(CES_FETCHING);
	if (_i >= 2) {
		SAY(.kind = CES_WISH_UNPACK);
		SAY(.kind = CES_WISH_COMMIT, .size = 5);
	}
	if (_i >= 4)
		SAY(.kind = CES_WISH_UNPACK, .layer = 1);
	SAY(.kind = _i % 2 == 0 ? CES_WISH_COMMIT : CES_WISH_OPAQUE, .bytes = "directory");
	refused();
	ck_assert_uint_eq(count(store.layers), _i >= 2);
	for_collector = _i >= 2; /* (two pulls: each commits it) */
}
END_TEST

static const struct {
	const char *path;
	size_t length;
	const char *marked; /* NULL: it ends the pull */
} paths[] = {
    {"directory", 0, "directory"},
    {"/directory", 0, "directory"},
    {"directory/", 0, "directory"},
    {"./directory", 0, "directory"},
    {"/", 0, "fs"},
    {"directory/..", 0, "fs"},
    {"directory\0/../..", 16, "directory"},
    {"..", 0, NULL},
    {"../fs", 0, NULL},
    {"directory/../..", 0, NULL},
    {"link", 0, NULL},
    {"link/.", 0, NULL},
    {"missing", 0, NULL},
    {"/proc/self", 0, NULL},
};

START_TEST(only_a_directory_of_the_layer_itself_is_marked)
{
	make_image(1);
	reach(CES_FETCHING);
	SAY(.kind = CES_WISH_UNPACK);
	SAY(.kind = CES_WISH_OPAQUE, .bytes = paths[_i].path, .length = paths[_i].length);
	note_steps(0);
	ck_assert_int_eq(serve(), -1);
	if (paths[_i].marked == NULL) {
		ck_assert_str_eq(steps, "lock\n" UNPACKED);
		ck_assert_ptr_nonnull(strstr(err.text, "marking a directory of a layer"));
		return;
	}
	ck_assert_str_eq(err.text, "ces-resolve ended unexpectedly");
	ck_assert_ptr_nonnull(strstr(steps, "trusted.overlay.opaque=y "));
	ck_assert_str_eq(strrchr(steps, ' ') + 1, _i == 4 || _i == 5 ? "fs\n" : "directory\n");
}
END_TEST

START_TEST(the_longest_path_is_too_long_and_an_empty_one_is_the_layers_root)
{
	static char longest[CES_WISH_BYTES_MAX];

	memset(longest, 'd', sizeof(longest));
	make_image(1);
	reach(CES_FETCHING);
	SAY(.kind = CES_WISH_UNPACK);
	SAY(.kind = CES_WISH_OPAQUE);
	note_steps(0);
	served();
	ck_assert_str_eq(steps, "lock\n" UNPACKED "trusted.overlay.opaque=y fs\n");
	pull.n = 0;
	SAY(.kind = CES_WISH_OPAQUE, .bytes = longest, .length = sizeof(longest));
	ck_assert_int_eq(serve(), -1);
	ck_assert_int_eq(err.sys, ENAMETOOLONG);
}
END_TEST

/* ---- progress ---- */

START_TEST(progress_goes_to_the_client_with_the_layers_own_digest)
{
	struct ces_event_progress event;
	struct ces_error wrong;

	make_image(2);
	reach(CES_FETCHING);
	SAY(.kind = CES_WISH_PROGRESS, .layer = 1, .number = (uint64_t)_i, .size = UINT64_MAX,
	    .digest = D1);
	if (_i < CES_PROGRESS_WAITING || _i > CES_PROGRESS_DONE) {
		refused();
		return;
	}
	served();
	ck_assert_int_eq(ces_wire_receive(events, &ces_event_progress_schema, 4096,
					  ces_now_ms() + 10000, &event, &wrong),
			 1);
	ck_assert_uint_eq(event.layer, 1);
	ck_assert_uint_eq(event.layers, 2);
	ck_assert_uint_eq(event.state, (uint64_t)_i);
	ck_assert_uint_eq(event.bytes, UINT64_MAX);
	ck_assert_uint_eq(event.size, 101);
	ck_assert_str_eq(event.digest, blob(1));
	ces_wire_free(&ces_event_progress_schema, &event);
}
END_TEST

/* The next wish is answered when the one before it is done. */
static void say_look_now(void)
{
	SAY(.kind = CES_WISH_CLAIM, .layer = 2, .number = 1);
}

START_TEST(progress_is_in_the_claim_and_its_end_lets_the_claim_go)
{
	make_image(3);
	reach(CES_FETCHING);
	SAY(.kind = CES_WISH_CLAIM);
	SAY(.kind = CES_WISH_CLAIM, .layer = 1);
	SAY(.kind = CES_WISH_PROGRESS, .number = CES_PROGRESS_FETCHING, .size = 50);
	SAY(.kind = CES_WISH_PROGRESS, .layer = 1, .number = CES_PROGRESS_WAITING, .size = 60);
	say_look_now();
	served();
	ck_assert_uint_eq(shared->claims, 2);
	ck_assert_uint_eq(shared->claimed[0], 50);
	ck_assert_uint_eq(shared->claimed[1], 0);
	pull.n = 0;
	SAY(.kind = CES_WISH_PROGRESS, .number = CES_PROGRESS_DONE);
	say_look_now();
	served();
	ck_assert_uint_eq(shared->claims, 1);
}
END_TEST

START_TEST(a_committed_layer_is_claimed_no_more)
{
	make_image(3);
	reach(CES_FETCHING);
	SAY(.kind = CES_WISH_CLAIM);
	SAY(.kind = CES_WISH_CLAIM, .layer = 1);
	SAY(.kind = CES_WISH_UNPACK);
	SAY(.kind = CES_WISH_COMMIT);
	say_look_now();
	served();
	ck_assert_uint_eq(shared->claims, 1);
}
END_TEST

START_TEST(a_short_path_has_nothing_of_a_longer_one_before_it)
{
	make_image(1);
	reach(CES_FETCHING);
	SAY(.kind = CES_WISH_UNPACK);
	SAY(.kind = CES_WISH_OPAQUE, .bytes = "directory/..");
	SAY(.kind = CES_WISH_OPAQUE, .bytes = "directory");
	note_steps(0);
	served();
	ck_assert_str_eq(strrchr(steps, ' ') + 1, "directory\n");
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("layers");

	tcase_add_test(t, layers_are_looked_for_after_the_collector_knows_their_names);
	tcase_add_test(
	    t, an_image_that_is_not_built_on_an_allowed_base_is_denied_before_anything_is_fetched);
	tcase_add_loop_test(t, a_layer_that_the_image_does_not_have_ends_the_pull, 0,
			    CES_COUNT(about_layers) * CES_COUNT(beyond));
	tcase_add_test(t, room_is_what_the_file_system_has_beside_the_reserve);
	tcase_add_test(t, a_layer_is_claimed_once_and_one_that_another_claims_is_looked_at);
	tcase_add_loop_test(t, only_a_claim_of_another_is_looked_at, 0, 2);
	tcase_add_loop_test(t, root_sets_the_limits_of_a_layer, 0, 2);
	tcase_add_loop_test(t, when_a_step_of_unpacking_fails_nothing_is_started, 0, 2);
	tcase_add_loop_test(t, a_layer_is_unpacked_once_at_a_time_and_three_layers_at_once, 0, 2);
	tcase_add_test(t, what_was_committed_can_be_unpacked_anew_and_must_be_whole_anew);
	tcase_add_loop_test(t, a_layer_larger_than_any_may_be_is_not_committed, 0, 2);
	tcase_add_loop_test(t, a_layer_is_committed_when_its_worker_has_done_its_job, 0, 2);
	tcase_add_loop_test(t, a_layer_whose_worker_did_not_do_its_job_is_not_committed, 0, 4);
	tcase_add_loop_test(
	    t, a_layer_that_was_not_unpacked_or_is_committed_already_is_not_committed, 0, 6);
	tcase_add_loop_test(t, only_a_directory_of_the_layer_itself_is_marked, 0, CES_COUNT(paths));
	tcase_add_test(t, the_longest_path_is_too_long_and_an_empty_one_is_the_layers_root);
	tcase_add_loop_test(t, progress_goes_to_the_client_with_the_layers_own_digest, 0, 6);
	tcase_add_test(t, progress_is_in_the_claim_and_its_end_lets_the_claim_go);
	tcase_add_test(t, a_committed_layer_is_claimed_no_more);
	tcase_add_test(t, a_short_path_has_nothing_of_a_longer_one_before_it);
	return run_pulls("layers of a pull", t);
}
