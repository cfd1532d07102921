/* Tests the one way out of a container: in which namespace its listener is made, which relays are
 * started, and which answers are believed. */
/* links: helper/launch/proxy.c helper/launch/relays.c helper/session/idmap.c helper/session/lock.c helper/core/beneath.c */
#include "tests/unit/relay_scene.h"

#include "common/paths.h"

static struct ces_relay relay;

static void set_up(void)
{
	relay_begin();
	relay = (struct ces_relay)CES_RELAY_NONE;
	strcpy(decision.proxy, "http://10.0.0.1:8080");
}

static void tear_down(void)
{
	ces_cleanup_close(&relay.channel);
	relay_end();
}

static int start(void)
{
	size_t before = open_fds();
	int result;

	steps->n = 0;
	result = ces_proxy_start(&plan, &container, &relay, &err);
	ck_assert_uint_eq(open_fds(), before + (relay.channel >= 0) + n_relays);
	return result;
}

#define SPAWN "spawn " CES_LIBEXECDIR "/ces-relay 901:902 userns -1 netns own fds "
#define OUT                                                                                        \
	"ready", "namespace net", "setns 40000000", "bind 127.0.0.1:3128 again", "setns 40000000", \
	    "ids ces-relay", SPAWN "3", NULL

static const char *const by_address[] = {OUT};
static const char *const by_name[] = {"ids ces-relay", SPAWN "1", "wait 10", "end 4000 1", OUT};

START_TEST(the_listener_is_made_inside_and_the_relay_stays_outside)
{
	struct ces_relay_job job;

	ck_assert_msg(start() == 0, "%s", err.text);
	steps_check(by_address, 0);
	receive_job(0, &job);
	ck_assert_uint_eq(job.kind, CES_RELAY_OUTWARDS);
	ck_assert_str_eq(job.proxy, "10.0.0.1:8080");
	ck_assert_str_eq(job.address, "10.0.0.1");
	ck_assert_uint_eq(job.n_ports, 0);
}
END_TEST

START_TEST(a_name_is_looked_up_once_by_a_relay_that_then_ends)
{
	struct ces_relay_job job;

	strcpy(decision.proxy, "http://proxy.nsh.loc:8080");
	relays[0].answers = true;
	strcpy(relays[0].first.address, "10.9.9.9");
	ck_assert_msg(start() == 0, "%s", err.text);
	steps_check(by_name, 0);
	receive_job(0, &job);
	ck_assert_uint_eq(job.kind, CES_RELAY_RESOLVE);
	ck_assert_str_eq(job.proxy, "proxy.nsh.loc:8080");
	receive_job(1, &job);
	ck_assert_uint_eq(job.kind, CES_RELAY_OUTWARDS);
	ck_assert_str_eq(job.proxy, "proxy.nsh.loc:8080");
	ck_assert_str_eq(job.address, "10.9.9.9");
}
END_TEST

START_TEST(an_answer_without_an_end_is_cut)
{
	struct ces_relay_job job;

	strcpy(decision.proxy, "http://proxy.nsh.loc:8080");
	relays[0].answers = true;
	memset(relays[0].first.address, 'a', sizeof(relays[0].first.address));
	ck_assert_int_eq(start(), 0);
	receive_job(1, &job); /* what the next relay refuses */
	ck_assert_uint_eq(strlen(job.address), sizeof(job.address) - 1);
}
END_TEST

static const struct {
	bool answers, torn;
	const char *text, *says;
} answers[] = {
    {true, false, "no such host", "no such host"},
    {false, false, NULL, "no answer within 10 seconds"},
    {true, true, NULL, "ces-relay did not start"},
};

START_TEST(a_name_that_is_not_found_ends_the_start)
{
	char expected[100];

	strcpy(decision.proxy, "http://proxy.nsh.loc:8080");
	relays[0].answers = answers[_i].answers;
	relays[0].torn = answers[_i].torn;
	if (answers[_i].text != NULL)
		strcpy(relays[0].first.text, answers[_i].text);
	ck_assert_int_lt(start(), 0);
	steps_check(by_name, 4); /* the relay is ended too */
	(void)snprintf(expected, sizeof(expected),
		       "the proxy of the policy, proxy.nsh.loc:8080: %s", answers[_i].says);
	ck_assert_str_eq(err.text, expected);
}
END_TEST

START_TEST(a_step_that_fails_is_the_last)
{
	if (_i == 4)
		return; /* (the way back: the next test) */
	steps->failing = (size_t)_i + 1;
	steps->error = EPERM;
	ck_assert_int_lt(start(), 0);
	/* but this process comes back to its own namespace */
	ck_assert_uint_eq(steps->n, (size_t)_i + 1 + (_i == 3));
	ck_assert_str_eq(steps->v[_i], by_address[_i]);
	ck_assert_int_eq(err.sys, EPERM);
	ck_assert_msg(strncmp(err.text, "the proxy of the policy, 10.0.0.1:8080: ", 40) == 0, "%s",
		      err.text);
}
END_TEST

START_TEST(a_process_that_cannot_come_back_ends)
{
	steps->failing = 5;
	steps->error = EPERM;
	(void)start();
}
END_TEST

START_TEST(without_a_proxy_there_is_no_way_out)
{
	decision.proxy[0] = '\0';
	ck_assert_int_eq(start(), 0);
	ck_assert_uint_eq(steps->n, 0);
}
END_TEST

START_TEST(a_relay_is_ready_when_its_first_report_has_no_text)
{
	CES_CLEANUP_FD int there = -1;
	struct ces_relay_report report = {0};
	int pair[2];

	ck_assert_int_eq(ces_relay_ready(&relay, "x", &err), 0); /* there is none */
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	relay.channel = pair[0];
	there = pair[1];
	ck_assert_int_eq(send(there, &report, sizeof(report), 0), sizeof(report));
	ck_assert_int_eq(ces_relay_ready(&relay, "x", &err), 0);
	ck_assert_str_eq(steps->v[0], "wait 10");
	memset(report.text, 'y', sizeof(report.text));
	ck_assert_int_eq(send(there, &report, sizeof(report), 0), sizeof(report));
	ck_assert_int_lt(ces_relay_ready(&relay, "published ports", &err), 0);
	ck_assert_msg(strncmp(err.text, "published ports: yyy", 20) == 0, "%s", err.text);
	ck_assert_int_lt(ces_relay_ready(&relay, "x", &err), 0);
	ck_assert_str_eq(err.text, "x: no answer within 10 seconds");
	steps->failing = steps->n + 1;
	ck_assert_int_lt(ces_relay_ready(&relay, "x", &err), 0);
	ces_cleanup_close(&there);
	ck_assert_int_lt(ces_relay_ready(&relay, "x", &err), 0);
	ck_assert_str_eq(err.text, "x: ces-relay did not start");
}
END_TEST

START_TEST(more_descriptors_than_a_relay_takes_are_refused)
{
	const struct ces_relay_job job = {0};
	int fds[2 + CES_RELAY_PORTS];

	for (size_t i = 0; i < CES_COUNT(fds); i++)
		fds[i] = -1;
	ck_assert_int_lt(ces_relay_start(-1, fds, CES_COUNT(fds), &job, &relay, &err), 0);
	ck_assert_int_eq(err.code, CES_E_INTERNAL);
	ck_assert_uint_eq(steps->n, 0);
	ck_assert_int_lt(relay.channel, 0);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("proxy");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, the_listener_is_made_inside_and_the_relay_stays_outside);
	tcase_add_test(t, a_name_is_looked_up_once_by_a_relay_that_then_ends);
	tcase_add_test(t, an_answer_without_an_end_is_cut);
	tcase_add_loop_test(t, a_name_that_is_not_found_ends_the_start, 0, CES_COUNT(answers));
	tcase_add_loop_test(t, a_step_that_fails_is_the_last, 0, CES_COUNT(by_address) - 1);
	tcase_add_exit_test(t, a_process_that_cannot_come_back_ends, CES_EXIT_REFUSED);
	tcase_add_test(t, without_a_proxy_there_is_no_way_out);
	tcase_add_test(t, a_relay_is_ready_when_its_first_report_has_no_text);
	tcase_add_test(t, more_descriptors_than_a_relay_takes_are_refused);
	return run_suite("proxy", t);
}
