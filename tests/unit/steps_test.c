/* Tests root's side of a ces-store that was taken over: each step at each time, packets of each
 * length, names of each form, and each way to the end. */
/* links: helper/pull/steps.c helper/pull/layers.c helper/pull/workers.c helper/store/serve.c helper/store/serve_layers.c helper/store/claim.c helper/store/quota.c helper/store/digests.c helper/store/store.c helper/session/store.c helper/session/store_open.c helper/store/grants.c helper/core/beneath.c helper/core/spawn.c helper/core/capability.c helper/session/frames.c helper/session/lock.c helper/session/object.c helper/clean/tree.c helper/session/runs.c helper/session/mounts.c helper/session/report.c helper/session/idmap.c helper/launch/overlay.c */
#include "tests/unit/steps_scene.h"

/* ---- order ---- */

static const enum ces_turn turns[] = {CES_TURN_BEGIN,     CES_TURN_LOOK,  CES_TURN_SIGN,
				      CES_TURN_CONFIGURE, CES_TURN_FETCH, CES_TURN_COLLECT,
				      CES_TURN_OTHER,     CES_TURN_GRANT};

/* When each step may come: one letter for each time above. */
static const char *const may_come[CES_STEP_KINDS] = {
    [0] = "--------",
    [CES_STEP_START] = "x-------",
    [CES_STEP_READ] = "-xxx----",
    [CES_STEP_FOUND] = "-x------",
    [CES_STEP_SIGNED] = "--x-----",
    [CES_STEP_NEED] = "---x----",
    [CES_STEP_UNPACK] = "----x---",
    [CES_STEP_UNPACKED] = "----x---",
    [CES_STEP_MARK] = "----x---",
    [CES_STEP_COMMIT] = "----x---",
    [CES_STEP_USER] = "----x---",
    [CES_STEP_GRANT] = "----x---",
    [CES_STEP_BUSY] = "-----x--",
    [CES_STEP_EMPTY] = "-xxxxx--",
    [CES_STEP_END] = "-----xxx",
    [CES_STEP_FAILED] = "xxxxxxxx",
};

START_TEST(each_step_has_its_time_and_any_other_time_ends_the_request)
{
	uint64_t kind = (unsigned)_i % CES_STEP_KINDS;
	size_t turn = (unsigned)_i / CES_STEP_KINDS;
	struct ces_step wanted = {.kind = kind, .name = NAME, .digest = D1, .top = D2};

	begin_at(turns[turn]);
	if (kind == CES_STEP_READ)
		wanted.number = turns[turn] == CES_TURN_LOOK   ? CES_UNPACK_MANIFEST
				: turns[turn] == CES_TURN_SIGN ? CES_UNPACK_SIGNATURES
							       : CES_UNPACK_CONFIG;
	if (kind == CES_STEP_FAILED)
		wanted.number = CES_E_HOST;
	if (may_come[kind][turn] == 'x' && kind >= CES_STEP_UNPACK && kind <= CES_STEP_COMMIT) {
		stage(NAME);
		ck_assert_int_eq(unpack(NAME), 0);
		(void)take_all();
		if (kind > CES_STEP_UNPACKED)
			ck_assert_int_eq(ASK(.kind = CES_STEP_UNPACKED, .name = NAME), 0);
		if (kind == CES_STEP_UNPACK)
			goto done;
	}
	if (kind == CES_STEP_NEED)
		(void)ask_with(wanted, D1, sizeof(D1));
	else
		(void)ask_with(wanted, kind == CES_STEP_MARK ? "directory" : NULL,
			       kind == CES_STEP_MARK ? 9 : 0);
	ck_assert_msg(refused_by_root() == (may_come[kind][turn] != 'x'), "%s", err.text);
done:
	end_all();
	(void)remove_tree(store.staging, NAME); /* (sealed, and not moved) */
}
END_TEST

static const uint64_t unknown[] = {CES_STEP_KINDS, CES_STEP_KINDS + 1, 1ull << 32,
				   (1ull << 32) + CES_STEP_END, UINT64_MAX};

START_TEST(a_step_of_an_unknown_kind_ends_the_request)
{
	begin_at(CES_TURN_FETCH);
	ck_assert_int_eq(ASK(.kind = unknown[_i], .name = NAME), -1);
	ck_assert(refused_by_root());
	end_all();
}
END_TEST

#define HEAD offsetof(struct ces_step, bytes)
static const struct {
	size_t length;
	uint64_t says;
	bool served;
} packets[] = {{1, 0, false},
	       {HEAD - 1, 0, false},
	       {HEAD, 0, true},
	       {HEAD, 1, false},
	       {HEAD, UINT64_MAX, false},
	       {HEAD + 1, 0, false},
	       {HEAD + 1, 1, true},
	       {HEAD + CES_STEP_BYTES_MAX, CES_STEP_BYTES_MAX, true},
	       {HEAD + CES_STEP_BYTES_MAX, CES_STEP_BYTES_MAX + 1, false},
	       {HEAD + CES_STEP_BYTES_MAX + 1, CES_STEP_BYTES_MAX + 1, false},
	       {HEAD + 40000, 40000, false}};

START_TEST(a_packet_of_another_length_than_it_says_ends_the_request)
{
	static char buffer[HEAD + 40000];
	struct ces_step *sent = (struct ces_step *)buffer;

	begin_at(CES_TURN_COLLECT);
	sent->kind = CES_STEP_BUSY;
	sent->length = packets[_i].says;
	ck_assert_int_ge(send(line, buffer, packets[_i].length, 0), 0);
	(void)ces_steps_serve_one(&at_root, &err);
	ck_assert_int_eq(refused_by_root(), !packets[_i].served);
	end_all();
}
END_TEST

START_TEST(an_empty_packet_or_a_closed_socket_is_the_end_of_ces_store)
{
	begin_at(CES_TURN_FETCH);
	if (_i == 0)
		ck_assert_int_eq(send(line, "", 0, 0), 0);
	else
		ck_assert_int_eq(shutdown(line, SHUT_RDWR), 0);
	ck_assert_int_eq(ces_steps_serve_one(&at_root, &err), -1);
	ck_assert_str_eq(err.text, "ces-store ended unexpectedly");
	end_all();
}
END_TEST

START_TEST(a_descriptor_that_comes_with_a_step_is_not_taken)
{
	struct ces_step sent = {.kind = CES_STEP_BUSY};
	char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec data = {&sent, HEAD};
	struct msghdr message = {.msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	struct cmsghdr *header = (struct cmsghdr *)control;
	int before;

	begin_at(CES_TURN_COLLECT);
	before = open_fds();
	*header = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(header), &userns, sizeof(int));
	ck_assert_int_eq(sendmsg(line, &message, 0), (ssize_t)HEAD);
	ck_assert_int_eq(ces_steps_serve_one(&at_root, &err), 0);
	ck_assert_int_eq(open_fds(), before);
	end_all();
}
END_TEST

/* ---- names ---- */

static const char *const bad_names[] = {"",
					"0",
					"..",
					"../0123456789abc",
					"0123456789abcde/",
					"0123456789abcdeF",
					"0123456789abcdeg",
					"0123456789abcde",
					"./0123456789abcd"};
static const uint64_t named[] = {CES_STEP_UNPACK, CES_STEP_UNPACKED, CES_STEP_MARK, CES_STEP_COMMIT,
				 CES_STEP_EMPTY};

START_TEST(a_name_that_is_not_16_hex_digits_ends_the_request)
{
	struct ces_step wanted = {
	    .kind = named[(unsigned)_i / CES_COUNT(bad_names)], .digest = D1, .diff_id = D1};

	begin_at(CES_TURN_FETCH);
	(void)strcpy(wanted.name, bad_names[(unsigned)_i % CES_COUNT(bad_names)]);
	ck_assert_int_eq(ask_with(wanted, NULL, 0), -1);
	ck_assert(refused_by_root());
	end_all();
}
END_TEST

START_TEST(a_name_without_its_end_ends_there)
{
	struct ces_step wanted = {.kind = CES_STEP_EMPTY};

	begin_at(CES_TURN_COLLECT);
	memset(wanted.name, '0', sizeof(wanted.name));
	put_text(store.trash, "0000000000000000", "");
	ck_assert_int_eq(ask_with(wanted, NULL, 0), 0);
	ck_assert_uint_eq(count(store.trash), 0);
	end_all();
}
END_TEST

/* ---- the start ---- */

START_TEST(the_workers_of_a_pull_are_started_once)
{
	decision.image = (struct ces_reference){"ghcr.io", "lab/tool", "1", ""};
	(void)strcpy(decision.endpoint, "https://ghcr.io");
	host.subid_first = 2000000000;
	begin_at(CES_TURN_BEGIN);
	at_root.userns = -1;
	note_steps(0);
	ck_assert_msg(ASK(.kind = CES_STEP_START, .size = 77) == 0, "%s", err.text);
	ck_assert_str_eq(steps, "account 2\naccount 0\naccount 1\n");
	steps_noted = false;
	ck_assert_int_eq(take_all(), 1);
	ck_assert_int_eq(at_root.turn, CES_TURN_LOOK);
	ck_assert_int_eq(ASK(.kind = CES_STEP_START), -1);
	ck_assert(refused_by_root());
	close(at_root.userns);
	end_all();
}
END_TEST

START_TEST(when_a_worker_cannot_be_started_the_request_ends_with_the_reason)
{
	host.subid_first = 2000000000;
	begin_at(CES_TURN_BEGIN);
	at_root.userns = -1;
	(void)strcpy(decision.endpoint, "https://ghcr.io");
	note_steps(_i);
	ck_assert_int_eq(ASK(.kind = CES_STEP_START), -1);
	ck_assert_str_eq(err.text, "no account");
	ces_cleanup_close(&at_root.userns);
	end_all();
}
END_TEST

/* ---- what is busy ---- */

static size_t busy(uint64_t *ret_state)
{
	size_t n = 0;
	ssize_t length;

	ck_assert_int_eq(ASK(.kind = CES_STEP_BUSY), 0);
	while ((length = recv(line, &answer, sizeof(answer), MSG_DONTWAIT)) > 0) {
		ck_assert_uint_eq((size_t)length, offsetof(struct ces_step_answer, digests) +
						      answer.n * sizeof(answer.digests[0]));
		n += answer.n;
		*ret_state = answer.state;
	}
	return n;
}

START_TEST(the_images_and_layers_of_runs_and_pulls_are_named)
{
	char texts[CES_LAYERS_MAX][CES_DIGEST_LENGTH + 1], *layers[CES_LAYERS_MAX];
	char *one[] = {(char[]){D2}};
	struct ces_run_record record = {
	    .run = (char[]){"0123456789"}, .digest = (char[]){D1}, .layers = {one, 1}};
	int run = -1, pulls = -1, stop = -1;
	uint64_t state = 99;

	begin_at(CES_TURN_COLLECT);
	ck_assert_uint_eq(busy(&state), 0); /* (the pull of the scene names nothing yet) */
	ck_assert_uint_eq(state, CES_BUSY_ALL);
	ck_assert_int_eq(ces_runs_enter(runs, &record, &run, &stop, &err), 0);
	close(stop);
	for (unsigned i = 0; i < CES_LAYERS_MAX; i++)
		layers[i] = strcpy(texts[i], digest(i));
	record.run = (char[]){"pull-0000000001"};
	record.layers = (struct ces_strings){layers, CES_LAYERS_MAX};
	ck_assert_int_eq(ces_runs_enter(runs, &record, &pulls, &stop, &err), 0);
	close(stop);
	ck_assert_uint_eq(busy(&state), CES_LAYERS_MAX + 3);
	ck_assert_uint_eq(state, CES_BUSY_ALL);
	ck_assert_int_eq(mkdirat(runs, "9999999999", 0700), 0);
	ck_assert_int_eq(mkdirat(runs, "9999999999/record", 0700), 0);
	(void)busy(&state);
	ck_assert_uint_eq(state, CES_BUSY_UNKNOWN);
	end_all();
	close(run);
	close(pulls);
	ces_runs_leave(runs, "0123456789");
	ces_runs_leave(runs, "pull-0000000001");
	ck_assert_int_eq(remove_tree(runs, "9999999999"), 0);
}
END_TEST

START_TEST(what_a_run_of_an_older_ces_has_is_not_known)
{
	struct ces_run_record record = {.run = (char[]){"0123456789"}, .digest = (char[]){D1}};
	int run = -1, stop = -1;
	uint64_t state = 99;

	begin_at(CES_TURN_COLLECT);
	ck_assert_int_eq(ces_runs_enter(runs, &record, &run, &stop, &err), 0);
	close(stop);
	ck_assert_uint_eq(busy(&state), 1);
	ck_assert_uint_eq(state, CES_BUSY_UNKNOWN);
	end_all();
	close(run);
	ces_runs_leave(runs, "0123456789");
}
END_TEST

/* ---- the end ---- */

static const enum ces_code codes[] = {
    CES_OK,      CES_E_USAGE, CES_E_DENIED, CES_E_POLICY,   CES_E_NOTFOUND,    CES_E_REGISTRY,
    CES_E_IMAGE, CES_E_HOST,  CES_E_LIMIT,  CES_E_INTERNAL, CES_E_INTERNAL + 1};

START_TEST(ces_store_can_fail_but_it_cannot_deny)
{
	static char longest[CES_STEP_BYTES_MAX];
	enum ces_code code = codes[_i];
	bool may = code == CES_E_USAGE || (code >= CES_E_NOTFOUND && code <= CES_E_INTERNAL);

	memset(longest, 'r', sizeof(longest));
	begin_at(CES_TURN_OTHER);
	(void)ask_with((struct ces_step){.kind = CES_STEP_FAILED, .number = code, .size = 3},
		       "no \033[2Jroute\n", 13);
	ck_assert_int_eq(refused_by_root(), !may);
	if (may) {
		ck_assert_int_eq(err.code, code);
		ck_assert_str_eq(err.text, "no ?[2Jroute?");
		ck_assert_str_eq(err.rule, "host.user_limits.store");
		(void)ask_with((struct ces_step){.kind = CES_STEP_FAILED, .number = code}, longest,
			       sizeof(longest));
		ck_assert_str_eq(err.rule, "");
		ck_assert_uint_lt(strlen(err.text), CES_ERROR_TEXT);
	}
	end_all();
}
END_TEST

static const uint64_t no_rules[] = {CES_STEP_RULES, CES_STEP_RULES + 1, 1ull << 32, UINT64_MAX};

START_TEST(a_rule_that_is_none_of_four_ends_the_request)
{
	begin_at(CES_TURN_FETCH);
	ck_assert_int_eq(ASK(.kind = CES_STEP_FAILED, .number = CES_E_LIMIT, .size = no_rules[_i]),
			 -1);
	ck_assert(refused_by_root());
	end_all();
}
END_TEST

static void send_control(int client, uint64_t kind)
{
	struct ces_control control = {.kind = {(char)kind}};

	memcpy(control.head, CES_CONTROL_HEAD, sizeof(control.head));
	memcpy(control.between, CES_CONTROL_BETWEEN, sizeof(control.between));
	ck_assert_int_eq(write(client, &control, sizeof(control)), sizeof(control));
}

START_TEST(the_client_ends_a_pull_by_anything_but_a_new_window)
{
	int ends[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(dup2(ends[0], CES_FD_REQUEST), CES_FD_REQUEST);
	close(ends[0]);
	begin_at(CES_TURN_BEGIN);
	if (_i == 0)
		send_control(ends[1], CES_CONTROL_WINDOW);
	else if (_i == 1)
		send_control(ends[1], CES_CONTROL_SIGNAL);
	else if (_i == 3)
		ck_assert_int_eq(
		    write(ends[1], "this is no control frame at all, nor was it ever", 48), 48);
	if (_i == 0)
		ck_assert_int_eq(shutdown(line, SHUT_RDWR), 0);
	if (_i == 2)
		close(ends[1]);
	ck_assert_int_eq(ces_steps_serve(&at_root, &err), -1);
	ck_assert_str_eq(err.text, _i == 0 ? "ces-store ended unexpectedly"
					   : "the pull was interrupted; nothing was kept");
	if (_i != 2)
		close(ends[1]);
	ck_assert_int_eq(dup2(null, CES_FD_REQUEST), CES_FD_REQUEST);
	close(null);
	end_all();
}
END_TEST

/* ces-store says that it has ended: only a pull that has its grant, or no pull, takes that. */
START_TEST(a_client_that_goes_ends_a_pull_until_its_grant_is_written)
{
	const enum ces_turn turn = turns[_i];
	bool ends = turn != CES_TURN_GRANT && turn != CES_TURN_COLLECT && turn != CES_TURN_OTHER;
	int gone[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);

	ck_assert_int_eq(pipe2(gone, O_CLOEXEC), 0);
	ck_assert_int_eq(dup2(gone[0], CES_FD_REQUEST), CES_FD_REQUEST);
	close(gone[0]);
	close(gone[1]);
	step_sent = (struct ces_step){.kind = CES_STEP_END};
	begin_at(turn);
	ck_assert_int_eq(send(line, &step_sent, HEAD, 0), (ssize_t)HEAD);
	ck_assert_int_eq(ces_steps_serve(&at_root, &err), ends ? -1 : 0);
	if (ends)
		ck_assert_str_eq(err.text, "the pull was interrupted; nothing was kept");
	ck_assert_int_eq(dup2(null, CES_FD_REQUEST), CES_FD_REQUEST);
	close(null);
	end_all();
}
END_TEST

/* (a pull that could not write its grant: what the user had before stays) */
START_TEST(a_ces_store_that_fails_has_given_no_grant)
{
	begin_at(CES_TURN_GRANT);
	ck_assert_int_eq(ASK(.kind = CES_STEP_FAILED, .number = CES_E_HOST), -1);
	ck_assert_int_ne(at_root.turn, CES_TURN_GRANT);
	end_all();
}
END_TEST

START_TEST(a_request_is_served_until_ces_store_has_ended)
{
	step_sent = (struct ces_step){.kind = CES_STEP_END, .number = (uint64_t)_i};
	begin_at(_i == 0 ? CES_TURN_OTHER : CES_TURN_GRANT);
	ck_assert_int_eq(send(line, &step_sent, HEAD, 0), (ssize_t)HEAD);
	ck_assert_int_eq(ces_steps_serve(&at_root, &err), 0);
	ck_assert_int_eq(at_root.up_to_date, _i == 1 || _i == 3);
	ck_assert_int_eq(at_root.settled, _i >= 2);
	end_all();
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("steps");

	tcase_add_loop_test(t, each_step_has_its_time_and_any_other_time_ends_the_request, 0,
			    CES_STEP_KINDS * (int)CES_COUNT(turns));
	tcase_add_loop_test(t, a_step_of_an_unknown_kind_ends_the_request, 0, CES_COUNT(unknown));
	tcase_add_loop_test(t, a_packet_of_another_length_than_it_says_ends_the_request, 0,
			    CES_COUNT(packets));
	tcase_add_loop_test(t, an_empty_packet_or_a_closed_socket_is_the_end_of_ces_store, 0, 2);
	tcase_add_test(t, a_descriptor_that_comes_with_a_step_is_not_taken);
	tcase_add_loop_test(t, a_name_that_is_not_16_hex_digits_ends_the_request, 0,
			    CES_COUNT(bad_names) * CES_COUNT(named));
	tcase_add_test(t, a_name_without_its_end_ends_there);
	tcase_add_test(t, the_workers_of_a_pull_are_started_once);
	tcase_add_loop_test(t, when_a_worker_cannot_be_started_the_request_ends_with_the_reason, 1,
			    4);
	tcase_add_test(t, the_images_and_layers_of_runs_and_pulls_are_named);
	tcase_add_test(t, what_a_run_of_an_older_ces_has_is_not_known);
	tcase_add_loop_test(t, ces_store_can_fail_but_it_cannot_deny, 0, CES_COUNT(codes));
	tcase_add_loop_test(t, a_rule_that_is_none_of_four_ends_the_request, 0,
			    CES_COUNT(no_rules));
	tcase_add_loop_test(t, the_client_ends_a_pull_by_anything_but_a_new_window, 0, 4);
	tcase_add_loop_test(t, a_client_that_goes_ends_a_pull_until_its_grant_is_written, 0,
			    CES_COUNT(turns));
	tcase_add_test(t, a_ces_store_that_fails_has_given_no_grant);
	tcase_add_loop_test(t, a_request_is_served_until_ces_store_has_ended, 0, 4);
	return run_pulls("steps of root", t);
}
