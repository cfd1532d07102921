/* The sandbox of ces-relay. The relay holds sockets of two network namespaces, the host's and the
 * container's. Must not let one of the host's connect anywhere but where the policy says, even if
 * the relay has been taken over. The filter allows connect(2) only with an address of a sealed page
 * as argument, and nothing may unseal or replace that page. So any socket here can only ever
 * connect to the published ports of the container's 127.0.0.1, or to the one proxy. (AF_UNSPEC
 * disconnects a socket, which can then connect again, connect(2); that is an address too.) */
#include "helper/relay/sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

socklen_t ces_relay_address_size(const union ces_relay_address *address)
{
	return address->any.sa_family == AF_INET6 ? sizeof(address->v6) : sizeof(address->v4);
}

int ces_relay_seal(const union ces_relay_address *addresses, size_t n,
		   const union ces_relay_address **ret, struct ces_error *err)
{
	size_t size = n * sizeof(*addresses);
	union ces_relay_address *page =
	    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return ces_error_errno(err, CES_E_INTERNAL, "mmap");
	memcpy(page, addresses, size);
	if (mprotect(page, size, PROT_READ) < 0)
		return ces_error_errno(err, CES_E_INTERNAL, "mprotect");
	*ret = page;
	return 0;
}

static int check_identity(struct ces_error *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	uid_t uid[3];
	gid_t gid[3];

	if (getresuid(&uid[0], &uid[1], &uid[2]) < 0 || getresgid(&gid[0], &gid[1], &gid[2]) < 0 ||
	    syscall(SYS_capget, &header, data) < 0)
		return ces_error_errno(err, CES_E_INTERNAL, "identity");
	for (size_t i = 0; i < 3; i++)
		if (uid[i] == 0 || gid[i] == 0 || uid[i] != uid[0] || gid[i] != gid[0])
			return ces_error_set(err, CES_E_INTERNAL, "started as root");
	if ((data[0].permitted | data[1].permitted) != 0 || getgroups(0, NULL) != 0)
		return ces_error_set(err, CES_E_INTERNAL, "started with capabilities or groups");
	return 0;
}

static int drop(struct ces_error *err)
{
	const struct rlimit none = {0, 0};

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return ces_error_errno(err, CES_E_INTERNAL, "prctl");
	if (setrlimit(RLIMIT_CORE, &none) < 0 || setrlimit(RLIMIT_FSIZE, &none) < 0 ||
	    setrlimit(RLIMIT_NPROC, &none) < 0)
		return ces_error_errno(err, CES_E_INTERNAL, "setrlimit");
	return 0;
}

#define EQUALS(n, value)                                                                           \
	{                                                                                          \
		(n), SCMP_CMP_EQ, (scmp_datum_t)(value), 0                                         \
	}
#define ABOVE(n, value)                                                                            \
	{                                                                                          \
		(n), SCMP_CMP_GE, (scmp_datum_t)(value), 0                                         \
	}

static const struct {
	int call;
	unsigned n;
	struct scmp_arg_cmp arguments[3];
} allowed[] = {
    {SCMP_SYS(poll), 0, {{0}}},
    {SCMP_SYS(ppoll), 0, {{0}}},
    {SCMP_SYS(splice), 0, {{0}}},
    {SCMP_SYS(pipe2), 0, {{0}}},
    {SCMP_SYS(brk), 0, {{0}}}, /* never over an existing mapping */
    {SCMP_SYS(restart_syscall), 0, {{0}}},
    {SCMP_SYS(rt_sigreturn), 0, {{0}}},
    {SCMP_SYS(exit_group), 0, {{0}}},
    {SCMP_SYS(setsockopt), 2, {EQUALS(1, IPPROTO_TCP), EQUALS(2, TCP_NODELAY)}},
    {SCMP_SYS(setsockopt), 2, {EQUALS(1, IPPROTO_TCP), EQUALS(2, TCP_SYNCNT)}},
    {SCMP_SYS(setsockopt), 2, {EQUALS(1, IPPROTO_TCP), EQUALS(2, TCP_KEEPIDLE)}},
    {SCMP_SYS(setsockopt), 2, {EQUALS(1, IPPROTO_TCP), EQUALS(2, TCP_KEEPINTVL)}},
    {SCMP_SYS(setsockopt), 2, {EQUALS(1, IPPROTO_TCP), EQUALS(2, TCP_KEEPCNT)}},
    {SCMP_SYS(setsockopt), 2, {EQUALS(1, SOL_SOCKET), EQUALS(2, SO_KEEPALIVE)}},
    {SCMP_SYS(getsockopt), 2, {EQUALS(1, SOL_SOCKET), EQUALS(2, SO_ERROR)}},
    {SCMP_SYS(fcntl), 1, {EQUALS(1, F_SETPIPE_SZ)}},
    {SCMP_SYS(write), 1, {EQUALS(0, CES_RELAY_CHANNEL)}},
    {SCMP_SYS(sendto), 1, {EQUALS(0, CES_RELAY_DIAG)}},
    {SCMP_SYS(recvfrom), 1, {EQUALS(0, CES_RELAY_DIAG)}},
};

static int allow(scmp_filter_ctx filter, int call, unsigned n, const struct scmp_arg_cmp *arguments)
{
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, n, arguments);
}

/* Adds the rules that depend on the addresses and on their number. The given fds are never closed,
 * so no other file gets their numbers. */
static int allow_ways(scmp_filter_ctx filter, const union ces_relay_address *sealed, size_t n)
{
	const struct scmp_arg_cmp others[] = {ABOVE(0, CES_RELAY_LISTENER + n)};
	int result = allow(filter, SCMP_SYS(close), 1, others);

	if (result == 0)
		result = allow(filter, SCMP_SYS(shutdown), 1, others);
	for (size_t i = 0; i < n && result == 0; i++) {
		const struct scmp_arg_cmp listener[] = {EQUALS(0, CES_RELAY_LISTENER + i)};
		const struct scmp_arg_cmp address[] = {
		    EQUALS(1, (uintptr_t)&sealed[i]),
		    EQUALS(2, ces_relay_address_size(&sealed[i]))};
		const struct scmp_arg_cmp kind[] = {
		    EQUALS(0, sealed[i].any.sa_family),
		    EQUALS(1, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC), EQUALS(2, 0)};

		result = allow(filter, SCMP_SYS(accept4), 1, listener);
		if (result == 0)
			result = allow(filter, SCMP_SYS(connect), 2, address);
		if (result == 0)
			result = allow(filter, SCMP_SYS(socket), 3, kind);
	}
	return result;
}

static int build(scmp_filter_ctx filter, const union ces_relay_address *sealed, size_t n)
{
	static const int sanitizer[] = {SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(sigaltstack),
					SCMP_SYS(gettid), SCMP_SYS(futex)};
	int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	for (size_t i = 0; i < CES_COUNT(allowed) && result == 0; i++)
		result = allow(filter, allowed[i].call, allowed[i].n, allowed[i].arguments);
	for (size_t i = 0; SANITIZED && i < CES_COUNT(sanitizer) && result == 0; i++)
		result = allow(filter, sanitizer[i], 0, NULL);
	return result == 0 ? allow_ways(filter, sealed, n) : result;
}

int ces_relay_confine(const union ces_relay_address *sealed, size_t n, struct ces_error *err)
{
	scmp_filter_ctx filter;
	int result;

	if (check_identity(err) < 0 || drop(err) < 0)
		return -1;
	filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	result = filter != NULL ? build(filter, sealed, n) : -ENOMEM;
	if (result == 0)
		result = seccomp_load(filter);
	seccomp_release(filter);
	if (result == 0)
		return 0;
	errno = -result;
	return ces_error_errno(err, CES_E_HOST, "the system call filter cannot be set up");
}
