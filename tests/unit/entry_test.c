/* Tests what ces-admit hands over, and the last words if that fails. */
/* links: helper/admit/hand_over.c helper/core/last_words.c */
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/event.h"
#include "common/frame.h"
#include "common/io.h"
#include "common/request.h"
#include "common/wire_stream.h"
#include "helper/admit/hand_over.h"
#include "helper/core/last_words.h"
#include "tests/unit/policy_fixture.h"

static struct ces_order order;
static struct ces_error err;

static void set_up(void)
{
	memset(&order, 0, sizeof(order));
	memset(&err, 0, sizeof(err));
}

/* Returns a text of n letters. */
static char *letters(size_t n)
{
	char *text = malloc(n + 1);

	memset(text, 'a', n);
	text[n] = '\0';
	return text;
}

START_TEST(a_caller_goes_over_with_every_group)
{
	gid_t groups[CES_GROUPS_MAX];
	struct ces_caller caller = {.uid = 1000,
				    .gid = 100,
				    .user = (char *)"ann",
				    .home = (char *)"/home/ann",
				    .groups = groups,
				    .n_groups = CES_GROUPS_MAX};

	for (size_t i = 0; i < CES_GROUPS_MAX; i++)
		groups[i] = (gid_t)(5000 + i);
	ck_assert_int_eq(ces_order_caller(&order, &caller, &err), 0);
	ck_assert(order.known);
	ck_assert_str_eq(order.user, "ann");
	ck_assert_str_eq(order.home, "/home/ann");
	ck_assert_uint_eq(order.gid, 100);
	ck_assert_uint_eq(order.n_groups, CES_GROUPS_MAX);
	ck_assert_uint_eq(order.groups[CES_GROUPS_MAX - 1], 5000 + CES_GROUPS_MAX - 1);
}
END_TEST

START_TEST(a_caller_too_large_for_the_order_is_refused_not_cut)
{
	gid_t groups[1] = {1};
	struct ces_caller caller = {
	    .user = (char *)"ann", .home = (char *)"/home/ann", .groups = groups, .n_groups = 1};

	caller.user = letters(sizeof(order.user));
	ck_assert_int_eq(ces_order_caller(&order, &caller, &err), -1);
	ck_assert(!order.known);
	free(caller.user);
	caller.user = (char *)"ann";
	caller.home = letters(sizeof(order.home));
	ck_assert_int_eq(ces_order_caller(&order, &caller, &err), -1);
	free(caller.home);
	caller.home = (char *)"/home/ann";
	caller.n_groups = CES_GROUPS_MAX + 1;
	ck_assert_int_eq(ces_order_caller(&order, &caller, &err), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
}
END_TEST

START_TEST(the_machines_settings_go_over_flat)
{
	char *dirs[] = {(char *)"/etc/cdi", (char *)"/run/cdi"};
	struct ces_policy policy = {.runtime = (char *)"/usr/bin/crun",
				    .contact = (char *)"ig@example.org",
				    .cgroup_parent = CES_CGROUP_PATH,
				    .cgroup_path = (char *)"/ces",
				    .store = {.pulls = 3},
				    .subid_first = 2000000000,
				    .cdi_dirs = {dirs, 2}};
	struct ces_host host = {0};

	ck_assert_int_eq(ces_host_of(&policy, &host, &err), 0);
	ck_assert_str_eq(host.runtime, "/usr/bin/crun");
	ck_assert_str_eq(host.contact, "ig@example.org");
	ck_assert_str_eq(host.cgroup_path, "/ces");
	ck_assert_uint_eq(host.store.pulls, 3);
	ck_assert_uint_eq(host.subid_first, 2000000000);
	ck_assert_uint_eq(host.cdi_dirs.n, 2);
	ck_assert_str_eq(host.cdi_dirs.v[1], "/run/cdi");
	policy.contact = NULL;
	ck_assert_int_eq(ces_host_of(&policy, &host, &err), 0);
	ck_assert_str_eq(host.contact, "");
	policy.runtime = letters(sizeof(host.runtime));
	ck_assert_int_eq(ces_host_of(&policy, &host, &err), -1);
	ck_assert_int_eq(err.code, CES_E_POLICY);
	free(policy.runtime);
}
END_TEST

/* The program composes its last words by hand. They must be what the codec would send. */
START_TEST(the_last_words_are_an_error_event)
{
	static const size_t lengths[] = {1, 40, CES_ERROR_TEXT - 1};
	struct ces_event_error heard;
	char *text = letters(lengths[_i]);
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	/* (away from the fd that the program writes to) */
	for (int i = 0; i < 2; i++)
		ends[i] = fcntl(ends[i], F_DUPFD_CLOEXEC, 10);
	ck_assert_int_eq(dup2(ends[1], CES_FD_EVENT), CES_FD_EVENT);
	ces_error_set(&err, CES_E_HOST, "%s", text);
	ces_last_words(&err);
	close(CES_FD_EVENT);
	close(ends[1]);
	ck_assert_int_eq(ces_wire_receive(ends[0], &ces_event_error_schema, 4096,
					  ces_now_ms() + 1000, &heard, &err),
			 1);
	ck_assert_uint_eq(heard.code, CES_E_HOST);
	ck_assert_str_eq(heard.text, text);
	ck_assert_ptr_null(heard.rule);
	ces_wire_free(&ces_event_error_schema, &heard);
	free(text);
	close(ends[0]);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("entry");

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_test(t, a_caller_goes_over_with_every_group);
	tcase_add_test(t, a_caller_too_large_for_the_order_is_refused_not_cut);
	tcase_add_test(t, the_machines_settings_go_over_flat);
	tcase_add_loop_test(t, the_last_words_are_an_error_event, 0, 3);
	return run_suite("entry", t);
}
