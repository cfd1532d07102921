/* Tests where a ces-fetch that was taken over, or its dialer, could still connect. */
/* links: helper/fetch/sandbox.c helper/fetch/readable.c */
#include "tests/unit/fetch_cage.h"

/* Ports of two listeners on this machine. One port belongs to the pull. */
static uint16_t ports[2];

static int listen_on(uint16_t *ret_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 5), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static int read_file(void)
{
	char c;
	CES_CLEANUP_FD int fd = open("/etc/hosts", O_RDONLY | O_CLOEXEC);

	return read(fd, &c, 1) == 1 ? 0 : -1;
}

static int resolve(void)
{
	struct addrinfo *list = NULL,
			hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	int result = getaddrinfo("localhost", "443", &hints, &list);

	if (result == 0)
		freeaddrinfo(list);
	return result == 0 ? 0 : -1;
}

static int connect_out(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9)};

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return connect(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), (struct sockaddr *)&address,
		       sizeof(address));
}

static int read_libraries(void)
{
	char c;
	CES_CLEANUP_FD int fd = open("/etc/ld.so.cache", O_RDONLY | O_CLOEXEC);

	return read(fd, &c, 1) == 1 ? 0 : -1;
}

/* a connection from before */
static int given = -1;

static int talk(void)
{
	int one = 1;

	return setsockopt(given, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0 &&
		       send(given, "x", 1, MSG_NOSIGNAL) == 1
		   ? 0
		   : -1;
}

static const struct {
	enum ces_sandbox who;
	const char *name;
	int (*attempt)(void);
} needed[] = {{CES_SANDBOX_DIALER, "read", read_file},
	      {CES_SANDBOX_DIALER, "resolve", resolve},
	      {CES_SANDBOX_DIALER, "connect", connect_out},
	      {CES_SANDBOX_FETCH, "libraries", read_libraries},
	      {CES_SANDBOX_FETCH, "talk", talk}};

static int reach(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);

	return connect(fd, (struct sockaddr *)&address, sizeof(address));
}

static int confine_ports(void)
{
	struct ces_hosts hosts = {.endpoint.port = ports[0]};

	return ces_sandbox_ports(&hosts, NULL);
}

static int reach_registry(void)
{
	return confine_ports() < 0 ? -1 : reach(ports[0]);
}

static int reach_service(void)
{
	return confine_ports() < 0 ? -1 : reach(ports[1]);
}

static int reach_service_again(void)
{
	struct ces_hosts all = {.endpoint.port = ports[1]};

	return confine_ports() < 0 || ces_sandbox_ports(&all, NULL) < 0 ? -1 : reach(ports[1]);
}

/* connects without connect(2) */
static int reach_by_sending(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(ports[1]),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&address, sizeof(address)) < 0
		   ? -1
		   : 0;
}

static int other_stream(void)
{
	return opened(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 262 /* IPPROTO_MPTCP */));
}

START_TEST(a_service_on_another_port_is_out_of_reach)
{
	int registry = listen_on(&ports[0]), service = listen_on(&ports[1]);

	ck_assert_int_eq(reach(ports[1]), 0);
	ck_assert_int_eq(caged(CES_SANDBOX_DIALER, reach_registry), 0);
	if (syscall(444, NULL, 0, 1) >= 4) { /* older kernels have no rules for ports */
		ck_assert_int_eq(caged(CES_SANDBOX_DIALER, reach_service), EACCES);
		ck_assert_int_eq(caged(CES_SANDBOX_DIALER, reach_service_again), EACCES);
	}
	ck_assert_int_eq(caged(CES_SANDBOX_DIALER, reach_by_sending), EPERM);
	ck_assert_int_eq(caged(CES_SANDBOX_DIALER, other_stream), EPERM);
	close(registry);
	close(service);
}
END_TEST

/* Try each way to an address that tcp(7), udp(7) and unix(7) know. */
static int stream_socket(void)
{
	return opened(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int stream_socket6(void)
{
	return opened(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
}

static int datagram_socket(void)
{
	return opened(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

static int unix_socket(void)
{
	return opened(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int unix_pair(void)
{
	int pair[2];

	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
}

static struct sockaddr_in loopback = {.sin_family = AF_INET};

static int send_to_address(void)
{
	return (int)sendto(given, "x", 1, 0, (struct sockaddr *)&loopback, sizeof(loopback));
}

static int send_message(void)
{
	struct iovec part = {(char *)(uintptr_t) "x", 1};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	return (int)sendmsg(given, &message, 0);
}

static int send_at_once(void)
{
	return (int)sendto(given, "x", 1, MSG_FASTOPEN, NULL, 0);
}

static int bind_to_device(void)
{
	return setsockopt(given, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2);
}

/* connect(2) to AF_UNSPEC ends a connection; after that the socket could make another */
static int connect_again(void)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};

	if (connect(given, &none, sizeof(none)) == 0 || errno != EINPROGRESS)
		return 0;
	if (connect(given, (struct sockaddr *)&loopback, sizeof(loopback)) == 0 ||
	    errno != EINPROGRESS || talk() < 0)
		return 0;
	errno = EPERM;
	return -1;
}

static const struct {
	const char *name;
	int (*attempt)(void);
} ways[] = {
    {"a TCP socket", stream_socket}, {"over IPv6", stream_socket6},
    {"UDP", datagram_socket},        {"a UNIX socket", unix_socket},
    {"a pair", unix_pair},           {"sending to an address", send_to_address},
    {"sendmsg", send_message},       {"TCP fast open", send_at_once},
    {"a device", bind_to_device},    {"connecting again", connect_again},
};

START_TEST(a_connection_of_ces_fetch_to_another_address_is_refused)
{
	int fd = listen_on(&ports[0]);

	loopback.sin_port = htons(ports[0]);
	loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	given = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(given, (struct sockaddr *)&loopback, sizeof(loopback)), 0);
	ck_assert_msg(caged(CES_SANDBOX_FETCH, ways[_i].attempt) == EPERM, "%s", ways[_i].name);
	close(given);
	close(fd);
}
END_TEST

START_TEST(a_caged_process_can_fetch)
{
	int fd = listen_on(&ports[0]);

	loopback.sin_port = htons(ports[0]);
	loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	given = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(given, (struct sockaddr *)&loopback, sizeof(loopback)), 0);
	ck_assert_msg(caged(needed[_i].who, needed[_i].attempt) == 0, "%s", needed[_i].name);
	close(given);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fetch_network");
	TCase *tcase = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tcase, a_connection_of_ces_fetch_to_another_address_is_refused, 0,
			    (int)CES_COUNT(ways));
	tcase_add_loop_test(tcase, a_caged_process_can_fetch, 0, (int)CES_COUNT(needed));
	tcase_add_test(tcase, a_service_on_another_port_is_out_of_reach);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
