/* The steps by which ces-session starts a ces-relay. The test plays the relay: it has the other end
 * of the channel, and looks at the descriptors that the relay would get. */
#ifndef CES_TESTS_UNIT_RELAY_SCENE_H
#define CES_TESTS_UNIT_RELAY_SCENE_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "helper/launch/ports.h"
#include "helper/launch/proxy.h"
#include "helper/session/userns.h"
#include "tests/unit/launch_plan.h"
#include "tests/unit/steps.h"

#define RELAYS 2

/* The relays that were started: their ends of the channels, and how many descriptors they got. */
static struct {
	int channel;
	size_t n_fds;
	struct ces_relay_report first; /* that it sends at once, if it sends any */
	bool answers, torn;
} relays[RELAYS];
static size_t n_relays;
static struct ces_container container;
static uint16_t in_use; /* a port of this machine */

int ces_worker_ids(const char *name, uid_t *ret_uid, gid_t *ret_gid, struct ces_error *ret_err)
{
	if (step("ids %s", name))
		return ces_error_errno(ret_err, CES_E_HOST, "ids");
	*ret_uid = 901;
	*ret_gid = 902;
	return 0;
}

int ces_spawn_worker(const struct ces_spawn *how, struct ces_process *ret,
		     struct ces_error *ret_err)
{
	int socket_type = 0;
	socklen_t length = sizeof(socket_type);

	if (step("spawn %s %u:%u userns %d netns %s fds %zu", how->path, how->uid, how->gid,
		 how->userns,
		 how->netns > 0    ? "given"
		 : how->netns == 0 ? "own"
				   : "none",
		 how->n_fds))
		return ces_error_errno(ret_err, CES_E_HOST, "spawn");
	ck_assert_uint_lt(n_relays, RELAYS);
	ck_assert_int_eq(getsockopt(how->fds[0], SOL_SOCKET, SO_TYPE, &socket_type, &length), 0);
	ck_assert_int_eq(socket_type, SOCK_SEQPACKET);
	for (size_t i = 0; i < how->n_fds; i++)
		if (how->fds[i] >= 0)
			ck_assert_int_eq(fcntl(how->fds[i], F_GETFD), FD_CLOEXEC);
	/* (a netlink socket or nothing, and the listeners) */
	for (size_t i = 2; i < how->n_fds; i++) {
		int listens = 0;

		length = sizeof(listens);
		ck_assert_int_eq(
		    getsockopt(how->fds[i], SOL_SOCKET, SO_ACCEPTCONN, &listens, &length), 0);
		ck_assert_int_eq(listens, 1);
		ck_assert_int_ne(fcntl(how->fds[i], F_GETFL) & O_NONBLOCK, 0);
	}
	relays[n_relays].channel = fcntl(how->fds[0], F_DUPFD_CLOEXEC, 0);
	relays[n_relays].n_fds = how->n_fds;
	if (relays[n_relays].answers)
		ck_assert_int_gt(send(relays[n_relays].channel, &relays[n_relays].first,
				      sizeof(relays[n_relays].first) - relays[n_relays].torn, 0),
				 0);
	ret->pid = 4000 + (pid_t)n_relays++;
	return 0;
}

int ces_process_end(struct ces_process *process, bool kill_it)
{
	(void)step("end %d %d", (int)process->pid, kill_it);
	process->pid = 0;
	return -1;
}

int ces_container_ready(const struct ces_container *of, struct ces_error *ret_err)
{
	ck_assert_ptr_eq(of, &container);
	return step("ready") ? ces_error_errno(ret_err, CES_E_HOST, "ready") : 0;
}

int ces_process_namespace(const struct ces_process *process, const char *name, int *ret,
			  struct ces_error *ret_err)
{
	ck_assert_ptr_eq(process, &container.process);
	if (step("namespace %s", name))
		return ces_error_errno(ret_err, CES_E_HOST, "namespace");
	*ret = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	return 0;
}

int setns(int fd, int flags)
{
	(void)fd;
	return step("setns %x", flags) ? -1 : 0;
}

/* (any free port takes the place of the one that is asked for) */
/* The port that another program has at ::1. */
static uint16_t in_use6;

static int bind6(int fd, const struct sockaddr_in6 *to)
{
	int on = 1;
	socklen_t size = sizeof(on);

	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, &size), 0);
	ck_assert(on == 0 &&
		  memcmp(&to->sin6_addr, &in6addr_loopback, sizeof(in6addr_loopback)) == 0);
	if (step("hold %u", ntohs(to->sin6_port)))
		return -1;
	errno = ntohs(to->sin6_port) == in_use6 ? EADDRINUSE : EADDRNOTAVAIL;
	return -1;
}

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
	struct sockaddr_in to = *(const struct sockaddr_in *)(const void *)address;
	int on = 0;
	socklen_t size = sizeof(on);

	if (address->sa_family == AF_INET6)
		return bind6(fd, (const struct sockaddr_in6 *)(const void *)address);
	ck_assert_uint_eq(length, sizeof(to));
	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, &size), 0);
	if (step("bind %s:%u %s", inet_ntoa(to.sin_addr), ntohs(to.sin_port),
		 on != 0 ? "again" : "once"))
		return -1;
	if (ntohs(to.sin_port) == in_use) {
		errno = EADDRINUSE;
		return -1;
	}
	ck_assert_uint_eq(to.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	to.sin_port = 0;
	return (int)syscall(SYS_bind, fd, &to, sizeof(to));
}

/* (a deadline of seconds is one of milliseconds here) */
int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
	struct timeval most;

	if (name == SO_RCVTIMEO) {
		memcpy(&most, value, sizeof(most));
		if (step("wait %ld", (long)most.tv_sec))
			return -1;
		most = (struct timeval){.tv_usec = 20000};
		value = &most;
	}
	return (int)syscall(SYS_setsockopt, fd, level, name, value, length);
}

static void relay_begin(void)
{
	plan_begin();
	steps_begin(0, 0);
	memset(relays, 0, sizeof(relays));
	n_relays = 0;
	in_use = in_use6 = 0;
}

static void relay_end(void)
{
	for (size_t i = 0; i < n_relays; i++)
		close(relays[i].channel);
}

static void receive_job(size_t i, struct ces_relay_job *ret)
{
	ck_assert_int_eq(recv(relays[i].channel, ret, sizeof(*ret), MSG_DONTWAIT | MSG_TRUNC),
			 sizeof(*ret));
}

#endif
