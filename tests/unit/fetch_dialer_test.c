/* Tests what the dialer gives: the addresses of the pull's places, and connections to them. */
/* links: helper/fetch/dialer.c helper/fetch/channel.c helper/fetch/address.c */
/* links: helper/fetch/sandbox.c helper/fetch/readable.c */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/fetch/dialer.h"

#define NOBODY 65534

static struct ces_dialer dialer;
static int listener = -1;
static uint16_t port;
static struct ces_hosts hosts;

static void listen_here(void)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT};
	socklen_t length = sizeof(address);

	listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(listener, 5), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &length), 0);
	port = ntohs(address.sin6_port);
}

static void add_place(const char *host, uint16_t at)
{
	struct ces_origin *origin = &hosts.others[hosts.n_others++];

	strcpy(origin->host, host);
	origin->port = at;
}

static void set_up(void)
{
	listen_here();
	memset(&hosts, 0, sizeof(hosts));
	strcpy(hosts.endpoint.host, "localhost");
	hosts.endpoint.port = port;
	if (geteuid() == 0)
		ck_assert(setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
			  setresuid(NOBODY, NOBODY, NOBODY) == 0);
	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(ces_dialer_start(listener, &dialer, NULL), 0);
}

/* Returns a connection that reached the listener, or the errno of the failure. */
static int reached(const struct sockaddr *address, size_t length)
{
	CES_CLEANUP_FD int fd = ces_dialer_connect(&dialer, address, length);
	struct pollfd wait = {.fd = listener, .events = POLLIN};
	CES_CLEANUP_FD int accepted = -1;

	if (fd < 0)
		return errno;
	ck_assert_int_eq(poll(&wait, 1, 5000), 1);
	accepted = accept(listener, NULL, NULL);
	ck_assert_int_ge(accepted, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	return 0;
}

static struct sockaddr_in v4(const char *text, uint16_t at)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(at)};

	ck_assert_int_eq(inet_pton(AF_INET, text, &address.sin_addr), 1);
	return address;
}

static int reached4(const char *text, uint16_t at)
{
	struct sockaddr_in address = v4(text, at);

	return reached((struct sockaddr *)&address, sizeof(address));
}

START_TEST(a_place_has_its_addresses_and_they_can_be_connected_to)
{
	struct ces_dialer_places places;

	ck_assert_int_eq(ces_dialer_open(&dialer, &hosts, NULL), 0);
	ces_dialer_find(&dialer, 0, &places);
	ck_assert_int_eq(places.error, 0);
	ck_assert_int_eq(places.n, 2);
	ck_assert(IN6_IS_ADDR_LOOPBACK(&places.v[0].v6.sin6_addr));
	ck_assert_int_eq(reached(&places.v[0].any, sizeof(places.v[0].v6)), 0);
	ck_assert_int_eq(reached4("127.0.0.1", port), 0);
}
END_TEST

START_TEST(no_other_address_can_be_connected_to)
{
	struct ces_dialer_places places;
	struct sockaddr_in6 scoped = {.sin6_family = AF_INET6,
				      .sin6_port = htons(port),
				      .sin6_addr = IN6ADDR_LOOPBACK_INIT,
				      .sin6_scope_id = 1};

	ck_assert_int_eq(ces_dialer_open(&dialer, &hosts, NULL), 0);
	ck_assert_int_eq(reached4("127.0.0.1", port), EPERM); /* not requested yet */
	ces_dialer_find(&dialer, 0, &places);
	ck_assert_int_eq(reached4("127.0.0.1", port ^ 1), EPERM);
	ck_assert_int_eq(reached4("127.0.0.2", port), EPERM);
	ck_assert_int_eq(reached4("169.254.169.254", 80), EPERM);
	ck_assert_int_eq(reached((struct sockaddr *)&scoped, sizeof(scoped)), EPERM);
	ck_assert_int_eq(reached((struct sockaddr *)&scoped, sizeof(scoped.sin6_family)), EPERM);
	ck_assert_int_eq(reached((struct sockaddr *)&scoped, 4096), EAFNOSUPPORT);
	ck_assert_int_eq(reached4("127.0.0.1", port), 0);
}
END_TEST

/* an address needs no name server; none answers for registry.invalid (RFC 6761) */
static const struct {
	const char *host;
	int error;
	uint32_t n;
} known[] = {
    {"127.0.0.9", 0, 1},
    {"[::1]", 0, 1},
    {"deep.below.localhost", 0, 2},
    {"192.0.2.7", 0, 1},
    {"[2001:db8::7]", 0, 1},
    {"169.254.169.254", EADDRNOTAVAIL, 0},
    {"[fe80::1]", EADDRNOTAVAIL, 0},
    {"[::ffff:127.0.0.1]", EADDRNOTAVAIL, 0},
    {"0.0.0.0", EADDRNOTAVAIL, 0},
    {"2130706433", EADDRNOTAVAIL, 0}, /* 127.0.0.1 as one number */
};

START_TEST(an_address_that_no_registry_can_have_is_refused)
{
	struct ces_dialer_places places;

	add_place(known[_i].host, port);
	ck_assert_int_eq(ces_dialer_open(&dialer, &hosts, NULL), 0);
	ces_dialer_find(&dialer, 1, &places);
	ck_assert_msg(places.error == known[_i].error && places.n == known[_i].n, "%s: %d, %u",
		      known[_i].host, places.error, places.n);
}
END_TEST

START_TEST(places_are_reported_once)
{
	struct ces_hosts more;
	struct ces_dialer_places places;

	ck_assert_int_eq(ces_dialer_open(&dialer, &hosts, NULL), 0);
	ces_dialer_find(&dialer, 1, &places); /* there is only one place */
	ck_assert_int_eq(places.error, EPERM);
	ces_dialer_find(&dialer, UINT32_MAX, &places);
	ck_assert_int_eq(places.error, EPERM);
	more = hosts;
	more.endpoint.port ^= 1;
	(void)ces_dialer_open(&dialer, &more, NULL);
	ces_dialer_find(&dialer, 0, &places); /* a packet that is no question ends the dialer */
	ck_assert_int_eq(places.n, 0);
	ck_assert_int_ne(places.error, 0);
}
END_TEST

START_TEST(the_dialer_ends_with_the_other_end)
{
	ces_dialer_end(&dialer);
	ck_assert_int_eq(waitpid(dialer.pid, NULL, 0), -1);
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

START_TEST(an_invalid_host_ends_the_dialer)
{
	int status = -1;

	hosts.n_others = CES_COUNT(hosts.others) + 1;
	ck_assert_int_eq(ces_dialer_open(&dialer, &hosts, NULL), 0);
	ck_assert_int_eq(waitpid(dialer.pid, &status, 0), dialer.pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fetch_dialer");
	TCase *tcase = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, a_place_has_its_addresses_and_they_can_be_connected_to);
	tcase_add_test(tcase, no_other_address_can_be_connected_to);
	tcase_add_loop_test(tcase, an_address_that_no_registry_can_have_is_refused, 0,
			    (int)CES_COUNT(known));
	tcase_add_test(tcase, places_are_reported_once);
	tcase_add_test(tcase, the_dialer_ends_with_the_other_end);
	tcase_add_test(tcase, an_invalid_host_ends_the_dialer);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
