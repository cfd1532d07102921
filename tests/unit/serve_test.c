/* Tests ces-store's side of a pull against a ces-resolve that says anything at any time: each wish
 * in each phase, packets of each length, and each way to the end. */
/* links: helper/store/serve.c helper/store/serve_layers.c helper/store/claim.c helper/store/quota.c helper/store/digests.c helper/store/store.c helper/session/store.c helper/session/store_open.c helper/store/grants.c helper/pull/steps.c helper/pull/layers.c helper/pull/workers.c helper/core/beneath.c helper/core/spawn.c helper/core/capability.c helper/session/frames.c helper/session/lock.c helper/session/object.c helper/clean/tree.c helper/session/runs.c helper/session/mounts.c helper/session/report.c helper/session/idmap.c helper/launch/overlay.c */
#include "tests/unit/serve_scene.h"

/* ---- order ---- */

static const enum ces_phase phases[] = {CES_LOOKING, CES_SIGNING, CES_CONFIGURING, CES_FETCHING,
					CES_ASSEMBLING};

/* When each wish may come: one letter for each phase above. */
static const char *const allowed[CES_WISH_KINDS] = {
    [0] = "-----",
    [CES_WISH_BYTES] = "xxx-x",
    [CES_WISH_PARSE] = "xxx--",
    [CES_WISH_MANIFEST] = "x----",
    [CES_WISH_SIGNED] = "-x---",
    [CES_WISH_LAYER] = "--x--",
    [CES_WISH_NEED] = "--x--",
    [CES_WISH_ROOM] = "---x-",
    [CES_WISH_CLAIM] = "---x-",
    [CES_WISH_LOOK] = "---x-",
    [CES_WISH_UNPACK] = "---x-",
    [CES_WISH_OPAQUE] = "---x-",
    [CES_WISH_COMMIT] = "---x-",
    [CES_WISH_PROGRESS] = "---x-",
    [CES_WISH_IMAGE] = "---x-",
    [CES_WISH_USER] = "----x",
    [CES_WISH_DONE] = "----x",
    [CES_WISH_FAILED] = "xxxxx",
};

/* Says the wish with fields that are right in that phase. */
static void say_right(uint64_t kind, enum ces_phase phase)
{
	static char of_blob[CES_DIGEST_LENGTH + 1], of_layer[CES_DIGEST_LENGTH + 1];
	struct wish wish = {.kind = kind, .digest = of_blob, .diff_id = of_layer, .size = 1};

	(void)strcpy(of_blob, blob(0));
	(void)strcpy(of_layer, diff_id(0));
	if (kind == CES_WISH_BYTES)
		wish.number = phase == CES_LOOKING       ? CES_WISH_TOP
			      : phase == CES_SIGNING     ? CES_WISH_SIGNATURES
			      : phase == CES_CONFIGURING ? CES_WISH_CONFIG
							 : CES_WISH_RECORD;
	if (kind == CES_WISH_PARSE)
		wish.number = phase == CES_LOOKING   ? CES_UNPACK_MANIFEST
			      : phase == CES_SIGNING ? CES_UNPACK_SIGNATURES
						     : CES_UNPACK_CONFIG;
	if (kind == CES_WISH_MANIFEST)
		SAY(.kind = CES_WISH_BYTES, .number = CES_WISH_TOP, .bytes = manifest);
	if (kind == CES_WISH_NEED)
		SAY(.kind = CES_WISH_BYTES, .number = CES_WISH_CONFIG, .bytes = config);
	if (kind == CES_WISH_LAYER)
		SAY(.kind = CES_WISH_BYTES, .number = CES_WISH_CONFIG, .bytes = config);
	if (kind == CES_WISH_OPAQUE || kind == CES_WISH_COMMIT)
		SAY(.kind = CES_WISH_UNPACK);
	if (kind == CES_WISH_OPAQUE)
		wish.bytes = "directory";
	if (kind == CES_WISH_PROGRESS)
		wish.number = CES_PROGRESS_WAITING;
	if (kind == CES_WISH_FAILED)
		wish.number = CES_E_REGISTRY;
	script[n_script++] = wish;
}

START_TEST(each_wish_has_its_turn_and_any_other_turn_ends_the_pull)
{
	uint64_t kind = (unsigned)_i % CES_WISH_KINDS;
	size_t turn = (unsigned)_i / CES_WISH_KINDS;
	enum ces_phase phase = phases[turn];

	decision.signed_by.n = phase == CES_SIGNING;
	make_image(2);
	have_layers();
	if (kind == CES_WISH_LOOK && phase == CES_FETCHING) { /* another pull has the claim */
		char name[80];
		CES_CLEANUP_FD int fd = -1;

		(void)snprintf(name, sizeof(name), "layer-%s", blob(0) + 7);
		fd = openat(store.locks, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		ck_assert_int_eq(flock(fd, LOCK_EX), 0);
		reach(phase);
		SAY(.kind = CES_WISH_CLAIM);
		say_right(kind, phase);
		(void)serve();
		ck_assert_msg(!is_refusal(), "%s", err.text);
		ck_assert_int_eq(unlinkat(store.locks, name, 0), 0);
		return;
	}
	reach(phase);
	if (allowed[kind][turn] != 'x') {
		SAY(.kind = kind, .number = kind == CES_WISH_FAILED ? CES_E_HOST : 0);
		refused();
		return;
	}
	say_right(kind, phase);
	(void)serve();
	ck_assert_msg(!is_refusal(), "%s", err.text);
	for_collector = kind == CES_WISH_COMMIT; /* (the layer was there) */
}
END_TEST

static const uint64_t unknown[] = {CES_WISH_KINDS, CES_WISH_KINDS + 1, 1ull << 32,
				   (1ull << 32) + CES_WISH_BYTES, UINT64_MAX};

START_TEST(a_wish_of_an_unknown_kind_ends_the_pull)
{
	SAY(.kind = unknown[_i]);
	refused();
}
END_TEST

/* ---- packets ---- */

static const struct {
	size_t length; /* of the packet */
	uint64_t says; /* of the bytes that follow */
	bool served;
} packets[] = {
#define HEAD offsetof(struct ces_wish, bytes)
    {1, 0, false},
    {8, 0, false},
    {HEAD - 1, 0, false},
    {HEAD, 0, true},
    {HEAD, 1, false},
    {HEAD, UINT64_MAX, false},
    {HEAD + 1, 0, false},
    {HEAD + 1, 1, true},
    {HEAD + 1, 2, false},
    {HEAD + 16384, 16383, false},
    {HEAD + 16384, 16384, true},
    {HEAD + 16384, 16385, false},
    {HEAD + 16385, 16385, false},
    {HEAD + 40000, 40000, false},
};

/* (a process of its own would add nothing: the packet waits in the socket) */
static int serve_packet(const void *packet, size_t length)
{
	int pair[2], result;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(send(pair[1], packet, length, 0), (ssize_t)length);
	ck_assert_int_eq(shutdown(pair[1], SHUT_WR), 0);
	pull.resolver = pair[0];
	begin_root();
	result = ces_serve_pull(&pull, &err);
	end_root();
	close(pair[0]);
	close(pair[1]);
	return result;
}

START_TEST(a_packet_of_another_length_than_it_says_ends_the_pull)
{
	static char buffer[HEAD + 40000];
	struct ces_wish *wish = (struct ces_wish *)buffer;

	wish->kind = CES_WISH_BYTES;
	wish->number = CES_WISH_TOP;
	wish->length = packets[_i].says;
	ck_assert_int_eq(serve_packet(buffer, packets[_i].length), -1);
	ck_assert_int_eq(is_refusal(), !packets[_i].served);
}
END_TEST

START_TEST(an_empty_packet_is_the_end_of_ces_resolve)
{
	ck_assert_int_eq(serve_packet("", 0), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_str_eq(err.text, "ces-resolve ended unexpectedly");
}
END_TEST

START_TEST(a_ces_resolve_that_reads_no_answers_is_not_waited_for)
{
	make_image(1);
	reach(CES_FETCHING);
	while (n_script < ANSWERS)
		SAY(.kind = CES_WISH_CLAIM);
	reads_no_answers = true;
	ck_assert_int_eq(serve(), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "talking to ces-resolve"));
}
END_TEST

/* ---- the end ---- */

static const enum ces_code codes[] = {
    CES_OK,      CES_E_USAGE, CES_E_DENIED, CES_E_POLICY,   CES_E_NOTFOUND,    CES_E_REGISTRY,
    CES_E_IMAGE, CES_E_HOST,  CES_E_LIMIT,  CES_E_INTERNAL, CES_E_INTERNAL + 1};

START_TEST(ces_resolve_can_fail_but_it_cannot_deny)
{
	static char longest[CES_WISH_BYTES_MAX];
	enum ces_code code = codes[_i];

	memset(longest, 'r', sizeof(longest));
	SAY(.kind = CES_WISH_FAILED, .number = code, .bytes = "no \033[2Jroute\n", .size = 1);
	ck_assert_int_eq(serve(), -1);
	if (code < CES_E_NOTFOUND || code > CES_E_INTERNAL) {
		ck_assert(is_refusal());
		return;
	}
	ck_assert_int_eq(err.code, code);
	ck_assert_str_eq(err.text, "no ?[2Jroute?");
	ck_assert_str_eq(err.rule, "registries.credentials");
	n_script = 0;
	SAY(.kind = CES_WISH_FAILED, .number = code, .bytes = longest, .length = sizeof(longest),
	    .size = 2);
	ck_assert_int_eq(serve(), -1);
	ck_assert_str_eq(err.rule, "");
	ck_assert_uint_lt(strlen(err.text), CES_ERROR_TEXT);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("serve");

	tcase_add_loop_test(t, each_wish_has_its_turn_and_any_other_turn_ends_the_pull, 0,
			    CES_WISH_KINDS * 5);
	tcase_add_loop_test(t, a_wish_of_an_unknown_kind_ends_the_pull, 0, CES_COUNT(unknown));
	tcase_add_loop_test(t, a_packet_of_another_length_than_it_says_ends_the_pull, 0,
			    CES_COUNT(packets));
	tcase_add_test(t, an_empty_packet_is_the_end_of_ces_resolve);
	tcase_add_test(t, a_ces_resolve_that_reads_no_answers_is_not_waited_for);
	tcase_add_loop_test(t, ces_resolve_can_fail_but_it_cannot_deny, 0, CES_COUNT(codes));
	return run_pulls("wishes", t);
}
