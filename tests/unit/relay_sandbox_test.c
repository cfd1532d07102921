/* Tests the cage of ces-relay from inside: what a relay that was taken over can still do. Each case
 * is a child of another user, because a relay refuses to be root. */
/* links: helper/relay/sandbox.c */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper/relay/sandbox.h"

#define NOBODY 65534

static const union ces_relay_address
    *sealed;             /* the one published port: the test has its listener */
static int outside = -1; /* in place of an accepted connection of the host */

static struct sockaddr_in address_of(int fd)
{
	struct sockaddr_in address;
	socklen_t length = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		_exit(99);
	return address;
}

static int listener(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 8) < 0)
		_exit(99);
	return fd;
}

/* Enters the cage, with fds 3 to 5 as the helper gives them and a connection above them. */
static void enter(void)
{
	union ces_relay_address address = {0};
	int fd = listener(), pair[2];
	struct ces_error err;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
		_exit(99);
	address.v4 = address_of(fd);
	(void)fcntl(fd, F_DUPFD, 20);
	outside = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(outside, &address.any, sizeof(address.v4)) < 0)
		_exit(99);
	outside = fcntl(outside, F_DUPFD, 30);
	if (dup2(fd, 12) < 0 || dup2(pair[0], 10) < 0 || dup2(10, CES_RELAY_CHANNEL) < 0 ||
	    dup2(open("/dev/null", O_RDWR), CES_RELAY_DIAG) < 0 || dup2(12, CES_RELAY_LISTENER) < 0)
		_exit(99);
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
			       setresuid(NOBODY, NOBODY, NOBODY) < 0))
		_exit(99);
	if (ces_relay_seal(&address, 1, &sealed, &err) < 0 ||
	    ces_relay_confine(sealed, 1, &err) < 0)
		_exit(98);
}

/* Returns the exit status of a child that does this in the cage. */
static int caged(int (*act)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		enter();
		_exit(act());
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* Returns 0 if the filter refused it. */
static int refused(long result)
{
	return result < 0 && errno == EPERM ? 0 : 1;
}

static int new_socket(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static int to_the_published_port(void)
{
	int fd = new_socket();

	return connect(fd, &sealed->any, sizeof(sealed->v4)) == 0 || errno == EINPROGRESS ? 0 : 1;
}

static int to_a_copy_of_the_address(void)
{
	struct sockaddr_in copy = sealed->v4;

	return refused(connect(new_socket(), (struct sockaddr *)&copy, sizeof(copy)));
}

static int to_another_address(void)
{
	struct sockaddr_in other = {.sin_family = AF_INET,
				    .sin_port = htons(80),
				    .sin_addr.s_addr = inet_addr("192.0.2.1")};

	return refused(connect(new_socket(), (struct sockaddr *)&other, sizeof(other)));
}

/* Calls connect(2) with AF_UNSPEC: the first half of connecting a socket of the host's to somewhere
 * else. */
static int disconnecting(void)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};

	return refused(connect(outside, &none, sizeof(none)));
}

static int part_of_the_address(void)
{
	return refused(connect(outside, &sealed->any, sizeof(sa_family_t)));
}

static int unsealing(void)
{
	void *page = (void *)(uintptr_t)sealed;
	int result = refused(mprotect(page, 4096, PROT_READ | PROT_WRITE));

	/* (the sanitizers map memory of their own: builds with them are for finding faults) */
#ifndef __SANITIZE_ADDRESS__
	result |= refused(munmap(page, 4096));
	if (mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0) != MAP_FAILED)
		result = 1;
#endif
	return result;
}

static int sending_while_connecting(void)
{
	struct sockaddr_in other = {.sin_family = AF_INET,
				    .sin_port = htons(80),
				    .sin_addr.s_addr = inet_addr("192.0.2.1")};

	return refused(
	    sendto(new_socket(), "x", 1, MSG_FASTOPEN, (struct sockaddr *)&other, sizeof(other)));
}

static int listening(void)
{
	return refused(listen(new_socket(), 1)) |
	       refused(bind(new_socket(), &sealed->any, sizeof(sealed->v4)));
}

static int other_sockets(void)
{
	return refused(socket(AF_INET, SOCK_DGRAM, 0)) | refused(socket(AF_INET6, SOCK_STREAM, 0)) |
	       refused(socket(AF_UNIX, SOCK_STREAM, 0)) | refused(socket(AF_NETLINK, SOCK_RAW, 0));
}

/* A socket must not get a number for which the filter allows other calls. */
static int other_numbers(void)
{
	return refused(dup2(outside, CES_RELAY_DIAG)) | refused(fcntl(outside, F_DUPFD, 0)) |
	       refused(close(CES_RELAY_DIAG)) | refused(close(CES_RELAY_LISTENER)) |
	       refused(close(CES_RELAY_CHANNEL));
}

static int accepting_elsewhere(void)
{
	return refused(accept4(20, NULL, NULL, 0));
}

static int files_and_programs(void)
{
	return refused(open("/etc/passwd", O_RDONLY)) | refused(execl("/bin/true", "true", NULL)) |
	       refused(fork());
}

static const struct {
	const char *name;
	int (*act)(void);
} cases[] = {
    {"the published port can be connected to", to_the_published_port},
    {"not by another copy of its address", to_a_copy_of_the_address},
    {"no other address", to_another_address},
    {"no socket of the host's is disconnected", disconnecting},
    {"no part of the address", part_of_the_address},
    {"the address cannot be changed", unsealing},
    {"no sending while connecting", sending_while_connecting},
    {"no listening", listening},
    {"no other kind of socket", other_sockets},
    {"no fd gets another number", other_numbers},
    {"no other listener", accepting_elsewhere},
    {"no file, no program", files_and_programs},
};

START_TEST(the_cage)
{
	ck_assert_msg(caged(cases[_i].act) == 0, "%s", cases[_i].name);
}
END_TEST

START_TEST(root_is_refused)
{
	pid_t pid;
	int status;

	if (geteuid() != 0)
		return;
	pid = fork();
	if (pid == 0) {
		const union ces_relay_address address = {.v4 = {.sin_family = AF_INET}};
		struct ces_error err;

		_exit(ces_relay_seal(&address, 1, &sealed, &err) == 0 &&
			      ces_relay_confine(sealed, 1, &err) < 0
			  ? 0
			  : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("the cage of ces-relay");
	TCase *tests = tcase_create("cage");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tests, the_cage, 0, (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(tests, root_is_refused);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
