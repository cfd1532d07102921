/* Tests the published ports of a run: the listeners and the job of ces-relay, its reports, and what
 * goes into the journal of those who are no users of the run. */
/* links: helper/launch/ports.c helper/launch/relays.c helper/session/idmap.c helper/session/lock.c helper/core/beneath.c */
#include "tests/unit/relay_scene.h"

#include "helper/session/journal.h"

static struct ces_ports ports;

/* (of helper/session/journal.c and report.c) */
int ces_journal_append(const struct ces_journal *journal, struct ces_json record, bool durable,
		       struct ces_error *ret_err)
{
	(void)record;
	(void)ret_err;
	ck_assert_ptr_eq(journal, &session.journal);
	return step("append %d", durable) ? -1 : 0;
}

struct ces_json ces_journal_stranger(uid_t uid, const char *run, uint64_t port, uint64_t stranger,
				     uint64_t n)
{
	(void)step("stranger %u %s %llu %llu %llu", uid, run, (unsigned long long)port,
		   (unsigned long long)stranger, (unsigned long long)n);
	return (struct ces_json){0};
}

static void set_up(void)
{
	relay_begin();
	ports = (struct ces_ports)CES_PORTS_NONE;
	decision.ports[0] = (struct ces_decision_port){8080, 80};
	decision.ports[1] = (struct ces_decision_port){65535, 65534};
	decision.n_ports = 2;
}

static void tear_down(void)
{
	ces_cleanup_close(&ports.relay.channel);
	while (ports.n_held > 0)
		ces_cleanup_close(&ports.held[--ports.n_held]);
	relay_end();
}

static int start(void)
{
	size_t before = open_fds();
	int result;

	steps->n = 0;
	result = ces_ports_start(&plan, &container, &ports, &err);
	/* the channel and its other end here, and the places of ::1; the listeners are the relay's
	 * alone */
	ck_assert_uint_eq(open_fds(),
			  before + (ports.relay.channel >= 0) + n_relays + ports.n_held);
	return result;
}

static const char *const started[] = {"bind 127.0.0.1:8080 again",
				      "hold 8080",
				      "bind 127.0.0.1:65535 again",
				      "hold 65535",
				      "ready",
				      "namespace net",
				      "ids ces-relay",
				      "spawn " CES_LIBEXECDIR
				      "/ces-relay 901:902 userns -1 netns given fds 4",
				      NULL};

START_TEST(a_relay_gets_the_listeners_and_who_may_connect)
{
	struct ces_relay_job job;

	ck_assert_msg(start() == 0, "%s", err.text);
	steps_check(started, 0);
	receive_job(0, &job);
	ck_assert_uint_eq(job.kind, CES_RELAY_INWARDS);
	ck_assert_uint_eq(job.uid, 1000);
	ck_assert_uint_eq(job.n_ports, 2);
	ck_assert_uint_eq(job.host_ports[0], 8080);
	ck_assert_uint_eq(job.container_ports[0], 80);
	ck_assert_uint_eq(job.host_ports[1], 65535);
	ck_assert_uint_eq(job.container_ports[1], 65534);
	ck_assert_uint_eq(job.host_ports[2], 0);
	ck_assert_str_eq(job.address, "");
}
END_TEST

START_TEST(a_step_that_fails_is_the_last)
{
	steps->failing = (size_t)_i + 1;
	steps->error = EACCES;
	ck_assert_int_lt(start(), 0);
	steps_check(started, (size_t)_i + 1);
	ck_assert_int_eq(err.sys, EACCES);
	if (_i < 4)
		ck_assert_msg(strncmp(err.text, _i < 2 ? "port 8080: " : "port 65535: ", 11) == 0,
			      "%s", err.text);
}
END_TEST

START_TEST(a_port_that_is_in_use_is_named_and_nothing_is_started)
{
	in_use = 65535;
	ck_assert_int_lt(start(), 0);
	ck_assert_int_eq(err.code, CES_E_LIMIT);
	ck_assert_str_eq(err.text, "port 65535 of this machine is in use; choose another: -p "
				   "HOST:CONTAINER with another HOST");
	ck_assert_uint_eq(n_relays, 0);
	ces_ports_end(&plan, &ports);
	in_use = 0;
	in_use6 = 8080;
	ck_assert_int_lt(start(), 0);
	ck_assert_int_eq(err.code, CES_E_LIMIT);
	ck_assert_uint_eq(n_relays, 0);
	ces_ports_end(&plan, &ports);
	ck_assert_uint_eq(ports.n_held, 0);
}
END_TEST

START_TEST(without_ports_there_is_no_relay)
{
	decision.n_ports = 0;
	ck_assert_int_eq(start(), 0);
	ck_assert_uint_eq(steps->n, 0);
	ces_ports_end(&plan, &ports);
	steps_check((const char *const[]){"end 0 1", NULL}, 0);
}
END_TEST

START_TEST(as_many_ports_as_a_run_may_have_are_carried)
{
	struct ces_relay_job job;

	for (size_t i = 0; i < CES_PORTS_MAX; i++)
		decision.ports[i] = (struct ces_decision_port){(uint16_t)(2000 + i), 1};
	decision.n_ports = CES_PORTS_MAX;
	ck_assert_int_eq(start(), 0);
	receive_job(0, &job);
	ck_assert_uint_eq(job.host_ports[CES_PORTS_MAX - 1], 2000 + CES_PORTS_MAX - 1);
	ck_assert_uint_eq(relays[0].n_fds, 2 + CES_PORTS_MAX);
}
END_TEST

static void report(uint64_t port, uint64_t uid)
{
	const struct ces_relay_report it = {.port = port, .uid = uid};

	ck_assert_int_eq(send(relays[0].channel, &it, sizeof(it), 0), sizeof(it));
}

START_TEST(strangers_go_to_the_journal_at_once_and_then_every_ten_seconds)
{
	int64_t then, now;

	ck_assert_int_eq(start(), 0);
	steps->n = 0;
	report(8080, 1001);
	then = ces_now_ms();
	ces_ports_listen(&plan, &ports);
	steps_check((const char *const[]){"stranger 1000 0123456789 8080 1001 1", "append 0", NULL},
		    0);
	now = ces_now_ms();
	ck_assert(ports.next >= then + 10000 && ports.next <= now + 10000);
	for (uint64_t i = 0; i < 5; i++) {
		report(65535, 2000 + i);
		ces_ports_listen(&plan, &ports);
	}
	ck_assert_uint_eq(steps->n, 2);
	ports.next = now; /* ten seconds later */
	ces_ports_listen(&plan, &ports);
	ck_assert_str_eq(steps->v[2], "stranger 1000 0123456789 65535 2004 5");
	/* and at the end what is left */
	report(8080, 3000);
	ces_ports_listen(&plan, &ports);
	ck_assert_uint_eq(steps->n, 4);
	ces_ports_end(&plan, &ports);
	ck_assert_str_eq(steps->v[4], "end 4000 1");
	ck_assert_str_eq(steps->v[5], "stranger 1000 0123456789 8080 3000 1");
	ck_assert_int_lt(ports.relay.channel, 0);
	ces_ports_end(&plan, &ports);
	ck_assert_uint_eq(steps->n, 8); /* ("end 0 1": nothing more to record) */
}
END_TEST

START_TEST(strangers_whom_the_journal_did_not_take_are_in_its_next_record)
{
	ck_assert_int_eq(start(), 0);
	steps_begin(2, ENOSPC);
	report(8080, 1001);
	ces_ports_listen(&plan, &ports);
	ck_assert_uint_eq(steps->n, 2);
	report(8080, 1002);
	ces_ports_listen(&plan, &ports);
	ck_assert_uint_eq(steps->n, 2); /* (not again and again) */
	ces_ports_end(&plan, &ports);
	ck_assert_str_eq(steps->v[3], "stranger 1000 0123456789 8080 1002 2");
}
END_TEST

START_TEST(nothing_to_read_is_no_stranger)
{
	ck_assert_int_eq(start(), 0);
	steps->n = 0;
	ces_ports_listen(&plan, &ports);
	ck_assert_uint_eq(steps->n, 0);
	ck_assert_int_ge(ports.relay.channel, 0);
}
END_TEST

/* A relay that an attacker has taken over may send anything. */
static const size_t sizes[] = {0, 1, sizeof(struct ces_relay_report) - 1};

START_TEST(a_torn_report_ends_the_channel)
{
	struct ces_relay_report it = {.port = 1, .uid = 1};

	ck_assert_int_eq(start(), 0);
	steps->n = 0;
	ck_assert_int_eq(send(relays[0].channel, &it, sizes[_i], 0), (ssize_t)sizes[_i]);
	ces_ports_listen(&plan, &ports);
	ck_assert_int_lt(ports.relay.channel, 0);
	ck_assert_uint_eq(steps->n, 0);
	ck_assert_uint_eq(ports.refused, 0);
}
END_TEST

START_TEST(a_relay_that_has_ended_is_not_listened_to_again)
{
	ck_assert_int_eq(start(), 0);
	ck_assert_int_eq(shutdown(relays[0].channel, SHUT_RDWR), 0);
	ces_ports_listen(&plan, &ports);
	ck_assert_int_lt(ports.relay.channel, 0);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("ports");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_relay_gets_the_listeners_and_who_may_connect);
	tcase_add_loop_test(t, a_step_that_fails_is_the_last, 0, CES_COUNT(started) - 1);
	tcase_add_test(t, a_port_that_is_in_use_is_named_and_nothing_is_started);
	tcase_add_test(t, without_ports_there_is_no_relay);
	tcase_add_test(t, as_many_ports_as_a_run_may_have_are_carried);
	tcase_add_test(t, strangers_go_to_the_journal_at_once_and_then_every_ten_seconds);
	tcase_add_test(t, strangers_whom_the_journal_did_not_take_are_in_its_next_record);
	tcase_add_test(t, nothing_to_read_is_no_stranger);
	tcase_add_loop_test(t, a_torn_report_ends_the_channel, 0, CES_COUNT(sizes));
	tcase_add_test(t, a_relay_that_has_ended_is_not_listened_to_again);
	return run_suite("ports", t);
}
