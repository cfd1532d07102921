/* Tests the order of ces-admit's steps, and what it hands over when a step fails: main() is
 * its own. */
/* links: helper/admit/main.c */
#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/check.h"
#include "common/io.h"
#include "common/paths.h"
#include "common/request.h"
#include "helper/admit/confined.h"
#include "helper/admit/evidence.h"
#include "helper/admit/facts.h"
#include "helper/admit/hand_over.h"
#include "helper/admit/policy.h"
#include "helper/core/ask.h"
#include "helper/core/caller.h"
#include "helper/core/capability.h"
#include "helper/core/last_words.h"
#include "policy/flat.h"
#include "tests/unit/noted.h"
#include "tests/unit/policy_fixture.h"

int main(int argc, char **argv);

/* (for a sanitizer: ces-admit frees nothing that its exec discards) */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static struct ces_request request;
static struct ces_policy policy;
static struct ces_order order; /* as it was handed over */
static uint8_t *block, *came, *passed_words;
static const void *passed_policy;
static char said[CES_ERROR_TEXT];
static size_t length;
static const char *fails = "";

/* Notes a step; one may fail, with a text of its own. */
static int step(struct ces_error *err, const char *name)
{
	note("%s", name);
	return strcmp(name, fails) == 0 ? ces_error_set(err, CES_E_HOST, "%s failed", name) : 0;
}

/* ---- the other parts of ces-admit ---- */

unsigned alarm(unsigned seconds)
{
	note("%u seconds", seconds);
	return 0;
}

int prctl(int option, ...)
{
	unsigned long value;
	va_list values;

	va_start(values, option);
	value = va_arg(values, unsigned long);
	va_end(values);
	errno = EPERM;
	return option == PR_SET_DUMPABLE && value == 0 ? step(NULL, "no dumps") : -1;
}

int ces_capability_keep(uint64_t kept, uint64_t effect, struct ces_error *err)
{
	ck_assert_uint_eq(kept, UINT64_MAX);
	ck_assert_uint_eq(effect, 1u << CAP_SETUID | 1u << CAP_SETGID | 1u << CAP_KILL |
				      1u << CAP_SYS_RESOURCE);
	return step(err, "four capabilities");
}

int ces_ask_begin(const char *path, int input, struct ces_asking *ret, struct ces_error *err)
{
	(void)ret;
	ck_assert_str_eq(path, CES_DECODE_PATH);
	ck_assert_int_eq(input, CES_FD_REQUEST);
	return step(err, "decodes");
}

static int taken = 1;

int ces_ask_take(struct ces_asking *asking, size_t max, int64_t deadline_ms, uint8_t **ret,
		 size_t *ret_length, struct ces_error *err)
{
	int64_t left = deadline_ms - ces_now_ms();

	(void)asking;
	ck_assert_uint_eq(max, CES_DECODE_BLOCK);
	ck_assert(left > CES_DECODE_MS && left <= CES_DECODE_MS + 2000);
	(void)step(NULL, "takes the request");
	if (taken == 0)
		(void)ces_error_set(err, CES_E_USAGE, "malformed");
	*ret = block;
	*ret_length = length;
	return taken;
}

int ces_read_policy(struct ces_read_policy *ret, struct ces_error *err)
{
	static uint8_t bytes[] = {1, 2, 3};

	if (step(err, "reads the policy") < 0)
		return -1;
	*ret = (struct ces_read_policy){&policy, bytes, sizeof(bytes)};
	return 0;
}

int ces_host_of(const struct ces_policy *of, struct ces_host *ret, struct ces_error *err)
{
	ck_assert_ptr_eq(of, &policy);
	strcpy(ret->contact, "ann@x");
	return step(err, "host");
}

int ces_selinux_admit(bool required, bool *ret_on, struct ces_error *err)
{
	ck_assert_int_eq(required, policy.selinux == CES_SELINUX_REQUIRED);
	*ret_on = true;
	return step(err, "confined");
}

int ces_caller_load(uid_t uid, struct ces_caller *ret, struct ces_error *err)
{
	ret->uid = uid;
	if (uid == 0)
		return ces_error_set(err, CES_E_USAGE, "not for root");
	ck_assert_uint_eq(uid, 1000);
	return step(err, "who");
}

int ces_order_caller(struct ces_order *into, const struct ces_caller *caller, struct ces_error *err)
{
	ck_assert_uint_eq(caller->uid, 1000);
	into->known = true;
	return step(err, "caller");
}

void ces_facts_gather(const struct ces_policy *of, const struct ces_caller *caller,
		      struct ces_facts *ret)
{
	(void)of;
	ck_assert_uint_eq(caller->uid, 1000);
	ret->home_data = true;
	(void)step(NULL, "facts");
}

int ces_decide(const struct ces_policy *of, const struct ces_caller *caller,
	       const struct ces_request *asked, const struct ces_facts *facts, time_t now,
	       struct ces_decision *ret, struct ces_error *err)
{
	(void)of;
	(void)caller;
	ck_assert(facts->home_data && now > 0);
	ck_assert_str_eq(asked->image, "ghcr.io/a/b:1");
	strcpy(ret->project, "p");
	return step(err, "decides");
}

int ces_evidence_check(struct ces_decision *decision, time_t now, struct ces_error *err)
{
	ck_assert(strcmp(decision->project, "p") == 0 && now > 0);
	return step(err, "evidence");
}

int ces_hand_over(const struct ces_order *given, const void *words, const void *of,
		  struct ces_error *err)
{
	order = *given;
	passed_words = (uint8_t *)(uintptr_t)words;
	passed_policy = of;
	note("hands over");
	return ces_error_set(err, CES_E_HOST, "no ces-session");
}

void ces_last_words(const struct ces_error *err)
{
	note("last words");
	(void)snprintf(said, sizeof(said), "%s", err->text);
}

/* ---- the scene ---- */

static void set_up(void)
{
	noted_begin();
	request.verb = CES_VERB_RUN;
	request.image = (char *)(uintptr_t) "ghcr.io/a/b:1";
}

static void start(const char *uid)
{
	char *argv[] = {(char *)(uintptr_t) "ces-admit", (char *)(uintptr_t)uid, NULL};
	struct ces_error err;

	if (block == NULL)
		ck_assert_int_eq(ces_flat_pack(&ces_request_flat, &request, &block, &length, &err),
				 0);
	came = malloc(length);
	memcpy(came, block, length);
	ck_assert_int_eq(main(uid == NULL ? 1 : 2, argv), CES_EXIT_REFUSED);
}

#define BEGUN    "no dumps\nfour capabilities\n30 seconds\n"
#define PREPARED "decodes\nreads the policy\nhost\nconfined\nwho\ncaller\ntakes the request\n"
#define DECIDED  "30 seconds\nfacts\ndecides\nevidence\n"
#define PASSED   "hands over\nlast words\n"

START_TEST(a_run_is_decided_in_this_order_and_handed_over)
{
	policy.selinux = _i == 1 ? CES_SELINUX_REQUIRED : policy.selinux;
	start("1000");
	NOTED(BEGUN PREPARED DECIDED PASSED);
	ck_assert_uint_eq(order.magic, CES_ORDER_MAGIC);
	ck_assert_uint_eq(order.size, sizeof(order));
	ck_assert_uint_eq(order.uid, 1000);
	ck_assert(order.known && order.decided && order.selinux);
	ck_assert_int_eq(order.refused.code, CES_OK);
	ck_assert_str_eq(order.host.contact, "ann@x");
	ck_assert_str_eq(order.decision.project, "p");
	/* the request goes on as it came, and not as it was loaded */
	ck_assert_uint_eq(order.words, length);
	ck_assert_int_eq(memcmp(passed_words, came, length), 0);
	ck_assert_uint_eq(order.policy, 3);
	ck_assert_ptr_nonnull(passed_policy);
	ck_assert_str_eq(said, "no ces-session");
}
END_TEST

START_TEST(a_verb_that_needs_no_decision_gets_none)
{
	static const uint64_t verbs[] = {CES_VERB_IMAGES, CES_VERB_RUNS, CES_VERB_CLEAN};

	request.verb = verbs[_i];
	request.image = NULL;
	start("1000");
	NOTED(BEGUN PREPARED "30 seconds\n" PASSED);
	ck_assert(!order.decided && order.known);
	ck_assert_int_eq(order.refused.code, CES_OK);
}
END_TEST

/* What fails before the request is there waits for it: the record names it. */
static const struct {
	const char *fails, *noted;
	bool has_policy;
} early[] = {
    {"reads the policy", "decodes\nreads the policy\ntakes the request\n", false},
    {"host", "decodes\nreads the policy\nhost\ntakes the request\n", true},
    {"confined", "decodes\nreads the policy\nhost\nconfined\ntakes the request\n", true},
    {"who", "decodes\nreads the policy\nhost\nconfined\nwho\ntakes the request\n", true},
    {"caller", PREPARED, true},
};

START_TEST(what_fails_early_is_handed_over_with_the_request)
{
	char text[100];

	fails = early[_i].fails;
	start("1000");
	ck_assert_ptr_eq(strstr(noted->text, early[_i].noted), noted->text + strlen(BEGUN));
	ck_assert_str_eq(noted->text + strlen(BEGUN) + strlen(early[_i].noted), PASSED);
	(void)snprintf(text, sizeof(text), "%s failed", fails);
	ck_assert_str_eq(order.refused.text, text);
	ck_assert(!order.decided);
	ck_assert_uint_eq(order.words, length);
	ck_assert_uint_eq(order.policy, early[_i].has_policy ? 3 : 0);
}
END_TEST

static const struct {
	const char *fails, *noted;
} late[] = {
    {"decides", "30 seconds\nfacts\ndecides\n" PASSED},
    {"evidence", DECIDED PASSED},
};

START_TEST(what_is_refused_is_not_decided)
{
	fails = late[_i].fails;
	start("1000");
	ck_assert_str_eq(noted->text + strlen(BEGUN PREPARED), late[_i].noted);
	ck_assert(!order.decided);
	ck_assert_int_eq(order.refused.code, CES_E_HOST);
	ck_assert_uint_eq(order.words, length);
}
END_TEST

START_TEST(a_request_that_cannot_be_read_is_handed_over_without_words)
{
	static const struct {
		int taken;
		const char *says;
	} answers[] = {{-1, "ces-decode gave no answer"}, {0, "malformed"}};

	taken = answers[_i].taken;
	fails = "who"; /* (the request's own fault goes first) */
	start("1000");
	ck_assert_str_eq(order.refused.text, answers[_i].says);
	ck_assert_uint_eq(order.words, 0);
	ck_assert(!order.decided);
}
END_TEST

START_TEST(a_block_that_is_not_a_request_is_no_words)
{
	struct ces_error err;

	if (_i == 3)
		request.project = (char *)(uintptr_t) "\033[2J";
	ck_assert_int_eq(ces_flat_pack(&ces_request_flat, &request, &block, &length, &err), 0);
	if (_i == 0)
		length = sizeof(request) - 1;
	else if (_i == 1)
		length--;
	else if (_i == 2)
		block[length - 1] = 'x'; /* (in place of the NUL) */
	start("1000");
	ck_assert_int_ne(order.refused.code, CES_OK);
	if (_i == 0)
		ck_assert_str_eq(order.refused.text, "ces-decode gave no answer");
	ck_assert_uint_eq(order.words, 0);
	ck_assert(!order.decided);
	ck_assert_ptr_null(strstr(noted->text, "decides"));
}
END_TEST

START_TEST(without_ces_decode_nothing_is_read)
{
	fails = "decodes";
	start("1000");
	NOTED(BEGUN "decodes\n" PASSED);
	ck_assert_uint_eq(order.words + order.policy, 0);
	ck_assert_str_eq(order.refused.text, "decodes failed");
}
END_TEST

START_TEST(an_unknown_flag_is_refused_and_not_ignored)
{
	request.flags = UINT64_C(1) << (_i == 0 ? 10 : 63) | CES_FLAG_DETACH;
	fails = "confined";
	start("1000");
	ck_assert_int_eq(order.refused.code, CES_E_USAGE);
	ck_assert_str_eq(order.refused.text, "malformed request: unknown flag");
	ck_assert(!order.decided);
}
END_TEST

START_TEST(root_may_clean_and_nothing_else)
{
	request.verb = _i == 0 ? CES_VERB_CLEAN : CES_VERB_RUN;
	if (_i == 0)
		request.image = NULL;
	start("0");
	ck_assert_ptr_null(strstr(noted->text, "who"));
	ck_assert_ptr_null(strstr(noted->text, "decides"));
	ck_assert(!order.known && !order.decided);
	ck_assert_int_eq(order.refused.code, _i == 0 ? CES_OK : CES_E_USAGE);
}
END_TEST

static const char *const words[] = {NULL,    "",   "x",          "1000 ",
				    "1000x", "-1", "4294967296", "99999999999999999999999"};

START_TEST(a_uid_comes_from_ces_helper_and_from_nobody_else)
{
	start(words[_i]);
	NOTED("last words\n");
	ck_assert_str_eq(said, "ces-admit is started by ces-helper of the same version only");
}
END_TEST

START_TEST(a_process_that_keeps_too_much_goes_no_further)
{
	fails = _i == 0 ? "no dumps" : "four capabilities";
	start("1000");
	if (_i == 0)
		NOTED("no dumps\nlast words\n");
	else
		NOTED("no dumps\nfour capabilities\nlast words\n");
}
END_TEST

/* (before main(), which is not this file's) */
static void __attribute__((constructor)) run_tests(void)
{
	TCase *t = tcase_create("admit_main");

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_loop_test(t, a_run_is_decided_in_this_order_and_handed_over, 0, 2);
	tcase_add_loop_test(t, a_verb_that_needs_no_decision_gets_none, 0, 3);
	tcase_add_loop_test(t, what_fails_early_is_handed_over_with_the_request, 0,
			    CES_COUNT(early));
	tcase_add_loop_test(t, what_is_refused_is_not_decided, 0, CES_COUNT(late));
	tcase_add_loop_test(t, a_request_that_cannot_be_read_is_handed_over_without_words, 0, 2);
	tcase_add_loop_test(t, a_block_that_is_not_a_request_is_no_words, 0, 4);
	tcase_add_test(t, without_ces_decode_nothing_is_read);
	tcase_add_loop_test(t, an_unknown_flag_is_refused_and_not_ignored, 0, 2);
	tcase_add_loop_test(t, root_may_clean_and_nothing_else, 0, 2);
	tcase_add_loop_test(t, a_uid_comes_from_ces_helper_and_from_nobody_else, 0,
			    CES_COUNT(words));
	tcase_add_loop_test(t, a_process_that_keeps_too_much_goes_no_further, 0, 2);
	exit(run_suite("admit_main", t));
}
