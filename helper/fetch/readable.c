/* Limits the few files that ces-fetch and its dialer may still open, and the ports that the dialer
 * may connect to (Landlock, kernel 5.13 and 6.7 and later). Files: those that OpenSSL, or else the
 * resolver, reads. Users sometimes leave data readable by everyone: that data must not leave
 * through here. Ports: those of the registry and of the other hosts that the policy names, and DNS.
 * Where the kernel has no Landlock, user id and system call filter hold alone. This is the third
 * lock: a missing one is no failure, but one that does not close is. */
#include "helper/fetch/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"

/* From the kernel's uapi/linux/landlock.h, which older build machines lack or have without the
 * later parts. */
#define CREATE_RULESET    444
#define ADD_RULE          445
#define RESTRICT_SELF     446
#define VERSION_FLAG      1U
#define RULE_PATH_BENEATH 1
#define READ_FILE         (1U << 2)
#define READ_DIR          (1U << 3)
#define RULE_PORT         2
#define BIND_TCP          (1U << 0)
#define CONNECT_TCP       (1U << 1)
#define DNS_PORT          53 /* for answers that are too long for UDP (RFC 7766) */

struct ruleset {
	uint64_t files;   /* access rights that need a rule */
	uint64_t network; /* from version 4: binding and connecting TCP */
	uint64_t scoped;  /* from version 6: abstract sockets and signals stay inside */
};

struct path_rule {
	uint64_t allowed;
	int32_t parent;
} __attribute__((packed));

struct port_rule {
	uint64_t allowed;
	uint64_t port;
};

#define DIALER CES_SANDBOX_DIALER
#define FETCH  CES_SANDBOX_FETCH

/* Directories with everything below, and single files. Those that a machine lacks are skipped. */
static const struct {
	unsigned who;
	const char *path;
} readable[] = {
    {DIALER, "/etc/resolv.conf"},
    {DIALER, "/etc/hosts"},
    {DIALER, "/etc/host.conf"},
    {DIALER, "/etc/nsswitch.conf"},
    {DIALER, "/etc/authselect"},
    {DIALER, "/etc/gai.conf"},
    {DIALER, "/etc/services"},
    {DIALER, "/run"}, /* resolv.conf often leads here; secret files here are closed to this user */
    {DIALER, "/var/lib/sss"},
    {FETCH, "/etc/ssl"},
    {FETCH, "/etc/pki"},
    {FETCH, "/etc/ca-certificates"},
    {FETCH, "/etc/crypto-policies"},
    {FETCH, "/usr/share/ca-certificates"},
    {FETCH, "/usr/local/share/ca-certificates"},
    {FETCH, "/usr/share/pki"},
    {FETCH, "/usr/share/crypto-policies"},
    {FETCH | DIALER, "/etc/ld.so.cache"},
    {FETCH | DIALER, "/usr/lib"},
    {FETCH | DIALER, "/usr/lib64"},
    {FETCH | DIALER, "/lib"},
    {FETCH | DIALER, "/lib64"},
};

/* All rights that this kernel knows, so that the rules cover them all. Those of version 1 are bits
 * 0 to 12; versions 2, 3 and 5 add one each. */
static uint64_t known_rights(long version)
{
	uint64_t rights = (1U << 13) - 1;

	if (version >= 2)
		rights |= 1U << 13;
	if (version >= 3)
		rights |= 1U << 14;
	if (version >= 5)
		rights |= 1U << 15;
	return rights;
}

static int allow_fd(int ruleset, int fd)
{
	struct path_rule rule = {.allowed = READ_FILE, .parent = fd};
	struct stat st;

	if (fstat(fd, &st) < 0)
		return errno == EACCES ? 0 : -1; /* (SELinux refuses: then there is no rule) */
	if (S_ISDIR(st.st_mode))
		rule.allowed |= READ_DIR;
	return (int)syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0);
}

static int allow(int ruleset, const char *path)
{
	CES_CLEANUP_FD int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT || errno == EACCES ? 0 : -1;
	return allow_fd(ruleset, fd);
}

/* *ret: rules that allow nothing yet, without these rights to the network; or -1 if the kernel has
 * no Landlock. */
static int begin_rules(uint64_t network, int *ret, struct ces_error *err)
{
	long version = syscall(CREATE_RULESET, NULL, 0, VERSION_FLAG);
	struct ruleset rules = {.files = known_rights(version),
				.network = version >= 4 ? network : 0,
				.scoped = version >= 6 ? 3 : 0};

	*ret = -1;
	if (version < 1)
		return 0;
	*ret = (int)syscall(CREATE_RULESET, &rules, sizeof(rules), 0);
	return *ret < 0 ? ces_error_errno(err, CES_E_HOST, "landlock_create_ruleset") : 0;
}

static int end_rules(int ruleset, struct ces_error *err)
{
	return ruleset >= 0 && syscall(RESTRICT_SELF, ruleset, 0) < 0
		   ? ces_error_errno(err, CES_E_HOST, "landlock_restrict_self")
		   : 0;
}

int ces_sandbox_hide_files(enum ces_sandbox who, struct ces_error *err)
{
	CES_CLEANUP_FD int ruleset = -1;

	if (begin_rules(who == FETCH ? BIND_TCP | CONNECT_TCP : BIND_TCP, &ruleset, err) < 0)
		return -1;
	for (size_t i = 0; ruleset >= 0 && i < CES_COUNT(readable); i++)
		if ((readable[i].who & who) != 0 && allow(ruleset, readable[i].path) < 0)
			return ces_error_errno(err, CES_E_HOST, "landlock: %s", readable[i].path);
	return end_rules(ruleset, err);
}

int ces_sandbox_only_below(int dir, struct ces_error *err)
{
	CES_CLEANUP_FD int ruleset = -1;

	if (begin_rules(BIND_TCP | CONNECT_TCP, &ruleset, err) < 0)
		return -1;
	if (ruleset >= 0 && dir >= 0 && allow_fd(ruleset, dir) < 0)
		return ces_error_errno(err, CES_E_HOST, "landlock: the image layout");
	return end_rules(ruleset, err);
}

static int allow_port(int ruleset, uint16_t port)
{
	struct port_rule rule = {.allowed = CONNECT_TCP, .port = port};

	return (int)syscall(ADD_RULE, ruleset, RULE_PORT, &rule, 0);
}

int ces_sandbox_ports(const struct ces_hosts *hosts, struct ces_error *err)
{
	struct ruleset rules = {.network = CONNECT_TCP};
	CES_CLEANUP_FD int ruleset = -1;
	int result;

	if (syscall(CREATE_RULESET, NULL, 0, VERSION_FLAG) < 4)
		return 0;
	ruleset = (int)syscall(CREATE_RULESET, &rules, sizeof(rules), 0);
	if (ruleset < 0)
		return ces_error_errno(err, CES_E_HOST, "landlock_create_ruleset");
	result = allow_port(ruleset, DNS_PORT);
	if (result == 0)
		result = allow_port(ruleset, hosts->endpoint.port);
	for (size_t i = 0; i < hosts->n_others && result == 0; i++)
		result = allow_port(ruleset, hosts->others[i].port);
	if (result < 0 || syscall(RESTRICT_SELF, ruleset, 0) < 0)
		return ces_error_errno(err, CES_E_HOST, "landlock: ports");
	return 0;
}
