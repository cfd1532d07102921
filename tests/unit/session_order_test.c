/* Tests what ces-session makes of an order that is torn, of another version or too long, which
 * parts of it reach a verb, and which policy it keeps. */
/* links: helper/session/main.c helper/session/record.c helper/session/report.c */
/* links: helper/session/journal_denials.c helper/session/journal_file.c */
/* links: helper/session/journal.c helper/session/json.c helper/session/lock.c */
/* links: helper/session/object.c helper/session/runs.c helper/clean/tree.c */
/* links: helper/core/beneath.c */
#include "tests/unit/session_program.h"

#define VERSION "ces-session is started by ces-admit of the same version only"
#define KEPT    "run/ces/.policy"

static const uint8_t nothing[1];

START_TEST(an_order_that_is_not_whole_or_of_another_version_is_refused)
{
	size_t n = sizeof(order);

	order.words = 0;
	if (_i == 0)
		n--;
	else if (_i == 1)
		n = 0;
	else if (_i == 2)
		order.magic++;
	else
		order.size--;
	ck_assert_int_eq(start_with(n, nothing), 125);
	is_error(CES_E_HOST, VERSION, NULL);
	steps_are("weaken\n", 0);
	ck_assert_uint_eq(follow(JOURNAL, none).seq, 0);
}
END_TEST

/* The request's block: none, too long for one, and none that a request can be. */
START_TEST(a_request_that_cannot_be_read_is_recorded_as_refused)
{
	static const size_t lengths[] = {0, CES_DECODE_BLOCK + 1, sizeof(struct ces_request), 7};
	CES_CLEANUP_FREE uint8_t *block = malloc(CES_DECODE_BLOCK + 1);

	memset(block, 0x55, CES_DECODE_BLOCK + 1);
	order.words = lengths[_i];
	ck_assert_int_eq(start_with(sizeof(order), block), 125);
	steps_are("weaken\n", 0);
	recorded(1, "'outcome':'denied','uid':1000,'user':'ann','policy':'" D1 "','code':'");
	/* what ces-admit refused it for is more than that */
	(void)ces_error_set(&order.refused, CES_E_USAGE, "why");
	ck_assert_int_eq(start_with(sizeof(order), block), 125);
	is_error(CES_E_USAGE, "why", NULL);
	recorded(2, "'code':'usage','reason':'why'}");
}
END_TEST

START_TEST(without_its_rights_given_up_or_a_journal_nothing_is_done)
{
	steps_begin(1, EPERM);
	ck_assert_int_eq(start(), 125);
	is_error(CES_E_HOST, "weaken: Operation not permitted", NULL);
	steps_are("weaken\n", 0);
	ck_assert_int_eq(unlink(JOURNAL), 0);
	ck_assert_int_eq(mkdir(JOURNAL, 0700), 0);
	steps_begin(0, 0);
	ck_assert_int_eq(start(), 125);
	is_error(CES_E_HOST, "opening the journal: Is a directory", NULL);
	steps_are("weaken\n", 0);
}
END_TEST

/* A policy that could not be read has not said that syslog gets no copy. */
static const struct {
	bool read, syslog, copies;
} syslogs[] = {{true, true, true}, {true, false, false}, {false, false, true}};

START_TEST(syslog_gets_copies_where_the_policy_says_so)
{
	CES_CLEANUP_FD int fd = hear_syslog();

	order.host.audit_syslog = syslogs[_i].syslog;
	if (!syslogs[_i].read)
		order.host.digest[0] = '\0';
	ck_assert_int_eq(start(), 0);
	steps_are(syslogs[_i].copies ? "weaken\nstore\nimages uid 1000 user ann syslog 1\n"
				     : "weaken\nstore\nimages uid 1000 user ann syslog 0\n",
		  0);
}
END_TEST

START_TEST(an_unknown_caller_has_no_name)
{
	order.known = false;
	ck_assert_int_eq(start(), 0);
	steps_are("weaken\nstore\nimages uid 1000 user - syslog 0\n", 0);
}
END_TEST

/* ---- the kept policy ---- */

static void set_policy(size_t n)
{
	policy = malloc(n);
	memset(policy, 'p', n);
	order.policy = n;
}

START_TEST(a_policy_that_was_read_is_kept_for_root_alone)
{
	struct ces_kept_policy head;
	int fd;

	set_policy(100000);
	(void)umask(0);
	for (int i = 0; i < 2; i++) { /* new, then in place of the old one */
		policy[0] = (uint8_t)('0' + i);
		ck_assert_int_eq(start(), 0);
		ck_assert_int_eq(mode_of(KEPT), S_IFREG | 0600);
		fd = open(KEPT, O_RDONLY | O_CLOEXEC);
		ck_assert_int_eq(read(fd, &head, sizeof(head)), sizeof(head));
		ck_assert_uint_eq(head.magic, CES_KEPT_MAGIC);
		ck_assert_uint_eq(head.size, sizeof(struct ces_policy));
		ck_assert_uint_eq(head.length, 100000);
		ck_assert_str_eq(head.digest, D1);
		CES_CLEANUP_FREE char *kept = content(KEPT);

		ck_assert_int_eq(memcmp(kept + sizeof(head), policy, 100000), 0);
		close(fd);
	}
}
END_TEST

START_TEST(a_policy_without_a_digest_or_cut_short_is_not_kept)
{
	set_policy(100000);
	if (_i == 0)
		order.host.digest[0] = '\0';
	else if (_i == 1)
		order.policy = 0;
	else if (_i == 2)
		order.words = 0; /* (its length is that of the request's block) */
	else
		ck_assert(mkdir("run/ces", 0700) == 0 && chmod("run/ces", 0755) == 0);
	if (_i == 2) {
		CES_CLEANUP_FREE uint8_t *block = NULL;

		ck_assert_int_eq(
		    ces_flat_pack(&ces_request_flat, &request, &block, &order.words, &err), 0);
		order.policy = CES_PARSE_BLOCK + 1;
		free(policy);
		policy = NULL;
		ck_assert_int_eq(start_with(sizeof(order), block), 0);
	} else
		ck_assert_int_eq(start(), _i == 3 ? 125 : 0);
	ck_assert_int_eq(access(KEPT, F_OK), -1);
}
END_TEST

START_TEST(a_policy_that_cannot_get_its_name_leaves_nothing)
{
	CES_CLEANUP_DIR DIR *dir = NULL;
	int n = 0;

	set_policy(10);
	ck_assert_int_eq(mkdir("run/ces", 0700), 0);
	ck_assert_int_eq(mkdir(KEPT, 0700), 0);
	ck_assert_int_eq(start(), 0);
	dir = opendir("run/ces");
	while (readdir(dir) != NULL)
		n++;
	ck_assert_int_eq(n, 3);
}
END_TEST

__attribute__((constructor)) static void begin_before_main(void)
{
	TCase *t = tcase_create("session order");

	tcase_add_checked_fixture(t, program_begin, program_end);
	tcase_add_loop_test(t, an_order_that_is_not_whole_or_of_another_version_is_refused, 0, 4);
	tcase_add_loop_test(t, a_request_that_cannot_be_read_is_recorded_as_refused, 0, 4);
	tcase_add_test(t, without_its_rights_given_up_or_a_journal_nothing_is_done);
	tcase_add_loop_test(t, syslog_gets_copies_where_the_policy_says_so, 0, CES_COUNT(syslogs));
	tcase_add_test(t, an_unknown_caller_has_no_name);
	tcase_add_test(t, a_policy_that_was_read_is_kept_for_root_alone);
	tcase_add_loop_test(t, a_policy_without_a_digest_or_cut_short_is_not_kept, 0, 4);
	tcase_add_test(t, a_policy_that_cannot_get_its_name_leaves_nothing);
	exit(run_suite("session order", t));
}
