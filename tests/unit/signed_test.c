/* Tests who is asked about an image's signatures, with which keys, and what the answer allows. The
 * test takes the place of ces-verify: it looks at each question, and gives the answer of its
 * choice. */
/* links: helper/session/signed.c helper/core/spawn.c helper/store/store.c helper/session/store.c helper/session/store_open.c helper/session/json.c helper/core/beneath.c helper/session/frames.c helper/session/lock.c helper/session/object.c helper/clean/tree.c */
#include "helper/session/signed.h"

#include <stdint.h>

#include "common/image.h"
#include "helper/core/ask.h"
#include "helper/verify/job.h"
#include "tests/unit/store_scene.h"

#define IMAGE "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define INDEX "sha256:2222222222222222222222222222222222222222222222222222222222222222"

/* ---- ces-verify ---- */

static struct ces_verify_job asked;
static char behind[70000]; /* the question's bytes after the job */
static size_t behind_length, answer_length;
static unsigned questions;
static struct ces_verify_answer answer;
static enum ces_code refusal;

int ces_ask(enum ces_parse_kind kind, const struct ces_decision_names *kinds, const char *bytes,
	    size_t length, enum ces_code code, uint8_t **ret, size_t *ret_length,
	    struct ces_error *ret_err)
{
	questions++;
	ck_assert_int_eq(kind, CES_PARSE_SIGNED);
	ck_assert_int_eq(code, CES_E_POLICY); /* (for a key that is none) */
	ck_assert_ptr_null(kinds);
	ck_assert_uint_ge(length, sizeof(asked));
	memcpy(&asked, bytes, sizeof(asked));
	behind_length = length - sizeof(asked);
	memcpy(behind, bytes + sizeof(asked),
	       behind_length < sizeof(behind) ? behind_length : sizeof(behind));
	if (refusal != CES_OK)
		return ces_error_set(ret_err, refusal, "ces-verify says no");
	*ret_length = answer_length;
	*ret = answer_length == 0 ? NULL : calloc(1, answer_length);
	if (answer_length > 0)
		memcpy(*ret, &answer,
		       answer_length < sizeof(answer) ? answer_length : sizeof(answer));
	return 0;
}

/* ---- the host: its root is the test's directory, so that the way to a key is root's ---- */

static int host;
static struct ces_decision decision;
static struct ces_signers signers;
static const struct ces_bytes bag = {(char[]){"bag"}, 3};

static void add_key(const char *name, const char *bytes)
{
	char path[300];

	(void)snprintf(path, sizeof(path), "%s%s", name[0] == '/' ? "" : "/etc/ces/", name);
	put_text(AT_FDCWD, path, bytes);
	(void)snprintf(decision.signed_by.v[decision.signed_by.n++], CES_SIGNER_PATH, "%s", name);
}

static void begin(void)
{
	scene_begin();
	host = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(chroot(scene_path), 0);
	ck_assert_int_eq(mkdir("/etc", 0755) | mkdir("/etc/ces", 0755) | mkdir("/keys", 0755), 0);
	decision =
	    (struct ces_decision){.rule = "projects.p.images[0]",
				  .image = {.registry = "ghcr.io", .repository = "lab/tool"}};
	answer = (struct ces_verify_answer){{0}};
	answer_length = sizeof(answer);
	refusal = CES_OK;
	questions = 0;
	signers = (struct ces_signers){.n = 99};
}

static void end(void)
{
	ck_assert_int_eq(fchdir(host), 0);
	ck_assert_int_eq(chroot("."), 0);
	close(host);
	scene_end();
}

static int check(void)
{
	return ces_signed_check(&decision, IMAGE, INDEX, &bag, &signers, &err);
}

/* ---- the question ---- */

START_TEST(for_a_rule_without_keys_nobody_is_asked)
{
	ck_assert_int_eq(check(), 0);
	ck_assert_uint_eq(signers.n, 0);
	ck_assert_int_eq(
	    ces_signed_check_kept(&store, &decision, &(struct ces_grant){0}, &signers, &err), 0);
	ck_assert_uint_eq(questions, 0);
}
END_TEST

START_TEST(the_question_has_both_digests_each_key_and_then_the_bag)
{
	add_key("one.pub", "first key");
	add_key("/keys/two.pub", "second");
	add_key("empty", "");
	answer.by[0] = 7;
	ck_assert_msg(check() == 0, "%s", err.text);
	ck_assert_uint_eq(asked.n_keys, 3);
	ck_assert_uint_eq(asked.keys[0], 9);
	ck_assert_uint_eq(asked.keys[1], 6);
	ck_assert_uint_eq(asked.keys[2], 0);
	ck_assert_str_eq(asked.names[0], "one.pub");
	ck_assert_str_eq(asked.names[1], "/keys/two.pub");
	ck_assert_uint_eq(asked.n_digests, 2);
	ck_assert_str_eq(asked.digests[0], IMAGE);
	ck_assert_str_eq(asked.digests[1], INDEX);
	ck_assert_uint_eq(asked.bag, 3);
	ck_assert_uint_eq(behind_length, 18);
	ck_assert_int_eq(memcmp(behind, "first keysecondbag", 18), 0);
}
END_TEST

START_TEST(an_image_without_an_index_has_one_digest)
{
	const struct ces_bytes none = {NULL, 0};

	add_key("one.pub", "first key");
	ck_assert_int_eq(ces_signed_check(&decision, IMAGE, IMAGE, &none, &signers, &err), -1);
	ck_assert_int_eq(err.code, CES_E_DENIED);
	ck_assert_uint_eq(asked.n_digests, 1);
	ck_assert_str_eq(asked.digests[0], IMAGE);
	ck_assert_str_eq(asked.digests[1], "");
	ck_assert_uint_eq(asked.bag, 0);
	ck_assert_uint_eq(behind_length, 9);
}
END_TEST

/* ---- keys ---- */

static void spoil_key(int how)
{
	static char longest[CES_SIGNER_KEY_MAX + 2];

	switch (how) {
	case 0:
		ck_assert_int_eq(chmod("/etc/ces/one.pub", 0602), 0);
		break;
	case 1:
		ck_assert_int_eq(chmod("/etc/ces/one.pub", 0620), 0);
		break;
	case 2:
		ck_assert_int_eq(link("/etc/ces/one.pub", "/etc/ces/two.pub"), 0);
		break;
	case 3:
		ck_assert_int_eq(rename("/etc/ces/one.pub", "/etc/ces/two.pub"), 0);
		break;
	case 4:
		spoil_key(3);
		ck_assert_int_eq(symlink("two.pub", "/etc/ces/one.pub"), 0);
		break;
	case 5:
		spoil_key(3);
		ck_assert_int_eq(mkfifo("/etc/ces/one.pub", 0600), 0);
		break;
	case 6:
		spoil_key(3);
		ck_assert_int_eq(mkdir("/etc/ces/one.pub", 0700), 0);
		break;
	case 7:
		ck_assert_int_eq(chmod("/etc/ces", 0757), 0);
		break;
	case 8:
		ck_assert_int_eq(chmod("/etc", 0775), 0);
		break;
	case 9:
		ck_assert_int_eq(rename("/etc/ces", "/etc/other"), 0);
		ck_assert_int_eq(symlink("other", "/etc/ces"), 0);
		break;
	default:
		memset(longest, 'k', CES_SIGNER_KEY_MAX + 1);
		put_text(AT_FDCWD, "/etc/ces/one.pub", longest);
	}
}

START_TEST(a_key_that_is_no_file_of_roots_alone_is_refused_and_nobody_is_asked)
{
	add_key("zero.pub", "good");
	add_key("one.pub", "key");
	answer.by[0] = 3;
	spoil_key(_i);
	ck_assert_int_eq(check(), -1);
	ck_assert_int_eq(err.code, CES_E_POLICY);
	ck_assert_uint_eq(questions, 0);
	ck_assert_uint_eq(signers.n, 0);
}
END_TEST

START_TEST(the_longest_key_and_as_many_as_a_rule_can_have_are_asked_about)
{
	static char longest[CES_SIGNER_KEY_MAX + 1];
	char name[8];

	memset(longest, 'k', CES_SIGNER_KEY_MAX);
	for (int i = 0; i < CES_SIGNERS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "%d.pub", i);
		add_key(name, i == 3 ? longest : name);
	}
	decision.signed_by.at_least = CES_SIGNERS_MAX;
	answer.by[0] = UINT64_MAX; /* (more bits than keys) */
	ck_assert_msg(check() == 0, "%s", err.text);
	ck_assert_uint_eq(asked.keys[3], CES_SIGNER_KEY_MAX);
	ck_assert_uint_eq(signers.n, CES_SIGNERS_MAX);
	ck_assert_str_eq(signers.v[7].name, "7.pub");
}
END_TEST

/* ---- the answer ---- */

static const struct {
	uint64_t at_least, by[2];
	const char *signers; /* of each, key and digest; NULL: denied */
} answers[] = {
    {0, {0, 0}, NULL},
    {0, {1, 0}, "ai"},
    {0, {0, 1}, "ax"},
    {1, {4, 0}, "ci"},
    {1, {7, 7}, "aibici"},
    {2, {1, 0}, NULL},
    {2, {1, 1}, NULL} /* twice by one */,
    {2, {1, 2}, "aibx"},
    {2, {4, 3}, "axbxci"},
    {3, {3, 0}, NULL},
    {3, {1, 6}, "aibxcx"},
    {1, {8, 0}, NULL} /* no such key */,
    {1, {1ull << 63, 1ull << 32}, NULL},
    {4, {7, 7}, NULL},
};

START_TEST(enough_keys_must_have_signed_and_each_goes_on_record_with_its_bytes)
{
	static const char *const keys[] = {"key a", "key b", "key c"};
	char of_key[CES_DIGEST_LENGTH + 1];
	const char *expected = answers[_i].signers;

	add_key("a.pub", keys[0]);
	add_key("b.pub", keys[1]);
	add_key("c.pub", keys[2]);
	decision.signed_by.at_least = answers[_i].at_least;
	memcpy(answer.by, answers[_i].by, sizeof(answer.by));
	ck_assert_int_eq(check(), expected == NULL ? -1 : 0);
	if (expected == NULL) {
		ck_assert_int_eq(err.code, CES_E_DENIED);
		ck_assert_str_eq(err.rule, "projects.p.images[0].signed_by");
		return;
	}
	ck_assert_uint_eq(signers.n, strlen(expected) / 2);
	for (size_t i = 0; i < signers.n; i++) {
		const char *key = keys[expected[2 * i] - 'a'];

		ces_digest_of(key, strlen(key), of_key);
		ck_assert_int_eq(signers.v[i].name[0], expected[2 * i]);
		ck_assert_str_eq(signers.v[i].key, of_key);
		ck_assert_str_eq(signers.v[i].digest, expected[2 * i + 1] == 'i' ? IMAGE : INDEX);
	}
}
END_TEST

static const size_t lengths[] = {0, 1, sizeof(answer) - 1, sizeof(answer) + 1, 4096};

START_TEST(an_answer_of_another_length_allows_nothing)
{
	add_key("one.pub", "key");
	answer.by[0] = answer.by[1] = UINT64_MAX;
	answer_length = lengths[_i];
	ck_assert_int_eq(check(), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_uint_eq(signers.n, 0);
}
END_TEST

static const enum ces_code refusals[] = {CES_E_POLICY, CES_E_HOST, CES_E_LIMIT};

START_TEST(a_refusal_of_ces_verify_goes_on_as_it_is)
{
	add_key("one.pub", "key");
	refusal = refusals[_i];
	ck_assert_int_eq(check(), -1);
	ck_assert_int_eq(err.code, refusals[_i]);
	ck_assert_str_eq(err.text, "ces-verify says no");
	ck_assert_uint_eq(signers.n, 0);
}
END_TEST

/* ---- the documents that a pull kept ---- */

static const struct ces_grant grant = {.digest = (char[]){IMAGE}, .top_digest = (char[]){INDEX}};

/* Keeps documents as ces-store does. */
static void keep(const struct ces_bytes *documents)
{
	char name[CES_DIGEST_LENGTH + 1], path[160];

	ces_store_signed_name(&decision.image, name);
	(void)snprintf(path, sizeof(path), "%s/signed-%s", ces_store_hex(IMAGE),
		       ces_store_hex(name));
	put_bytes(store.images, path, documents->bytes, documents->length);
}

static int check_kept(void)
{
	return ces_signed_check_kept(&store, &decision, &grant, &signers, &err);
}

static void have_image(void)
{
	const struct ces_image_record record = {.digest = (char[]){IMAGE}};
	const struct ces_bytes none = {(char[]){""}, 0};

	/* (a lock needs /proc, which is in the root of before) */
	ck_assert_int_eq(fchdir(host) | chroot("."), 0);
	ck_assert_msg(ces_store_commit_image(&store, &record, &none, &none, &err) == 0, "%s",
		      err.text);
	ck_assert_int_eq(chdir(scene_path) | chroot("."), 0);
	add_key("one.pub", "key");
}

START_TEST(a_run_asks_with_the_documents_of_the_repository_that_it_names)
{
	have_image();
	answer.by[0] = 1;
	keep(&bag);
	ck_assert_int_eq(check_kept(), 0);
	ck_assert_uint_eq(asked.bag, 3);
	ck_assert_int_eq(memcmp(behind, "keybag", 6), 0);
	ck_assert_str_eq(asked.digests[0], IMAGE);
	ck_assert_str_eq(asked.digests[1], INDEX);
	ck_assert_uint_eq(signers.n, 1);
	(void)strcpy(decision.image.repository, "lab/other");
	ck_assert_int_eq(check_kept(), 0); /* (this ces-verify says yes to anything) */
	ck_assert_uint_eq(asked.bag, 0);
	(void)strcpy(decision.image.repository, "lab/tool");
	(void)strcpy(decision.image.registry, "quay.io");
	ck_assert_int_eq(check_kept(), 0);
	ck_assert_uint_eq(asked.bag, 0);
}
END_TEST

START_TEST(documents_that_are_missing_or_too_long_are_none_and_the_denial_says_what_to_do)
{
	static char longest[CES_BAG_MAX + 1];
	const struct ces_bytes most = {longest, CES_BAG_MAX}, more = {longest, CES_BAG_MAX + 1};

	have_image();
	ck_assert_int_eq(check_kept(), -1);
	ck_assert_int_eq(err.code, CES_E_DENIED);
	ck_assert_str_eq(err.rule, "projects.p.images[0].signed_by");
	ck_assert_ptr_nonnull(strstr(err.text, "; then pull it again"));
	ck_assert_uint_eq(asked.bag, 0);
	keep(&most);
	ck_assert_int_eq(check_kept(), -1);
	ck_assert_uint_eq(asked.bag, CES_BAG_MAX);
	ck_assert_uint_eq(behind_length, CES_BAG_MAX + 3);
	keep(&more);
	ck_assert_int_eq(check_kept(), -1);
	ck_assert_uint_eq(asked.bag, 0);
	refusal = CES_E_HOST;
	ck_assert_int_eq(check_kept(), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_str_eq(err.text, "ces-verify says no"); /* no pull helps then */
}
END_TEST

START_TEST(a_key_that_was_replaced_since_the_pull_is_the_one_that_is_asked_about)
{
	char of_key[CES_DIGEST_LENGTH + 1];

	have_image();
	answer.by[0] = 1;
	keep(&bag);
	put_text(AT_FDCWD, "/etc/ces/one.pub", "another key");
	ck_assert_int_eq(check_kept(), 0);
	ck_assert_int_eq(memcmp(behind, "another keybag", 14), 0);
	ces_digest_of("another key", 11, of_key);
	ck_assert_str_eq(signers.v[0].key, of_key);
}
END_TEST

START_TEST(what_ces_store_put_in_the_place_of_documents_holds_up_nobody)
{
	char name[CES_DIGEST_LENGTH + 1], path[160];

	have_image();
	ces_store_signed_name(&decision.image, name);
	(void)snprintf(path, sizeof(path), "%s/signed-%s", ces_store_hex(IMAGE),
		       ces_store_hex(name));
	if (_i == 0)
		ck_assert_int_eq(mkfifoat(store.images, path, 0600), 0);
	else if (_i == 1)
		ck_assert_int_eq(symlinkat("/etc/ces/one.pub", store.images, path), 0);
	else
		ck_assert_int_eq(mkdirat(store.images, path, 0700), 0);
	ck_assert_int_eq(check_kept(), -1);
	ck_assert_uint_eq(asked.bag, 0);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("signed");

	tcase_add_test(t, for_a_rule_without_keys_nobody_is_asked);
	tcase_add_test(t, the_question_has_both_digests_each_key_and_then_the_bag);
	tcase_add_test(t, an_image_without_an_index_has_one_digest);
	tcase_add_loop_test(t, a_key_that_is_no_file_of_roots_alone_is_refused_and_nobody_is_asked,
			    0, 11);
	tcase_add_test(t, the_longest_key_and_as_many_as_a_rule_can_have_are_asked_about);
	tcase_add_loop_test(t, enough_keys_must_have_signed_and_each_goes_on_record_with_its_bytes,
			    0, CES_COUNT(answers));
	tcase_add_loop_test(t, an_answer_of_another_length_allows_nothing, 0, CES_COUNT(lengths));
	tcase_add_loop_test(t, a_refusal_of_ces_verify_goes_on_as_it_is, 0, CES_COUNT(refusals));
	tcase_add_test(t, a_run_asks_with_the_documents_of_the_repository_that_it_names);
	tcase_add_test(
	    t, documents_that_are_missing_or_too_long_are_none_and_the_denial_says_what_to_do);
	tcase_add_loop_test(t, what_ces_store_put_in_the_place_of_documents_holds_up_nobody, 0, 3);
	tcase_add_test(t, a_key_that_was_replaced_since_the_pull_is_the_one_that_is_asked_about);
	return run_scenes_between("signed", t, begin, end);
}
