/* What ces-fetch gives up before it talks to anyone. */
#ifndef CES_FETCH_SANDBOX_H
#define CES_FETCH_SANDBOX_H

#include "common/error.h"
#include "helper/fetch/address.h"

/* Refuses any user id or group id 0 (real, effective, saved, supplementary) and any capability. */
int ces_sandbox_check_identity(struct ces_error *err);

/* No core, no ptrace by others of the same uid, no privilege by exec, no file grown, death with the
 * parent. */
int ces_sandbox_drop(struct ces_error *err);

/* Hides every file but those that the resolver and OpenSSL read, where the kernel can (Landlock).
 * Needs ces_sandbox_drop before it, and the filter after it. */
int ces_sandbox_hide_files(struct ces_error *err);

/* Leaves of all TCP ports those of these hosts, and DNS, where the kernel can. After the filter,
 * since the hosts are known only then; for good. */
int ces_sandbox_ports(const struct ces_hosts *hosts, struct ces_error *err);

/* The system call filter. For good: afterwards only sockets going out, reading of files, and the
 * fds that the process has. One thread must exist when it is called. */
int ces_sandbox_filter(struct ces_error *err);

#endif
