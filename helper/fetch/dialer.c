/* Both sides of the conversation with the dialer. An attacker who takes over the side that speaks
 * TLS and HTTP can ask for connections to the registry's own addresses, and for nothing else. An
 * attacker who takes over the dialer through a DNS answer has no credential, no byte of an image
 * and no connection that is up. Must not read anything that comes from a registry. */
#include "helper/fetch/dialer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "helper/fetch/channel.h"
#include "helper/fetch/sandbox.h"

/* One packet goes each way. The ids distinguish a late answer from the expected one. */
struct ask {
	uint32_t id;
	uint32_t find; /* 1: the addresses of place; 0: a connection to address */
	uint32_t place;
	union ces_dialer_address address;
};

struct answer {
	uint32_t id;
	struct ces_dialer_places places; /* for a connection only the error; the fd comes with it */
};

struct dialer {
	int channel;
	struct ces_hosts hosts;
	struct ces_dialer_places found[1 + CES_COUNT(((struct ces_hosts *)0)->others)];
};

static size_t size_of(const struct sockaddr *address)
{
	return address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					      : sizeof(struct sockaddr_in);
}

static const struct ces_origin *origin_of(const struct ces_hosts *hosts, uint32_t place)
{
	return place == 0 ? &hosts->endpoint : &hosts->others[place - 1];
}

/* ---- the dialer ---- */

static void keep(struct ces_dialer_places *places, const struct ces_origin *origin,
		 const struct sockaddr *address, size_t length)
{
	enum ces_address_kind kind = ces_address_classify(address, length);

	if (kind == CES_ADDRESS_REFUSED ||
	    (kind == CES_ADDRESS_LOOPBACK && !ces_origin_is_loopback(origin))) {
		places->error = EADDRNOTAVAIL;
		return;
	}
	if (places->n < CES_DIALER_ADDRESSES)
		memcpy(&places->v[places->n++], address, size_of(address));
}

/* RFC 6761, 6.3: a name written as this machine is this machine. It asks no server. */
static const char *numeric(const struct ces_origin *origin, int family, char host[CES_ORIGIN_HOST])
{
	struct in_addr v4;

	memcpy(host, origin->host, CES_ORIGIN_HOST);
	if (host[0] == '[') {
		host[strlen(host) - 1] = '\0';
		return host + 1;
	}
	if (!ces_origin_is_loopback(origin) || inet_pton(AF_INET, host, &v4) == 1)
		return host;
	return family == AF_INET6 ? "::1" : "127.0.0.1";
}

static void look_up(struct ces_dialer_places *places, const struct ces_origin *origin, int family)
{
	const struct addrinfo hints = {
	    .ai_socktype = SOCK_STREAM, .ai_family = family, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *list = NULL;
	char host[CES_ORIGIN_HOST], port[8];

	(void)snprintf(port, sizeof(port), "%u", origin->port);
	if (getaddrinfo(numeric(origin, family, host), port, &hints, &list) != 0)
		return;
	for (const struct addrinfo *one = list; one != NULL; one = one->ai_next)
		keep(places, origin, one->ai_addr, one->ai_addrlen);
	freeaddrinfo(list);
}

static void find(struct dialer *d, uint32_t place, struct ces_dialer_places *ret)
{
	struct ces_dialer_places *places = &d->found[place];
	const struct ces_origin *origin = origin_of(&d->hosts, place);

	if (places->n == 0) {
		places->error = EHOSTUNREACH;
		if (ces_origin_is_loopback(origin)) {
			look_up(places, origin, AF_INET6);
			look_up(places, origin, AF_INET);
		} else {
			look_up(places, origin, AF_UNSPEC);
		}
		if (places->n > 0)
			places->error = 0;
	}
	*ret = *places;
}

static bool same(const union ces_dialer_address *a, const union ces_dialer_address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_port == b->v4.sin_port &&
		       a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return a->v6.sin6_port == b->v6.sin6_port && a->v6.sin6_scope_id == b->v6.sin6_scope_id &&
	       memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr)) == 0;
}

static bool was_found(const struct dialer *d, const union ces_dialer_address *address)
{
	for (size_t i = 0; i <= d->hosts.n_others; i++)
		for (size_t k = 0; k < d->found[i].n; k++)
			if (same(&d->found[i].v[k], address))
				return true;
	return false;
}

/* 0 with a socket in *ret, or an errno. */
static int begin(const struct dialer *d, const union ces_dialer_address *address, int *ret)
{
	CES_CLEANUP_FD int fd = -1;

	if (!was_found(d, address))
		return EPERM;
	fd =
	    socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	if (fd < 0 || (connect(fd, &address->any, (socklen_t)size_of(&address->any)) < 0 &&
		       errno != EINPROGRESS))
		return errno;
	*ret = ces_steal_fd(&fd);
	return 0;
}

static int reply(int channel, struct answer *answer, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec part = {answer, sizeof(*answer)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (fd >= 0) {
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(int));
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
	}
	return sendmsg(channel, &message, MSG_NOSIGNAL) == (ssize_t)sizeof(*answer) ? 0 : -1;
}

static int serve_one(struct dialer *d)
{
	CES_CLEANUP_FD int fd = -1;
	struct answer answer = {0};
	struct ask ask;

	if (recv(d->channel, &ask, sizeof(ask), MSG_TRUNC) != (ssize_t)sizeof(ask))
		return -1;
	answer.id = ask.id;
	if (ask.find == 1 && ask.place <= d->hosts.n_others)
		find(d, ask.place, &answer.places);
	else
		answer.places.error = ask.find == 0 ? begin(d, &ask.address, &fd) : EPERM;
	return reply(d->channel, &answer, fd);
}

static _Noreturn void serve(int channel, pid_t parent)
{
	struct dialer d = {.channel = channel};

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent ||
	    ces_sandbox_hide_files(CES_SANDBOX_DIALER, NULL) < 0 ||
	    ces_sandbox_filter(CES_SANDBOX_DIALER, NULL) < 0 ||
	    recv(channel, &d.hosts, sizeof(d.hosts), MSG_TRUNC) != (ssize_t)sizeof(d.hosts) ||
	    d.hosts.n_others > CES_COUNT(d.hosts.others) || ces_sandbox_ports(&d.hosts, NULL) < 0)
		_exit(1);
	while (serve_one(&d) == 0)
		;
	_exit(0);
}

/* ---- ces-fetch ---- */

int ces_dialer_start(int other, struct ces_dialer *ret, struct ces_error *err)
{
	int pair[2];
	pid_t parent = getpid();

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return ces_error_errno(err, CES_E_HOST, "socketpair");
	*ret = (struct ces_dialer){.channel = pair[0], .pid = fork()};
	if (ret->pid == 0) {
		close(other);
		close(pair[0]);
		serve(pair[1], parent);
	}
	close(pair[1]);
	if (ret->pid < 0) {
		close(pair[0]);
		return ces_error_errno(err, CES_E_HOST, "fork");
	}
	return 0;
}

int ces_dialer_open(struct ces_dialer *dialer, const struct ces_hosts *hosts, struct ces_error *err)
{
	if (send(dialer->channel, hosts, sizeof(*hosts), MSG_NOSIGNAL) != (ssize_t)sizeof(*hosts))
		return ces_error_errno(err, CES_E_HOST, "the process that connects is gone");
	return 0;
}

/* 1 with the answer to the last question, 0 if there is none yet, or -1. */
static int take(struct ces_dialer *dialer, struct answer *ret, int *ret_fd)
{
	CES_CLEANUP_FD int fd = -1;
	size_t length = 0;

	if (ces_channel_receive(dialer->channel, ret, sizeof(*ret), &length, &fd, NULL) <= 0 ||
	    (length != 0 && length != sizeof(*ret)))
		return -1;
	if (length == 0 || ret->id != dialer->last)
		return 0; /* (a late answer, to an earlier question) */
	*ret_fd = ces_steal_fd(&fd);
	return 1;
}

/* 0 with the answer, or -1 with errno. */
static int talk(struct ces_dialer *dialer, struct ask *ask, struct answer *ret, int *ret_fd)
{
	int64_t end = ces_now_ms() + CES_DIALER_SECONDS * 1000;
	struct pollfd wait = {.fd = dialer->channel, .events = POLLIN};
	int64_t left;
	int taken = 0;

	ask->id = ++dialer->last;
	if (send(dialer->channel, ask, sizeof(*ask), MSG_NOSIGNAL) != (ssize_t)sizeof(*ask))
		return -1;
	while (taken == 0 && (left = end - ces_now_ms()) > 0)
		if (poll(&wait, 1, (int)left) > 0)
			taken = take(dialer, ret, ret_fd);
	dialer->busy = taken == 0;
	errno = taken == 0 ? ETIMEDOUT : EPIPE;
	return taken == 1 ? 0 : -1;
}

void ces_dialer_find(struct ces_dialer *dialer, uint32_t place, struct ces_dialer_places *ret)
{
	struct ask ask = {.find = 1, .place = place};
	struct answer answer = {0};
	CES_CLEANUP_FD int fd = -1;

	if (talk(dialer, &ask, &answer, &fd) < 0)
		*ret = (struct ces_dialer_places){.error = errno};
	else
		*ret = answer.places;
	if (ret->n > CES_DIALER_ADDRESSES)
		ret->n = 0;
}

int ces_dialer_connect(struct ces_dialer *dialer, const struct sockaddr *address, size_t length)
{
	struct ask ask = {0};
	struct answer answer = {0};
	int fd = -1;

	if (length > sizeof(ask.address)) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	memcpy(&ask.address, address, length);
	if (talk(dialer, &ask, &answer, &fd) < 0)
		return -1;
	errno = answer.places.error;
	return fd;
}

void ces_dialer_end(struct ces_dialer *dialer)
{
	close(dialer->channel);
	if (!dialer->busy)
		(void)waitpid(dialer->pid, NULL, 0);
}
