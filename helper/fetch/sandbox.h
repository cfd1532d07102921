/* What ces-fetch gives up before it talks to anyone. */
#ifndef CES_FETCH_SANDBOX_H
#define CES_FETCH_SANDBOX_H

#include "common/error.h"
#include "helper/fetch/address.h"

/* A bit each. */
enum ces_sandbox {
	CES_SANDBOX_FETCH = 1,  /* talks through sockets that it is given, and connects none */
	CES_SANDBOX_DIALER = 2, /* asks for the addresses of names, and connects */
};

/* Refuses any user id or group id 0 (real, effective, saved, supplementary) and any capability. */
int ces_sandbox_check_identity(struct ces_error *err);

/* No core, no ptrace by others of the same uid, no privilege by exec, no file grown, death with the
 * parent. */
int ces_sandbox_drop(struct ces_error *err);

/* Hides every file but those that OpenSSL, or else the resolver, reads, where the kernel can
 * (Landlock). Needs ces_sandbox_drop before it, and the filter after it. */
int ces_sandbox_hide_files(enum ces_sandbox who, struct ces_error *err);

/* Leaves of all TCP ports those of these hosts, and DNS, where the kernel can. After the filter,
 * since the hosts are known only then; for good. */
int ces_sandbox_ports(const struct ces_hosts *hosts, struct ces_error *err);

/* The system call filter. For good: afterwards only reading of files, the fds that the process has,
 * and for the dialer sockets going out. For ces-fetch there is no way to an address: connect(2)
 * answers EINPROGRESS, since what it gets is connecting already. One thread must exist when it is
 * called. */
int ces_sandbox_filter(enum ces_sandbox who, struct ces_error *err);

#endif
