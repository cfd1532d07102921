/* Tests when a start may use the policy as it was kept, and when the file is read anew. */
/* links: helper/admit/policy.c helper/core/beneath.c */
#include "helper/admit/policy.h"

#include <check.h>

#include "common/digest.h"
#include "common/paths.h"
#include "helper/core/ask.h"
#include "helper/core/order.h"
#include "policy/flat.h"
#include "tests/unit/own_root.h"
#include "tests/unit/policy_fixture.h"

#define KEPT CES_RUN_DIR "/" CES_KEPT_NAME

static const char text[] =
    "{\"ces_policy\": 1, \"registries\": {\"ghcr.io\": {}}, \"projects\": {\"p\": {\"members\": "
    "{\"groups\": [\"p\"]}, \"images\": [{\"allow\": \"ghcr.io/lab/*\"}]}}}";
static char digest[CES_DIGEST_LENGTH + 1];
static struct ces_error err;
static uint8_t *block;
static size_t length;

/* ---- ces-parse ---- */

static int asked;
static enum { WELL, REFUSED, OTHER_FILE, TORN, EMPTY } answers;

int ces_ask(enum ces_parse_kind kind, const struct ces_decision_names *kinds, const char *bytes,
	    size_t n, enum ces_code code, uint8_t **ret, size_t *ret_length,
	    struct ces_error *ret_err)
{
	asked++;
	ck_assert_int_eq(kind, CES_PARSE_POLICY);
	ck_assert_ptr_null(kinds);
	ck_assert_uint_eq(n, strlen(text));
	ck_assert_int_eq(memcmp(bytes, text, n), 0);
	if (answers == REFUSED)
		return ces_error_set(ret_err, code, "line 3: no");
	*ret = NULL;
	*ret_length = 0;
	if (answers == EMPTY)
		return 0;
	*ret = malloc(length + 1);
	memcpy(*ret, block, length);
	*ret_length = length - (answers == TORN ? 8 : 0);
	if (answers == OTHER_FILE)
		memcpy(memmem(*ret, length, "sha256:", 7), D1, CES_DIGEST_LENGTH);
	return 0;
}

/* ---- the scene ---- */

static struct ces_kept_policy head;
static size_t more; /* bytes at its end */

static void keep_as(mode_t mode)
{
	char *bytes = malloc(sizeof(head) + length + 1);

	memcpy(bytes, &head, sizeof(head));
	memcpy(bytes + sizeof(head), block, length);
	bytes[sizeof(head) + length] = '\0';
	own_root_file(KEPT, bytes, sizeof(head) + length + more, mode);
	free(bytes);
}

static void set_up(void)
{
	struct ces_policy *policy;

	own_root();
	ck_assert_int_eq(mkdir("/etc", 0755), 0);
	ck_assert_int_eq(mkdir("/etc/ces", 0755), 0);
	ck_assert_int_eq(mkdir("/run", 0755), 0);
	ck_assert_int_eq(mkdir("/run/ces", 0700), 0);
	own_root_file(CES_POLICY_PATH, text, strlen(text), 0644);
	ck_assert_msg(ces_policy_parse(text, strlen(text), &policy, &err) == 0, "%s", err.text);
	ces_digest_of(text, strlen(text), digest);
	ck_assert_str_eq(policy->digest, digest);
	ck_assert_int_eq(ces_flat_pack(&ces_policy_flat, policy, &block, &length, &err), 0);
	ces_policy_free(policy);
	head = (struct ces_kept_policy){
	    .magic = CES_KEPT_MAGIC, .size = sizeof(struct ces_policy), .length = length};
	strcpy(head.digest, digest);
}

/* Reads the policy, from ces-parse if `anew`. */
static void reads(bool anew)
{
	struct ces_read_policy got = {0};
	int open = own_root_fds();

	ck_assert_msg(ces_read_policy(&got, &err) == 0, "%s", err.text);
	ck_assert_int_eq(asked, anew);
	ck_assert_str_eq(got.policy->digest, digest);
	ck_assert_uint_eq(got.policy->n_registries, 1);
	ck_assert_str_eq(got.policy->registries[0].name, "ghcr.io");
	/* (a block goes on only if it is to be kept, and then as it came) */
	ck_assert_int_eq(got.block != NULL, anew);
	if (anew) {
		ck_assert_uint_eq(got.length, length);
		ck_assert_int_eq(memcmp(got.block, block, length), 0);
	}
	ck_assert_int_eq(own_root_fds(), open);
}

static void refused(enum ces_code code, const char *says)
{
	struct ces_read_policy got = {0};
	int open = own_root_fds();

	ck_assert_int_eq(ces_read_policy(&got, &err), -1);
	ck_assert_int_eq(err.code, code);
	ck_assert_msg(strstr(err.text, says) != NULL, "%s", err.text);
	ck_assert_int_eq(own_root_fds(), open);
}

START_TEST(a_policy_that_was_not_kept_is_read_anew)
{
	reads(true);
}
END_TEST

START_TEST(a_policy_that_was_kept_asks_nobody)
{
	keep_as(0600);
	reads(false);
}
END_TEST

START_TEST(a_kept_policy_of_another_file_or_version_does_not_count)
{
	switch (_i) {
	case 0:
		head.digest[10] ^= 1;
		break;
	case 1:
		head.magic++;
		break;
	case 2:
		head.size--;
		break;
	case 3: /* (nor what no answer could be) */
		head.length = CES_PARSE_BLOCK + 1;
		break;
	case 4:
		head.length = UINT64_MAX;
		break;
	case 5: /* torn, or longer than it says */
		head.length++;
		break;
	case 6:
		head.length--;
		break;
	case 7:
		head.length = 0;
		break;
	default:
		more = 1;
		break;
	}
	keep_as(0600);
	reads(true);
}
END_TEST

START_TEST(a_kept_block_that_is_no_policy_does_not_count)
{
	uint8_t *good = malloc(length);

	memcpy(good, block, length);
	memset(block + 16, 0xff, length - 16);
	keep_as(0600);
	memcpy(block, good, length);
	reads(true);
}
END_TEST

static const mode_t modes[] = {0640, 0604, 0610, 0666, 0777};

START_TEST(a_kept_policy_that_others_may_open_does_not_count)
{
	keep_as(modes[_i]);
	reads(true);
}
END_TEST

START_TEST(what_is_no_file_does_not_count_and_nobody_waits)
{
	keep_as(0600);
	ck_assert_int_eq(rename(KEPT, "/run/ces/real"), 0);
	if (_i == 0)
		ck_assert_int_eq(symlink("real", KEPT), 0);
	else if (_i == 1)
		ck_assert_int_eq(mkfifo(KEPT, 0600), 0);
	else if (_i == 2)
		ck_assert_int_eq(mkdir(KEPT, 0700), 0);
	else {
		own_root_file(KEPT, "", 0, 0600);
	}
	reads(true);
}
END_TEST

START_TEST(a_run_directory_that_is_a_link_does_not_count)
{
	keep_as(0600);
	ck_assert_int_eq(rename("/run/ces", "/run/real"), 0);
	ck_assert_int_eq(symlink("real", "/run/ces"), 0);
	reads(true);
}
END_TEST

START_TEST(without_a_policy_that_is_roots_alone_nothing_goes_on)
{
	keep_as(0600);
	if (_i == 0)
		ck_assert_int_eq(unlink(CES_POLICY_PATH), 0);
	else if (_i == 1)
		ck_assert_int_eq(chmod(CES_POLICY_PATH, 0664), 0);
	else
		ck_assert_int_eq(chmod("/etc/ces", 0777), 0);
	refused(CES_E_POLICY, CES_POLICY_PATH);
	ck_assert_int_eq(asked, 0);
}
END_TEST

static const struct {
	int answers;
	enum ces_code code;
	const char *says;
} bad[] = {
    {REFUSED, CES_E_POLICY, "the policy " CES_POLICY_PATH ": line 3: no"},
    {OTHER_FILE, CES_E_INTERNAL, "ces-parse read another file than the policy"},
    {TORN, CES_E_INTERNAL, "the policy " CES_POLICY_PATH ": "},
    {EMPTY, CES_E_HOST, "the policy " CES_POLICY_PATH ": ces-parse gave no answer"},
};

START_TEST(an_answer_that_is_not_this_policy_is_refused)
{
	answers = bad[_i].answers;
	refused(bad[_i].code, bad[_i].says);
	ck_assert_int_eq(asked, 1);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("admit_policy");

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_test(t, a_policy_that_was_not_kept_is_read_anew);
	tcase_add_test(t, a_policy_that_was_kept_asks_nobody);
	tcase_add_loop_test(t, a_kept_policy_of_another_file_or_version_does_not_count, 0, 9);
	tcase_add_test(t, a_kept_block_that_is_no_policy_does_not_count);
	tcase_add_loop_test(t, a_kept_policy_that_others_may_open_does_not_count, 0,
			    CES_COUNT(modes));
	tcase_add_loop_test(t, what_is_no_file_does_not_count_and_nobody_waits, 0, 4);
	tcase_add_test(t, a_run_directory_that_is_a_link_does_not_count);
	tcase_add_loop_test(t, without_a_policy_that_is_roots_alone_nothing_goes_on, 0, 3);
	tcase_add_loop_test(t, an_answer_that_is_not_this_policy_is_refused, 0, CES_COUNT(bad));
	return run_suite("admit_policy", t);
}
