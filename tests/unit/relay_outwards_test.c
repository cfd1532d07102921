/* Tests which addresses a way out may lead to. */
/* links: helper/relay/outwards.c helper/relay/sandbox.c helper/fetch/address.c */
/* links: helper/fetch/sandbox.c helper/fetch/readable.c */
#include <arpa/inet.h>
#include <check.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "helper/relay/outwards.h"

static const struct {
	const char *proxy, *address;
	bool good;
} cases[] = {
    {"proxy.loc:3128", "10.0.0.1", true},
    {"proxy.loc:3128", "192.0.2.7", true},
    {"proxy.loc:3128", "2001:db8::7", true},
    {"proxy.loc:3128", "fd00::7", true},
    {"localhost:3128", "127.0.0.1", true},
    {"localhost:3128", "::1", true},
    {"127.0.0.1:3128", "127.0.0.1", true},
    {"proxy.loc:3128", "127.0.0.1", false},
    {"proxy.loc:3128", "127.9.9.9", false},
    {"proxy.loc:3128", "::1", false},
    {"proxy.loc:3128", "::ffff:127.0.0.1", false},
    {"proxy.loc:3128", "64:ff9b::7f00:1", false},
    {"proxy.loc:3128", "0.0.0.0", false},
    {"proxy.loc:3128", "169.254.169.254", false},
    {"localhost:3128", "169.254.169.254", false},
    {"proxy.loc:3128", "fe80::1", false},
    {"proxy.loc:3128", "224.0.0.1", false},
    {"proxy.loc:3128", "255.255.255.255", false},
    {"proxy.loc:3128", "", false},
    {"proxy.loc:3128", "10.0.0.1 ", false},
    {"proxy.loc:3128", "10.0.0", false},
    {"proxy.loc:3128", "proxy.loc", false},
    {"proxy.loc:99999", "10.0.0.1", false},
};

START_TEST(an_address_that_no_proxy_can_have_is_refused)
{
	union ces_relay_address address = {0};
	struct ces_error err;
	int result = ces_outwards_address(cases[_i].proxy, cases[_i].address, &address, &err);

	ck_assert_msg((result == 0) == cases[_i].good, "%s at %s", cases[_i].proxy,
		      cases[_i].address);
	if (result < 0)
		ck_assert_int_eq(address.any.sa_family, 0);
}
END_TEST

START_TEST(the_port_is_the_policys)
{
	union ces_relay_address address;
	struct ces_error err;

	ck_assert_int_eq(ces_outwards_address("a.b:8118", "10.0.0.1", &address, &err), 0);
	ck_assert_uint_eq(ntohs(address.v4.sin_port), 8118);
	ck_assert_int_eq(ces_outwards_address("a.b:8118", "2001:db8::7", &address, &err), 0);
	ck_assert_uint_eq(ntohs(address.v6.sin6_port), 8118);
	ck_assert_uint_eq(ces_relay_address_size(&address), sizeof(address.v6));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("where the way out leads");
	TCase *tests = tcase_create("address");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tests, an_address_that_no_proxy_can_have_is_refused, 0,
			    CES_COUNT(cases));
	tcase_add_test(tests, the_port_is_the_policys);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
