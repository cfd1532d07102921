/* Tests that a decision and an end are in the journal, or the request knows that they are not. */
/* links: helper/session/record.c helper/session/journal_denials.c */
/* links: helper/session/journal_file.c helper/session/journal.c helper/session/json.c */
/* links: helper/session/lock.c helper/session/object.c helper/session/runs.c */
/* links: helper/clean/tree.c helper/core/beneath.c */
#include "helper/session/record.h"

#include <check.h>

#include "common/request.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/session_journal.h"

#define RUN "0123456789"

static int syncs;

int fdatasync(int fd)
{
	ck_assert_int_eq(fd, journal.fd);
	syncs++;
	return 0;
}

static struct ces_host host;
static struct ces_request request;
static struct ces_decision decision;
static struct ces_session session;

static void set_up(void)
{
	journal_begin();
	memcpy(host.digest, D2, sizeof(D2));
	request = (struct ces_request){.verb = CES_VERB_PULL,
				       .image = (char *)"ghcr.io/lab/tool:1",
				       .project = (char *)"asked"};
	memset(&decision, 0, sizeof(decision));
	decision.verb = CES_VERB_PULL;
	strcpy(decision.project, "p");
	strcpy(decision.rule, "projects.p.images[0]");
	memset(&session, 0, sizeof(session));
	session.uid = 1000;
	session.caller = (struct ces_caller){.uid = 1000, .user = (char *)"ann"};
	session.request = &request;
	session.host = &host;
	session.journal = journal;
}

/* Checks the end of the journal's last line. */
static void last_is(const char *expected)
{
	CES_CLEANUP_FREE char *text = content(JOURNAL), *wanted = strdup(expected);
	size_t length = strlen(text), n = strlen(expected);

	for (char *p = wanted; *p != '\0'; p++)
		*p = *p == '\'' ? '"' : *p;
	ck_assert_uint_gt(length, n);
	ck_assert_msg(strncmp(text + length - 1 - n, wanted, n) == 0, "%s has not %s", text,
		      wanted);
}

START_TEST(an_allowance_is_on_record_before_the_request_knows_of_it)
{
	session.signers = (struct ces_signers){.n = 1, .v = {{"a", D1, D2}}};
	ck_assert_int_eq(
	    ces_record_decision(&session, &decision, "pull-" RUN, D1, NULL, NULL, &err), 0);
	ck_assert(session.recorded);
	ck_assert_str_eq(session.project, "p");
	ck_assert_int_eq(syncs, 0); /* (its run waits for the disk) */
	last_is("'event':'decision','outcome':'allowed','uid':1000,'user':'ann','verb':'pull',"
		"'image':'ghcr.io/lab/tool:1','project':'p','args':0,'env':0,'run':'pull-" RUN
		"','digest':'" D1 "','policy':'" D2 "','rule':'projects.p.images[0]','signed_by':"
		"[{'name':'a','key':'" D1 "','digest':'" D2 "'}]}");
}
END_TEST

START_TEST(an_allowance_that_is_not_on_record_is_none)
{
	ck_assert_int_eq(unlink(JOURNAL), 0);
	ck_assert_int_eq(mkdir(JOURNAL, 0700), 0);
	ck_assert_int_eq(ces_record_decision(&session, &decision, RUN, D1, NULL, NULL, &err), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert(!session.recorded);
	ck_assert_str_eq(session.project, "");
}
END_TEST

START_TEST(a_denial_is_on_the_disk_and_no_allowance)
{
	const struct ces_error why = {CES_E_DENIED, 0, "projects.p", "no"};

	ck_assert_int_eq(ces_record_decision(&session, NULL, NULL, NULL, NULL, &why, &err), 0);
	ck_assert(!session.recorded);
	ck_assert_str_eq(session.project, "");
	ck_assert_int_eq(syncs, 1);
	last_is("'outcome':'denied','uid':1000,'user':'ann','verb':'pull','image':"
		"'ghcr.io/lab/tool:1','project':'asked','args':0,'env':0,'policy':'" D2
		"','code':'denied','rule':'projects.p','reason':'no'}");
	/* nobody knows who it was, nor what they asked for */
	session.caller = (struct ces_caller){0};
	session.request = NULL;
	host.digest[0] = '\0';
	ck_assert_int_eq(ces_record_decision(&session, NULL, NULL, NULL, NULL, &why, &err), 0);
	last_is("'outcome':'denied','uid':1000,'code':'denied','rule':'projects.p','reason':'no'}");
	ck_assert_int_eq(access(DIR_PATH "/denied-1000", F_OK), 0);
}
END_TEST

START_TEST(a_denial_that_cannot_be_recorded_is_reported)
{
	const struct ces_error why = {CES_E_DENIED, 0, "projects.p", "no"};

	ck_assert_int_eq(unlink(JOURNAL), 0);
	ck_assert_int_eq(mkdir(JOURNAL, 0700), 0);
	ck_assert_int_eq(ces_record_decision(&session, NULL, NULL, NULL, NULL, &why, &err), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert(!session.recorded);
}
END_TEST

START_TEST(an_allowed_request_that_failed_has_an_end)
{
	const struct ces_error why = {CES_E_REGISTRY, 0, "", "it is \"down\""};

	ck_assert_int_eq(ces_record_decision(&session, &decision, NULL, D1, NULL, NULL, &err), 0);
	ck_assert_int_eq(ces_record_failure(&session, "pull-" RUN, &why), 0);
	last_is(
	    "'event':'end','verb':'pull','uid':1000,'user':'ann','project':'p','pull':'pull-" RUN
	    "','image':'ghcr.io/lab/tool:1','status':125,'reason':'it is \\'down\\''}");
	ck_assert(ces_journal_has_end(&journal, "pull-" RUN));
	request.verb = CES_VERB_RUN;
	ck_assert_int_eq(ces_record_failure(&session, RUN, &why), 0);
	last_is("'event':'end','verb':'run','uid':1000,'user':'ann','project':'p','run':'" RUN
		"','image':'ghcr.io/lab/tool:1','status':125,'reason':'it is \\'down\\''}");
	ck_assert(ces_journal_has_end(&journal, RUN));
	ck_assert_int_eq(ces_record_failure(&session, "", &why), 0);
	last_is("'project':'p','image':'ghcr.io/lab/tool:1','status':125,'reason':'it is "
		"\\'down\\''}");
	ck_assert_int_eq(rename(JOURNAL, "old"), 0);
	ck_assert_int_eq(mkdir(JOURNAL, 0700), 0);
	ck_assert_int_eq(ces_record_failure(&session, RUN, &why), -1);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("record");

	tcase_add_checked_fixture(t, set_up, journal_end);
	tcase_add_test(t, an_allowance_is_on_record_before_the_request_knows_of_it);
	tcase_add_test(t, an_allowance_that_is_not_on_record_is_none);
	tcase_add_test(t, a_denial_is_on_the_disk_and_no_allowance);
	tcase_add_test(t, a_denial_that_cannot_be_recorded_is_reported);
	tcase_add_test(t, an_allowed_request_that_failed_has_an_end);
	return run_suite("record", t);
}
